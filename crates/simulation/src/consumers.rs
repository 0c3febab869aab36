//! Applications: they read from a store and call the gateway, at every moment of this world.

use domain::{Duration, Timestamp};

use crate::{platform::Who, promises::Promise, stage::World};

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) credential: usize,
    pub(crate) store: String,
    pub(crate) path: String,
    /// How long it keeps what it read; zero: it reads every time.
    pub(crate) cache: Duration,
    /// A straggler: until then it has the first version in its own configuration and reads nothing.
    pub(crate) hard_coded_until: Option<Timestamp>,
    /// A straggler that calls only once in so long.
    sleeps: Option<Sleep>,
    holds: Option<Held>,
}

#[derive(Debug)]
struct Sleep {
    every: Duration,
    wakes_at: Timestamp,
}

#[derive(Debug)]
struct Held {
    secret: String,
    read_at: Timestamp,
    /// A person put it there: what becomes of it is theirs.
    from_person: bool,
    /// The version and its span of use that this consumer extends.
    span: Option<(usize, usize)>,
}

impl Consumer {
    pub(crate) fn new(credential: usize, store: &str, path: &str, cache: Duration) -> Self {
        let (store, path) = (store.to_owned(), path.to_owned());
        Self { credential, store, path, cache, hard_coded_until: None, sleeps: None, holds: None }
    }

    pub(crate) fn hard_coded(credential: usize, secret: &str, now: Timestamp, until: Timestamp) -> Self {
        let held = Held { secret: secret.to_owned(), read_at: now, from_person: false, span: None };
        let hard_coded_until = Some(until);
        Self { hard_coded_until, holds: Some(held), ..Self::new(credential, "one", &place(credential), Duration::ZERO) }
    }

    /// It has the first version in its own configuration, and longer pauses between two calls than others.
    pub(crate) fn sleeper(
        credential: usize,
        secret: &str,
        (now, until): (Timestamp, Timestamp),
        every: Duration,
    ) -> Self {
        let sleeps = Some(Sleep { every, wakes_at: now });
        Self { sleeps, ..Self::hard_coded(credential, secret, now, until) }
    }

    /// Whether it would miss the version within any silence that a policy may demand.
    pub(crate) fn holds(&self, secret: &str) -> bool {
        self.sleeps.is_none() && self.holds.as_ref().is_some_and(|held| held.secret == secret)
    }

    /// When it does anything again of itself.
    pub(crate) fn acts_at(&self) -> Option<Timestamp> {
        let held = self.holds.as_ref()?;
        if let Some(sleep) = &self.sleeps {
            return Some(sleep.wakes_at);
        }
        let stale = held.read_at.saturating_add(self.cache).unwrap();
        Some(self.hard_coded_until.unwrap_or(stale).max(stale))
    }

    /// Whether it calls now; a sleeper that does falls asleep again, and one whose time is over becomes like others.
    fn is_awake(&mut self, now: Timestamp) -> bool {
        let Some(sleep) = &mut self.sleeps else { return true };
        if now < sleep.wakes_at {
            return false;
        }
        sleep.wakes_at = now.saturating_add(sleep.every).unwrap();
        if self.hard_coded_until.is_some_and(|until| until <= now) {
            self.sleeps = None;
        }
        true
    }
}

/// The path of a credential at every store.
pub(crate) fn place(credential: usize) -> String {
    format!("apps/c{credential}")
}

impl World {
    /// Every consumer calls once, reading first where what it has is too old.
    pub(crate) fn consumers_call(&mut self) {
        let mut consumers = std::mem::take(&mut self.consumers);
        for consumer in &mut consumers {
            if consumer.is_awake(self.now) {
                self.consumer_calls(consumer);
            }
        }
        self.consumers = consumers;
    }

    fn consumer_calls(&mut self, consumer: &mut Consumer) {
        let asleep = consumer.sleeps.is_some();
        if !asleep && consumer.acts_at().is_none_or(|at| at <= self.now) {
            self.consumer_reads(consumer);
        }
        let accepted = |world: &Self, consumer: &Consumer| {
            let index = consumer.holds.as_ref().and_then(|held| world.platform.by_secret(&held.secret));
            index.is_some_and(|index| world.platform.accepts(index, world.now))
        };
        let kind = self.platform.kind(consumer.credential);
        let reads_again = kind.replaces() || kind.life.is_some();
        if reads_again && !asleep && !accepted(self, consumer) {
            // Whoever lives with a platform like this reads again when it is refused.
            self.consumer_reads(consumer);
        }
        let Some(held) = &mut consumer.holds else { return };
        let credential = consumer.credential;
        let Some(index) = self.platform.by_secret(&held.secret) else {
            if !held.from_person {
                self.breach(Promise::NeverTheWrongPlace, || format!("a consumer of c{credential} reads no secret"));
            }
            return;
        };
        if self.platform.minted[index].credential != credential {
            let other = self.platform.minted[index].credential;
            self.breach(Promise::NeverTheWrongPlace, || format!("a consumer of c{credential} reads c{other}'s"));
        } else if self.platform.accepts(index, self.now) {
            self.used(held, index, asleep);
        } else {
            let from_person = held.from_person;
            self.refused(index, from_person, asleep);
        }
    }

    /// A consumer was turned away with a version of its own credential. Who is to blame?
    fn refused(&mut self, index: usize, from_person: bool, asleep: bool) {
        let now = self.now;
        let version = &mut self.platform.minted[index];
        if version.disabled_at.is_some() && version.removed.is_none() {
            // The platform counts the attempt.
            version.used.push((now, now));
        }
        let (credential, handle, removed) = (version.credential, version.handle.clone(), version.removed);
        let expired = version.expires_at.filter(|end| *end <= now);
        let parent_off = self.platform.disabled.contains(&self.platform.parents[credential]);
        let by_others = removed.is_some_and(|removed| removed.by == Who::Person);
        if from_person || asleep || parent_off || by_others || self.is_known_to_others(index) {
            return;
        }
        if let Some(end) = expired {
            self.starved.insert((credential, end));
            return;
        }
        // The platform leaves a gap here; how long it may be is watched where we act, see `gaps.rs`.
        if removed.is_some_and(|removed| removed.by == Who::Itself) {
            return;
        }
        let words = move || format!("a consumer of c{credential} is refused with {handle}");
        self.breach(Promise::NeverWithoutAWorkingCredential, words);
    }

    fn consumer_reads(&self, consumer: &mut Consumer) {
        if let Some(held) = &mut consumer.holds {
            held.read_at = self.now;
        }
        let Some(slot) = self.shelves.get(&consumer.store).and_then(|shelf| shelf.slots.get(&consumer.path)) else {
            return;
        };
        let Some(secret) = slot.read() else { return };
        let from_person = slot.changed.is_some_and(|(_, who)| who == Who::Person);
        if let Some(held) = consumer.holds.as_mut().filter(|held| held.secret == secret) {
            held.from_person |= from_person;
            return;
        }
        let secret = secret.to_owned();
        consumer.holds = Some(Held { secret, read_at: self.now, from_person, span: None });
    }

    fn used(&mut self, held: &mut Held, index: usize, once: bool) {
        let spans = &mut self.platform.minted[index].used;
        match held.span {
            Some((version, span)) if version == index && !once => spans[span].1 = self.now,
            _ => {
                spans.push((self.now, self.now));
                held.span = Some((index, spans.len() - 1));
            }
        }
    }
}
