//! The platform's JSON as far as the driver reads it. Unknown members are tolerated. `client_secret` and
//! `client_secret_hashed`, which some installations show in reads, have no field here: they are dropped at the parser.

use std::fmt;

use jiff::Timestamp;
use secret::Secret;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};

#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub total_results: u64,
    pub results: Vec<T>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ConsumerOrgObject {
    pub id: Option<String>,
    pub name: String,
    pub state: Option<String>,
    pub url: Option<String>,
    pub owner: Option<UserObject>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UserObject {
    pub name: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AppObject {
    pub id: Option<String>,
    pub name: String,
    pub state: Option<String>,
    pub url: Option<String>,
    pub consumer_org: Option<ConsumerOrgObject>,
    /// Only where `expand=credentials` is honoured.
    pub credentials: Option<Embedded<CredentialObject>>,
    /// The address of every credential, where the field was asked for.
    pub app_credential_urls: Option<Vec<String>>,
}

/// What `expand` embeds: the bare list, or the list in an envelope of its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Embedded<T> {
    Bare(Vec<T>),
    Enveloped(Page<T>),
}

impl<T> Embedded<T> {
    pub(super) fn results(&self) -> &[T] {
        match self {
            Self::Bare(results) => results,
            Self::Enveloped(page) => &page.results,
        }
    }

    pub(super) fn into_results(self) -> Vec<T> {
        match self {
            Self::Bare(results) => results,
            Self::Enveloped(page) => page.results,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CredentialObject {
    pub id: Option<String>,
    pub name: String,
    pub title: Option<String>,
    pub summary: Option<String>,
    /// Absent where `expand` embeds a mere summary of the object.
    pub created_at: Option<Timestamp>,
    pub url: Option<String>,
}

/// A credential as `look_up` reads it.
#[derive(Debug, Deserialize)]
pub(super) struct CredentialNames {
    pub name: String,
    pub title: Option<String>,
}

/// The answer to a rename, which may be empty.
#[derive(Debug, Deserialize)]
pub(super) struct Renamed {
    pub name: String,
}

/// A credential as the usage source reads it.
#[derive(Debug, Deserialize)]
pub(super) struct CredentialClient {
    pub client_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NewCredential<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub summary: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct NewNames<'a> {
    pub name: &'a str,
    pub title: &'a str,
}

/// The answer to a create: the only one that carries the secret.
#[derive(Debug, Deserialize)]
pub(super) struct CreatedCredential {
    pub id: Option<String>,
    pub name: String,
    pub title: Option<String>,
    pub created_at: Timestamp,
    pub url: Option<String>,
    pub client_id: SecretText,
    pub client_secret: SecretText,
}

/// Carries a secret, so it does not derive Debug.
#[derive(Serialize)]
pub(super) struct Pair<'a> {
    pub client_id: &'a str,
    pub client_secret: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventPage {
    #[serde(alias = "results")]
    pub events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(alias = "@timestamp")]
    pub datetime: Timestamp,
    pub client_id: Option<String>,
}

/// A non-empty string that goes from the parser straight into a [`Secret`].
#[derive(Debug)]
pub(super) struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a non-empty string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretText, E> {
                self.visit_string(text.to_owned())
            }

            fn visit_string<E: Error>(self, text: String) -> Result<SecretText, E> {
                if text.is_empty() { Err(E::custom("empty")) } else { Ok(SecretText(Secret::from_text(text))) }
            }
        }
        deserializer.deserialize_string(Text)
    }
}
