//! Sealed secrets of versions, and where they were delivered.

use domain::{Destination, Fingerprint, Timestamp, VersionNumber};
use secret::Sealed;

use crate::{Db, ReadError, values};

/// Where one version of a credential went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub destination: Destination,
    pub version: VersionNumber,
    pub store_version: String,
    /// The store's version that was current before, at the time of writing.
    pub replaced: Option<String>,
    /// Of the value in the form in which it went.
    pub fingerprint: Fingerprint,
    pub promoted_at: Option<Timestamp>,
}

impl Db {
    /// The sealed secret of one version with its fingerprint; `None` when we do not hold it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sealed_secret(
        &self,
        credential_id: i64,
        version: VersionNumber,
    ) -> Result<Option<(Sealed, Fingerprint)>, ReadError> {
        let sql = "SELECT sealed, fingerprint FROM version
            WHERE credential_id = $1 AND number = $2 AND sealed IS NOT NULL";
        self.row(sql, values![credential_id, version.0], |row| Ok((Sealed(row.get(0)?), row.get(1)?))).await
    }

    /// Every place where a version of this credential was written, newest rotation last.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn delivered(&self, credential_id: i64) -> Result<Vec<Delivered>, ReadError> {
        let sql = "SELECT store, path, version, store_version, replaced, fingerprint, promoted_at FROM delivery
            WHERE credential_id = $1 ORDER BY written_at";
        self.rows(sql, values![credential_id], |row| {
            Ok(Delivered {
                destination: Destination {
                    store: row.get::<&str>(0)?.into(),
                    path: row.parse(1, domain::SecretPath::parse)?,
                },
                version: VersionNumber(row.get(2)?),
                store_version: row.get(3)?,
                replaced: row.get(4)?,
                fingerprint: row.get(5)?,
                promoted_at: row.get(6)?,
            })
        })
        .await
    }
}
