//! What can be wrong with a configuration, and where it stands in the file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{path_template::InvalidTemplate, schedule::InvalidWindow};

/// Why a configuration cannot be used. The Display line stands alone; [`Complaint`](crate::complaint::Complaint) takes
/// it apart.
///
/// Never carries a value of the file that its author may have meant to be secret: a problem names keys and periods,
/// not texts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("no configuration file was found")]
    NotFound { looked_at: Vec<PathBuf> },
    #[error("the configuration file {} cannot be read", .file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{problem} (line {}){}", .place.line, .problem.hint().map(|hint| format!("; {hint}")).unwrap_or_default())]
    At { place: Place, problem: Box<Problem> },
}

/// A place in a file, both counted from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// Where a byte offset stands. An offset past the end is the end.
    pub(super) fn of(file: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        Self { file: file.to_owned(), line, column }
    }

    pub(super) fn says(self, problem: Problem) -> ConfigError {
        ConfigError::At { place: self, problem: Box::new(problem) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// What is wrong at one place. `table` is the table as a person finds it, for example `[[policy]] "ninety-days"`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("the file is not TOML: {message}")]
    Syntax { message: String },
    #[error("unknown key `{key}` in {table}")]
    UnknownKey { key: String, table: String, nearest: Option<String>, known: Vec<String> },
    #[error("`{key}` of {table} is not usable: {message}")]
    Value { key: String, table: String, message: String },
    #[error("{table} is not usable: {message}")]
    Table { table: String, message: String },
    #[error("{table} names the driver `{driver}`, which does not exist")]
    UnknownDriver { table: String, driver: String, nearest: Option<String>, known: Vec<String> },
    #[error("{table} has the name of another one on line {first_line}")]
    DuplicateName { table: String, first_line: usize },
    #[error("{table} names the {kind} `{name}`, which is not configured")]
    UnknownName { table: String, kind: &'static str, name: String, nearest: Option<String>, known: Vec<String> },
    #[error(
        "{table} is for the environment `{policy}`, but delivers to the store `{store}` of the environment `{destination}`"
    )]
    Environment { table: String, policy: String, store: String, destination: String },
    #[error("{table} names no environment, but delivers to the store `{store}` of the environment `{destination}`")]
    NoEnvironment { table: String, store: String, destination: String },
    #[error("{table}: {message}")]
    Periods { table: String, message: String },
    #[error("`path` in `deliver` of {table}: {invalid}")]
    Path { table: String, invalid: InvalidTemplate },
    #[error("`schedule` of {table}: {invalid}")]
    Window { table: String, invalid: InvalidWindow },
    #[error("`{key}` is not in this release")]
    NotYet { key: String, instead: &'static str },
}

impl Problem {
    /// What to do, where the file itself suggests it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, known, .. }
            | Self::UnknownDriver { nearest, known, .. }
            | Self::UnknownName { nearest, known, .. } => match nearest {
                Some(name) => Some(format!("did you mean `{name}`?")),
                None if known.is_empty() => None,
                None => Some(format!("known here: {}", known.join(", "))),
            },
            Self::Environment { .. } => {
                Some("deliver to a store of the same environment, or correct `environment` of the wrong one".to_owned())
            }
            Self::NoEnvironment { destination, .. } => Some(format!(
                "write `environment = \"{destination}\"` in the policy if that is meant, or deliver to another store"
            )),
            Self::DuplicateName { .. } => Some("give each its own name".to_owned()),
            Self::NotYet { instead, .. } => Some((*instead).to_owned()),
            _ => None,
        }
    }
}
