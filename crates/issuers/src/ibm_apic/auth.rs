//! The one holder of the platform's access token.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use driver::{
    Attempts, Clock, DriverError, Effect, Entropy, Granted, Http, HttpRequest, HttpResponse, Kind, Method, Ports,
    SharedLogin,
};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    answer::{Intent, parse, refusal, unexpected},
    api::SecretText,
};

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
    shared: SharedLogin<Token>,
}

impl Login {
    pub(super) fn new(ports: &Ports, address: Url, account: Account) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            address,
            account,
            shared: SharedLogin::default(),
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The current token, or a new one. A failure has changed nothing of what the caller was about to do.
    pub(super) async fn token(&self) -> Result<Arc<Token>, DriverError> {
        let log_in = |_| Attempts::LOGIN.make(&*self.clock, &*self.entropy, || self.log_in_once());
        self.shared.token(|| self.clock.now(), log_in).await
    }

    /// Forgets a token that the platform refused; a newer one stays.
    pub(super) async fn forget(&self, refused: &Arc<Token>) {
        self.shared.forget(refused).await;
    }

    async fn log_in_once(&self) -> Result<Granted<Token>, DriverError> {
        let asked_at = self.clock.now();
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
        if response.is_success() { self.read(&response, asked_at) } else { Err(self.refused(&response)) }
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

    fn read(&self, response: &HttpResponse, asked_at: Timestamp) -> Result<Granted<Token>, DriverError> {
        const DOING: &str = "logging in";
        let granted: LoginAnswer = parse(DOING, response, Effect::NotApplied)?;
        let bearer = granted.access_token.0;
        if !bearer.expose_text().is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(unexpected(DOING, response, Effect::NotApplied, "the token cannot stand in a header"));
        }
        let life = granted.expires_in.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
        Ok(Granted::new(Token { bearer, accepted: AtomicBool::new(false) }, asked_at, life))
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
struct LoginAnswer {
    access_token: SecretText,
    /// Seconds.
    expires_in: Option<u64>,
}
