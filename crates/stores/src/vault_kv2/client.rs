//! Calls to one mount: addresses, headers, the token, and what becomes of a 403 and of a server that lags behind.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::SecretPath;
use driver::{Clock, DriverError, Effect, Http, HttpFailure, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use url::Url;

use super::{
    answer::{Intent, refusal},
    auth::{Login, Token},
    config::Account,
};

/// A server that has not caught up says so at once and is asked again: six times over about six seconds, which is far
/// more than replication takes when it works at all.
const LAG_TRIES_MAX: u32 = 6;
const LAG_WAIT_FIRST: Duration = Duration::from_millis(100);

/// A read that takes longer is repeated, and the server that lets it wait is away: every healthy one answers in less than a
/// second. Six tries then end within about a minute.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// So long a server that could not be reached is not tried again: each attempt repeats its reads for six seconds and its
/// login four times, and every credential and every step would wait for that anew. A run with one store away then ends
/// within about a minute; a person who starts the server waits no longer than that.
const AWAY_HOLDS: SignedDuration = SignedDuration::from_secs(60);

/// No server lags so long. What shows less than we wrote for longer is the truth: somebody removed a secret and made it
/// anew, or the server was restored from a copy.
pub(super) const LAG_LONGEST: SignedDuration = SignedDuration::from_mins(10);

/// A server and a namespace, without a token.
#[derive(Debug, Clone)]
pub(super) struct Server {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    address: Url,
    namespace: Option<String>,
    /// Why the server could not be reached at last, and when: one for all who speak to it.
    away: Arc<Mutex<Option<(DriverError, Timestamp)>>>,
}

impl Server {
    pub(super) fn new(ports: &Ports, address: Url, namespace: Option<String>) -> Self {
        Self { http: ports.http.clone(), clock: ports.clock.clone(), address, namespace, away: Arc::default() }
    }

    /// Address and namespace, for people.
    fn place(&self) -> String {
        let address = self.address.as_str().trim_end_matches('/');
        match &self.namespace {
            Some(namespace) => format!("{address} in the namespace `{namespace}`"),
            None => address.to_owned(),
        }
    }

    pub(super) fn without_namespace(&self) -> Self {
        Self { namespace: None, ..self.clone() }
    }

    /// `/v1/` and percent-encoded segments. Refuses what the server or anybody on the way would take for another path.
    pub(super) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Result<Url, DriverError> {
        let mut url = self.address.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| DriverError::refused(Kind::Invalid, "the address cannot have a path"))?;
            path.pop_if_empty().push("v1");
            for segment in segments {
                if matches!(segment, "" | "." | "..") || segment.chars().any(char::is_control) {
                    let why = format!("`{}` is no segment of a path", segment.escape_default());
                    return Err(DriverError::refused(Kind::Invalid, why));
                }
                path.push(segment);
            }
        }
        Ok(url)
    }

    /// Sends one request. Whatever the server answers is `Ok`.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        let reading = request.method == Method::Get;
        // Proxies and servers can be set to take no request without this header: a browser cannot be made to send it.
        let mut request = request.header("x-vault-request", "true").header("accept", "application/json");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace.clone());
        }
        if let Some(away) = self.is_away() {
            return Err(away);
        }
        if reading {
            request.timeout = READ_TIMEOUT;
        }
        let answer = self.http.send(request).await.map_err(|error| {
            let error = DriverError::from(error);
            if reading { DriverError { effect: Effect::NotApplied, ..error } } else { error }
        });
        match &answer {
            Ok(_) => self.found(),
            // A read was repeated before it failed.
            Err(error) if reading => self.not_found(error),
            Err(_) => {}
        }
        answer
    }

    /// Why it is not asked again yet.
    pub(super) fn is_away(&self) -> Option<DriverError> {
        self.still(&self.away.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn found(&self) {
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// To be said of what was tried often enough.
    pub(super) fn not_found(&self, error: &DriverError) {
        let failure = error.source.as_ref().map(|http| http.failure);
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(failure, Some(HttpFailure::Unreachable | HttpFailure::Timeout)) && self.still(&away).is_none() {
            *away = Some((error.clone(), self.clock.now()));
        }
    }

    fn still(&self, away: &Option<(DriverError, Timestamp)>) -> Option<DriverError> {
        let (error, since) = away.as_ref()?;
        (self.clock.now().duration_since(*since) < AWAY_HOLDS).then(|| error.clone())
    }
}

#[derive(Debug)]
pub(super) struct Client {
    server: Server,
    login: Login,
    clock: Arc<dyn Clock>,
    mount: String,
    /// The state of the server after our latest write, as it names it, and when that was.
    index: Mutex<Option<(String, Timestamp)>>,
}

impl Client {
    pub(super) fn new(ports: &Ports, address: Url, namespace: Option<String>, mount: String, account: Account) -> Self {
        let server = Server::new(ports, address, namespace);
        let login_server = Server { namespace: account.namespace.clone(), ..server.clone() };
        Self {
            server,
            login: Login::new(ports, login_server, account),
            clock: ports.clock.clone(),
            mount,
            index: Mutex::default(),
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(super) fn mount(&self) -> &str {
        &self.mount
    }

    /// Says where it went wrong, unless it is about one path alone.
    pub(super) fn located(&self, error: DriverError) -> DriverError {
        if matches!(error.kind, Kind::Invalid | Kind::Forbidden | Kind::Conflict) {
            return error;
        }
        let words = match &error.source {
            Some(http) if error.message == http.failure.to_string() => http.to_string(),
            _ => error.message.clone(),
        };
        DriverError { message: format!("{}: {words}", self.server.place()), ..error }
    }

    /// `secret/data/app/x`, as policies and people name it.
    pub(super) fn name(&self, part: &str, at: &SecretPath) -> String {
        format!("{}/{part}/{at}", self.mount)
    }

    /// The address of a part of one secret: `data`, `metadata`, `destroy`.
    pub(super) fn of_secret(&self, part: &str, at: &SecretPath) -> Result<Url, DriverError> {
        // The server answers 404 to such a path, which would look as if nothing were there.
        if at.as_str().ends_with('.') {
            return Err(DriverError::refused(
                Kind::Invalid,
                format!("`{at}` ends in a dot, which the server cannot keep"),
            ));
        }
        self.server.url(self.mount.split('/').chain([part]).chain(at.as_str().split('/')))
    }

    /// What the mount says of itself.
    pub(super) fn mount_facts(&self) -> Result<Url, DriverError> {
        self.server.url(["sys", "internal", "ui", "mounts"].into_iter().chain(self.mount.split('/')))
    }

    pub(super) fn of_mount(&self, part: &str) -> Result<Url, DriverError> {
        self.server.url(self.mount.split('/').chain([part]))
    }

    /// Sends a request with the token. A 403 that is about the token leads to one new login and one repetition, since
    /// what was refused changed nothing; a 403 that is about rights is answered. Reads wait for a server that lags
    /// behind our own writes.
    pub(super) async fn exchange(&self, doing: &str, request: HttpRequest) -> Result<HttpResponse, DriverError> {
        let reading = request.method == Method::Get;
        let (mut logged_in_again, mut lags) = (false, 0);
        loop {
            let token = self.login.token().await?;
            let mut sent = request.clone().header("x-vault-token", token.text());
            if let Some(index) = self.index().filter(|_| reading) {
                sent = sent.header("x-vault-index", index);
            }
            let response = token.left_out_of(self.server.send(sent).await?);
            match response.status {
                403 if !logged_in_again => match self.lives(&token).await? {
                    true => return Ok(response),
                    false if self.login.replace(&token).await? => logged_in_again = true,
                    false => return Err(ended(refusal(doing, Intent::Write, &response, &[]))),
                },
                412 if reading && lags < LAG_TRIES_MAX => {
                    self.clock.sleep(lag_wait(lags)).await;
                    lags += 1;
                }
                _ => {
                    if response.is_success() && !reading {
                        self.remember_index(&response);
                    }
                    return Ok(response);
                }
            }
        }
    }

    /// Whether a token that was refused something is alive. It may have no right to look itself up; but what has any
    /// right in a mount may ask what the mount is.
    async fn lives(&self, token: &Token) -> Result<bool, DriverError> {
        if self.login.looks_itself_up(token).await? {
            return Ok(true);
        }
        let request = HttpRequest::new(Method::Get, self.mount_facts()?).header("x-vault-token", token.text());
        Ok(self.server.send(request).await?.is_success())
    }

    pub(super) async fn get(&self, doing: &str, url: Url) -> Result<HttpResponse, DriverError> {
        self.exchange(doing, HttpRequest::new(Method::Get, url)).await
    }

    pub(super) async fn post(&self, doing: &str, url: Url, body: &impl Serialize) -> Result<HttpResponse, DriverError> {
        self.exchange(doing, HttpRequest::new(Method::Post, url).json(body)).await
    }

    /// Something that is good to know. `None`: the token may not read it, or the server does not have it.
    pub(super) async fn look(&self, doing: &str, url: Url) -> Result<Option<HttpResponse>, DriverError> {
        let token = self.login.token().await?;
        let request = HttpRequest::new(Method::Get, url).header("x-vault-token", token.text());
        let response = token.left_out_of(self.server.send(request).await?);
        match response.status {
            403..=405 => Ok(None),
            _ if response.is_success() => Ok(Some(response)),
            _ => Err(refusal(doing, Intent::Read, &response, &[])),
        }
    }

    /// Waits before reading again what a server showed that lags behind. `false`: it was asked often enough.
    pub(super) async fn waits_for_replication(&self, lags: u32) -> bool {
        if lags >= LAG_TRIES_MAX {
            return false;
        }
        self.clock.sleep(lag_wait(lags)).await;
        true
    }

    fn index(&self) -> Option<String> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, when) = index.as_ref()?;
        (self.clock.now().duration_since(*when) < LAG_LONGEST).then(|| index.clone())
    }

    fn remember_index(&self, response: &HttpResponse) {
        if let Some(index) = response.header("x-vault-index") {
            *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some((index.to_owned(), self.clock.now()));
        }
    }
}

/// The error for a token that is dead and that a new login cannot replace.
fn ended(refusal: DriverError) -> DriverError {
    let message = format!("{}; the token has ended, or never had a right in this mount", refusal.message);
    DriverError { kind: Kind::Unauthorized, message, ..refusal }
}

fn lag_wait(lags: u32) -> Duration {
    LAG_WAIT_FIRST.saturating_mul(1 << lags.min(8))
}
