//! Secrets that wait to be picked up once. What is kept is who may know of it, not the code that takes it.

use domain::{Fingerprint, SecretPath, Timestamp};

use crate::{Db, ReadError, Row, Rows, Unit, Word, WriteError, values};

/// One secret that waits, or waited, to be picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickupLine {
    pub id: i64,
    pub store: String,
    pub path: SecretPath,
    pub made_by: String,
    pub reason: String,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
    pub taken_by: Option<String>,
    pub taken_at: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT id, store, path, made_by, reason, made_at, expires_at, taken_by, taken_at FROM pickup";

impl Db {
    /// # Errors
    /// Those of the database.
    pub async fn make_pickup(
        &self,
        code: Fingerprint,
        (store, path): (&str, &SecretPath),
        expires_at: Timestamp,
        word: Word<'_>,
    ) -> Result<(), WriteError> {
        let sql = "INSERT INTO pickup (id, code, store, path, made_by, reason, made_at, expires_at, taken_by, taken_at)
            VALUES ((SELECT coalesce(max(id), 0) + 1 FROM pickup), $1, $2, $3, $4, $5, $6, $7, NULL, NULL)";
        let values = values![code, store, path.as_str(), word.by, word.reason, word.at, expires_at];
        self.write(Unit::new().run(sql, values, Rows::Exactly(1))).await
    }

    /// What this code takes, whether it still may or not.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pickup(&self, code: Fingerprint) -> Result<Option<PickupLine>, ReadError> {
        self.row(&format!("{COLUMNS} WHERE code = $1"), values![code], line).await
    }

    /// Takes it, once: `Ok` is heard by one at most. It is part of the history of the credential that lies there.
    ///
    /// # Errors
    /// [`WriteError::GuardMissed`] when it was taken before, or its time is over.
    pub async fn take_pickup(&self, pickup: &PickupLine, by: &str, now: Timestamp) -> Result<(), WriteError> {
        let take = "UPDATE pickup SET taken_by = $2, taken_at = $3
            WHERE id = $1 AND taken_at IS NULL AND expires_at > $3";
        let told = "INSERT INTO decision (id, credential_id, at, decision, who, reason)
            SELECT (SELECT coalesce(max(id), 0) + 1 FROM decision), c.id, $3, 'pickup', $4, $5
            FROM kept_secret s
            JOIN kept_version v ON v.store = s.store AND v.path = s.path AND v.number = s.current
            JOIN credential c ON c.credential = v.credential WHERE s.store = $1 AND s.path = $2";
        let reason = format!("offered by {}: {}", pickup.made_by, pickup.reason);
        let unit = Unit::new().run(take, values![pickup.id, by, now], Rows::Exactly(1)).run(
            told,
            values![&pickup.store, pickup.path.as_str(), now, by, reason],
            Rows::Any,
        );
        self.write(unit).await
    }

    /// Every one, the newest last.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pickups(&self) -> Result<Vec<PickupLine>, ReadError> {
        self.rows(&format!("{COLUMNS} ORDER BY id"), values![], line).await
    }
}

fn line(row: &Row<'_>) -> Result<PickupLine, ReadError> {
    Ok(PickupLine {
        id: row.get(0)?,
        store: row.get(1)?,
        path: row.parse(2, SecretPath::parse)?,
        made_by: row.get(3)?,
        reason: row.get(4)?,
        made_at: row.get(5)?,
        expires_at: row.get(6)?,
        taken_by: row.get(7)?,
        taken_at: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn a_code_is_good_once_and_until_its_time_is_over() {
        let (code, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let path = SecretPath::parse("apic/shop").unwrap();
        let word = Word { by: "vera", reason: "a test", at: at(0) };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let db = Db::in_memory().unwrap();
            db.make_pickup(code, ("local", &path), at(60), word).await.unwrap();
            assert_eq!(db.pickup(other).await.unwrap(), None);
            let line = db.pickup(code).await.unwrap().unwrap();
            let late = db.take_pickup(&line, "milo", at(60)).await;
            assert!(matches!(late, Err(WriteError::GuardMissed { .. })));
            db.take_pickup(&line, "milo", at(59)).await.unwrap();
            assert!(db.take_pickup(&line, "eve", at(59)).await.is_err());
            assert_eq!(db.pickups().await.unwrap()[0].taken_by.as_deref(), Some("milo"));
        });
    }
}
