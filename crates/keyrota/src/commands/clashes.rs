//! Credentials whose policies deliver them to one and the same place. The engine gives it to the first that rotates
//! and parks the others; a person hears of it before anything is issued.

use std::collections::{HashMap, hash_map::Entry};

use domain::{CredentialId, Destination, Mode, Selector};
use engine::Surveyed;

/// Gathered while an inventory is surveyed.
#[derive(Default)]
pub(super) struct Clashes {
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
    pub(super) fn take(&mut self, surveyed: &Surveyed) {
        let observed = &surveyed.entry.observed;
        let Some((_, applied)) = &surveyed.planned else { return };
        // Nothing is ever delivered for these.
        if observed.stray || observed.current().is_none() || applied.policy.mode == Mode::Observe {
            return;
        }
        for destination in &applied.policy.deliver {
            match self.firsts.entry(destination.clone()) {
                Entry::Vacant(free) => drop(free.insert(observed.credential.clone())),
                Entry::Occupied(first) => self.found.push(Clash {
                    destination: destination.clone(),
                    policy: applied.policy.name.clone(),
                    credentials: [first.get().clone(), observed.credential.clone()],
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
