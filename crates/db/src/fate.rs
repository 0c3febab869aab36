//! What befalls the commits of a database that lives in memory: how a simulation lets the disk fail.

use std::{fmt::Debug, future};

use crate::{Fault, Rows, Unit, WriteError, values};

/// Every table that a play can fill, those that refer to others first.
const TABLES: [&str; 23] = [
    "notice",
    "notice_attempt",
    "notifier_trouble",
    "notice_mark",
    "pickup",
    "campaign_member",
    "campaign",
    "acknowledgement",
    "waiver",
    "told",
    "drift",
    "task",
    "decision",
    "journal",
    "destination",
    "delivery",
    "version",
    "credential",
    "engine_epoch",
    "issuer_state",
    "kept_version",
    "kept_secret",
    "data_key",
];

/// Empties all tables, so that the next play begins as the first one did, with its statements compiled already.
pub(crate) fn emptied() -> Unit {
    TABLES.iter().fold(Unit::new(), |unit, table| unit.run(format!("DELETE FROM {table}"), values![], Rows::Any))
}

/// Asked once before each commit.
pub trait Fates: Send + Sync + Debug {
    fn next(&self) -> Fate;
}

/// One commit's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Commits,
    /// Nothing is applied, and the caller is told.
    Refused(Fault),
    /// All of it is applied, and the caller is told that it was not: a sync that failed after the disk had it.
    AppliedUnheard(Fault),
    /// The process dies before: nothing is applied, and nobody is told anything.
    DiesBefore,
    /// The process dies after: it is applied, and nobody is told.
    DiesAfter,
}

impl Fate {
    /// A caller who is never told waits for ever, until the simulation drops it.
    pub(crate) async fn befall(self, commit: impl FnOnce() -> Result<(), WriteError>) -> Result<(), WriteError> {
        match self {
            Self::Commits => commit(),
            Self::Refused(fault) => Err(fault.into()),
            Self::AppliedUnheard(fault) => commit().and(Err(fault.into())),
            Self::DiesBefore => future::pending().await,
            Self::DiesAfter => {
                drop(commit());
                future::pending().await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_left_out() {
        let connection = crate::connection::open_in_memory().unwrap();
        crate::migrate::migrate(&connection).unwrap();
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_version'";
        let tables: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(tables), Ok(TABLES.len()));
    }
}
