//! The form in which an application reads a secret.

use std::{collections::BTreeMap, fmt};

use driver::Form;
use engine::FormTemplate;
use secret::{Secret, SecretMap};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    field_template::{Piece, pieces},
    nearest::nearest,
    tables::DeliverTable,
};

/// The field in which a store of fields keeps a document.
const DOCUMENT_FIELD: &str = "value";

/// What a destination's keys ask for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum FormConfig {
    /// Under the names that the application expects, each with its own text.
    Fields(Vec<(String, Vec<Piece>)>),
    /// One JSON document, its texts filled in.
    Json { field: String, document: Json },
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
        if let Some(name) =
            [&field].into_iter().chain(table.fields.iter().flatten().map(|(name, _)| name)).find(|it| !is_field(it))
        {
            return Err(format!("`{}` is not the name of a field", name.escape_debug()));
        }
        let form = if let Some(fields) = &table.fields {
            Self::Fields(filled(fields, "fields")?)
        } else if let Some(lines) = &table.dotenv {
            if let Some(name) = lines.keys().find(|name| !is_variable(name)) {
                return Err(format!("`{}` is not the name of an environment variable", name.escape_debug()));
            }
            Self::Dotenv { field, lines: filled(lines, "dotenv")? }
        } else if let Some(text) = &table.value {
            Self::Value { field, pieces: read("value", text)? }
        } else if let Some(document) = &table.json {
            Self::Json { field, document: Json::read("json", document)? }
        } else {
            return Ok(None);
        };
        if !form.texts().into_iter().flatten().any(Piece::is_field) {
            let name = names.first().map(String::as_str).unwrap_or_default();
            return Err(format!(
                "{name} names no field of the credential, such as `{{client_secret}}`: what it delivers would never change"
            ));
        }
        Ok(Some(form))
    }

    fn texts(&self) -> Vec<&[Piece]> {
        match self {
            Self::Fields(texts) | Self::Dotenv { lines: texts, .. } => {
                texts.iter().map(|(_, pieces)| pieces.as_slice()).collect()
            }
            Self::Json { document, .. } => document.texts(),
            Self::Value { pieces, .. } => vec![pieces],
        }
    }
}

/// A JSON document whose texts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Text(Vec<Piece>),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// A number, a truth value or null.
    Plain(Value),
}

impl Json {
    /// `place` is how a person finds it: `json.oauth.key`.
    fn read(place: &str, value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(read(place, text)?),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Self::Array(
                    items
                        .map(|(index, item)| Self::read(&format!("{place}[{index}]"), item))
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Object(members) => {
                let member = |(name, member): (&String, &Value)| {
                    Ok((name.clone(), Self::read(&format!("{place}.{}", name.escape_debug()), member)?))
                };
                Self::Object(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            plain => Self::Plain(plain.clone()),
        })
    }

    fn texts(&self) -> Vec<&[Piece]> {
        match self {
            Self::Text(pieces) => vec![pieces],
            Self::Array(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, member)| member.texts()).collect(),
            Self::Plain(_) => Vec::new(),
        }
    }
}

fn filled(texts: &BTreeMap<String, String>, key: &str) -> Result<Vec<(String, Vec<Piece>)>, String> {
    if texts.is_empty() {
        return Err(format!("`{key}` names no field"));
    }
    texts.iter().map(|(name, text)| Ok((name.clone(), read(&format!("{key}.{name}"), text)?))).collect()
}

fn read(place: &str, text: &str) -> Result<Vec<Piece>, String> {
    pieces(text).map_err(|invalid| format!("`{place}`: {invalid}"))
}

fn is_field(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains(char::is_control)
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

fn write_json(out: &mut Zeroizing<Vec<u8>>, value: &Json, secret: &SecretMap) -> Result<(), String> {
    let unwritten = |error: serde_json::Error| error.to_string();
    match value {
        Json::Text(pieces) => {
            let filled = text(pieces, secret)?;
            serde_json::to_writer(&mut **out, filled.as_str()).map_err(unwritten)
        }
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_json(out, item, secret)?;
            }
            out.push(b']');
            Ok(())
        }
        Json::Object(members) => {
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
        Json::Plain(plain) => serde_json::to_writer(&mut **out, plain).map_err(unwritten),
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
                Piece::Field { name, .. } => Some(format!("`{{{name}:base64}}`")),
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
            Piece::Field { name, base64 } => {
                let value = secret.get(name).ok_or_else(|| no_such_field(name, secret))?;
                out.extend_from_slice(&Piece::filled(value, *base64));
            }
        }
    }
    Ok(Secret::new(out.to_vec()))
}

fn no_such_field(field: &str, secret: &SecretMap) -> String {
    let known: Vec<String> = secret.iter().map(|(name, _)| format!("`{name}`")).collect();
    let meant = nearest(field, secret.iter().map(|(name, _)| name));
    let advice = meant.map(|meant| format!("; did you mean `{{{meant}}}`?")).unwrap_or_default();
    format!("there is no field `{field}`, only {}{advice}", known.join(", "))
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
            rendered("fields = { \"\" = \"{raw}\" }").unwrap_err(),
            rendered("value = \"{raw}\"\nfield = \" \"").unwrap_err(),
            rendered("json = { a = [\"{client_id}\", { b = \"{raw:hex}\" }] }").unwrap_err(),
        ];
        let expected = [
            "`{raw:base64}`",
            "did you mean `{client_secret}`?",
            "`dotenv` and `value`",
            "`1A`",
            "`` is not the name",
            "` ` is not the name",
            "`json.a[1].b`: `{raw:hex}`",
        ];
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("secret\""), "{said}");
        }
    }

    #[test]
    fn a_form_without_a_field_of_the_credential_is_refused() {
        for (form, key) in [
            ("value = \"\"", "value"),
            ("value = \"static\"", "value"),
            ("value = \"{{client_secret}}\"", "value"),
            ("fields = { URL = \"https://x\" }", "fields"),
            ("json = { n = 1, t = [\"x\"] }", "json"),
            ("dotenv = { A = \"x\" }", "dotenv"),
        ] {
            let error = rendered(form).unwrap_err();
            assert!(error.starts_with(&format!("`{key}` names no field of the credential")), "{form}: {error}");
        }
    }
}
