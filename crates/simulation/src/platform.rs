//! A model platform: what it has minted, under which names, and what its gateway accepts. It differs by facts alone.

use domain::{Duration, FactSheet, IssuerFacts, Marker, Timestamp};
use twin::Random;

use crate::kind::{KINDS, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Us,
    Person,
    /// Its time was over, or a newer one took its place.
    Itself,
}

#[derive(Debug)]
pub(crate) struct Minted {
    pub(crate) handle: String,
    pub(crate) credential: usize,
    pub(crate) secret: String,
    pub(crate) marker: Option<Marker>,
    pub(crate) made_by: Who,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    accepted_from: Timestamp,
    pub(crate) removed: Option<Removed>,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) named_by: Who,
    /// The request that made it, where the platform remembers requests.
    token: Option<String>,
    /// The version of another credential with which it was minted.
    pub(crate) minted_with: Option<usize>,
    /// Whether consumers could ever read it.
    pub(crate) handed_out: bool,
    /// A person removed it and took that back.
    pub(crate) came_back: bool,
    /// Consumers' uses as spans: first and last call of an unbroken series. What was refused while it was switched off
    /// counts too.
    pub(crate) used: Vec<(Timestamp, Timestamp)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Removed {
    pub(crate) at: Timestamp,
    pub(crate) by: Who,
    accepted_until: Timestamp,
}

impl Minted {
    /// Whether the platform has it on record.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.was_live(now)
    }

    fn was_live(&self, at: Timestamp) -> bool {
        self.created_at <= at
            && self.removed.is_none_or(|removed| removed.at > at)
            && self.expires_at.is_none_or(|end| end > at)
    }

    pub(crate) fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_from <= now
            && self.disabled_at.is_none()
            && self.expires_at.is_none_or(|end| now < end)
            && self.removed.is_none_or(|removed| now < removed.accepted_until)
    }

    /// Moments at which the gateway changes its mind.
    fn turns(&self) -> impl Iterator<Item = Timestamp> {
        let ends = [self.removed.map(|removed| removed.accepted_until), self.expires_at];
        std::iter::once(self.accepted_from).chain(ends.into_iter().flatten())
    }

    /// The latest use that was not after `through`.
    pub(crate) fn last_used(&self, through: Timestamp) -> Option<Timestamp> {
        self.used.iter().filter(|(from, _)| *from <= through).map(|(_, to)| (*to).min(through)).max()
    }
}

/// What somebody asks the platform to make.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) credential: usize,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) marker: Option<Marker>,
    pub(crate) token: Option<String>,
    pub(crate) chosen: Option<String>,
    pub(crate) minted_with: Option<usize>,
    pub(crate) by: Who,
}

