//! Calls to one tenant: signing on, changing a password, and asking for the time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use driver::{Attempts, Clock, DriverError, Effect, Entropy, Http, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::Timestamp;
use secret::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    answer::{Body, Intent, failure, quoted, speaks_of_single_sign_on, speaks_of_the_account},
    claims::Claims,
    config::{Account, Checked, Generation},
};

/// What every script of the vendor uses, where the documented path is not found.
const LOGIN_PATH_OF_SCRIPTS: &str = "/login";

/// A password that is refused may have been changed by a person who is about to say so. Until then the account is not
/// tried so often that the platform locks it.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(30 * 60);

#[derive(Debug)]
pub(super) struct Client {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub config: Checked,
    /// The documented path of the sign-on was not found here.
    scripts_path: AtomicBool,
    /// The newest token that the platform took: while it does, it is well.
    good: Mutex<Option<Secret>>,
}

/// A token, fresh from the platform.
#[derive(Debug)]
pub(super) struct Minted {
    pub token: Secret,
    pub scopes: Option<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug)]
pub(super) enum SignOn {
    Minted(Minted),
    /// The platform's words for why this account and password buy nothing.
    Refused(String),
}

/// How a sign-on is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The token is wanted: sent once, and a lost answer may have minted one.
    Mint,
    /// Only the answer is wanted.
    Try,
}

impl Client {
    pub(super) fn new(config: Checked, ports: &Ports) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            config,
            scripts_path: AtomicBool::new(false),
            good: Mutex::new(None),
        }
    }

    /// The platform's clock, from a call that needs no login: any answer shows it.
    pub(super) async fn time(&self) -> Result<Option<Timestamp>, DriverError> {
        let response = self.send(HttpRequest::new(Method::Get, self.cheap_read())).await?;
        if response.status == 429 || response.status >= 500 {
            return Err(failure("asking for the platform's time", Intent::Read, &response, &[]));
        }
        Ok(response.date())
    }

    pub(super) async fn sign_on(
        &self,
        account: &Account,
        password: &Secret,
        purpose: Purpose,
    ) -> Result<SignOn, DriverError> {
        let once = || self.sign_on_once(account, password, purpose);
        match purpose {
            Purpose::Mint => once().await,
            // It changes nothing, and is safe to repeat.
            Purpose::Try => Attempts::LOGIN.make(&*self.clock, &*self.entropy, once).await,
        }
    }

    async fn sign_on_once(
        &self,
        account: &Account,
        password: &Secret,
        purpose: Purpose,
    ) -> Result<SignOn, DriverError> {
        let doing = format!("signing on as `{}`", account.name);
        let intent = if purpose == Purpose::Mint { Intent::Write } else { Intent::Read };
        let response = self.post_sign_on(account, password).await.map_err(|error| DriverError {
            effect: if purpose == Purpose::Mint { error.effect } else { Effect::NotApplied },
            ..error
        })?;
        if response.is_success()
            && let Some(token) = token_in(&response)
        {
            return self.minted(account, token, &response).map(SignOn::Minted);
        }
        match (response.status, Body::of(&response)) {
            (200..=299, Body::Error(words)) if speaks_of_the_account(&words) => {
                Ok(SignOn::Refused(refused(response.status, &Body::Error(words), &[password])))
            }
            (200..=299, Body::Error(_)) => Err(failure(&doing, intent, &response, &[password])),
            (400 | 401 | 403, body) if !matches!(body, Body::Foreign) || response.body.0.is_empty() => {
                Ok(SignOn::Refused(refused(response.status, &body, &[password])))
            }
            (200..=299, _) => {
                let why = format!("{doing}: {}, but there is no token in the answer", response.status);
                Err(DriverError::new(Kind::Protocol, Effect::NotApplied, why))
            }
            // Somebody in between speaks.
            (401 | 403, _) => {
                Err(DriverError { kind: Kind::Protocol, ..failure(&doing, intent, &response, &[password]) })
            }
            _ => Err(failure(&doing, intent, &response, &[password])),
        }
    }

    /// The documented path is not there on every installation; then it is the one of the scripts.
    async fn post_sign_on(&self, account: &Account, password: &Secret) -> Result<HttpResponse, DriverError> {
        let body = SignOnBody { username: &account.username, password: password.expose_text().unwrap_or_default() };
        let post = |path: &str| HttpRequest::new(Method::Post, self.at(path)).json(&body);
        if !self.scripts_path.load(Ordering::Relaxed) {
            let response = self.send(post(&self.config.login_path)).await?;
            if !matches!(response.status, 404 | 405) {
                return Ok(response);
            }
        }
        let response = self.send(post(LOGIN_PATH_OF_SCRIPTS)).await?;
        self.scripts_path.store(!matches!(response.status, 404 | 405), Ordering::Relaxed);
        Ok(response)
    }

    fn minted(&self, account: &Account, token: Secret, response: &HttpResponse) -> Result<Minted, DriverError> {
        let broken = |why: &str| {
            let words = format!("signing on as `{}`: {}, but {why}", account.name, response.status);
            DriverError::new(Kind::Protocol, Effect::NotApplied, words)
        };
        let claims = Claims::of(&token).ok_or_else(|| broken("what came is no token"))?;
        // Its life is what the token itself says, never a fixed 24 hours.
        let expires_at = claims.expires_at.ok_or_else(|| broken("the token does not say when it ends"))?;
        if claims.subject.as_ref().is_some_and(|subject| !subject.eq_ignore_ascii_case(&account.username)) {
            return Err(broken("the token names another user"));
        }
        let issued_at = claims.issued_at.or_else(|| response.date()).unwrap_or_else(|| self.clock.now());
        self.remember(&token);
        Ok(Minted { token, scopes: claims.scopes, issued_at, expires_at })
    }

    /// Changes the account's own password, with a token that the old one bought.
    pub(super) async fn change_password(
        &self,
        account: &Account,
        token: &Secret,
        old: &Secret,
        new: &Secret,
    ) -> Result<Timestamp, DriverError> {
        let doing = format!("changing the password of `{}`", account.name);
        let text = |secret: &'_ Secret| secret.expose_text().unwrap_or_default().to_owned();
        let body = ChangeBody { current_password: text(old), new_password: text(new) };
        let request = HttpRequest::new(Method::Put, self.at(&self.config.password_path)).json(&body);
        let response = self.send(with_token(request, token)?).await?;
        match (response.status, Body::of(&response)) {
            (200..=299, Body::Fine) => Ok(response.date().unwrap_or_else(|| self.clock.now())),
            // The rules for passwords speak so, and repeating it cannot help; what else happened, nobody knows.
            (200..=299, Body::Error(words)) if speaks_of_the_account(&words) => {
                let error = failure(&doing, Intent::Write, &response, &[old, new, token]);
                Err(DriverError { kind: Kind::Invalid, ..error })
            }
            // A page, or a body that does not say that all is well.
            (200..=299, Body::Foreign | Body::Silent) => {
                let why = format!("{doing}: {}, but nothing says that it was changed", response.status);
                Err(DriverError::new(Kind::Protocol, Effect::Unknown, why))
            }
            _ => Err(failure(&doing, Intent::Write, &response, &[old, new, token])),
        }
    }

    pub(super) fn remember(&self, good: &Secret) {
        *self.good.lock().unwrap_or_else(PoisonError::into_inner) = Some(good.duplicate());
    }

    /// A token that was good when it was last seen, and is another than `tried`.
    pub(super) fn known_good(&self, tried: &Secret) -> Option<Secret> {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.as_ref().filter(|good| good.expose() != tried.expose()).map(Secret::duplicate)
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        let reading = request.method == Method::Get;
        let request = request.header("accept", "application/json");
        self.http.send(request).await.map_err(|error| {
            let error = DriverError::from(error);
            if reading { DriverError { effect: Effect::NotApplied, ..error } } else { error }
        })
    }

    pub(super) fn cheap_read(&self) -> Url {
        match self.config.generation {
            Generation::Classic => {
                let mut url = self.at("/api/v1/projects/myProjects");
                url.set_query(Some("page=0&pageSize=1"));
                url
            }
            Generation::Ng => {
                let mut url = self.at("/applications");
                url.set_query(Some("include=metadata"));
                url
            }
        }
    }

    /// `path` begins with a slash and was checked when the configuration was read.
    fn at(&self, path: &str) -> Url {
        let mut url = self.config.endpoint.clone();
        let whole = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        url
    }
}

