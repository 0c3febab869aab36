//! Where everything is to end once nothing more happens, and the people who help where the engine asks for one.

use std::collections::BTreeMap;

use db::{Entry, IssuerView, Issuers};
use domain::{Duration, Mode, SUCCESSOR_SUFFIX};

use crate::{
    consumers::place,
    event::Act,
    people::{self, BY_HAND},
    platform::Who,
    stage::{Stage, World},
};

/// Longer than any play.
const NEVER: Duration = Duration::from_hours(24 * 365 * 50);

/// How a person tries to get something moving again, one run after the other.
#[derive(Debug, Default)]
pub(crate) struct Help {
    asked: BTreeMap<usize, usize>,
}

impl Stage {
    pub(crate) fn scan(&self, each: impl FnMut(Entry)) {
        let (facts, observed_at) = {
            let world = self.world();
            let facts = world.platform.facts;
            let facts = domain::IssuerFacts {
                overlap: domain::Overlap::Concurrent { live_max: facts.live_max },
                names: facts.names,
                usage: facts.usage,
                ..domain::IssuerFacts::overlapping(facts.propagation)
            };
            (facts, world.now)
        };
        let view = IssuerView { facts: facts.into(), now: observed_at };
        self.db().scan_entries(&Issuers::from([("sim".to_owned(), view)]), each).unwrap();
    }

    /// From now on no age makes a rotation due, so that there is a goal to be reached.
    pub(crate) fn begin_nothing_new(&self) {
        for policy in &mut self.world().policies {
            policy.rotate_after = policy.rotate_after.saturating_add(NEVER);
        }
    }

    /// What is still missing at the goal; `None`: nothing.
    pub(crate) fn missing(&self) -> Option<String> {
        let mut rows = BTreeMap::new();
        self.scan(|entry| drop(rows.insert(entry.observed.credential.to_string(), entry)));
        if let Some(line) = self.read(|db| Box::pin(db.journal_open())).first() {
            return Some(format!("{} of row {} is {}", line.step, line.credential_id, line.phase.word()));
        }
        let world = self.world();
        (0..world.platform.parents.len()).find_map(|credential| {
            let Some(entry) = rows.get(people::identifier(&world, credential).as_str()) else {
                // A person may have removed it, or given it another name, before we came.
                let mut live = world.platform.live_of(credential).map(|index| &world.platform.minted[index]);
                return live
                    .any(|one| one.name == format!("key{credential}"))
                    .then(|| format!("c{credential} was never met"));
            };
            world.missing_of(credential, entry).map(|what| format!("c{credential}: {what}"))
        })
    }

    /// The person whom the findings ask for: strays are removed, holds are released, what is parked is tried again
    /// or turned around, and what was broken by hand is rotated.
    pub(crate) fn help(&self, help: &mut Help) {
        let (mut parked, mut under_way) = (Vec::new(), Vec::new());
        self.scan(|entry| {
            let id = entry.observed.credential.to_string();
            parked.extend(entry.observed.trouble.parked.then(|| id.clone()));
            under_way.extend(entry.observed.rotation.is_some().then_some(id));
        });
        let credentials = self.world().platform.parents.len();
        for credential in 0..credentials {
            people::release(self, credential);
            let (id, broken) = {
                let mut guard = self.world();
                let world = &mut *guard;
                world.policies[credential].mode = Mode::Automatic;
                let strays: Vec<usize> = world.platform.live_of(credential).filter(|at| world.is_stray(*at)).collect();
                for index in strays {
                    let World { platform, random, now, .. } = &mut *world;
                    platform.remove(*now, random, index, Who::Person);
                }
                (people::identifier(world, credential).to_string(), world.is_broken_by_hand(credential))
            };
            if !parked.contains(&id) {
                match under_way.contains(&id) {
                    false if broken => people::rotate(self, credential),
                    true if broken => self.world().put_back(credential),
                    _ => {}
                }
                continue;
            }
            let asked = help.asked.entry(credential).or_default();
            *asked += 1;
            match *asked % 3 {
                0 => self.world().put_back(credential),
                2 => people::act(self, Act::RollBack(credential)),
                _ => people::act(self, Act::Rotate(credential)),
            }
        }
    }
}

impl World {
    pub(crate) fn is_stray(&self, index: usize) -> bool {
        let one = &self.platform.minted[index];
        one.made_by == Who::Person && one.name.ends_with(SUCCESSOR_SUFFIX)
    }

    /// What consumers read is nothing that the platform accepts for long, and a person did it.
    fn is_broken_by_hand(&self, credential: usize) -> bool {
        self.policies[credential].deliver.iter().any(|destination| {
            let slot =
                self.shelves.get(&*destination.store).and_then(|shelf| shelf.slots.get(destination.path.as_str()));
            let read = slot.and_then(|slot| slot.read()).and_then(|secret| self.platform.by_secret(secret));
            read.is_none_or(|index| !self.platform.minted[index].is_live())
        }) || self.shelves["one"].slots[&place(credential)].foul
    }

    /// The person undoes what was written by hand: readers get again what they got through us.
    fn put_back(&mut self, credential: usize) {
        let now = self.now;
        let slot = self.slot("one", &place(credential));
        let ours = slot.kept.iter().rposition(|kept| kept.secret.is_some() && !kept.key.starts_with(BY_HAND));
        if let Some(ours) = ours {
            slot.serve(ours, now, Who::Person);
            slot.foul = false;
            self.tell(|| format!("person  helps: puts back what c{credential} served"));
        }
    }

    fn missing_of(&self, credential: usize, entry: &Entry) -> Option<String> {
        if entry.observed.rotation.is_some() {
            let trouble = &entry.observed.trouble;
            return Some(format!("a rotation is under way ({})", trouble.last_error.as_deref().unwrap_or("no error")));
        }
        // What people made beside it, and gave a name of their own, is theirs.
        let first = self.platform.parents.len();
        let theirs = |index: &usize| *index >= first && self.platform.minted[*index].made_by == Who::Person;
        let live: Vec<usize> = self.platform.live_of(credential).filter(|index| !theirs(index)).collect();
        let [index] = live[..] else { return Some(format!("{} versions live", live.len())) };
        let one = &self.platform.minted[index];
        for destination in &self.policies[credential].deliver {
            let slot =
                self.shelves.get(&*destination.store).and_then(|shelf| shelf.slots.get(destination.path.as_str()));
            if slot.and_then(|slot| slot.read()) != Some(&one.secret) {
                return Some(format!("{destination} does not serve {}", one.handle));
            }
        }
        if self.platform.facts.names && one.named_by == Who::Us && one.name != entry.observed.name {
            return Some(format!("{} is called {} and not {}", one.handle, one.name, entry.observed.name));
        }
        if !one.is_accepted(self.now) {
            return Some(format!("{} is not accepted", one.handle));
        }
        let recorded = entry.observed.current().map(|version| version.handle.as_str());
        (recorded != Some(one.handle.as_str())).then(|| format!("{} is not current on record", one.handle))
    }
}
