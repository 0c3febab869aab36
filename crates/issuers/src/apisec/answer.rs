//! What the platform's answers mean. A status of 200 is no success here: an exception on the server, and a sign-on that
//! is refused, come as 200 with the error inside.

use driver::{DriverError, Effect, HttpResponse, Kind};
use secret::Secret;
use serde_json::Value;

/// The platform's own words are quoted up to here: its sentences are shorter, and a page of HTML is no message.
const MESSAGE_CHARS_MAX: usize = 200;

/// Whether a request could have changed anything at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

/// What a body says, whatever the status.
#[derive(Debug)]
pub(super) enum Body {
    /// `errors` is false.
    Fine,
    /// The platform's own error, with its words.
    Error(String),
    /// A JSON object that says neither.
    Silent,
    /// A page, or nothing: somebody else speaks, or the single-page application.
    Foreign,
}

impl Body {
    pub(super) fn of(response: &HttpResponse) -> Self {
        let Some(body) = object(response) else { return Self::Foreign };
        let words = words_of(&body);
        match (body.get("errors").and_then(Value::as_bool), words) {
            (Some(true), words) => Self::Error(words.unwrap_or_else(|| "an error without a message".to_owned())),
            (Some(false), _) => Self::Fine,
            (None, Some(words)) => Self::Error(words),
            (None, None) => Self::Silent,
        }
    }
}

/// The error for an answer that is no success, inside or outside. `hide` lists secrets that went out with the request:
/// a platform that quotes its input back must not bring them into our logs.
pub(super) fn failure(doing: &str, intent: Intent, response: &HttpResponse, hide: &[&Secret]) -> DriverError {
    let words = match Body::of(response) {
        Body::Error(words) => Some(quoted(&words, hide)),
        _ => None,
    };
    let kind = match response.status {
        // An error inside a success: the server's own exception. What it did before it threw, nobody knows.
        200..=299 => Kind::Unavailable,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        408 => Kind::Unavailable,
        409 => Kind::Conflict,
        429 => Kind::Throttled,
        400..=499 => Kind::Invalid,
        500..=599 => Kind::Unavailable,
        _ => Kind::Protocol,
    };
    let effect = match (intent, response.status) {
        (Intent::Read, _) | (Intent::Write, 400..=499) => Effect::NotApplied,
        (Intent::Write, _) => Effect::Unknown,
    };
    let inside = if response.is_success() { " with an error inside" } else { "" };
    let words = words.map_or_else(String::new, |words| format!(", \"{words}\""));
    let mut error = DriverError::new(kind, effect, format!("{doing}: {}{inside}{words}", response.status));
    error.retry_after = response.retry_after();
    error
}

/// Words of the platform as a person may read them: short, on one line, without what went out.
pub(super) fn quoted(words: &str, hide: &[&Secret]) -> String {
    let mut text: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in hide.iter().filter_map(|secret| secret.expose_text()).filter(|text| !text.is_empty()) {
        text = text.replace(secret, "(..)");
    }
    let short: String = text.trim().chars().take(MESSAGE_CHARS_MAX).collect();
    if short.len() < text.trim().len() { format!("{short}…") } else { short }
}

/// Whether the words of an error inside a success speak of who signs on, and not of a server in trouble. No document
/// lists them, so this is by the words that such platforms use.
pub(super) fn speaks_of_the_account(words: &str) -> bool {
    const WORDS: [&str; 17] = [
        "bad credentials",
        "credential",
        "password",
        "invalid user",
        "user not found",
        "unknown user",
        "locked",
        "disabled",
        "deactivated",
        "inactive",
        "not active",
        "not allowed",
        "access is denied",
        "unauthorized",
        "two-factor",
        "single sign-on",
        "sso",
    ];
    let words = words.to_lowercase();
    WORDS.iter().any(|word| words.contains(word))
}

/// Whether the refusal is that of a tenant with single sign-on, where only service accounts may use a password.
pub(super) fn speaks_of_single_sign_on(words: &str) -> bool {
    let words = words.to_lowercase();
    ["single sign-on", "single sign on", "sso"].iter().any(|word| words.contains(word))
}

