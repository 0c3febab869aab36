//! The one holder of what calls say who we are with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{Clock, DriverError, Effect, Entropy, Http, Kind, Ports};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    answer::{self, Intent},
    described::{Login, Platform, TokenLogin},
    pointer,
    request::headers,
    template::Fillings,
};

/// A login is safe to repeat, and everything waits for it: four tries ride out a restart of one node.
const LOGIN_ATTEMPTS_MAX: u32 = 4;
const LOGIN_BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// A platform that asks for a longer pause is away, not busy: the error says so instead of every caller hanging.
const RETRY_AFTER_LONGEST: Duration = Duration::from_secs(30);
/// A token is renewed this long before its end, so that none ends on the way; a quarter of its life where that is
/// shorter.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);

#[derive(Debug)]
pub(super) struct Token {
    pub secret: Secret,
    /// By our clock, counted from before the request for it left. `None`: nobody said; a 401 will tell.
    renew_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Session {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: Mutex<State>,
    /// Logins so far, to tell a caller that waited for one from a caller that comes after it.
    logins: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Why the latest login failed.
    failure: Option<DriverError>,
}

/// The headers for one call, and the token in them that a 401 would speak of.
pub(super) struct Pass {
    pub headers: Vec<(String, String)>,
    pub token: Option<Arc<Token>>,
}

impl Session {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            state: Mutex::default(),
            logins: AtomicU64::new(0),
        }
    }

    /// `base` is filled with the name, the password, and what else configuration gives.
    pub(super) async fn pass(
        &self,
        at: &Platform,
        password: Option<&Secret>,
        base: &Fillings<'_>,
    ) -> Result<Pass, DriverError> {
        let (headers, token) = match &at.login {
            Login::None => (Vec::new(), None),
            Login::Basic => {
                let text = |secret: &Secret| secret.expose_text().unwrap_or_default().to_owned();
                let pair = format!(
                    "{}:{}",
                    at.username.as_deref().unwrap_or_default(),
                    password.map(text).unwrap_or_default()
                );
                (vec![("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair)))], None)
            }
            Login::Headers(send) => (headers("login.send", send, base)?, None),
            Login::Token(login) => {
                let token = self.token(at, login, base).await?;
                let with_token = base.clone().secret("token", &token.secret);
                (headers("login.send", &login.send, &with_token)?, Some(token.clone()))
            }
        };
        Ok(Pass { headers, token })
    }

    /// Forgets a token that the platform refused; a newer one stays.
    pub(super) async fn forget(&self, refused: &Arc<Token>) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            state.token = None;
        }
    }

    /// The current token, or a new one. Concurrent callers wait for one login and share its outcome, be it a failure.
    /// A failure has changed nothing of what the caller was about to do.
    async fn token(&self, at: &Platform, login: &TokenLogin, base: &Fillings<'_>) -> Result<Arc<Token>, DriverError> {
        let before = self.logins.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(token) = state.token.as_ref().filter(|token| token.renew_at.is_none_or(|end| now < end)) {
            return Ok(token.clone());
        }
        if self.logins.load(Ordering::Acquire) != before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let outcome = self.log_in(at, login, base).await;
        self.logins.fetch_add(1, Ordering::Release);
        match outcome {
            Ok(token) => {
                let token = Arc::new(token);
                *state = State { token: Some(token.clone()), failure: None };
                Ok(token)
            }
            Err(error) => {
                *state = State { token: None, failure: Some(error.clone()) };
                Err(error)
            }
        }
    }

    async fn log_in(&self, at: &Platform, login: &TokenLogin, base: &Fillings<'_>) -> Result<Token, DriverError> {
        let mut attempt = 1;
        loop {
            let error = match self.log_in_once(at, login, base).await {
                Ok(token) => return Ok(token),
                // Whatever became of the login, what the caller wants to do has not begun.
                Err(error) => DriverError { effect: Effect::NotApplied, ..error },
            };
            let wait = error.retry_after.unwrap_or_default().max(self.backoff(attempt));
            let passing = matches!(error.kind, Kind::Unavailable | Kind::Throttled);
            if !passing || attempt >= LOGIN_ATTEMPTS_MAX || wait > RETRY_AFTER_LONGEST {
                return Err(error);
            }
            self.clock.sleep(wait).await;
            attempt += 1;
        }
    }

    async fn log_in_once(&self, at: &Platform, login: &TokenLogin, base: &Fillings<'_>) -> Result<Token, DriverError> {
        let obtained_at = self.clock.now();
        let mut request = login.request.fill(&at.endpoint, base)?;
        request.timeout = at.timeout;
        let response = self.http.send(request).await?;
        let answered = answer::read(&login.request, Intent::Read, at.error.as_ref(), &response, &base.secrets());
        let answered = answered.map_err(|refusal| {
            let mut error = refusal.error;
            // Platforms differ in which 4xx stands for which mistake. All of them mean that we get nowhere, and none may
            // be taken for an answer about a credential. A success that tells of an error is a refusal, too.
            if !matches!(error.kind, Kind::Throttled | Kind::Unavailable) && refusal.status < 500 {
                error.kind = Kind::Unauthorized;
            }
            error
        })?;
        let secret = answered.want("token", &login.token, pointer::secret)?;
        if !secret.expose_text().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(answered.unexpected("the token cannot stand in a header"));
        }
        let told = login.expires_in.as_ref().and_then(|at| answered.at(at)).and_then(seconds);
        let renew_at = told
            .or(login.lifetime)
            .and_then(|life| obtained_at.checked_add(life.saturating_sub(RENEW_BEFORE.min(life / 4))).ok());
        Ok(Token { secret, renew_at })
    }

    /// Half of the exponential delay is fixed, half is random.
    fn backoff(&self, attempt: u32) -> Duration {
        let share = (self.entropy.next() % 1000) as f64 / 1000.0;
        LOGIN_BACKOFF_FIRST.saturating_mul(1 << attempt.min(10)).mul_f64(0.5 + share / 2.0)
    }
}

pub(super) fn seconds(value: &Value) -> Option<SignedDuration> {
    let seconds: u32 = pointer::text(value)?.split('.').next()?.parse().ok()?;
    Some(SignedDuration::from_secs(seconds.into()))
}
