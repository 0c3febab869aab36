//! The one holder of the platform's access token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use driver::{Clock, DriverError, Effect, Entropy, Http, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::{
    answer::{Intent, parse, refusal, unexpected},
    api::SecretText,
};

/// A login is safe to repeat, and everything waits for it: four tries ride out a restart of one platform node.
const LOGIN_ATTEMPTS_MAX: u32 = 4;
const LOGIN_BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// A platform that asks for a longer pause is away, not busy: the error says so instead of every caller hanging.
const RETRY_AFTER_LONGEST: Duration = Duration::from_secs(30);
/// A token is renewed this long before its end, so that none ends on the way; a quarter of its life where that is
/// shorter.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// Who logs in, and on behalf of which registration.
#[derive(Debug)]
pub(super) struct Account {
    pub grant: Grant,
    pub client_id: String,
    pub client_secret: Secret,
}

#[derive(Debug)]
pub(super) enum Grant {
    Password { realm: String, username: String, password: Secret },
    ApiKey { api_key: Secret },
}

impl Account {
    pub(super) fn describe(&self) -> String {
        match &self.grant {
            Grant::Password { realm, username, .. } => format!("`{username}` in realm `{realm}`"),
            Grant::ApiKey { .. } => "an API key".to_owned(),
        }
    }

    fn secrets(&self) -> [&Secret; 2] {
        match &self.grant {
            Grant::Password { password, .. } => [password, &self.client_secret],
            Grant::ApiKey { api_key } => [api_key, &self.client_secret],
        }
    }
}

#[derive(Debug)]
pub(super) struct Token {
    pub bearer: Secret,
    /// By our clock, counted from before the request for it left. `None`: the platform did not say; a 401 will tell.
    renew_at: Option<Timestamp>,
    accepted: AtomicBool,
}

impl Token {
    /// The platform has taken it at least once: a 401 now means that it has ended, not that it is too new.
    pub(super) fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn accept(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }
}

/// Logs in once for all callers and keeps the token. With a single-use API key a second login cannot succeed, so
/// there must be one holder for the whole process.
#[derive(Debug)]
pub(super) struct Login {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    address: Url,
    account: Account,
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

impl Login {
    pub(super) fn new(ports: &Ports, address: Url, account: Account) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            address,
            account,
            state: Mutex::default(),
            logins: AtomicU64::new(0),
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The current token, or a new one. Concurrent callers wait for one login and share its outcome, be it a failure.
    /// A failure has changed nothing of what the caller was about to do.
    pub(super) async fn token(&self) -> Result<Arc<Token>, DriverError> {
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
        let outcome = self.log_in().await;
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

    /// Forgets a token that the platform refused; a newer one stays.
    pub(super) async fn forget(&self, refused: &Arc<Token>) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            state.token = None;
        }
    }

    async fn log_in(&self) -> Result<Token, DriverError> {
        let mut attempt = 1;
        loop {
            let error = match self.log_in_once().await {
                Ok(token) => return Ok(token),
                Err(error) => error,
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

    async fn log_in_once(&self) -> Result<Token, DriverError> {
        let obtained_at = self.clock.now();
        let request = HttpRequest::new(Method::Post, self.address.clone())
            .header("accept", "application/json")
            .header("accept-language", "en")
            .json(&self.body());
        let response = self
            .http
            .send(request)
            .await
            // Whatever became of the login, what the caller wants to do has not begun.
            .map_err(|error| DriverError { effect: Effect::NotApplied, ..error.into() })?;
        if response.is_success() { self.read(&response, obtained_at) } else { Err(self.refused(&response)) }
    }

    fn body(&self) -> LoginBody<'_> {
        let text = |secret: &Secret| secret.expose_text().unwrap_or_default().to_owned();
        let (grant_type, realm, username, password, api_key) = match &self.account.grant {
            Grant::Password { realm, username, password } => {
                ("password", Some(realm.as_str()), Some(username.as_str()), Some(text(password)), None)
            }
            Grant::ApiKey { api_key } => ("api_key", None, None, None, Some(text(api_key))),
        };
        LoginBody {
            grant_type,
            realm,
            username,
            password,
            api_key,
            client_id: &self.account.client_id,
            client_secret: text(&self.account.client_secret),
        }
    }

    fn read(&self, response: &HttpResponse, obtained_at: Timestamp) -> Result<Token, DriverError> {
        const DOING: &str = "logging in";
        let granted: Granted = parse(DOING, response, Effect::NotApplied)?;
        let bearer = granted.access_token.0;
        if !bearer.expose_text().is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(unexpected(DOING, response, Effect::NotApplied, "the token cannot stand in a header"));
        }
        let renew_at = granted.expires_in.and_then(|seconds| {
            let life = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
            obtained_at.checked_add(life - RENEW_BEFORE.min(life / 4)).ok()
        });
        Ok(Token { bearer, renew_at, accepted: AtomicBool::new(false) })
    }

    fn refused(&self, response: &HttpResponse) -> DriverError {
        let doing = match &self.account.grant {
            Grant::Password { .. } => format!("logging in as {}", self.account.describe()),
            Grant::ApiKey { .. } if matches!(response.status, 400 | 401) => {
                "API key rejected, it may have been used already".to_owned()
            }
            Grant::ApiKey { .. } => "logging in with an API key".to_owned(),
        };
        let mut error = refusal(&doing, Intent::Read, response, &self.account.secrets());
        // The documents leave open which 4xx stands for which mistake (an unknown realm, say). All of them mean that
        // this account gets nowhere, and none may be taken for an answer about a credential.
        if !matches!(error.kind, Kind::Throttled | Kind::Unavailable | Kind::Protocol) {
            error.kind = Kind::Unauthorized;
        }
        error
    }

    /// Half of the exponential delay is fixed, half is random.
    fn backoff(&self, attempt: u32) -> Duration {
        let share = (self.entropy.next() % 1000) as f64 / 1000.0;
        LOGIN_BACKOFF_FIRST.saturating_mul(1 << attempt.min(10)).mul_f64(0.5 + share / 2.0)
    }
}

#[derive(Serialize)]
struct LoginBody<'a> {
    grant_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    realm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    client_id: &'a str,
    client_secret: String,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretText,
    /// Seconds.
    expires_in: Option<u64>,
}
