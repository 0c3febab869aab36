//! A person writes to the embedded store, as they might to any other.

use db::{KeptError, NewKept, Promoted, Put, ReadError, WriteError};
use domain::SecretPath;
use jiff::Timestamp;
use secret::{SealError, SecretMap};

use super::EmbeddedReader;

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the value could not be sealed")]
    Seal(#[from] SealError),
    #[error("the database could not be read")]
    Read(#[from] ReadError),
    #[error("the database could not be written")]
    Write(#[from] WriteError),
    #[error("somebody else wrote there in this very moment")]
    Raced,
}

impl From<KeptError> for PutError {
    fn from(error: KeptError) -> Self {
        match error {
            KeptError::Read(error) => error.into(),
            KeptError::Write(error) => error.into(),
        }
    }
}

impl EmbeddedReader {
    /// Writes a value and makes it current at once. `who` stands in the place of the credential. Needs a database that
    /// is open for writing.
    ///
    /// # Errors
    /// See [`PutError`]; readers get what they got before.
    pub async fn put_by_hand(
        &self,
        path: &SecretPath,
        value: &SecretMap,
        who: &str,
        now: Timestamp,
    ) -> Result<u32, PutError> {
        let kept = self.db.kept(&self.store);
        let labels = kept.labels(path).await?;
        let number = labels.latest.saturating_add(1);
        let sealed = self.keyring.seal(value, self.context(&self.record(path), number))?;
        let new = NewKept {
            number,
            attempt_key: &format!("by hand {number}"),
            credential: who,
            sealed: &sealed,
            fingerprint: self.keyring.fingerprint(value),
            created_at: now,
        };
        match kept.put(path, new).await? {
            Put::Done => {}
            Put::Raced => return Err(PutError::Raced),
        }
        match kept.promote(path, number, labels.current).await? {
            Promoted::Now | Promoted::Already => Ok(number),
            Promoted::Conflict { .. } | Promoted::Absent => Err(PutError::Raced),
        }
    }
}
