//! The part of people: what they are told, and what they hand over.

use std::collections::BTreeMap;

use domain::{Ask, Handle};
use driver::{DriverError, HandedOver, Kind};
use secret::{Secret, SecretMap};
use serde_json::Value;

use super::{
    config::{HandedOverTable, InstructionsTable},
    template::{Fillings, Place, Scope, Template},
};

/// Stands for an id that nobody knows yet.
const UNKNOWN_ID: &str = "(not known)";
/// A pair is short; a page or a dump is not one.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Sentences, a line each.
#[derive(Debug, Default)]
pub(super) struct Instructions {
    pub issue: Vec<Template>,
    pub revoke: Vec<Template>,
}

impl Instructions {
    pub(super) fn check(table: InstructionsTable, scope: &Scope) -> Result<Self, String> {
        let lines = |key: &str, lines: Vec<String>| {
            let line = |text: String| {
                let complain = |why: String| format!("`instructions.{key}` {why}");
                if text.trim().is_empty() {
                    return Err(complain("has an empty line".to_owned()));
                }
                let template = Template::parse(&text).map_err(complain)?;
                // Read by people, and sent by mail.
                template.check(scope, Place::Address).map_err(complain)?;
                Ok(template)
            };
            lines.into_iter().map(line).collect::<Result<Vec<_>, String>>()
        };
        Ok(Self { issue: lines("issue", table.issue)?, revoke: lines("revoke", table.revoke)? })
    }

    pub(super) fn tell<'a>(&'a self, ask: &Ask, fillings: Fillings<'a>, handle: Option<&'a Handle>) -> Vec<String> {
        let lines = match ask {
            Ask::Issue { .. } => &self.issue,
            Ask::Revoke { .. } => &self.revoke,
        };
        let fillings = fillings.public("id", handle.map_or(UNKNOWN_ID, Handle::as_str));
        // Every placeholder was checked when the configuration was read.
        lines.iter().filter_map(|line| line.fill(&fillings).ok()).collect()
    }
}

pub(super) fn check(table: &HandedOverTable) -> Result<(), String> {
    if !table.fields.contains(&table.handle) {
        return Err("`handed_over.handle` is none of its `fields`".to_owned());
    }
    if table.fields.iter().any(|field| field == table.handle.as_str()) && table.fields.len() < 2 {
        return Err("`handed_over.fields` has the public id alone, and no secret".to_owned());
    }
    Ok(())
}

/// Reads a JSON object, or lines of `name=value`. What else stands there is not looked at.
pub(super) fn read(table: &HandedOverTable, content: &Secret) -> Result<HandedOver, DriverError> {
    let text = content.expose_text().filter(|text| text.len() <= CONTENT_BYTES_MAX);
    let text = text.ok_or_else(|| wrong("it is not text, or far too long".to_owned()))?.trim();
    let found: BTreeMap<String, String> = if text.starts_with('{') {
        let object: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| {
            // The words of a parser quote what it met.
            wrong(format!("it begins like JSON and is none (line {}, column {})", error.line(), error.column()))
        })?;
        object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
    } else {
        text.lines().filter_map(line).collect()
    };
    let mut fields = Vec::with_capacity(table.fields.len());
    let mut id = None;
    for field in &table.fields {
        let value =
            found.get(field).ok_or_else(|| wrong(format!("it has no `{field}`; wanted are {}", wanted(table))))?;
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(wrong(format!("its `{field}` is empty, or has control characters")));
        }
        if *field == table.handle {
            id = Handle::parse(value).ok();
        }
        fields.push((field.clone(), Secret::from_text(value.as_str())));
    }
    let handle = id.ok_or_else(|| wrong(format!("its `{}` cannot be an id", table.handle)))?;
    Ok(HandedOver { handle, secret: SecretMap::new(fields), expires_at: None })
}

/// `export` in front and quotes around are as people paste them.
fn line(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (name, value) = text.strip_prefix("export ").unwrap_or(text).split_once('=')?;
    let value = value.trim();
    let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some((name.trim().to_owned(), bare.unwrap_or(value).to_owned()))
}

fn wanted(table: &HandedOverTable) -> String {
    let fields: Vec<String> = table.fields.iter().map(|field| format!("`{field}`")).collect();
    format!("{} as a JSON object or as lines of name=value", fields.join(", "))
}

fn wrong(why: String) -> DriverError {
    DriverError::refused(Kind::Invalid, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<(String, Vec<(String, String)>), String> {
        let fields = vec!["client_id".to_owned(), "client_secret".to_owned()];
        let table = HandedOverTable { fields, handle: "client_id".to_owned() };
        let over = read(&table, &Secret::from_text(text)).map_err(|error| error.message)?;
        let field = |(name, value): (&str, &Secret)| (name.to_owned(), value.expose_text().unwrap().to_owned());
        Ok((over.handle.to_string(), over.secret.iter().map(field).collect()))
    }

    #[test]
    fn a_pair_comes_as_json_or_as_lines() {
        for text in [
            r#"{"client_id": "id-1", "client_secret": "s=1", "note": 7}"#,
            "client_id=id-1\nclient_secret=s=1\n",
            "# from the portal\n\nexport client_id=\"id-1\"\n client_secret = 's=1' \nother=x",
        ] {
            let (handle, fields) = read_text(text).unwrap();
            assert_eq!(handle, "id-1");
            let pair = [("client_id", "id-1"), ("client_secret", "s=1")];
            assert_eq!(fields, pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }

    #[test]
    fn what_lacks_is_named_and_nothing_is_quoted() {
        let check = |text: &str, expected: &str| {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        };
        check("client_id=canary", "no `client_secret`");
        check("client_id=canary\nclient_secret=\n", "`client_secret` is empty");
        check(r#"{"client_id": "canary""#, "line 1");
        check(r#"{"client_id": ["canary"], "client_secret": "canary"}"#, "no `client_id`");
        check("client_id=a/../canary\nclient_secret=x\n", "cannot be an id");
    }
}
