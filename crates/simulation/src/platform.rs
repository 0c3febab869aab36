//! A model platform: what it has minted, under which names, and what its gateway accepts.

use domain::{Duration, Marker, Timestamp};
use twin::Random;

/// What is true of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformFacts {
    pub names: bool,
    pub usage: bool,
    pub live_max: Option<u32>,
    pub propagation: Duration,
    /// Whether a listing tells the platform's clock.
    pub tells_time: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Us,
    Person,
}

#[derive(Debug)]
pub(crate) struct Minted {
    pub(crate) handle: String,
    pub(crate) credential: usize,
    pub(crate) secret: String,
    pub(crate) marker: Option<Marker>,
    pub(crate) made_by: Who,
    pub(crate) created_at: Timestamp,
    accepted_from: Timestamp,
    pub(crate) removed: Option<Removed>,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) named_by: Who,
    /// Whether consumers could ever read it.
    pub(crate) handed_out: bool,
    /// Consumers' uses as spans: first and last call of an unbroken series.
    pub(crate) used: Vec<(Timestamp, Timestamp)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Removed {
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
    accepted_until: Timestamp,
}

impl Minted {
    pub(crate) fn is_live(&self) -> bool {
        self.removed.is_none()
    }

    fn was_live(&self, at: Timestamp) -> bool {
        self.created_at <= at && self.removed.is_none_or(|removed| removed.at > at)
    }

    pub(crate) fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_from <= now && self.removed.is_none_or(|removed| now < removed.accepted_until)
    }

    /// Moments at which the gateway changes its mind.
    fn turns(&self) -> impl Iterator<Item = Timestamp> {
        [Some(self.accepted_from), self.removed.map(|removed| removed.accepted_until)].into_iter().flatten()
    }

    /// The latest use that was not after `through`.
    pub(crate) fn last_used(&self, through: Timestamp) -> Option<Timestamp> {
        self.used.iter().filter(|(from, _)| *from <= through).map(|(_, to)| (*to).min(through)).max()
    }
}

#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) facts: PlatformFacts,
    pub(crate) minted: Vec<Minted>,
    /// Which application each credential belongs to.
    pub(crate) parents: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NameTaken,
    NoSlot,
    NotFound,
}

impl Platform {
    pub(crate) fn new(facts: PlatformFacts, parents: Vec<usize>) -> Self {
        Self { facts, minted: Vec::new(), parents }
    }

    pub(crate) fn by_handle(&self, handle: &str) -> Option<usize> {
        self.minted.iter().position(|one| one.handle == handle)
    }

    pub(crate) fn by_secret(&self, secret: &str) -> Option<usize> {
        self.minted.iter().position(|one| one.secret == secret)
    }

    pub(crate) fn live_of(&self, credential: usize) -> impl DoubleEndedIterator<Item = usize> {
        let of = move |(_, one): &(usize, &Minted)| one.credential == credential && one.is_live();
        self.minted.iter().enumerate().filter(of).map(|(index, _)| index)
    }

    pub(crate) fn live_under(&self, parent: usize) -> usize {
        self.minted.iter().filter(|one| one.is_live() && self.parents[one.credential] == parent).count()
    }

    fn name_taken(&self, name: &str, parent: usize, but: Option<usize>) -> bool {
        self.facts.names
            && self.minted.iter().enumerate().any(|(index, one)| {
                one.is_live() && self.parents[one.credential] == parent && one.name == name && Some(index) != but
            })
    }

    #[expect(clippy::too_many_arguments, reason = "a record of a mint has as many parts")]
    pub(crate) fn mint(
        &mut self,
        now: Timestamp,
        random: &mut Random,
        credential: usize,
        name: &str,
        title: &str,
        marker: Option<Marker>,
        made_by: Who,
    ) -> Result<usize, Refusal> {
        let parent = self.parents[credential];
        if self.name_taken(name, parent, None) {
            return Err(Refusal::NameTaken);
        }
        if self.facts.live_max.is_some_and(|max| self.live_under(parent) >= max as usize) {
            return Err(Refusal::NoSlot);
        }
        let number = self.minted.len() + 1;
        self.minted.push(Minted {
            handle: format!("h{number}"),
            credential,
            secret: format!("s3cr3t-{number}-{}", random.hex()),
            marker,
            made_by,
            created_at: now,
            accepted_from: now.saturating_add(lag(self.facts.propagation, random)).unwrap(),
            removed: None,
            name: name.to_owned(),
            title: title.to_owned(),
            named_by: made_by,
            handed_out: false,
            used: Vec::new(),
        });
        Ok(number - 1)
    }

    /// `Ok(false)`: it was gone already.
    pub(crate) fn remove(&mut self, now: Timestamp, random: &mut Random, index: usize, by: Who) -> bool {
        let accepted_until = now.saturating_add(lag(self.facts.propagation, random)).unwrap();
        let one = &mut self.minted[index];
        if one.removed.is_some() {
            return false;
        }
        one.removed = Some(Removed { at: now, by, accepted_until });
        true
    }

    pub(crate) fn rename(&mut self, index: usize, name: &str, title: &str, by: Who) -> Result<(), Refusal> {
        if !self.minted[index].is_live() {
            return Err(Refusal::NotFound);
        }
        if self.name_taken(name, self.parents[self.minted[index].credential], Some(index)) {
            return Err(Refusal::NameTaken);
        }
        name.clone_into(&mut self.minted[index].name);
        title.clone_into(&mut self.minted[index].title);
        self.minted[index].named_by = by;
        Ok(())
    }

    /// What a listing shows that is as old as `at`.
    pub(crate) fn listed(&self, at: Timestamp) -> impl Iterator<Item = &Minted> {
        self.minted.iter().filter(move |one| one.was_live(at))
    }

    /// The next moment after `now` at which the gateway changes its mind about anything.
    pub(crate) fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        self.minted.iter().flat_map(Minted::turns).filter(|at| *at > now).min()
    }
}

/// A change holds everywhere after some part of the propagation.
fn lag(propagation: Duration, random: &mut Random) -> Duration {
    let most = u64::try_from(propagation.as_secs()).unwrap();
    Duration::from_secs(i64::try_from(random.below(most + 1)).unwrap())
}
