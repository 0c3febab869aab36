//! What happens to a credential: steps, time, faults, and people who do not ask us first.

use domain::{Duration, Mode, Parent, Policy, Presence, RetireWhen, Step, Trouble, VersionNumber};

use crate::world::{World, destination};

/// More steps than any single rotation with three destinations takes.
pub(crate) const STEPS_MAX: usize = 200;

#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// At most so many due steps are performed.
    Steps(usize),
    /// Time passes; whatever comes due meanwhile is performed.
    Wait(Duration),
    ClockJumps(Duration),
    ClockIsSetRight,
    /// The next step is performed; if it issues, its answer is lost.
    LoseAnswer,
    /// The next step fails so many times.
    Fail(u32),
    Unpark,
    /// Somebody removes a version at the platform; the number picks among those alive.
    RemovedByHand(usize),
    StrayAppears,
    NameIsTaken,
    StrangersLeave,
    ListingHides(usize),
    ListingShowsAll,
    Hold,
    Release,
    Request,
    /// A person turns the rotation around, so many times in a row.
    GoBack(usize),
    Import,
    Siblings(u32),
    Parent(bool),
    PolicyChanges(Box<Policy>),
    UsageIsTold(bool),
    RecordsLag(Duration),
    /// How long consumers go on with what they read before.
    ConsumersLinger(Option<Duration>),
    /// A person does what they were asked, or only says so.
    PersonActs(bool),
    ParentTurns,
    /// A version is used by somebody who reads no destination.
    Called(usize),
    Compromised,
    Protected(bool),
    /// A consumer begins anew with what it reads, and says so or not.
    ConsumerRestarts(&'static str, bool),
    /// A person answers for a consumer, or for the silence, for so long.
    Waived(Option<&'static str>, Duration),
    Drifts(&'static str),
    Repaired,
}

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) events: Vec<Event>,
}

impl Story {
    /// The world after all that happened. Every plan on the way is held against the safety rules.
    pub(crate) fn live_through(self) -> World {
        let mut world = self.world;
        for event in &self.events {
            happen(&mut world, event);
            world.plan();
        }
        world
    }
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Steps(count) => steps(world, *count),
        Event::Wait(duration) => wait(world, *duration),
        // Where versions end by themselves, a clock that is ahead by more than a life sees everything as over, however
        // often it is issued anew: the platform's own time is what the engine plans by.
        Event::ClockJumps(by) => world.skew = if world.life.is_some() { (*by).min(Duration::ZERO) } else { *by },
        Event::ClockIsSetRight => world.skew = Duration::ZERO,
        Event::LoseAnswer => match world.plan().due(world.now()).map(|planned| planned.step.clone()) {
            Some(step @ Step::Issue { .. }) => world.lose_answer(&step),
            Some(step) => world.perform(&step),
            None => {}
        },
        Event::Fail(times) => (0..*times).for_each(|_| fail(world)),
        Event::Unpark => world.observed.trouble = Trouble::default(),
        Event::RemovedByHand(pick) => {
            if let Some(number) = picked(world, *pick) {
                world.removed_by_hand(number);
            }
        }
        Event::StrayAppears => world.observed.stray = true,
        Event::NameIsTaken => world.observed.name_taken = Some("web_new".to_owned()),
        Event::StrangersLeave => {
            world.observed.stray = false;
            world.observed.name_taken = None;
        }
        Event::ListingHides(pick) => {
            if let Some(number) = picked(world, *pick) {
                world.version(number).presence = Presence::Missing;
            }
        }
        Event::ListingShowsAll => listing_shows_all(world),
        Event::Hold => world.hold("ada", "an audit"),
        Event::Release => world.observed.hold = None,
        Event::Request => world.request("ada"),
        Event::GoBack(times) => (0..*times).for_each(|_| {
            world.go_back("ada");
        }),
        Event::Import => world.import("ada"),
        Event::Siblings(count) => {
            world.siblings = *count;
            world.count_slots();
        }
        Event::Parent(enabled) => {
            world.observed.parent = if *enabled { Parent::Enabled } else { Parent::Disabled };
        }
        Event::PolicyChanges(policy) => world.change_policy((**policy).clone()),
        Event::UsageIsTold(told) => usage_is_told(world, *told),
        Event::RecordsLag(lag) => world.record_lag = *lag,
        Event::ConsumersLinger(linger) => world.linger = *linger,
        Event::PersonActs(truly) => {
            world.person_acts(*truly);
        }
        Event::ParentTurns => world.parent_turns(),
        Event::Called(pick) => {
            if let Some(number) = picked(world, *pick) {
                world.is_called(number);
            }
        }
        Event::Compromised => world.compromise("ada"),
        Event::Protected(protected) => world.observed.protected = *protected,
        Event::ConsumerRestarts(name, says_so) => world.consumer_restarts(name, *says_so),
        Event::Waived(consumer, lasts) => world.waive(*consumer, *lasts),
        Event::Drifts(store) => world.drifts(destination(store)),
        Event::Repaired => world.repair(),
    }
}

fn steps(world: &mut World, count: usize) {
    for _ in 0..count {
        let Some(planned) = world.plan().due(world.now()).cloned() else { return };
        world.perform(&planned.step);
        world.time += Duration::from_secs(1);
    }
}

/// Time passes in leaps from one thing due to the next.
fn wait(world: &mut World, duration: Duration) {
    let until = world.time + duration;
    for _ in 0..STEPS_MAX {
        steps(world, STEPS_MAX);
        let wake_at = world.plan().wake_at.map(|at| at - world.skew);
        let Some(next) = wake_at.filter(|at| *at > world.time && *at < until) else { break };
        world.time = next;
    }
    world.time = world.time.max(until);
}

fn fail(world: &mut World) {
    if world.plan().due(world.now()).is_some() {
        world.fail("503 Service Unavailable");
        if let Some(retry_at) = world.observed.trouble.retry_at {
            world.time = world.time.max(retry_at - world.skew);
        }
    }
}

fn picked(world: &World, pick: usize) -> Option<VersionNumber> {
    let live: Vec<VersionNumber> = world.live().map(|version| version.number).collect();
    live.get(pick % live.len().max(1)).copied()
}

fn listing_shows_all(world: &mut World) {
    for version in &mut world.observed.versions {
        if version.presence == Presence::Missing {
            version.presence = Presence::Listed;
        }
    }
}

fn usage_is_told(world: &mut World, told: bool) {
    let facts = std::sync::Arc::make_mut(&mut world.observed.facts);
    facts.usage = told;
}

/// Everything that only a person can mend is mended: what is left is the planner's own business.
pub(crate) fn mend(world: &mut World) {
    world.skew = Duration::ZERO;
    world.linger = Some(Duration::from_hours(1));
    world.record_lag = Duration::ZERO;
    world.people_act = true;
    world.people_are_honest();
    world.siblings = 0;
    world.count_slots();
    listing_shows_all(world);
    let observed = &mut world.observed;
    observed.trouble = Trouble::default();
    observed.hold = None;
    observed.stray = false;
    observed.protected = false;
    observed.name_taken = None;
    observed.parent = Parent::Enabled;
    observed.drift.clear();
    let mut policy = Policy { mode: Mode::Automatic, begin_not_before: None, ..world.policy.clone() };
    if policy.deliver.is_empty() {
        policy.deliver.push(destination("local"));
    }
    if policy.retire_when == RetireWhen::Quiet {
        usage_is_told(world, true);
    }
    world.change_policy(policy);
    if world.observed.rotation.is_none() && world.observed.current().is_none() {
        world.request("ada");
    }
}
