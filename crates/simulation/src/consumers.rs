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
    holds: Option<Held>,
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
        Self { credential, store, path, cache, hard_coded_until: None, holds: None }
    }

    pub(crate) fn hard_coded(credential: usize, secret: &str, now: Timestamp, until: Timestamp) -> Self {
        let held = Held { secret: secret.to_owned(), read_at: now, from_person: false, span: None };
        let hard_coded_until = Some(until);
        Self { hard_coded_until, holds: Some(held), ..Self::new(credential, "one", &place(credential), Duration::ZERO) }
    }

    pub(crate) fn holds(&self, secret: &str) -> bool {
        self.holds.as_ref().is_some_and(|held| held.secret == secret)
    }

    /// When it reads again.
    pub(crate) fn reads_at(&self) -> Option<Timestamp> {
        let held = self.holds.as_ref()?;
        let stale = held.read_at.saturating_add(self.cache).unwrap();
        Some(self.hard_coded_until.unwrap_or(stale).max(stale))
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
            self.consumer_calls(consumer);
        }
        self.consumers = consumers;
    }

    fn consumer_calls(&mut self, consumer: &mut Consumer) {
        if consumer.reads_at().is_none_or(|at| at <= self.now) {
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
        let version = &self.platform.minted[index];
        if version.credential != credential {
            let other = version.credential;
            self.breach(Promise::NeverTheWrongPlace, || format!("a consumer of c{credential} reads c{other}'s"));
        } else if version.is_accepted(self.now) {
            self.used(held, index);
        } else if !held.from_person && version.removed.is_none_or(|removed| removed.by == Who::Us) {
            let handle = version.handle.clone();
            let words = move || format!("a consumer of c{credential} is refused with {handle}");
            self.breach(Promise::NeverWithoutAWorkingCredential, words);
        }
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

    fn used(&mut self, held: &mut Held, index: usize) {
        let spans = &mut self.platform.minted[index].used;
        match held.span {
            Some((version, span)) if version == index => spans[span].1 = self.now,
            _ => {
                spans.push((self.now, self.now));
                held.span = Some((index, spans.len() - 1));
            }
        }
    }
}
