//! The store itself: which calls make a write, a promotion and a discard.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use domain::{CredentialId, Fingerprint, SecretPath};
use driver::{
    Delivery, Discarded, DriverError, Effect, Kind, Label, Labels, Mark, SecretStore, StoreFacts, StoreState,
    StoreVersion, StoredVersion, Ticket,
};
use jiff::Timestamp;
use secret::Keyring;

use super::{
    api::{Described, Tag},
    client::Client,
    config::Options,
    names::{name_of, tag_value},
    value::{self, Encoded},
};

const PENDING: &str = "AWSPENDING";
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// Whose secret it is, on every secret that we write.
const CREDENTIAL_TAG: &str = "keyrota:credential";
/// Asked for in the preflight. That it is not there is the best answer.
const PROBE: &str = "keyrota-preflight";

#[derive(Debug)]
pub(super) struct AwsStore {
    client: Client,
    keyring: Arc<Keyring>,
    options: Options,
    account_seen: AtomicBool,
}

impl AwsStore {
    pub(super) fn new(client: Client, keyring: Arc<Keyring>, options: Options) -> Self {
        Self { client, keyring, options, account_seen: AtomicBool::new(false) }
    }

    /// Before anything else: it is the account that the configuration names.
    async fn right_account(&self) -> Result<(), DriverError> {
        let Some(expected) = &self.options.account_id else { return Ok(()) };
        if self.account_seen.load(Ordering::Acquire) {
            return Ok(());
        }
        let login = self.client.login();
        let caller = login.sts().caller(&*login.credentials().await?).await?;
        if caller.account != *expected {
            return Err(wrong_account(&caller.account, expected));
        }
        self.account_seen.store(true, Ordering::Release);
        Ok(())
    }

    /// A secret of that name that may be written and promoted.
    async fn usable(&self, name: &str) -> Result<Option<Described>, DriverError> {
        let Some(described) = self.client.describe(name).await? else { return Ok(None) };
        refuse_unusable(name, &described)?;
        Ok(Some(described))
    }

    fn environment<'a>(&self, described: &'a Described) -> Option<&'a str> {
        tag_of(described, &self.options.environment_tag)
    }

    /// The secret that is there, or a new one without a version. One that says nothing of its environment, or of whose it
    /// is, is told.
    async fn prepared(&self, name: &str, request: &Delivery<'_>, version: &str) -> Result<Described, DriverError> {
        let environment =
            request.environment.map(|value| Tag { key: self.options.environment_tag.clone(), value: value.to_owned() });
        let credential = Tag { key: CREDENTIAL_TAG.to_owned(), value: self.mark_of(request.credential) };
        let described = match self.usable(name).await? {
            Some(described) => described,
            None => {
                let tags: Vec<Tag> = [credential.clone()].into_iter().chain(environment.clone()).collect();
                match self.client.create(name, version, &tags, self.options.kms_key_id.as_deref()).await {
                    Ok(()) => return Ok(Described::default()),
                    // Somebody was faster, perhaps our own earlier attempt whose answer was lost.
                    Err(error) if error.kind == Kind::Conflict => self.usable(name).await?.ok_or(error)?,
                    Err(error) => return Err(error),
                }
            }
        };
        // What it says already stays: whether that is the right environment, the engine compares.
        if let Some(tag) = environment.filter(|_| self.environment(&described).is_none()) {
            self.client.tag(name, &[tag]).await?;
        }
        if tag_of(&described, CREDENTIAL_TAG).is_none() {
            match self.client.tag(name, &[credential]).await {
                // Whoever makes secrets themselves need not let us tag them: nobody else is warned of us then.
                Err(error) if error.kind == Kind::Forbidden => {}
                tagged => tagged?,
            }
        }
        Ok(described)
    }

    async fn fingerprint(&self, name: &str, version: &str) -> Result<Option<Fingerprint>, DriverError> {
        if !self.options.readable {
            return Ok(None);
        }
        let kept = self.client.value(name, version).await.map_err(|mut error| {
            if error.kind == Kind::Forbidden {
                error.message.push_str("; grant secretsmanager:GetSecretValue, or say `readable = false`");
            }
            error
        })?;
        Ok(kept.and_then(|kept| value::decode(version, kept)).map(|map| self.keyring.fingerprint(&map)))
    }

    /// It stays on a promoted version unless it is taken away. Somebody else may have done that meanwhile.
    async fn drop_pending(&self, name: &str, version: &str) -> Result<(), DriverError> {
        match self.client.move_label(name, PENDING, Some(version), None).await {
            Err(error) if error.kind == Kind::Invalid => {
                let described = self.client.describe(name).await?.unwrap_or_default();
                if described.has(version, PENDING) { Err(error) } else { Ok(()) }
            }
            outcome => outcome,
        }
    }
}

impl Described {
    fn holder(&self, label: &str) -> Option<&str> {
        let mut versions = self.versions();
        versions.find(|(_, labels)| labels.iter().any(|have| have == label)).map(|(version, _)| version)
    }

