//! Calls to the platform: the login, what is filled in, and what becomes of a 401.

use std::{fmt, sync::Arc};

use driver::{Clock, DriverError, Effect, Http, HttpRequest, HttpResponse, Ports, Subject};
use secret::Secret;
use url::Url;

use super::{
    answer::{self, Answered, Intent, Refusal},
    described::{Keys, Login, Platform},
    request::Request,
    session::{Pass, Session},
    template::Fillings,
};

pub(super) struct Client {
    http: Arc<dyn Http>,
    pub clock: Arc<dyn Clock>,
    pub at: Platform,
    keys: Keys,
    session: Session,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({}{})", self.at.endpoint.authority(), self.at.endpoint.path())
    }
}

impl Client {
    pub(super) fn new(at: Platform, keys: Keys, ports: &Ports) -> Self {
        Self { http: ports.http.clone(), clock: ports.clock.clone(), session: Session::new(ports), at, keys }
    }

    /// What configuration gives to every request.
    pub(super) fn base(&self) -> Fillings<'_> {
        let mut fillings = Fillings::default();
        for (name, value) in &self.at.variables {
            fillings = fillings.public(name, value.as_str());
        }
        if let Some(username) = &self.at.username {
            fillings = fillings.public("username", username.as_str());
        }
        if let Some(password) = &self.keys.password {
            fillings = fillings.secret("password", password);
        }
        self.keys.secrets.iter().fold(fillings, |fillings, (name, secret)| fillings.secret(name, secret))
    }

    /// And what is known of one credential.
    pub(super) fn of<'a>(&'a self, subject: &'a Subject) -> Fillings<'a> {
        let [app, credential] = names(subject);
        self.base().public("app", app).public("app_id", subject.locator.as_str()).public("credential", credential)
    }

    /// Whether anything is sent that a platform could refuse.
    pub(super) fn logs_in(&self) -> bool {
        !matches!(self.at.login, Login::None)
    }

    pub(super) async fn log_in(&self) -> Result<(), DriverError> {
        self.pass().await.map(drop)
    }

    /// One call. The outer error: no answer, or no login. The inner one: an answer that is no success.
    pub(super) async fn ask(
        &self,
        request: &Request,
        fillings: &Fillings<'_>,
        intent: Intent,
    ) -> Result<Result<Answered, Refusal>, DriverError> {
        let filled = request.fill(&self.at.endpoint, fillings)?;
        self.ask_filled(request, filled, fillings, intent).await
    }

    /// The same call to another address of the platform, which an answer gave.
    pub(super) async fn ask_at(
        &self,
        request: &Request,
        url: Url,
        fillings: &Fillings<'_>,
    ) -> Result<Result<Answered, Refusal>, DriverError> {
        let filled = HttpRequest { url, ..request.fill(&self.at.endpoint, fillings)? };
        self.ask_filled(request, filled, fillings, Intent::Read).await
    }

    /// A call that goes without our login.
    pub(super) async fn ask_as_nobody(
        &self,
        request: &Request,
        fillings: &Fillings<'_>,
    ) -> Result<Result<Answered, Refusal>, DriverError> {
        let filled = request.fill(&self.at.endpoint, fillings)?;
        let response = self.send(filled, Intent::Read).await?;
        Ok(answer::read(request, Intent::Read, self.at.error.as_ref(), &response, &fillings.secrets()))
    }

    async fn ask_filled(
        &self,
        request: &Request,
        filled: HttpRequest,
        fillings: &Fillings<'_>,
        intent: Intent,
    ) -> Result<Result<Answered, Refusal>, DriverError> {
        let mut renewed = false;
        loop {
            let pass = self.pass().await?;
            let mut with_login = filled.clone();
            with_login.custom_headers.extend(pass.headers);
            let response = self.send(with_login, intent).await?;
            // A call that was refused for its token has not begun, so a write may be repeated, too.
            if response.status == 401
                && !renewed
                && let Some(token) = &pass.token
            {
                renewed = true;
                self.session.forget(token).await;
                continue;
            }
            let mut hide: Vec<&Secret> = fillings.secrets();
            hide.extend(pass.token.as_ref().map(|token| &token.secret));
            hide.extend(self.keys.password.iter().chain(self.keys.secrets.values()));
            return Ok(answer::read(request, intent, self.at.error.as_ref(), &response, &hide));
        }
    }

    async fn pass(&self) -> Result<Pass, DriverError> {
        self.session.pass(&self.at, self.keys.password.as_ref(), &self.base()).await
    }

    async fn send(&self, mut request: HttpRequest, intent: Intent) -> Result<HttpResponse, DriverError> {
        request.timeout = self.at.timeout;
        self.http.send(request).await.map_err(|error| {
            let error = DriverError::from(error);
            if intent == Intent::Read { DriverError { effect: Effect::NotApplied, ..error } } else { error }
        })
    }
}

/// Application and credential, with the escapes of the identifier taken back.
pub(super) fn names(subject: &Subject) -> [String; 2] {
    let mut names = subject.credential.path().split('/').map(|name| name.replace("%2F", "/").replace("%25", "%"));
    [names.next().unwrap_or_default(), names.next().unwrap_or_default()]
}
