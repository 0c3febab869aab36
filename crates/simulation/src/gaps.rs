//! Kinds of platform that leave a gap by nature: where the new version kills the old one, and where versions expire.
//! What is promised there is that the gap is short, and only where the facts make one.

use domain::{Duration, Timestamp};
use driver::{DriverError, Kind};

use crate::{
    platform::{Minted, Who},
    promises::Promise,
    stage::{Stage, World},
};

/// Between the platform's change and the last promotion: one trial and one call a destination, and one to spare.
const CALLS_TO_SPARE: usize = 2;
/// A child follows its parent within a few runs.
const MINTED_ANEW_WITHIN: Duration = Duration::from_hours(96);

/// Where the platform chooses the value, it can be written only now: two more calls a destination.
const CALLS_TO_WRITE: usize = 2;

/// A version has replaced another one, and consumers do not get it everywhere yet.
#[derive(Debug)]
pub(crate) struct Gap {
    calls: usize,
    /// Something went wrong meanwhile, or a person made it: then it lasts as long as that takes.
    pub(crate) excused: bool,
}

impl World {
    /// The version of the parent with which a child is minted: the one whose secret was sent, or any where the driver
    /// has its own.
    pub(crate) fn parent_version(&self, credential: usize, sent: Option<&str>) -> Result<Option<usize>, DriverError> {
        let Some(parent) = self.platform.kind(credential).minted_from else { return Ok(None) };
        let Some(sent) = sent else { return Ok(self.platform.live_of(parent, self.now).next_back()) };
        let own = |index: &usize| self.platform.minted[*index].credential == parent;
        let found = self.platform.by_secret(sent).filter(own).filter(|index| self.platform.accepts(*index, self.now));
        let refused = || DriverError::refused(Kind::Unavailable, "what it is minted with is refused");
        found.map(Some).ok_or_else(refused)
    }

    /// The platform has done what we or a person asked.
    pub(crate) fn after_our_issue(&mut self, index: usize) {
        let Minted { credential, made_by, .. } = self.platform.minted[index];
        if std::mem::take(&mut self.chosen_before[credential]) {
            self.compromised_at[credential] = Some(self.now);
        }
        if self.platform.kind(credential).replaces() && self.gaps[credential].is_none() && !self.serves(credential) {
            let excused = made_by == Who::Person || self.disturbed_at >= self.run_began;
            self.gaps[credential] = Some(Gap { calls: 0, excused });
        }
    }

    /// A call of ours for a credential between the change at the platform and the last promotion.
    pub(crate) fn step_in_the_gap(&mut self, credential: usize) {
        if self.gaps[credential].is_none() {
            return;
        }
        if self.serves(credential) {
            self.gaps[credential] = None;
            return;
        }
        let kind = self.platform.kind(credential);
        let places = self.policies[credential].deliver.len();
        let most = CALLS_TO_SPARE + places * (1 + if kind.by_us() { 0 } else { CALLS_TO_WRITE });
        let Some(gap) = &mut self.gaps[credential] else { return };
        gap.calls += 1;
        let calls = gap.calls;
        if calls > most && !gap.excused {
            let words = || format!("c{credential}: {calls} calls after the old version died, {most} are enough");
            self.breach(Promise::NeverWithoutAWorkingCredential, words);
        }
    }

    /// Whether every destination serves a version that the platform has on record.
    pub(crate) fn serves(&self, credential: usize) -> bool {
        self.policies[credential].deliver.iter().all(|destination| {
            self.served(destination).is_some_and(|index| self.platform.minted[index].is_live(self.now))
        })
    }

    /// What readers of a destination get, as the platform knows it.
    pub(crate) fn served(&self, destination: &domain::Destination) -> Option<usize> {
        let slot = self.shelves.get(&*destination.store)?.slots.get(destination.path.as_str())?;
        self.platform.by_secret(slot.read()?)
    }

    /// What was minted with a version that is long gone is minted anew. Watched until anybody interferes.
    pub(crate) fn check_children(&mut self) {
        let since = |at: Timestamp, now: Timestamp| now.duration_since(at) > MINTED_ANEW_WITHIN;
        for child in 0..self.platform.parents.len() {
            let Some(parent) = self.platform.kind(child).minted_from else { continue };
            let place = self.policies[child].deliver[0].clone();
            let Some(one) = self.served(&place).map(|index| &self.platform.minted[index]) else { continue };
            let gone = one.minted_with.and_then(|with| self.platform.minted[with].removed);
            let old = gone.is_some_and(|gone| since(gone.at, self.now)) && self.disturbed_at <= self.began;
            if old && one.made_by == Who::Us && self.serves(parent) && !self.platform.kind(child).protected {
                let words = || format!("c{child} is still what was minted before c{parent} turned");
                return self.breach(Promise::Liveness, words);
            }
        }
    }

    /// Something happened that the engine did not do.
    pub(crate) fn disturbed(&mut self) {
        self.disturbed_at = self.now;
        for gap in self.gaps.iter_mut().flatten() {
            gap.excused = true;
        }
    }
}

impl Stage {
    /// What consumers read expired under their eyes. That is a breach unless something went wrong in the second half of
    /// its life, or a person keeps the engine from going on.
    pub(crate) fn check_expired(&self) {
        let starved = std::mem::take(&mut self.world().starved);
        if starved.is_empty() {
            return;
        }
        let mut stuck = Vec::new();
        self.scan(|entry| {
            let observed = &entry.observed;
            let waits = observed.trouble.parked || observed.hold.is_some() || observed.task.is_some() || observed.stray;
            stuck.extend((waits || observed.trouble.attempts > 0).then(|| observed.credential.to_string()));
        });
        let mut world = self.world();
        for (credential, end) in starved {
            let kind = world.platform.kind(credential);
            let (life, protected) = (kind.life.unwrap_or_default(), kind.protected);
            let disturbed = end.duration_since(world.disturbed_at) < life / 2;
            let acts = world.policies[credential].mode == domain::Mode::Automatic && !protected;
            // One that is stuck keeps the others under its policy from beginning.
            let excused = disturbed || !acts || !stuck.is_empty() || world.excused.contains(&(credential, end));
            if excused {
                world.excused.insert((credential, end));
            } else {
                let words = || format!("c{credential} expired at {end} while consumers read it");
                world.breach(Promise::NeverWithoutAWorkingCredential, words);
            }
        }
    }
}

/// Set before anything is known.
pub(crate) type Starved = std::collections::BTreeSet<(usize, Timestamp)>;
