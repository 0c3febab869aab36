//! The file as tables that know where they stand.

use std::{collections::BTreeMap, path::Path};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::{
    error::{ConfigError, Place, Problem},
    nearest::nearest,
};

/// Text and name of the file, for places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'t> {
    pub(super) file: &'t Path,
    pub(super) text: &'t str,
}

/// One table of the file, not yet typed.
pub(super) struct TableAt<'t> {
    /// As a person finds it: `[[policy]] "ninety-days"`.
    pub(super) label: String,
    pub(super) places: Places,
    table: Spanned<DeTable<'t>>,
}

/// Where a table and its keys stand.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    table: Place,
    keys: BTreeMap<String, Place>,
    /// Keys of tables within, by their dotted path: `login.path`.
    within: BTreeMap<String, Place>,
}

impl Places {
    /// Of the key, or of the table when the key is not written down.
    pub(crate) fn of(&self, key: &str) -> Place {
        self.keys.get(key).unwrap_or(&self.table).clone()
    }

    pub(crate) fn table(&self) -> Place {
        self.table.clone()
    }

    /// The key, or one within, that a dotted path names; of what is not written down, the table around it.
    pub(crate) fn named(&self, path: &str) -> Option<(String, Place)> {
        let place = self.keys.get(path).or_else(|| self.within.get(path));
        match place {
            Some(place) => Some((path.to_owned(), place.clone())),
            None => self.named(path.rsplit_once(['.', '['])?.0),
        }
    }
}

impl<'t> Document<'t> {
    pub(super) fn parse(self) -> Result<TableAt<'t>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let message = one_line(error.message());
            self.place(error.span()).says(Problem::Syntax { message })
        })?;
        Ok(self.table_at("the top level".to_owned(), table))
    }

    fn place(&self, span: Option<std::ops::Range<usize>>) -> Place {
        Place::of(self.file, self.text, span.map_or(0, |span| span.start))
    }

    fn table_at(&self, label: String, table: Spanned<DeTable<'t>>) -> TableAt<'t> {
        let keys =
            table.get_ref().iter().map(|(key, _)| (key.get_ref().to_string(), self.place(Some(key.span())))).collect();
        let mut within = BTreeMap::new();
        self.places_within("", table.get_ref(), &mut within);
        TableAt { label, places: Places { table: self.place(Some(table.span())), keys, within }, table }
    }

    fn places_within(&self, around: &str, table: &DeTable<'_>, places: &mut BTreeMap<String, Place>) {
        for (key, value) in table {
            let path = format!("{around}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.places_within(&format!("{path}."), inner, places);
            }
            if !around.is_empty() {
                places.insert(path, self.place(Some(key.span())));
            }
        }
    }

    /// Takes the list of tables `[[kind]]` out of the file.
    pub(super) fn take_list(&self, root: &mut TableAt<'t>, kind: &str) -> Result<Vec<TableAt<'t>>, ConfigError> {
        let Some(value) = root.table.get_mut().remove(kind) else { return Ok(Vec::new()) };
        let place = root.places.of(kind);
        let wrong = |message: String| {
            let problem = Problem::Value { key: kind.to_owned(), table: "the top level".to_owned(), message };
            place.clone().says(problem)
        };
        let items = match value.into_inner() {
            DeValue::Array(items) => items,
            DeValue::Table(_) => return Err(wrong(format!("it is a list: write [[{kind}]] with two brackets"))),
            other => return Err(wrong(format!("it must be tables [[{kind}]], not a {}", other.type_str()))),
        };
        let mut tables = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let span = item.span();
            let DeValue::Table(table) = item.into_inner() else {
                return Err(wrong(format!("it must be tables [[{kind}]]")));
            };
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let label = match name {
                Some(name) => format!("[[{kind}]] \"{name}\""),
                None => format!("[[{kind}]] number {}", index + 1),
            };
            tables.push(self.table_at(label, Spanned::new(span, table)));
        }
        Ok(tables)
    }

    /// Reads a table into its type. `also_known` are keys that somebody else reads, for suggestions.
    pub(super) fn read<T: DeserializeOwned>(&self, table: TableAt<'t>, also_known: &[&str]) -> Result<T, ConfigError> {
        let TableAt { label, places, table } = table;
        T::deserialize(Deserializer::from(table)).map_err(|error| {
            let at = error.span().map_or_else(|| places.table(), |span| self.place(Some(span)));
            match unknown_field(error.message()) {
                Some((key, mut known)) => {
                    known.extend(also_known.iter().map(|name| (*name).to_owned()));
                    at.says(unknown_key(key, label, known))
                }
                None => {
                    let key = at_key(&places, &at);
                    at.says(wrong_value(error.message(), &key, label))
                }
            }
        })
    }
}

impl<'t> TableAt<'t> {
    /// Splits off the keys that `wanted` names; the rest stays.
    pub(super) fn split(mut self, wanted: &[String]) -> (Self, Self) {
        let mut taken = DeTable::new();
        let span = self.table.span();
        for (key, value) in std::mem::take(self.table.get_mut()) {
            let is_wanted = wanted.iter().any(|name| name == key.get_ref());
            if is_wanted {
                taken.insert(key, value)
            } else {
                self.table.get_mut().insert(key, value)
            };
        }
        let taken = Self { label: self.label.clone(), places: self.places.clone(), table: Spanned::new(span, taken) };
        (taken, self)
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.table.get_ref().get("name").and_then(|name| name.get_ref().as_str())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.get_ref().iter().map(|(key, _)| key.get_ref().as_ref())
    }
}

pub(super) fn unknown_key(key: String, table: String, known: Vec<String>) -> Problem {
    let nearest = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
    Problem::UnknownKey { key, table, nearest, known }
}

/// The key of the table whose line an error stands on.
fn at_key(places: &Places, at: &Place) -> Option<String> {
    places.keys.iter().find(|(_, place)| place.line == at.line).map(|(key, _)| key.clone())
}

fn wrong_value(message: &str, key: &Option<String>, table: String) -> Problem {
    let message = without_values(&one_line(message));
    match key {
        _ if message.starts_with("missing field") => {
            Problem::Table { table, message: message.replacen("missing field", "it lacks the key", 1) }
        }
        Some(key) => Problem::Value { key: key.clone(), table, message },
        None => Problem::Table { table, message },
    }
}

/// Takes serde's word for an unknown field apart: the field, and those it knows.
pub(super) fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((quoted.next()?, quoted.collect()))
}

/// Serde quotes texts that have the wrong type (`invalid type: string "…"`). One of them may be a secret that stands in
/// the wrong place, so none is repeated.
pub(super) fn without_values(message: &str) -> String {
    let Some((before, after)) = message.split_once("string \"") else { return message.to_owned() };
    let rest = after.rsplit_once('"').map_or("", |(_, rest)| rest);
    format!("{before}a string{rest}")
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_file_are_not_repeated() {
        let message = "invalid type: string \"canary \\\"7\", expected a map";
        assert_eq!(without_values(message), "invalid type: a string, expected a map");
        assert_eq!(without_values("invalid type: integer `5`"), "invalid type: integer `5`");
    }
}
