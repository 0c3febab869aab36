//! What AWS's answers mean when they are no success, and how a success is read.
//!
//! The kind of an error is its `__type`, never the status: every mistake of a client is a 400 there. Most messages are
//! not quoted: those about signatures repeat the request with its session token, those about parameters the value. From
//! the others, what we sent is taken out: whoever answers may quote it.

use std::{path::Path, time::Duration};

use driver::{DriverError, Effect, HttpResponse, Kind};
use secret::Secret;
use serde::{Deserialize, de::DeserializeOwned};

use super::xml;
use crate::withheld;

/// AWS's own words are quoted up to here: the ARNs in them are long.
const MESSAGE_CHARS_MAX: usize = 400;
/// What a quota refuses is possible when old versions have gone, which takes AWS up to a day. Once in ten minutes is
/// what AWS says of writes to one secret.
const AFTER_QUOTA: Duration = Duration::from_secs(10 * 60);

/// Whether a request could have changed anything at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    kind: Kind,
    /// The message says more and repeats nothing of the request that may be secret.
    quoted: bool,
}

const fn means(kind: Kind) -> Meaning {
    Meaning { kind, quoted: false }
}

const fn says(kind: Kind) -> Meaning {
    Meaning { kind, quoted: true }
}

fn meaning(code: &str) -> Option<Meaning> {
    Some(match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied" | "UnauthorizedOperation" | "OptInRequired" => says(Kind::Forbidden),
        "ResourceNotFound" => says(Kind::NotFound),
        "ResourceExists" => means(Kind::Conflict),
        "PreconditionNotMet" => says(Kind::Conflict),
        "InvalidRequest" | "EncryptionFailure" | "DecryptionFailure" | "RegionDisabled" => says(Kind::Invalid),
        "InvalidParameter"
        | "InvalidParameterValue"
        | "Validation"
        | "ValidationError"
        | "Serialization"
        | "MalformedPolicyDocument"
        | "PublicPolicy" => means(Kind::Invalid),
        // Too many versions in a day, or too many secrets: time or a person helps.
        "LimitExceeded" => says(Kind::Throttled),
        "Throttling"
        | "Throttled"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "PriorRequestNotComplete"
        | "SlowDown" => means(Kind::Throttled),
        "ExpiredToken" | "RequestExpired" | "InvalidIdentityToken" | "IDPRejectedClaim" => says(Kind::Unauthorized),
        "UnrecognizedClient"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId"
        | "AuthFailure"
        | "NotAuthorized"
        | "RequestTimeTooSkewed" => means(Kind::Unauthorized),
        "IDPCommunicationError" => means(Kind::Unavailable),
        "InternalServiceError"
        | "InternalFailure"
        | "InternalServer"
        | "InternalError"
        | "ServiceUnavailable"
        | "RequestTimeout" => means(Kind::Unavailable),
        _ => return None,
    })
}

/// The error for an answer that is no success. `hide`: the secrets that the request held or was signed with.
pub(super) fn refusal(doing: &str, intent: Intent, response: &HttpResponse, hide: &[&Secret]) -> DriverError {
    let Some((code, message)) = envelope(response) else {
        // A proxy before AWS speaks, and whether AWS did the work nobody knows.
        let kind = if response.status >= 500 { Kind::Unavailable } else { Kind::Protocol };
        return with_id(DriverError::new(kind, unknown(intent), format!("{doing}: {}", response.status)), response);
    };
    let Some(meaning) = meaning(&code) else {
        let kind = if response.status >= 500 { Kind::Unavailable } else { Kind::Protocol };
        return with_id(DriverError::new(kind, unknown(intent), format!("{doing}: {code}")), response);
    };
    let effect = if meaning.kind == Kind::Unavailable { unknown(intent) } else { Effect::NotApplied };
    let mut text = format!("{doing}: {code}");
    if meaning.quoted && !message.is_empty() {
        text.push_str(&format!(", \"{}\"", shortened(&withheld::without(&message, hide))));
    }
    if clock_differs(&message) {
        text.push_str(", for its time: this machine's clock is wrong");
    }
    let mut error = DriverError::new(meaning.kind, effect, text);
    let quota = code.starts_with("LimitExceeded").then_some(AFTER_QUOTA);
    error.retry_after = response.retry_after().or(quota);
    with_id(error, response)
}

/// Credentials that have ended or are not known any more: others may be to hand.
pub(super) fn is_about_credentials(response: &HttpResponse) -> bool {
    let stale = ["ExpiredToken", "RequestExpired", "UnrecognizedClient", "InvalidClientTokenId"];
    envelope(response).is_some_and(|(code, _)| stale.contains(&code.strip_suffix("Exception").unwrap_or(&code)))
}

fn clock_differs(message: &str) -> bool {
    ["Signature expired", "Signature not yet current"].iter().any(|words| message.contains(words))
}

fn unknown(intent: Intent) -> Effect {
    match intent {
        Intent::Read => Effect::NotApplied,
        Intent::Write => Effect::Unknown,
    }
}

/// Code and message, from JSON as Secrets Manager answers or from XML as STS does and whatever stands before both.
fn envelope(response: &HttpResponse) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Json {
        #[serde(rename = "__type")]
        code: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    if let Ok(json) = serde_json::from_slice::<Json>(&response.body.0) {
        let code = json.code.or_else(|| response.header("x-amzn-errortype").map(str::to_owned))?;
        // `com.amazonaws.secretsmanager#Name`, and in the header `Name:http://…`.
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        return is_code(&code).then(|| (code, json.message.unwrap_or_default()));
    }
    let text = std::str::from_utf8(&response.body.0).ok()?;
    let code = xml::text(text, "Code").filter(|code| is_code(code))?;
    Some((code, xml::text(text, "Message").unwrap_or_default()))
}

