//! A policy as it was written, checked.

use super::{capability::Capabilities, place::Place, problem::InvalidPolicy, read};

/// One policy text.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// As the text itself says; servers go by the name under which it is written.
    pub name: Option<String>,
    pub rules: Vec<Rule>,
}

/// One `path` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As it stands in the text: perhaps with a leading slash, perhaps with templates.
    pub pattern: String,
    pub at: Place,
    /// `None`: no word about capabilities at all.
    pub capabilities: Option<Capabilities>,
    /// More was written beside `deny`, or the old key `policy` was used: for the linter.
    pub(super) written: Written,
    /// The other keys, in the order of the text.
    pub conditions: Vec<Condition>,
}

/// How the capabilities were written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) beside_deny: bool,
    pub(super) old_word: bool,
}

/// A key of a rule beside its capabilities. Servers heed it with every call; a decision says that it is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub key: &'static str,
    pub at: Place,
    pub value: Value,
}

/// The value of a key, kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(String),
    Bool(bool),
    List(Vec<Value>),
    Map(Vec<ValueEntry>),
}

/// `key = value`, or `key "label" { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueEntry {
    pub key: String,
    pub label: Option<String>,
    pub value: Value,
}

impl Policy {
    /// Reads HCL, or JSON where the text begins with a brace.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        read::policy(text)
    }
}

impl Rule {
    /// What it grants; nothing where it says nothing.
    pub fn grants(&self) -> Capabilities {
        self.capabilities.unwrap_or_default()
    }

    pub(super) fn condition(&self, key: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.key == key)
    }
}
