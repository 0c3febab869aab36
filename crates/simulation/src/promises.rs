//! The promises, as they look from outside, watched at the very moment of each effect. What can be told afterwards is
//! the business of the checks that all worlds share.

use ::promises::{Account, Record, Version, always};
pub use ::promises::{Breach, Promise};
use domain::{Duration, Ending, Origin, Performer, RetireWhen, SUCCESSOR_SUFFIX, Timestamp};

use crate::{
    consumers::place,
    event::Verb,
    people,
    platform::Who,
    stage::{Stage, World},
};

/// What the engine saw of a store may be as old as this when it revokes: half an hour, and two answers that come late.
const PROOF_AGE: Duration = Duration::from_mins(45);

/// An answer that nothing came between is as old as this at most: it may come late, and so may what is sent upon it.
const ANSWER_AGE: Duration = Duration::from_mins(15);

/// The engine's estimate of the platform's clock is off by less.
const CLOCKS_DIFFER: Duration = Duration::from_mins(2);

impl World {
    pub(crate) fn breach(&mut self, promise: Promise, words: impl FnOnce() -> String) {
        if self.breach.is_none() {
            let breach = Breach { promise, words: words() };
            self.tell(|| format!("BROKEN  {breach}"));
            self.breach = Some(breach);
        }
    }

    /// Holds an account against the checks that all worlds share.
    pub(crate) fn hold_against(&mut self, account: &Account) {
        for Breach { promise, words } in always(account) {
            self.breach(promise, || words);
        }
    }

    /// Right before we end a version at the platform.
    pub(crate) fn before_our_revoke(&mut self, subject: usize, index: usize) {
        let version = &self.platform.minted[index];
        let handle = version.handle.clone();
        if !version.is_live(self.now) {
            return;
        }
        match self.platform.kind(version.credential).facts.ending {
            Ending::Revoked => {}
            Ending::ByPerson => {
                return self.breach(Promise::PeoplesSteps, || format!("{handle} is revoked, which only a person may"));
            }
            Ending::Expires => {
                return self.breach(Promise::NeverRemovedInUse, || format!("{handle} is revoked and can only expire"));
            }
        }
        self.may_end(subject, index, Who::Us);
        self.was_switched_off(subject, index);
    }

    /// Right before we switch a version off.
    pub(crate) fn before_our_disable(&mut self, subject: usize, index: usize) {
        if self.platform.minted[index].disabled_at.is_none() {
            self.may_end(subject, index, Who::Us);
        }
    }

    /// Whether a version may be taken from consumers now.
    pub(crate) fn may_end(&mut self, subject: usize, index: usize, by: Who) {
        let version = &self.platform.minted[index];
        let (handle, credential) = (version.handle.clone(), version.credential);
        if credential != subject {
            let words = || format!("{handle} of c{credential} is revoked in the name of c{subject}");
            return self.breach(Promise::NeverTouched, words);
        }
        if version.made_by == Who::Person && version.name.ends_with(SUCCESSOR_SUFFIX) {
            return self.breach(Promise::NeverTouched, || format!("{handle}, a stray, is revoked"));
        }
        if !version.handed_out {
            return;
        }
        let held = self.consumers.iter().any(|consumer| consumer.holds(&version.secret));
        if held && !self.just_restored(subject) && !self.is_known_to_others(index) && !self.was_off(subject) {
            return self.breach(Promise::NeverRemovedInUse, || format!("{handle} is revoked while a consumer has it"));
        }
        self.successor_serves(subject, index, by);
        self.gate_was_open(subject, index);
    }

    /// Where a version can be switched off, that comes before it is revoked; and who misses it then is heard.
    fn was_switched_off(&mut self, subject: usize, index: usize) {
        let version = &self.platform.minted[index];
        let facts = &self.platform.kind(version.credential).facts;
        let own_business = !version.handed_out || self.is_known_to_others(index) || self.restored(subject);
        if !facts.disable || own_business || version.came_back {
            return;
        }
        let handle = version.handle.clone();
        let Some(off_at) = version.disabled_at else {
            let words = || format!("{handle} is revoked without having been switched off");
            return self.breach(Promise::NeverRemovedInUse, words);
        };
        let tried = version.last_used(self.now.saturating_sub(self.unseen(subject)).unwrap()).filter(|at| *at > off_at);
        if let Some(at) = tried.filter(|_| facts.usage) {
            let words = || format!("{handle} is revoked although it was tried at {at}, while it was switched off");
            self.breach(Promise::NeverRemovedInUse, words);
        }
    }

