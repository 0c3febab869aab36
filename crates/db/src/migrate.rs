//! Bringing a schema up to date. Every schema that was ever released can be opened.
//!
//! Not refinery: its SQLite driver panics on a damaged row of its own table, stamps rows with the wall clock and does
//! not take the write lock before it looks.

use rusqlite::{Connection, OptionalExtension as _};

use crate::{Fault, connection};

/// One file each, in order; the schema's number is the position, counted from 1. A released one never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/V1__start.sql"),
    include_str!("../migrations/V2__kinds.sql"),
    include_str!("../migrations/V3__served.sql"),
];

/// The newest schema that this program knows.
#[expect(clippy::cast_possible_truncation, reason = "there are not four thousand million migrations")]
pub(crate) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// The schema of an open database. `None`: it holds none of ours.
pub(crate) fn version(connection: &Connection) -> Result<Option<u32>, rusqlite::Error> {
    let table: Option<i64> = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'", [], |row| row.get(0))
        .optional()?;
    if table.is_none() {
        return Ok(None);
    }
    connection.query_row("SELECT max(number) FROM schema_version", [], |row| row.get(0))
}

/// Applies what is missing, all in one transaction, so that a crash leaves the old schema or the new one.
pub(crate) fn migrate(connection: &Connection) -> Result<(), Fault> {
    migrate_to(connection, KNOWN)
}

fn migrate_to(connection: &Connection, target: u32) -> Result<(), Fault> {
    connection::command(connection, "BEGIN IMMEDIATE")?;
    let applied = apply_missing(connection, target);
    if applied.is_err() && !connection.is_autocommit() {
        connection::command(connection, "ROLLBACK")?;
    }
    applied?;
    connection::command(connection, "COMMIT")
}

fn apply_missing(connection: &Connection, target: u32) -> Result<(), Fault> {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (number INTEGER PRIMARY KEY) STRICT")?;
    let have = version(connection)?.unwrap_or(0);
    for (number, sql) in (1..=target).zip(MIGRATIONS) {
        if number > have {
            connection.execute_batch(sql)?;
            connection.execute("INSERT INTO schema_version (number) VALUES (?1)", [number])?;
        }
    }
    Ok(())
}
