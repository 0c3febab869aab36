//! Words of people: holds, releases, requests, ways back. Each is kept with who said it and why.

use domain::{Cause, CredentialId, Fingerprint, Phase, RotationId, Timestamp, VersionNumber};

use secret::Sealed;

use crate::{
    Db, ReadError, Rows, Unit, WriteError,
    consumers::delivered_anew,
    entry::number,
    values,
    words::{cause_columns, parse_phase},
};

/// Who decides, why, and when.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    pub by: &'a str,
    pub reason: &'a str,
    pub at: Timestamp,
}

/// One line of a credential's history: a journaled step, or a word of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    pub at: Timestamp,
    pub what: String,
    pub version: Option<VersionNumber>,
    pub destination: Option<String>,
    pub why: String,
    /// The phase of a step; `None` for a person's word.
    pub phase: Option<Phase>,
    pub outcome: Option<String>,
    pub by: Option<String>,
}

impl Db {
    /// Holds a credential: nothing of it is issued, renamed or revoked until the release.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when it is held already.
    pub async fn hold(&self, id: i64, word: Word<'_>) -> Result<(), WriteError> {
        let sql = "UPDATE credential SET hold_by = $2, hold_reason = $3, hold_since = $4
            WHERE id = $1 AND hold_since IS NULL";
        let values = values![id, word.by, word.reason, word.at];
        self.write(Unit::new().run(sql, values, Rows::Exactly(1)).and(decision(id, "hold", word))).await
    }

    /// # Errors
    /// [`WriteError::GuardMissed`] when it is not held.
    pub async fn release(&self, id: i64, word: Word<'_>) -> Result<(), WriteError> {
        let sql = "UPDATE credential SET hold_by = NULL, hold_reason = NULL, hold_since = NULL
            WHERE id = $1 AND hold_since IS NOT NULL";
        self.write(Unit::new().run(sql, values![id], Rows::Exactly(1)).and(decision(id, "release", word))).await
    }

    /// Asks for a replacement now; a parked credential is tried again. What others know stays known to others.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn request_rotation(&self, id: i64, word: Word<'_>) -> Result<(), WriteError> {
        let sql = "UPDATE credential SET attempts = 0, retry_at = NULL, error = NULL, parked = 0,
            request_cause = CASE WHEN request_cause = 'compromised' THEN request_cause
                WHEN rotation_id IS NULL THEN 'requested' END,
            request_by = CASE WHEN request_cause = 'compromised' THEN request_by WHEN rotation_id IS NULL THEN $2 END,
            request_reason = CASE WHEN request_cause = 'compromised' THEN request_reason
                WHEN rotation_id IS NULL THEN $3 END
            WHERE id = $1";
        let values = values![id, word.by, word.reason];
        let unit = looked_at_anew(id).run(sql, values, Rows::Exactly(1));
        self.write(unit.and(decision(id, "rotate", word))).await
    }

    /// Others know the credential: it is replaced at once. A rotation under way, whatever began it, goes on as one that
    /// cannot wait; if it had its successor already, that is known too, and another rotation follows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn request_compromised(&self, id: i64, word: Word<'_>) -> Result<(), WriteError> {
        self.write(compromised(id, word)).await
    }

    /// Parks a credential: nothing more of it is tried until a person asks.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn park(&self, id: i64, why: &str, now: Timestamp) -> Result<(), WriteError> {
        let sql = "UPDATE credential SET parked = 1, attempts = attempts + 1, error = $2, retry_at = $3 WHERE id = $1";
        self.write(Unit::new().run(sql, values![id, why, now], Rows::Exactly(1))).await
    }

    /// Turns the rotation under way around: what was to be retired stays, and the successor is retired instead.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when the rotation has moved since it was read.
    pub async fn turn_around(
        &self,
        id: i64,
        rotation: &RotationId,
        new: (&RotationId, &Cause),
        retire: VersionNumber,
        keep: VersionNumber,
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let (cause, by, reason) = cause_columns(new.1);
        let sql = "UPDATE credential SET rotation_id = $3, rotation_cause = $4, rotation_by = $5, rotation_reason = $6,
            rotation_started_at = $7, rotation_from = $8, rotation_to = $9, attempts = 0, retry_at = NULL,
            error = NULL, parked = 0 WHERE id = $1 AND rotation_id = $2 AND rotation_to = $8";
        let values = values![
            id,
            rotation.as_str(),
            new.0.as_str(),
            cause,
            by,
            reason,
            word.at,
            number(Some(retire)),
            number(Some(keep))
        ];
        // Nobody may have read an abandoned successor, also not since it was looked at.
        let untouched = "UPDATE journal SET step = step
            WHERE credential_id = $1 AND rotation_id = $2 AND step = 'promote' AND phase <> 'failed'";
        let promoted = if matches!(new.1, Cause::Abandon { .. }) { Rows::Exactly(0) } else { Rows::Any };
        let unit = Unit::new()
            .run(untouched, values![id, rotation.as_str()], promoted)
            .run(sql, values, Rows::Exactly(1))
            .and(crate::tasks::overtaken(id, word.at))
            .and(decision(id, "rollback", word));
        self.write(unit).await
    }

    /// Whether a promotion in this rotation may have taken effect: one whose outcome was lost counts.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn may_be_promoted(&self, id: i64, rotation: &RotationId) -> Result<bool, ReadError> {
        let sql = "SELECT count(*) FROM journal
            WHERE credential_id = $1 AND rotation_id = $2 AND step = 'promote' AND phase <> 'failed'";
        let begun = self.row(sql, values![id, rotation.as_str()], |row| row.get::<i64>(0)).await?;
        Ok(begun.is_some_and(|begun| begun > 0))
    }

    /// Takes over the secret of a version that was met without one, and opens the rotation that delivers it.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when it is protected or a stray, or was held or a rotation began meanwhile.
    pub async fn import_secret(
        &self,
        id: i64,
        rotation: (&RotationId, &Cause),
        version: VersionNumber,
        secret: (&Sealed, Fingerprint),
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let (cause, by, _) = cause_columns(rotation.1);
        let open = "UPDATE credential SET rotation_id = $2, rotation_cause = $3, rotation_by = $4,
            rotation_reason = NULL, rotation_started_at = $5, rotation_from = NULL, rotation_to = $6, attempts = 0,
            retry_at = NULL, error = NULL, parked = 0
            WHERE id = $1 AND rotation_id IS NULL AND hold_since IS NULL AND protected = 0 AND stray = 0";
        let keep = "UPDATE version SET sealed = $3, fingerprint = $4 WHERE credential_id = $1 AND number = $2";
        let unit = Unit::new()
            .run(open, values![id, rotation.0.as_str(), cause, by, word.at, version.0], Rows::Exactly(1))
            .run(keep, values![id, version.0, secret.0.0.as_slice(), secret.1], Rows::Exactly(1))
            .and(decision(id, "import", word));
        self.write(unit).await
    }

    /// Everything that was done to a credential and said about it, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(&self, id: i64) -> Result<Vec<HistoryLine>, ReadError> {
        let sql = "SELECT begun_at AS at, 0 AS kind, id, step, version, destination, reason, phase, outcome, NULL
            FROM journal WHERE credential_id = $1
            UNION ALL SELECT at, 1, id, decision, NULL, NULL, reason, NULL, NULL, who FROM decision
            WHERE credential_id = $1 ORDER BY at, kind, id";
        self.rows(sql, values![id], |row| {
            Ok(HistoryLine {
                at: row.get(0)?,
                what: row.get(3)?,
                version: row.get::<Option<u32>>(4)?.map(VersionNumber),
                destination: row.get(5)?,
                why: row.get(6)?,
                phase: match row.get::<Option<&str>>(7)? {
                    Some(_) => Some(row.parse(7, parse_phase)?),
                    None => None,
                },
                outcome: row.get(8)?,
                by: row.get(9)?,
            })
        })
        .await
    }

    /// Identifiers that resemble one that was not found, for the error.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn identifiers(&self) -> Result<Vec<CredentialId>, ReadError> {
        self.rows("SELECT credential FROM credential ORDER BY credential", values![], |row| {
            row.parse(0, CredentialId::parse)
        })
        .await
    }
}

