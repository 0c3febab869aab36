//! Writing a version, and taking the content of one away.

use domain::SecretPath;
use driver::{Body, Delivery, Discarded, DriverError, Effect, HttpRequest, HttpResponse, Kind, Method, StoreVersion};
use secret::Secret;
use serde::Serialize;
use serde_json::json;

use super::{
    VaultStore,
    answer::{Intent, lost_compare_and_set, parse, refusal},
    api::{Envelope, Written},
    marker::Notes,
    place::Place,
    store_version,
    values::WriteBody,
};

impl VaultStore {
    /// Notes the attempt, then writes the value. A repetition finds the note of the attempt and, if the version is
    /// there, adds nothing; if it is not, the first one never happened and its number is free.
    pub(super) async fn deliver(&self, request: &Delivery<'_>) -> Result<u64, DriverError> {
        let at = request.at;
        let seen = self.place(at).await?;
        if let Some(version) = self.landed(request, &seen).await? {
            return Ok(version);
        }
        self.refuse_other_current(request, &seen)?;
        self.refuse_short_lived(at, &seen).await?;
        let body = WriteBody::new(request.value, seen.newest)?;
        let version = seen.newest.saturating_add(1);
        let unmarked = match request.environment {
            Some(environment) if self.environment(&seen).await?.is_none() => Some(environment),
            _ => None,
        };
        let notes = Notes::announcing(request, version, &seen, unmarked)?;
        // Whatever is not known to compare gets no value.
        self.prove_mount(at).await.map_err(|error| DriverError { effect: Effect::NotApplied, ..error })?;
        // Notes are no version: whatever became of them, nothing that readers get has changed.
        self.note(at, &notes, seen.exists)
            .await
            .map_err(|error| DriverError { effect: Effect::NotApplied, ..error })?;
        match self.put(request, &body, version).await {
            Ok(()) => {
                self.remember_written(at, version);
                Ok(version)
            }
            Err(error) if error.effect == Effect::NotApplied => self.not_written(request, &seen, notes, error).await,
            Err(error) => Err(error),
        }
    }

    /// The version that this attempt became, if it did. Where values can be read, the note alone is not believed:
    /// somebody else may have written under the number that it announces.
    async fn landed(&self, request: &Delivery<'_>, seen: &Place) -> Result<Option<u64>, DriverError> {
        let Some(record) = seen.record_of_attempt(&request.key.0).filter(|record| record.version <= seen.newest) else {
            return Ok(None);
        };
        if self.readable && seen.keeps(record.version) {
            let stored = self.fingerprint(request.at, record.version).await?;
            return Ok((stored == Some(record.fingerprint)).then_some(record.version));
        }
        Ok(Some(record.version))
    }

    fn refuse_other_current(&self, request: &Delivery<'_>, seen: &Place) -> Result<(), DriverError> {
        let current = seen.current().map(store_version);
        if current.as_ref() == request.replaces {
            return Ok(());
        }
        let shown = |version: Option<&StoreVersion>| version.map_or("none".to_owned(), |version| version.0.clone());
        let why = format!(
            "current version of `{}` is {}, not {} as expected: somebody else wrote there",
            self.client.name("data", request.at),
            shown(current.as_ref()),
            shown(request.replaces)
        );
        Err(DriverError::refused(Kind::Conflict, why))
    }

    async fn note(&self, at: &SecretPath, notes: &Notes, exists: bool) -> Result<(), DriverError> {
        let name = self.client.name("metadata", at);
        let doing = format!("noting the attempt at `{name}`");
        let url = self.client.of_secret("metadata", at)?;
        let (request, right) = if exists {
            (merge(url, notes), "patch")
        } else {
            // There is nothing to merge into, and the whole map is ours.
            (HttpRequest::new(Method::Post, url).json(&notes.without_removals()), "create")
        };
        let response = self.client.exchange(&doing, request).await?;
        if response.is_success() {
            return Ok(());
        }
        Err(needs(refusal(&doing, Intent::Write, &response, &[]), right, &name))
    }

