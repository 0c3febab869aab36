//! Calls: the Administration API with something in the header, the health check, and the token endpoint.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use driver::{Body, Clock, DriverError, Effect, Entropy, Http, HttpRequest, HttpResponse, Kind, Method, Ports};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde_json::Value;
use url::Url;

use super::config::Checked;

/// The platform's own words are quoted up to here.
const MESSAGE_CHARS_MAX: usize = 200;
/// A clock that is off by less is the travel time of an answer, and within the skew that the platform allows.
const CLOCK_DIFFERENCE_IGNORED: SignedDuration = SignedDuration::from_secs(30);

#[derive(Debug)]
pub(super) struct Client {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The platform's clock less ours in seconds, as its answers tell: what we sign is dated by its clock.
    offset: AtomicI64,
    pub at: Checked,
}

impl Client {
    pub(super) fn new(at: Checked, ports: &Ports) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            offset: AtomicI64::new(0),
            at,
        }
    }

    /// By the platform's clock.
    pub(super) fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.offset.load(Ordering::Relaxed));
        self.clock.now().saturating_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// A random id for one assertion.
    pub(super) fn nonce(&self) -> String {
        format!("{:016x}{:016x}", self.entropy.next(), self.entropy.next())
    }

    /// Sends once; `moved` says that the answer has just corrected what we took for the platform's time.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<(HttpResponse, bool), DriverError> {
        // Nothing here changes anything at the platform.
        let untouched = |error: driver::HttpError| DriverError { effect: Effect::NotApplied, ..error.into() };
        let response = self.http.send(request).await.map_err(untouched)?;
        Ok((response.clone(), self.set_clock(&response)))
    }

    pub(super) async fn get(&self, url: Url, bearer: Option<&Secret>) -> Result<(HttpResponse, bool), DriverError> {
        let mut request = HttpRequest::new(Method::Get, url).header("accept", "application/json");
        if let Some(bearer) = bearer.and_then(|bearer| bearer.expose_text()) {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        self.send(request).await
    }

    pub(super) async fn post_form(
        &self,
        url: Url,
        fields: &[(&str, &str)],
    ) -> Result<(HttpResponse, bool), DriverError> {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = HttpRequest::new(Method::Post, url)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        request.body = Body(form.into());
        self.send(request).await
    }

    fn set_clock(&self, response: &HttpResponse) -> bool {
        let Some(date) = response.date() else { return false };
        let believed = SignedDuration::from_secs(self.offset.load(Ordering::Relaxed));
        let told = date.duration_since(self.clock.now());
        if told.saturating_sub(believed).abs() < CLOCK_DIFFERENCE_IGNORED {
            return false;
        }
        self.offset.store(told.as_secs(), Ordering::Relaxed);
        true
    }
}

/// What the platform says of itself in an answer, short and on one line. `None`: the answer is not the platform's own,
/// but something's in between.
pub(super) fn own_words(response: &HttpResponse) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body.0).ok().filter(Value::is_object)?;
    let text = ["message", "error_description", "error"].iter().find_map(|name| body.get(name)?.as_str())?;
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect();
    Some(text)
}

/// The error for an answer that says nothing about a key.
pub(super) fn unclear(doing: &str, response: &HttpResponse) -> DriverError {
    let kind = match response.status {
        429 => Kind::Throttled,
        408 | 500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    };
    let words = own_words(response).map(|words| format!(", \"{words}\"")).unwrap_or_default();
    let mut error = DriverError::refused(kind, format!("{doing}: {}{words}", response.status));
    error.retry_after = response.retry_after();
    error
}
