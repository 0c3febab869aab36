//! What is played: facts, credentials, policies and events.

use domain::{Duration, Fingerprint, Mode, Policy, RetireWhen, Timestamp};
use twin::Random;

use crate::{
    consumers::{Consumer, place},
    event::{Act, Change, Event, Events, Fault},
    people::destination,
    platform::{Platform, PlatformFacts, Who},
    shelf::Shelf,
    stage::World,
};

const BEGAN: &str = "2026-03-02T09:00:00Z";

/// The facts and the policy of one world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub platform: PlatformFacts,
    /// Whether the first and the second store have labels.
    pub labels: [bool; 2],
    /// How many of the two stores each credential is delivered to.
    pub destinations: usize,
    /// The application of each credential.
    pub parents: Vec<usize>,
    pub overlap: Duration,
    pub retire_when: RetireWhen,
    pub quiet_for: Duration,
    pub rotate_after: Duration,
    /// How long the caching consumers keep what they read.
    pub cache: Duration,
    /// Until when one consumer of each credential keeps its hard-coded first version.
    pub straggler: Option<Duration>,
    /// The time between two runs, where the engine does not ask for one sooner.
    pub pause: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub seed: u64,
    pub terms: Terms,
    pub events: Events,
    /// Whether a person helps where the engine asks for one.
    pub helped: bool,
}

impl Scenario {
    pub fn new(seed: u64, terms: Terms) -> Self {
        Self { seed, terms, events: Events::new(), helped: false }
    }

    /// A world with everything in it, decided by the seed alone.
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let terms = Terms::random(&mut random);
        let mut events = Events::new();
        let credentials = terms.parents.len() as u64;
        let faults = random.below(12);
        let horizon = 150 * credentials;
        for _ in 0..faults {
            let fault = Fault::ALL[random.below(Fault::ALL.len() as u64) as usize];
            events.entry(random.below(horizon) as usize).or_default().push(Event::Fault(fault));
        }
        if random.below(2) == 0 {
            for _ in 0..random.below(4) {
                let act = act(&mut random, credentials);
                events.entry(random.below(horizon) as usize).or_default().push(act);
            }
        }
        if terms.platform.tells_time && random.below(4) == 0 {
            for _ in 0..=random.below(2) {
                let hours = i64::try_from(random.below(96)).unwrap() - 48;
                let jump = Event::Clock(Duration::from_hours(hours));
                events.entry(random.below(horizon) as usize).or_default().push(jump);
            }
        }
        Self { seed, terms, events, helped: true }
    }

    pub(crate) fn world(&self, tell: bool) -> World {
        let terms = &self.terms;
        let now: Timestamp = BEGAN.parse().unwrap();
        let platform = Platform::new(terms.platform, terms.parents.clone());
        let mut world = World::new(now, Random::new(self.seed ^ 0x5eed), platform, self.events.clone(), tell);
        for (name, labels) in ["one", "two"].into_iter().zip(terms.labels) {
            world.shelves.insert(name.to_owned(), Shelf { labels, slots: Default::default() });
        }
        for credential in 0..terms.parents.len() {
            terms.settle(&mut world, credential);
        }
        world
    }
}

fn act(random: &mut Random, credentials: u64) -> Event {
    let credential = random.below(credentials) as usize;
    let acts = [
        Act::Hold,
        Act::Release,
        Act::Rotate,
        Act::RollBack,
        Act::RemoveNewest,
        Act::RemoveOldest,
        Act::MakeStray,
        Act::Rename,
        Act::WriteOld,
        Act::WriteJunk,
    ];
    let changes = [Change::Observe, Change::Automatic, Change::Widen, Change::LongerOverlap];
    match random.below(14) as usize {
        at if at < acts.len() => Event::Person(acts[at](credential)),
        at => Event::Policy(credential, changes[at - acts.len()]),
    }
}

impl Terms {
    /// Two stores with labels, names, use told, nothing scarce, quick.
    pub fn plain() -> Self {
        Self {
            platform: PlatformFacts {
                names: true,
                usage: true,
                live_max: None,
                propagation: Duration::from_secs(30),
                tells_time: true,
            },
            labels: [true, true],
            destinations: 2,
            parents: vec![0],
            overlap: Duration::from_hours(24),
            retire_when: RetireWhen::Quiet,
            quiet_for: Duration::from_hours(6),
            rotate_after: Duration::from_hours(90 * 24),
            cache: Duration::from_hours(1),
            straggler: None,
            pause: Duration::from_hours(12),
        }
    }

