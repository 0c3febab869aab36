//! What is remembered beside the files of one secret, in clear: which file came from which write.
//!
//! A file is recognised by its digest and by nothing else, so that no order of crashes and no hand at the files makes
//! the record lie: it only says what a file with this digest is.

use domain::Fingerprint;
use driver::AttemptKey;
use serde::{Deserialize, Serialize};

use crate::names;

/// Writes remembered. An attempt is repeated within hours and a secret changes within weeks.
const ENTRIES_MAX: usize = 16;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// In the order of the writes.
    pub(crate) versions: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) version: String,
    pub(crate) credential: String,
    /// SHA-256 of the encrypted file.
    digest: String,
    /// Keyed hash of the content, in hexadecimal digits.
    fingerprint: String,
    /// False from before the file is put in place until after it.
    pub(crate) in_place: bool,
}

impl Entry {
    pub(crate) fn new(key: &AttemptKey, credential: &str, fingerprint: Fingerprint, file: &[u8]) -> Self {
        Self {
            version: version_of(key),
            credential: credential.to_owned(),
            digest: names::hex(file),
            fingerprint: fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect(),
            in_place: false,
        }
    }

    /// `None` when the record was edited into something else.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        let mut bytes = [0; 32];
        if self.fingerprint.len() != 2 * bytes.len() {
            return None;
        }
        for (position, byte) in bytes.iter_mut().enumerate() {
            let digits = self.fingerprint.get(2 * position..2 * position + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Fingerprint(bytes))
    }
}

/// The version that an attempt makes, known before it is made.
pub(crate) fn version_of(key: &AttemptKey) -> String {
    names::hex(key.0.as_bytes()).split_at(32).0.to_owned()
}

impl Record {
    pub(crate) fn of_version(&self, version: &str) -> Option<&Entry> {
        self.versions.iter().find(|entry| entry.version == version)
    }

    pub(crate) fn of_file(&self, file: &[u8]) -> Option<&Entry> {
        let digest = names::hex(file);
        self.versions.iter().find(|entry| entry.digest == digest)
    }

    /// Adds a write, or the repetition of one that was cut short.
    pub(crate) fn remember(&mut self, entry: Entry) {
        self.versions.retain(|known| known.version != entry.version);
        let surplus = (self.versions.len() + 1).saturating_sub(ENTRIES_MAX);
        self.versions.drain(..surplus);
        self.versions.push(entry);
    }

    pub(crate) fn is_in_place(&mut self, version: &str) {
        for entry in self.versions.iter_mut().filter(|entry| entry.version == version) {
            entry.in_place = true;
        }
    }
}
