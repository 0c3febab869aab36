//! A model store: paths, versions, three labels.

use std::collections::BTreeMap;

use domain::{Fingerprint, Timestamp};

use crate::platform::Who;

#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) labels: bool,
    pub(crate) slots: BTreeMap<String, Slot>,
}

#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) kept: Vec<Kept>,
    /// Positions in `kept`.
    pub(crate) current: Option<usize>,
    pub(crate) previous: Option<usize>,
    pub(crate) pending: Option<usize>,
    /// When readers last began to get something else, and through whom.
    pub(crate) changed: Option<(Timestamp, Who)>,
    /// A person wrote something here, and neither they nor we have put it right since.
    pub(crate) foul: bool,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) key: String,
    /// What the gateway wants; `None` after it was discarded.
    pub(crate) secret: Option<String>,
    pub(crate) fingerprint: Fingerprint,
}

impl Slot {
    /// What a consumer reads now.
    pub(crate) fn read(&self) -> Option<&str> {
        self.kept[self.current?].secret.as_deref()
    }

    pub(crate) fn attempted(&self, key: &str) -> Option<usize> {
        self.kept.iter().position(|kept| kept.key == key)
    }

    pub(crate) fn put(&mut self, key: &str, secret: &str, fingerprint: Fingerprint) -> usize {
        self.kept.push(Kept { key: key.to_owned(), secret: Some(secret.to_owned()), fingerprint });
        self.kept.len() - 1
    }

    pub(crate) fn serve(&mut self, position: usize, now: Timestamp, who: Who) {
        if self.current != Some(position) {
            self.previous = self.current;
            self.current = Some(position);
            self.changed = Some((now, who));
            self.foul = who == Who::Person;
        }
        if self.pending == Some(position) {
            self.pending = None;
        }
    }
}
