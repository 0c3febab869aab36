//! A consumer key, and what it is called where others read along.
//!
//! Where a proxy asks for nothing but the key, that key is a password. So it goes to the platform and to the stores and
//! nowhere else: names, handles, messages and logs have a digest of it, which tells keys apart and opens nothing.

use std::{collections::BTreeSet, fmt};

use aws_lc_rs::digest::{SHA256, digest};
use domain::{Handle, Marker, RotationId};
use secret::Secret;
use serde::{Deserialize, Deserializer, de::Error};

use super::api::SecretText;

/// What keys of our making begin with. Neither `:` nor a space may stand in a key, so the mark is spelled with `_`.
const PREFIX: &str = "keyrota";
/// 128 bits: nobody finds another key with the same handle, nor the key to a handle.
const HANDLE_DIGITS: usize = 32;
/// An app holds ten keys: forty bits tell them apart, and where they do not, more are taken.
const NAME_DIGITS: usize = 10;

pub(super) struct ConsumerKey {
    text: Secret,
    handle: Handle,
}

impl ConsumerKey {
    /// `None`: it is empty or no text.
    pub(super) fn new(text: Secret) -> Option<Self> {
        let of = text.expose_text().filter(|text| !text.is_empty())?;
        let digest = digest(&SHA256, of.as_bytes());
        let digits: String = digest.as_ref().iter().take(HANDLE_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        Some(Self { handle: Handle::parse(&digits).ok()?, text })
    }

    /// Only for a call to the platform.
    pub(super) fn expose_text(&self) -> &str {
        self.text.expose_text().unwrap_or_default()
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.text
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What it is called in its app, which holds these.
    pub(super) fn name<'a>(&self, keys: impl Iterator<Item = &'a Self>) -> String {
        let handles: BTreeSet<&str> = keys.map(|key| key.handle.as_str()).collect();
        let others = || handles.iter().filter(|other| **other != self.handle.as_str());
        let same = |other: &str| other.bytes().zip(self.handle.as_str().bytes()).take_while(|(a, b)| a == b).count();
        let digits = others().map(|other| same(other) + 1).max().unwrap_or_default().max(NAME_DIGITS);
        format!("key-{}", self.handle.as_str().chars().take(digits).collect::<String>())
    }

    /// The mark, if it is one of ours.
    pub(super) fn mark(&self) -> Option<Marker> {
        mark_of(self.expose_text())
    }
}

impl Clone for ConsumerKey {
    fn clone(&self) -> Self {
        Self { text: self.text.duplicate(), handle: self.handle.clone() }
    }
}

impl fmt::Debug for ConsumerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsumerKey({})", self.handle)
    }
}

impl<'de> Deserialize<'de> for ConsumerKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretText::deserialize(deserializer)?;
        Self::new(text.0).ok_or_else(|| D::Error::custom("no consumer key"))
    }
}

/// A key that bears the mark: `keyrota_ROTATION_ATTEMPT_RANDOM`. On Edge a key is created with nothing but its value,
/// so there is no other place in which the mark is never missing.
pub(super) fn marked(marker: &Marker, random: &str) -> String {
    let mark = marker.as_str().replace(':', "_");
    format!("{mark}_{random}")
}

fn mark_of(key: &str) -> Option<Marker> {
    let mut parts = key.strip_prefix(PREFIX)?.strip_prefix('_')?.splitn(3, '_');
    let (rotation, attempt, _random) = (parts.next()?, parts.next()?, parts.next()?);
    let marker = Marker::new(&RotationId::new(rotation), attempt.parse().ok()?);
    Marker::find(marker.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ConsumerKey {
        ConsumerKey::new(Secret::from_text(text)).unwrap()
    }

    #[test]
    fn a_key_of_ours_is_known_by_its_value() {
        let marker = Marker::new(&RotationId::new("0192f0e4-ab"), 3);
        let key = marked(&marker, "Qx_7-z");
        assert_eq!(key, "keyrota_0192f0e4-ab_3_Qx_7-z");
        assert_eq!(mark_of(&key), Some(marker));
        for other in ["", "keyrota", "keyrota_", "keyrota_x_y_z", "keyrota_ab_1", "rot-2026-02-K4t", "xkeyrota_ab_1_z"]
        {
            assert_eq!(mark_of(other), None, "{other}");
        }
    }

    /// What `printf abc | sha256sum` says, so that whoever has a key finds its credential.
    #[test]
    fn it_is_called_by_its_digest_and_never_by_itself() {
        let abc = key("abc");
        assert_eq!(abc.handle().as_str(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(abc.name([&abc].into_iter()), "key-ba7816bf8f");
        assert_eq!(format!("{abc:?}"), "ConsumerKey(ba7816bf8f01cfea414140de5dae2223)");
        let read: ConsumerKey = serde_json::from_str("\"abc\"").unwrap();
        assert_eq!((read.handle(), read.expose_text()), (abc.handle(), "abc"));
        assert!(ConsumerKey::new(Secret::from_text("")).is_none());
    }

    #[test]
    fn names_that_would_be_the_same_are_longer() {
        let with = |digits: &str| ConsumerKey { handle: Handle::parse(digits).unwrap(), text: Secret::from_text("k") };
        let keys = [
            with("0123456789abcd000000000000000000"),
            with("0123456789abce000000000000000000"),
            with("01234567890000000000000000000000"),
        ];
        let names: Vec<String> = keys.iter().map(|key| key.name(keys.iter())).collect();
        assert_eq!(names, ["key-0123456789abcd", "key-0123456789abce", "key-01234567890"]);
        assert_eq!(keys[0].name([&keys[0], &keys[0]].into_iter()), "key-0123456789", "nor for a key met twice");
    }
}
