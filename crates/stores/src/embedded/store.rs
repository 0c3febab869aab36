//! Writing the embedded store, as the engine does.

use std::sync::Arc;

use async_trait::async_trait;
use db::{Discard, Fault, KeptError, NewKept, Promoted, Put, ReadError, WriteError};
use domain::SecretPath;
use driver::{
    Clock, Delivery, Discarded, DriverError, Effect, Kind, Labels, SecretStore, StoreFacts, StoreState, StoreVersion,
    StoredVersion, Ticket,
};

use super::{EmbeddedReader, reader::labels_of};

/// A number is taken by a write at the same time and the same path. Only commands write beside the engine, so that a
/// second race is unlikely and an eighth means something else.
const WRITE_RACES_MAX: u32 = 8;

/// An embedded store as the engine sees it.
#[derive(Debug)]
pub struct EmbeddedStore {
    reader: EmbeddedReader,
    clock: Arc<dyn Clock>,
}

impl EmbeddedStore {
    pub fn new(reader: EmbeddedReader, clock: Arc<dyn Clock>) -> Self {
        Self { reader, clock }
    }

    fn kept(&self) -> db::Kept<'_> {
        self.reader.db.kept(&self.reader.store)
    }

    async fn put_next(&self, request: &Delivery<'_>) -> Result<Option<u32>, DriverError> {
        let kept = self.kept();
        let number = kept.labels(request.at).await.map_err(read_failed)?.latest.saturating_add(1);
        let record = self.reader.record(request.at);
        let sealed = self
            .reader
            .keyring
            .seal(request.value, self.reader.context(&record, number))
            .map_err(|error| DriverError::refused(Kind::Protocol, error.to_string()))?;
        let new = NewKept {
            number,
            attempt_key: &request.key.0,
            credential: request.credential.as_str(),
            sealed: &sealed,
            fingerprint: request.fingerprint,
            created_at: self.clock.now(),
        };
        match kept.put(request.at, new).await.map_err(write_failed)? {
            Put::Done => Ok(Some(number)),
            Put::Raced => Ok(None),
        }
    }
}

#[async_trait]
impl SecretStore for EmbeddedStore {
    fn facts(&self) -> StoreFacts {
        StoreFacts { readable: true, ..StoreFacts::default() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        self.reader.db.try_write().await.map_err(write_failed)?;
        Ok(vec!["the database can be written".to_owned()])
    }

    async fn write(&self, request: &Delivery<'_>, _ticket: &Ticket) -> Result<StoreVersion, DriverError> {
        for _ in 0..WRITE_RACES_MAX {
            if let Some(number) = self.kept().attempted(request.at, &request.key.0).await.map_err(read_failed)? {
                return Ok(store_version(number));
            }
            if let Some(number) = self.put_next(request).await? {
                return Ok(store_version(number));
            }
        }
        Err(DriverError::refused(Kind::Conflict, format!("somebody else keeps writing `{}`", request.at)))
    }

    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        let (stand, kept) = self.kept().versions(at).map_err(read_failed)?;
        let record = self.reader.record(at);
        let mut versions = Vec::new();
        for version in kept {
            let Some(sealed) = version.sealed else { continue };
            let number = version.number;
            let labels = labels_of(number, stand);
            // Nobody reads the others, and one of them that is damaged is in nobody's way.
            if labels.is_empty() {
                continue;
            }
            let content =
                self.reader.keyring.unseal(&sealed, self.reader.context(&record, number)).map_err(|error| {
                    DriverError::refused(Kind::Protocol, format!("version {number} of `{at}` does not open: {error}"))
                })?;
            versions.push(StoredVersion {
                version: store_version(number),
                labels,
                fingerprint: Some(self.reader.keyring.fingerprint(&content)),
            });
        }
        Ok(StoreState { versions, ..StoreState::default() })
    }

    async fn discard(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        _ticket: &Ticket,
    ) -> Result<Discarded, DriverError> {
        let Some(number) = number(version) else { return Ok(Discarded::GoneAlready) };
        match self.kept().discard(at, number).await.map_err(kept_failed)? {
            Discard::Now => Ok(Discarded::Now),
            Discard::GoneAlready => Ok(Discarded::GoneAlready),
            Discard::IsCurrent => Err(DriverError::refused(
                Kind::Conflict,
                format!("version {number} of `{at}` is what applications read"),
            )),
        }
    }

    fn labels(&self) -> Option<&dyn Labels> {
        Some(self)
    }
}

#[async_trait]
impl Labels for EmbeddedStore {
    async fn promote(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        expected: Option<&StoreVersion>,
        _ticket: &Ticket,
    ) -> Result<(), DriverError> {
        let absent = || DriverError::refused(Kind::NotFound, format!("`{at}` has no version {}", version.0));
        let number_to = number(version).ok_or_else(absent)?;
        let number_expected = match expected {
            None => None,
            // An id that is not of this store cannot be current here.
            Some(expected) => Some(number(expected).ok_or_else(|| {
                DriverError::refused(Kind::Conflict, format!("`{at}` has no version {}", expected.0))
            })?),
        };
        match self.kept().promote(at, number_to, number_expected).await.map_err(kept_failed)? {
            Promoted::Now | Promoted::Already => Ok(()),
            Promoted::Absent => Err(absent()),
            Promoted::Conflict { current } => {
                let shown = |number: Option<u32>| number.map_or("none".to_owned(), |number| number.to_string());
                let message = format!(
                    "current version of `{at}` is {}, not {} as expected",
                    shown(current),
                    shown(number_expected)
                );
                Err(DriverError::refused(Kind::Conflict, message))
            }
        }
    }
}

fn store_version(number: u32) -> StoreVersion {
    StoreVersion(number.to_string())
}

fn number(version: &StoreVersion) -> Option<u32> {
    version.0.parse().ok()
}

fn kept_failed(error: KeptError) -> DriverError {
    match error {
        KeptError::Read(error) => read_failed(error),
        KeptError::Write(error) => write_failed(error),
    }
}

fn read_failed(error: ReadError) -> DriverError {
    match &error {
        ReadError::Database(fault) => DriverError::refused(Kind::Unavailable, format!("{error}: {fault}")),
        ReadError::Column { .. } | ReadError::Malformed { .. } => {
            DriverError::refused(Kind::Protocol, error.to_string())
        }
    }
}

fn write_failed(error: WriteError) -> DriverError {
    match &error {
        // Only after a restart is it known whether the write survives.
        WriteError::Database(fault @ Fault::Stopped) => {
            DriverError::new(Kind::Unavailable, Effect::Unknown, format!("{error}: {fault}"))
        }
        WriteError::Database(fault) => DriverError::refused(Kind::Unavailable, format!("{error}: {fault}")),
        _ => DriverError::refused(Kind::Protocol, error.to_string()),
    }
}
