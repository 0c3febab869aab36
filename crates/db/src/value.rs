//! Values that go into a statement, and rows that come out.

use std::fmt;

use domain::Fingerprint;
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::ReadError;

/// One parameter of a statement. Times are microseconds, booleans 0 and 1.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// The parameters `$1..$n` of a statement, in order: `values![id, now, None::<i64>]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Value::from($value)),*] };
}

impl fmt::Debug for Value {
    /// A blob shows only its size: most are sealed secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Integer(number) => write!(f, "Integer({number})"),
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

macro_rules! from {
    ($($type:ty, $name:ident => $value:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($name: $type) -> Self { $value }
        })*
    };
}

from! {
    i64, number => Self::Integer(number);
    u32, number => Self::Integer(number.into());
    bool, flag => Self::Integer(flag.into());
    &str, text => Self::Text(text.to_owned());
    String, text => Self::Text(text);
    &String, text => Self::Text(text.clone());
    Vec<u8>, bytes => Self::Blob(bytes);
    &[u8], bytes => Self::Blob(bytes.to_vec());
    Fingerprint, fingerprint => Self::Blob(fingerprint.0.to_vec());
    Timestamp, at => Self::Integer(at.as_microsecond());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer. Columns count from 0, in the order of the SELECT.
#[derive(Debug)]
pub struct Row<'a>(&'a rusqlite::Row<'a>);

impl<'a> Row<'a> {
    pub(crate) fn new(row: &'a rusqlite::Row<'a>) -> Self {
        Self(row)
    }

    /// The column as a type of [`FromColumn`]; `&str` and `&[u8]` borrow and cost no copy.
    ///
    /// # Errors
    /// [`ReadError::Column`], which names the column, when it holds something else.
    pub fn get<T: FromColumn<'a>>(&self, column: usize) -> Result<T, ReadError> {
        let value = self.0.get_ref(column).map_err(|_| self.mismatch(column, T::WANTED, "no such column"))?;
        T::from_column(value).ok_or_else(|| self.mismatch(column, T::WANTED, kind(value)))
    }

    /// A text column as a type that checks its own form.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] with the type's own reason.
    pub fn parse<T, E: fmt::Display>(
        &self,
        column: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ReadError> {
        parse(self.get(column)?)
            .map_err(|error| ReadError::Malformed { column: self.name(column), reason: error.to_string() })
    }

    fn name(&self, column: usize) -> String {
        self.0.as_ref().column_name(column).map_or_else(|_| format!("number {column}"), str::to_owned)
    }

    fn mismatch(&self, column: usize, wanted: &'static str, found: &'static str) -> ReadError {
        ReadError::Column { column: self.name(column), wanted, found }
    }
}

fn kind(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "null",
        ValueRef::Integer(_) => "an integer out of range",
        ValueRef::Real(_) => "a real number",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "a blob",
    }
}

/// What a column can be read as. `None`: it holds something else.
pub trait FromColumn<'a>: Sized {
    const WANTED: &'static str;

    fn from_column(value: ValueRef<'a>) -> Option<Self>;
}

macro_rules! from_column {
    ($($type:ty, $wanted:literal, $name:ident => $value:expr;)*) => {
        $(impl<'a> FromColumn<'a> for $type {
            const WANTED: &'static str = $wanted;

            fn from_column($name: ValueRef<'a>) -> Option<Self> { $value }
        })*
    };
}

from_column! {
    i64, "an integer", value => value.as_i64().ok();
    u32, "an integer from 0 to 4294967295", value => value.as_i64().ok()?.try_into().ok();
    u64, "an integer from 0", value => value.as_i64().ok()?.try_into().ok();
    bool, "0 or 1", value => match value.as_i64().ok()? { 0 => Some(false), 1 => Some(true), _ => None };
    &'a str, "text", value => value.as_str().ok();
    String, "text", value => value.as_str().ok().map(str::to_owned);
    &'a [u8], "a blob", value => value.as_blob().ok();
    Vec<u8>, "a blob", value => value.as_blob().ok().map(<[u8]>::to_vec);
    Timestamp, "a time in microseconds", value => Timestamp::from_microsecond(value.as_i64().ok()?).ok();
    Fingerprint, "a blob of 32 bytes", value => value.as_blob().ok()?.try_into().ok().map(Fingerprint);
}

impl<'a, T: FromColumn<'a>> FromColumn<'a> for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_column(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::from_column(value).map(Some),
        }
    }
}
