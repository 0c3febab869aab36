//! The form in which an application reads a secret.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use driver::Form;
use engine::FormTemplate;
use secret::{Secret, SecretMap};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    field_template::{Piece, pieces},
    tables::DeliverTable,
};

/// The field in which a store of fields keeps a document.
const DOCUMENT_FIELD: &str = "value";
/// `{client_secret:base64}`
const BASE64: &str = ":base64";

/// What a destination's keys ask for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum FormConfig {
    /// Under the names that the application expects, each with its own text.
    Fields(Vec<(String, Vec<Piece>)>),
    /// One JSON document, its texts filled in.
    Json { field: String, document: Value },
    /// Lines of `NAME="value"`.
    Dotenv { field: String, lines: Vec<(String, Vec<Piece>)> },
    /// One text or one field's bytes, bare.
    Value { field: String, pieces: Vec<Piece> },
}

impl FormConfig {
    /// `None`: no form is asked for, and the platform's own fields go as they are.
    pub(super) fn check(table: &DeliverTable) -> Result<Option<Self>, String> {
        let asked = [
            ("fields", table.fields.is_some()),
            ("json", table.json.is_some()),
            ("dotenv", table.dotenv.is_some()),
            ("value", table.value.is_some()),
        ];
        let names: Vec<String> = asked.iter().filter(|(_, is)| *is).map(|(name, _)| format!("`{name}`")).collect();
        if names.len() > 1 {
            return Err(format!("a destination has one form, and this one has {}", names.join(" and ")));
        }
        if table.field.is_some() && (table.fields.is_some() || names.is_empty()) {
            return Err("`field` names where a document is kept; it goes with `json`, `dotenv` or `value`".to_owned());
        }
        let field = table.field.clone().unwrap_or_else(|| DOCUMENT_FIELD.to_owned());
        if let Some(fields) = &table.fields {
            return filled(fields, "fields").map(|fields| Some(Self::Fields(fields)));
        }
        if let Some(lines) = &table.dotenv {
            if let Some(name) = lines.keys().find(|name| !is_variable(name)) {
                return Err(format!("`{}` is not the name of an environment variable", name.escape_debug()));
            }
            return filled(lines, "dotenv").map(|lines| Some(Self::Dotenv { field, lines }));
        }
        if let Some(text) = &table.value {
            return Ok(Some(Self::Value { field, pieces: self::pieces(text) }));
        }
        Ok(table.json.clone().map(|document| Self::Json { field, document }))
    }
}

fn filled(texts: &BTreeMap<String, String>, key: &str) -> Result<Vec<(String, Vec<Piece>)>, String> {
    if texts.is_empty() {
        return Err(format!("`{key}` names no field"));
    }
    Ok(texts.iter().map(|(name, text)| (name.clone(), pieces(text))).collect())
}

fn is_variable(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl FormTemplate for FormConfig {
    fn in_full(&self) -> String {
        match self {
            Self::Fields(fields) => format!("fields {fields:?}"),
            Self::Json { field, document } => format!("json {field:?} {document:?}"),
            Self::Dotenv { field, lines } => format!("dotenv {field:?} {lines:?}"),
            Self::Value { field, pieces } => format!("value {field:?} {pieces:?}"),
        }
    }

    fn render(&self, secret: &SecretMap) -> Result<(SecretMap, Form), String> {
        match self {
            Self::Fields(fields) => {
                let field = |(name, pieces): &(String, Vec<Piece>)| Ok((name.clone(), bytes(pieces, secret)?));
                let fields: Result<Vec<_>, String> = fields.iter().map(field).collect();
                Ok((SecretMap::new(fields?), Form::Fields))
            }
            Self::Value { field, pieces } => Ok(document(field, bytes(pieces, secret)?)),
            Self::Dotenv { field, lines } => {
                let mut out = Zeroizing::new(String::new());
                for (name, pieces) in lines {
                    let value = text(pieces, secret)?;
                    out.push_str(name);
                    out.push_str("=\"");
                    value.chars().for_each(|c| push_quoted(&mut out, c));
                    out.push_str("\"\n");
                }
                Ok(document(field, Secret::from_text(out.as_str())))
            }
            Self::Json { field, document: json } => {
                let mut out = Zeroizing::new(Vec::new());
                write_json(&mut out, json, secret)?;
                Ok(document(field, Secret::new(out.to_vec())))
            }
        }
    }
}

fn document(field: &str, content: Secret) -> (SecretMap, Form) {
    (SecretMap::new([(field.to_owned(), content)]), Form::Document)
}

/// As shells and dotenv readers understand a double-quoted value.
fn push_quoted(out: &mut String, c: char) {
    match c {
        '"' | '\\' | '$' | '`' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c => out.push(c),
    }
}

fn write_json(out: &mut Zeroizing<Vec<u8>>, value: &Value, secret: &SecretMap) -> Result<(), String> {
    let unwritten = |error: serde_json::Error| error.to_string();
    match value {
        Value::String(template) => {
            let filled = text(&pieces(template), secret)?;
            serde_json::to_writer(&mut **out, filled.as_str()).map_err(unwritten)
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_json(out, item, secret)?;
            }
            out.push(b']');
            Ok(())
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, member)) in members.iter().enumerate() {
                separate(out, index);
                serde_json::to_writer(&mut **out, name).map_err(unwritten)?;
                out.push(b':');
                write_json(out, member, secret)?;
            }
            out.push(b'}');
            Ok(())
        }
        plain => serde_json::to_writer(&mut **out, plain).map_err(unwritten),
    }
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn text(pieces: &[Piece], secret: &SecretMap) -> Result<Zeroizing<String>, String> {
    let filled = bytes(pieces, secret)?;
    match filled.expose_text() {
        Some(text) => Ok(Zeroizing::new(text.to_owned())),
        None => {
            let fields = pieces.iter().filter_map(|piece| match piece {
                Piece::Field(field) => Some(format!("`{{{field}{BASE64}}}`")),
                Piece::Text(_) => None,
            });
            let advice: Vec<String> = fields.collect();
            Err(format!("a field is not text, and this form is; write {}", advice.join(", ")))
        }
    }
}

