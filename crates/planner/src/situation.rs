//! What a rule is asked with, and what it may answer.

use domain::{
    Cause, Destination, Drift, Duration, Ending, Finding, Mode, Observed, Origin, Plan, Planned, Policy, Reason,
    Rotation, Step, Timestamp, Version,
};

use crate::ASK_AGAIN_LONGEST;

pub(crate) struct Situation<'a> {
    pub(crate) now: Timestamp,
    pub(crate) policy: &'a Policy,
    pub(crate) observed: &'a Observed,
    pub(crate) findings: Vec<Finding>,
}

/// Steps in order and the time to wake; empty: nothing to do.
#[derive(Default)]
pub(crate) struct Answer {
    steps: Vec<Planned>,
    wake_at: Option<Timestamp>,
}

impl Answer {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn wake_at(at: Timestamp) -> Self {
        Self { steps: Vec::new(), wake_at: Some(at) }
    }

    pub(crate) fn now(step: Step, reason: Reason) -> Self {
        Self::steps([step], &reason)
    }

    pub(crate) fn steps(steps: impl IntoIterator<Item = Step>, reason: &Reason) -> Self {
        let planned = |step| Planned { step, reason: reason.clone(), not_before: Timestamp::MIN };
        Self { steps: steps.into_iter().map(planned).collect(), wake_at: None }
    }

    pub(crate) fn later(step: Step, reason: Reason, not_before: Timestamp) -> Self {
        Self { steps: vec![Planned { step, reason, not_before }], wake_at: None }
    }
}

impl<'a> Situation<'a> {
    pub(crate) fn new(now: Timestamp, policy: &'a Policy, observed: &'a Observed) -> Self {
        Self { now, policy, observed, findings: Vec::new() }
    }

    pub(crate) fn rotation(&self) -> Option<&'a Rotation> {
        self.observed.rotation.as_ref()
    }

    /// The successor of the rotation under way.
    pub(crate) fn successor(&self) -> Option<&'a Version> {
        self.observed.version(self.rotation()?.to?)
    }

    /// The successor, where this rotation delivers it to consumers and can.
    pub(crate) fn handed_out(&self) -> Option<&'a Version> {
        self.rotation().filter(|rotation| rotation.hands_out())?;
        self.successor().filter(|version| version.secret_held)
    }

    /// Destinations of the policy that the successor has not reached yet.
    pub(crate) fn unwritten(&self, rotation: &'a Rotation) -> impl Iterator<Item = &'a Destination> {
        let written =
            |destination| rotation.delivery(destination).is_some_and(|delivery| delivery.written_at.is_some());
        self.policy.deliver.iter().filter(move |destination| !written(destination))
    }

    /// Destinations of the policy that hold something else than what was delivered. In a rotation only those count at which
    /// its successor was read back: what was found before it began, it covers.
    pub(crate) fn drifted(&self) -> impl Iterator<Item = &'a Drift> {
        let read_back = |drift: &Drift| {
            self.rotation().is_none_or(|rotation| {
                rotation.delivery(&drift.destination).is_some_and(|delivery| delivery.confirmed_at.is_some())
            })
        };
        let deliver = &self.policy.deliver;
        self.observed.drift.iter().filter(move |drift| deliver.contains(&drift.destination) && read_back(drift))
    }

    /// The version that the rotation under way retires. Never its own successor, whatever the record says.
    pub(crate) fn retiree(&self) -> Option<&'a Version> {
        let rotation = self.rotation()?;
        self.observed.version(rotation.from.filter(|from| rotation.to != Some(*from))?)
    }

    /// What the rotation under way leaves behind: the retiree, and successors of ours that others replaced before
    /// they had served.
    pub(crate) fn left_behind(&self) -> impl Iterator<Item = &'a Version> {
        let (from, to) = self.rotation().map_or((None, None), |rotation| (rotation.from, rotation.to));
        let ours = move |version: &&Version| Some(version.number) == from || version.origin == Origin::Issued;
        let other = move |version: &&Version| Some(version.number) != to;
        let under_way = self.rotation().is_some();
        self.observed.versions.iter().filter(move |version| under_way && ours(version) && other(version))
    }

    /// Whether only time ends a version.
    pub(crate) fn ends_by_itself(&self) -> bool {
        self.observed.facts.ending == Ending::Expires
    }

    /// Others know what is in use: whatever can be skipped without an outage is skipped. Said during a rotation, it hurries
    /// that one along, and another one follows for its successor.
    pub(crate) fn compromised_by(&self) -> Option<&'a str> {
        let under_way = self.rotation().map(|rotation| &rotation.cause);
        let causes = [under_way, self.observed.requested.as_ref()];
        causes.into_iter().flatten().find_map(|cause| match cause {
            Cause::Compromised { by, .. } => Some(by.as_str()),
            _ => None,
        })
    }

    /// Whether the policy leaves every step to others.
    pub(crate) fn is_left_to_others(&self) -> bool {
        matches!(self.policy.mode, Mode::Notify | Mode::Observe)
    }

    /// Whether the step that is planned now was answered "not yet" the last time. A failed attempt is no answer.
    pub(crate) fn was_put_off(&self) -> bool {
        self.observed.trouble.retry_at.is_some() && self.observed.trouble.attempts == 0
    }

    /// The same, with an answer that was given after that moment: nobody may have asked since the last one.
    pub(crate) fn was_put_off_after(&self, at: Timestamp) -> bool {
        let asked_later = |retry_at: Timestamp| retry_at > after(at, ASK_AGAIN_LONGEST);
        self.was_put_off() && self.observed.trouble.retry_at.is_some_and(asked_later)
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn age(&self, version: &Version) -> Duration {
        self.now.duration_since(version.created_at)
    }

    pub(crate) fn age_days(&self, version: &Version) -> i64 {
        days(self.now.duration_since(version.created_at))
    }

    /// Applies what holds for every answer: a failed step waits for its next attempt, a planned step is never in the
    /// past, and waiting has a time to wake.
    pub(crate) fn finish(mut self, answer: Answer) -> Plan {
        let trouble = &self.observed.trouble;
        let retry_at = trouble.retry_at.filter(|at| *at > self.now);
        let mut steps = answer.steps;
        for planned in &mut steps {
            planned.not_before = planned.not_before.max(self.now).max(retry_at.unwrap_or(Timestamp::MIN));
        }
        if let (Some(error), false, true) = (&trouble.last_error, trouble.parked, !steps.is_empty()) {
            self.findings.push(Finding::Retrying { attempts: trouble.attempts, error: error.clone() });
        }
        let first_step = steps.first().map(|planned| planned.not_before);
        Plan { steps, findings: self.findings, wake_at: first_step.or(answer.wake_at) }
    }
}

/// Whole days, rounded down.
pub(crate) fn days(duration: Duration) -> i64 {
    duration.as_secs().div_euclid(24 * 60 * 60)
}

/// `at + duration`, held at the end of time.
pub(crate) fn after(at: Timestamp, duration: Duration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
