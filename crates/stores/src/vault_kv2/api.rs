//! The server's JSON as far as the driver reads it. Unknown members are tolerated.

use std::{collections::BTreeMap, fmt};

use secret::Secret;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use serde_json::Value;

/// What stands around every answer. Some answers repeat `data` beside it: only `data` is read.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    pub data: T,
}

#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub initialized: bool,
    pub sealed: bool,
    pub version: String,
}

/// Of `sys/internal/ui/mounts`.
#[derive(Debug, Deserialize)]
pub(super) struct Mount {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub description: String,
    pub options: Option<BTreeMap<String, String>>,
}

/// Of the whole mount.
#[derive(Debug, Deserialize)]
pub(super) struct KvConfig {
    #[serde(default)]
    pub max_versions: u64,
    #[serde(default)]
    pub delete_version_after: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    /// Counts soft-deleted and destroyed versions too; 0: there is no version, only metadata.
    pub current_version: u64,
    /// 0: as the mount says.
    #[serde(default)]
    pub max_versions: u64,
    /// `0s`: as the mount says.
    #[serde(default)]
    pub delete_version_after: String,
    pub custom_metadata: Option<BTreeMap<String, String>>,
    /// OpenBao: how often the notes have changed.
    pub current_metadata_version: Option<u64>,
    #[serde(default)]
    pub versions: BTreeMap<u64, VersionFacts>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VersionFacts {
    /// Empty, or a time, which may lie ahead.
    #[serde(default)]
    pub deletion_time: String,
    #[serde(default)]
    pub destroyed: bool,
}

/// Values: no Debug.
#[derive(Deserialize)]
pub(super) struct Content {
    pub data: Option<BTreeMap<String, Value>>,
}

/// What stands beside a value that is read, or that was taken away.
#[derive(Debug, Deserialize)]
pub(super) struct BesideContent {
    pub metadata: NewestVersion,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewestVersion {
    pub version: u64,
    #[serde(flatten)]
    pub facts: VersionFacts,
    pub custom_metadata: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub version: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct LoggedIn {
    pub auth: Auth,
}

#[derive(Debug, Deserialize)]
pub(super) struct Auth {
    /// Empty while a second factor is missing.
    pub client_token: SecretText,
    /// Seconds; 0: without end.
    #[serde(default)]
    pub lease_duration: u64,
    #[serde(default)]
    pub renewable: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SelfLookup {
    /// Seconds; 0: without end.
    pub ttl: u64,
    #[serde(default)]
    pub renewable: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wrapping {
    pub creation_path: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Unwrapped {
    pub secret_id: SecretText,
}

/// Carry secrets, so they do not derive Debug.
#[derive(Serialize)]
pub(super) struct RoleLogin<'a> {
    pub role_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct JwtLogin<'a> {
    pub role: &'a str,
    pub jwt: &'a str,
}

#[derive(Serialize)]
pub(super) struct WrappingToken<'a> {
    pub token: &'a str,
}

/// A string that goes from the parser straight into a [`Secret`].
#[derive(Debug)]
pub(super) struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(Secret::from_text(text)))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText(Secret::from_text(text)))
            }
        }
        deserializer.deserialize_string(Text)
    }
}
