//! Who we are to the platform, and the one holder of its access token.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{Body, DriverError, Effect, HttpRequest, HttpResponse, Kind, Method};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::{
    answer::{Intent, parse, refusal, unexpected},
    api::SecretText,
    service_account::ServiceAccount,
    wire::Wire,
};

/// A login is safe to repeat, and everything waits for it: four tries ride out a restart of one platform node.
const LOGIN_ATTEMPTS_MAX: u32 = 4;
const LOGIN_BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// A platform that asks for a longer pause is away, not busy: the error says so instead of every caller hanging.
const RETRY_AFTER_LONGEST: Duration = Duration::from_secs(30);
/// A token is renewed this long before its end, so that none ends on the way; a quarter of its life where that is
/// shorter.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// An assertion is refused when our clock is off by minutes. Past this difference it is made again by the clock that
/// the refusal shows.
const CLOCK_OFF_MAX: SignedDuration = SignedDuration::from_secs(30);
/// Apigee's published client for its own command line; it is no secret.
const EDGE_CLIENT: &str = "Basic ZWRnZWNsaTplZGdlY2xpc2VjcmV0";
const DOING: &str = "logging in";

/// What we log in with.
pub(super) enum Account {
    Assertion(Box<ServiceAccount>),
    /// Name and password with every call.
    Basic {
        username: String,
        password: Secret,
    },
    /// A token for a name and a password, or for a refresh token.
    Token {
        address: Url,
        user: Option<(String, Secret)>,
        refresh: Option<Secret>,
    },
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.describe())
    }
}

impl Account {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Assertion(account) => format!("the service account `{}`", account.email),
            Self::Basic { username, .. } | Self::Token { user: Some((username, _)), .. } => format!("`{username}`"),
            Self::Token { user: None, .. } => "the owner of the refresh token".to_owned(),
        }
    }
}

/// What stands in the header of a call.
#[derive(Debug)]
pub(super) struct Token {
    pub header: Secret,
    /// By the platform's clock. `None`: it was not said, or it never ends; a 401 will tell.
    renew_at: Option<Timestamp>,
}

/// Logs in once for all callers and keeps the token.
#[derive(Debug)]
pub(super) struct Login {
    wire: Arc<Wire>,
    account: Account,
    state: Mutex<State>,
    /// Logins so far, to tell a caller that waited for one from a caller that comes after it.
    logins: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    /// What the latest answer brought beside the token.
    refresh: Option<Secret>,
    /// Why the latest login failed.
    failure: Option<DriverError>,
}

impl Login {
    pub(super) fn new(wire: Arc<Wire>, account: Account) -> Self {
        Self { wire, account, state: Mutex::default(), logins: AtomicU64::new(0) }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The current token, or a new one. Concurrent callers wait for one login and share its outcome, be it a failure.
    /// A failure has changed nothing of what the caller was about to do.
    pub(super) async fn token(&self) -> Result<Arc<Token>, DriverError> {
        let before = self.logins.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = self.wire.platform_now();
        if let Some(token) = state.token.as_ref().filter(|token| token.renew_at.is_none_or(|end| now < end)) {
            return Ok(token.clone());
        }
        if self.logins.load(Ordering::Acquire) != before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let outcome = self.log_in(state.refresh.take()).await;
        self.logins.fetch_add(1, Ordering::Release);
        match outcome {
            Ok((token, refresh)) => {
                let token = Arc::new(token);
                *state = State { token: Some(token.clone()), refresh, failure: None };
                Ok(token)
            }
            Err(error) => {
                *state = State { failure: Some(error.clone()), ..State::default() };
                Err(error)
            }
        }
    }

    /// Forgets a token that the platform refused; a newer one stays. `false`: there is no other to be had.
    pub(super) async fn forget(&self, refused: &Arc<Token>) -> bool {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            state.token = None;
        }
        !matches!(self.account, Account::Basic { .. })
    }

    async fn log_in(&self, refresh: Option<Secret>) -> Result<(Token, Option<Secret>), DriverError> {
        match &self.account {
            Account::Basic { username, password } => Ok((basic(username, password), None)),
            Account::Assertion(account) => self.with_assertion(account).await,
            Account::Token { address, user, refresh: first } => {
                if let Some(latest) = refresh.as_ref().or(first.as_ref()) {
                    let outcome = self.ask(|| refresh_grant(address, latest)).await;
                    match outcome {
                        Ok((token, next)) => return Ok((token, next.or(refresh))),
                        Err(error) if error.kind != Kind::Unauthorized || user.is_none() => return Err(error),
                        // A refresh token ends, too; name and password do not.
                        Err(_) => {}
                    }
                }
                let Some((username, password)) = user else {
                    return Err(DriverError::refused(Kind::Unauthorized, "there is no password to log in with"));
                };
                self.ask(|| password_grant(address, username, password)).await
            }
        }
    }