    fn random(random: &mut Random) -> Self {
        let one_of =
            |random: &mut Random, hours: &[i64]| Duration::from_hours(hours[random.below(hours.len() as u64) as usize]);
        let usage = random.below(3) > 0;
        let credentials = 1 + random.below(4) as usize;
        let apart = random.below(2) == 0;
        let parents: Vec<usize> =
            (0..credentials).map(|credential| if apart { credential } else { credential / 2 }).collect();
        let scarce = random.below(3) == 0;
        let cache = one_of(random, &[1, 2, 12]);
        Self {
            platform: PlatformFacts {
                names: random.below(2) == 0,
                usage,
                live_max: scarce.then_some(if apart { 2 } else { 3 }),
                propagation: Duration::from_secs([0, 5, 300, 3600][random.below(4) as usize]),
                tells_time: random.below(4) > 0,
            },
            labels: [random.below(2) == 0, random.below(2) == 0],
            destinations: 1 + random.below(2) as usize,
            parents,
            overlap: cache.saturating_add(one_of(random, &[1, 24, 72])),
            retire_when: if usage { RetireWhen::Quiet } else { RetireWhen::OverlapOver },
            quiet_for: one_of(random, &[1, 6, 48]),
            rotate_after: one_of(random, &[24 * 10, 24 * 30]),
            cache,
            straggler: (usage && random.below(2) == 0).then(|| one_of(random, &[5, 30, 90])),
            pause: one_of(random, &[1, 12, 24]),
        }
    }

    fn policy(&self, credential: usize) -> Policy {
        let stores = ["one", "two"].into_iter().take(self.destinations);
        Policy {
            name: "all".to_owned(),
            mode: Mode::Automatic,
            rotate_after: self.rotate_after,
            overlap: self.overlap,
            retire_when: self.retire_when,
            quiet_for: self.quiet_for,
            retire_after: self.rotate_after.saturating_add(self.rotate_after),
            deliver: stores.map(|store| destination(store, credential)).collect(),
            task_within: Duration::from_hours(7 * 24),
            begin_not_before: None,
        }
    }

    /// One credential, long overdue, with its value in every store and its consumers.
    fn settle(&self, world: &mut World, credential: usize) {
        let made_at = world.now.saturating_sub(self.rotate_after.saturating_add(Duration::from_hours(24))).unwrap();
        let name = format!("key{credential}");
        let World { platform, random, .. } = &mut *world;
        let index = platform.mint(made_at, random, credential, &name, "A key", None, Who::Person).unwrap();
        platform.minted[index].handed_out = true;
        let secret = platform.minted[index].secret.clone();
        let policy = self.policy(credential);
        let began = world.began;
        for destination in &policy.deliver {
            let slot = world.slot(&destination.store, destination.path.as_str());
            let at = slot.put("the first", &secret, Fingerprint([0; 32]));
            // By whomever: only what people write later is on their own account.
            slot.serve(at, began, Who::Us);
            for cache in [Duration::ZERO, self.cache] {
                world.consumers.push(Consumer::new(credential, &destination.store, &place(credential), cache));
            }
        }
        if let Some(until) = self.straggler {
            let until = began.saturating_add(until).unwrap();
            world.consumers.push(Consumer::hard_coded(credential, &secret, began, until));
        }
        world.policies.push(policy);
    }
}

/// The worlds in which every single fault is tried.
pub fn matrix() -> Vec<(String, Terms)> {
    let mut all = Vec::new();
    for labels in [true, false] {
        for usage in [true, false] {
            for names in [true, false] {
                for (live_max, seconds) in [(None, 30), (Some(2), 30), (None, 3600), (Some(2), 3600)] {
                    let mut terms = Terms { labels: [labels; 2], ..Terms::plain() };
                    terms.platform.usage = usage;
                    terms.platform.names = names;
                    terms.platform.live_max = live_max;
                    terms.platform.propagation = Duration::from_secs(seconds);
                    if !usage {
                        terms.retire_when = RetireWhen::OverlapOver;
                    }
                    let name = format!(
                        "labels {labels}, usage {usage}, names {names}, live_max {live_max:?}, propagation {seconds} s"
                    );
                    all.push((name, terms));
                }
            }
        }
    }
    all
}
