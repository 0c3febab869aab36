//! Texts with fields of a secret to fill in: `{client_id}`, and `{key:base64}` for what is not text. A brace that is
//! meant is written twice.
//!
//! Whatever looks like a field and is none is refused when the file is read: delivered as it stands, it would take the
//! place of a secret that works.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secret::Secret;
use zeroize::Zeroizing;

use super::nearest::nearest;

const BASE64: &str = "base64";
/// What is wrong is shown if it may be a name with something around it. Anything else may be a secret, and is not.
const SHOWN_CHARS_MAX: usize = 64;

/// One part of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field { name: String, base64: bool },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidText {
    #[error("a `{{` has no `}}`; {USAGE}")]
    Unclosed,
    #[error("a `}}` has no `{{`; {USAGE}")]
    Unopened,
    #[error("what stands between a `{{` and its `}}` is no field; {USAGE}")]
    NoField,
    #[error("`{{{written}}}` is no field; did you mean `{{{meant}}}`? {USAGE}")]
    NearlyField { written: String, meant: String },
    #[error("`{{{field}:{encoding}}}` asks for an encoding that there is not; {}", known_encodings(.field, .encoding))]
    Encoding { field: String, encoding: String },
    #[error("`${{{field}}}` would be delivered with its `$`; write `{{{field}}}`")]
    Dollar { field: String },
}

const USAGE: &str = "a field is `{client_secret}`, or `{client_secret:base64}` for what is not text, and braces that are meant are `{{` \
     and `}}`";

impl Piece {
    /// The bytes that stand for a field.
    pub(super) fn filled(value: &Secret, base64: bool) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(if base64 { STANDARD.encode(value.expose()).into_bytes() } else { value.expose().to_vec() })
    }

    pub(super) fn is_field(&self) -> bool {
        matches!(self, Self::Field { .. })
    }
}

/// Splits a text at its fields.
pub(super) fn pieces(value: &str) -> Result<Vec<Piece>, InvalidText> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from_brace) = rest.split_at(at);
        text.push_str(before);
        rest = if let Some(after) = from_brace.strip_prefix("{{") {
            text.push('{');
            after
        } else if let Some(after) = from_brace.strip_prefix("}}") {
            text.push('}');
            after
        } else if let Some(inner) = from_brace.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').ok_or(InvalidText::Unclosed)?;
            let field = field(inner)?;
            if before.ends_with('$') {
                return Err(InvalidText::Dollar { field: inner.to_owned() });
            }
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(field);
            after
        } else {
            return Err(InvalidText::Unopened);
        };
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

fn field(inner: &str) -> Result<Piece, InvalidText> {
    let (name, encoding) = inner.split_once(':').map_or((inner, None), |(name, encoding)| (name, Some(encoding)));
    if is_name(name) {
        return match encoding {
            None => Ok(Piece::Field { name: name.to_owned(), base64: false }),
            Some(BASE64) => Ok(Piece::Field { name: name.to_owned(), base64: true }),
            Some(encoding) if encoding.len() <= SHOWN_CHARS_MAX && !encoding.contains(char::is_control) => {
                Err(InvalidText::Encoding { field: name.to_owned(), encoding: encoding.to_owned() })
            }
            Some(_) => Err(InvalidText::NoField),
        };
    }
    let meant: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
    let may_show = inner.len() <= SHOWN_CHARS_MAX && !inner.contains(char::is_control);
    Err(match may_show && meant != inner && field(&meant).is_ok() {
        true => InvalidText::NearlyField { written: inner.to_owned(), meant },
        false => InvalidText::NoField,
    })
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn known_encodings(field: &str, encoding: &str) -> String {
    match nearest(&encoding.trim().to_ascii_lowercase(), [BASE64]) {
        Some(known) => format!("did you mean `{{{field}:{known}}}`?"),
        None => format!("allowed are `{{{field}}}` and `{{{field}:{BASE64}}}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Field { name, base64: false } => format!("<{name}>"),
            Piece::Field { name, base64: true } => format!("<{name} in base64>"),
        };
        let seen = match pieces(text) {
            Ok(pieces) => pieces.into_iter().map(shown).collect(),
            Err(error) => error.to_string().replace(USAGE, "…"),
        };
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn fields_are_found_and_doubled_braces_stand_for_themselves() {
        check("", "");
        check("no field", "no field");
        check("{client_id} and {client-id.2:base64}", "<client_id> and <client-id.2 in base64>");
        check("{{client_id}}", "{client_id}");
        check("{{{client_id}}}", "{<client_id>}");
        check(r#"{{"id":"{client_id}"}}"#, r#"{"id":"<client_id>"}"#);
    }

    #[test]
    fn what_is_nearly_a_field_is_refused_with_what_is_meant() {
        check(
            "{client_secret:hex}",
            "`{client_secret:hex}` asks for an encoding that there is not; allowed are `{client_secret}` and `{client_secret:base64}`",
        );
        check(
            "{client_secret:BASE64}",
            "`{client_secret:BASE64}` asks for an encoding that there is not; did you mean `{client_secret:base64}`?",
        );
        check("{ client_secret }", "`{ client_secret }` is no field; did you mean `{client_secret}`? …");
        check("${client_secret}", "`${client_secret}` would be delivered with its `$`; write `{client_secret}`");
        check("{client_secret", "a `{` has no `}`; …");
        check("client_secret}", "a `}` has no `{`; …");
        check("{}", "what stands between a `{` and its `}` is no field; …");
    }

    #[test]
    fn a_text_that_may_be_secret_is_not_shown() {
        for text in [r#"{"password":"canary"}"#, "{canary!}", "canary {", "{canary"] {
            let error = pieces(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