impl Wanted {
    pub(crate) fn by_hand(credential: usize, name: &str, title: &str) -> Self {
        Self {
            credential,
            name: name.to_owned(),
            title: title.to_owned(),
            marker: None,
            token: None,
            chosen: None,
            minted_with: None,
            by: Who::Person,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Platform {
    /// The facts of each credential.
    pub(crate) kinds: Vec<Kind>,
    /// Whether a listing tells the platform's clock.
    pub(crate) tells_time: bool,
    pub(crate) minted: Vec<Minted>,
    /// Which application each credential belongs to.
    pub(crate) parents: Vec<usize>,
    /// Applications that are switched off.
    pub(crate) disabled: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NameTaken,
    NoSlot,
    NotFound,
}

impl Platform {
    pub(crate) fn new(kinds: Vec<Kind>, tells_time: bool, parents: Vec<usize>) -> Self {
        Self { kinds, tells_time, minted: Vec::new(), parents, disabled: Vec::new() }
    }

    pub(crate) fn sheet(&self) -> FactSheet {
        let kinds = KINDS.into_iter().zip(&self.kinds).map(|(word, kind)| (word, kind.facts.clone()));
        FactSheet::new(IssuerFacts::overlapping(Duration::ZERO), kinds)
    }

    pub(crate) fn kind(&self, credential: usize) -> &Kind {
        &self.kinds[credential]
    }

    pub(crate) fn by_handle(&self, handle: &str) -> Option<usize> {
        self.minted.iter().position(|one| one.handle == handle)
    }

    pub(crate) fn by_secret(&self, secret: &str) -> Option<usize> {
        self.minted.iter().rposition(|one| one.secret == secret)
    }

    /// Whether the gateway lets a caller in who has this version.
    pub(crate) fn accepts(&self, index: usize, now: Timestamp) -> bool {
        let one = &self.minted[index];
        one.is_accepted(now) && !self.disabled.contains(&self.parents[one.credential])
    }

    pub(crate) fn live_of(&self, credential: usize, now: Timestamp) -> impl DoubleEndedIterator<Item = usize> {
        let of = move |(_, one): &(usize, &Minted)| one.credential == credential && one.is_live(now);
        self.minted.iter().enumerate().filter(of).map(|(index, _)| index)
    }

    pub(crate) fn live_under(&self, parent: usize, now: Timestamp) -> usize {
        self.minted.iter().filter(|one| one.is_live(now) && self.parents[one.credential] == parent).count()
    }

    fn name_taken(&self, now: Timestamp, name: &str, credential: usize, but: Option<usize>) -> bool {
        let parent = self.parents[credential];
        self.kinds[credential].facts.names
            && self.minted.iter().enumerate().any(|(index, one)| {
                one.is_live(now) && self.parents[one.credential] == parent && one.name == name && Some(index) != but
            })
    }

    pub(crate) fn mint(&mut self, now: Timestamp, random: &mut Random, wanted: Wanted) -> Result<usize, Refusal> {
        let kind = self.kinds[wanted.credential].clone();
        if let Some(same) = self.made_before(now, &wanted) {
            return Ok(same);
        }
        if self.name_taken(now, &wanted.name, wanted.credential, None) {
            return Err(Refusal::NameTaken);
        }
        let live = self.live_under(self.parents[wanted.credential], now);
        if kind.facts.live_max().is_some_and(|max| live >= max as usize) {
            return Err(Refusal::NoSlot);
        }
        let number = self.minted.len() + 1;
        let secret = wanted.chosen.unwrap_or_else(|| format!("s3cr3t-{number}-{}", random.hex()));
        let accepted_from = now.saturating_add(lag(kind.facts.propagation, random)).unwrap();
        if kind.replaces() {
            self.replace(now, wanted.credential, accepted_from);
        }
        self.minted.push(Minted {
            handle: format!("h{number}"),
            credential: wanted.credential,
            secret,
            marker: wanted.marker,
            made_by: wanted.by,
            created_at: now,
            expires_at: kind.life.map(|life| now.saturating_add(life).unwrap()),
            accepted_from,
            removed: None,
            disabled_at: None,
            name: wanted.name,
            title: wanted.title,
            named_by: wanted.by,
            token: wanted.token,
            minted_with: wanted.minted_with,
            handed_out: false,
            came_back: false,
            used: Vec::new(),
        });
        Ok(number - 1)
    }

    /// The same request again, where the platform knows it: by its token, or since the value is there already.
    pub(crate) fn made_before(&self, now: Timestamp, wanted: &Wanted) -> Option<usize> {
        self.minted.iter().rposition(|one| {
            let token = wanted.token.is_some() && one.token == wanted.token;
            let value = wanted.chosen.as_ref() == Some(&one.secret) && one.is_live(now);
            one.credential == wanted.credential && (token || value)
        })
    }

    /// The old one works until the new one does, and no moment longer.
    fn replace(&mut self, now: Timestamp, credential: usize, until: Timestamp) {
        for one in self.minted.iter_mut().filter(|one| one.credential == credential && one.is_live(now)) {
            one.removed = Some(Removed { at: now, by: Who::Itself, accepted_until: until });
        }
    }

    /// `false`: it was gone already.
    pub(crate) fn remove(&mut self, now: Timestamp, random: &mut Random, index: usize, by: Who) -> bool {
        let one = &mut self.minted[index];
        let accepted_until = now.saturating_add(lag(self.kinds[one.credential].facts.propagation, random)).unwrap();
        if !one.is_live(now) {
            return false;
        }
        one.removed = Some(Removed { at: now, by, accepted_until });
        true
    }

    /// A person takes their removal back.
    pub(crate) fn restore(&mut self, credential: usize, now: Timestamp) {
        let full = self.kinds[credential].facts.live_max();
        let full = full.is_some_and(|max| self.live_under(self.parents[credential], now) >= max as usize);
        // Of a password there is one, and what it was before is known to nobody.
        if full || self.kinds[credential].replaces() {
            return;
        }
        let by_person = |one: &&mut Minted| {
            one.credential == credential && one.removed.is_some_and(|removed| removed.by == Who::Person)
        };
        if let Some(one) = self.minted.iter_mut().rev().find(by_person) {
            one.removed = None;
            one.came_back = true;
        }
    }

    pub(crate) fn rename(
        &mut self,
        now: Timestamp,
        index: usize,
        name: &str,
        title: &str,
        by: Who,
    ) -> Result<(), Refusal> {
        if !self.minted[index].is_live(now) {
            return Err(Refusal::NotFound);
        }
        if self.name_taken(now, name, self.minted[index].credential, Some(index)) {
            return Err(Refusal::NameTaken);
        }
        name.clone_into(&mut self.minted[index].name);
        title.clone_into(&mut self.minted[index].title);
        self.minted[index].named_by = by;
        Ok(())
    }

    /// What a listing shows that is as old as `at`.
    pub(crate) fn listed(&self, at: Timestamp) -> impl Iterator<Item = &Minted> {
        let listed = |one: &&Minted| self.kinds[one.credential].facts.lists_versions;
        self.minted.iter().filter(move |one| one.was_live(at)).filter(listed)
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
