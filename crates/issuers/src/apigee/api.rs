//! The platform's JSON as far as the driver reads it, in both spellings. Unknown members are tolerated.
//! `consumerSecret`, which every read shows, has no field here: it is dropped at the parser. The key itself is kept as a
//! secret.

use std::fmt;

use domain::Timestamp;
use secret::Secret;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};

use super::key::ConsumerKey;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppPage {
    /// Absent when there is none.
    #[serde(default, alias = "appGroupApps")]
    pub app: Vec<AppObject>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppObject {
    pub name: String,
    pub status: Option<String>,
    pub developer_id: Option<String>,
    pub app_group: Option<String>,
    pub created_at: Option<Time>,
    /// Absent where a list was not expanded.
    pub credentials: Option<Vec<KeyObject>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyObject {
    pub consumer_key: ConsumerKey,
    pub status: Option<String>,
    pub issued_at: Option<Time>,
    pub expires_at: Option<Time>,
    #[serde(default)]
    pub api_products: Vec<ProductObject>,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    #[serde(default)]
    pub scopes: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ProductObject {
    pub apiproduct: String,
    pub status: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Attribute {
    pub name: String,
    #[serde(default)]
    pub value: String,
}

pub(super) const APPROVED: &str = "approved";
pub(super) const REVOKED: &str = "revoked";

impl KeyObject {
    pub(super) fn is_revoked(&self) -> bool {
        self.status.as_deref() == Some(REVOKED)
    }
}

impl ProductObject {
    pub(super) fn is_approved(&self) -> bool {
        self.status.as_deref() == Some(APPROVED)
    }
}

/// Addresses of developers: objects on X, bare texts on Edge.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum EmailPage {
    Bare(Vec<String>),
    Objects {
        #[serde(default)]
        developer: Vec<DeveloperEmail>,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct DeveloperEmail {
    pub email: String,
}

impl EmailPage {
    pub(super) fn into_emails(self) -> Vec<String> {
        match self {
            Self::Bare(emails) => emails,
            Self::Objects { developer } => developer.into_iter().map(|it| it.email).collect(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct DeveloperPage {
    #[serde(default)]
    pub developer: Vec<DeveloperObject>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeveloperObject {
    pub email: String,
    pub developer_id: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub status: Option<String>,
}

/// AppGroups, in pages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupPage {
    #[serde(default)]
    pub app_groups: Vec<GroupObject>,
    pub next_page_token: Option<String>,
}

/// Companies, whole.
#[derive(Debug, Deserialize)]
pub(super) struct CompanyPage {
    #[serde(default)]
    pub company: Vec<GroupObject>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupObject {
    pub name: String,
    pub display_name: Option<String>,
    pub status: Option<String>,
}

/// Carries a secret, so it does not derive Debug.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewKey<'a> {
    pub consumer_key: &'a str,
    pub consumer_secret: &'a str,
    /// As all 64-bit numbers of X, a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyContent<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_products: Vec<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub more: Option<KeyMore<'a>>,
    /// What an AppGroup's key may have beside products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_group_app_key: Option<KeyMore<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'a str>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct KeyMore<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub attributes: &'a [Attribute],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub scopes: &'a [String],
}

#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    #[serde(default)]
    pub environments: Vec<StatsEnvironment>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StatsEnvironment {
    /// Absent without traffic.
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dimension {
    pub name: String,
    #[serde(default)]
    pub metrics: Vec<Metric>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metric {
    #[serde(default)]
    pub values: Vec<MetricValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MetricValue {
    pub timestamp: Time,
    value: TextOrNumber,
}

impl MetricValue {
    /// What is no number is taken for use: nothing may look quiet because it was not understood.
    pub(super) fn is_use(&self) -> bool {
        match &self.value {
            TextOrNumber::Number(number) => *number != 0.0,
            TextOrNumber::Text(text) => text.trim().parse::<f64>() != Ok(0.0),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Number(f64),
    Text(String),
}

/// Milliseconds, a number on Edge and a text on X. Minus one, or nothing, is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Milliseconds {
            Number(i64),
            Text(String),
        }
        let milliseconds = match Milliseconds::deserialize(deserializer)? {
            Milliseconds::Number(number) => number,
            Milliseconds::Text(text) => text.trim().parse().map_err(|_| D::Error::custom("no time in milliseconds"))?,
        };
        match milliseconds {
            ..=0 => Ok(Self(None)),
            _ => Timestamp::from_millisecond(milliseconds).map(|it| Self(Some(it))).map_err(D::Error::custom),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_as_numbers_and_as_texts_and_never_has_three_spellings() {
        let key = |times: &str| {
            let text = format!(r#"{{"consumerKey":"canary-key","consumerSecret":"canary"{times}}}"#);
            let key: KeyObject = serde_json::from_str(&text).unwrap();
            assert!(!format!("{key:?}").contains("canary"));
            key.expires_at.and_then(|time| time.0)
        };
        let moment = Timestamp::from_millisecond(1_769_911_200_000).unwrap();
        assert_eq!(key(r#","expiresAt":"1769911200000""#), Some(moment));
        assert_eq!(key(r#","expiresAt":1769911200000"#), Some(moment));
        for never in [r#","expiresAt":"-1""#, r#","expiresAt":-1"#, ""] {
            assert_eq!(key(never), None, "{never}");
        }
        assert!(serde_json::from_str::<Time>(r#""tomorrow""#).is_err());
    }

    #[test]
    fn developers_come_as_texts_and_as_objects() {
        for text in [r#"["a@x","b@x"]"#, r#"{"developer":[{"email":"a@x"},{"email":"b@x"}]}"#] {
            assert_eq!(serde_json::from_str::<EmailPage>(text).unwrap().into_emails(), ["a@x", "b@x"]);
        }
        assert!(serde_json::from_str::<EmailPage>("{}").unwrap().into_emails().is_empty());
    }

    #[test]
    fn what_is_not_understood_counts_as_use() {
        let is_use = |value: &str| {
            let text = format!(r#"{{"timestamp":1769911200000,"value":{value}}}"#);
            serde_json::from_str::<MetricValue>(&text).unwrap().is_use()
        };
        assert!(is_use("\"12.0\"") && is_use("3") && is_use("\"many\""));
        assert!(!is_use("\"0.0\"") && !is_use("0"));
    }
}