    async fn put(&self, request: &Delivery<'_>, body: &WriteBody<'_>, version: u64) -> Result<(), DriverError> {
        let name = self.client.name("data", request.at);
        let doing = format!("writing `{name}`");
        let response = self.client.post(&doing, self.client.of_secret("data", request.at)?, body).await?;
        if response.status == 204 {
            return Err(DriverError::new(Kind::Protocol, Effect::Unknown, not_kv2(&doing)));
        }
        if !response.is_success() {
            let hide: Vec<&Secret> = request.value.iter().map(|(_, secret)| secret).collect();
            let right = if version == 1 { "create" } else { "update" };
            return Err(needs(refusal(&doing, Intent::Write, &response, &hide), right, &name));
        }
        let written: Envelope<Written> = parse(&doing, &response, Effect::Unknown)?;
        if written.data.version == version {
            return Ok(());
        }
        let why = format!("{doing}: it became version {}, though compared and set for {version}", written.data.version);
        Err(DriverError::new(Kind::Protocol, Effect::Unknown, why))
    }

    /// Takes the note of an attempt away that certainly did not happen, so that what somebody else writes next is never
    /// taken for it. A lost compare-and-set can be our own doing: a proxy may have sent the write twice.
    async fn not_written(
        &self,
        request: &Delivery<'_>,
        before: &Place,
        notes: Notes,
        error: DriverError,
    ) -> Result<u64, DriverError> {
        if error.kind == Kind::Conflict && self.readable {
            let seen = self.place(request.at).await?;
            if let Some(version) = self.landed(request, &seen).await? {
                self.remember_written(request.at, version);
                return Ok(version);
            }
        }
        match self.note(request.at, &notes.undoing(before), true).await {
            Ok(()) => Err(error),
            Err(left) => {
                let message = format!("{}; and its note stays behind: {}", error.message, left.message);
                Err(DriverError { message, ..error })
            }
        }
    }

    pub(super) async fn destroy(&self, at: &SecretPath, version: &StoreVersion) -> Result<Discarded, DriverError> {
        let Ok(number) = version.0.parse::<u64>() else { return Ok(Discarded::GoneAlready) };
        let seen = self.place(at).await?;
        if seen.current() == Some(number) {
            let why = format!("version {number} of `{}` is what applications read", self.client.name("data", at));
            return Err(DriverError::refused(Kind::Conflict, why));
        }
        // A version that is only deleted can be brought back: its content is still there.
        if !seen.recoverable(number) {
            return Ok(Discarded::GoneAlready);
        }
        let name = self.client.name("destroy", at);
        let doing = format!("destroying version {number} at `{name}`");
        let request =
            HttpRequest::new(Method::Put, self.client.of_secret("destroy", at)?).json(&json!({ "versions": [number] }));
        let response = self.client.exchange(&doing, request).await?;
        if response.is_success() {
            return Ok(Discarded::Now);
        }
        Err(needs(refusal(&doing, Intent::Write, &response, &[]), "update", &name))
    }

    /// A write that every KV version 2 must refuse, because no secret has so many versions: proves that writes are
    /// compared before they are made, and changes nothing.
    pub(super) async fn impossible_write(&self, at: &SecretPath) -> Result<HttpResponse, DriverError> {
        let doing = format!("trying whether `{}` compares before it writes", self.client.name("data", at));
        let body = json!({ "data": { "keyrota": "preflight" }, "options": { "cas": i32::MAX } });
        let response = self.client.post(&doing, self.client.of_secret("data", at)?, &body).await?;
        if response.is_success() {
            return Err(DriverError::new(Kind::Invalid, Effect::Unknown, not_kv2(&doing)));
        }
        if lost_compare_and_set(&response) || response.status == 403 {
            return Ok(response);
        }
        Err(refusal(&doing, Intent::Write, &response, &[]))
    }
}

fn not_kv2(doing: &str) -> String {
    format!(
        "{doing}: the write was taken without comparing and without a version, so this is no KV version 2, whatever it \
         calls itself"
    )
}

/// Merges instead of replacing: the notes of others stay.
fn merge(url: url::Url, body: &impl Serialize) -> HttpRequest {
    let mut request = HttpRequest::new(Method::Patch, url).header("content-type", "application/merge-patch+json");
    // Serializing our own strings into memory has no way to fail.
    request.body = Body(serde_json::to_vec(body).unwrap_or_default().into());
    request
}

/// Says which line of a policy is missing.
fn needs(error: DriverError, capability: &str, path: &str) -> DriverError {
    if error.kind != Kind::Forbidden {
        return error;
    }
    let message = format!("{}; its policy needs `{capability}` on `{path}`", error.message);
    DriverError { message, ..error }
}
