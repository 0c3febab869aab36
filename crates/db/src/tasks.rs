//! Steps that wait for a person.

use domain::{Ask, CredentialId, Fingerprint, Handle, RotationId, Timestamp, VersionNumber};
use secret::Sealed;

use crate::{
    Db, NewlyIssued, ReadError, Row, Rows, Unit, Word, WriteError, decisions::decision, entry::number,
    journal::insert_issued, values, words::parse_ask,
};

/// One task, open or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    pub id: i64,
    pub credential_id: i64,
    pub credential: CredentialId,
    pub rotation: RotationId,
    pub ask: Ask,
    pub asked_at: Timestamp,
    pub due_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<String>,
    pub outcome: Option<String>,
}

const COLUMNS: &str =
    "SELECT t.id, t.credential_id, c.credential, t.rotation_id, t.ask, t.version, t.asked_at, t.due_at,
    t.ended_at, t.ended_by, t.outcome FROM task t JOIN credential c ON c.id = t.credential_id";

impl Db {
    /// What waits for people, the longest waiting first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open_tasks(&self) -> Result<Vec<TaskLine>, ReadError> {
        let sql = format!("{COLUMNS} WHERE t.ended_at IS NULL ORDER BY t.asked_at, t.id");
        self.rows(&sql, values![], line).await
    }

    /// # Errors
    /// Those of the database.
    pub async fn task(&self, id: i64) -> Result<Option<TaskLine>, ReadError> {
        self.row(&format!("{COLUMNS} WHERE t.id = $1"), values![id], line).await
    }

    /// The other credential of the issuer that has a version with this handle.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn owner_of_handle(
        &self,
        issuer: &str,
        handle: &Handle,
        but: i64,
    ) -> Result<Option<CredentialId>, ReadError> {
        let sql = "SELECT c.credential FROM version v JOIN credential c ON c.id = v.credential_id
            WHERE c.issuer = $1 AND v.handle = $2 AND c.id <> $3 LIMIT 1";
        self.row(sql, values![issuer, handle.as_str(), but], |row| row.parse(0, CredentialId::parse)).await
    }

    /// The version of a credential that has this value, dead or alive.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn version_of_value(&self, id: i64, value: Fingerprint) -> Result<Option<VersionNumber>, ReadError> {
        let sql = "SELECT number FROM version WHERE credential_id = $1 AND fingerprint = $2 ORDER BY number LIMIT 1";
        self.row(sql, values![id, value], |row| row.get(0).map(VersionNumber)).await
    }

    /// Keeps a secret that a person brought for a version whose secret was unknown.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_secret(
        &self,
        id: i64,
        version: VersionNumber,
        sealed: &Sealed,
        value: Fingerprint,
    ) -> Result<(), WriteError> {
        let sql = "UPDATE version SET sealed = $3, fingerprint = $4
            WHERE credential_id = $1 AND number = $2 AND sealed IS NULL";
        self.write(Unit::new().run(sql, values![id, version.0, sealed.0.as_slice(), value], Rows::Any)).await
    }

    /// A person made the successor and handed it over: it becomes a version like any that we issued, and the task
    /// ends, all or nothing.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when the task has ended, the credential is held, or its rotation moved on.
    pub async fn task_issued(&self, task: &TaskLine, issued: &NewlyIssued, word: Word<'_>) -> Result<(), WriteError> {
        let guard = "UPDATE credential SET attempts = 0, retry_at = NULL, error = NULL, parked = 0
            WHERE id = $1 AND rotation_id = $2 AND hold_since IS NULL";
        let unit = Unit::new()
            .run(guard, values![task.credential_id, task.rotation.as_str()], Rows::Exactly(1))
            .and(end(task, word, "handed over, tried and sealed"))
            .and(insert_issued(task.credential_id, &task.rotation, issued, word.at));
        self.write(unit.and(decision(task.credential_id, "task", word))).await
    }

    /// A person says that the version is removed at the platform. It counts as revoked from now on and is still to be
    /// proved dead; with `proof`, the secret that they handed over for it, by trying that one.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] as for [`Db::task_issued`].
    pub async fn task_revoked(
        &self,
        task: &TaskLine,
        version: VersionNumber,
        proof: Option<(&Sealed, Fingerprint)>,
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let guard = "UPDATE credential SET attempts = 0, retry_at = NULL, error = NULL, parked = 0
            WHERE id = $1 AND rotation_id = $2 AND hold_since IS NULL";
        let revoked = "UPDATE version SET revoked_at = $3, presence = 'gone'
            WHERE credential_id = $1 AND number = $2 AND dead_at IS NULL";
        let keep = "UPDATE version SET sealed = $3, fingerprint = $4 WHERE credential_id = $1 AND number = $2";
        let mut unit = Unit::new()
            .run(guard, values![task.credential_id, task.rotation.as_str()], Rows::Exactly(1))
            .and(end(task, word, "removed, as they say"))
            .run(revoked, values![task.credential_id, version.0, word.at], Rows::Exactly(1));
        if let Some((sealed, fingerprint)) = proof {
            let values = values![task.credential_id, version.0, sealed.0.as_slice(), fingerprint];
            unit = unit.run(keep, values, Rows::Exactly(1));
        }
        self.write(unit.and(decision(task.credential_id, "task", word))).await
    }
}

pub(crate) fn open(id: i64, rotation: &RotationId, ask: Ask, (now, due_at): (Timestamp, Timestamp)) -> Unit {
    let sql = "INSERT INTO task (id, credential_id, rotation_id, ask, version, asked_at, due_at)
        VALUES ((SELECT coalesce(max(id), 0) + 1 FROM task), $1, $2, $3, $4, $5, $6)";
    let values = values![id, rotation.as_str(), ask.word(), number(ask.version()), now, due_at];
    overtaken(id, now).run(sql, values, Rows::Exactly(1))
}

/// What waited for a person is wanted no longer.
pub(crate) fn overtaken(id: i64, now: Timestamp) -> Unit {
    let sql =
        "UPDATE task SET ended_at = $2, outcome = 'no longer wanted' WHERE credential_id = $1 AND ended_at IS NULL";
    Unit::new().run(sql, values![id, now], Rows::Any)
}

/// There is a successor that the platform accepts: nobody is to make another one.
pub(crate) fn successor_serves(id: i64, now: Timestamp) -> Unit {
    let sql = "UPDATE task SET ended_at = $2, outcome = 'no longer wanted'
        WHERE credential_id = $1 AND ended_at IS NULL AND ask = 'issue'";
    Unit::new().run(sql, values![id, now], Rows::Any)
}

fn end(task: &TaskLine, word: Word<'_>, outcome: &str) -> Unit {
    let sql = "UPDATE task SET ended_at = $2, ended_by = $3, outcome = $4 WHERE id = $1 AND ended_at IS NULL";
    Unit::new().run(sql, values![task.id, word.at, word.by, outcome], Rows::Exactly(1))
}

fn line(row: &Row<'_>) -> Result<TaskLine, ReadError> {
    let version = row.get::<Option<u32>>(5)?.map(VersionNumber);
    Ok(TaskLine {
        id: row.get(0)?,
        credential_id: row.get(1)?,
        credential: row.parse(2, CredentialId::parse)?,
        rotation: RotationId::new(row.get::<&str>(3)?),
        ask: row.parse(4, |word| parse_ask(word, version))?,
        asked_at: row.get(6)?,
        due_at: row.get(7)?,
        ended_at: row.get(8)?,
        ended_by: row.get(9)?,
        outcome: row.get(10)?,
    })
}
