//! From a delivery to the bytes of an age file.

use std::{collections::BTreeMap, io::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::{Delivery, DriverError, Kind};
use secret::Secret;
use serde::{Serialize, Serializer};

/// Who can open the files. Never empty.
#[derive(Clone)]
pub(crate) struct Recipients(Vec<age::x25519::Recipient>);

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recipients({})", self.0.len())
    }
}

impl Recipients {
    pub(crate) fn parse(lines: &[String]) -> Result<Self, String> {
        if lines.is_empty() {
            return Err("no recipient: name a public key in `recipients` or in a `recipients_file`".to_owned());
        }
        let parse = |line: &String| {
            // What stands there may be a secret key by mistake: it is not repeated.
            line.parse().map_err(|_| "a recipient is not an age public key, which begins with `age1`".to_owned())
        };
        lines.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    credential: &'a str,
    path: &'a str,
    data: BTreeMap<String, Value<'a>>,
}

/// A field as it stands in the document.
struct Value<'a>(&'a Secret, Encoding);

#[derive(Clone, Copy)]
enum Encoding {
    Text,
    Base64,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.1, self.0.expose_text()) {
            (Encoding::Text, Some(text)) => serializer.serialize_str(text),
            _ => serializer.serialize_str(&STANDARD.encode(self.0.expose())),
        }
    }
}

/// A field that is not text is kept in base64 under its name with this ending. So is a field that has the ending
/// itself, so that no two deliveries look alike.
const BASE64: &str = ".base64";
/// Room for the punctuation and the names in a document; the values are counted.
const DOCUMENT_BYTES: usize = 4096;
/// One byte of a value takes six at most, as `\u001f`.
const ESCAPED_BYTES_MAX: usize = 6;

/// The JSON document of a delivery, encrypted.
pub(crate) fn seal(delivery: &Delivery<'_>, recipients: &Recipients) -> Result<Vec<u8>, DriverError> {
    let plain = document(delivery)?;
    let failed = |error: &dyn std::fmt::Display| DriverError::refused(Kind::Protocol, format!("age: {error}"));
    let each = recipients.0.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(each).map_err(|error| failed(&error))?;
    let mut sealed = Vec::new();
    encryptor
        .wrap_output(&mut sealed)
        .and_then(|mut writer| {
            writer.write_all(plain.expose())?;
            writer.finish().map(|_| ())
        })
        .map_err(|error| failed(&error))?;
    Ok(sealed)
}

fn document(delivery: &Delivery<'_>) -> Result<Secret, DriverError> {
    let mut data = BTreeMap::new();
    let mut bytes = DOCUMENT_BYTES + delivery.at.as_str().len() + delivery.credential.as_str().len();
    for (field, value) in delivery.value.iter() {
        let is_plain = value.expose_text().is_some() && !field.ends_with(BASE64);
        let (name, encoding) = match is_plain {
            true => (field.to_owned(), Encoding::Text),
            false => (format!("{field}{BASE64}"), Encoding::Base64),
        };
        bytes += (name.len() + value.expose().len()) * ESCAPED_BYTES_MAX;
        data.insert(name, Value(value, encoding));
    }
    let document = Document { credential: delivery.credential.as_str(), path: delivery.at.as_str(), data };
    // Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
    let mut plain = Vec::with_capacity(bytes);
    serde_json::to_writer_pretty(&mut plain, &document)
        .map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
    Ok(Secret::new(plain))
}
