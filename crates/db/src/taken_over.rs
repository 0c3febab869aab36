//! Values of others that a first delivery has replaced.

use domain::CredentialId;

use crate::{Db, ReadError, values};

impl Db {
    /// The last entry of the journal; 0 where there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn last_journal_entry(&self) -> Result<i64, ReadError> {
        let last = self.row("SELECT coalesce(max(id), 0) FROM journal", values![], |row| row.get(0)).await?;
        Ok(last.unwrap_or_default())
    }

    /// Places at which a promotion after this entry of the journal replaced a value although this database knows of no
    /// delivery before: somebody else had put it there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn taken_over_after(&self, entry: i64) -> Result<Vec<(CredentialId, String)>, ReadError> {
        let sql = "SELECT c.credential, j.destination FROM journal j JOIN credential c ON c.id = j.credential_id
            JOIN delivery d ON d.credential_id = j.credential_id AND d.rotation_id = j.rotation_id
                AND j.destination = d.store || ':' || d.path
            WHERE j.id > $1 AND j.step = 'promote' AND j.phase = 'done' AND d.replaced IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.credential_id = d.credential_id AND e.store = d.store
                    AND e.path = d.path AND e.rotation_id <> d.rotation_id AND e.promoted_at IS NOT NULL)
            ORDER BY j.id";
        self.rows(sql, values![entry], |row| Ok((row.parse(0, CredentialId::parse)?, row.get(1)?))).await
    }
}
