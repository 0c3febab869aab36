//! Who we are to the platform, and the one holder of its access token.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{Attempts, Body, DriverError, Effect, Granted, HttpRequest, HttpResponse, Kind, Method, SharedLogin};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{
    answer::{Intent, parse, refusal, unexpected},
    api::SecretText,
    service_account::ServiceAccount,
    wire::Wire,
};

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
}

/// Logs in once for all callers and keeps the token.
#[derive(Debug)]
pub(super) struct Login {
    wire: Arc<Wire>,
    account: Account,
    shared: SharedLogin<Token>,
    /// What the latest answer brought beside the token.
    refresh: Mutex<Option<Secret>>,
}

impl Login {
    pub(super) fn new(wire: Arc<Wire>, account: Account) -> Self {
        Self { wire, account, shared: SharedLogin::default(), refresh: Mutex::default() }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The current token, or a new one, by the platform's clock. A failure has changed nothing of what the caller was
    /// about to do.
    pub(super) async fn token(&self) -> Result<Arc<Token>, DriverError> {
        let log_in = async |_| {
            let latest = self.refresh().take();
            let (granted, next) = self.log_in(latest).await?;
            *self.refresh() = next;
            Ok(granted)
        };
        self.shared.token(|| self.wire.platform_now(), log_in).await
    }

    fn refresh(&self) -> MutexGuard<'_, Option<Secret>> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a token that the platform refused; a newer one stays. `false`: there is no other to be had.
    pub(super) async fn forget(&self, refused: &Arc<Token>) -> bool {
        self.shared.forget(refused).await;
        !matches!(self.account, Account::Basic { .. })
    }

    async fn log_in(&self, refresh: Option<Secret>) -> Result<(Granted<Token>, Option<Secret>), DriverError> {
        match &self.account {
            Account::Basic { username, password } => {
                Ok((Granted::new(basic(username, password), self.wire.platform_now(), None), None))
            }
            Account::Assertion(account) => self.with_assertion(account).await,
            Account::Token { address, user, refresh: first } => {
                if let Some(latest) = refresh.as_ref().or(first.as_ref()) {
                    let outcome = self.ask(|| refresh_grant(address, latest)).await;
                    match outcome {
                        Ok((granted, next)) => return Ok((granted, next.or(refresh))),
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

    async fn with_assertion(&self, account: &ServiceAccount) -> Result<(Granted<Token>, Option<Secret>), DriverError> {
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
    ) -> Result<(Granted<Token>, Option<Secret>), DriverError> {
        let once = async || self.ask_once(request()?).await;
        Attempts::LOGIN.make(&*self.wire.clock, &*self.wire.entropy, once).await
    }

    async fn ask_once(&self, request: HttpRequest) -> Result<(Granted<Token>, Option<Secret>), DriverError> {
        let response = self
            .wire
            .send(request)
            .await
            // Whatever became of the login, what the caller wants to do has not begun.
            .map_err(|error| DriverError { effect: Effect::NotApplied, ..error.into() })?;
        if response.is_success() { self.read(&response) } else { Err(self.refused(&response)) }
    }

    fn read(&self, response: &HttpResponse) -> Result<(Granted<Token>, Option<Secret>), DriverError> {
        let granted: LoginAnswer = parse(DOING, response, Effect::NotApplied)?;
        let bearer = granted.access_token.0;
        let text = bearer.expose_text().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(text) = text else {
            return Err(unexpected(DOING, response, Effect::NotApplied, "the token cannot stand in a header"));
        };
        let life = granted.expires_in.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
        let token = Token { header: Secret::from_text(format!("Bearer {text}")) };
        let granted_now = Granted::new(token, self.wire.platform_now(), life);
        Ok((granted_now, granted.refresh_token.map(|refresh| refresh.0)))
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
}

#[derive(Deserialize)]
struct LoginAnswer {
    access_token: SecretText,
    refresh_token: Option<SecretText>,
    /// Seconds.
    expires_in: Option<u64>,
}

fn basic(username: &str, password: &Secret) -> Token {
    let pair = Secret::from_text(format!("{username}:{}", password.expose_text().unwrap_or_default()));
    Token { header: Secret::from_text(format!("Basic {}", STANDARD.encode(pair.expose()))) }
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
