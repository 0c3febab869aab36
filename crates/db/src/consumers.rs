//! What consumers say, what people waive, and what inspections of destinations found.

use domain::{
    Cause, CredentialId, Destination, Drifted, Duration, Fingerprint, Reason, RotationId, SecretPath, Timestamp,
    VersionNumber,
};

use crate::{
    Db, ReadError, Rows, Unit, Word, WriteError,
    decisions::decision,
    values,
    words::{cause_columns, drifted_word},
};

/// Somebody who writes again and again is not fought for ever: after so many repairs within the time below, what drifts is
/// only said. Often enough for mistakes of a day, seldom enough that no history is flooded.
const REPAIRS_MAX: i64 = 3;
const REPAIRS_WITHIN: Duration = Duration::from_hours(24);

/// A destination that holds, or should hold, the version that consumers of a credential use, outside of any rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub credential_id: i64,
    pub credential: CredentialId,
    pub destination: Destination,
    pub version: VersionNumber,
    pub store_version: String,
    pub fingerprint: Fingerprint,
    /// What readers got before, by the store's own id.
    pub replaced: Option<String>,
    /// What was found there last time, if it was wrong.
    pub drifted: bool,
}

impl Db {
    /// A consumer runs this version. Its last word counts.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn acknowledge(
        &self,
        id: i64,
        consumer: &str,
        version: VersionNumber,
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let sql = "INSERT INTO acknowledgement (credential_id, consumer, version, at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (credential_id, consumer) DO UPDATE SET version = excluded.version, at = excluded.at";
        let unit = Unit::new().run(sql, values![id, consumer, version.0, word.at], Rows::Exactly(1));
        self.write(unit.and(decision(id, "acknowledge", word))).await
    }

    /// A consumer read this version of ours at this place: that it has it is on record, without a word of its own. Answers
    /// whose it is; what was never delivered there is nobody's evidence. Reading the same once more writes nothing, unless
    /// it was delivered anew since.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record_read(
        &self,
        (store, path): (&str, &SecretPath),
        store_version: &str,
        word: Word<'_>,
    ) -> Result<Option<CredentialId>, RecordReadError> {
        let sql = "SELECT d.credential_id, d.version, c.credential, EXISTS (SELECT 1 FROM acknowledgement a
                WHERE a.credential_id = d.credential_id AND a.consumer = $4 AND a.version = d.version
                    AND a.at >= d.written_at)
            FROM delivery d JOIN credential c ON c.id = d.credential_id
            WHERE d.store = $1 AND d.path = $2 AND d.store_version = $3 ORDER BY d.written_at DESC LIMIT 1";
        let found = self
            .row(sql, values![store, path.as_str(), store_version, word.by], |row| {
                Ok((row.get(0)?, row.get(1)?, row.parse(2, CredentialId::parse)?, row.get(3)?))
            })
            .await?;
        let Some((id, version, credential, known)): Option<(i64, u32, CredentialId, bool)> = found else {
            return Ok(None);
        };
        if !known {
            self.acknowledge(id, word.by, VersionNumber(version), word).await?;
        }
        Ok(Some(credential))
    }

    /// A person does without evidence until a time: of one consumer, or of the old version's silence.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn waive(
        &self,
        id: i64,
        consumer: Option<&str>,
        until: Timestamp,
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let sql = "INSERT INTO waiver (credential_id, consumer, who, reason, until) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (credential_id, consumer) DO UPDATE SET who = excluded.who, reason = excluded.reason,
            until = excluded.until";
        let values = values![id, consumer.unwrap_or_default(), word.by, word.reason, until];
        let unit = Unit::new().run(sql, values, Rows::Exactly(1)).and(decision(id, "waive", word));
        self.write(unit).await
    }

    /// Every place that should hold what consumers use now, of credentials with no rotation under way. A place that only an
    /// older version reached, because the policy named it no more, holds nothing that anybody is meant to use.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn holdings(&self) -> Result<Vec<Holding>, ReadError> {
        let sql = "SELECT d.credential_id, d.store, d.path, d.version, d.store_version, max(d.promoted_at),
                x.what IS NOT NULL, d.fingerprint, c.credential, d.replaced
            FROM delivery d JOIN credential c ON c.id = d.credential_id AND c.rotation_id IS NULL
            JOIN version v ON v.credential_id = d.credential_id AND v.number = d.version
                AND v.sealed IS NOT NULL AND v.revoked_at IS NULL AND v.presence <> 'gone'
            LEFT JOIN drift x ON x.credential_id = d.credential_id AND x.store = d.store AND x.path = d.path
            WHERE d.confirmed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM delivery e
                JOIN version n ON n.credential_id = e.credential_id AND n.number = e.version AND n.sealed IS NOT NULL
                    AND n.revoked_at IS NULL AND n.presence <> 'gone'
                WHERE e.credential_id = d.credential_id AND e.version > d.version AND e.confirmed_at IS NOT NULL)
            GROUP BY d.credential_id, d.store, d.path
            ORDER BY d.credential_id, d.store, d.path";
        self.rows(sql, values![], |row| {
            Ok(Holding {
                credential_id: row.get(0)?,
                destination: Destination {
                    store: row.get::<&str>(1)?.into(),
                    path: row.parse(2, domain::SecretPath::parse)?,
                },
                version: VersionNumber(row.get(3)?),
                store_version: row.get(4)?,
                drifted: row.get(6)?,
                fingerprint: row.get(7)?,
                credential: row.parse(8, CredentialId::parse)?,
                replaced: row.get(9)?,
            })
        })
        .await
    }

    /// What an inspection found at a destination; `None`: all is as delivered. Of a rotation that began meanwhile it says
    /// nothing, and is not kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record_drift(
        &self,
        holding: &Holding,
        found: Option<Drifted>,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let (id, at) = (holding.credential_id, &holding.destination);
        let unit = match found {
            None => {
                let sql = "DELETE FROM drift WHERE credential_id = $1 AND store = $2 AND path = $3";
                Unit::new().run(sql, values![id, &*at.store, at.path.as_str()], Rows::Any)
            }
            Some(what) => {
                let sql = "INSERT INTO drift (credential_id, store, path, what, seen_at)
                    SELECT $1, $2, $3, $4, $5 FROM credential WHERE id = $1 AND rotation_id IS NULL
                    ON CONFLICT (credential_id, store, path) DO UPDATE SET what = excluded.what";
                let values = values![id, &*at.store, at.path.as_str(), drifted_word(what), now];
                Unit::new().run(sql, values, Rows::Any)
            }
        };
        self.write(unit).await
    }

    /// Opens the rotation that delivers once more what consumers are to read, and retires nothing.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when it was held, asked for or in rotation by now, or repaired too often lately.
    pub async fn open_repair(
        &self,
        id: i64,
        (rotation, cause): (&RotationId, &Cause),
        version: VersionNumber,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let (cause, by, reason) = cause_columns(cause);
        let open = "UPDATE credential SET rotation_id = $2, rotation_cause = $3, rotation_by = $4,
            rotation_reason = $5, rotation_started_at = $6, rotation_from = NULL, rotation_to = $7
            WHERE id = $1 AND rotation_id IS NULL AND request_cause IS NULL AND hold_since IS NULL AND protected = 0
                AND parked = 0 AND $8 > (SELECT count(DISTINCT j.rotation_id) FROM journal j
                    WHERE j.credential_id = $1 AND j.step = 'write' AND j.reason = $9 AND j.begun_at > $10)";
        let mut values = values![id, rotation.as_str(), cause, by, reason, now, version.0];
        let since = now.saturating_sub(REPAIRS_WITHIN).unwrap_or(Timestamp::MIN);
        values.extend(values![REPAIRS_MAX, Reason::Drifted.to_string(), since]);
        let seen = "DELETE FROM drift WHERE credential_id = $1";
        self.write(Unit::new().run(open, values, Rows::Exactly(1)).run(seen, values![id], Rows::Any)).await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RecordReadError {
    #[error("the deliveries could not be read")]
    Read(#[from] ReadError),
    #[error("the read could not be recorded")]
    Write(#[from] WriteError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn run(db: &Db, sql: &'static str) {
        db.write(Unit::new().run(sql, values![], Rows::Any)).await.unwrap();
    }

    /// One credential whose first version went to two places and its second, after the policy had changed, to one.
    async fn delivered() -> Db {
        let db = Db::in_memory().unwrap();
        run(
            &db,
            "INSERT INTO credential (id, credential, issuer, parent, kind, name, title, locator, protected,
                parent_enabled, stray, first_seen_at, attempts, parked)
            VALUES (1, 'apic/web', 'apic', 'shop', 'key', 'web', '', '', 0, 1, 0, 0, 0, 0)",
        )
        .await;
        run(
            &db,
            "INSERT INTO version (credential_id, number, handle, name, title, origin, created_at, presence, sealed)
            VALUES (1, 1, 'h1', 'web', '', 'issued', 0, 'listed', x'01'),
                (1, 2, 'h2', 'web', '', 'issued', 0, 'listed', x'02')",
        )
        .await;
        run(
            &db,
            "INSERT INTO delivery (credential_id, rotation_id, version, store, path, store_version, fingerprint,
                written_at, promoted_at, confirmed_at)
            VALUES (1, 'r1', 1, 'bao', 'old', '1', zeroblob(32), 1, 1, 1),
                (1, 'r1', 1, 'bao', 'web', '1', zeroblob(32), 1, 1, 1),
                (1, 'r2', 2, 'bao', 'web', '2', zeroblob(32), 2, 2, 2)",
        )
        .await;
        db
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_place_that_only_an_older_version_reached_holds_nothing() {
        wait(async {
            let db = delivered().await;
            let holdings = db.holdings().await.unwrap();
            let held: Vec<_> = holdings.iter().map(|one| (one.destination.path.as_str(), one.version.0)).collect();
            assert_eq!(held, [("web", 2)], "a repair of the other one would bring version 1 back everywhere");
            run(&db, "UPDATE version SET revoked_at = 3 WHERE number = 2").await;
            let paths: Vec<_> = db.holdings().await.unwrap().into_iter().map(|one| one.version.0).collect();
            assert_eq!(paths, [1, 1], "somebody went back");
        });
    }

    #[test]
    fn what_was_found_before_a_rotation_began_is_not_said_of_it() {
        wait(async {
            let db = delivered().await;
            let holding = db.holdings().await.unwrap().remove(0);
            let drifted = async || db.holdings().await.unwrap()[0].drifted;
            db.record_drift(&holding, Some(Drifted::Gone), at(1)).await.unwrap();
            assert!(drifted().await);
            db.record_drift(&holding, None, at(2)).await.unwrap();
            run(&db, "UPDATE credential SET rotation_id = 'r3'").await;
            db.record_drift(&holding, Some(Drifted::Gone), at(3)).await.unwrap();
            run(&db, "UPDATE credential SET rotation_id = NULL").await;
            assert!(!drifted().await);
        });
    }

    #[test]
    fn nothing_is_repaired_of_what_is_held_asked_for_or_on_its_way() {
        wait(async {
            for stop in [
                "UPDATE credential SET hold_since = 1",
                "UPDATE credential SET request_cause = 'compromised'",
                "UPDATE credential SET rotation_id = 'r3'",
                "UPDATE credential SET parked = 1",
            ] {
                let db = delivered().await;
                let repair = async || {
                    let rotation = RotationId::new("r4");
                    db.open_repair(1, (&rotation, &Cause::Repair), VersionNumber(2), at(9)).await
                };
                run(&db, stop).await;
                assert!(matches!(repair().await, Err(WriteError::GuardMissed { .. })), "{stop}");
                run(
                    &db,
                    "UPDATE credential SET hold_since = NULL, request_cause = NULL, rotation_id = NULL, parked = 0",
                )
                .await;
                repair().await.unwrap();
            }
        });
    }
}
