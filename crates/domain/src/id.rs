//! Typed identifiers. Each refuses what could later be mistaken for something else, above all empty segments.

use std::{fmt, sync::Arc};

/// Longest accepted identifier, in bytes. Platforms' own limits are far below; ours keeps database rows and file
/// names bounded.
const ID_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("it is empty")]
    Empty,
    #[error("it has an empty segment")]
    EmptySegment,
    #[error("it has a segment `.` or `..`")]
    DotSegment,
    #[error("it has a control character")]
    Control,
    #[error("it is {bytes} bytes long, more than {ID_BYTES_MAX}")]
    TooLong { bytes: usize },
}

fn check_segments(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidId::TooLong { bytes: text.len() });
    }
    // Nearly all are ASCII, and every row that is read passes here.
    let has_control = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    };
    if has_control {
        return Err(InvalidId::Control);
    }
    for segment in text.as_bytes().split(|byte| *byte == b'/') {
        match segment {
            b"" => return Err(InvalidId::EmptySegment),
            b"." | b".." => return Err(InvalidId::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// A managed credential: `issuer/path/of/credential`, the path made of the platform's own names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// Joins the issuer and the platform's names. A `/` inside a name becomes `%2F` (and `%` becomes `%25`), so that
    /// two different credentials never share an identifier.
    pub fn new<'a>(issuer: &str, names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidId> {
        let mut text = encode_segment(issuer);
        for name in names {
            text.push('/');
            text.push_str(&encode_segment(name));
        }
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        check_segments(text)?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn issuer(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(issuer, _)| issuer)
    }

    /// The part after the issuer.
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

fn encode_segment(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a secret lives inside a secret store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretPath(Arc<str>);

impl SecretPath {
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        check_segments(text)?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One place from which a consumer reads: a configured store and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    pub store: Arc<str>,
    pub path: SecretPath,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)
    }
}

/// The platform's public id of one version, unique within its issuer. Never empty: an empty id in an address would name the whole collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(Arc<str>);

impl Handle {
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        check_segments(text)?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our mark on what we make at a platform, unique to one attempt. It tells ours from strays, and finds the orphan
/// that a lost answer leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Marker(Arc<str>);

impl Marker {
    const PREFIX: &str = "keyrota:";

    pub fn new(rotation: &RotationId, attempt: u32) -> Self {
        Self(format!("{}{}:{attempt}", Self::PREFIX, rotation.as_str()).into())
    }

    /// Finds a marker inside a free-text field of the platform. Nothing but a marker may stand in the field.
    pub fn find(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix(Self::PREFIX)?;
        let (rotation, attempt) = rest.split_once(':')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let well_formed = !rotation.is_empty() && rotation.chars().all(plain) && attempt.parse::<u32>().is_ok();
        well_formed.then(|| Self(text.trim().into()))
    }

    /// The rotation for which it was made.
    pub fn rotation(&self) -> RotationId {
        let rest = self.0.strip_prefix(Self::PREFIX).unwrap_or(&self.0);
        RotationId::new(rest.split_once(':').map_or(rest, |(rotation, _)| rotation))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One rotation of one credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationId(Arc<str>);

impl RotationId {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Versions of a credential count from 1 in the order in which Keyrota met them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNumber(pub u32);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A keyed hash of a secret: equal secrets have equal fingerprints under one root key, and nothing else can be
/// learnt from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_slashes_do_not_collide() {
        let joined = CredentialId::new("apic", ["a/b", "c"]).unwrap();
        let split = CredentialId::new("apic", ["a", "b", "c"]).unwrap();
        let escaped = CredentialId::new("apic", ["a%2Fb", "c"]).unwrap();
        assert_ne!(joined, split);
        assert_ne!(joined, escaped);
        assert_eq!(joined.as_str(), "apic/a%2Fb/c");
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(CredentialId::new("apic", ["acme", "", "c"]), Err(InvalidId::EmptySegment));
        assert_eq!(Handle::parse(""), Err(InvalidId::Empty));
        assert_eq!(SecretPath::parse("a/../b"), Err(InvalidId::DotSegment));
    }

    #[test]
    fn only_our_markers_are_markers() {
        let ours = Marker::new(&RotationId::new("0192-ab"), 3);
        assert_eq!(ours.rotation().as_str(), "0192-ab");
        assert_eq!(Marker::find(ours.as_str()), Some(ours));
        for text in ["", "keyrota:", "keyrota:x", "keyrota:x:y", "made by keyrota:0192:1", "keyrota::1"] {
            assert_eq!(Marker::find(text), None, "{text}");
        }
    }
}
