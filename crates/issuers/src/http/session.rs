//! The one holder of what calls say who we are with.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{Attempts, Clock, DriverError, Effect, Entropy, Granted, Http, Kind, Ports, SharedLogin};
use jiff::SignedDuration;
use secret::Secret;
use serde_json::Value;

use super::{
    answer::{self, Intent},
    described::{Login, Platform, TokenLogin},
    pointer,
    request::headers,
    template::Fillings,
};

#[derive(Debug)]
pub(super) struct Token {
    pub secret: Secret,
}

#[derive(Debug)]
pub(super) struct Session {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    shared: SharedLogin<Token>,
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
            shared: SharedLogin::default(),
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
        self.shared.forget(refused).await;
    }

    /// The current token, or a new one. A failure has changed nothing of what the caller was about to do.
    async fn token(&self, at: &Platform, login: &TokenLogin, base: &Fillings<'_>) -> Result<Arc<Token>, DriverError> {
        let once = async || {
            let outcome = self.log_in_once(at, login, base).await;
            // Whatever became of the login, what the caller wants to do has not begun.
            outcome.map_err(|error| DriverError { effect: Effect::NotApplied, ..error })
        };
        let log_in = |_| Attempts::LOGIN.make(&*self.clock, &*self.entropy, once);
        self.shared.token(|| self.clock.now(), log_in).await
    }

    async fn log_in_once(
        &self,
        at: &Platform,
        login: &TokenLogin,
        base: &Fillings<'_>,
    ) -> Result<Granted<Token>, DriverError> {
        let asked_at = self.clock.now();
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
        Ok(Granted::new(Token { secret }, asked_at, told.or(login.lifetime)))
    }
}

pub(super) fn seconds(value: &Value) -> Option<SignedDuration> {
    let seconds: u32 = pointer::text(value)?.split('.').next()?.parse().ok()?;
    Some(SignedDuration::from_secs(seconds.into()))
}
