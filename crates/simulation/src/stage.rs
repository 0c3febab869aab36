//! The world as one value, and the crossings into it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, OnceLock, Weak},
};

use db::{Db, Fate, Fates};
use domain::{Duration, Policy, Timestamp};
use driver::{DriverError, Effect, Kind, Ticket};
use futures_util::{FutureExt as _, future::BoxFuture};
use twin::Random;

use crate::{
    consumers::Consumer,
    event::{Act, Event, Events, Fault, Verb},
    gaps::{Gap, Starved},
    people,
    platform::Platform,
    ports::yield_now,
    promises::Breach,
    shelf::Shelf,
};

/// An answer that comes late comes after this.
const LATE: Duration = Duration::from_mins(7);
/// An effect that nobody waits for any more takes place after this.
const DELAY: Duration = Duration::from_mins(3);
/// A stale listing is as old as this.
pub(crate) const STALE: Duration = Duration::from_mins(10);

/// Every crossing takes some time.
const A_CALL: Duration = Duration::from_millis(1);

/// An effect that is still on its way, and when it arrives.
type Delayed = (Timestamp, Box<dyn FnOnce(&mut World) + Send>);

pub(crate) struct World {
    pub(crate) began: Timestamp,
    /// The true time, and the platform's.
    pub(crate) now: Timestamp,
    /// Our clock less the true time.
    pub(crate) skew: Duration,
    pub(crate) random: Random,
    pub(crate) platform: Platform,
    pub(crate) shelves: BTreeMap<String, Shelf>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) policies: Vec<Policy>,
    /// The last journal entry before a hold that stands.
    pub(crate) held: Vec<Option<i64>>,
    /// Wishes of people that need the engine, for the next run.
    pub(crate) wishes: Vec<Act>,
    /// When a credential was last said to be known to others: consumers that keep what they read then are cut off on
    /// purpose.
    pub(crate) compromised_at: Vec<Option<Timestamp>>,
    /// The value of the next version was chosen before that, and may have waited at a destination.
    pub(crate) chosen_before: Vec<bool>,
    pub(crate) gaps: Vec<Option<Gap>>,
    /// Policies under which a successor of ours has served.
    pub(crate) proved: BTreeSet<String>,
    /// When the platform was last asked by id for a version of each credential.
    pub(crate) asked_at: Vec<Option<Timestamp>>,
    /// Rotations whose first issue was seen.
    pub(crate) met_rotations: BTreeSet<String>,
    /// Versions that expired while consumers read them.
    pub(crate) starved: Starved,
    pub(crate) excused: Starved,
    /// When the run under way began.
    pub(crate) run_began: Timestamp,
    /// When anything last happened that the engine did not do.
    pub(crate) disturbed_at: Timestamp,
    /// When an application was last switched on again.
    pub(crate) switched_on: BTreeMap<usize, Timestamp>,
    /// Listings show that moment until this one.
    frozen: Option<(Timestamp, Timestamp)>,
    /// What happens once this run is over.
    pub(crate) between_runs: Vec<Event>,
    pub(crate) breach: Option<Breach>,
    /// What the listings told was not all: the engine may know no better.
    pub(crate) fooled: bool,
    pub(crate) crashed: bool,
    /// Our disk failed: nothing is written until a restart.
    pub(crate) stopped: bool,
    /// A person's command is at work: it is no part of the engine.
    pub(crate) aside: bool,
    /// While a person hands something over: the row it is for, and what is to be on record of it if that is refused.
    pub(crate) handing_over: Option<(i64, String)>,
    pub(crate) effects: usize,
    pub(crate) points: Vec<Verb>,
    pub(crate) events: Events,
    delayed: Vec<Delayed>,
    timeline: Option<Vec<String>>,
    /// Steps that the timeline has told to have begun, and those it has told to the end.
    told: (i64, BTreeSet<i64>),
}

