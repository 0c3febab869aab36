//! One path of the mount, as its metadata tells: which versions there are, what readers get, what is noted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    api::{Metadata, VersionFacts},
    marker::Record,
};

/// What the server says of one path.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// There is metadata, even if there is no version.
    pub exists: bool,
    /// The number of the newest version, be it deleted or destroyed; 0: none. This is what `cas` compares.
    pub newest: u64,
    /// 0: as the mount says.
    pub max_versions: u64,
    /// As the server writes it; empty or zero: as the mount says.
    pub delete_version_after: String,
    /// What a change of the notes may compare with, where the server can. A place without metadata has had no change.
    pub notes_version: Option<u64>,
    notes: BTreeMap<String, String>,
    versions: BTreeMap<u64, Fate>,
}

/// What became of a version's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Readers get nothing; who has the right can bring it back.
    Deleted,
    Destroyed,
}

impl Place {
    /// Nothing is there.
    pub(super) fn empty() -> Self {
        Self { notes_version: Some(0), ..Self::default() }
    }

    /// `now`: by the server's clock. A deletion can be set for later, and until then readers get the value.
    pub(super) fn new(metadata: Metadata, now: Timestamp) -> Self {
        let fate = |facts: VersionFacts| {
            let later = || facts.deletion_time.parse::<Timestamp>().is_ok_and(|at| at > now);
            match facts.destroyed {
                true => Fate::Destroyed,
                false if facts.deletion_time.is_empty() || later() => Fate::Kept,
                false => Fate::Deleted,
            }
        };
        Self {
            exists: true,
            newest: metadata.current_version,
            max_versions: metadata.max_versions,
            delete_version_after: metadata.delete_version_after,
            notes_version: metadata.current_metadata_version,
            notes: metadata.custom_metadata.unwrap_or_default(),
            versions: metadata.versions.into_iter().map(|(version, facts)| (version, fate(facts))).collect(),
        }
    }

    /// What a reader finds who may not read the metadata: the newest version, and the notes.
    pub(super) fn of_newest(
        version: u64,
        facts: VersionFacts,
        notes: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Self {
        Self::new(
            Metadata {
                current_version: version,
                versions: [(version, facts)].into(),
                custom_metadata: Some(notes),
                ..Metadata::default()
            },
            now,
        )
    }

    /// Versions with their content, in ascending order.
    pub(super) fn kept(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.versions.iter().filter(|(_, fate)| **fate == Fate::Kept).map(|(version, _)| *version)
    }

    pub(super) fn keeps(&self, version: u64) -> bool {
        self.versions.get(&version) == Some(&Fate::Kept)
    }

    /// Its content is still on the server, whether readers get it or not.
    pub(super) fn recoverable(&self, version: u64) -> bool {
        matches!(self.versions.get(&version), Some(Fate::Kept | Fate::Deleted))
    }

    /// The server still knows of it, even if its content is gone.
    pub(super) fn knows(&self, version: u64) -> bool {
        self.versions.contains_key(&version)
    }

    /// What readers get. Readers get the newest version or nothing: where it was deleted, an older one is not current.
    pub(super) fn current(&self) -> Option<u64> {
        Some(self.newest).filter(|version| self.keeps(*version))
    }

    /// The one before the newest.
    pub(super) fn previous(&self) -> Option<u64> {
        self.kept().rfind(|version| *version < self.newest)
    }

    pub(super) fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// In ascending order of version.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut records: Vec<_> = self.notes.iter().filter_map(|(name, note)| Record::parse(name, note)).collect();
        records.sort_by_key(|record| record.version);
        records
    }

    pub(super) fn record_of(&self, version: u64) -> Option<Record> {
        self.records().into_iter().find(|record| record.version == version)
    }

    /// The latest version that this attempt was to become.
    pub(super) fn record_of_attempt(&self, attempt: &str) -> Option<Record> {
        self.records().into_iter().rfind(|record| record.attempt == attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(metadata: &str) -> Place {
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        Place::new(metadata, "2026-11-23T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn readers_get_the_newest_or_nothing() {
        let place = place(
            r#"{"current_version":4,"versions":{
                "2":{"created_time":"x","deletion_time":"","destroyed":false},
                "3":{"deletion_time":"2026-11-23T11:00:00Z"},
                "4":{"deletion_time":"2026-11-23T11:59:59.123Z"}}}"#,
        );
        assert_eq!((place.current(), place.previous(), place.newest), (None, Some(2), 4));
        assert_eq!(place.kept().collect::<Vec<_>>(), [2]);
        assert!(place.knows(3) && !place.keeps(3) && !place.knows(1));
    }

    #[test]
    fn a_deletion_that_lies_ahead_takes_nothing_away_yet() {
        let place = place(r#"{"current_version":1,"versions":{"1":{"deletion_time":"2026-11-24T00:00:00Z"}}}"#);
        assert_eq!((place.current(), place.previous()), (Some(1), None));
    }

    #[test]
    fn metadata_alone_is_no_version() {
        let place = place(r#"{"current_version":0,"versions":{},"custom_metadata":null}"#);
        assert!(place.exists);
        assert_eq!((place.current(), place.newest), (None, 0));
    }
}
