//! How the database says that something went wrong, and whether it changed anything.

use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi};

/// What can befall any statement. Messages come from the database and name tables and columns, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the disk is full")]
    DiskFull,
    #[error("the database file is damaged: {0}")]
    Damaged(String),
    /// Another process kept its lock for longer than we wait.
    #[error("another process keeps the database locked")]
    Busy,
    #[error("the database is open for reading only")]
    ReadOnly,
    /// The disk failed while a group was made durable. Whether those units survive is known only after a restart, so
    /// this process writes nothing more.
    #[error("the disk failed while writing; nothing more is written until a restart")]
    Stopped,
    #[error("{0}")]
    Other(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            // The index of the log, a file that is made anew by the first process to open the database, found no room.
            _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Other(error.to_string()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no database at {}", .path.display())]
    Missing { path: PathBuf },
    /// The other process's id, where its lock file tells.
    #[error("another keyrota process{} is at work on this database", .pid.map(|pid| format!(" ({pid})")).unwrap_or_default())]
    InUse { pid: Option<u32> },
    #[error("the database at {} is damaged: {reason}", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the database has schema {found}, newer than {known}, the newest that this program knows")]
    Newer { found: u32, known: u32 },
    /// Only for [`Access::ReadOnly`](crate::Access::ReadOnly): every other access brings the schema up to date.
    #[error("the database has schema {found}, older than {known}; the next `keyrota run` brings it up to date")]
    Older { found: u32, known: u32 },
    #[error("{} cannot be {what}", .path.display())]
    File { path: PathBuf, what: &'static str, source: std::io::Error },
    #[error("the database cannot be opened")]
    Database(#[source] Fault),
}

/// Nothing of the unit was applied, except as [`Fault::Stopped`] says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A statement touched another number of rows than it must: somebody else was faster.
    #[error("statement {statement} of the unit touched {touched} rows instead of {wanted}")]
    GuardMissed { statement: usize, wanted: usize, touched: usize },
    /// `what` names the columns that must be unique together.
    #[error("statement {statement} of the unit: such a row is there already ({what})")]
    NotUnique { statement: usize, what: String },
    /// Any other rule of the schema: a missing parent row, a null, a check.
    #[error("statement {statement} of the unit breaks a rule of the schema: {what}")]
    Constraint { statement: usize, what: String },
    #[error("the database refused a write")]
    Database(#[from] Fault),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("column {column} holds {found} instead of {wanted}")]
    Column { column: String, wanted: &'static str, found: &'static str },
    #[error("column {column} is malformed: {reason}")]
    Malformed { column: String, reason: String },
    #[error("the database refused a read")]
    Database(#[from] Fault),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}
