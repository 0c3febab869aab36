//! What is kept at AWS: fields as one JSON object, a document bare. And the id of the version that holds it.
//!
//! The id says how to read the value back: AWS keeps nothing else with a version, and a version never changes.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{AttemptKey, Delivery, DriverError, Form, Kind};
use secret::{Secret, SecretMap};
use serde_json::Value;

use super::{
    api::{Kept, SecretText},
    sigv4::hex,
};

/// AWS's limit.
const VALUE_BYTES_MAX: usize = 65_536;
/// Stands before every version id of ours, so that people see whose it is, and we too.
const OURS: &str = "keyrota-";
/// 128 bits of a hash: no two attempts meet.
const ATTEMPT_CHARS: usize = 32;
/// AWS's limit for a version id.
const VERSION_CHARS_MAX: usize = 64;
/// A field whose bytes are not text is kept in base64 under its name with this ending. So is a field that has the
/// ending itself, or the two could not be told apart.
const BASE64: &str = ".base64";

/// A value on its way.
pub(super) enum Payload {
    Text(Secret),
    /// Base64, as AWS wants it.
    Binary(Secret),
}

pub(super) struct Encoded {
    pub payload: Payload,
    pub version: String,
    fields: SecretMap,
}

impl Encoded {
    /// What no message may show: the fields, and the whole that they became.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let (Payload::Text(whole) | Payload::Binary(whole)) = &self.payload;
        self.fields.iter().map(|(_, value)| value).chain([whole])
    }
}

pub(super) fn encode(request: &Delivery<'_>) -> Result<Encoded, DriverError> {
    let attempt = attempt(&request.key);
    let (bytes, version) = match request.form {
        Form::Fields => (json(request.value)?, format!("{OURS}{attempt}")),
        Form::Document => {
            let (field, bytes) = only_field(request.value)?;
            (bytes.duplicate(), format!("{OURS}{attempt}-{}", noted(field)))
        }
    };
    let length = bytes.expose().len();
    if !(1..=VALUE_BYTES_MAX).contains(&length) {
        let message = format!("the value for `{}` has {length} bytes; AWS keeps 1 to {VALUE_BYTES_MAX}", request.at);
        return Err(DriverError::refused(Kind::Invalid, message));
    }
    let payload = match bytes.expose_text() {
        Some(_) => Payload::Text(bytes),
        None => Payload::Binary(Secret::from_text(STANDARD.encode(bytes.expose()))),
    };
    Ok(Encoded { payload, version, fields: request.value.duplicate() })
}

fn attempt(key: &AttemptKey) -> String {
    let mut text = hex(digest(&SHA256, key.0.as_bytes()).as_ref());
    text.truncate(ATTEMPT_CHARS);
    text
}

/// Whether a version was written by Keyrota, this one or another.
pub(super) fn is_ours(version: &str) -> bool {
    attempt_and_rest(version).is_some()
}

fn attempt_and_rest(version: &str) -> Option<(&str, &str)> {
    let (attempt, rest) = version.strip_prefix(OURS)?.split_at_checked(ATTEMPT_CHARS)?;
    attempt.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some((attempt, rest))
}

/// A field's name, as far as a version id can hold it; nothing when it cannot.
fn noted(field: &str) -> &str {
    let room = VERSION_CHARS_MAX - OURS.len() - ATTEMPT_CHARS - 1;
    let fits = field.len() <= room && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if fits { field } else { "" }
}

fn only_field(value: &SecretMap) -> Result<(&str, &Secret), DriverError> {
    let mut fields = value.iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => Ok(field),
        _ => Err(DriverError::refused(Kind::Invalid, "a document is one field, and this delivery has not just one")),
    }
}

fn json(value: &SecretMap) -> Result<Secret, DriverError> {
    let mut kept: BTreeMap<String, Secret> = BTreeMap::new();
    let mut bytes = 2;
    for (field, value) in value.iter() {
        let (field, text) = match value.expose_text() {
            Some(_) if !field.ends_with(BASE64) => (field.to_owned(), value.duplicate()),
            _ => (format!("{field}{BASE64}"), Secret::from_text(STANDARD.encode(value.expose()))),
        };
        // One byte takes six at most, as `\u001f`; the punctuation of a field takes six.
        bytes += (field.len() + text.expose().len() + 1) * 6;
        kept.insert(field, text);
    }
    let texts: BTreeMap<&str, &str> =
        kept.iter().map(|(field, text)| (field.as_str(), text.expose_text().unwrap_or_default())).collect();
    // Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
    let mut out = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut out, &texts).map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
    Ok(Secret::new(out))
}

/// The fields of a kept value. `None` when they cannot be known: somebody else's text, or a document whose field has
/// a name that its version id could not hold.
pub(super) fn decode(version: &str, kept: Kept) -> Option<SecretMap> {
    let bytes = match (kept.secret_string, kept.secret_binary) {
        (Some(SecretText(text)), _) => text,
        (None, Some(SecretText(text))) => Secret::new(STANDARD.decode(text.expose()).ok()?),
        (None, None) => return None,
    };
    match attempt_and_rest(version) {
        Some((_, "")) | None => fields(&bytes),
        Some((_, rest)) => match rest.strip_prefix('-')? {
            "" => None,
            field => Some(SecretMap::new([(field.to_owned(), bytes)])),
        },
    }
}

