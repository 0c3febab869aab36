//! Between our fields and the server's JSON object of strings, both ways without loss.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{DriverError, Kind};
use secret::{Secret, SecretMap};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

/// Bytes that are not UTF-8 stand in base64 in a field of this suffix. A field whose own name ends so is written the
/// same way, so that no two maps look alike.
const BASE64: &str = ".base64";

/// The body of a write. No Debug: it holds the value.
#[derive(Serialize)]
pub(super) struct WriteBody<'a> {
    data: Fields<'a>,
    options: Options,
}

#[derive(Serialize)]
struct Options {
    cas: u64,
}

struct Fields<'a>(&'a SecretMap);

impl<'a> WriteBody<'a> {
    /// `cas`: the version that must be the newest one, counting those that were deleted; 0: none.
    pub(super) fn new(value: &'a SecretMap, cas: u64) -> Result<Self, DriverError> {
        // The server would take it and readers would find a version without a value.
        if value.is_empty() {
            return Err(DriverError::refused(Kind::Invalid, "there is no field to write"));
        }
        Ok(Self { data: Fields(value), options: Options { cas } })
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, secret) in self.0.iter() {
            match secret.expose_text().filter(|_| !name.ends_with(BASE64)) {
                Some(text) => map.serialize_entry(name, text)?,
                None => map.serialize_entry(&format!("{name}{BASE64}"), &STANDARD.encode(secret.expose()))?,
            }
        }
        map.end()
    }
}

/// What a reader finds. A value that is no string, as only others write, is taken as its JSON text.
pub(super) fn read(data: BTreeMap<String, Value>) -> SecretMap {
    SecretMap::new(data.into_iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let decoded = name.strip_suffix(BASE64).and_then(|bare| Some((bare.to_owned(), STANDARD.decode(&text).ok()?)));
        match decoded {
            Some((bare, bytes)) => (bare, Secret::new(bytes)),
            None => (name, Secret::from_text(text)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &[u8])]) -> SecretMap {
        SecretMap::new(fields.iter().map(|(name, bytes)| ((*name).to_owned(), Secret::new(bytes.to_vec()))))
    }

    #[track_caller]
    fn check(fields: &[(&str, &[u8])], json: &str) {
        let value = map(fields);
        let body = serde_json::to_value(WriteBody::new(&value, 3).unwrap_or_else(|error| panic!("{error}"))).unwrap();
        assert_eq!(
            body,
            serde_json::from_str::<Value>(&format!(r#"{{"data":{json},"options":{{"cas":3}}}}"#)).unwrap()
        );
        let back = read(serde_json::from_str(json).unwrap());
        let fields: BTreeMap<_, _> = value.iter().map(|(name, secret)| (name, secret.expose())).collect();
        assert_eq!(back.iter().map(|(name, secret)| (name, secret.expose())).collect::<BTreeMap<_, _>>(), fields);
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        check(&[("client_id", b"id"), ("note", "ä\0\n".as_bytes())], r#"{"client_id":"id","note":"ä\u0000\n"}"#);
        check(&[("key", b"\xff\x00")], r#"{"key.base64":"/wA="}"#);
        check(&[("key.base64", b"text")], r#"{"key.base64.base64":"dGV4dA=="}"#);
        check(&[("key", b"\xff"), ("key.base64", b"x")], r#"{"key.base64":"/w==","key.base64.base64":"eA=="}"#);
    }

    #[test]
    fn what_others_wrote_is_taken_as_it_stands() {
        let back = read(serde_json::from_str(r#"{"port":5432,"note.base64":"not base64!"}"#).unwrap());
        assert_eq!(back.get("port").and_then(Secret::expose_text), Some("5432"));
        assert_eq!(back.get("note.base64").and_then(Secret::expose_text), Some("not base64!"));
    }

    #[test]
    fn nothing_is_never_written() {
        assert!(WriteBody::new(&SecretMap::default(), 0).is_err());
    }
}