    async fn with_assertion(&self, account: &ServiceAccount) -> Result<(Token, Option<Secret>), DriverError> {
        let signed_at = self.wire.platform_now();
        let outcome = self.ask(|| assertion_grant(account, self.wire.platform_now())).await;
        let off = self.wire.platform_now().duration_since(signed_at).abs();
        match outcome {
            Err(error) if error.kind == Kind::Unauthorized && off > CLOCK_OFF_MAX => {
                self.ask(|| assertion_grant(account, self.wire.platform_now())).await
            }
            outcome => outcome,
        }
    }

    async fn ask(
        &self,
        request: impl Fn() -> Result<HttpRequest, DriverError>,
    ) -> Result<(Token, Option<Secret>), DriverError> {
        let mut attempt = 1;
        loop {
            let error = match self.ask_once(request()?).await {
                Ok(granted) => return Ok(granted),
                Err(error) => error,
            };
            let wait = error.retry_after.unwrap_or_default().max(self.backoff(attempt));
            let passing = matches!(error.kind, Kind::Unavailable | Kind::Throttled);
            if !passing || attempt >= LOGIN_ATTEMPTS_MAX || wait > RETRY_AFTER_LONGEST {
                return Err(error);
            }
            self.wire.clock.sleep(wait).await;
            attempt += 1;
        }
    }

    async fn ask_once(&self, request: HttpRequest) -> Result<(Token, Option<Secret>), DriverError> {
        let response = self
            .wire
            .send(request)
            .await
            // Whatever became of the login, what the caller wants to do has not begun.
            .map_err(|error| DriverError { effect: Effect::NotApplied, ..error.into() })?;
        if response.is_success() { self.read(&response) } else { Err(self.refused(&response)) }
    }

    fn read(&self, response: &HttpResponse) -> Result<(Token, Option<Secret>), DriverError> {
        let granted: Granted = parse(DOING, response, Effect::NotApplied)?;
        let bearer = granted.access_token.0;
        let text = bearer.expose_text().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(text) = text else {
            return Err(unexpected(DOING, response, Effect::NotApplied, "the token cannot stand in a header"));
        };
        let obtained_at = self.wire.platform_now();
        let renew_at = granted.expires_in.and_then(|seconds| {
            let life = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
            obtained_at.checked_add(life - RENEW_BEFORE.min(life / 4)).ok()
        });
        let token = Token { header: Secret::from_text(format!("Bearer {text}")), renew_at };
        Ok((token, granted.refresh_token.map(|refresh| refresh.0)))
    }

    /// Which 4xx stands for which mistake is not published. All of them mean that this account gets nowhere, and none
    /// may be taken for an answer about a credential.
    fn refused(&self, response: &HttpResponse) -> DriverError {
        let doing = format!("logging in as {}", self.account.describe());
        let hide = match &self.account {
            Account::Token { user, refresh, .. } => {
                user.iter().map(|(_, password)| password).chain(refresh.iter()).collect()
            }
            _ => Vec::new(),
        };
        let mut error = refusal(&doing, Intent::Read, response, &hide);
        if !matches!(error.kind, Kind::Throttled | Kind::Unavailable | Kind::Protocol) {
            error.kind = Kind::Unauthorized;
        }
        error
    }

    /// Half of the exponential delay is fixed, half is random.
    fn backoff(&self, attempt: u32) -> Duration {
        let share = (self.wire.entropy.next() % 1000) as f64 / 1000.0;
        LOGIN_BACKOFF_FIRST.saturating_mul(1 << attempt.min(10)).mul_f64(0.5 + share / 2.0)
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretText,
    refresh_token: Option<SecretText>,
    /// Seconds.
    expires_in: Option<u64>,
}

fn basic(username: &str, password: &Secret) -> Token {
    let pair = Secret::from_text(format!("{username}:{}", password.expose_text().unwrap_or_default()));
    Token { header: Secret::from_text(format!("Basic {}", STANDARD.encode(pair.expose()))), renew_at: None }
}

fn assertion_grant(account: &ServiceAccount, now: Timestamp) -> Result<HttpRequest, DriverError> {
    let assertion = account
        .assertion(now)
        .ok_or_else(|| DriverError::refused(Kind::Unavailable, "the cryptographic library could not sign the login"))?;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.expose_text().unwrap_or_default()),
    ];
    Ok(form(&account.token_uri, &fields))
}

fn password_grant(address: &Url, username: &str, password: &Secret) -> Result<HttpRequest, DriverError> {
    let password = password.expose_text().unwrap_or_default();
    let fields = [("grant_type", "password"), ("username", username), ("password", password)];
    Ok(form(address, &fields).header("authorization", EDGE_CLIENT))
}

fn refresh_grant(address: &Url, refresh: &Secret) -> Result<HttpRequest, DriverError> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose_text().unwrap_or_default())];
    Ok(form(address, &fields).header("authorization", EDGE_CLIENT))
}

fn form(address: &Url, fields: &[(&str, &str)]) -> HttpRequest {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = HttpRequest::new(Method::Post, address.clone())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded");
    request.body = Body(body.into());
    request
}