/// A value that is no string, as only others write, is taken as its JSON text.
fn fields(json: &Secret) -> Option<SecretMap> {
    let kept: BTreeMap<String, Value> = serde_json::from_slice(json.expose()).ok()?;
    Some(SecretMap::new(kept.into_iter().map(|(field, value)| {
        let text = match value {
            Value::String(text) => Secret::from_text(text),
            other => Secret::from_text(other.to_string()),
        };
        let decoded = field.strip_suffix(BASE64).zip(STANDARD.decode(text.expose()).ok());
        match decoded {
            Some((bare, bytes)) => (bare.to_owned(), Secret::new(bytes)),
            None => (field, text),
        }
    })))
}

#[cfg(test)]
mod tests {
    use domain::{CredentialId, Fingerprint, SecretPath};

    use super::*;

    fn encoded(form: Form, fields: &[(&str, &[u8])]) -> Result<Encoded, DriverError> {
        let value = map(fields);
        encode(&Delivery {
            at: &SecretPath::parse("a/b").unwrap(),
            credential: &CredentialId::parse("apic/acme/key").unwrap(),
            value: &value,
            form,
            fingerprint: Fingerprint([0; 32]),
            key: AttemptKey("rotation:3".to_owned()),
            replaces: None,
            environment: None,
        })
    }

    fn map(fields: &[(&str, &[u8])]) -> SecretMap {
        SecretMap::new(fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(value.to_vec()))))
    }

    fn kept(payload: &Payload) -> Kept {
        match payload {
            Payload::Text(text) => Kept { secret_string: Some(SecretText(text.duplicate())), secret_binary: None },
            Payload::Binary(text) => Kept { secret_string: None, secret_binary: Some(SecretText(text.duplicate())) },
        }
    }

    #[track_caller]
    fn check(form: Form, fields: &[(&str, &[u8])], shown: &str, version: &str) {
        let encoded = encoded(form, fields).unwrap();
        let text = match &encoded.payload {
            Payload::Text(text) => text.expose_text().unwrap().to_owned(),
            Payload::Binary(text) => format!("binary {}", text.expose_text().unwrap()),
        };
        assert_eq!((text.as_str(), encoded.version.as_str()), (shown, version));
        assert!((32..=64).contains(&version.len()) && is_ours(version));
        let back = decode(version, kept(&encoded.payload)).unwrap();
        let seen: Vec<(&str, &[u8])> = back.iter().map(|(field, value)| (field, value.expose())).collect();
        assert_eq!(seen, fields);
    }

    #[test]
    fn every_value_comes_back() {
        let id = encoded(Form::Fields, &[("a", b"b")]).unwrap().version;
        assert_eq!(id.len(), 40);
        check(
            Form::Fields,
            &[("client_id", b"id"), ("client_secret", b"s\"\n\xc3\xa4")],
            "{\"client_id\":\"id\",\"client_secret\":\"s\\\"\\nä\"}",
            &id,
        );
        check(Form::Fields, &[("key", b"\xff\x00")], "{\"key.base64\":\"/wA=\"}", &id);
        check(Form::Fields, &[("key.base64", b"x")], "{\"key.base64.base64\":\"eA==\"}", &id);
        check(Form::Fields, &[("empty", b"")], "{\"empty\":\"\"}", &id);
        check(Form::Document, &[("dotenv", b"A=1\nB=2\n")], "A=1\nB=2\n", &format!("{id}-dotenv"));
        check(Form::Document, &[("dotenv", b"{\"a\":\"b\"}")], "{\"a\":\"b\"}", &format!("{id}-dotenv"));
        check(Form::Document, &[("key", b"\xff\x00")], "binary /wA=", &format!("{id}-key"));
    }

    #[test]
    fn a_name_that_does_not_fit_is_left_out_and_nothing_is_guessed() {
        for field in ["a name with spaces", "a_name_of_more_than_23_bytes"] {
            let encoded = encoded(Form::Document, &[(field, b"{\"a\":\"b\"}")]).unwrap();
            assert!(encoded.version.ends_with('-') && is_ours(&encoded.version));
            assert!(decode(&encoded.version, kept(&encoded.payload)).is_none());
        }
    }

    #[test]
    fn what_others_wrote_is_read_where_it_is_plain() {
        let text = |text: &str| Kept { secret_string: Some(SecretText(Secret::from_text(text))), secret_binary: None };
        let uuid = "0192a3b4-0000-4000-8000-000000000001";
        assert!(!is_ours(uuid) && !is_ours("keyrota-by-hand-0000000000000000000000000000"));
        assert_eq!(decode(uuid, text("{\"a\":\"b\"}")).unwrap().get("a").unwrap().expose(), b"b");
        assert!(decode(uuid, text("bare")).is_none());
        assert_eq!(decode(uuid, text("{\"a\":1}")).unwrap().get("a").unwrap().expose(), b"1");
        let odd = decode(uuid, text("{\"a.base64\":\"no base64!\"}")).unwrap();
        assert_eq!(odd.get("a.base64").unwrap().expose(), b"no base64!");
        assert!(decode(uuid, text("[\"a\"]")).is_none());
    }

    #[test]
    fn limits_are_kept_and_name_no_secret() {
        let too_long = vec![b'x'; VALUE_BYTES_MAX + 1];
        let error = encoded(Form::Document, &[("a", &too_long)]).err().unwrap();
        assert!(error.kind == Kind::Invalid && error.message.contains("65537 bytes"), "{error}");
        assert!(encoded(Form::Document, &[("a", &too_long[1..])]).is_ok());
        let error = encoded(Form::Document, &[("a", b"")]).err().unwrap();
        assert!(error.message.contains("0 bytes"), "{error}");
        assert!(encoded(Form::Document, &[("a", b"1"), ("b", b"2")]).is_err());
    }
}
