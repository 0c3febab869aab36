//! What the server's answers mean. The status alone does not tell: 400 is also a lost compare-and-set, 404 is also a
//! version that was taken away, and 429 has three meanings.

use driver::{Body, DriverError, Effect, HttpResponse, Kind};
use secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::withheld::{self, WITHHELD};

/// The server's own words are quoted up to here: its sentences are shorter, and a page of HTML is no message.
const MESSAGE_CHARS_MAX: usize = 300;
/// The shortest token has more; a word of a sentence has less.
const TOKEN_CHARS_MIN: usize = 20;

/// Whether a request could have changed anything at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

/// The error for an answer that is no success. `hide` lists secrets that went out with the request: a server that
/// quotes its input back must not bring them into our logs.
pub(super) fn refusal(doing: &str, intent: Intent, response: &HttpResponse, hide: &[&Secret]) -> DriverError {
    let errors = errors(response);
    let words = errors.as_ref().map(|errors| errors.join("; "));
    let kind = kind(response.status, words.as_deref().unwrap_or_default());
    let effect = effect(intent, response.status, errors.as_deref());
    let words = words.map(|words| without_tokens(&withheld::without(&words, hide))).filter(|words| !words.is_empty());
    let mut error = DriverError::new(kind, effect, describe(doing, response.status, words));
    error.retry_after = response.retry_after();
    error
}

/// An answer whose words do not repeat these secrets. Tokens of some servers have no prefix to be known by.
pub(super) fn without(mut response: HttpResponse, hide: &[&Secret]) -> HttpResponse {
    let Some(mut envelope) = body(&response).filter(|_| !response.is_success()) else { return response };
    if let Some(Value::Array(errors)) = envelope.get_mut("errors") {
        for error in errors {
            *error = Value::String(withheld::without(error.as_str().unwrap_or_default(), hide));
        }
        response.body = Body(envelope.to_string().into());
    }
    response
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
        let status = response.status;
        let why = format!("{doing}: {status}, but the answer is not what the documents describe ({place})");
        DriverError::new(Kind::Protocol, effect, why)
    })
}

/// 404 from the server itself, with nothing to say: what was asked for is not there. A missing mount or namespace has
/// words, and a proxy's 404 is no answer of the server.
pub(super) fn is_absent(response: &HttpResponse) -> bool {
    response.status == 404 && errors(response).is_some_and(|errors| errors.is_empty())
}

/// 404 with a value of null: the version was there and is deleted or destroyed.
pub(super) fn is_taken_away(response: &HttpResponse) -> bool {
    response.status == 404 && body(response).is_some_and(|body| body.pointer("/data/metadata").is_some())
}

pub(super) fn lost_compare_and_set(response: &HttpResponse) -> bool {
    response.status == 400 && errors(response).is_some_and(|errors| errors.iter().any(|line| is_lost_set(line)))
}

/// Of a value, or of notes.
fn is_lost_set(words: &str) -> bool {
    ["did not match", "does not match"].iter().any(|lost| words.contains(&format!("check-and-set parameter {lost}")))
}

/// `None`: not the server's own envelope.
fn errors(response: &HttpResponse) -> Option<Vec<String>> {
    let body = body(response)?;
    let errors = body.get("errors")?.as_array()?;
    Some(errors.iter().filter_map(Value::as_str).map(one_line).collect())
}

