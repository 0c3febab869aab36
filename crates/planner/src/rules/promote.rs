use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// The set is complete and verified: the successor becomes current, one destination after the other.
pub(crate) fn promote(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.handed_out()?;
    let waiting = situation
        .policy
        .deliver
        .iter()
        .filter(|destination| rotation.delivery(destination).is_none_or(|delivery| delivery.promoted_at.is_none()));
    let steps: Vec<Step> = waiting
        .map(|destination| Step::Promote { version: successor.number, destination: destination.clone() })
        .collect();
    (!steps.is_empty()).then(|| Answer::steps(steps, &Reason::Verified))
}
