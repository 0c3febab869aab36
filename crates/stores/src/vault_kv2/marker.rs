//! What we note in the custom metadata of a secret: which attempt became which version, and for whom.
//!
//! Everybody who may read the value may read it, so there is nothing secret here. The note is written before the value:
//! an attempt whose answer was lost is found again, whatever became of it.

use std::collections::BTreeMap;

use domain::Fingerprint;
use driver::{Delivery, DriverError, Kind};
use serde::Serialize;

use super::place::Place;

/// Somebody else's notes fit beside ours: the server takes 64.
const RECORDS_MAX: usize = 16;
/// The server's own limit for one note.
const NOTE_BYTES_MAX: usize = 512;
const RECORD: &str = "keyrota-v";
pub(super) const CREDENTIAL: &str = "keyrota-credential";
const ROTATION: &str = "keyrota-rotation";
pub(super) const ENVIRONMENT: &str = "environment";

/// An attempt and the version that it became, or was to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub version: u64,
    pub attempt: String,
    pub fingerprint: Fingerprint,
}

impl Record {
    /// Notes of others, and what somebody edited, are no records.
    pub(super) fn parse(name: &str, note: &str) -> Option<Self> {
        let version = name.strip_prefix(RECORD)?.parse().ok()?;
        let (fingerprint, attempt) = note.split_once(' ')?;
        Some(Self { version, attempt: attempt.to_owned(), fingerprint: from_hex(fingerprint)? })
    }

    fn name(version: u64) -> String {
        format!("{RECORD}{version}")
    }
}

/// A change of the notes; `None` takes one away. The whole body of the call.
#[derive(Debug, Serialize)]
pub(super) struct Notes {
    /// Only if nobody else has changed the notes meanwhile. A server without this comparison ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_cas: Option<u64>,
    custom_metadata: BTreeMap<String, Option<String>>,
}

impl Notes {
    /// Before the value: that this attempt is to become `version`. Forgets records of versions that are no more.
    pub(super) fn announcing(
        request: &Delivery<'_>,
        version: u64,
        seen: &Place,
        environment: Option<&str>,
    ) -> Result<Self, DriverError> {
        let attempt = request.key.0.as_str();
        let rotation = attempt.split_once(':').map_or(attempt, |(rotation, _)| rotation);
        let mut notes = BTreeMap::new();
        let mut note = |name: String, text: String| {
            if text.len() > NOTE_BYTES_MAX {
                let why = format!("`{name}` would be a note of {} bytes, more than {NOTE_BYTES_MAX}", text.len());
                return Err(DriverError::refused(Kind::Invalid, why));
            }
            notes.insert(name, Some(text));
            Ok(())
        };
        note(Record::name(version), format!("{} {attempt}", hex(request.fingerprint)))?;
        note(ROTATION.to_owned(), rotation.to_owned())?;
        note(CREDENTIAL.to_owned(), request.credential.as_str().to_owned())?;
        if let Some(environment) = environment {
            note(ENVIRONMENT.to_owned(), environment.to_owned())?;
        }
        let mut kept = 1;
        // The newest first: the oldest go when there are too many.
        for record in seen.records().into_iter().rev() {
            let worth_keeping = seen.knows(record.version) && kept < RECORDS_MAX;
            if worth_keeping || record.version == version {
                kept += 1;
            } else {
                notes.insert(Record::name(record.version), None);
            }
        }
        Ok(Self { metadata_cas: seen.notes_version, custom_metadata: notes })
    }

    /// After a write that certainly did not happen: the notes as they stood.
    pub(super) fn undoing(self, seen: &Place) -> Self {
        let before = |name: String| {
            let note = seen.note(&name).map(str::to_owned);
            (name, note)
        };
        Self {
            metadata_cas: self.metadata_cas.map(|version| version.saturating_add(1)),
            custom_metadata: self.custom_metadata.into_keys().map(before).collect(),
        }
    }

    /// For a secret that has no metadata yet: nothing can be taken away there.
    pub(super) fn without_removals(&self) -> Self {
        let kept = self.custom_metadata.iter().filter(|(_, note)| note.is_some());
        Self {
            metadata_cas: self.metadata_cas,
            custom_metadata: kept.map(|(name, note)| (name.clone(), note.clone())).collect(),
        }
    }
}

fn hex(fingerprint: Fingerprint) -> String {
    fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Fingerprint(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let fingerprint = Fingerprint([0xa7; 32]);
        let note = format!("{} rotation-1:4", hex(fingerprint));
        let record = Record { version: 12, attempt: "rotation-1:4".to_owned(), fingerprint };
        assert_eq!(Record::parse(&Record::name(12), &note), Some(record));
    }

    #[test]
    fn what_is_no_record_is_left_alone() {
        let good = format!("{} a:1", hex(Fingerprint([1; 32])));
        for (name, note) in [
            ("owner", good.as_str()),
            ("keyrota-vx", &good),
            ("keyrota-v1", "a:1"),
            ("keyrota-v1", &good[1..]),
            ("keyrota-v1", &good.replacen('0', "+", 1)),
        ] {
            assert_eq!(Record::parse(name, note), None, "{name} {note}");
        }
    }
}