fn is_code(code: &str) -> bool {
    (1..=100).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn shortened(message: &str) -> String {
    let clean = message.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(MESSAGE_CHARS_MAX).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
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
    with_id(DriverError::new(Kind::Protocol, effect, format!("{doing}: {}, but {why}", response.status)), response)
}

fn with_id(mut error: DriverError, response: &HttpResponse) -> DriverError {
    const REQUEST_ID_CHARS_MAX: usize = 100;
    let id = response.header("x-amzn-requestid").or_else(|| response.header("x-amzn-request-id"));
    error.request_id = id.filter(|id| !id.is_empty()).map(|id| id.chars().take(REQUEST_ID_CHARS_MAX).collect());
    error
}

/// The one line of a file that holds a token.
pub(super) fn read_secret_file(doing: &str, path: &Path) -> Result<Secret, DriverError> {
    let bytes = std::fs::read(path).map_err(|error| {
        DriverError::refused(Kind::Unauthorized, format!("{doing}: {} cannot be read: {error}", path.display()))
    })?;
    let bytes = Secret::new(bytes);
    match bytes.expose_text().map(str::trim) {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
            Ok(Secret::from_text(text))
        }
        _ => Err(DriverError::refused(Kind::Unauthorized, format!("{doing}: {} holds no token", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use driver::Body;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        let headers = vec![("x-amzn-requestid".to_owned(), "r-1".to_owned())];
        HttpResponse { status, headers, body: Body(body.to_owned().into()) }
    }

    #[track_caller]
    fn check(status: u16, body: &str, kind: Kind, effect: Effect, message: &str) {
        let error = refusal("doing", Intent::Write, &response(status, body), &[]);
        assert_eq!((error.kind, error.effect, error.message.as_str()), (kind, effect, message), "{body}");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
        assert_eq!(refusal("doing", Intent::Read, &response(status, body), &[]).effect, Effect::NotApplied);
    }

    #[test]
    fn the_type_decides_and_not_the_status() {
        let not_found = r#"{"__type":"ResourceNotFoundException","Message":"can't find it"}"#;
        let expected = "doing: ResourceNotFoundException, \"can't find it\"";
        check(400, not_found, Kind::NotFound, Effect::NotApplied, expected);
        check(404, not_found, Kind::NotFound, Effect::NotApplied, expected);
        let spaced = r#"{"__type":"com.amazonaws.secretsmanager#ThrottlingException","message":"Rate exceeded"}"#;
        check(400, spaced, Kind::Throttled, Effect::NotApplied, "doing: ThrottlingException");
        let broken = r#"{"__type":"InternalServiceError","message":"x"}"#;
        check(500, broken, Kind::Unavailable, Effect::Unknown, "doing: InternalServiceError");
        check(400, r#"{"__type":"NewKindException"}"#, Kind::Protocol, Effect::Unknown, "doing: NewKindException");
    }

    #[test]
    fn xml_counts_as_well() {
        let xml = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>x</Message></Error></ErrorResponse>";
        check(403, xml, Kind::Unauthorized, Effect::NotApplied, "doing: InvalidClientTokenId");
        assert!(is_about_credentials(&response(403, xml)));
    }

    #[test]
    fn a_proxys_page_leaves_a_write_in_doubt() {
        check(503, "<html><body>no</body></html>", Kind::Unavailable, Effect::Unknown, "doing: 503");
        check(302, "", Kind::Protocol, Effect::Unknown, "doing: 302");
        check(200, "[]", Kind::Protocol, Effect::Unknown, "doing: 200");
    }

    #[test]
    fn messages_that_repeat_the_request_are_not_quoted() {
        for code in [
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "ValidationException",
            "InvalidParameterException",
            "SerializationException",
            "WhoKnows",
        ] {
            let body = format!(r#"{{"__type":"{code}","message":"x-amz-security-token:canary-7f3a"}}"#);
            let error = refusal("doing", Intent::Write, &response(400, &body), &[]);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn what_was_sent_is_in_no_message_that_is_quoted() {
        let canary = Secret::from_text("canary-7f3a");
        for echo in ["canary-7f3a", "{\\\"k\\\":\\\"canary-7f3a\\\"}", "Y2FuYXJ5LTdmM2E="] {
            let body = format!(r#"{{"__type":"InvalidRequestException","message":"no: {echo}"}}"#);
            let error = refusal("doing", Intent::Write, &response(400, &body), &[&canary]);
            assert!(error.message.contains("(..)") && !error.message.contains(echo), "{error}");
            assert!(!error.message.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_wrong_clock_is_named() {
        let body =
            r#"{"__type":"InvalidSignatureException","message":"Signature expired: 20260101T000000Z is now earlier"}"#;
        let error = refusal("doing", Intent::Read, &response(400, body), &[]);
        assert!(error.message.contains("clock"), "{error}");
    }

    #[test]
    fn an_unreadable_body_is_told_by_its_place_alone() {
        let body = response(200, r#"{"SecretString":"canary-7f3a"}"#);
        let error = parse::<Vec<u32>>("reading", &body, Effect::Unknown).unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::Unknown));
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
