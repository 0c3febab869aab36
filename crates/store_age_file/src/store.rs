//! The store itself: the order in which the files of one secret change.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use domain::SecretPath;
use driver::{
    Delivery, Discarded, DriverError, Effect, Kind, Label, Mark, SecretStore, StoreFacts, StoreState, StoreVersion,
    StoredVersion, Ticket,
};

use whole_file::Room;

use crate::{
    files,
    names::{self, Names},
    record::{Entry, Record, version_of},
    sealing::{self, Recipients},
};

/// Where a person finds whose files these are.
const RECORD: &str = ".versions.json";

/// Encrypted files under one directory.
#[derive(Debug)]
pub(crate) struct AgeFileStore {
    directory: PathBuf,
    recipients: Recipients,
    /// One change at a time: two writes to one secret would mix their steps. Writing a file takes milliseconds.
    changing: Mutex<()>,
}

/// What is on disk for one secret.
struct Found {
    names: Names,
    record: Record,
    current: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
}

impl AgeFileStore {
    pub(crate) fn new(directory: PathBuf, recipients: Recipients) -> Self {
        Self { directory, recipients, changing: Mutex::new(()) }
    }

    fn look(&self, at: &SecretPath) -> Result<Found, DriverError> {
        let names = Names::of(&self.directory, at);
        let record = match files::read(&names.record)? {
            None => Record::default(),
            Some(text) => serde_json::from_slice(&text).map_err(|error| {
                let message = format!("{} is not what Keyrota wrote: {error}", names.record.display());
                DriverError::refused(Kind::Protocol, message)
            })?,
        };
        let (current, previous) = (files::read(&names.current)?, files::read(&names.previous)?);
        Ok(Found { names, record, current, previous })
    }

    /// A crash between any two steps leaves the old file or the new one, whole, and a record that knows both; the
    /// repetition of the write then finishes it.
    fn put(&self, request: &Delivery<'_>) -> Result<StoreVersion, DriverError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Found { names, mut record, current, .. } = self.look(request.at)?;
        let version = version_of(&request.key);
        let known = record.of_version(&version);
        if known.is_some_and(|entry| entry.in_place) {
            return Ok(StoreVersion(version));
        }
        let arrived = known.is_some() && current.as_deref().and_then(|file| record.of_file(file)) == known;
        if !arrived {
            let sealed = sealing::seal(request, &self.recipients)?;
            files::make_folders(&names.current)?;
            record.remember(Entry::new(&request.key, request.credential.as_str(), request.fingerprint, &sealed));
            save(&names, &record)?;
            if let Some(current) = current {
                files::replace(&names.previous, &current)?;
            }
            files::replace(&names.current, &sealed)?;
        }
        record.is_in_place(&version);
        // The file is in place: whatever fails now, something has changed.
        save(&names, &record).map_err(|error| DriverError { effect: Effect::Unknown, ..error })?;
        Ok(StoreVersion(version))
    }

    fn remove(&self, at: &SecretPath, version: &StoreVersion) -> Result<Discarded, DriverError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.look(at)?;
        let is = |file: &Option<Vec<u8>>| file.as_deref().is_some_and(|file| found.version_of(file) == *version);
        if is(&found.current) {
            let message = format!("{} is what its readers have", found.names.current.display());
            return Err(DriverError::refused(Kind::Conflict, message));
        }
        if is(&found.previous) && files::remove(&found.names.previous)? {
            return Ok(Discarded::Now);
        }
        Ok(Discarded::GoneAlready)
    }
}

impl Found {
    /// A file that was not written by us, or was edited since, is a version of its own.
    fn version_of(&self, file: &[u8]) -> StoreVersion {
        let version = self.record.of_file(file).map(|entry| entry.version.clone());
        StoreVersion(version.unwrap_or_else(|| format!("unrecorded-{}", names::hex(file))))
    }

    fn stored(&self, file: &[u8], label: Label) -> StoredVersion {
        StoredVersion {
            version: self.version_of(file),
            labels: vec![label],
            fingerprint: self.record.of_file(file).and_then(Entry::fingerprint),
        }
    }
}

fn save(names: &Names, record: &Record) -> Result<(), DriverError> {
    let text =
        serde_json::to_vec_pretty(record).map_err(|error| DriverError::refused(Kind::Protocol, error.to_string()))?;
    files::replace(&names.record, &text)
}

#[async_trait]
impl SecretStore for AgeFileStore {
    /// Only the recipients can open the files.
    fn facts(&self) -> StoreFacts {
        StoreFacts { readable: false, taken_away: true, ..StoreFacts::default() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        let folder = self.directory.display();
        let room = match files::check_writable(&self.directory)? {
            Room::There => format!("files can be written under {folder}"),
            Room::ToBeMade { within } => format!("{folder} will be made in {}, which can be written", within.display()),
        };
        let readers = match self.recipients.count() {
            1 => "1 recipient".to_owned(),
            count => format!("{count} recipients"),
        };
        Ok(vec![room, format!("they are encrypted for {readers}")])
    }

    async fn write(&self, request: &Delivery<'_>, _ticket: &Ticket) -> Result<StoreVersion, DriverError> {
        self.put(request)
    }

    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        let found = self.look(at)?;
        let mut versions = Vec::new();
        // A write that was cut short leaves the same file under both names.
        if let Some(previous) = found.previous.as_deref().filter(|_| found.previous != found.current) {
            versions.push(found.stored(previous, Label::Previous));
        }
        if let Some(current) = found.current.as_deref() {
            versions.push(found.stored(current, Label::Current));
        }
        let last = found.record.versions.last();
        let mark = last.map(|entry| Mark { credential: entry.credential.clone(), kept_as: RECORD });
        Ok(StoreState { versions, environment: None, mark })
    }

    async fn discard(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        _ticket: &Ticket,
    ) -> Result<Discarded, DriverError> {
        self.remove(at, version)
    }
}
