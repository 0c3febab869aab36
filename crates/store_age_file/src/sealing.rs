//! From a delivery to the bytes of an age file.

use std::{collections::BTreeMap, io::Write as _};

use driver::{Delivery, DriverError, Kind};
use secret::Secret;
use serde::Serialize;

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
    data: BTreeMap<&'a str, &'a str>,
}

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
        let text = value.expose_text().ok_or_else(|| {
            DriverError::refused(Kind::Invalid, format!("field `{field}` is not text, which a JSON document needs"))
        })?;
        bytes += (field.len() + text.len()) * ESCAPED_BYTES_MAX;
        data.insert(field, text);
    }
    let document = Document { credential: delivery.credential.as_str(), path: delivery.at.as_str(), data };
    // Large enough from the start: a growing buffer would leave copies behind that nobody wipes.
    let mut plain = Vec::with_capacity(bytes);
    serde_json::to_writer_pretty(&mut plain, &document)
        .map_err(|error| DriverError::refused(Kind::Invalid, error.to_string()))?;
    Ok(Secret::new(plain))
}