    /// It was there when the credential was said to be known to others: whoever keeps it is cut off on purpose.
    pub(crate) fn is_known_to_others(&self, index: usize) -> bool {
        let version = &self.platform.minted[index];
        self.compromised_at[version.credential].is_some_and(|at| version.created_at <= at)
    }

    /// Nobody could use it while its application was switched off, and nothing tells since when it is on again.
    fn was_off(&self, credential: usize) -> bool {
        let on = self.switched_on.get(&self.platform.parents[credential]);
        on.is_some_and(|at| self.now.duration_since(*at) <= self.policies[credential].quiet_for)
    }

    /// Use that is younger than this can be unknown to us: the proof may be as old, and the records lag.
    fn unseen(&self, credential: usize) -> Duration {
        PROOF_AGE.saturating_add(self.platform.kind(credential).facts.propagation)
    }

    /// A person wrote into a store so short a time ago that no proof of ours can be young enough to have seen it.
    fn just_restored(&self, credential: usize) -> bool {
        let caches = self.consumers.iter().map(|consumer| consumer.cache).max().unwrap_or_default();
        let unseen = PROOF_AGE.saturating_add(caches);
        let person = |slot: &crate::shelf::Slot| {
            slot.changed.is_some_and(|(at, who)| who == Who::Person && self.now.duration_since(at) <= unseen)
        };
        self.shelves.values().any(|shelf| shelf.slots.get(&place(credential)).is_some_and(person))
    }

    /// What a store serves, it serves since a person wrote there: nothing tells since when the successor served.
    fn restored(&self, credential: usize) -> bool {
        let person = |slot: &crate::shelf::Slot| slot.changed.is_some_and(|(_, who)| who == Who::Person);
        self.shelves.values().any(|shelf| shelf.slots.get(&place(credential)).is_some_and(person))
    }

    fn successor_serves(&mut self, credential: usize, retired: usize, by: Who) {
        if self.just_restored(credential) {
            return;
        }
        for destination in self.policies[credential].deliver.clone() {
            let slot =
                self.shelves.get(&*destination.store).and_then(|shelf| shelf.slots.get(destination.path.as_str()));
            let read = slot.and_then(|slot| slot.read()).and_then(|secret| self.platform.by_secret(secret));
            let handle = self.platform.minted[retired].handle.clone();
            match read.map(|index| (index, &self.platform.minted[index])) {
                None => self.breach(Promise::NeverTheWrongPlace, || format!("{handle} goes, {destination} is empty")),
                Some((index, other)) if other.credential != credential || index == retired => {
                    self.breach(Promise::NeverTheWrongPlace, || format!("{handle} goes, {destination} serves another"));
                }
                Some((index, _)) => self.stays(index, &handle, by),
            }
        }
    }

    /// What consumers read from now on is there by the platform's record. A person who removes it may come between our last
    /// question and what rests on it, and no sooner. Whoever does what we asked them to does it when they like.
    fn stays(&mut self, index: usize, retired: &str, by: Who) {
        let other = &self.platform.minted[index];
        let recent = |at: &Timestamp| by != Who::Us || self.now.duration_since(*at) <= ANSWER_AGE;
        let asked = self.asked_at[other.credential].filter(recent);
        let Some(removed) = other.removed.filter(|removed| removed.at < asked.unwrap_or(self.now)) else { return };
        let gone = self.now.duration_since(removed.at);
        let words = format!("{retired} goes, and {}, which consumers read, has been gone for {gone}", other.handle);
        self.breach(Promise::NeverWithoutAWorkingCredential, || words);
    }

