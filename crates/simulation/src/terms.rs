//! The facts and the policies of one world, and what stands in it at the beginning.

use std::sync::Arc;

use domain::{Duration, Fingerprint, Idempotency, IssuerFacts, Mode, Overlap, Performer, Policy, RetireWhen};
use twin::Random;

use crate::{
    consumers::{Consumer, place},
    kind::{Family, Kind},
    people::destination,
    platform::{Wanted, Who},
    stage::World,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The facts of each credential.
    pub kinds: Vec<Kind>,
    /// Whether a listing tells the platform's clock.
    pub tells_time: bool,
    /// Whether the first and the second store have labels.
    pub labels: [bool; 2],
    /// How many of the two stores each credential is delivered to.
    pub destinations: usize,
    /// The application of each credential.
    pub parents: Vec<usize>,
    /// The policy of each credential, by its number.
    pub policies: Vec<usize>,
    pub overlap: Duration,
    pub retire_when: RetireWhen,
    pub quiet_for: Duration,
    pub rotate_after: Duration,
    /// How long the caching consumers keep what they read.
    pub cache: Duration,
    /// Until when one consumer of each credential keeps its hard-coded first version.
    pub straggler: Option<Duration>,
    /// How often a consumer calls that does so more seldom than any policy demands silence.
    pub sleeper: Option<Duration>,
    /// The time between two runs, where the engine does not ask for one sooner.
    pub pause: Duration,
}

impl Terms {
    /// Two stores with labels, names, use told, nothing scarce, quick.
    pub fn plain() -> Self {
        let facts = IssuerFacts { names: true, usage: true, ..IssuerFacts::overlapping(Duration::from_secs(30)) };
        Self {
            kinds: vec![Kind::new(facts)],
            tells_time: true,
            labels: [true, true],
            destinations: 2,
            parents: vec![0],
            policies: vec![0],
            overlap: Duration::from_hours(24),
            retire_when: RetireWhen::Quiet,
            quiet_for: Duration::from_hours(6),
            rotate_after: Duration::from_hours(90 * 24),
            cache: Duration::from_hours(1),
            straggler: None,
            sleeper: None,
            pause: Duration::from_hours(12),
        }
    }

    /// Up to four credentials at the usual kind of platform.
    pub(crate) fn random(random: &mut Random) -> Self {
        let one_of =
            |random: &mut Random, hours: &[i64]| Duration::from_hours(hours[random.below(hours.len() as u64) as usize]);
        let usage = random.below(3) > 0;
        let credentials = 1 + random.below(4) as usize;
        let apart = random.below(2) == 0;
        let parents: Vec<usize> =
            (0..credentials).map(|credential| if apart { credential } else { credential / 2 }).collect();
        let scarce = random.below(3) == 0;
        let cache = one_of(random, &[1, 2, 12]);
        let names = random.below(2) == 0;
        let propagation = Duration::from_secs([0, 5, 300, 3600][random.below(4) as usize]);
        let live_max = scarce.then_some(if apart { 2 } else { 3 });
        let facts = IssuerFacts {
            names,
            usage,
            overlap: Overlap::Concurrent { live_max },
            ..IssuerFacts::overlapping(propagation)
        };
        Self {
            kinds: vec![Kind::new(facts); credentials],
            tells_time: random.below(4) > 0,
            labels: [random.below(2) == 0, random.below(2) == 0],
            destinations: 1 + random.below(2) as usize,
            parents,
            policies: vec![0; credentials],
            overlap: cache.saturating_add(one_of(random, &[1, 24, 72])),
            retire_when: if usage { RetireWhen::Quiet } else { RetireWhen::OverlapOver },
            quiet_for: one_of(random, &[1, 6, 48]),
            rotate_after: one_of(random, &[24 * 10, 24 * 30]),
            cache,
            straggler: (usage && random.below(2) == 0).then(|| one_of(random, &[5, 30, 90])),
            sleeper: None,
            pause: one_of(random, &[1, 12, 24]),
        }
    }