    fn has(&self, version: &str, label: &str) -> bool {
        self.holder(label) == Some(version)
    }

    /// Those with a label. AWS names no others and removes them in time; the emulator goes on naming them.
    fn versions(&self) -> impl Iterator<Item = (&str, &[String])> {
        let versions = self.version_ids_to_stages.iter().flatten();
        versions.map(|(version, labels)| (version.as_str(), labels.as_slice())).filter(|(_, labels)| !labels.is_empty())
    }

    fn labels_of(&self, version: &str) -> &[String] {
        self.versions().find(|(have, _)| *have == version).map_or(&[], |(_, labels)| labels)
    }
}

fn tag_of<'a>(described: &'a Described, key: &str) -> Option<&'a str> {
    let tags = described.tags.as_deref().unwrap_or_default();
    tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}

/// What somebody else rotates, or is about to take away.
fn refuse_unusable(name: &str, described: &Described) -> Result<(), DriverError> {
    not_deleted(name, described)?;
    let refused = |why: String| Err(DriverError::refused(Kind::Invalid, format!("the secret `{name}` {why}")));
    if let Some(service) = &described.owning_service {
        return refused(format!("is managed by the AWS service `{service}`, which rotates it itself"));
    }
    if described.rotation_enabled == Some(true) {
        return refused(
            "is rotated by AWS (RotationEnabled), and two rotations of one secret break each other: cancel that one \
             (`aws secretsmanager cancel-rotate-secret`) or deliver elsewhere"
                .to_owned(),
        );
    }
    Ok(())
}

/// Waiting does not help: a label that somebody else gave stays until somebody takes it away.
fn refuse_pending_of_others(name: &str, described: &Described) -> Result<(), DriverError> {
    let elsewhere = described.holder(PENDING).filter(|holder| !value::is_ours(holder));
    let Some(holder) = elsewhere.filter(|holder| !described.has(holder, CURRENT)) else { return Ok(()) };
    let message = format!(
        "another rotation of the secret `{name}` is under way or died: {PENDING} is on version {holder}, which is not \
         ours; end it, or take the label away (`aws secretsmanager update-secret-version-stage --secret-id {name} \
         --version-stage {PENDING} --remove-from-version-id {holder}`)"
    );
    Err(DriverError::refused(Kind::Invalid, message))
}

fn not_deleted(name: &str, described: &Described) -> Result<(), DriverError> {
    let Some(date) = &described.deleted_date else { return Ok(()) };
    let since = date.as_f64().and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    let since = since.map_or_else(String::new, |since| format!(" ({since})"));
    let message = format!(
        "the secret `{name}` is marked for deletion{since}, and nobody can read it: restore it (`aws secretsmanager \
         restore-secret --secret-id {name}`) or deliver elsewhere; it is not made anew"
    );
    Err(DriverError::refused(Kind::Invalid, message))
}

fn wrong_account(found: &str, expected: &str) -> DriverError {
    let message = format!(
        "these credentials belong to the account {found}, and `account_id` is {expected}: it is the wrong place; use \
         credentials of that account, or correct `account_id`"
    );
    DriverError::refused(Kind::Invalid, message)
}

fn absent(name: &str, version: &str) -> DriverError {
    DriverError::refused(Kind::NotFound, format!("the secret `{name}` has no version {version}"))
}

fn not_as_expected(name: &str, current: Option<&str>, expected: Option<&str>) -> DriverError {
    let shown = |version: Option<&str>| version.unwrap_or("none").to_owned();
    let message =
        format!("current version of the secret `{name}` is {}, not {} as expected", shown(current), shown(expected));
    DriverError::refused(Kind::Conflict, message)
}

/// A step before it has changed something already.
fn half_done(error: DriverError) -> DriverError {
    DriverError { effect: Effect::Unknown, ..error }
}

fn label(text: &str) -> Option<Label> {
    match text {
        PENDING => Some(Label::Pending),
        CURRENT => Some(Label::Current),
        PREVIOUS => Some(Label::Previous),
        _ => None,
    }
}

#[async_trait]
impl SecretStore for AwsStore {
    fn facts(&self) -> StoreFacts {
        StoreFacts { readable: self.options.readable, first_is_current: true, ..StoreFacts::default() }
    }

    /// What the account may do with which secret, AWS tells nobody without trying; that it knows us, it does.
    async fn check(&self) -> Result<Vec<String>, DriverError> {
        let login = self.client.login();
        let caller = login.sts().caller(&*login.credentials().await?).await?;
        let mut passed = vec![format!("AWS knows us as {}, by {}", caller.arn, login.describe())];
        match &self.options.account_id {
            Some(expected) if caller.account != *expected => return Err(wrong_account(&caller.account, expected)),
            Some(expected) => passed.push(format!("the account is {expected}, as it should be")),
            None => {}
        }
        match self.client.describe(PROBE).await {
            Ok(_) => passed.push(format!("Secrets Manager answers in {}", self.client.region())),
            // As it does for an account that may write certain secrets only.
            Err(error) if error.kind == Kind::Forbidden => passed.push(format!(
                "Secrets Manager answers in {}; which secrets may be written shows at the first one",
                self.client.region()
            )),
            Err(error) => return Err(error),
        }
        Ok(passed)
    }