    fn gate_was_open(&mut self, credential: usize, retired: usize) {
        if self.restored(credential) {
            return;
        }
        if self.is_known_to_others(retired) || self.was_off(credential) {
            return;
        }
        let unseen = self.unseen(credential);
        let policy = &self.policies[credential];
        let slots = policy.deliver.iter().filter_map(|destination| {
            self.shelves.get(&*destination.store)?.slots.get(destination.path.as_str())?.changed
        });
        let Some(served_since) = slots.map(|(at, _)| at).max() else { return };
        let served = self.now.duration_since(served_since);
        let overlap = policy.overlap;
        let version = &self.platform.minted[retired];
        let (handle, quiet_for) = (version.handle.clone(), policy.quiet_for);
        let quiet = version.last_used(self.now).map(|at| self.now.duration_since(at));
        let by_use = policy.retire_when == RetireWhen::Quiet;
        if served < overlap {
            let words = || format!("{handle} is revoked {served} after its successor began to serve, not {overlap}");
            self.breach(Promise::NeverRemovedInUse, words);
        }
        if let Some(quiet) = quiet.filter(|quiet| by_use && *quiet < quiet_for && *quiet > unseen) {
            let words = || format!("{handle} is revoked {quiet} after its last use, not {quiet_for}");
            self.breach(Promise::NeverRemovedInUse, words);
        }
    }

    /// Right before we ask the platform for a successor.
    pub(crate) fn before_our_issue(&mut self, credential: usize) {
        if self.platform.kind(credential).facts.issued_by == Performer::Person {
            self.breach(Promise::PeoplesSteps, || format!("c{credential} is issued, which only a person may"));
        }
        let parent = self.platform.parents[credential];
        let used = self.platform.live_under(parent, self.now);
        let live_max = self.platform.kind(credential).facts.live_max();
        if let Some(max) = live_max.filter(|max| used >= *max as usize && !self.fooled) {
            let words = || format!("a successor of c{credential} is asked for with {used} of {max} slots taken");
            self.breach(Promise::NeverMoreThanTheIssuerAllows, words);
        }
    }
}

impl Stage {
    /// Every effect rests on an intent that is durable, of this very step, and that began before any hold.
    pub(crate) fn check_ticket(&self, verb: Verb, credential: usize, entry: i64) {
        let lines = self.read(|db| Box::pin(db.journal_from(entry)));
        let step = lines.first().filter(|line| line.entry == entry);
        let steps: &[&str] = match verb {
            Verb::Issue => &["issue"],
            Verb::Revoke => &["revoke", "prove_dead"],
            Verb::Disable => &["disable"],
            Verb::Enable => &["enable"],
            Verb::Rename => &["rename"],
            Verb::Write => &["write", "promote"],
            Verb::Promote => &["promote"],
            Verb::Discard => &["purge"],
            _ => &[],
        };
        let waits = self.read(|db| Box::pin(db.open_tasks())).into_iter().find(|task| {
            let asks_this = match task.ask {
                domain::Ask::Issue { .. } => matches!(verb, Verb::Issue | Verb::Write | Verb::Promote | Verb::Rename),
                domain::Ask::Revoke { version } => {
                    matches!(verb, Verb::Revoke | Verb::Disable)
                        && step.is_some_and(|step| step.version == Some(version))
                }
            };
            asks_this && step.is_some_and(|step| step.credential_id == task.credential_id)
        });
        let begun = step.is_some_and(|line| line.phase == domain::Phase::Begun && steps.contains(&line.step.as_str()));
        let mut world = self.world();
        if !begun {
            world.breach(Promise::Evidence, || format!("{verb:?} of c{credential} without its intent on disk"));
        }
        if let Some(task) = waits {
            let words = || format!("{verb:?} of c{credential} while a person is asked to {}", task.ask.word());
            world.breach(Promise::PeoplesSteps, words);
        }
        if world.platform.kind(credential).protected {
            world.breach(Promise::NeverTouched, || format!("{verb:?} of c{credential}, which is protected"));
        }
        if world.held[credential].is_some_and(|last| entry > last) {
            world.breach(Promise::NeverTouched, || format!("{verb:?} of c{credential}, which is held"));
        }
    }

