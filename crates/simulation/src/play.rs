//! Playing a scenario: runs of the engine, restarts after its deaths, and the time between.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use ::promises::Account;
use db::Journal;
use domain::{Duration, Timestamp};
use driver::Issuer as _;
use engine::{ConfiguredIssuer, Engine, Parts, RunReport, RunRequest, Silent};
use futures_util::FutureExt as _;
use secret::{Keyring, RootKey};

use crate::{
    errands::Errands,
    event::{Act, Event, Verb},
    goal::Help,
    issuer::{self, ModelIssuer},
    people,
    policies::Configured,
    ports::ports,
    promises::{Breach, Promise},
    scenario::Scenario,
    stage::Stage,
    store::ModelStore,
};

/// Runs until nothing of a scenario is left to happen.
const RUNS_MAX: usize = 1500;
/// Runs from then on, and from the last call of a straggler, until everything is at its goal. A rotation takes a
/// dozen, and each help by a person some more.
const CALM_RUNS_MAX: usize = 300;
/// Time between two runs at most, once nothing is left to happen.
const CALM_PAUSE: Duration = Duration::from_hours(24);
/// Runs at the goal in which nothing may change.
const QUIET_RUNS: usize = 2;
/// Between two runs at least, as a scheduler would.
const PAUSE_LEAST: Duration = Duration::from_mins(5);

/// What came of a scenario.
#[derive(Debug, Default)]
pub struct Played {
    pub breach: Option<Breach>,
    pub timeline: Vec<String>,
    /// Every crossing, in order.
    pub points: Vec<Verb>,
    pub rotations: usize,
    pub runs: usize,
}

/// Plays a scenario to its end. `tell` keeps the timeline.
pub fn play(scenario: &Scenario, tell: bool) -> Played {
    let stage = Stage::new(scenario.world(tell));
    let errands = Errands::new(scenario.seed, scenario.fallible);
    let mut player = Player { stage, scenario, engine: None, starts: 0, help: Help::default(), errands };
    let runs = player.play();
    let lines = player.stage.read(|db| Box::pin(db.journal_from(0)));
    player.look_for_secrets(&lines);
    let rotations = lines.iter().filter(|line| line.step == "complete" && line.phase == domain::Phase::Done).count();
    let mut world = player.stage.world();
    Played {
        breach: world.breach.take(),
        timeline: world.take_timeline(),
        points: std::mem::take(&mut world.points),
        rotations,
        runs,
    }
}

struct Player<'a> {
    stage: Arc<Stage>,
    scenario: &'a Scenario,
    engine: Option<Engine>,
    starts: u64,
    help: Help,
    errands: Errands,
}

