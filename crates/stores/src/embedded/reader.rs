//! Reading the embedded store, as `keyrota secret` does, also from another process while an engine writes.

use std::sync::Arc;

use db::{Db, KeptLabels, ReadError};
use domain::SecretPath;
use driver::Label;
use jiff::Timestamp;
use secret::{Context, Keyring, OpenError, SecretMap};

/// The names and content of one embedded store. Writes nothing.
#[derive(Debug, Clone)]
pub struct EmbeddedReader {
    pub(super) store: Arc<str>,
    pub(super) db: Arc<Db>,
    pub(super) keyring: Arc<Keyring>,
}

/// One version with its content.
#[derive(Debug)]
pub struct ReadSecret {
    pub version: u32,
    pub labels: Vec<Label>,
    pub data: SecretMap,
}

/// One path, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathLine {
    pub path: SecretPath,
    pub current: Option<u32>,
    pub pending: Option<u32>,
    pub previous: Option<u32>,
}

/// One version, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionLine {
    pub version: u32,
    pub labels: Vec<Label>,
    /// The credential of which it is a version.
    pub credential: String,
    pub created_at: Timestamp,
    /// Its content is gone; only the fact that it was there remains.
    pub discarded: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret could not be read")]
    Database(#[from] ReadError),
    #[error("version {version} of `{path}` does not open")]
    Sealed { path: SecretPath, version: u32, source: OpenError },
}

impl EmbeddedReader {
    pub fn new(store: &str, db: Arc<Db>, keyring: Arc<Keyring>) -> Self {
        Self { store: store.into(), db, keyring }
    }

    /// The store's name in the configuration.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// The current version, or the one with the given number. `None`: nothing is there, or not any more.
    ///
    /// # Errors
    /// [`SecretError::Sealed`] when the row was altered or belongs elsewhere.
    pub async fn get(&self, path: &SecretPath, version: Option<u32>) -> Result<Option<ReadSecret>, SecretError> {
        let Some(content) = self.db.kept(&self.store).content(path, version).await? else { return Ok(None) };
        let version = content.number;
        let data = self
            .keyring
            .unseal(&content.sealed, self.context(&self.record(path), version))
            .map_err(|source| SecretError::Sealed { path: path.clone(), version, source })?;
        Ok(Some(ReadSecret { version, labels: labels_of(version, content.labels), data }))
    }

    /// Every path that was ever written, in ascending order. Blocks while it reads.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list(&self, mut each: impl FnMut(PathLine)) -> Result<(), ReadError> {
        self.db.kept(&self.store).paths(|path, KeptLabels { current, pending, previous, .. }| {
            each(PathLine { path, current, pending, previous });
        })
    }

    /// Every version that is kept, in ascending order; empty for a path that was never written.
    ///
    /// # Errors
    /// Those of the database.
    pub fn versions(&self, path: &SecretPath) -> Result<Vec<VersionLine>, ReadError> {
        let (stand, versions) = self.db.kept(&self.store).versions(path)?;
        let line = |version: db::KeptVersion| VersionLine {
            version: version.number,
            labels: labels_of(version.number, stand),
            credential: version.credential,
            created_at: version.created_at,
            discarded: version.sealed.is_none(),
        };
        Ok(versions.into_iter().map(line).collect())
    }

    /// What a value is sealed for. A path has no control character, so the last one ends the name of the store and
    /// two places never share a record.
    pub(super) fn record(&self, path: &SecretPath) -> String {
        format!("{}\u{1f}{path}", self.store)
    }

    pub(super) fn context<'a>(&self, record: &'a str, version: u32) -> Context<'a> {
        Context { kind: "store", record, version }
    }
}

pub(super) fn labels_of(version: u32, stand: KeptLabels) -> Vec<Label> {
    [(Label::Pending, stand.pending), (Label::Current, stand.current), (Label::Previous, stand.previous)]
        .into_iter()
        .filter(|(_, number)| *number == Some(version))
        .map(|(label, _)| label)
        .collect()
}
