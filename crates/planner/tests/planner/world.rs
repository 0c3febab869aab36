//! A small world without I/O: a platform, consumers, and an ideal engine that performs each planned step.
//!
//! The engine's part follows the contract of `Observed`. The consumers' part is the truth against which the planner
//! is judged: it knows who really reads and uses what, which the planner only learns by evidence.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    Cause, CredentialId, Delivery, Destination, Duration, Handle, Hold, IssuerFacts, Mode, Observed, Origin, Overlap,
    Parent, Plan, Planned, Policy, Presence, RetireWhen, Rotation, RotationId, SecretPath, Slots, Step, Timestamp,
    Trouble, Usage, Version, VersionNumber,
};

use crate::safety;

pub(crate) use consumers::NAMES;

mod consumers;
mod platform;

/// When every world begins.
pub(crate) fn start() -> Timestamp {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

pub(crate) fn days(count: i64) -> Duration {
    Duration::from_hours(24 * count)
}

pub(crate) fn destination(store: &str) -> Destination {
    Destination { store: store.into(), path: SecretPath::parse("acme/shop/web").unwrap() }
}

pub(crate) fn default_policy() -> Policy {
    Policy {
        name: "ninety-days".to_owned(),
        mode: Mode::Automatic,
        rotate_after: days(90),
        overlap: days(10),
        retire_when: RetireWhen::Quiet,
        quiet_for: days(1),
        retire_after: days(120),
        deliver: vec![destination("local")],
        consumers: Arc::default(),
        task_within: days(7),
        begin_not_before: None,
    }
}

pub(crate) fn default_facts() -> IssuerFacts {
    IssuerFacts {
        overlap: Overlap::Concurrent { live_max: Some(10) },
        names: true,
        usage: true,
        ..IssuerFacts::overlapping(Duration::from_mins(10))
    }
}

/// A version as it is met at the platform: listed, its secret unknown.
pub(crate) fn found(number: u32, name: &str, created_at: Timestamp) -> Version {
    Version {
        number: VersionNumber(number),
        handle: Handle::parse(&format!("{name}-{number}")).unwrap(),
        name: name.to_owned(),
        title: title_of(name),
        origin: Origin::Found,
        secret_held: false,
        created_at,
        presence: Presence::Listed,
        expires_at: None,
        disabled_at: None,
        switch_in_doubt: None,
        delivered_at: None,
        verified_at: None,
        revoked_at: None,
        dead_at: None,
        usage: Usage::default(),
    }
}

pub(crate) fn title_of(name: &str) -> String {
    format!("The {name} credential")
}

/// Whether an orphan, in the planner's sense: nobody has its secret.
pub(crate) fn is_orphan(version: &Version) -> bool {
    version.origin == Origin::Orphan && !version.secret_held
}

/// Whether the old one is to go as soon as its successor is everywhere.
pub(crate) fn is_compromised(observed: &Observed) -> bool {
    let under_way = observed.rotation.as_ref().map(|rotation| &rotation.cause);
    let mut causes = [under_way, observed.requested.as_ref()].into_iter().flatten();
    causes.any(|cause| matches!(cause, Cause::Compromised { .. }))
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The true time, which is the platform's.
    pub(crate) time: Timestamp,
    /// How far our own clock is off.
    pub(crate) skew: Duration,
    pub(crate) policy: Policy,
    pub(crate) observed: Observed,
    /// Live versions of other credentials under the same parent.
    pub(crate) siblings: u32,
    /// How long after promotion consumers go on using what they read before. `None`: for ever.
    pub(crate) linger: Option<Duration>,
    /// How far the platform's records of use lie behind.
    pub(crate) record_lag: Duration,
    /// How long what is issued lives; for ever, if nothing is said.
    pub(crate) life: Option<Duration>,
    /// People do what they are asked while the world runs to its rest.
    pub(crate) people_act: bool,
    /// What is said to be removed, and is not.
    lied_about: BTreeSet<VersionNumber>,
    /// Somebody outside of every destination called with it then.
    called: BTreeMap<VersionNumber, Timestamp>,
    /// The platform may have taken the successor: its answer was lost.
    in_doubt: bool,
    /// Issued by us with a lost answer, and nothing tells that it is ours.
    left_alone: BTreeSet<VersionNumber>,
    /// What consumers were once meant to read, or was given back by an engine of ours.
    retired: BTreeSet<VersionNumber>,
    /// What the consumers at each destination read.
    reads: BTreeMap<Destination, VersionNumber>,
    /// When the last destination stopped reading a version that was read before.
    replaced_at: BTreeMap<VersionNumber, Timestamp>,
    /// What each consumer runs, whether it says so or not.
    runs: BTreeMap<Arc<str>, VersionNumber>,
    rotations: u32,
    /// Whether the rotation under way has promoted anything, be it a successor that is gone by now.
    promoted: bool,
}

impl World {
    /// One credential with one version, met at the platform and read by consumers at every destination.
    pub(crate) fn new(name: &str, policy: Policy, facts: IssuerFacts, age: Duration) -> Self {
        let time = start();
        let observed = Observed {
            credential: CredentialId::new("apic", ["acme", "shop", name]).unwrap(),
            facts: Arc::new(facts),
            name: name.to_owned(),
            title: title_of(name),
            owner: None,
            parent: Parent::Enabled,
            name_taken: None,
            slots: Slots { used: 1 },
            stray: false,
            protected: false,
            hold: None,
            requested: None,
            versions: vec![found(1, name, time - age)],
            rotation: None,
            task: None,
            parent_turned_at: None,
            acknowledged: Vec::new(),
            waivers: Vec::new(),
            told: Vec::new(),
            drift: Vec::new(),
            trouble: Trouble::default(),
        };
        let reads = policy.deliver.iter().map(|destination| (destination.clone(), VersionNumber(1))).collect();
        Self {
            time,
            skew: Duration::ZERO,
            policy,
            observed,
            siblings: 0,
            linger: Some(Duration::ZERO),
            record_lag: Duration::ZERO,
            life: None,
            people_act: false,
            lied_about: BTreeSet::new(),
            called: BTreeMap::new(),
            in_doubt: false,
            left_alone: BTreeSet::new(),
            retired: BTreeSet::new(),
            reads,
            replaced_at: BTreeMap::new(),
            runs: consumers::NAMES.map(|name| (name.into(), VersionNumber(1))).into(),
            rotations: 0,
            promoted: false,
        }
    }

    /// Versions end by themselves, so long after they were issued; what was met here too.
    pub(crate) fn living_for(mut self, life: Option<Duration>) -> Self {
        self.life = life;
        for version in &mut self.observed.versions {
            version.expires_at = life.map(|life| version.created_at + life);
        }
        self
    }

    /// Nothing of it was ever issued.
    pub(crate) fn declared(mut self) -> Self {
        self.observed.versions.clear();
        self.reads.clear();
        self.count_slots();
        self
    }

    /// Our own clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.time + self.skew
    }

    /// Plans and holds the plan against the safety rules.
    pub(crate) fn plan(&self) -> Plan {
        let plan = planner::plan(self.now(), &self.policy, &self.observed);
        let checked = safety::check(self.now(), &self.policy, &self.observed, &plan);
        if let Err(broken) = checked {
            panic!("{broken}\nat {}\nplan {plan:#?}\nof {:#?}\nunder {:#?}", self.now(), self.observed, self.policy);
        }
        plan
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = &Version> {
        self.observed.versions.iter().filter(|version| version.is_live())
    }

    pub(crate) fn version(&mut self, number: VersionNumber) -> &mut Version {
        self.observed.versions.iter_mut().find(|version| version.number == number).unwrap()
    }

    pub(crate) fn count_slots(&mut self) {
        self.observed.slots.used = self.siblings + u32::try_from(self.live().count()).unwrap();
    }

    fn is_read(&self, number: VersionNumber) -> bool {
        self.reads.values().any(|read| *read == number)
    }

    /// What the consumers at each destination read.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&Destination, VersionNumber)> {
        self.reads.iter().map(|(destination, number)| (destination, *number))
    }

    /// The last true use of a version so far.
    fn last_used(&self, number: VersionNumber) -> Option<Timestamp> {
        if self.is_read(number) {
            return Some(self.time);
        }
        let until = |replaced_at: &Timestamp| self.linger.map_or(Timestamp::MAX, |linger| *replaced_at + linger);
        let used = self.replaced_at.get(&number).map(|at| until(at).min(self.time));
        used.max(self.called.get(&number).copied())
    }

    /// A job that runs once in a while, with a copy that nobody knows of.
    pub(crate) fn is_called(&mut self, number: VersionNumber) {
        let handed_out = self.is_read(number) || self.replaced_at.contains_key(&number);
        let known = handed_out || self.observed.version(number).is_some_and(|version| version.origin == Origin::Found);
        if known {
            self.called.insert(number, self.time);
        }
    }

    fn in_use(&self, number: VersionNumber) -> bool {
        self.last_used(number) == Some(self.time)
    }

    fn moves_on(&mut self, destination: &Destination, to: Option<VersionNumber>) {
        let before = match to {
            Some(to) => self.reads.insert(destination.clone(), to),
            None => self.reads.remove(destination),
        };
        if let Some(before) = before.filter(|before| !self.is_read(*before)) {
            self.replaced_at.insert(before, self.time);
        }
    }

    /// Performs one step as an engine without faults would.
    pub(crate) fn perform(&mut self, step: &Step) {
        let now = self.now();
        match step {
            Step::Prepare { from } => self.prepare(*from),
            Step::Issue { from } => self.issue(*from, Origin::Issued),
            Step::AskPerson { ask } => self.ask(*ask),
            Step::Disable { version } => self.disable(*version),
            Step::Enable { version } => self.version(*version).disabled_at = None,
            Step::Tell { version, consumer } => self.tell(*version, consumer),
            Step::Write { destination, .. } => self.delivery(destination).written_at = Some(now),
            Step::Verify { version } => self.version(*version).verified_at = Some(now),
            Step::Promote { version, destination } => {
                self.delivery(destination).promoted_at = Some(now);
                self.version(*version).delivered_at = Some(now);
                self.promoted = true;
                self.moves_on(destination, Some(*version));
            }
            Step::Confirm { destination, .. } => {
                let delivery = self.delivery(destination);
                delivery.confirmed_at = Some(now);
                delivery.first_confirmed_at.get_or_insert(now);
                self.observed.drift.retain(|drift| drift.destination != *destination);
            }
            Step::Watch { version } => self.watch(*version),
            Step::Revoke { version } => self.revoke(*version),
            Step::ProveDead { version } if self.is_accepted(*version) => return self.still_accepted(*version),
            Step::ProveDead { version } => self.version(*version).dead_at = Some(now),
            Step::Rename { version, name, title } => {
                let version = self.version(*version);
                name.clone_into(&mut version.name);
                title.clone_into(&mut version.title);
            }
            Step::Purge { version } => self.version(*version).secret_held = false,
            Step::Complete => {
                let closed = self.observed.rotation.take();
                self.retired.extend(closed.and_then(|rotation| rotation.from));
                self.observed.task = None;
                self.observed.told.clear();
                self.promoted = false;
            }
        }
        self.observed.trouble = Trouble::default();
        self.count_slots();
    }

    fn delivery(&mut self, destination: &Destination) -> &mut Delivery {
        let deliveries = &mut self.observed.rotation.as_mut().unwrap().deliveries;
        let known = deliveries.iter().position(|delivery| &delivery.destination == destination);
        let index = known.unwrap_or_else(|| {
            deliveries.push(Delivery {
                destination: destination.clone(),
                written_at: None,
                promoted_at: None,
                confirmed_at: None,
                first_confirmed_at: None,
            });
            deliveries.len() - 1
        });
        &mut deliveries[index]
    }

    fn watch(&mut self, number: VersionNumber) {
        let known_through = self.time - self.record_lag;
        let told = self.observed.facts.usage;
        let usage = Usage {
            last_used: self.last_used(number).filter(|_| told).map(|at| at.min(known_through)),
            known_through: told.then_some(known_through),
            asked_at: Some(self.now()),
        };
        self.version(number).usage = usage;
    }

    fn revoke(&mut self, number: VersionNumber) {
        self.must_not_be_needed(number, "revoked");
        self.end(number);
    }

    fn end(&mut self, number: VersionNumber) {
        let now = self.now();
        let version = self.version(number);
        version.revoked_at = Some(now);
        version.presence = Presence::Gone;
    }

    /// Where the promises are kept or broken: nobody may lose what they read, or still use while evidence is demanded.
    fn must_not_be_needed(&self, number: VersionNumber, end: &str) {
        if is_orphan(self.observed.version(number).unwrap()) {
            return;
        }
        assert!(!self.is_read(number), "version {number} is {end}, and consumers read it: {self:#?}");
        self.nobody_runs(number, end);
        let quiet_demanded =
            self.policy.retire_when == RetireWhen::Quiet && !is_compromised(&self.observed) && !self.is_waived(None);
        assert!(!quiet_demanded || !self.in_use(number), "version {number} is {end} in use: {self:#?}");
    }

    /// Performs what is due until nothing is, and returns every step performed. A second passes with each.
    pub(crate) fn run_due(&mut self, steps_max: usize) -> Vec<Planned> {
        let mut performed = Vec::new();
        while let Some(planned) = self.plan().due(self.now()).cloned() {
            assert!(performed.len() < steps_max, "no end after {steps_max} steps: {performed:#?}\nin {self:#?}");
            self.perform(&planned.step);
            self.time += Duration::from_secs(1);
            performed.push(planned);
        }
        performed
    }

    /// Runs until nothing is planned, waiting where the plan says so. The limit is on steps and on waits.
    pub(crate) fn run_to_rest(&mut self, limit: usize) -> Vec<Planned> {
        let mut performed = self.run_due(limit);
        for _ in 0..limit {
            if self.people_act && (self.person_acts(true) || self.consumers_answer()) {
                performed.extend(self.run_due(limit));
                continue;
            }
            let plan = self.plan();
            let waits = !plan.steps.is_empty() || self.observed.rotation.is_some();
            let Some(wake_at) = plan.wake_at.filter(|_| waits) else { return performed };
            assert!(wake_at > self.now(), "nothing is due, and it wakes in the past: {plan:#?}");
            self.time = wake_at - self.skew;
            performed.extend(self.run_due(limit));
            assert!(performed.len() < limit, "no end after {limit} steps: {performed:#?}\nin {self:#?}");
        }
        panic!("no end after {limit} waits: {performed:#?}\nin {self:#?}");
    }

    /// Ordinary faults: a step fails and is tried again later; too often, and it is parked.
    pub(crate) fn fail(&mut self, error: &str) {
        const ATTEMPTS_MAX: u32 = 5;
        let attempts = self.observed.trouble.attempts + 1;
        self.observed.trouble = Trouble {
            attempts,
            retry_at: Some(self.now() + Duration::from_mins(i64::from(attempts))),
            last_error: Some(error.to_owned()),
            parked: attempts >= ATTEMPTS_MAX,
        };
    }

    /// What it is minted from has turned.
    pub(crate) fn parent_turns(&mut self) {
        self.observed.parent_turned_at = Some(self.time);
    }

    /// A person makes another version and hands it to nobody.
    pub(crate) fn made_by_hand(&mut self) {
        let number = self.observed.versions.last().map_or(1, |version| version.number.0 + 1);
        let made = found(number, &self.observed.name, self.time);
        self.observed.versions.push(made);
    }

    pub(crate) fn removed_by_hand(&mut self, number: VersionNumber) {
        self.version(number).presence = Presence::Gone;
        self.count_slots();
    }

    pub(crate) fn hold(&mut self, by: &str, reason: &str) {
        self.observed.hold = Some(Hold { by: by.to_owned(), reason: reason.to_owned(), since: self.now() });
    }

    pub(crate) fn request(&mut self, by: &str) {
        if self.observed.rotation.is_none() {
            self.observed.requested = Some(Cause::Requested { by: by.to_owned(), reason: "a test".to_owned() });
        }
    }

    /// Others know it. Said during a rotation, it waits for its own.
    pub(crate) fn compromise(&mut self, by: &str) {
        let (by, reason) = (by.to_owned(), "it was in a public repository".to_owned());
        self.observed.requested = Some(Cause::Compromised { by, reason });
    }

    /// A person goes back to the older version: a rollback if consumers may read the newer one, else it is abandoned.
    /// Refused where there is nothing to go back to.
    pub(crate) fn go_back(&mut self, by: &str) -> bool {
        let now = self.now();
        let Some(rotation) = &self.observed.rotation else { return false };
        let (Some(newer), Some(older)) = (rotation.to, rotation.from) else { return false };
        // The platform may have taken the newer one already, and the older one died with that.
        if self.in_doubt && self.observed.facts.overlap == Overlap::Replace {
            return false;
        }
        let Some(target) = self.observed.version(older).filter(|version| version.is_live()) else { return false };
        let cause = rotation.way_back(by.to_owned(), "a test".to_owned());
        let possible = match cause {
            Cause::Abandon { .. } => !self.promoted,
            _ => target.secret_held,
        };
        if !possible {
            return false;
        }
        self.promoted = false;
        self.observed.task = None;
        self.observed.told.clear();
        self.rotations += 1;
        self.observed.rotation = Some(Rotation {
            id: RotationId::new(&format!("r{}", self.rotations)),
            cause,
            started_at: now,
            from: Some(newer),
            to: Some(older),
            deliveries: Vec::new(),
        });
        true
    }

    /// A person hands over the secret of the newest version.
    pub(crate) fn import(&mut self, by: &str) {
        let current = self.observed.newest().map(|version| version.number);
        let Some(current) = current.filter(|_| self.observed.rotation.is_none()) else { return };
        self.version(current).secret_held = true;
        self.deliver_again(Cause::Import { by: by.to_owned() }, current);
    }

    /// What consumers are to read is delivered once more, and nothing is retired.
    fn deliver_again(&mut self, cause: Cause, current: VersionNumber) {
        self.rotations += 1;
        self.observed.rotation = Some(Rotation {
            id: RotationId::new(&format!("r{}", self.rotations)),
            cause,
            started_at: self.now(),
            from: None,
            to: Some(current),
            deliveries: Vec::new(),
        });
    }

    /// Another policy applies from now on. Consumers at its new destinations read the older version there, unless this
    /// very rotation has reached them before; those at destinations that it names no more are told to move on.
    pub(crate) fn change_policy(&mut self, policy: Policy) {
        let dropped: Vec<Destination> =
            self.reads.keys().filter(|destination| !policy.deliver.contains(destination)).cloned().collect();
        for destination in dropped {
            self.moves_on(&destination, None);
        }
        for destination in &policy.deliver {
            if let (None, Some(number)) = (self.reads.get(destination), self.read_at_first(destination)) {
                self.reads.insert(destination.clone(), number);
            }
        }
        self.policy = policy;
    }

    fn read_at_first(&self, destination: &Destination) -> Option<VersionNumber> {
        let current = self.observed.current().map(|version| version.number);
        let Some(rotation) = &self.observed.rotation else { return current };
        let promoted = rotation.delivery(destination).and_then(|delivery| delivery.promoted_at);
        let older = rotation.from.filter(|_| rotation.hands_out());
        let older = older.filter(|from| self.observed.version(*from).is_some_and(Version::is_live));
        promoted.and(rotation.to).or(older).or(current)
    }
}
