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

/// A destination that holds, or should hold, the version that consumers of a credential use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub credential_id: i64,
    pub credential: CredentialId,
    /// The rotation in which it was delivered, if that is still under way.
    pub rotation: Option<RotationId>,
    pub destination: Destination,
    pub version: VersionNumber,
    pub store_version: String,
    pub fingerprint: Fingerprint,
    /// What readers got before, by the store's own id.
    pub replaced: Option<String>,
    /// What was found there last time, if it was wrong.
    pub drifted: bool,
    /// Others know what is to end: a person has said so, and waits for nobody's policy.
    pub compromised: bool,
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

    /// Every place that should hold what consumers use now. While a rotation is under way, these are the places at which its
    /// successor was read back. A place that only an older version reached, because the policy named it no more, holds
    /// nothing that anybody is meant to use.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn holdings(&self) -> Result<Vec<Holding>, ReadError> {
        let sql = "SELECT h.credential_id, h.store, h.path, h.version, h.store_version, h.drifted, h.fingerprint,
                h.credential, h.replaced, h.rotation_id, h.compromised
            FROM (SELECT d.credential_id, d.store, d.path, d.version, d.store_version, x.what IS NOT NULL AS drifted,
                d.fingerprint, c.credential, d.replaced, c.rotation_id,
                coalesce('compromised' IN (c.rotation_cause, c.request_cause), FALSE) AS compromised, row_number() OVER (
                    PARTITION BY d.credential_id, d.store, d.path ORDER BY coalesce(d.promoted_at, d.confirmed_at) DESC
                ) AS place
            FROM delivery d JOIN credential c ON c.id = d.credential_id
                AND (c.rotation_id IS NULL OR c.rotation_id = d.rotation_id AND c.rotation_to = d.version)
            JOIN version v ON v.credential_id = d.credential_id AND v.number = d.version
                AND v.sealed IS NOT NULL AND v.revoked_at IS NULL AND v.presence <> 'gone'
            LEFT JOIN drift x ON x.credential_id = d.credential_id AND x.store = d.store AND x.path = d.path
            WHERE d.confirmed_at IS NOT NULL AND (c.rotation_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM delivery e
                JOIN version n ON n.credential_id = e.credential_id AND n.number = e.version AND n.sealed IS NOT NULL
                    AND n.revoked_at IS NULL AND n.presence <> 'gone'
                WHERE e.credential_id = d.credential_id AND e.version > d.version AND e.confirmed_at IS NOT NULL))
            ) AS h WHERE h.place = 1 ORDER BY h.credential_id, h.store, h.path";
        self.rows(sql, values![], |row| {
            Ok(Holding {
                credential_id: row.get(0)?,
                destination: Destination {
                    store: row.get::<&str>(1)?.into(),
                    path: row.parse(2, domain::SecretPath::parse)?,
                },
                version: VersionNumber(row.get(3)?),
                store_version: row.get(4)?,
                drifted: row.get(5)?,
                fingerprint: row.get(6)?,
                credential: row.parse(7, CredentialId::parse)?,
                replaced: row.get(8)?,
                rotation: row.get::<Option<&str>>(9)?.map(RotationId::new),
                compromised: row.get(10)?,
            })
        })
        .await
    }

    /// What an inspection found at a destination; `None`: all is as delivered. Of a rotation that began or ended meanwhile
    /// it says nothing, and is not kept.
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
            Some(what) => self::found(id, at, holding.rotation.as_ref(), what, now),
        };
        self.write(unit).await
    }

    /// In the middle of a rotation, what its successor's places should hold is delivered once more at those that hold
    /// something else: their overlap begins anew.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when it was held, is parked, has moved on, was put right too often lately, or is right.
    pub async fn deliver_again(&self, id: i64, rotation: &RotationId, now: Timestamp) -> Result<(), WriteError> {
        let guard = "UPDATE credential SET attempts = attempts
            WHERE id = $1 AND rotation_id = $2 AND hold_since IS NULL AND protected = 0 AND parked = 0 AND $3 > (
                SELECT count(*) FROM decision d WHERE d.credential_id = $1 AND d.decision = 'repair' AND d.at > $4)
                AND EXISTS (SELECT 1 FROM drift x WHERE x.credential_id = $1)";
        let since = now.saturating_sub(REPAIRS_WITHIN).unwrap_or(Timestamp::MIN);
        let word = Word { by: "keyrota", reason: &Reason::Drifted.to_string(), at: now };
        let unit = Unit::new().run(guard, values![id, rotation.as_str(), REPAIRS_MAX, since], Rows::Exactly(1));
        self.write(unit.and(delivered_anew(id)).and(decision(id, "repair", word))).await
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

/// What was found at a destination, as long as the same rotation is under way.
pub(crate) fn found(id: i64, at: &Destination, rotation: Option<&RotationId>, what: Drifted, now: Timestamp) -> Unit {
    let sql = "INSERT INTO drift (credential_id, store, path, what, seen_at)
        SELECT $1, $2, $3, $4, $5 FROM credential WHERE id = $1 AND rotation_id IS NOT DISTINCT FROM $6
        ON CONFLICT (credential_id, store, path) DO UPDATE SET what = excluded.what";
    let rotation = rotation.map(RotationId::as_str);
    Unit::new().run(sql, values![id, &*at.store, at.path.as_str(), drifted_word(what), now, rotation], Rows::Any)
}

/// Sets aside what the rotation under way has delivered to places that hold something else by now, and, where it is parked,
/// to places where it was never read back: its successor goes there once more. What was written stays on record, so that it
/// is forgotten in the store together with its version; counted, since a store that was emptied begins its numbers anew.
pub(crate) fn delivered_anew(id: i64) -> Unit {
    let aside = "UPDATE delivery SET confirmed_at = NULL, first_confirmed_at = NULL,
            rotation_id = rotation_id || ':' || (SELECT count(*) FROM delivery e
                WHERE e.credential_id = $1 AND e.store = delivery.store AND e.path = delivery.path)
        WHERE credential_id = $1 AND promoted_at IS NOT NULL
            AND rotation_id = (SELECT c.rotation_id FROM credential c WHERE c.id = $1)
            AND (EXISTS (SELECT 1 FROM drift x WHERE x.credential_id = $1 AND x.store = delivery.store
                    AND x.path = delivery.path)
                OR confirmed_at IS NULL AND EXISTS (SELECT 1 FROM credential c WHERE c.id = $1 AND c.parked = 1))";
    let seen = "DELETE FROM drift WHERE credential_id = $1";
    Unit::new().run(aside, values![id], Rows::Any).run(seen, values![id], Rows::Any)
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
    fn what_was_delivered_again_is_held_as_it_was_delivered_last() {
        wait(async {
            let db = delivered().await;
            for (rotation, store_version, promoted_at) in [("r4", "9", 9_i64), ("r3", "7", 7)] {
                let sql = "INSERT INTO delivery (credential_id, rotation_id, version, store, path, store_version,
                    fingerprint, written_at, promoted_at, confirmed_at)
                    VALUES (1, $1, 2, 'bao', 'web', $2, zeroblob(32), $3, $3, $3)";
                let values = values![rotation, store_version, promoted_at];
                db.write(Unit::new().run(sql, values, Rows::Exactly(1))).await.unwrap();
            }
            let holdings = db.holdings().await.unwrap();
            assert_eq!(holdings.len(), 1);
            assert_eq!(holdings[0].store_version, "9");
        });
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

    /// The second version is on its way, and was read back at one of its two places.
    async fn in_overlap() -> Db {
        let db = delivered().await;
        run(
            &db,
            "INSERT INTO delivery (credential_id, rotation_id, version, store, path, store_version, fingerprint,
                written_at, promoted_at, confirmed_at)
            VALUES (1, 'r2', 2, 'bao', 'late', '7', zeroblob(32), 2, 2, NULL)",
        )
        .await;
        run(&db, "UPDATE credential SET rotation_id = 'r2', rotation_from = 1, rotation_to = 2").await;
        db
    }

    /// Places at which something of the rotation under way is on record.
    async fn under_way(db: &Db) -> Vec<String> {
        let sql = "SELECT path FROM delivery WHERE rotation_id = 'r2' ORDER BY path";
        db.rows(sql, values![], |row| row.get(0)).await.unwrap()
    }

    #[test]
    fn what_was_read_back_in_a_rotation_under_way_is_inspected() {
        wait(async {
            let db = in_overlap().await;
            let holdings = db.holdings().await.unwrap();
            let held: Vec<_> = holdings.iter().map(|one| (one.destination.path.as_str(), one.version.0)).collect();
            assert_eq!(held, [("web", 2)], "neither what is still on its way, nor what it takes the place of");
            db.record_drift(&holdings[0], Some(Drifted::Gone), at(3)).await.unwrap();
            assert!(db.holdings().await.unwrap()[0].drifted);
            run(&db, "UPDATE credential SET rotation_id = NULL").await;
            db.record_drift(&holdings[0], Some(Drifted::ValueChanged), at(4)).await.unwrap();
            let what = db.row("SELECT what FROM drift", values![], |row| row.get::<String>(0)).await.unwrap();
            assert_eq!(what.as_deref(), Some("gone"), "the rotation ended meanwhile");
        });
    }

    #[test]
    fn in_a_rotation_under_way_only_what_drifted_goes_out_once_more() {
        wait(async {
            let db = in_overlap().await;
            let again = async |seconds| db.deliver_again(1, &RotationId::new("r2"), at(seconds)).await;
            for stop in ["hold_since = 1", "parked = 1", "rotation_id = 'r3'"] {
                run(&db, stop_it(stop)).await;
                assert!(matches!(again(3).await, Err(WriteError::GuardMissed { .. })), "{stop}");
                run(&db, "UPDATE credential SET hold_since = NULL, parked = 0, rotation_id = 'r2'").await;
            }
            assert!(matches!(again(4).await, Err(WriteError::GuardMissed { .. })), "all is as delivered");
            let holding = db.holdings().await.unwrap().remove(0);
            let drifts = async || db.record_drift(&holding, Some(Drifted::Gone), at(5)).await.unwrap();
            drifts().await;
            again(5).await.unwrap();
            assert_eq!(under_way(&db).await, ["late"]);
            assert_eq!(db.holdings().await.unwrap(), [], "what was set aside is inspected no more");
            let kept: Vec<_> = db.delivered(1).await.unwrap();
            assert!(
                kept.iter().any(|one| one.store_version == "2"),
                "and is still forgotten together with its version"
            );
            for _ in 0..2 {
                drifts().await;
                again(6).await.unwrap();
            }
            drifts().await;
            assert!(matches!(again(7).await, Err(WriteError::GuardMissed { .. })), "three times a day");
            again(25 * 3600).await.unwrap();
        });
    }

    fn stop_it(what: &str) -> &'static str {
        Box::leak(format!("UPDATE credential SET {what}").into_boxed_str())
    }

    #[test]
    fn whoever_asks_for_what_is_parked_has_it_delivered_once_more() {
        wait(async {
            let word = Word { by: "ada", reason: "", at: at(9) };
            let db = in_overlap().await;
            db.request_rotation(1, word).await.unwrap();
            assert_eq!(under_way(&db).await, ["late", "web"], "it is on its way, and nothing is wrong");
            run(&db, "UPDATE credential SET parked = 1").await;
            db.request_compromised(1, word).await.unwrap();
            assert_eq!(under_way(&db).await, ["web"], "it was promoted, and never read back");
        });
    }
}
