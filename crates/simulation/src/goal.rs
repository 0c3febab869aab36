//! Where everything is to end once nothing more happens, and the people who help where the engine asks for one.

use std::collections::BTreeMap;

use db::{Entry, IssuerView, Issuers};
use domain::{Duration, Mode, Origin, SUCCESSOR_SUFFIX, Version};

use crate::{
    consumers::place,
    event::Act,
    people::{self, BY_HAND},
    platform::{Minted, Who},
    stage::{Stage, World},
};

/// Longer than any play.
const NEVER: Duration = Duration::from_hours(24 * 365 * 50);

/// What expired is proved dead within this. Nothing hurries: the engine wakes for it at some time.
const DEAD_WITHIN: Duration = Duration::from_hours(24 * 4);

/// How a person tries to get something moving again, one run after the other.
#[derive(Debug, Default)]
pub(crate) struct Help {
    asked: BTreeMap<usize, usize>,
}

impl Stage {
    pub(crate) fn scan(&self, each: impl FnMut(Entry)) {
        let view = {
            let world = self.world();
            IssuerView { facts: world.platform.sheet(), now: world.now }
        };
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
            if world.platform.kind(credential).protected {
                return None;
            }
            let Some(entry) = rows.get(people::identifier(&world, credential).as_str()) else {
                // A person may have removed it, or given it another name, before we came.
                let mut live = world.platform.live_of(credential, world.now).map(|index| &world.platform.minted[index]);
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
        let (mut parked, mut under_way, mut unknown, mut waits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.scan(|entry| {
            let id = entry.observed.credential.to_string();
            let found = entry.observed.versions.iter().filter(|version| version.origin == Origin::Found);
            unknown.extend(found.map(|version| version.handle.to_string()));
            parked.extend(entry.observed.trouble.parked.then(|| id.clone()));
            let to = entry.observed.rotation.as_ref().and_then(|rotation| entry.observed.version(rotation.to?));
            waits.extend(to.is_some_and(Version::is_prepared).then(|| id.clone()));
            under_way.extend(entry.observed.rotation.is_some().then_some(id));
        });
        let tasks = self.read(|db| Box::pin(db.open_tasks()));
        let asked: Vec<usize> = tasks.iter().filter_map(|task| self.credential_of(task)).collect();
        let credentials = self.world().platform.parents.len();
        for credential in 0..credentials {
            people::release(self, credential);
            let (id, broken) = {
                let mut guard = self.world();
                let world = &mut *guard;
                world.policies[credential].mode = Mode::Automatic;
                world.platform.disabled.clear();
                let wanted = asked.contains(&credential);
                let waiting = waits.contains(&people::identifier(world, credential).to_string());
                let known = |at: &usize| {
                    let lost = world.is_lost(*at, &unknown, wanted);
                    world.is_stray(*at) || lost || world.is_back(*at) || waiting && world.takes_last_slot(*at)
                };
                let strays: Vec<usize> = world.platform.live_of(credential, world.now).filter(known).collect();
                world.make_way(credential);
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

    /// We or a person made it, the answer was lost or it came to be wanted no longer, and nothing tells whose it is: only a
    /// person can know.
    fn is_lost(&self, index: usize, unknown: &[String], wanted: bool) -> bool {
        let one = &self.platform.minted[index];
        let asked_for = self.platform.kind(one.credential).is_assisted() && one.created_at >= self.began && !wanted;
        (one.made_by == Who::Us || asked_for) && !one.handed_out && unknown.contains(&one.handle)
    }

    /// What was brought back by hand and is read gives its name to the successor that takes its place.
    fn make_way(&mut self, credential: usize) {
        let now = self.now;
        let back = |index: &usize| self.platform.minted[*index].came_back;
        let back: Vec<usize> = self.platform.live_of(credential, now).filter(back).collect();
        for index in back {
            self.platform.rename(now, index, &format!("back{index}"), "brought back", Who::Person).ok();
        }
    }

    /// Brought back by hand, and read by nobody.
    fn is_back(&self, index: usize) -> bool {
        let one = &self.platform.minted[index];
        let served = |destination| self.served(destination) == Some(index);
        one.came_back && !self.policies[one.credential].deliver.iter().any(served)
    }

    /// The engine chose the next value while the one that consumers read was gone. Then a person brought that one back
    /// into the last slot, and the engine says that none is free: it cannot retire what is older, since what it retires
    /// for was never issued. The person who brought back what is read removes what nobody reads.
    fn takes_last_slot(&self, index: usize) -> bool {
        let credential = self.platform.minted[index].credential;
        let under = self.platform.live_under(self.platform.parents[credential], self.now);
        let full = self.platform.kind(credential).facts.live_max().is_some_and(|max| under >= max as usize);
        let read = |at: usize| self.policies[credential].deliver.iter().any(|one| self.served(one) == Some(at));
        let back = |at: usize| self.platform.minted[at].came_back && read(at);
        full && !read(index) && self.platform.live_of(credential, self.now).any(back)
    }

    /// What consumers read is nothing that the platform accepts for long, and a person did it.
    fn is_broken_by_hand(&self, credential: usize) -> bool {
        self.policies[credential].deliver.iter().any(|destination| {
            let slot =
                self.shelves.get(&*destination.store).and_then(|shelf| shelf.slots.get(destination.path.as_str()));
            let read = slot.and_then(|slot| slot.read()).and_then(|secret| self.platform.by_secret(secret));
            read.is_none_or(|index| !self.platform.minted[index].is_live(self.now))
        }) || self.shelves["one"].slots.get(&place(credential)).is_some_and(|slot| slot.foul)
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
        if entry.observed.requested.is_some() {
            return Some("another one is asked for".to_owned());
        }
        let kind = self.platform.kind(credential);
        let Some(recorded) = entry.observed.current().map(|version| version.handle.as_str()) else {
            return Some("nothing is current on record".to_owned());
        };
        // What people made beside it under a name of their own, or brought back, is theirs.
        let theirs = |index: &usize| {
            let one = &self.platform.minted[*index];
            let made_beside = one.made_by == Who::Person && one.created_at >= self.began && !kind.is_assisted();
            made_beside || one.came_back && one.handle != recorded
        };
        let live: Vec<usize> = self.platform.live_of(credential, self.now).filter(|index| !theirs(index)).collect();
        let index = match live[..] {
            [index] => index,
            // They go when their time is over.
            _ if kind.expires() => self.platform.by_handle(recorded)?,
            _ => return Some(format!("{} versions live", live.len())),
        };
        let one = &self.platform.minted[index];
        for destination in &self.policies[credential].deliver {
            if self.served(destination) != Some(index) {
                return Some(format!("{destination} does not serve {}", one.handle));
            }
        }
        if kind.facts.names && one.named_by == Who::Us && one.name != entry.observed.name {
            return Some(format!("{} is called {} and not {}", one.handle, one.name, entry.observed.name));
        }
        if !one.is_accepted(self.now) {
            return Some(format!("{} is not accepted", one.handle));
        }
        if recorded != one.handle {
            return Some(format!("{} is not current on record", one.handle));
        }
        self.untied(one, entry)
    }

    /// What a version must not be at the goal, beside what readers see.
    fn untied(&self, one: &Minted, entry: &Entry) -> Option<String> {
        let kind = self.platform.kind(one.credential);
        if let Some(with) = one.minted_with.filter(|_| one.made_by == Who::Us)
            && !self.platform.minted[with].is_live(self.now)
        {
            return Some(format!("{} was minted with what is gone", one.handle));
        }
        let since = |version: &domain::Version| {
            let end = version.expires_at?.saturating_add(kind.facts.propagation).ok()?;
            Some(self.now.duration_since(end)).filter(|_| version.dead_at.is_none() && version.secret_held)
        };
        let late = entry.observed.versions.iter().find(|version| since(version) > Some(DEAD_WITHIN));
        late.map(|version| format!("{} expired long ago and is not proved dead", version.handle))
    }
}
