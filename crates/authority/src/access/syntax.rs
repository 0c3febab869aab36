//! Values and entries, before anybody knows what they mean: one tree for HCL and for JSON.

use super::{
    place::Place,
    problem::{InvalidPolicy, Problem},
    token::{Token, Word, tokens},
};

/// A policy with more is generated, and by mistake.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// Real policies stay under six; recursion must end somewhere.
const DEPTH_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text(String),
    Number(String),
    Bool(bool),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// `key = value`, `key "label" { … }` or `"key": value`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) label: Option<String>,
    pub(super) at: Place,
    pub(super) value: Node,
}

/// The two ways to write a policy down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Hcl,
    Json,
}

/// Entries of the top level. The form is told by the first character, as Vault tells it.
pub(super) fn parse(text: &str) -> Result<(Form, Vec<Entry>), InvalidPolicy> {
    let start = Place { line: 1, column: 1 };
    if text.trim().is_empty() {
        return Err(Problem::Empty.at(start));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(Problem::TooLong { bytes: text.len(), max: TEXT_BYTES_MAX }.at(start));
    }
    let form = if text.trim_start().starts_with('{') { Form::Json } else { Form::Hcl };
    let mut parser = Parser { tokens: tokens(text, form == Form::Hcl)?.into_iter().peekable(), form, end: start };
    let entries = match form {
        Form::Hcl => parser.hcl_entries(0, &Word::End)?,
        Form::Json => {
            parser.next();
            let entries = parser.json_entries(0)?;
            parser.expect(&Word::End, "the end of the text")?;
            entries
        }
    };
    Ok((form, entries))
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    form: Form,
    end: Place,
}

impl Parser {
    fn next(&mut self) -> Token {
        let token = self.tokens.next().unwrap_or(Token { word: Word::End, at: self.end });
        self.end = token.at;
        token
    }

    fn next_is(&mut self, word: &Word) -> bool {
        self.tokens.peek().is_none_or(|token| token.word == *word)
    }

    fn take(&mut self, word: &Word) -> bool {
        let is_next = self.tokens.peek().is_some_and(|token| token.word == *word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, word: &Word, expected: &'static str) -> Result<(), InvalidPolicy> {
        let token = self.next();
        if token.word == *word { Ok(()) } else { Err(unexpected(&token, expected)) }
    }

    /// Up to and with the word that closes.
    fn hcl_entries(&mut self, depth: usize, closing: &Word) -> Result<Vec<Entry>, InvalidPolicy> {
        let mut entries = Vec::new();
        while !self.next_is(closing) {
            entries.push(self.hcl_entry(depth)?);
            self.take(&Word::Comma);
        }
        self.next();
        Ok(entries)
    }

    fn hcl_entry(&mut self, depth: usize) -> Result<Entry, InvalidPolicy> {
        let first = self.next();
        let at = first.at;
        let key = match first.word {
            Word::Name(name) | Word::Text(name) => name,
            _ => return Err(unexpected(&first, "a key")),
        };
        let after = self.next();
        let (label, value) = match after.word {
            Word::Assign => (None, self.value(depth)?),
            Word::Open => (None, self.hcl_map(after.at, depth)?),
            Word::Text(label) | Word::Name(label) => {
                let open = self.next();
                if open.word != Word::Open {
                    return Err(unexpected(&open, "`{`"));
                }
                (Some(label), self.hcl_map(open.at, depth)?)
            }
            _ => return Err(unexpected(&after, "`=` or `{`")),
        };
        Ok(Entry { key, label, at, value })
    }

    fn hcl_map(&mut self, at: Place, depth: usize) -> Result<Node, InvalidPolicy> {
        let depth = deeper(depth, at)?;
        Ok(Node { at, kind: Kind::Map(self.hcl_entries(depth, &Word::Close)?) })
    }

    fn json_entries(&mut self, depth: usize) -> Result<Vec<Entry>, InvalidPolicy> {
        let mut entries = Vec::new();
        if self.take(&Word::Close) {
            return Ok(entries);
        }
        loop {
            let first = self.next();
            let Word::Text(key) = first.word else { return Err(unexpected(&first, "a key in quotes")) };
            self.expect(&Word::Colon, "`:`")?;
            let value = self.value(depth)?;
            entries.push(Entry { key, label: None, at: first.at, value });
            if !self.take(&Word::Comma) {
                self.expect(&Word::Close, "`,` or `}`")?;
                return Ok(entries);
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, InvalidPolicy> {
        let token = self.next();
        let at = token.at;
        let kind = match token.word {
            Word::Text(text) => Kind::Text(text),
            Word::Number(number) => Kind::Number(number),
            Word::Name(ref name) if name == "true" => Kind::Bool(true),
            Word::Name(ref name) if name == "false" => Kind::Bool(false),
            Word::OpenList => Kind::List(self.list(deeper(depth, at)?)?),
            Word::Open if self.form == Form::Hcl => return self.hcl_map(at, depth),
            Word::Open => Kind::Map(self.json_entries(deeper(depth, at)?)?),
            _ => return Err(unexpected(&token, "a text in quotes, a number, true, false, `[` or `{`")),
        };
        Ok(Node { at, kind })
    }

    /// HCL takes a comma after the last one.
    fn list(&mut self, depth: usize) -> Result<Vec<Node>, InvalidPolicy> {
        let mut nodes = Vec::new();
        if self.take(&Word::CloseList) {
            return Ok(nodes);
        }
        loop {
            nodes.push(self.value(depth)?);
            let comma = self.take(&Word::Comma);
            let may_end = !comma || self.form == Form::Hcl;
            if may_end && self.take(&Word::CloseList) {
                return Ok(nodes);
            }
            if !comma {
                return Err(unexpected(&self.next(), "`,` or `]`"));
            }
        }
    }
}

fn deeper(depth: usize, at: Place) -> Result<usize, InvalidPolicy> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(Problem::TooDeep { max: DEPTH_MAX }.at(at)) }
}

fn unexpected(token: &Token, expected: &'static str) -> InvalidPolicy {
    Problem::Unexpected { found: token.word.describe(), expected }.at(token.at)
}
