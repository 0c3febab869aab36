//! The model store behind the trait that every store implements.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use domain::SecretPath;
use driver::{
    Delivery, Discarded, DriverError, Kind, Label, Labels, SecretStore, StoreFacts, StoreState, StoreVersion,
    StoredVersion, Ticket,
};

use crate::{
    consumers::place,
    event::{Fault, Verb},
    issuer::secret_text,
    platform::Who,
    promises::Promise,
    shelf::Slot,
    stage::{Stage, World},
};

pub(crate) struct ModelStore {
    stage: Arc<Stage>,
    name: String,
    labels: bool,
}

impl fmt::Debug for ModelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelStore({})", self.name)
    }
}

impl ModelStore {
    pub(crate) fn new(stage: &Arc<Stage>, name: &str) -> Self {
        let labels = stage.world().shelves[name].labels;
        Self { stage: stage.clone(), name: name.to_owned(), labels }
    }
}

/// The credential to which a path belongs.
fn owner(at: &SecretPath) -> usize {
    at.as_str().rsplit_once('c').unwrap().1.parse().unwrap()
}

fn position(version: &StoreVersion) -> Option<usize> {
    version.0.parse().ok()
}

fn version(position: usize) -> StoreVersion {
    StoreVersion(position.to_string())
}

fn state(slot: &Slot) -> StoreState {
    let labels = |at: usize| {
        let all = [(slot.pending, Label::Pending), (slot.current, Label::Current), (slot.previous, Label::Previous)];
        all.into_iter().filter(|(have, _)| *have == Some(at)).map(|(_, label)| label).collect()
    };
    let kept = slot.kept.iter().enumerate().filter(|(_, kept)| kept.secret.is_some());
    let stored = |(at, kept): (usize, &crate::shelf::Kept)| StoredVersion {
        version: version(at),
        labels: labels(at),
        fingerprint: Some(kept.fingerprint),
    };
    StoreState { versions: kept.map(stored).collect(), ..StoreState::default() }
}

impl World {
    pub(crate) fn slot(&mut self, store: &str, path: &str) -> &mut Slot {
        self.shelves.get_mut(store).unwrap().slots.entry(path.to_owned()).or_default()
    }

    /// From now on readers of this path get this version, by our hand.
    fn we_serve(&mut self, store: &str, path: &str, position: usize) {
        let now = self.now;
        let slot = self.slot(store, path);
        slot.serve(position, now, Who::Us);
        let secret = slot.read().unwrap_or_default().to_owned();
        if let Some(index) = self.platform.by_secret(&secret) {
            self.platform.minted[index].handed_out = true;
        }
    }
}

#[async_trait]
impl SecretStore for ModelStore {
    fn facts(&self) -> StoreFacts {
        StoreFacts { readable: true, ..StoreFacts::default() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }

    async fn write(&self, request: &Delivery<'_>, ticket: &Ticket) -> Result<StoreVersion, DriverError> {
        let credential: usize = request.credential.as_str().rsplit_once("key").unwrap().1.parse().unwrap();
        let words = format!("write c{credential} to {}:{}", self.name, request.at);
        let (store, path, labels) = (self.name.clone(), request.at.to_string(), self.labels);
        let (secret, fingerprint, key) = (secret_text(request.value), request.fingerprint, request.key.0.clone());
        let right_place = owner(request.at) == credential && path == place(credential);
        let write = move |world: &mut World, _: Option<Fault>| {
            if !right_place {
                world.breach(Promise::NeverTheWrongPlace, || format!("c{credential} is written to {path}"));
            }
            let slot = world.slot(&store, &path);
            let at = match slot.attempted(&key) {
                Some(at) => at,
                None => {
                    let at = slot.put(&key, &secret, fingerprint);
                    if labels {
                        slot.pending = Some(at);
                    } else {
                        world.we_serve(&store, &path, at);
                    }
                    at
                }
            };
            world.step_in_the_gap(credential);
            Ok(version(at))
        };
        self.stage.cross(Verb::Write, || words, Some((credential, ticket)), write).await
    }

    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        let words = format!("inspect {}:{at}", self.name);
        let (store, path) = (self.name.clone(), at.to_string());
        let credential = owner(at);
        let inspect = move |world: &mut World, _: Option<Fault>| {
            world.step_in_the_gap(credential);
            Ok(state(world.slot(&store, &path)))
        };
        self.stage.cross(Verb::Inspect, || words, None, inspect).await
    }

    async fn discard(&self, at: &SecretPath, gone: &StoreVersion, ticket: &Ticket) -> Result<Discarded, DriverError> {
        let credential = owner(at);
        let words = format!("discard version {} of {}:{at}", gone.0, self.name);
        let (store, path, at) = (self.name.clone(), at.to_string(), position(gone));
        let discard = move |world: &mut World, _: Option<Fault>| {
            let slot = world.slot(&store, &path);
            if at.is_some() && slot.current == at {
                return Err(DriverError::refused(Kind::Conflict, "it is current"));
            }
            let kept = at.and_then(|at| slot.kept.get_mut(at));
            let gone = kept.and_then(|kept| kept.secret.take());
            Ok(gone.map_or(Discarded::GoneAlready, |_| Discarded::Now))
        };
        self.stage.cross(Verb::Discard, || words, Some((credential, ticket)), discard).await
    }

    fn labels(&self) -> Option<&dyn Labels> {
        if self.labels { Some(self) } else { None }
    }
}

#[async_trait]
impl Labels for ModelStore {
    async fn promote(
        &self,
        at: &SecretPath,
        to: &StoreVersion,
        expected: Option<&StoreVersion>,
        ticket: &Ticket,
    ) -> Result<(), DriverError> {
        let credential = owner(at);
        let words = format!("promote version {} of {}:{at}", to.0, self.name);
        let (store, path) = (self.name.clone(), at.to_string());
        let (to, expected) = (position(to), expected.and_then(position));
        let promote = move |world: &mut World, _: Option<Fault>| {
            let slot = world.slot(&store, &path);
            let Some(to) = to.filter(|to| slot.kept.get(*to).is_some_and(|kept| kept.secret.is_some())) else {
                return Err(DriverError::refused(Kind::NotFound, "there is no such version"));
            };
            if slot.current == Some(to) {
                return Ok(());
            }
            if slot.current != expected {
                return Err(DriverError::refused(Kind::Conflict, "another version is current"));
            }
            world.we_serve(&store, &path, to);
            world.step_in_the_gap(credential);
            Ok(())
        };
        self.stage.cross(Verb::Promote, || words, Some((credential, ticket)), promote).await
    }
}
