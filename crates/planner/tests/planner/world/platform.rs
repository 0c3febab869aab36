//! What steps do to the platform, by its facts: who makes a version, what dies with it, and whom a person's word binds.

use domain::{
    Ask, Cause, Duration, Finding, Handle, Idempotency, Origin, Overlap, Presence, Rotation, RotationId, Step, Task,
    Trouble, Version, VersionNumber,
};

use super::{World, found};

impl World {
    /// The effect takes place, its answer is lost. What the next look shows depends on what the platform can be told:
    /// the same again for the same question, an orphan with our mark, or something that nobody knows for ours.
    pub(crate) fn lose_answer(&mut self, step: &Step) {
        let Step::Issue { from } = step else { panic!("{step:?} issues nothing") };
        let facts = self.observed.facts.clone();
        let replaces = facts.overlap == Overlap::Replace;
        if facts.repeats_itself() {
            self.open_rotation(*from);
            self.in_doubt = true;
        } else if facts.idempotency == Idempotency::FindByMarker || replaces {
            self.issue(*from, Origin::Orphan);
            self.in_doubt = replaces;
        } else {
            self.left_alone.insert(self.next_number());
            self.issue(*from, Origin::Found);
        }
        self.count_slots();
    }

    fn next_number(&self) -> VersionNumber {
        VersionNumber(self.observed.versions.iter().map(|version| version.number.0).max().unwrap_or(0) + 1)
    }

    fn open_rotation(&mut self, from: Option<VersionNumber>) {
        let (started_at, rotations) = (self.now(), &mut self.rotations);
        let requested = &mut self.observed.requested;
        self.observed.rotation.get_or_insert_with(|| {
            *rotations += 1;
            Rotation {
                id: RotationId::new(&format!("r{rotations}")),
                cause: requested.take().unwrap_or(Cause::Age),
                started_at,
                from,
                to: None,
                deliveries: Vec::new(),
            }
        });
    }

    pub(super) fn prepare(&mut self, from: Option<VersionNumber>) {
        self.add_version(from, Origin::Issued);
        let number = self.observed.rotation.as_ref().unwrap().to.unwrap();
        self.version(number).presence = Presence::Prepared;
    }

    pub(super) fn issue(&mut self, from: Option<VersionNumber>, origin: Origin) {
        let to = self.observed.rotation.as_ref().and_then(|rotation| self.observed.version(rotation.to?));
        let prepared = to.filter(|version| version.is_prepared()).map(|version| version.number);
        let number = prepared.unwrap_or_else(|| self.add_version(from, origin));
        let (time, now, life) = (self.time, self.now(), self.life);
        let version = self.version(number);
        version.presence = Presence::Listed;
        version.created_at = time;
        version.expires_at = life.map(|life| time + life);
        self.in_doubt = false;
        if self.observed.facts.overlap == Overlap::Replace {
            let others = self.observed.versions.iter_mut().filter(|version| version.number != number);
            for other in others.filter(|version| version.revoked_at.is_none()) {
                other.presence = Presence::Gone;
                // What died unseen is found gone; what we know of is our own doing.
                other.revoked_at = (origin == Origin::Issued).then_some(now);
            }
        }
    }

    /// One more version, in the rotation under way or a new one. It is the successor if its secret reaches us.
    fn add_version(&mut self, from: Option<VersionNumber>, origin: Origin) -> VersionNumber {
        let number = self.next_number();
        let name = &self.observed.name;
        let version = Version {
            number,
            handle: Handle::parse(&format!("{name}-{number}")).unwrap(),
            name: if self.observed.facts.names { format!("{name}_new") } else { name.clone() },
            origin,
            secret_held: origin == Origin::Issued,
            ..found(number.0, name, self.time)
        };
        self.open_rotation(from);
        let rotation = self.observed.rotation.as_mut().unwrap();
        rotation.deliveries.clear();
        self.observed.told.clear();
        rotation.to = (origin == Origin::Issued).then_some(number);
        self.observed.versions.push(version);
        number
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        if let Ask::Issue { from } = ask {
            self.open_rotation(from);
        }
        let asked_at = self.now();
        self.observed.task = Some(Task { ask, asked_at, due_at: asked_at + self.policy.task_within });
    }

    /// A person who reads what is said does what they were asked, if anything. Where they only say so, the platform goes on accepting.
    pub(crate) fn person_acts(&mut self, truly: bool) -> bool {
        let plan = self.plan();
        let told = |wanted: fn(&Finding) -> bool| plan.findings.iter().any(wanted);
        let waited_for = told(|one| matches!(one, Finding::TaskWaiting { .. } | Finding::TaskOverdue { .. }));
        let not_now = !waited_for || told(|one| matches!(one, Finding::TaskTooEarly { .. }));
        let Some(task) = self.observed.task.take_if(|_| !not_now) else { return false };
        match task.ask {
            Ask::Issue { from } if truly => self.issue(from, Origin::Issued),
            // What is not accepted is not taken: the task stays open.
            Ask::Issue { .. } => self.observed.task = Some(task),
            Ask::Revoke { version } => {
                if truly {
                    self.lied_about.remove(&version);
                    // Use may have begun again since they were asked; what is read, they were told to leave.
                    assert!(!self.is_read(version), "version {version} is removed, and consumers read it: {self:#?}");
                    self.end(version);
                } else {
                    self.lied_about.insert(version);
                    let now = self.now();
                    let version = self.version(version);
                    version.revoked_at = Some(now);
                    version.presence = Presence::Gone;
                }
            }
        }
        self.observed.trouble = Trouble::default();
        self.count_slots();
        true
    }

    pub(crate) fn is_left_alone(&self, number: VersionNumber) -> bool {
        self.left_alone.contains(&number)
    }

    /// Whether a rotation retired it.
    pub(crate) fn retired(&self, number: VersionNumber) -> bool {
        self.retired.contains(&number)
    }

    pub(crate) fn people_are_honest(&mut self) {
        self.lied_about.clear();
    }

    /// Whether a trial at the platform succeeds.
    pub(super) fn is_accepted(&self, number: VersionNumber) -> bool {
        let version = self.observed.version(number).unwrap();
        let there = version.presence == Presence::Listed && version.revoked_at.is_none();
        (there || self.lied_about.contains(&number)) && !version.has_expired(self.time)
    }

    /// The trial succeeds although it should not. A record that still shows it past the propagation takes back what a
    /// person said; otherwise it is tried again later.
    pub(super) fn still_accepted(&mut self, number: VersionNumber) {
        let now = self.now();
        self.observed.trouble = Trouble::default();
        let propagation = self.observed.facts.propagation;
        let listed = self.observed.facts.lists_versions;
        let version = self.version(number);
        if listed && version.revoked_at.is_some_and(|at| at + propagation < now) {
            version.revoked_at = None;
            version.presence = Presence::Listed;
            self.lied_about.remove(&number);
            self.count_slots();
            return;
        }
        self.observed.trouble.retry_at = Some(now + Duration::from_mins(15));
    }

    /// Nobody reads it, and where silence is demanded nobody uses it.
    pub(super) fn disable(&mut self, number: VersionNumber) {
        self.must_not_be_needed(number, "switched off");
        let now = self.now();
        self.version(number).disabled_at = Some(now);
    }
}
