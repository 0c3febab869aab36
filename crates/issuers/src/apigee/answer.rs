//! What the platform's answers mean when they are no success, and how a success is read.
//!
//! Three envelopes are about: Google's (`error`), Edge's (`code`, `message`) and that of gateways and front ends
//! (`fault`), which are not the platform.

use driver::{DriverError, Effect, HttpResponse, Kind};
use secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

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
    let said = Said::read(response);
    let message = said.words.map(|words| without(words, hide));
    let effect = match intent {
        // A 4xx is the platform's own refusal; a 5xx can come from a proxy after the platform did the work.
        Intent::Write if !(400..500).contains(&response.status) => Effect::Unknown,
        _ => Effect::NotApplied,
    };
    let mut error = DriverError::new(kind(response.status), effect, describe(doing, response.status, message));
    error.retry_after = response.retry_after();
    error.request_id = said.request_id;
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
    DriverError::new(Kind::Protocol, effect, format!("{doing}: {}, but {why}", response.status))
}

/// The platform itself says that there is no such thing. A 404 in other words comes from something in between, and
/// proves nothing.
pub(super) fn is_gone(response: &HttpResponse) -> bool {
    response.status == 404 && Said::read(response).by_the_platform
}

/// A 404 that is not the platform's own is an answer that nobody documents.
pub(super) fn from_platform(doing: &str, intent: Intent, response: &HttpResponse, hide: &[&Secret]) -> DriverError {
    let error = refusal(doing, intent, response, hide);
    match error.kind {
        Kind::NotFound if !is_gone(response) => DriverError { kind: Kind::Protocol, ..error },
        _ => error,
    }
}

/// What an error says, whatever its envelope.
#[derive(Debug, Default)]
struct Said {
    by_the_platform: bool,
    words: Option<String>,
    request_id: Option<String>,
}

impl Said {
    fn read(response: &HttpResponse) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&response.body.0) else { return Self::default() };
        if let Some(error) = body.get("error").filter(|error| error.is_object()) {
            return Self::google(error);
        }
        if let Some(fault) = body.get("fault") {
            let words = fault.get("faultstring").and_then(words);
            return Self { words, ..Self::default() };
        }
        if let Some(description) = body.get("error_description").or(body.get("error")) {
            return Self { words: words(description), ..Self::default() };
        }
        let code = body.get("code").and_then(Value::as_str);
        let message = body.get("message").and_then(words);
        Self { by_the_platform: code.is_some(), words: with_code(message, code), request_id: None }
    }

    /// The stable code is the type of a violation; `status` alone misleads. Details may lack.
    fn google(error: &Value) -> Self {
        let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
        let code = violations.filter_map(|violation| violation.get("type")?.as_str()).next();
        let code = code.or_else(|| error.get("status").and_then(Value::as_str));
        let request_id = details.iter().find_map(|detail| detail.get("requestId").and_then(words));
        let message = error.get("message").and_then(words);
        Self { by_the_platform: error.get("code").is_some(), words: with_code(message, code), request_id }
    }
}

fn with_code(message: Option<String>, code: Option<&str>) -> Option<String> {
    match (message, code) {
        (Some(message), Some(code)) => Some(format!("{message} ({code})")),
        (message, code) => message.or_else(|| code.map(str::to_owned)),
    }
}

fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(words).collect::<Vec<_>>().join("; "),
        _ => return None,
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn without(mut message: String, hide: &[&Secret]) -> String {
    for secret in hide.iter().filter_map(|secret| secret.expose_text()).filter(|text| !text.is_empty()) {
        message = message.replace(secret, "(..)");
        if let Some(in_address) = in_address(secret) {
            message = message.replace(&in_address, "(..)");
        }
    }
    message
}

/// As it stands in an address, where that is another spelling.
fn in_address(secret: &str) -> Option<String> {
    let mut url = Url::parse("https://x.invalid/").ok()?;
    url.path_segments_mut().ok()?.clear().push(secret);
    Some(url.path().trim_start_matches('/').to_owned()).filter(|text| text != secret && !text.is_empty())
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

fn kind(status: u16) -> Kind {
    match status {
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

#[cfg(test)]
mod tests {
    use driver::Body;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: Body(body.to_owned().into()) }
    }

    const GOOGLE: &str = r#"{"error":{"code":409,"message":"ConsumerKey already exists","status":"ABORTED","details":[
        {"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[
            {"type":"keymanagement.service.ConsumerKeyAlreadyExists","subject":"[...]","description":"x"}]},
        {"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"1234567890"}]}}"#;
    const EDGE: &str = r#"{"code":"keymanagement.service.ConsumerKeyAlreadyExists",
        "message":"ConsumerKey already exists","contexts":[]}"#;

    #[test]
    fn both_generations_say_the_same() {
        for body in [GOOGLE, EDGE] {
            let error = refusal("creating", Intent::Write, &response(409, body), &[]);
            assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied));
            let words = "\"ConsumerKey already exists (keymanagement.service.ConsumerKeyAlreadyExists)\"";
            assert_eq!(error.message, format!("creating: 409, {words}"));
        }
        let error = refusal("creating", Intent::Write, &response(409, GOOGLE), &[]);
        assert_eq!(error.request_id.as_deref(), Some("1234567890"));
    }

    #[test]
    fn only_the_platform_says_gone() {
        for body in [
            r#"{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}"#,
            r#"{"code":"developer.service.AppDoesNotExist","message":"no","contexts":[]}"#,
        ] {
            assert!(is_gone(&response(404, body)));
        }
        for body in ["", "<html>404</html>", r#"{"fault":{"faultstring":"no","detail":{"errorcode":"x"}}}"#, "{}"] {
            assert!(!is_gone(&response(404, body)), "{body}");
            assert_eq!(from_platform("reading", Intent::Read, &response(404, body), &[]).kind, Kind::Protocol);
        }
    }

    #[test]
    fn a_write_is_in_doubt_after_anything_but_a_refusal() {
        for (status, effect) in
            [(400, Effect::NotApplied), (429, Effect::NotApplied), (500, Effect::Unknown), (302, Effect::Unknown)]
        {
            assert_eq!(refusal("w", Intent::Write, &response(status, ""), &[]).effect, effect);
            assert_eq!(refusal("r", Intent::Read, &response(status, ""), &[]).effect, Effect::NotApplied);
        }
    }

    #[test]
    fn what_was_sent_is_not_quoted_back() {
        let secret = Secret::from_text("canary");
        let error = refusal("w", Intent::Write, &response(400, r#"{"code":"c","message":"bad canary"}"#), &[&secret]);
        assert_eq!(error.message, "w: 400, \"bad (..) (c)\"");
        let spaced = Secret::from_text("a canary/b");
        let body = r#"{"code":"c","message":"no /keys/a%20canary%2Fb, or a canary/b"}"#;
        let error = from_platform("w", Intent::Write, &response(404, body), &[&spaced]);
        assert_eq!(error.message, "w: 404, \"no /keys/(..), or (..) (c)\"");
    }
}
