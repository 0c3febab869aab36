use domain::{Finding, Reason, Step};

use crate::{
    CLOCK_TOLERANCE,
    situation::{Answer, Situation, after},
};

/// Dead means proved dead. Within the platform's propagation an acceptance means nothing; after it, the version is
/// listed as live, a person is told, and it is tried again and again.
pub(crate) fn prove_dead(situation: &mut Situation<'_>) -> Option<Answer> {
    let dying = situation.left_behind().find(|version| !version.is_live() && version.dead_at.is_none())?;
    if let Some(revoked_at) = dying.revoked_at {
        let deadline = after(after(revoked_at, situation.observed.facts.propagation), CLOCK_TOLERANCE);
        if situation.now > deadline {
            situation.find(Finding::StillAccepted { revoked_at });
        }
    }
    let reason = if dying.revoked_at.is_some() { Reason::Revoked } else { Reason::RemovedByHand };
    Some(Answer::now(Step::ProveDead { version: dying.number }, reason))
}
