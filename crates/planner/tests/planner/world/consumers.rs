//! Consumers with a name: what they run, what they say, and who answers in their place.

use std::sync::Arc;

use domain::{Acknowledgement, Cause, Destination, Drift, Drifted, Duration, Finding, VersionNumber, Waiver};

use super::{World, is_compromised};

/// Every consumer that a policy may name.
pub(crate) const NAMES: [&str; 3] = ["web", "billing", "batch"];

/// Longer than a consumer takes to begin anew.
const RESTART: Duration = Duration::from_mins(3);

impl World {
    /// Told once, and only of what every destination hands out.
    pub(super) fn tell(&mut self, version: VersionNumber, consumer: &Arc<str>) {
        assert!(!self.observed.told.contains(consumer), "{consumer} is told twice: {self:#?}");
        for destination in &self.policy.deliver {
            assert_eq!(self.reads.get(destination), Some(&version), "{consumer} is told too early: {self:#?}");
        }
        self.observed.told.push(consumer.clone());
    }

    /// It begins anew with what it reads, and says so or not.
    pub(crate) fn consumer_restarts(&mut self, name: &str, says_so: bool) {
        let Some(version) = self.reads.values().next().copied() else { return };
        self.runs.insert(name.into(), version);
        if says_so {
            self.observed.acknowledged.retain(|said| &*said.consumer != name);
            let at = self.now();
            self.observed.acknowledged.push(Acknowledgement { consumer: name.into(), version, at });
        }
    }

    /// Whoever is waited for begins anew and says so.
    pub(crate) fn consumers_answer(&mut self) -> bool {
        let waited_for = |finding: &Finding| matches!(finding, Finding::NotAcknowledged { .. });
        if !self.plan().findings.iter().any(waited_for) {
            return false;
        }
        self.time += RESTART;
        NAMES.iter().for_each(|name| self.consumer_restarts(name, true));
        true
    }

    pub(crate) fn waive(&mut self, consumer: Option<&str>, lasts: Duration) {
        self.observed.waivers.retain(|waiver| waiver.consumer.as_deref() != consumer);
        let (consumer, until) = (consumer.map(Arc::from), self.now() + lasts);
        self.observed.waivers.push(Waiver { consumer, by: "vera".to_owned(), reason: "a test".to_owned(), until });
    }

    pub(super) fn is_waived(&self, consumer: Option<&str>) -> bool {
        let now = self.now();
        self.observed.waivers.iter().any(|waiver| waiver.consumer.as_deref() == consumer && now < waiver.until)
    }

    /// Whoever is to say what it runs does not run what ends, unless somebody answers for it or others know it.
    pub(super) fn nobody_runs(&self, number: VersionNumber, end: &str) {
        let handed_out = self.observed.rotation.as_ref().is_some_and(domain::Rotation::hands_out);
        if !handed_out || is_compromised(&self.observed) {
            return;
        }
        for consumer in self.policy.consumers.iter().filter(|consumer| consumer.acknowledges) {
            let runs_it = self.runs.get(&consumer.name) == Some(&number);
            let waived = self.is_waived(Some(&consumer.name));
            assert!(!runs_it || waived, "version {number} is {end}, and {} runs it: {self:#?}", consumer.name);
        }
    }

    /// An inspection finds something else at a destination.
    pub(crate) fn drifts(&mut self, destination: Destination) {
        self.observed.drift.retain(|drift| drift.destination != destination);
        self.observed.drift.push(Drift { destination, what: Drifted::ValueChanged, seen_at: self.now() });
    }

    /// In the middle of a rotation its successor goes once more to where it was read back and is no more.
    pub(super) fn goes_out_again(&mut self) {
        let Some(rotation) = &mut self.observed.rotation else { return };
        let drifted =
            |destination: &Destination| self.observed.drift.iter().any(|drift| drift.destination == *destination);
        rotation.deliveries.retain(|delivery| delivery.confirmed_at.is_none() || !drifted(&delivery.destination));
        self.observed.drift.clear();
    }

    /// What drifted is put right.
    pub(crate) fn repair(&mut self) {
        if self.observed.hold.is_none() && !self.observed.trouble.parked {
            self.goes_out_again();
        }
        let observed = &self.observed;
        let ours = observed.current().filter(|version| version.secret_held).map(|version| version.number);
        let begins = observed.rotation.is_none() && observed.hold.is_none() && observed.requested.is_none();
        if let Some(current) = ours.filter(|_| begins) {
            self.observed.drift.clear();
            self.deliver_again(Cause::Repair, current);
        }
    }
}