    /// Created without a value where it is absent: a value given there would be current at once. So is the very first
    /// version whatever its label, by AWS's own rule; from the second on, readers see none before its promotion.
    async fn write(&self, request: &Delivery<'_>, _ticket: &Ticket) -> Result<StoreVersion, DriverError> {
        self.right_account().await?;
        let name = name_of(request.at);
        let encoded: Encoded = value::encode(request)?;
        let written = StoreVersion(encoded.version.clone());
        let described = self.prepared(&name, request, &encoded.version).await?;
        if !described.labels_of(&encoded.version).is_empty() {
            return Ok(written);
        }
        refuse_pending_of_others(&name, &described)?;
        self.client.put(&name, &encoded, PENDING).await?;
        Ok(written)
    }

    /// Refuses what a write would refuse: it is looked at before a successor is issued.
    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        self.right_account().await?;
        let name = name_of(at);
        let Some(described) = self.usable(&name).await? else { return Ok(StoreState::default()) };
        refuse_pending_of_others(&name, &described)?;
        let mut versions = Vec::new();
        for (version, labels) in described.versions() {
            versions.push(StoredVersion {
                version: StoreVersion(version.to_owned()),
                labels: labels.iter().filter_map(|text| label(text)).collect(),
                fingerprint: self.fingerprint(&name, version).await?,
            });
        }
        let mark = tag_of(&described, CREDENTIAL_TAG);
        let mark = mark.map(|credential| Mark { credential: credential.to_owned(), kept_as: CREDENTIAL_TAG });
        Ok(StoreState { versions, environment: self.environment(&described).map(str::to_owned), mark })
    }

    /// AWS has no call that removes a version: it removes by itself those that have no label.
    async fn discard(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        _ticket: &Ticket,
    ) -> Result<Discarded, DriverError> {
        self.right_account().await?;
        let name = name_of(at);
        let Some(described) = self.client.describe(&name).await? else { return Ok(Discarded::GoneAlready) };
        not_deleted(&name, &described)?;
        let labels = described.labels_of(&version.0);
        if labels.is_empty() {
            return Ok(Discarded::GoneAlready);
        }
        if labels.iter().any(|label| label == CURRENT) {
            let message = format!("version {} of the secret `{name}` is what applications read", version.0);
            return Err(DriverError::refused(Kind::Conflict, message));
        }
        for (number, label) in labels.iter().enumerate() {
            let outcome = self.client.move_label(&name, label, Some(&version.0), None).await;
            outcome.map_err(|error| if number == 0 { error } else { half_done(error) })?;
        }
        Ok(Discarded::Now)
    }

    fn labels(&self) -> Option<&dyn Labels> {
        Some(self)
    }

    fn mark_of(&self, credential: &CredentialId) -> String {
        tag_value(credential.as_str())
    }
}

#[async_trait]
impl Labels for AwsStore {
    /// AWS compares and sets by itself, and gives what was current the label `AWSPREVIOUS`.
    async fn promote(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        expected: Option<&StoreVersion>,
        _ticket: &Ticket,
    ) -> Result<(), DriverError> {
        self.right_account().await?;
        let name = name_of(at);
        let (version, expected) = (version.0.as_str(), expected.map(|expected| expected.0.as_str()));
        let described = self.usable(&name).await?.ok_or_else(|| absent(&name, version))?;
        let current = described.holder(CURRENT);
        if current == Some(version) {
            return if described.has(version, PENDING) { self.drop_pending(&name, version).await } else { Ok(()) };
        }
        if described.labels_of(version).is_empty() {
            return Err(match described.holder(PENDING) {
                Some(other) => DriverError::refused(
                    Kind::Conflict,
                    format!("version {other} of the secret `{name}` took {PENDING} from version {version}"),
                ),
                None => absent(&name, version),
            });
        }
        if current != expected {
            return Err(not_as_expected(&name, current, expected));
        }
        if let Err(error) = self.client.move_label(&name, CURRENT, expected, Some(version)).await {
            if error.kind != Kind::Invalid {
                return Err(error);
            }
            // What AWS says when the label has moved since we looked.
            let now = self.client.describe(&name).await?.unwrap_or_default();
            if !now.has(version, CURRENT) {
                let moved = now.holder(CURRENT) != expected;
                return Err(if moved { not_as_expected(&name, now.holder(CURRENT), expected) } else { error });
            }
        }
        if described.has(version, PENDING) {
            self.drop_pending(&name, version).await.map_err(half_done)
        } else {
            Ok(())
        }
    }
}