/// The error for an account that may not sign on. Another attempt is some time away, and the account's alone.
pub(super) fn locked_out(account: &Account, words: &str) -> DriverError {
    let mut error = DriverError::refused(Kind::Conflict, sentence(account, words));
    error.retry_after = Some(REFUSED_PAUSE);
    error
}

/// What a person has to know about a refused sign-on.
pub(super) fn sentence(account: &Account, words: &str) -> String {
    let hint = if speaks_of_single_sign_on(words) {
        "; with single sign-on, only a service account that APIsec has set up may use its password"
    } else {
        ""
    };
    format!("the platform refuses the password of `{}` ({words}){hint}", account.name)
}

pub(super) fn refused(status: u16, body: &Body, hide: &[&Secret]) -> String {
    match body {
        Body::Error(words) => format!("{status}, \"{}\"", quoted(words, hide)),
        Body::Foreign if status < 300 => format!("{status}, a page instead of an answer"),
        _ => status.to_string(),
    }
}

pub(super) fn with_token(request: HttpRequest, token: &Secret) -> Result<HttpRequest, DriverError> {
    let text = token.expose_text().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    let text = text.ok_or_else(|| DriverError::refused(Kind::Invalid, "the token cannot stand in a header"))?;
    Ok(request.header("authorization", format!("Bearer {text}")))
}

/// The one key of a success.
fn token_in(response: &HttpResponse) -> Option<Secret> {
    let granted: Granted = serde_json::from_slice(&response.body.0).ok()?;
    let token = granted.token.filter(|token| !token.is_empty() && granted.errors != Some(true))?;
    Some(Secret::from_text(token))
}

/// Carries a secret, so it does not derive Debug.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    errors: Option<bool>,
}

#[derive(Serialize)]
struct SignOnBody<'a> {
    username: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeBody {
    current_password: String,
    new_password: String,
}
