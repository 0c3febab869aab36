//! Planning the whole inventory, from the database alone: a pass over rows, no network.

use std::collections::BTreeMap;

use db::{Db, Entry, Issuers, ReadError};
use domain::{Ask, CredentialId, Finding, Observed, Origin, Plan, Rotation, Timestamp};

use crate::{Applied, Policies};

/// One credential with its plan.
#[derive(Debug)]
pub struct Surveyed {
    pub entry: Entry,
    /// The time by which it was planned: its issuer's.
    pub now: Timestamp,
    /// `None`: no policy applies, and nothing is planned.
    pub planned: Option<(Plan, Applied)>,
}

/// Plans every credential of the given issuers and hands each over, in the order of the inventory. `issuers` gives
/// each one's facts and its time now. Memory stays flat; a million credentials take a few seconds.
///
/// # Errors
/// Those of the database.
pub fn survey(
    db: &Db,
    policies: &dyn Policies,
    issuers: &Issuers,
    mut each: impl FnMut(Surveyed),
) -> Result<(), ReadError> {
    db.scan_entries(issuers, |entry| {
        let now = entry.now;
        let planned = policies
            .applied(&entry.observed.credential, now)
            .map(|applied| (planner::plan(now, &applied.policy, &entry.observed), applied));
        each(Surveyed { entry, now, planned });
    })
}

/// What one credential shows of its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Consumers read a successor that was made under it.
    Served,
    /// A rotation is on its way there.
    Trying,
    Nothing,
}

pub(crate) fn shown_by(observed: &Observed) -> Shown {
    let promoted = observed.rotation.as_ref().is_some_and(Rotation::promoted);
    if promoted || observed.current().is_some_and(|version| version.origin == Origin::Issued) {
        return Shown::Served;
    }
    // What a person holds, or was asked to make, proves nothing and hinders nobody.
    let asked = observed.task.as_ref().is_some_and(|task| matches!(task.ask, Ask::Issue { .. }));
    if observed.rotation.is_some() && observed.hold.is_none() && !asked { Shown::Trying } else { Shown::Nothing }
}

/// Which policies are halted, told from a survey alone: nothing has come through under them, the first rotation is in
/// trouble, and others wait for it.
#[derive(Debug, Default)]
pub struct HaltedPolicies(BTreeMap<String, Course>);

#[derive(Debug, Default)]
struct Course {
    served: bool,
    in_trouble: Option<CredentialId>,
    others_wait: bool,
}

impl HaltedPolicies {
    pub fn look_at(&mut self, surveyed: &Surveyed) {
        let Some((plan, applied)) = &surveyed.planned else { return };
        let observed = &surveyed.entry.observed;
        let course = match self.0.get_mut(&applied.policy.name) {
            Some(course) => course,
            None => self.0.entry(applied.policy.name.clone()).or_default(),
        };
        let due = plan.due(surveyed.now).is_some_and(|planned| planned.step.begins());
        match shown_by(observed) {
            Shown::Served => course.served = true,
            Shown::Trying => {
                if plan.findings.iter().any(Finding::is_called_out) {
                    course.in_trouble.get_or_insert_with(|| observed.credential.clone());
                }
            }
            Shown::Nothing => course.others_wait |= due && observed.rotation.is_none(),
        }
    }

    /// Each with the credential whose rotation goes first.
    pub fn by_name(self) -> BTreeMap<String, CredentialId> {
        let halted = |course: Course| course.in_trouble.filter(|_| !course.served && course.others_wait);
        self.0.into_iter().filter_map(|(name, course)| Some((name, halted(course)?))).collect()
    }
}