impl World {
    pub(crate) fn new(now: Timestamp, random: Random, platform: Platform, events: Events, tell: bool) -> Self {
        let credentials = platform.parents.len();
        let held = vec![None; credentials];
        Self {
            began: now,
            now,
            skew: Duration::ZERO,
            random,
            platform,
            shelves: BTreeMap::new(),
            consumers: Vec::new(),
            policies: Vec::new(),
            held,
            wishes: Vec::new(),
            compromised_at: vec![None; credentials],
            chosen_before: vec![false; credentials],
            gaps: (0..credentials).map(|_| None).collect(),
            proved: BTreeSet::new(),
            asked_at: vec![None; credentials],
            met_rotations: BTreeSet::new(),
            starved: Starved::new(),
            excused: Starved::new(),
            run_began: now,
            disturbed_at: now,
            switched_on: BTreeMap::new(),
            frozen: None,
            between_runs: Vec::new(),
            breach: None,
            fooled: false,
            crashed: false,
            stopped: false,
            aside: false,
            handing_over: None,
            effects: 0,
            points: Vec::new(),
            events,
            delayed: Vec::new(),
            timeline: tell.then(Vec::new),
            told: (0, BTreeSet::new()),
        }
    }

    pub(crate) fn tell(&mut self, words: impl FnOnce() -> String) {
        if let Some(timeline) = &mut self.timeline {
            let since = self.now.duration_since(self.began).as_secs();
            let (days, hours, minutes, seconds) = (since / 86400, since / 3600 % 24, since / 60 % 60, since % 60);
            timeline.push(format!("{days:>3}d {hours:02}:{minutes:02}:{seconds:02}  {}", words()));
        }
    }

    pub(crate) fn take_timeline(&mut self) -> Vec<String> {
        self.timeline.take().unwrap_or_default()
    }

    /// Time passes. At every moment at which something changes by itself, every consumer calls.
    pub(crate) fn pass(&mut self, by: Duration) {
        let end = self.now.saturating_add(by.max(Duration::ZERO)).unwrap();
        loop {
            let reads = self.consumers.iter().filter_map(Consumer::acts_at).filter(|at| *at > self.now).min();
            let late = self.delayed.iter().map(|(at, _)| *at).filter(|at| *at > self.now).min();
            let next = [self.platform.next_turn(self.now), reads, late].into_iter().flatten().min();
            self.now = next.unwrap_or(end).min(end);
            let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= self.now);
            self.delayed = later;
            let due: Vec<Delayed> = due;
            for (_, effect) in due {
                self.disturbed();
                self.tell(|| "world   an effect that nobody waits for takes place".to_owned());
                effect(self);
            }
            self.consumers_call();
            if self.now == end {
                return;
            }
        }
    }

    /// Nothing of the scenario is left to come.
    pub(crate) fn is_calm(&self) -> bool {
        let stragglers = self.consumers.iter().filter_map(|consumer| consumer.hard_coded_until).max();
        self.events.is_empty()
            && self.delayed.is_empty()
            && self.between_runs.is_empty()
            && self.wishes.is_empty()
            && self.frozen_at().is_none()
            && stragglers.is_none_or(|until| until <= self.now)
    }

    /// The moment that listings show, where they show an old one for long.
    pub(crate) fn frozen_at(&self) -> Option<Timestamp> {
        self.frozen.filter(|(_, until)| self.now < *until).map(|(at, _)| at)
    }

    /// What the scenario does to the clock and to listings.
    fn befalls(&mut self, event: Event) {
        match event {
            Event::Jump(by) => {
                self.skew = self.skew.saturating_add(by);
                // What was put off by such a clock comes later by as much.
                self.disturbed_at = self.now.saturating_add(by.abs()).unwrap();
            }
            Event::Glitch(by) => {
                self.skew = self.skew.saturating_add(by);
                self.between_runs.push(Event::Clock(-by));
            }
            Event::Frozen(by) => {
                self.frozen = Some((self.now, self.now.saturating_add(by).unwrap()));
                self.fooled = true;
            }
            // Configuration is read at a start.
            Event::Clock(_) | Event::Policy(..) => self.between_runs.push(event),
            Event::Fault(_) | Event::Person(_) => {}
        }
        self.tell(|| format!("world   {event}"));
    }
}

