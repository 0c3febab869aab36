//! Looking at one path.

use std::sync::PoisonError;

use domain::{Fingerprint, SecretPath};
use driver::{DriverError, Effect, HttpResponse, Kind, Label, Mark, StoreState, StoredVersion};
use jiff::{SignedDuration, Timestamp};

use super::{
    VaultStore,
    answer::{Intent, is_absent, is_taken_away, parse, refusal},
    api::{BesideContent, Content, Envelope, Metadata, Mount, NewestVersion},
    client::LAG_LONGEST,
    marker::{CREDENTIAL, ENVIRONMENT},
    place::Place,
    store_version, values,
};

const DATE_PRECISION: SignedDuration = SignedDuration::from_secs(1);
/// How the description of a mount names the environment of everything in it.
const DESCRIBED: &str = "environment=";

impl VaultStore {
    pub(super) async fn state(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        let place = self.seen(at).await?;
        self.refuse_unfit(at, &place).await?;
        let (current, previous) = (place.current(), place.previous());
        let mut versions = Vec::new();
        for number in place.kept() {
            let label = match Some(number) {
                it if it == current => vec![Label::Current],
                it if it == previous => vec![Label::Previous],
                _ => Vec::new(),
            };
            let fingerprint = if self.readable && !label.is_empty() {
                // Taken away between the two calls: it is there no more.
                let Some(fingerprint) = self.fingerprint(at, number).await? else { continue };
                Some(fingerprint)
            } else {
                place.record_of(number).map(|record| record.fingerprint)
            };
            versions.push(StoredVersion { version: store_version(number), labels: label, fingerprint });
        }
        let noted = place.note(CREDENTIAL).filter(|note| !note.is_empty());
        let mark = noted.map(|credential| Mark { credential: credential.to_owned(), kept_as: CREDENTIAL });
        Ok(StoreState { versions, environment: self.environment(&place).await?, mark })
    }

    /// What a look finds. An application's login may read values and no more: the newest version and its notes stand
    /// beside its value.
    async fn seen(&self, at: &SecretPath) -> Result<Place, DriverError> {
        match self.place(at).await {
            Err(error) if error.kind == Kind::Forbidden && self.readable => {
                Ok(self.beside_value(at).await?.ok_or(error)?)
            }
            place => place,
        }
    }

    /// `None`: values may not be read either.
    async fn beside_value(&self, at: &SecretPath) -> Result<Option<Place>, DriverError> {
        let doing = format!("reading `{}`", self.client.name("data", at));
        let response = self.client.get(&doing, self.client.of_secret("data", at)?).await?;
        if is_absent(&response) {
            return Ok(Some(Place::empty()));
        }
        if response.status == 403 {
            return Ok(None);
        }
        if !response.is_success() && !is_taken_away(&response) {
            return Err(refusal(&doing, Intent::Read, &response, &[]));
        }
        let found: Envelope<BesideContent> = parse(&doing, &response, Effect::NotApplied)?;
        let NewestVersion { version, facts, custom_metadata } = found.data.metadata;
        Ok(Some(Place::of_newest(version, facts, custom_metadata.unwrap_or_default(), self.server_time(&response))))
    }

    /// The date has no parts of a second: what was deleted within this one is deleted.
    fn server_time(&self, response: &HttpResponse) -> Timestamp {
        let now = response.date().unwrap_or_else(|| self.client.clock().now());
        now.saturating_add(DATE_PRECISION).unwrap_or(now)
    }

    /// What the metadata says. A server that shows less than we wrote ourselves lags behind, and is asked again.
    pub(super) async fn place(&self, at: &SecretPath) -> Result<Place, DriverError> {
        let mut lags = 0;
        loop {
            let place = self.place_once(at).await?;
            let Some(written) = self.written(at).filter(|written| place.newest < *written) else {
                return Ok(place);
            };
            if !self.client.waits_for_replication(lags).await {
                let why = format!(
                    "`{}` shows version {}, though version {written} was written here: a server that lags behind, or \
                     somebody removed the secret",
                    self.client.name("metadata", at),
                    place.newest
                );
                return Err(DriverError::refused(Kind::Unavailable, why));
            }
            lags += 1;
        }
    }

    async fn place_once(&self, at: &SecretPath) -> Result<Place, DriverError> {
        let doing = format!("reading `{}`", self.client.name("metadata", at));
        let response = self.client.get(&doing, self.client.of_secret("metadata", at)?).await?;
        if is_absent(&response) {
            return Ok(Place::empty());
        }
        if !response.is_success() {
            return Err(refusal(&doing, Intent::Read, &response, &[]));
        }
        let metadata: Envelope<Metadata> = parse(&doing, &response, Effect::NotApplied)?;
        Ok(Place::new(metadata.data, self.server_time(&response)))
    }

    /// Of the content as it stands; `None`: it is there no more.
    pub(super) async fn fingerprint(&self, at: &SecretPath, version: u64) -> Result<Option<Fingerprint>, DriverError> {
        let doing = format!("reading version {version} of `{}`", self.client.name("data", at));
        let mut url = self.client.of_secret("data", at)?;
        url.query_pairs_mut().append_pair("version", &version.to_string());
        let response = self.client.get(&doing, url).await?;
        if is_absent(&response) || is_taken_away(&response) {
            return Ok(None);
        }
        if !response.is_success() {
            let error = refusal(&doing, Intent::Read, &response, &[]);
            return Err(hint_at_readable(error, &response));
        }
        let content: Envelope<Content> = parse(&doing, &response, Effect::NotApplied)?;
        Ok(content.data.data.map(|data| self.keyring.fingerprint(&values::read(data))))
    }

    /// The word of the secret itself, else that of the mount.
    pub(super) async fn environment(&self, place: &Place) -> Result<Option<String>, DriverError> {
        const DOING: &str = "reading the mount";
        if let Some(environment) = place.note(ENVIRONMENT).filter(|note| !note.is_empty()) {
            return Ok(Some(environment.to_owned()));
        }
        let Some(response) = self.client.look(DOING, self.client.mount_facts()?).await? else { return Ok(None) };
        let mount: Envelope<Mount> = parse(DOING, &response, Effect::NotApplied)?;
        Ok(described(&mount.data.description).map(str::to_owned))
    }

    pub(super) fn remember_written(&self, at: &SecretPath, version: u64) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.client.clock().now();
        written.retain(|_, (_, when)| now.duration_since(*when) < LAG_LONGEST);
        written.insert(at.clone(), (version, now));
    }

    fn written(&self, at: &SecretPath) -> Option<u64> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, when) = written.get(at)?;
        (self.client.clock().now().duration_since(*when) < LAG_LONGEST).then_some(*version)
    }
}

pub(super) fn described(description: &str) -> Option<&str> {
    description.trim().strip_prefix(DESCRIBED).map(str::trim).filter(|name| !name.is_empty())
}

fn hint_at_readable(error: DriverError, response: &HttpResponse) -> DriverError {
    match response.status {
        403 => {
            let message = format!("{}; without the right to read values, set `readable = false`", error.message);
            DriverError { message, ..error }
        }
        _ => error,
    }
}