fn bytes(pieces: &[Piece], secret: &SecretMap) -> Result<Secret, String> {
    let mut out = Zeroizing::new(Vec::new());
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Field(name) => {
                let (field, encoded) = name.strip_suffix(BASE64).map_or((name.as_str(), false), |field| (field, true));
                let value = secret.get(field).ok_or_else(|| no_such_field(field, secret))?;
                if encoded {
                    out.extend_from_slice(Zeroizing::new(STANDARD.encode(value.expose())).as_bytes());
                } else {
                    out.extend_from_slice(value.expose());
                }
            }
        }
    }
    Ok(Secret::new(out.to_vec()))
}

fn no_such_field(field: &str, secret: &SecretMap) -> String {
    let known: Vec<String> = secret.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("there is no field `{field}`, only {}", known.join(", "))
}

/// A template may hold constants that are nobody's business.
impl fmt::Debug for FormConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fields(_) => "FormConfig(fields)",
            Self::Json { .. } => "FormConfig(json)",
            Self::Dotenv { .. } => "FormConfig(dotenv)",
            Self::Value { .. } => "FormConfig(value)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretMap {
        SecretMap::new([
            ("client_id".to_owned(), Secret::from_text("an id")),
            ("client_secret".to_owned(), Secret::from_text("a \"$\n\\ secret")),
            ("raw".to_owned(), Secret::new(vec![0xff, 0, 1])),
        ])
    }

    fn rendered(toml: &str) -> Result<(SecretMap, Form), String> {
        let text = format!("store = \"s\"\npath = \"p\"\n{toml}");
        let table: DeliverTable = toml::from_str(&text).unwrap();
        FormConfig::check(&table)?.unwrap().render(&secret())
    }

    fn shown(map: &SecretMap) -> Vec<(String, Vec<u8>)> {
        map.iter().map(|(name, value)| (name.to_owned(), value.expose().to_vec())).collect()
    }

    fn document_of(toml: &str) -> String {
        let (map, form) = rendered(toml).unwrap();
        assert_eq!(form, Form::Document);
        String::from_utf8(shown(&map).remove(0).1).unwrap()
    }

    #[test]
    fn fields_take_the_names_that_the_application_expects() {
        let (map, form) =
            rendered("fields = { API_ID = \"{client_id}\", URL = \"https://x\", RAW = \"{raw}\" }").unwrap();
        assert_eq!(form, Form::Fields);
        let expected = [("API_ID", b"an id".to_vec()), ("RAW", vec![0xff, 0, 1]), ("URL", b"https://x".to_vec())];
        assert_eq!(shown(&map), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn a_json_document_stays_json_whatever_the_secret_holds() {
        let text = document_of(
            "json = { oauth = { id = \"{client_id}\", key = \"{client_secret}\" }, raw = \"{raw:base64}\", n = [1, true] }",
        );
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["oauth"]["key"], "a \"$\n\\ secret");
        assert_eq!((&json["raw"], &json["n"]), (&Value::from("/wAB"), &serde_json::json!([1, true])));
    }

    #[test]
    fn dotenv_quotes_what_a_shell_would_read() {
        let text = document_of("dotenv = { ID = \"{client_id}\", KEY = \"{client_secret}\" }");
        assert_eq!(text, "ID=\"an id\"\nKEY=\"a \\\"\\$\\n\\\\ secret\"\n");
    }

    #[test]
    fn a_single_value_keeps_its_bytes() {
        let (map, form) = rendered("value = \"{raw}\"\nfield = \"key.der\"").unwrap();
        assert_eq!((form, shown(&map)), (Form::Document, vec![("key.der".to_owned(), vec![0xff, 0, 1])]));
    }

    #[test]
    fn what_does_not_fit_is_said_without_the_secret() {
        let said = [
            rendered("dotenv = { RAW = \"{raw}\" }").unwrap_err(),
            rendered("value = \"{client_sceret}\"").unwrap_err(),
            rendered("value = \"x\"\ndotenv = { A = \"x\" }").unwrap_err(),
            rendered("dotenv = { \"1A\" = \"x\" }").unwrap_err(),
        ];
        let expected = ["`{raw:base64}`", "no field `client_sceret`", "`dotenv` and `value`", "`1A`"];
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("secret\""), "{said}");
        }
    }
}
