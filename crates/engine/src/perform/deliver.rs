//! Bringing the successor to where applications read, and reading it back.

use db::{Delivered, Outcome};
use domain::{Destination, Drifted, Duration, Fingerprint, Origin, VersionNumber, planted};
use driver::{AttemptKey, Delivery, DriverError, Form, Kind, Label, SecretStore, StoreState, StoreVersion, Ticket};
use secret::SecretMap;

use super::{StepEnd, Work};
use crate::engine::sealed_as;

/// How long after its promotion readers may still get what a version replaced: replicas and caches of a store catch up
/// within it.
const SEEN_WITHIN: Duration = Duration::from_mins(10);

/// A secret in the form of one destination.
struct Formed {
    value: SecretMap,
    form: Form,
    fingerprint: Fingerprint,
}

/// Stands in a delivery until the promotion writes, where readers would get at once what is written.
const NOT_WRITTEN: &str = "";

impl Work<'_> {
    pub(super) async fn write(
        &self,
        version: VersionNumber,
        destination: &Destination,
        ticket: &Ticket,
    ) -> Result<Outcome, StepEnd> {
        let store = self.store(destination)?;
        let state = store.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
        self.is_the_right_place(destination, &state)?;
        self.is_nobody_elses(store, destination, &state)?;
        let replaced = state.labelled(Label::Current).map(|current| current.version.0.clone());
        // What readers would get at once waits for the promotion: nothing has tried it yet.
        let at_once = store.labels().is_none() || (store.facts().first_is_current && replaced.is_none());
        let (store_version, fingerprint) = if at_once {
            (NOT_WRITTEN.to_owned(), self.formed(version, destination).await?.fingerprint)
        } else {
            self.put(store, (version, destination), replaced.as_deref(), ticket).await?
        };
        // A repetition of a write that was promoted already finds itself as current.
        let replaced = replaced.filter(|current| *current != store_version);
        Ok(Outcome::Written { version, destination: destination.clone(), store_version, replaced, fingerprint })
    }

    pub(super) async fn promote(
        &self,
        version: VersionNumber,
        destination: &Destination,
        ticket: &Ticket,
    ) -> Result<Outcome, StepEnd> {
        let store = self.store(destination)?;
        let delivered = self.delivered(version, destination).await?;
        let state = store.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
        self.is_the_right_place(destination, &state)?;
        self.is_nobody_elses(store, destination, &state)?;
        let overwritten = |error: DriverError| match error.kind {
            Kind::Conflict => StepEnd::Park(format!(
                "somebody else wrote to {destination} between our writing and our promotion: {}",
                error.message
            )),
            _ => StepEnd::Elsewhere(error),
        };
        let mut written = None;
        if delivered.store_version == NOT_WRITTEN {
            let put = self.put(store, (version, destination), delivered.replaced.as_deref(), ticket).await;
            written = Some(put.map_err(|end| match end {
                StepEnd::Elsewhere(error) => overwritten(error),
                end => end,
            })?);
        }
        if let Some(labels) = store.labels() {
            let ours = written.as_ref().map_or(delivered.store_version, |(version, _)| version.clone());
            let expected = delivered.replaced.map(StoreVersion);
            let promoted = labels.promote(&destination.path, &StoreVersion(ours), expected.as_ref(), ticket).await;
            promoted.map_err(overwritten)?;
        }
        Ok(Outcome::Promoted { destination: destination.clone(), written })
    }

    /// The proof that a delivery arrived: the value that readers get is ours, to the byte. It is read with the
    /// consumer's own identity, where there is one. Readers that still get what we replaced are given time; anything
    /// else was written by somebody else. Where it had arrived before, that is what an inspection would have found, and is
    /// kept as such; else a person has to look.
    pub(super) async fn confirm(&self, version: VersionNumber, destination: &Destination) -> Result<Outcome, StepEnd> {
        let store = self.reader(destination)?;
        let delivered = self.delivered(version, destination).await?;
        let state = store.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
        self.is_the_right_place(destination, &state)?;
        if self.is_read_through_another(destination) {
            // A consumer's own login need not see what the store says of the place.
            let state = self.store(destination)?.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
            self.is_the_right_place(destination, &state)?;
        }
        let taken_away = store.facts().taken_away && state.labelled(Label::Current).is_none();
        if taken_away && self.was_confirmed(destination) {
            return Ok(Outcome::Confirmed { destination: destination.clone() });
        }
        let ours = StoreVersion(delivered.store_version);
        if planted("confirm_compares_nothing") || reads_ours(&state, &ours, delivered.fingerprint) {
            return Ok(Outcome::Confirmed { destination: destination.clone() });
        }
        let now = self.engine.now(self.issuer);
        let promoted_at = delivered.promoted_at.unwrap_or(now);
        let read = state.labelled(Label::Current).map(|read| &read.version.0);
        let as_before = read == delivered.replaced.as_ref();
        if as_before && now.duration_since(promoted_at) < SEEN_WITHIN {
            let why = if read.is_some() { "readers still get what it replaced" } else { "readers get nothing yet" };
            return Err(StepEnd::NotYet { why: why.to_owned(), since: promoted_at });
        }
        if self.was_confirmed(destination) {
            let what = match read {
                None => Drifted::Gone,
                Some(_) if as_before => Drifted::LabelMoved,
                Some(_) => Drifted::ValueChanged,
            };
            return Ok(Outcome::Drifted { destination: destination.clone(), what });
        }
        let place = self.applied.place(destination);
        let reader = place.and_then(|place| place.read_as.as_deref());
        let seen_by = reader.map(|reader| format!(", read through the store `{reader}`")).unwrap_or_default();
        Err(StepEnd::Park(match read {
            None => format!("readers get nothing at {destination}{seen_by}: version {version} is not there for them"),
            Some(_) if as_before => {
                format!(
                    "readers get what version {version} replaced at {destination}{seen_by}: somebody went back to it"
                )
            }
            Some(theirs) => format!(
                "what readers get at {destination}{seen_by} is version {theirs} there, and version {version} went there \
                 as {}: somebody else wrote there",
                ours.0
            ),
        }))
    }

    /// What was left for a person at a store that nobody reads from is picked up at some time. Having been there once is
    /// all the proof that there can be.
    fn was_confirmed(&self, destination: &Destination) -> bool {
        let rotation = self.entry.observed.rotation.as_ref();
        let delivery = rotation.and_then(|rotation| rotation.delivery(destination));
        delivery.is_some_and(|delivery| delivery.first_confirmed_at.is_some())
    }

    /// Our sealed copies of a dead version go: in the store, unless readers still get it there, and in the database.
    pub(super) async fn purge(&self, version: VersionNumber, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        for delivered in self.all_delivered().await? {
            let other = delivered.version != version && !planted("current_purged");
            if other || delivered.store_version == NOT_WRITTEN {
                continue;
            }
            // A store that is configured no longer keeps what it has: nothing of ours can reach it.
            let Some(store) = self.engine.stores.get(&*delivered.destination.store) else { continue };
            let ours = StoreVersion(delivered.store_version);
            let state = store.inspect(&delivered.destination.path).await.map_err(StepEnd::Elsewhere)?;
            let read = state.labelled(Label::Current).is_some_and(|current| current.version == ours);
            if !read || planted("current_purged") {
                store.discard(&delivered.destination.path, &ours, ticket).await.map_err(StepEnd::Elsewhere)?;
            }
        }
        Ok(Outcome::Purged { version })
    }

    async fn put(
        &self,
        store: &dyn SecretStore,
        (version, destination): (VersionNumber, &Destination),
        replaced: Option<&str>,
        ticket: &Ticket,
    ) -> Result<(String, Fingerprint), StepEnd> {
        let Formed { value, form, fingerprint } = self.formed(version, destination).await?;
        let replaces = replaced.map(|version| StoreVersion(version.to_owned()));
        let delivery = Delivery {
            at: &destination.path,
            credential: &self.entry.observed.credential,
            value: &value,
            form,
            fingerprint,
            key: self.attempt_at(version, destination).await?,
            replaces: replaces.as_ref(),
            environment: self.applied.place(destination).and_then(|place| place.environment.as_deref()),
        };
        let written = store.write(&delivery, ticket).await.map_err(StepEnd::Elsewhere)?;
        Ok((written.0, fingerprint))
    }

    /// The same for every repetition of one delivery. What was current there before and is no more goes out by another one:
    /// the store would answer that it has it.
    async fn attempt_at(&self, version: VersionNumber, destination: &Destination) -> Result<AttemptKey, StepEnd> {
        let there = |one: &&Delivered| one.version == version && one.destination == *destination;
        let all = self.all_delivered().await?;
        let times = all.iter().filter(there).filter(|one| one.promoted_at.is_some()).count();
        let rotation = self.rotation.as_str();
        Ok(AttemptKey(if times == 0 {
            format!("{rotation}:{version}")
        } else {
            format!("{rotation}:{version}:{times}")
        }))
    }

    /// The secret as the application at this destination reads it.
    async fn formed(&self, version: VersionNumber, destination: &Destination) -> Result<Formed, StepEnd> {
        let (secret, fingerprint) = self.secret(version).await?;
        let Some(template) = self.applied.place(destination).and_then(|place| place.form.as_ref()) else {
            return Ok(Formed { value: secret, form: Form::Fields, fingerprint });
        };
        let (value, form) =
            template.render(&secret).map_err(|why| StepEnd::Park(format!("the form for {destination}: {why}")))?;
        let fingerprint = self.engine.keyring.fingerprint(&value);
        Ok(Formed { value, form, fingerprint })
    }

    /// Every form, filled in with what the last version of ours holds: a field that it does not have, the next one would
    /// not have either. Where nothing of ours is held yet, only the first successor tells.
    pub(super) async fn forms_fit(&self) -> Result<(), StepEnd> {
        if self.applied.places.iter().all(|place| place.form.is_none()) {
            return Ok(());
        }
        let ours = |version: &&domain::Version| version.origin == Origin::Issued && version.secret_held;
        let Some(last) = self.entry.observed.versions.iter().rev().find(ours) else { return Ok(()) };
        for destination in &self.applied.policy.deliver {
            self.formed(last.number, destination).await?;
        }
        Ok(())
    }

    /// Asked before the first effect, before the write, before the promotion and whenever it is read back, which is also
    /// right before the old one goes: the store's own word on where a path belongs must not contradict the policy.
    pub(super) fn is_the_right_place(&self, destination: &Destination, state: &StoreState) -> Result<(), StepEnd> {
        let wanted = self.applied.place(destination).and_then(|place| place.environment.as_deref());
        match (wanted, state.environment.as_deref()) {
            (Some(wanted), Some(says)) if wanted != says && !planted("wrong_place_accepted") => {
                Err(StepEnd::Park(format!(
                    "wrong place: {destination} belongs to the environment `{says}`, as the store itself says, and the \
                     policy delivers to `{wanted}`"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Asked at the same moments: what another credential delivers there, of this installation or of another, is not
    /// overwritten. What bears no mark was put there before us, and is taken over.
    pub(super) fn is_nobody_elses(
        &self,
        store: &dyn SecretStore,
        destination: &Destination,
        state: &StoreState,
    ) -> Result<(), StepEnd> {
        let ours = store.mark_of(&self.entry.observed.credential);
        let Some(mark) = state.mark.as_ref().filter(|mark| mark.credential != ours) else { return Ok(()) };
        let stays = match state.labelled(Label::Current) {
            Some(current) => format!("nothing was written, and version {} there stays", current.version.0),
            None => "nothing was written".to_owned(),
        };
        Err(StepEnd::Park(format!(
            "{destination} belongs to another credential, perhaps of another installation: it bears the mark of `{}`; \
             {stays}; deliver to another path, or, if nobody delivers that one any more, take `{}` away there",
            mark.credential, mark.kept_as
        )))
    }

    fn is_read_through_another(&self, destination: &Destination) -> bool {
        self.applied.place(destination).is_some_and(|place| place.read_as.is_some())
    }

    /// The store through which consumers of this destination read.
    fn reader(&self, destination: &Destination) -> Result<&dyn SecretStore, StepEnd> {
        let Some(name) = self.applied.place(destination).and_then(|place| place.read_as.as_deref()) else {
            return self.store(destination);
        };
        let reader = self.engine.stores.get(name);
        reader.map(AsRef::as_ref).ok_or_else(|| StepEnd::Park(format!("the store `{name}` is configured no longer")))
    }

    pub(super) fn store(&self, destination: &Destination) -> Result<&dyn SecretStore, StepEnd> {
        let store = self.engine.stores.get(&*destination.store);
        store
            .map(AsRef::as_ref)
            .ok_or_else(|| StepEnd::Park(format!("the store `{}` is configured no longer", destination.store)))
    }

    /// Opens the sealed secret of one of our versions.
    pub(super) async fn secret(&self, version: VersionNumber) -> Result<(SecretMap, Fingerprint), StepEnd> {
        let sealed = self.engine.db.sealed_secret(self.entry.id, version).await.map_err(not_read)?;
        let Some((sealed, fingerprint)) = sealed else {
            return Err(StepEnd::Park(format!("the secret of version {version} is not held")));
        };
        let context = sealed_as(&self.entry.observed.credential, version);
        let map = self.engine.keyring.unseal(&sealed, context).map_err(|error| StepEnd::Park(error.to_string()))?;
        Ok((map, fingerprint))
    }

    async fn all_delivered(&self) -> Result<Vec<Delivered>, StepEnd> {
        self.engine.db.delivered(self.entry.id).await.map_err(not_read)
    }

    async fn delivered(&self, version: VersionNumber, destination: &Destination) -> Result<Delivered, StepEnd> {
        let latest = self
            .all_delivered()
            .await?
            .into_iter()
            .rfind(|one| one.version == version && one.destination == *destination);
        latest.ok_or_else(|| StepEnd::NotAsPlanned(format!("version {version} was never written to {destination}")))
    }
}

/// Where a store has labels, `current` is what readers get; where it has none, the last write. Its content decides, so that
/// a person who puts the value right by hand, as a version of their own, has put it right. Where no content is told, the
/// version does.
fn reads_ours(state: &StoreState, ours: &StoreVersion, fingerprint: Fingerprint) -> bool {
    let read = state.labelled(Label::Current);
    read.is_some_and(|read| read.fingerprint.map_or(read.version == *ours, |have| have == fingerprint))
}

fn not_read(error: db::ReadError) -> StepEnd {
    StepEnd::Elsewhere(DriverError::refused(Kind::Unavailable, format!("our own database: {error}")))
}
