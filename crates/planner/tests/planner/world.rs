//! A small world without I/O: a platform, consumers, and an ideal engine that performs each planned step.
//!
//! The engine's part follows the contract of `Observed`. The consumers' part is the truth against which the planner
//! is judged: it knows who really reads and uses what, which the planner only learns by evidence.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Cause, CredentialId, Delivery, Destination, Duration, Handle, Hold, IssuerFacts, Mode, Observed, Origin, Overlap,
    Parent, Plan, Planned, Policy, Presence, RetireWhen, Rotation, RotationId, SecretPath, Slots, Step, Timestamp,
    Trouble, Usage, Version, VersionNumber,
};

use crate::safety;

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
    /// What the consumers at each destination read.
    reads: BTreeMap<Destination, VersionNumber>,
    /// When the last destination stopped reading a version that was read before.
    replaced_at: BTreeMap<VersionNumber, Timestamp>,
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
            reads,
            replaced_at: BTreeMap::new(),
            rotations: 0,
            promoted: false,
        }
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
        let replaced_at = *self.replaced_at.get(&number)?;
        let until = self.linger.map_or(Timestamp::MAX, |linger| replaced_at + linger);
        Some(until.min(self.time))
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
            Step::Issue { .. } => self.issue(step, Origin::Issued),
            Step::Prepare { .. } | Step::AskPerson { .. } | Step::Disable { .. } | Step::Enable { .. } => {
                panic!("{step:?} is of no kind that is played here")
            }
            Step::Write { destination, .. } => self.delivery(destination).written_at = Some(now),
            Step::Verify { version } => self.version(*version).verified_at = Some(now),
            Step::Promote { version, destination } => {
                self.delivery(destination).promoted_at = Some(now);
                self.promoted = true;
                self.moves_on(destination, Some(*version));
            }
            Step::Confirm { destination, .. } => {
                let delivery = self.delivery(destination);
                delivery.confirmed_at = Some(now);
                delivery.first_confirmed_at.get_or_insert(now);
            }
            Step::Watch { version } => self.watch(*version),
            Step::Revoke { version } => self.revoke(*version),
            Step::ProveDead { version } => self.version(*version).dead_at = Some(now),
            Step::Rename { version, name, title } => {
                let version = self.version(*version);
                name.clone_into(&mut version.name);
                title.clone_into(&mut version.title);
            }
            Step::Purge { version } => self.version(*version).secret_held = false,
            Step::Complete => {
                self.observed.rotation = None;
                self.promoted = false;
            }
        }
        self.observed.trouble = Trouble::default();
        self.count_slots();
    }

    /// The effect takes place, its answer is lost: the next listing shows an orphan.
    pub(crate) fn lose_answer(&mut self, step: &Step) {
        self.issue(step, Origin::Orphan);
        self.count_slots();
    }

    fn issue(&mut self, step: &Step, origin: Origin) {
        let Step::Issue { from } = step else { panic!("{step:?} issues nothing") };
        let number =
            VersionNumber(self.observed.versions.iter().map(|version| version.number.0).max().unwrap_or(0) + 1);
        let name = &self.observed.name;
        let successor = Version {
            number,
            handle: Handle::parse(&format!("{name}-{number}")).unwrap(),
            name: if self.observed.facts.names { format!("{name}_new") } else { name.clone() },
            origin,
            secret_held: origin == Origin::Issued,
            ..found(number.0, name, self.time)
        };
        let (started_at, rotations) = (self.now(), &mut self.rotations);
        let requested = &mut self.observed.requested;
        let rotation = self.observed.rotation.get_or_insert_with(|| {
            *rotations += 1;
            Rotation {
                id: RotationId::new(&format!("r{rotations}")),
                cause: requested.take().unwrap_or(Cause::Age),
                started_at,
                from: *from,
                to: None,
                deliveries: Vec::new(),
            }
        });
        rotation.deliveries.clear();
        rotation.to = (origin == Origin::Issued).then_some(number);
        self.observed.versions.push(successor);
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

    /// Where the promises are kept or broken: nobody may lose what they read, or still use while evidence is demanded.
    fn revoke(&mut self, number: VersionNumber) {
        let version = self.observed.version(number).unwrap();
        if !is_orphan(version) {
            assert!(!self.is_read(number), "version {number} is revoked, and consumers read it: {self:#?}");
            let quiet_demanded = self.policy.retire_when == RetireWhen::Quiet;
            assert!(!quiet_demanded || !self.in_use(number), "version {number} is revoked in use: {self:#?}");
        }
        let now = self.now();
        let version = self.version(number);
        version.revoked_at = Some(now);
        version.presence = Presence::Gone;
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

    /// A person goes back to the older version: a rollback if consumers may read the newer one, else it is abandoned.
    /// Refused where there is nothing to go back to.
    pub(crate) fn go_back(&mut self, by: &str) -> bool {
        let now = self.now();
        let Some(rotation) = &self.observed.rotation else { return false };
        let (Some(newer), Some(older)) = (rotation.to, rotation.from) else { return false };
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

    /// A person hands over the secret of the current version.
    pub(crate) fn import(&mut self, by: &str) {
        let current = self.observed.current().map(|version| version.number);
        let Some(current) = current.filter(|_| self.observed.rotation.is_none()) else { return };
        self.version(current).secret_held = true;
        self.rotations += 1;
        self.observed.rotation = Some(Rotation {
            id: RotationId::new(&format!("r{}", self.rotations)),
            cause: Cause::Import { by: by.to_owned() },
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
