//! One SQLite connection with our settings, and statements on it.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use crate::{Fault, ReadError, Row, Rows, Unit, Value, WriteError, unit::Statement};

/// How long a statement waits for another process's lock. Commands write units of a few rows, so that a lock kept for
/// longer means a process that hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than all SQL texts of ours, so that each is compiled once a connection.
const STATEMENTS_CACHED: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    /// Reads beside a writer of this process or another.
    Read,
}

pub(crate) fn open(path: &Path, purpose: Purpose, file: FileAccess) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match file {
            FileAccess::Writable | FileAccess::Alone => OpenFlags::SQLITE_OPEN_READ_WRITE,
            FileAccess::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
            FileAccess::Fixed => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        };
    let connection = match file {
        FileAccess::Fixed => Connection::open_with_flags(immutable(path), flags)?,
        _ => Connection::open_with_flags(path, flags)?,
    };
    if file == FileAccess::Alone {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Before the first look, or the index would be a file all the same.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    configure(&connection)?;
    if purpose == Purpose::Read {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}

/// Lets readers go on beside the one writer; together with `synchronous = FULL` every commit is one sync. Kept by the
/// file. Not a part of [`open`], because it would turn an empty file into a database.
pub(crate) fn keep_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// How the process may use the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileAccess {
    Writable,
    ReadOnly,
    /// For reading where nothing can be written: the index of the log is in memory, so that nobody else can use the
    /// file meanwhile, not even by a second connection of this process.
    Alone,
    /// For reading on a disk that nobody can write to. The log is not looked at.
    Fixed,
}

impl FileAccess {
    /// Whether a second connection of the same process can be opened beside the first.
    pub(crate) fn is_shared(self) -> bool {
        self != Self::Alone
    }
}

/// Whether a reader failed because the index of the log, a file beside it, could not be made or opened.
pub(crate) fn lacks_index(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, ReadOnly, SystemIoFailure};

    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly | SystemIoFailure))
}

/// As SQLite wants to hear that a file does not change.
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

pub(crate) fn open_in_memory() -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_in_memory()?;
    configure(&connection)?;
    Ok(connection)
}

/// Memory mapping stays off: an I/O error would then be a signal, and the page cache is no slower for our rows.
fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // Otherwise every statement is compiled anew for other parameters, which costs more than most of them take.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "secure_delete", "FAST")
}

/// Applies one unit inside the open transaction, or leaves no trace of it.
pub(crate) fn apply(connection: &Connection, unit: &Unit) -> Result<(), WriteError> {
    command(connection, "SAVEPOINT unit")?;
    let applied = unit
        .statements
        .iter()
        .enumerate()
        .try_for_each(|(position, statement)| apply_statement(connection, position, statement));
    // After some failures, a full disk for example, SQLite has undone the whole transaction by itself.
    if applied.is_err() && !connection.is_autocommit() {
        command(connection, "ROLLBACK TO unit")?;
    }
    if !connection.is_autocommit() {
        command(connection, "RELEASE unit")?;
    }
    applied
}

fn apply_statement(connection: &Connection, position: usize, statement: &Statement) -> Result<(), WriteError> {
    let touched =
        execute(connection, &statement.sql, &statement.values).map_err(|error| write_error(position, error))?;
    match statement.rows {
        Rows::Exactly(wanted) if wanted != touched => {
            Err(WriteError::GuardMissed { statement: position, wanted, touched })
        }
        Rows::Exactly(_) | Rows::Any => Ok(()),
    }
}

fn write_error(statement: usize, error: StatementError) -> WriteError {
    let error = match error {
        StatementError::Parameters(fault) => return fault.into(),
        StatementError::Sqlite(error) => error,
    };
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return Fault::from(error).into();
    }
    let text = error.to_string();
    let what = text.split_once(": ").map_or(text.as_str(), |(_, columns)| columns).to_owned();
    match error.sqlite_error().map(|error| error.extended_code) {
        Some(
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID,
        ) => WriteError::NotUnique { statement, what },
        _ => WriteError::Constraint { statement, what },
    }
}

/// A statement without parameters and rows.
pub(crate) fn command(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}

enum StatementError {
    Sqlite(rusqlite::Error),
    Parameters(Fault),
}

impl From<rusqlite::Error> for StatementError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StatementError> for ReadError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::Sqlite(error) => error.into(),
            StatementError::Parameters(fault) => fault.into(),
        }
    }
}

/// Runs a statement to its end and counts the rows that it changed or, where it answers rows, those.
fn execute(connection: &Connection, sql: &str, values: &[Value]) -> Result<usize, StatementError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, sql, values)?;
    if statement.column_count() == 0 {
        return Ok(statement.raw_execute()?);
    }
    let mut rows = statement.raw_query();
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

pub(crate) fn query(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    mut each: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, sql, values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        each(&Row::new(row))?;
    }
    Ok(())
}

/// Binds `$1..$n` by their numbers. SQLite takes them for names, which is why no text has to be rewritten.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: &str, values: &[Value]) -> Result<(), StatementError> {
    let wrong = || {
        StatementError::Parameters(Fault::Other(format!(
            "a statement has other parameters than the {} values given: {sql}",
            values.len()
        )))
    };
    let count = statement.parameter_count();
    if count != values.len() {
        return Err(wrong());
    }
    for index in 1..=count {
        let number: usize =
            statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse().ok()).ok_or_else(wrong)?;
        let value = number.checked_sub(1).and_then(|position| values.get(position)).ok_or_else(wrong)?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}