/// Asks for a replacement that cannot wait.
pub(crate) fn compromised(id: i64, word: Word<'_>) -> Unit {
    let sql = "UPDATE credential SET attempts = 0, retry_at = NULL, error = NULL, parked = 0,
            request_cause = CASE WHEN rotation_id IS NULL OR rotation_to IS NOT NULL THEN 'compromised' END,
            request_by = CASE WHEN rotation_id IS NULL OR rotation_to IS NOT NULL THEN $2 END,
            request_reason = CASE WHEN rotation_id IS NULL OR rotation_to IS NOT NULL THEN $3 END,
            rotation_by = CASE WHEN rotation_id IS NOT NULL AND rotation_to IS NULL THEN $2 ELSE rotation_by END,
            rotation_reason = CASE WHEN rotation_id IS NOT NULL AND rotation_to IS NULL THEN $3
                ELSE rotation_reason END,
            rotation_cause = CASE WHEN rotation_id IS NOT NULL AND rotation_to IS NULL THEN 'compromised'
                ELSE rotation_cause END
            WHERE id = $1";
    let values = values![id, word.by, word.reason];
    let unit = looked_at_anew(id).run(sql, values, Rows::Exactly(1));
    unit.and(decision(id, "compromised", word))
}

/// What is written and not promoted is written once more, which adds no version: where somebody else wrote in between, the
/// promotion would otherwise compare with what is there no longer, however often a person asked for it. What was promoted
/// and is gone since, or was covered, goes out once more. Comes before what takes the credential out of its park.
fn looked_at_anew(id: i64) -> Unit {
    let sql = "DELETE FROM delivery WHERE credential_id = $1 AND promoted_at IS NULL
        AND rotation_id = (SELECT c.rotation_id FROM credential c WHERE c.id = $1)";
    Unit::new().run(sql, values![id], Rows::Any).and(delivered_anew(id))
}

pub(crate) fn decision(id: i64, decision: &str, word: Word<'_>) -> Unit {
    let sql = "INSERT INTO decision (id, credential_id, at, decision, who, reason)
        VALUES ((SELECT coalesce(max(id), 0) + 1 FROM decision), $1, $2, $3, $4, $5)";
    Unit::new().run(sql, values![id, word.at, decision, word.by, word.reason], Rows::Exactly(1))
}
