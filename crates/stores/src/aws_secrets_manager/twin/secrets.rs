//! The secrets of one account and region, and what may be done to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Refusal;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const VALUE_BYTES_MAX: usize = 65_536;
const LABELS_MAX: usize = 20;
/// Of one secret. Those of the last day stay whatever their number.
const VERSIONS_MAX: usize = 100;
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Default)]
pub(super) struct Secrets(pub BTreeMap<String, Kept>);

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub tags: BTreeMap<String, String>,
    pub kms_key_id: Option<String>,
    pub versions: BTreeMap<String, Version>,
    pub rotation_enabled: bool,
    pub owning_service: Option<String>,
    /// When it was marked, and when it will be gone.
    pub deletion: Option<(Timestamp, Timestamp)>,
}

pub(super) struct Version {
    pub created_at: Timestamp,
    pub labels: BTreeSet<String>,
    /// As it came: `SecretString` or `SecretBinary`. None: a rotation has begun and not brought one yet.
    pub value: Option<(Member, String)>,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Version({:?})", self.labels)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    SecretString,
    SecretBinary,
}

impl Member {
    fn word(self) -> &'static str {
        match self {
            Self::SecretString => "SecretString",
            Self::SecretBinary => "SecretBinary",
        }
    }
}

pub(super) type Outcome = Result<Value, Refusal>;

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

fn not_found() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn text<'a>(body: &'a Value, member: &str) -> Option<&'a str> {
    body.get(member)?.as_str()
}

impl Secrets {
    /// What AWS does by itself as time passes.
    pub(super) fn age(&mut self, now: Timestamp) {
        self.0.retain(|_, kept| kept.deletion.is_none_or(|(_, gone_at)| now < gone_at));
        for kept in self.0.values_mut() {
            let old = |version: &Version| version.labels.is_empty() && now.duration_since(version.created_at) > DAY;
            let surplus = kept.versions.len().saturating_sub(VERSIONS_MAX);
            let mut candidates: Vec<(Timestamp, String)> = kept
                .versions
                .iter()
                .filter(|(_, version)| old(version))
                .map(|(id, version)| (version.created_at, id.clone()))
                .collect();
            candidates.sort();
            for (_, id) in candidates.into_iter().take(surplus) {
                kept.versions.remove(&id);
            }
        }
    }

    fn get(&mut self, body: &Value) -> Result<(&str, &mut Kept), Refusal> {
        let id = text(body, "SecretId").ok_or_else(|| invalid("You must provide a SecretId."))?;
        let (name, kept) = self.0.iter_mut().find(|(name, _)| *name == id).ok_or_else(not_found)?;
        Ok((name, kept))
    }

    fn get_live(&mut self, body: &Value) -> Result<(&str, &mut Kept), Refusal> {
        let (name, kept) = self.get(body)?;
        if kept.deletion.is_some() {
            let message = "You can't perform this operation on the secret because it was marked for deletion.";
            return Err(Refusal::new("InvalidRequestException", message));
        }
        Ok((name, kept))
    }

