//! What the platform's answers mean when they are no success, and how a success is read.

use driver::{DriverError, Effect, HttpResponse, Kind};
use secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The platform's own words are quoted up to here: its sentences are shorter, and a page of HTML is no message.
const MESSAGE_CHARS_MAX: usize = 200;

/// Whether a request could have changed anything at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

/// The error for an answer that is no success. `hide` lists secrets that went out with the request: a platform that
/// quotes its input back must not bring them into our logs.
pub(super) fn refusal(doing: &str, intent: Intent, response: &HttpResponse, hide: &[&Secret]) -> DriverError {
    let message = platform_message(response).map(|message| without(message, hide));
    let kind = kind(intent, response.status, message.as_deref().unwrap_or_default());
    let mut error = DriverError::new(kind, effect(intent, response.status), describe(doing, response.status, message));
    error.retry_after = response.retry_after();
    error.request_id = request_id(response);
    error
}

/// Reads the body of a success. `effect` is what the request has done if the body cannot be read.
pub(super) fn parse<T: DeserializeOwned>(
    doing: &str,
    response: &HttpResponse,
    effect: Effect,
) -> Result<T, DriverError> {
    serde_json::from_slice(&response.body.0).map_err(|error| {
        // The words of a parser quote what it met, which may be a secret: only the place is told.
        let place = format!("line {}, column {}", error.line(), error.column());
        unexpected(doing, response, effect, &format!("the answer is not what the documents describe ({place})"))
    })
}

/// The error for a success that breaks its contract.
pub(super) fn unexpected(doing: &str, response: &HttpResponse, effect: Effect, why: &str) -> DriverError {
    let mut error = DriverError::new(Kind::Protocol, effect, format!("{doing}: {}, but {why}", response.status));
    error.request_id = request_id(response);
    error
}

/// The body is an error in the platform's own envelope: it is the platform that speaks, not a proxy before it.
pub(super) fn is_envelope(response: &HttpResponse) -> bool {
    envelope(response).is_some_and(|body| ["status", "message", "errors"].iter().any(|key| body.get(key).is_some()))
}

fn platform_message(response: &HttpResponse) -> Option<String> {
    let body = envelope(response)?;
    body.get("errors").and_then(words).or_else(|| body.get("message").and_then(words))
}

fn envelope(response: &HttpResponse) -> Option<Value> {
    serde_json::from_slice::<Value>(&response.body.0).ok().filter(Value::is_object)
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

fn describe(doing: &str, status: u16, message: Option<String>) -> String {
    match message {
        Some(message) => {
            let short: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
            let more = if short.len() < message.len() { "…" } else { "" };
            format!("{doing}: {status}, \"{short}{more}\"")
        }
        None => format!("{doing}: {status}"),
    }
}

fn kind(intent: Intent, status: u16, message: &str) -> Kind {
    match status {
        // Some versions answer 400 where others answer 409.
        400 if intent == Intent::Write && message.to_ascii_lowercase().contains("already exists") => Kind::Conflict,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        408 => Kind::Unavailable,
        409 => Kind::Conflict,
        429 => Kind::Throttled,
        400..=499 => Kind::Invalid,
        500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    }
}

/// A 4xx is the platform's own refusal. A 5xx can come from a proxy after the platform did the work, and a redirect
/// after a POST is one of the documented answers to a create: both leave a write in doubt.
fn effect(intent: Intent, status: u16) -> Effect {
    match (intent, status) {
        (Intent::Read, _) | (Intent::Write, 400..=499) => Effect::NotApplied,
        (Intent::Write, _) => Effect::Unknown,
    }
}

fn request_id(response: &HttpResponse) -> Option<String> {
    const REQUEST_ID_CHARS_MAX: usize = 100;
    let id: String = response.header("x-request-id")?.chars().take(REQUEST_ID_CHARS_MAX).collect();
    Some(id).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use driver::Body;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("x-request-id".to_owned(), "r-1".to_owned()), ("retry-after".to_owned(), "7".to_owned())],
            body: Body(body.to_owned().into()),
        }
    }

    #[track_caller]
    fn check(intent: Intent, status: u16, body: &str, kind: Kind, effect: Effect) {
        let error = refusal("doing", intent, &response(status, body), &[]);
        assert_eq!((error.kind, error.effect), (kind, effect), "{status} {body}");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn every_status_has_its_kind_and_effect() {
        let taken = r#"{"status":400,"message":["A credential with the name 'x' Already Exists."]}"#;
        check(Intent::Write, 400, taken, Kind::Conflict, Effect::NotApplied);
        check(Intent::Read, 400, taken, Kind::Invalid, Effect::NotApplied);
        check(Intent::Write, 409, "", Kind::Conflict, Effect::NotApplied);
        check(Intent::Write, 422, "", Kind::Invalid, Effect::NotApplied);
        check(Intent::Write, 429, "", Kind::Throttled, Effect::NotApplied);
        check(Intent::Write, 403, "", Kind::Forbidden, Effect::NotApplied);
        check(Intent::Write, 502, "<html>bad gateway</html>", Kind::Unavailable, Effect::Unknown);
        check(Intent::Read, 503, "", Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 302, "", Kind::Protocol, Effect::Unknown);
        check(Intent::Read, 302, "", Kind::Protocol, Effect::NotApplied);
    }

    #[track_caller]
    fn check_message(body: &str, expected: Option<&str>) {
        assert_eq!(platform_message(&response(400, body)).as_deref(), expected, "{body}");
    }

    #[test]
    fn messages_come_from_errors_or_message_in_any_shape() {
        check_message(r#"{"message":["a","b"]}"#, Some("a; b"));
        check_message(r#"{"message":"a\nb"}"#, Some("a b"));
        check_message(r#"{"errors":["first"],"message":"second"}"#, Some("first"));
        check_message(r#"{"errors":[],"message":"second"}"#, Some("second"));
        check_message(r#"{"errors":[{"message":"inner"}]}"#, Some("inner"));
        check_message(r#"{"status":400}"#, None);
        check_message("<html>", None);
        check_message("", None);
        check_message("[1]", None);
    }

    #[test]
    fn messages_are_short_and_hold_no_secret() {
        let canary = Secret::from_text("canary-7f3a");
        let body = format!(r#"{{"message":"wrong pair canary-7f3a {}"}}"#, "x".repeat(1000));
        let error = refusal("verifying", Intent::Read, &response(400, &body), &[&canary]);
        assert!(error.message.starts_with("verifying: 400, \"wrong pair (..) xxx"), "{error}");
        assert!(error.message.chars().count() < MESSAGE_CHARS_MAX + 40, "{error}");
    }

    #[test]
    fn an_unreadable_body_is_told_by_its_place_alone() {
        let body = response(201, r#"{"name":"canary-7f3a"}"#);
        let error = parse::<Vec<u32>>("creating", &body, Effect::Unknown).unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::Unknown));
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
