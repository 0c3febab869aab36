//! Units: what is written together or not at all.

use std::borrow::Cow;

use crate::Value;

/// A list of statements, applied in order, all or nothing. Nothing can wait or compute between them: read first, then
/// write a unit whose statements check what was read.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    pub(crate) statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) values: Vec<Value>,
    pub(crate) rows: Rows,
}

/// How many rows a statement must touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The guard of optimistic writing: any other number undoes the whole unit.
    Exactly(usize),
    Any,
}

impl Unit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement with its parameters `$1..$n`. A guard counts the rows that the statement itself inserted,
    /// updated or deleted.
    #[must_use]
    pub fn run(mut self, sql: impl Into<Cow<'static, str>>, values: Vec<Value>, rows: Rows) -> Self {
        self.statements.push(Statement { sql: sql.into(), values, rows });
        self
    }

    /// Adds the statements of another unit, to be applied together with this one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.statements.extend(other.statements);
        self
    }
}
