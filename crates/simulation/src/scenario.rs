//! What is played: facts, credentials, policies and events.

use domain::{Duration, Timestamp};
use twin::Random;

use crate::{
    event::{Act, Change, Event, Events, Fault},
    platform::Platform,
    shelf::Shelf,
    stage::World,
    terms::Terms,
};

const BEGAN: &str = "2026-03-02T09:00:00Z";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub seed: u64,
    pub terms: Terms,
    pub events: Events,
    /// Whether a person helps where the engine asks for one.
    pub helped: bool,
    /// Whether people who are asked to do something dawdle and err.
    pub fallible: bool,
}

impl Scenario {
    /// A scenario to which a single fault may be added: nobody helps, unless the facts leave no other way.
    pub fn new(seed: u64, terms: Terms) -> Self {
        let helped = terms.needs_people();
        Self { seed, terms, events: Events::new(), helped, fallible: false }
    }

    /// The same with one event. What a person did, a person helps with.
    pub(crate) fn with(&self, at: usize, event: Event) -> Self {
        let helped = self.helped || matches!(event, Event::Person(_));
        Self { events: Events::from([(at, vec![event])]), helped, ..self.clone() }
    }

    /// A world with everything in it, decided by the seed alone.
    pub fn random(seed: u64) -> Self {
        let mut scenario = Self::overlapping(seed);
        let mut more = Random::new(seed ^ 0x6d6f_7265);
        if more.below(3) > 0 {
            scenario.terms.vary(&mut more);
        }
        scenario.stir(&mut more);
        scenario
    }

    /// A world of the usual kind of platform. What was found in one is found again under the same seed, so nothing here
    /// may draw more or less than it does; what is new belongs into [`Scenario::random`].
    pub fn overlapping(seed: u64) -> Self {
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
        if terms.tells_time && random.below(4) == 0 {
            for _ in 0..=random.below(2) {
                let hours = i64::try_from(random.below(96)).unwrap() - 48;
                let jump = Event::Clock(Duration::from_hours(hours));
                events.entry(random.below(horizon) as usize).or_default().push(jump);
            }
        }
        Self { seed, terms, events, helped: true, fallible: true }
    }

    /// More that can happen anywhere.
    fn stir(&mut self, random: &mut Random) {
        let credentials = self.terms.kinds.len() as u64;
        let horizon = 150 * credentials;
        let hours = |random: &mut Random, most: u64| Duration::from_hours(1 + random.below(most) as i64);
        if random.below(5) == 0 {
            let least = self.terms.quiet_for.saturating_add(hours(random, 30));
            self.terms.sleeper = Some(least.max(self.terms.pause));
        }
        let mut more: Vec<(u64, Event)> = Vec::new();
        if self.terms.tells_time && random.below(5) == 0 {
            let by = hours(random, 48);
            more.push((random.below(horizon), Event::Jump(if random.below(2) == 0 { by } else { -by })));
        }
        if random.below(5) == 0 {
            // Where nobody tells the time, only what is on record can: a clock that falls back behind all of it.
            let by = if self.terms.tells_time { hours(random, 24) } else { Duration::from_hours(24 * 300) };
            more.push((4 + random.below(horizon), Event::Glitch(-by)));
        }
        if random.below(8) == 0 {
            more.push((random.below(horizon), Event::Frozen(hours(random, 72))));
        }
        if random.below(4) == 0 {
            let credential = random.below(credentials) as usize;
            let at = random.below(horizon);
            let removal = if random.below(3) == 0 { Act::RemoveNewest } else { Act::RemoveOldest };
            more.push((at, Event::Person(removal(credential))));
            more.push((at + 1 + random.below(8), Event::Person(Act::Restore(credential))));
        }
        if random.below(4) == 0 {
            let credential = random.below(credentials) as usize;
            let at = random.below(horizon);
            let act = [Act::Import, Act::ImportWrong, Act::SwitchOff][random.below(3) as usize];
            more.push((at, Event::Person(act(credential))));
            more.push((at + random.below(60), Event::Person(Act::SwitchOn(credential))));
        }
        if random.below(5) == 0 {
            let act = Act::Compromise(random.below(credentials) as usize);
            more.push((random.below(horizon), Event::Person(act)));
        }
        for (at, event) in more {
            self.events.entry(at as usize).or_default().push(event);
        }
    }

    pub(crate) fn world(&self, tell: bool) -> World {
        let terms = &self.terms;
        let now: Timestamp = BEGAN.parse().unwrap();
        let platform = Platform::new(terms.kinds.clone(), terms.tells_time, terms.parents.clone());
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