fn object(response: &HttpResponse) -> Option<Value> {
    serde_json::from_slice::<Value>(&response.body.0).ok().filter(Value::is_object)
}

/// The classic platform says `messages[].value` or `message`, the next one any of four members.
fn words_of(body: &Value) -> Option<String> {
    let messages = body.get("messages").and_then(Value::as_array).map(|messages| {
        let values = messages.iter().filter_map(|message| message.get("value").and_then(Value::as_str));
        values.collect::<Vec<_>>().join("; ")
    });
    let single = ["message", "error", "title", "detail"].iter().find_map(|key| body.get(*key).and_then(Value::as_str));
    messages.or_else(|| single.map(str::to_owned)).filter(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use driver::Body as Bytes;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            body: Bytes(body.to_owned().into()),
        }
    }

    #[track_caller]
    fn check(intent: Intent, status: u16, body: &str, kind: Kind, effect: Effect) {
        let error = failure("doing", intent, &response(status, body), &[]);
        assert_eq!((error.kind, error.effect), (kind, effect), "{status} {body}");
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn every_status_has_its_kind_and_effect() {
        let inside = r#"{"errors":true,"messages":[{"type":"ERROR","value":"NullPointerException"}],"data":null}"#;
        check(Intent::Write, 200, inside, Kind::Unavailable, Effect::Unknown);
        check(Intent::Read, 200, inside, Kind::Unavailable, Effect::NotApplied);
        check(Intent::Write, 401, "", Kind::Unauthorized, Effect::NotApplied);
        check(Intent::Write, 409, "", Kind::Conflict, Effect::NotApplied);
        check(Intent::Write, 422, "", Kind::Invalid, Effect::NotApplied);
        check(Intent::Write, 429, "", Kind::Throttled, Effect::NotApplied);
        check(Intent::Write, 503, "<html>", Kind::Unavailable, Effect::Unknown);
        check(Intent::Read, 302, "", Kind::Protocol, Effect::NotApplied);
    }

    #[test]
    fn words_are_found_wherever_they_stand() {
        let words = |body: &str| match Body::of(&response(200, body)) {
            Body::Error(words) => Some(words),
            _ => None,
        };
        assert_eq!(words(r#"{"errors":true,"messages":[{"value":"a"},{"value":"b"}]}"#).as_deref(), Some("a; b"));
        assert_eq!(words(r#"{"message":"Bad credentials"}"#).as_deref(), Some("Bad credentials"));
        assert_eq!(words(r#"{"detail":"gone"}"#).as_deref(), Some("gone"));
        assert_eq!(words(r#"{"errors":true}"#).as_deref(), Some("an error without a message"));
        assert!(matches!(Body::of(&response(200, r#"{"errors":false,"messages":[]}"#)), Body::Fine));
        assert!(matches!(Body::of(&response(200, r#"{"token":"x"}"#)), Body::Silent));
        assert!(matches!(Body::of(&response(200, "<html>")), Body::Foreign));
        assert!(matches!(Body::of(&response(200, "[]")), Body::Foreign));
    }

    #[test]
    fn words_are_short_and_hold_no_secret() {
        let canary = Secret::from_text("canary-7f3a");
        let body = format!(r#"{{"message":"wrong canary-7f3a\n{}"}}"#, "x".repeat(1000));
        let error = failure("signing on", Intent::Read, &response(401, &body), &[&canary]);
        assert!(error.message.starts_with("signing on: 401, \"wrong (..) xxx"), "{error}");
        assert!(error.message.chars().count() < MESSAGE_CHARS_MAX + 40, "{error}");
    }

    #[test]
    fn a_server_in_trouble_is_told_from_a_wrong_password() {
        for words in ["Bad credentials", "User is locked", "Basic login is disabled: use SSO", "Invalid Username"] {
            assert!(speaks_of_the_account(words), "{words}");
        }
        for words in ["NullPointerException", "Could not open JPA EntityManager", "timeout"] {
            assert!(!speaks_of_the_account(words), "{words}");
        }
        assert!(speaks_of_single_sign_on("Your organization uses Single Sign-On"));
        assert!(!speaks_of_single_sign_on("Bad credentials"));
    }
}
