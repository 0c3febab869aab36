//! What the platform's answers mean.

use driver::{DriverError, Effect, HttpResponse, Kind};
use jiff::Timestamp;
use secret::Secret;
use serde_json::Value;

use super::{pointer::Pointer, request::Request};

/// The platform's own words are quoted up to here: its sentences are shorter, and a page of HTML is no message.
const MESSAGE_CHARS_MAX: usize = 200;
const REQUEST_ID_CHARS_MAX: usize = 100;
/// Where platforms usually say what is wrong.
const USUAL: [&str; 6] = ["/error/message", "/message", "/error_description", "/detail", "/error", "/title"];

/// Whether a request could have changed anything at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

/// A success. An answer without JSON is `null`.
pub(super) struct Answered {
    pub body: Value,
    pub at: Option<Timestamp>,
    doing: String,
    effect: Effect,
}

/// Anything else.
pub(super) struct Refusal {
    pub status: u16,
    /// The platform itself speaks, as far as configuration lets us tell.
    own: bool,
    pub error: DriverError,
}

impl Answered {
    pub(super) fn at(&self, pointer: &Pointer) -> Option<&Value> {
        pointer.of(&self.body)
    }

    /// Where something stands that must be there. Never quotes the answer.
    pub(super) fn want<T>(
        &self,
        what: &str,
        pointer: &Pointer,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, DriverError> {
        self.at(pointer)
            .and_then(read)
            .ok_or_else(|| self.unexpected(&format!("the answer has no usable {what} at \"{pointer}\"")))
    }

    pub(super) fn unexpected(&self, why: &str) -> DriverError {
        DriverError::new(Kind::Protocol, self.effect, format!("{}, but {why}", self.doing))
    }
}

impl Refusal {
    /// The platform itself answered with one of these.
    pub(super) fn is(&self, statuses: &[u16]) -> bool {
        self.own && statuses.contains(&self.status)
    }

    /// As a conflict, where the status is one of these.
    pub(super) fn conflict(self, statuses: &[u16]) -> DriverError {
        let kind = if self.is(statuses) { Kind::Conflict } else { self.error.kind };
        DriverError { kind, ..self.error }
    }
}

/// Tells a success from a refusal. `hide` are secrets that went out with the request: a platform that quotes its input
/// back must not bring them into our logs.
pub(super) fn read(
    request: &Request,
    intent: Intent,
    own_words: Option<&Pointer>,
    response: &HttpResponse,
    hide: &[&Secret],
) -> Result<Answered, Refusal> {
    let status = response.status;
    let body: Value = serde_json::from_slice(&response.body.0).unwrap_or(Value::Null);
    let told = own_words.and_then(|pointer| pointer.of(&body));
    let doing = |message: Option<String>| describe(request, status, message.map(|message| without(message, hide)));
    if request.is_accepted(status) && told.is_none() {
        let effect = if intent == Intent::Read { Effect::NotApplied } else { Effect::Unknown };
        return Ok(Answered { body, at: response.date(), doing: doing(None), effect });
    }
    let message = told.and_then(words).or_else(|| USUAL.iter().find_map(|usual| words(body.pointer(usual)?)));
    let own = own_words.is_none() || told.is_some();
    let mut error = DriverError::new(kind(request, status, own), effect(intent, status), doing(message));
    error.retry_after = response.retry_after();
    let id = response.header("x-request-id").map(|id| id.chars().take(REQUEST_ID_CHARS_MAX).collect::<String>());
    error.request_id = id.filter(|id| !id.is_empty());
    Err(Refusal { status, own, error })
}

fn describe(request: &Request, status: u16, message: Option<String>) -> String {
    let what = format!("the call `{}`: {status}", request.key);
    let Some(message) = message else { return what };
    let short: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    let more = if short.len() < message.len() { "…" } else { "" };
    format!("{what}, \"{short}{more}\"")
}

fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => words(fields.get("message")?)?,
        _ => return None,
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn without(mut message: String, hide: &[&Secret]) -> String {
    for secret in hide.iter().filter_map(|secret| secret.expose_text()).filter(|text| !text.is_empty()) {
        message = message.replace(secret, "(..)");
    }
    message
}

/// A success that tells of an error, or a refusal that is not the platform's own, is an answer that nobody described.
fn kind(request: &Request, status: u16, own: bool) -> Kind {
    match status {
        _ if request.is_accepted(status) => Kind::Protocol,
        404 | 410 if !own => Kind::Protocol,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        408 => Kind::Unavailable,
        409 => Kind::Conflict,
        429 => Kind::Throttled,
        400..=499 => Kind::Invalid,
        500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    }
}

/// A 4xx is a refusal before anything happened. A 5xx can come from a proxy after the platform did the work, and so can
/// a redirect after a POST: both leave a write in doubt.
fn effect(intent: Intent, status: u16) -> Effect {
    match (intent, status) {
        (Intent::Read, _) | (Intent::Write, 400..=499) => Effect::NotApplied,
        (Intent::Write, _) => Effect::Unknown,
    }
}
