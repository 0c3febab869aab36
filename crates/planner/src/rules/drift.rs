use domain::Finding;

use crate::situation::{Answer, Situation};

/// What an inspection found at a destination of the policy is said, also of what is held or parked, and hinders nothing. A
/// rotation under way has its own checks.
pub(crate) fn drift(situation: &mut Situation<'_>) -> Option<Answer> {
    if situation.rotation().is_none() {
        for drift in &situation.observed.drift {
            if situation.policy.deliver.contains(&drift.destination) {
                let destination = drift.destination.to_string();
                situation.findings.push(Finding::Drifted { destination, what: drift.what });
            }
        }
    }
    None
}
