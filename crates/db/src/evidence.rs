//! Reading the journal as somebody who checks it, from outside of any credential.

use domain::{Phase, VersionNumber};

use crate::{Db, ReadError, Row, values, words::parse_phase};

/// One journaled step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    pub entry: i64,
    pub credential_id: i64,
    pub step: String,
    pub version: Option<VersionNumber>,
    pub destination: Option<String>,
    pub reason: String,
    pub phase: Phase,
    pub outcome: Option<String>,
}

const COLUMNS: &str = "SELECT id, credential_id, step, version, destination, reason, phase, outcome FROM journal";

impl Db {
    /// The journal from this entry on, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn journal_from(&self, entry: i64) -> Result<Vec<JournalLine>, ReadError> {
        self.rows(&format!("{COLUMNS} WHERE id >= $1 ORDER BY id"), values![entry], line).await
    }

    /// Steps that have begun and of which no outcome is known.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn journal_open(&self) -> Result<Vec<JournalLine>, ReadError> {
        let sql = format!("{COLUMNS} WHERE phase IN ('begun', 'in_doubt') ORDER BY id");
        self.rows(&sql, values![], line).await
    }
}

fn line(row: &Row<'_>) -> Result<JournalLine, ReadError> {
    Ok(JournalLine {
        entry: row.get(0)?,
        credential_id: row.get(1)?,
        step: row.get(2)?,
        version: row.get::<Option<u32>>(3)?.map(VersionNumber),
        destination: row.get(4)?,
        reason: row.get(5)?,
        phase: row.parse(6, parse_phase)?,
        outcome: row.get(7)?,
    })
}