fn body(response: &HttpResponse) -> Option<Value> {
    serde_json::from_slice(&response.body.0).ok()
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn kind(status: u16, words: &str) -> Kind {
    match status {
        400 if is_lost_set(words) => Kind::Conflict,
        // A mount that was made a moment ago.
        400 if words.contains("from non-versioned to versioned") => Kind::Unavailable,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        // Waiting does not make a mount or a namespace.
        404 if ["no handler for route", "namespace not found"].iter().any(|text| words.contains(text)) => Kind::Invalid,
        404 => Kind::NotFound,
        408 | 412 => Kind::Unavailable,
        429 if words.contains("quota exceeded") => Kind::Throttled,
        // A standby: as health reports it, or one that has not caught up with a write of ours.
        429 | 472 | 473 => Kind::Unavailable,
        400..=499 => Kind::Invalid,
        // A standby that points to the active server.
        300..=399 | 500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    }
}

/// A refusal in the server's own words comes before the work, save for what broke inside it. A 5xx without them can
/// come from a proxy after the server did the work.
fn effect(intent: Intent, status: u16, errors: Option<&[String]>) -> Effect {
    match (intent, status) {
        (Intent::Read, _) | (Intent::Write, 300..=499) => Effect::NotApplied,
        (Intent::Write, 501 | 503) if errors.is_some_and(|errors| !errors.is_empty()) => Effect::NotApplied,
        (Intent::Write, _) => Effect::Unknown,
    }
}

/// Tokens of Vault and of OpenBao are told by how they begin.
fn without_tokens(words: &str) -> String {
    const PREFIXES: [&str; 5] = ["hvs.", "hvb.", "hvr.", "s.", "b."];
    let is_token = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        PREFIXES.iter().any(|prefix| bare.strip_prefix(prefix).is_some_and(|rest| rest.len() >= TOKEN_CHARS_MIN))
    };
    let shown = |word: &str| if is_token(word) { WITHHELD.to_owned() } else { word.to_owned() };
    words.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

fn describe(doing: &str, status: u16, words: Option<String>) -> String {
    let says = |text: &str| words.as_ref().is_some_and(|words| words.contains(text));
    let meaning = match status {
        503 if says("sealed") => ", it is sealed: whoever holds the keys unseals it",
        404 if says("no handler for route") => ", there is no such mount: correct `mount` or `namespace`",
        404 if says("namespace not found") => ", there is no such namespace: correct `namespace`",
        300..=399 => ", a standby that points to the active server: name that one as `address`",
        412 => ", a server that has not caught up with our own write",
        472 | 473 => ", a standby of another cluster",
        _ => "",
    };
    match words {
        Some(words) => {
            let short: String = words.chars().take(MESSAGE_CHARS_MAX).collect();
            let more = if short.len() < words.len() { "…" } else { "" };
            format!("{doing}: {status}{meaning}, \"{short}{more}\"")
        }
        None => format!("{doing}: {status}{meaning}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        HttpResponse { status, headers, body: Body(body.to_owned().into()) }
    }

    #[track_caller]
    fn check(intent: Intent, status: u16, body: &str, kind: Kind, effect: Effect) {
        let error = refusal("doing", intent, &response(status, body), &[]);
        assert_eq!((error.kind, error.effect), (kind, effect), "{status} {body}");
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn every_answer_has_its_kind_and_effect() {
        let lost = r#"{"errors":["check-and-set parameter did not match the current version"]}"#;
        check(Intent::Write, 400, lost, Kind::Conflict, Effect::NotApplied);
        let new = r#"{"errors":["Upgrading from non-versioned to versioned data."]}"#;
        check(Intent::Write, 400, new, Kind::Unavailable, Effect::NotApplied);
        let quota = r#"{"errors":["request path \"x\": rate limit quota exceeded"]}"#;
        check(Intent::Write, 429, quota, Kind::Throttled, Effect::NotApplied);
        check(Intent::Read, 429, r#"{"errors":["not caught up"]}"#, Kind::Unavailable, Effect::NotApplied);
        check(Intent::Read, 412, "", Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 307, "", Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 503, r#"{"errors":["Vault is sealed"]}"#, Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 503, "<html>", Kind::Unavailable, Effect::Unknown);
        check(Intent::Write, 500, r#"{"errors":["internal error"]}"#, Kind::Unavailable, Effect::Unknown);
        check(Intent::Read, 502, "", Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 403, "", Kind::Forbidden, Effect::NotApplied);
        check(Intent::Read, 404, "", Kind::NotFound, Effect::NotApplied);
        let mount = r#"{"errors":["no handler for route \"x/data/y\""]}"#;
        check(Intent::Read, 404, mount, Kind::Invalid, Effect::NotApplied);
        check(Intent::Write, 405, "", Kind::Invalid, Effect::NotApplied);
        check(Intent::Write, 204, "", Kind::Protocol, Effect::Unknown);
    }

    #[test]
    fn absent_taken_away_and_no_such_mount_are_three_things() {
        let absent = response(404, r#"{"errors":[]}"#);
        let deleted = response(404, r#"{"data":{"data":null,"metadata":{"version":3,"destroyed":true}}}"#);
        let mount = response(404, r#"{"errors":["no handler for route \"x\""]}"#);
        let proxy = response(404, "<html>not here</html>");
        let seen = [&absent, &deleted, &mount, &proxy].map(|answer| (is_absent(answer), is_taken_away(answer)));
        assert_eq!(seen, [(true, false), (false, true), (false, false), (false, false)]);
    }

    #[test]
    fn messages_are_short_and_hold_no_secret() {
        let canary = Secret::from_text("canary-7f3a");
        let tokens = "hvs.CAESIJ0123456789abcdef s.0123456789abcdefghijklmn (b.AAAAAQ0123456789abcdefgh)";
        let body = format!(r#"{{"errors":["wrong\n\tcanary-7f3a {tokens} e.g. {}"]}}"#, "x".repeat(1000));
        let error = refusal("writing", Intent::Write, &response(400, &body), &[&canary]);
        assert!(error.message.starts_with("writing: 400, \"wrong (..) (..) (..) (..) e.g. xxx"), "{error}");
        assert!(error.message.chars().count() < MESSAGE_CHARS_MAX + 40, "{error}");
    }

    #[test]
    fn an_unreadable_body_is_told_by_its_place_alone() {
        let body = response(200, r#"{"data":"canary-7f3a"}"#);
        let error = parse::<Vec<u32>>("reading", &body, Effect::NotApplied).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
