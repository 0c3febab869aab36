//! Secrets that a person hands in: on standard input, never as an argument.

use std::io::Read as _;

use secret::{Secret, SecretMap};
use zeroize::Zeroizing;

use crate::complaint::{Code, Complaint};

/// A secret document larger than this is a mistake.
const BYTES_MAX: u64 = 64 * 1024;

/// One line, for example a one-time code.
pub(crate) fn line_from_stdin() -> Result<Zeroizing<String>, Complaint> {
    let mut line = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(BYTES_MAX).read_to_string(&mut line);
    read.map_err(|error| Complaint::new(Code::Input, "standard input cannot be read").cause(error.to_string()))?;
    Ok(line)
}

/// One JSON object of text fields, for example `{"client_id": "…", "client_secret": "…"}`.
pub(crate) fn secret_from_stdin() -> Result<SecretMap, Complaint> {
    let unusable = |cause: String| {
        Complaint::new(Code::Input, "standard input holds no secret that could be taken over")
            .cause(cause)
            .state("nothing was changed")
            .hint("give one JSON object with the platform's field names, for example client_id and client_secret")
    };
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(BYTES_MAX).read_to_end(&mut bytes).map_err(|error| unusable(error.to_string()))?;
    // The parser's own message may quote what it read.
    let fields: std::collections::BTreeMap<String, Zeroizing<String>> =
        serde_json::from_slice(&bytes).map_err(|_| unusable("it is not one JSON object of texts".to_owned()))?;
    if fields.is_empty() {
        return Err(unusable("the object is empty".to_owned()));
    }
    Ok(SecretMap::new(fields.into_iter().map(|(name, value)| (name, Secret::from_text(value.as_str())))))
}
