//! What Secrets Manager is sent and answers, as far as we need it.

use std::{collections::BTreeMap, fmt};

use secret::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Text that may be secret, read straight into its only home.
pub(super) struct SecretText(pub Secret);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::from_text(text)))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfSecret<'a> {
    pub secret_id: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Described {
    /// Set while the secret waits for its deletion: seconds since 1970.
    pub deleted_date: Option<Value>,
    pub rotation_enabled: Option<bool>,
    /// The AWS service that manages this secret itself.
    pub owning_service: Option<String>,
    pub tags: Option<Vec<Tag>>,
    /// Absent while there is no version.
    pub version_ids_to_stages: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub key: String,
    pub value: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create<'a> {
    pub name: &'a str,
    pub client_request_token: &'a str,
    pub tags: &'a [Tag],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<&'a str>,
}

/// No Debug: it holds the value.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put<'a> {
    pub secret_id: &'a str,
    pub client_request_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_string: Option<&'a str>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_binary: Option<&'a str>,
    pub version_stages: [&'a str; 1],
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Written {
    pub version_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MoveLabel<'a> {
    pub secret_id: &'a str,
    pub version_stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_from_version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub move_to_version_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddTags<'a> {
    pub secret_id: &'a str,
    pub tags: &'a [Tag],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfVersion<'a> {
    pub secret_id: &'a str,
    pub version_id: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Kept {
    pub secret_string: Option<SecretText>,
    /// Base64.
    pub secret_binary: Option<SecretText>,
}