    /// Under a policy that has proved nothing yet, a rotation begins only while no other one is under way.
    pub(crate) fn check_blast_radius(&self, credential: usize) {
        let (own, policy, all) = {
            let world = self.world();
            let all: Vec<String> = world.policies.iter().map(|policy| policy.name.clone()).collect();
            (people::identifier(&world, credential).to_string(), all[credential].clone(), all)
        };
        let (mut others, mut begun) = (Vec::new(), None);
        let mut proved = self.world().proved.contains(&policy);
        self.scan(|entry| {
            let observed = &entry.observed;
            let id = observed.credential.to_string();
            let number = id.rsplit_once("/key").and_then(|(_, number)| number.parse::<usize>().ok());
            if number.and_then(|number| all.get(number)) != Some(&policy) {
                return;
            }
            let promoted = observed.rotation.as_ref().is_some_and(domain::Rotation::promoted);
            let served = promoted || observed.current().is_some_and(|version| version.origin == Origin::Issued);
            proved |= served;
            let Some(rotation) = &observed.rotation else { return };
            if id == own {
                begun = Some((rotation.id.clone(), rotation.started_at));
            } else if observed.hold.is_none() && observed.facts.issued_by == Performer::Machine {
                others.push((id, rotation.started_at));
            }
        });
        let Some((rotation, started_at)) = begun else { return };
        let mut world = self.world();
        let first = world.met_rotations.insert(rotation.as_str().to_owned());
        // Of two that were let go of by people, neither began under the eyes of the other.
        let other = others.into_iter().find(|(_, at)| *at <= started_at && first && !proved);
        if let Some((other, _)) = other.filter(|_| world.disturbed_at < world.run_began) {
            let words = || format!("c{credential} begins while {other} has not come through under the same policy");
            world.breach(Promise::SmallBlastRadius, words);
        }
    }

    /// What is minted from another one does not turn while that one does: consumers would lose both halves at once. Watched
    /// until anybody interferes: a parent may turn again while its child follows the turn before.
    pub(crate) fn check_pair(&self, credential: usize) {
        let (own, parent, run_began) = {
            let world = self.world();
            let Some(parent) = world.platform.kind(credential).minted_from else { return };
            let third = |index: usize| {
                let one = &world.platform.minted[index];
                let life = one.expires_at.map(|end| end.duration_since(one.created_at));
                life.is_some_and(|life| world.now.duration_since(one.created_at) < life / 3)
            };
            if !world.platform.live_of(credential, world.now).any(third) || world.disturbed_at > world.began {
                return;
            }
            (people::identifier(&world, credential), people::identifier(&world, parent), world.run_began)
        };
        let (mut turns, mut asked_for) = (false, false);
        self.scan(|entry| {
            let observed = &entry.observed;
            let rotation = observed.rotation.as_ref();
            let both = observed.versions.iter().filter(|version| version.is_live()).count() > 1;
            // One that begins in this very run may be the next after the one that the child follows.
            let before = rotation.is_some_and(|rotation| run_began.duration_since(rotation.started_at) > CLOCKS_DIFFER);
            turns |= observed.credential == parent && both && before;
            let because = rotation.map(|rotation| &rotation.cause);
            asked_for |= observed.credential == own && because != Some(&domain::Cause::ParentTurned);
        });
        if turns && !asked_for {
            let words = || format!("c{credential} turns in the same window as {parent}");
            self.world().breach(Promise::SmallBlastRadius, words);
        }
    }

    /// What the inventory says must be so at the platform.
    pub(crate) fn check_records(&self) {
        let (mut account, mut proved) = (Account::default(), Vec::new());
        self.scan(|entry| {
            account.records.extend(Record::all(&entry.observed).filter(|record| record.dead));
            let promoted = entry.observed.rotation.as_ref().is_some_and(domain::Rotation::promoted);
            let ours = |version: &domain::Version| version.origin == Origin::Issued;
            proved
                .extend((promoted || entry.observed.current().is_some_and(ours)).then_some(entry.observed.credential));
        });
        let mut world = self.world();
        for credential in 0..world.policies.len() {
            if proved.contains(&people::identifier(&world, credential)) {
                let name = world.policies[credential].name.clone();
                world.proved.insert(name);
            }
        }
        for record in &account.records {
            let version = &world.platform.minted[world.platform.by_handle(&record.handle).unwrap()];
            // What a person brought back after it was proved dead is theirs.
            if !version.came_back {
                account.versions.push(Version {
                    handle: record.handle.clone(),
                    credential: record.credential.clone(),
                    made: (version.created_at, ::promises::Who::Person),
                    ended: (!version.is_live(world.now)).then_some((world.now, ::promises::Who::Itself)),
                    accepted: version.is_accepted(world.now),
                    untouchable: false,
                });
            }
        }
        world.hold_against(&account);
    }
}
