use domain::{Duration, Finding, Reason, Step, planted};

use crate::situation::{Answer, Situation, after};

/// Beyond the platform's own propagation a successor gets this long before its refusal is a person's business:
/// gateways that were down for a moment catch up within it.
const DEADLINE_SLACK: Duration = Duration::from_mins(10);

/// Nothing is promoted that the platform has not accepted in this very rotation: what is rolled back to may have died
/// meanwhile.
pub(crate) fn verify(situation: &mut Situation<'_>) -> Option<Answer> {
    let successor = situation.handed_out()?;
    let started_at = situation.rotation()?.started_at;
    if successor.verified_at.is_some_and(|at| at >= started_at) || planted("promoted_unverified") {
        return None;
    }
    let since = successor.created_at.max(started_at);
    let deadline = after(after(since, situation.observed.facts.propagation), DEADLINE_SLACK);
    if situation.now > deadline {
        situation.find(Finding::SuccessorRefused { since });
    }
    Some(Answer::now(Step::Verify { version: successor.number }, Reason::WrittenEverywhere))
}