    pub(super) fn create(&mut self, now: Timestamp, body: &Value) -> Outcome {
        let name = text(body, "Name").ok_or_else(|| invalid("You must provide a Name."))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        if !(1..=512).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(invalid(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            ));
        }
        let token = token(body)?;
        match self.0.get(name) {
            Some(Kept { deletion: Some(_), .. }) => {
                let message =
                    "You can't create this secret because a secret with this name is already scheduled for deletion.";
                return Err(Refusal::new("InvalidRequestException", message));
            }
            Some(_) => {
                let message = format!("The operation failed because the secret {name} already exists.");
                return Err(Refusal::new("ResourceExistsException", message));
            }
            None => {}
        }
        let mut kept =
            Kept { tags: tags(body)?, kms_key_id: text(body, "KmsKeyId").map(str::to_owned), ..Kept::default() };
        if let Some(value) = value(body)? {
            kept.put(now, token, value, [CURRENT.to_owned()].into())?;
        }
        self.0.insert(name.to_owned(), kept);
        Ok(json!({ "ARN": arn(name), "Name": name }))
    }

    pub(super) fn put(&mut self, now: Timestamp, body: &Value) -> Outcome {
        let token = token(body)?;
        let value = value(body)?.ok_or_else(|| {
            Refusal::new("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        })?;
        let labels: BTreeSet<String> = match body.get("VersionStages") {
            None => [CURRENT.to_owned()].into(),
            Some(stages) => {
                let stages = stages.as_array().map(Vec::as_slice).unwrap_or_default();
                stages.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
        };
        if !(1..=LABELS_MAX).contains(&labels.len()) {
            return Err(Refusal::new("ValidationException", "versionStages must have 1 to 20 members"));
        }
        let (name, kept) = self.get_live(body)?;
        kept.put(now, token, value, labels)?;
        let stages = kept.versions.get(token).map(|version| version.labels.clone()).unwrap_or_default();
        Ok(json!({ "ARN": arn(name), "Name": name, "VersionId": token, "VersionStages": stages }))
    }

    pub(super) fn describe(&mut self, body: &Value) -> Outcome {
        let (name, kept) = self.get(body)?;
        let mut answer = json!({ "ARN": arn(name), "Name": name });
        let Some(members) = answer.as_object_mut() else { return Ok(answer) };
        let labelled: BTreeMap<&String, &BTreeSet<String>> = kept
            .versions
            .iter()
            .filter(|(_, version)| !version.labels.is_empty())
            .map(|(id, version)| (id, &version.labels))
            .collect();
        if !labelled.is_empty() {
            members.insert("VersionIdsToStages".to_owned(), json!(labelled));
        }
        if !kept.tags.is_empty() {
            let tags: Vec<Value> = kept.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            members.insert("Tags".to_owned(), json!(tags));
        }
        if let Some((marked_at, _)) = kept.deletion {
            members.insert("DeletedDate".to_owned(), json!(marked_at.as_millisecond() as f64 / 1000.0));
        }
        if kept.rotation_enabled {
            members.insert("RotationEnabled".to_owned(), json!(true));
        }
        if let Some(service) = &kept.owning_service {
            members.insert("OwningService".to_owned(), json!(service));
        }
        Ok(answer)
    }

    pub(super) fn value(&mut self, body: &Value) -> Outcome {
        let (name, kept) = self.get_live(body)?;
        let wanted = text(body, "VersionId");
        if wanted.is_some_and(|id| !(32..=64).contains(&id.len())) {
            return Err(Refusal::new("ValidationException", "versionId must have 32 to 64 characters"));
        }
        let label = text(body, "VersionStage").unwrap_or(CURRENT);
        let found = kept.versions.iter().find(|(id, version)| match wanted {
            Some(wanted) => *id == wanted,
            None => version.labels.contains(label),
        });
        let Some((id, Version { labels, value: Some((member, value)), .. })) = found else {
            let which = wanted.map_or_else(|| format!("staging label: {label}"), |id| format!("VersionId: {id}"));
            let message = format!("Secrets Manager can't find the specified secret value for {which}");
            return Err(Refusal::new("ResourceNotFoundException", message));
        };
        let mut answer = json!({ "ARN": arn(name), "Name": name, "VersionId": id, "VersionStages": labels });
        if let Some(members) = answer.as_object_mut() {
            members.insert(member.word().to_owned(), json!(value));
        }
        Ok(answer)
    }

    pub(super) fn move_label(&mut self, body: &Value) -> Outcome {
        let label = text(body, "VersionStage").ok_or_else(|| invalid("You must provide a VersionStage."))?;
        let (from, to) = (text(body, "RemoveFromVersionId"), text(body, "MoveToVersionId"));
        let (name, kept) = self.get_live(body)?;
        for id in [from, to].into_iter().flatten() {
            if !kept.versions.contains_key(id) {
                return Err(invalid(format!("Not a valid version: {id}")));
            }
        }
        let holder = kept.holder(label).map(str::to_owned);
        match (holder.as_deref(), from) {
            (Some(holder), None) if to != Some(holder) => {
                return Err(invalid(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to \
                     version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (holder, Some(from)) if holder != Some(from) => {
                return Err(invalid(format!("Staging label {label} is not attached to version {from}.")));
            }
            _ => {}
        }
        match to {
            None if label == CURRENT => Err(invalid(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            )),
            None if from.is_none() => Err(invalid("You must provide RemoveFromVersionId or MoveToVersionId.")),
            None => {
                kept.take(label);
                Ok(json!({ "ARN": arn(name), "Name": name }))
            }
            Some(to) => {
                if kept.versions.get(to).is_some_and(|version| version.labels.len() >= LABELS_MAX) {
                    return Err(Refusal::new("LimitExceededException", "A version has 20 staging labels at most."));
                }
                kept.give(label, to);
                Ok(json!({ "ARN": arn(name), "Name": name }))
            }
        }
    }

    pub(super) fn tag(&mut self, body: &Value) -> Outcome {
        let tags = tags(body)?;
        let (_, kept) = self.get_live(body)?;
        kept.tags.extend(tags);
        Ok(json!({}))
    }
}

impl Kept {
    pub(super) fn holder(&self, label: &str) -> Option<&str> {
        self.versions.iter().find(|(_, version)| version.labels.contains(label)).map(|(id, _)| id.as_str())
    }

    fn take(&mut self, label: &str) {
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
    }

    /// A label is on one version at most, and the version that loses `AWSCURRENT` becomes `AWSPREVIOUS`.
    pub(super) fn give(&mut self, label: &str, to: &str) {
        let before = self.holder(label).map(str::to_owned);
        self.take(label);
        if let Some(version) = self.versions.get_mut(to) {
            version.labels.insert(label.to_owned());
        }
        if label == CURRENT
            && let Some(before) = before.filter(|before| before != to)
        {
            self.give(PREVIOUS, &before);
        }
    }

    pub(super) fn put(
        &mut self,
        now: Timestamp,
        token: &str,
        value: (Member, String),
        labels: BTreeSet<String>,
    ) -> Result<(), Refusal> {
        if let Some(version) = self.versions.get_mut(token) {
            match &version.value {
                Some(have) if *have == value => return Ok(()),
                Some(_) => {
                    let message = format!(
                        "You can't use ClientRequestToken {token} because that value is already in use for a version."
                    );
                    return Err(Refusal::new("ResourceExistsException", message));
                }
                None => version.value = Some(value),
            }
        } else {
            let young = self.versions.values().filter(|version| now.duration_since(version.created_at) <= DAY).count();
            if young >= VERSIONS_MAX {
                let message = "You've reached the quota for versions of this secret.";
                return Err(Refusal::new("LimitExceededException", message));
            }
            let version = Version { created_at: now, labels: BTreeSet::new(), value: Some(value) };
            self.versions.insert(token.to_owned(), version);
        }
        let first = self.versions.len() == 1;
        for label in labels.into_iter().chain(first.then(|| CURRENT.to_owned())) {
            self.give(&label, token);
        }
        Ok(())
    }
}

pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{}:{}:secret:{name}-AbCdEf", super::REGION, super::ACCOUNT)
}

/// Whoever writes HTTP by hand must bring one.
fn token(body: &Value) -> Result<&str, Refusal> {
    let token = text(body, "ClientRequestToken").unwrap_or_default();
    if (32..=64).contains(&token.len()) {
        Ok(token)
    } else {
        Err(invalid("ClientRequestToken must be 32-64 characters long."))
    }
}

fn value(body: &Value) -> Result<Option<(Member, String)>, Refusal> {
    let found = match (text(body, "SecretString"), text(body, "SecretBinary")) {
        (Some(_), Some(_)) => return Err(invalid("You can't specify both a binary and a string value.")),
        (Some(text), None) => (Member::SecretString, text, text.len()),
        (None, Some(text)) => (Member::SecretBinary, text, text.len() / 4 * 3),
        (None, None) => return Ok(None),
    };
    let (member, text, bytes) = found;
    if !(1..=VALUE_BYTES_MAX).contains(&bytes) {
        // AWS's validation repeats what it was given.
        let message =
            format!("1 validation error detected: Value '{text}' at 'secretString' failed to satisfy constraint");
        return Err(Refusal::new("ValidationException", message));
    }
    Ok(Some((member, text.to_owned())))
}

fn tags(body: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let given = body.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut tags = BTreeMap::new();
    for tag in given {
        let (key, value) = (text(tag, "Key").unwrap_or_default(), text(tag, "Value").unwrap_or_default());
        let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
        let fits = (1..=128).contains(&key.len()) && value.len() <= 256 && !key.starts_with("aws:");
        if !fits || !allowed(key) || !allowed(value) {
            return Err(invalid("a tag is not valid"));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags)
}