impl Player<'_> {
    fn play(&mut self) -> usize {
        let (mut calm, mut quiet) = (0, 0);
        for run in 0..RUNS_MAX {
            let before = self.stage.world().effects;
            let (next_at, moved) = self.run();
            self.run_errands();
            if moved {
                self.stage.check_records();
            }
            self.stage.check_expired();
            self.stage.world().check_children();
            if self.stage.world().breach.is_some() {
                return run;
            }
            if self.stage.world().is_calm() {
                if calm == 0 {
                    self.stage.begin_nothing_new();
                }
                calm += 1;
                let missing = self.stage.missing();
                let changed = self.stage.world().effects != before;
                match missing {
                    None if quiet > 0 && changed && !self.scenario.terms.expires() => {
                        self.stage.world().breach(Promise::QuietAtRest, || "an effect at the goal".to_owned());
                        return run;
                    }
                    None => quiet += 1,
                    Some(what) => {
                        quiet = 0;
                        if calm > CALM_RUNS_MAX {
                            let words = || format!("after {calm} calm runs: {what}");
                            self.stage.world().breach(Promise::Liveness, words);
                            return run;
                        }
                        if self.scenario.helped {
                            self.stage.help(&mut self.help);
                        }
                    }
                }
                if quiet > QUIET_RUNS {
                    return run;
                }
            }
            self.between_runs();
            self.pause(next_at);
        }
        self.stage.world().breach(Promise::Liveness, || format!("not done after {RUNS_MAX} runs"));
        RUNS_MAX
    }

    /// One run, from a start if there has to be one; when the engine wants the next, and whether anything may have moved.
    fn run(&mut self) -> (Option<Timestamp>, bool) {
        if self.engine.is_none() {
            self.engine = self.start();
        }
        let Some(engine) = self.engine.take() else { return (None, true) };
        self.fulfil_wishes(&engine);
        {
            let mut world = self.stage.world();
            world.run_began = world.now;
        }
        let report = self.execute(async { engine.run_once(&RunRequest::everything(), &Silent).await });
        match report {
            Some(Ok(report)) => {
                self.tell_report(&report);
                let well = report.broken.is_none();
                if well {
                    self.engine = Some(engine);
                }
                (report.next_at, !well || !report.performed.is_empty())
            }
            Some(Err(error)) => {
                self.stage.world().tell(|| format!("engine  ends: {error}"));
                (None, true)
            }
            None => (None, true),
        }
    }

    /// A new process on the same database.
    fn start(&mut self) -> Option<Engine> {
        self.starts += 1;
        self.stage.world().tell(|| "engine  starts".to_owned());
        let stage = self.stage.clone();
        let ports = ports(&stage, self.scenario.seed ^ (self.starts << 32));
        let engine = self.execute(async {
            let journal = Journal::open(stage.db().clone()).await.ok()?;
            let issuer = ModelIssuer::new(&stage);
            let facts = issuer.facts();
            let store = |name: &str| (name.to_owned(), Arc::new(ModelStore::new(&stage, name)) as _);
            let parts = Parts {
                db: stage.db().clone(),
                journal,
                keyring: keyring(),
                ports,
                issuers: vec![ConfiguredIssuer { name: "sim".to_owned(), driver: Arc::new(issuer), facts }],
                stores: [store("one"), store("two")].into(),
                policies: Arc::new(Configured(stage.clone())),
            };
            Engine::new(parts).await.ok()
        });
        engine.flatten()
    }

    /// Polls until it is ready, or the process has died in it: then it is dropped where it stands.
    fn execute<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        while flag.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                let mut world = self.stage.world();
                if !world.crashed {
                    world.stopped = false;
                    return Some(output);
                }
            }
            let mut world = self.stage.world();
            if world.crashed {
                world.crashed = false;
                world.stopped = false;
                world.tell(|| "engine  DIES".to_owned());
                return None;
            }
        }
        panic!("the engine waits for something that never comes");
    }

    fn fulfil_wishes(&self, engine: &Engine) {
        let wishes = std::mem::take(&mut self.stage.world().wishes);
        for wish in wishes {
            let credential = wish.credential();
            let Some(row) = people::row(&self.stage, credential) else { continue };
            let Some(entry) = engine.entry(row).now_or_never().unwrap().unwrap() else { continue };
            match wish {
                Act::RollBack(_) => {
                    let done = self.execute(engine.roll_back(&entry, "ann", "as she sees fit"));
                    self.stage.world().tell(|| format!("person  rolls c{credential} back: {done:?}"));
                }
                Act::Import(_) | Act::ImportWrong(_) => self.import(engine, &entry, credential, wish),
                _ => {}
            }
        }
    }

    /// A person brings the secret of what is in use, or one that is not.
    fn import(&self, engine: &Engine, entry: &db::Entry, credential: usize, wish: Act) {
        let brought = {
            let world = self.stage.world();
            let current =
                entry.observed.current().and_then(|version| world.platform.by_handle(version.handle.as_str()));
            let other = world.platform.minted.iter().position(|one| one.credential != credential);
            let index = if matches!(wish, Act::Import(_)) { current } else { other };
            index
                .map(|index| (world.platform.minted[index].handle.clone(), world.platform.minted[index].secret.clone()))
        };
        let Some((handle, text)) = brought else { return };
        let map = issuer::secret(&handle, &text);
        let done = self.execute(engine.import(entry, &map, "ann", "it was in a drawer"));
        self.stage.world().tell(|| format!("person  {wish:?}: {done:?}"));
        if matches!((wish, done), (Act::ImportWrong(_), Some(Ok(())))) {
            let words = || format!("a wrong import for c{credential} was taken");
            self.stage.world().breach(Promise::PeoplesSteps, words);
        }
    }

    /// People do what they were asked to.
    fn run_errands(&mut self) {
        let tasks = self.stage.read(|db| Box::pin(db.open_tasks()));
        for task in tasks {
            let Some(credential) = self.stage.credential_of(&task) else { continue };
            let Some(engine) = &self.engine else { return };
            let Some(entry) = engine.entry(task.credential_id).now_or_never().unwrap().unwrap() else { continue };
            let old = task.ask.version().and_then(|version| entry.observed.version(version));
            let handle = old.map(|version| version.handle.to_string());
            if !self.errands.is_due(&self.stage, &task, credential, handle.as_deref()) {
                continue;
            }
            let Some(engine) = self.engine.take() else { return };
            if let Some(brought) = self.errands.act(&self.stage, &task, handle.as_deref()) {
                let before = self.stage.recorded(entry.id);
                self.stage.world().handing_over = Some((entry.id, before));
                let content = brought.content.as_ref();
                let done = self.execute(engine.complete_task(&task, content, "ann", "as asked"));
                self.stage.world().tell(|| format!("person  completes task {}: {done:?}", task.id));
                let before = self.stage.world().handing_over.take();
                let Some(done) = done else { return };
                let changed = before.is_none_or(|(_, before)| self.stage.recorded(entry.id) != before);
                let right = brought.right || self.stage.is_removed(&task, handle.as_deref());
                self.stage.judge_hand_over(credential, right, done.is_ok(), changed);
            }
            self.engine = Some(engine);
        }
    }

    fn tell_report(&self, report: &RunReport) {
        let mut world = self.stage.world();
        for (credential, finding) in report.attention.iter().chain(&report.retrying) {
            world.tell(|| format!("engine  finds {credential}: {finding}"));
        }
        for trouble in &report.troubles {
            world.tell(|| format!("engine  in trouble: {}", trouble.error));
        }
        if let Some(why) = &report.broken {
            world.tell(|| format!("engine  ends: {why}"));
        }
    }

    /// A changed configuration is read by a new process.
    fn between_runs(&mut self) {
        let events = std::mem::take(&mut self.stage.world().between_runs);
        for event in events {
            match event {
                Event::Policy(credential, change) => {
                    people::change_policy(&self.stage, credential, change);
                    self.engine = None;
                }
                Event::Clock(by) => {
                    let mut world = self.stage.world();
                    world.skew = world.skew.saturating_add(by);
                    world.tell(|| format!("world   {event}"));
                }
                _ => {}
            }
        }
    }

    fn pause(&self, next_at: Option<Timestamp>) {
        let mut world = self.stage.world();
        // The engine speaks in the issuer's time, where it is told.
        let skew = if world.platform.tells_time { Duration::ZERO } else { world.skew };
        let ours = world.now.saturating_add(skew).unwrap();
        let often = self.scenario.terms.expires();
        let most = if world.is_calm() && !often { CALM_PAUSE } else { self.scenario.terms.pause };
        let pause = next_at.map_or(most, |at| at.duration_since(ours)).clamp(PAUSE_LEAST, most);
        world.pass(pause);
    }

    /// No secret stands in what the engine writes in clear.
    fn look_for_secrets(&self, lines: &[db::JournalLine]) {
        let texts = lines.iter().map(|line| ("the journal".to_owned(), format!("{line:?}"))).collect();
        let account = Account { texts, secrets: vec!["s3cr3t".to_owned()], ..Account::default() };
        self.stage.world().hold_against(&account);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One for all worlds: nothing of a play depends on its bytes.
fn keyring() -> Arc<Keyring> {
    static KEYRING: OnceLock<Arc<Keyring>> = OnceLock::new();
    let create = || Arc::new(Keyring::create(&RootKey::generate().unwrap()).unwrap().0);
    KEYRING.get_or_init(create).clone()
}
