use domain::Finding;

use crate::situation::{Answer, Situation};

/// What an inspection found at a destination of the policy is said, also of what is held or parked. Here it hinders nothing;
/// the gate and the next rotation by age wait for it.
pub(crate) fn drift(situation: &mut Situation<'_>) -> Option<Answer> {
    let found =
        |drift: &domain::Drift| Finding::Drifted { destination: drift.destination.to_string(), what: drift.what };
    let findings: Vec<Finding> = situation.drifted().map(found).collect();
    situation.findings.extend(findings);
    None
}