    /// Other kinds of platform, one beside the other.
    pub(crate) fn vary(&mut self, random: &mut Random) {
        let families = [Family::Overlap, Family::Replace, Family::Mint, Family::Assisted];
        let mostly = families[random.below(4) as usize];
        let shared = self.parents.windows(2).any(|two| two[0] == two[1]);
        let live_max = match random.below(4) {
            0 => Some(if shared { 3 } else { 2 }),
            1 => Some(10),
            _ => None,
        };
        self.retire_when = RetireWhen::Quiet;
        let policies = 1 + random.below(2) as usize;
        for credential in 0..self.kinds.len() {
            let mut family = if random.below(4) == 0 { families[random.below(4) as usize] } else { mostly };
            if family == Family::Mint && credential == 0 && self.kinds.len() > 1 {
                family = Family::Overlap;
            }
            let mut kind = Kind::random(random, family, self.pause);
            kind.protected = random.below(12) == 0 && kind.facts.lists_versions && !kind.expires();
            if let Overlap::Concurrent { live_max: most } = &mut kind.facts.overlap
                && family != Family::Mint
            {
                *most = live_max;
            }
            if family == Family::Mint {
                self.parents[credential] = 10 + credential;
                let from = (0..credential).find(|from| !self.kinds[*from].expires() && !self.kinds[*from].protected);
                kind.minted_from = from.filter(|_| random.below(3) > 0);
            }
            self.policies[credential] = credential % policies;
            self.kinds[credential] = kind;
        }
    }

    /// Whether anything here ends by itself.
    pub(crate) fn expires(&self) -> bool {
        self.kinds.iter().any(|kind| kind.life.is_some())
    }

    /// Where a lost answer leaves what nothing tells to be ours, or kills what is in use, only a person can know.
    pub(crate) fn needs_people(&self) -> bool {
        self.kinds.iter().any(|kind| {
            let unsettled = kind.facts.idempotency == Idempotency::None || kind.replaces();
            unsettled && !kind.by_us() && kind.facts.issued_by == Performer::Machine
        })
    }

    pub(crate) fn policy(&self, credential: usize) -> Policy {
        let stores = ["one", "two"].into_iter().take(self.destinations);
        let told = self.kinds[credential].facts.usage;
        Policy {
            name: format!("policy {}", self.policies[credential]),
            mode: Mode::Automatic,
            rotate_after: self.rotate_after,
            overlap: self.overlap,
            retire_when: if told { self.retire_when } else { RetireWhen::OverlapOver },
            quiet_for: self.quiet_for,
            retire_after: self.rotate_after.saturating_add(self.rotate_after),
            deliver: stores.map(|store| destination(store, credential)).collect(),
            consumers: Arc::default(),
            task_within: Duration::from_hours(7 * 24),
            begin_not_before: None,
        }
    }

    /// One credential, long overdue, with its value in every store and its consumers.
    pub(crate) fn settle(&self, world: &mut World, credential: usize) {
        let kind = &self.kinds[credential];
        let policy = self.policy(credential);
        world.policies.push(policy.clone());
        let secret = self.first_version(world, credential);
        let began = world.began;
        for destination in &policy.deliver {
            let slot = world.slot(&destination.store, destination.path.as_str());
            if let Some(secret) = &secret {
                let at = slot.put("the first", secret, Fingerprint([0; 32]));
                // By whomever: only what people write later is on their own account.
                slot.serve(at, began, Who::Us);
            }
            for cache in [Duration::ZERO, self.cache] {
                world.consumers.push(Consumer::new(credential, &destination.store, &place(credential), cache));
            }
        }
        let (Some(secret), true) = (secret, kind.facts.usage && kind.life.is_none()) else { return };
        if let Some(until) = self.straggler {
            let until = began.saturating_add(until).unwrap();
            world.consumers.push(Consumer::hard_coded(credential, &secret, began, until));
        }
        if let Some(every) = self.sleeper.filter(|_| policy.retire_when == RetireWhen::Quiet) {
            let until = began.saturating_add(every * 6).unwrap();
            world.consumers.push(Consumer::sleeper(credential, &secret, (began, until), every));
        }
    }

    /// What people made before we came, if they did; its secret.
    fn first_version(&self, world: &mut World, credential: usize) -> Option<String> {
        let kind = &self.kinds[credential];
        if kind.expires() && (!kind.facts.lists_versions || kind.facts.idempotency == Idempotency::None) {
            // Declared, and still to be minted.
            return None;
        }
        let age = self.rotate_after.saturating_add(Duration::from_hours(24));
        let age = kind.life.map_or(age, |life| life * 3 / 4);
        let made_at = world.now.saturating_sub(age).unwrap();
        let World { platform, random, .. } = &mut *world;
        let minted_with = kind.minted_from.and_then(|parent| platform.live_of(parent, made_at).next_back());
        let wanted = Wanted { minted_with, ..Wanted::by_hand(credential, &format!("key{credential}"), "A key") };
        let index = platform.mint(made_at, random, wanted).unwrap();
        platform.minted[index].handed_out = true;
        Some(platform.minted[index].secret.clone())
    }
}