pub(crate) struct Stage {
    world: Mutex<World>,
    db: OnceLock<Arc<Db>>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

enum Arrival {
    /// The process is dead already.
    Dead,
    Alive(Option<Fault>),
}

impl Stage {
    pub(crate) fn new(world: World) -> Arc<Self> {
        let stage = Arc::new(Self { world: Mutex::new(world), db: OnceLock::new() });
        let db = DATABASE.with(|(disk, db)| {
            db.empty().unwrap();
            *disk.0.lock().unwrap() = Arc::downgrade(&stage);
            db.clone()
        });
        stage.db.set(db).unwrap();
        stage
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn db(&self) -> &Arc<Db> {
        self.db.get().unwrap()
    }

    /// Reads the database from outside. It answers at once, and is no I/O point.
    pub(crate) fn read<'a, T>(&'a self, read: impl FnOnce(&'a Db) -> BoxFuture<'a, Result<T, db::ReadError>>) -> T {
        read(self.db()).now_or_never().unwrap().unwrap()
    }

    /// Begins a crossing: what the scenario has for it happens.
    fn arrive(&self, verb: Verb, words: impl FnOnce() -> String) -> Arrival {
        self.tell_journal();
        let (number, events) = {
            let mut world = self.world();
            if world.crashed {
                return Arrival::Dead;
            }
            let number = world.points.len();
            world.points.push(verb);
            world.now = world.now.saturating_add(A_CALL).unwrap();
            (number, world.events.remove(&number).unwrap_or_default())
        };
        if !events.is_empty() {
            self.world().disturbed();
        }
        let mut fault = None;
        for event in events {
            match event {
                Event::Fault(wanted) if verb.takes(wanted) => fault = Some(wanted),
                Event::Fault(_) => {}
                Event::Person(act) => people::act(self, act),
                event => self.world().befalls(event),
            }
        }
        let mut world = self.world();
        world.fooled |= matches!(fault, Some(Fault::Stale | Fault::Short | Fault::Delayed | Fault::Twice));
        world.tell(|| {
            let fault = fault.map_or(String::new(), |fault| format!("  <-- {fault:?}"));
            format!("#{number:<5}  {}{fault}", words())
        });
        Arrival::Alive(fault)
    }

    /// What the engine decided and what came of it, read from its journal.
    fn tell_journal(&self) {
        let from = match &*self.world() {
            World { timeline: None, .. } => return,
            world => world.told.1.first().copied().unwrap_or(world.told.0 + 1),
        };
        let lines = self.read(|db| Box::pin(db.journal_from(from)));
        let mut world = self.world();
        for line in lines {
            let version = line.version.map_or(String::new(), |version| format!(" v{version}"));
            let place = line.destination.map_or(String::new(), |place| format!(" to {place}"));
            let what = format!("{} of row {}{version}{place}", line.step, line.credential_id);
            if line.entry > world.told.0 {
                world.told.0 = line.entry;
                world.told.1.insert(line.entry);
                world.tell(|| format!("engine  begins {what}, because {}", line.reason));
            }
            let ended = !matches!(line.phase, domain::Phase::Begun | domain::Phase::InDoubt);
            if ended && world.told.1.remove(&line.entry) {
                let outcome = line.outcome.unwrap_or_default();
                world.tell(|| format!("engine  {} {what}: {outcome}", line.phase.word()));
            }
        }
    }

    /// One crossing of the engine into the world. `effect` is what the world does, as often as it is delivered.
    pub(crate) async fn cross<T, F>(
        self: &Arc<Self>,
        verb: Verb,
        words: impl FnOnce() -> String,
        intent: Option<(usize, &Ticket)>,
        effect: F,
    ) -> Result<T, DriverError>
    where
        F: Fn(&mut World, Option<Fault>) -> Result<T, DriverError> + Send + 'static,
    {
        yield_now().await;
        let Arrival::Alive(fault) = self.arrive(verb, words) else { return pending().await };
        if let Some((credential, ticket)) = intent {
            self.check_ticket(verb, credential, ticket.journal_entry());
            if verb == Verb::Issue {
                self.check_blast_radius(credential);
                self.check_pair(credential);
            }
        }
        let answer = self.befall(verb, fault, effect);
        match answer {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    /// `None`: the process died.
    fn befall<T, F>(&self, verb: Verb, fault: Option<Fault>, effect: F) -> Option<Result<T, DriverError>>
    where
        F: Fn(&mut World, Option<Fault>) -> Result<T, DriverError> + Send + 'static,
    {
        let lost = || DriverError::new(Kind::Unavailable, Effect::Unknown, "no answer within the deadline");
        let mut guard = self.world();
        let world = &mut *guard;
        world.effects += usize::from(verb.has_effect());
        let mut answer = match fault {
            Some(Fault::FailsBefore) => Some(Err(DriverError::refused(Kind::Unavailable, "the host is away"))),
            Some(Fault::Throttled) => Some(Err(DriverError::refused(Kind::Throttled, "too many calls"))),
            Some(Fault::LoginRefused) => Some(Err(DriverError::refused(Kind::Unauthorized, "who are you"))),
            Some(Fault::LostBefore) => Some(Err(lost())),
            Some(Fault::CrashBefore) => None,
            Some(Fault::Delayed) => {
                let at = world.now.saturating_add(DELAY).unwrap();
                world.delayed.push((at, Box::new(move |world| drop(effect(world, None)))));
                Some(Err(lost()))
            }
            fault => Some(effect(world, fault)).inspect(|_| {
                if fault == Some(Fault::Twice) {
                    drop(effect(world, fault));
                }
            }),
        };
        match fault {
            Some(Fault::AnswerLost) => answer = Some(Err(lost())),
            Some(Fault::Late) => world.pass(LATE),
            Some(Fault::CrashAfter) => answer = None,
            _ => {}
        }
        world.crashed |= answer.is_none();
        world.consumers_call();
        answer
    }
}

/// Our own disk, as the scenario of the stage wants it.
#[derive(Debug)]
struct Disk(Mutex<Weak<Stage>>);

thread_local! {
    /// One for all plays of a thread, one after the other: compiling its statements takes longer than a play.
    static DATABASE: (Arc<Disk>, Arc<Db>) = {
        let disk = Arc::new(Disk(Mutex::default()));
        let db = Db::in_memory_under(Some(disk.clone())).unwrap();
        (disk, Arc::new(db))
    };
}

impl Fates for Disk {
    fn next(&self) -> Fate {
        let Some(stage) = self.0.lock().unwrap().upgrade() else { return Fate::Commits };
        if stage.world().aside {
            return Fate::Commits;
        }
        let Arrival::Alive(fault) = stage.arrive(Verb::Commit, || "commit".to_owned()) else {
            return Fate::DiesBefore;
        };
        let mut world = stage.world();
        if world.stopped {
            return Fate::Refused(db::Fault::Stopped);
        }
        world.crashed = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
        world.stopped = matches!(fault, Some(Fault::SyncFailsBefore | Fault::SyncFailsAfter));
        match fault {
            Some(Fault::CrashBefore) => Fate::DiesBefore,
            Some(Fault::CrashAfter) => Fate::DiesAfter,
            Some(Fault::DiskFull) => Fate::Refused(db::Fault::DiskFull),
            Some(Fault::SyncFailsBefore) => Fate::Refused(db::Fault::Stopped),
            Some(Fault::SyncFailsAfter) => Fate::AppliedUnheard(db::Fault::Stopped),
            _ => Fate::Commits,
        }
    }
}
