//! Credentials whose policies deliver them to one and the same place. The engine gives it to the first that rotates
//! and parks the others; a person hears of it before anything is issued.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasher as _, RandomState},
};

use domain::{CredentialId, Destination, Mode, Selector};
use engine::Surveyed;

/// Gathered while an inventory is surveyed: of each place a number, which is all that most estates ever need.
#[derive(Default)]
pub(super) struct Places {
    hasher: RandomState,
    numbers: Vec<u64>,
}

impl Places {
    pub(super) fn take(&mut self, surveyed: &Surveyed) {
        let Self { hasher, numbers } = self;
        numbers.extend(delivered(surveyed).map(|destination| hasher.hash_one(destination)));
    }

    /// What stands there twice, mostly nothing. Another survey tells whose it is.
    pub(super) fn doubled(mut self) -> Clashes {
        self.numbers.sort_unstable();
        let twice = self.numbers.windows(2).filter_map(|two| match two {
            [one, next] if one == next => Some(*one),
            _ => None,
        });
        Clashes { hasher: self.hasher, suspects: twice.collect(), firsts: HashMap::new(), found: Vec::new() }
    }
}

/// Where the policy delivers a credential. Nothing is ever delivered for a stray, for what has no version, or for what is
/// only observed.
fn delivered(surveyed: &Surveyed) -> impl Iterator<Item = &Destination> {
    let observed = &surveyed.entry.observed;
    let applied = surveyed.planned.as_ref().map(|(_, applied)| applied);
    let applied = applied
        .filter(|applied| !observed.stray && observed.current().is_some() && applied.policy.mode != Mode::Observe);
    applied.into_iter().flat_map(|applied| &applied.policy.deliver)
}

pub(super) struct Clashes {
    hasher: RandomState,
    suspects: HashSet<u64>,
    firsts: HashMap<Destination, CredentialId>,
    found: Vec<Clash>,
}

struct Clash {
    destination: Destination,
    policy: String,
    /// Both deliver there. Of further ones, each is told beside the first.
    credentials: [CredentialId; 2],
}

impl Clashes {
    /// Whether there is anything to look for.
    pub(super) fn is_suspected(&self) -> bool {
        !self.suspects.is_empty()
    }

    pub(super) fn take(&mut self, surveyed: &Surveyed) {
        let Some((_, applied)) = &surveyed.planned else { return };
        let credential = &surveyed.entry.observed.credential;
        for destination in delivered(surveyed) {
            if !self.suspects.contains(&self.hasher.hash_one(destination)) {
                continue;
            }
            match self.firsts.entry(destination.clone()) {
                Entry::Vacant(free) => drop(free.insert(credential.clone())),
                Entry::Occupied(first) => self.found.push(Clash {
                    destination: destination.clone(),
                    policy: applied.policy.name.clone(),
                    credentials: [first.get().clone(), credential.clone()],
                }),
            }
        }
    }

    /// One sentence each, for those of which the selector covers a credential.
    pub(super) fn sentences(&self, selector: &Selector) -> impl Iterator<Item = String> {
        let covered = |clash: &&Clash| clash.credentials.iter().any(|one| selector.matches(one.as_str()));
        self.found.iter().filter(covered).map(|Clash { destination, policy, credentials: [one, other] }| {
            format!(
                "{one} and {other} are both delivered to `{destination}`: the first to rotate gets the place, the other \
                 waits for ever; tell them apart in `path` of the policy `{policy}`"
            )
        })
    }
}
