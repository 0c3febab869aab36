use domain::{Finding, Reason, Step};

use crate::situation::{Answer, Situation};

/// A delivery counts when it was read back by the consumer's path and found equal.
pub(crate) fn confirm(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.handed_out()?;
    if situation.policy.deliver.is_empty() && !rotation.serves() {
        // Its destinations were taken away before anybody was given it: closing the rotation now would look like success.
        situation.find(Finding::NoDestination);
        return Some(Answer::nothing());
    }
    let unproved =
        situation.policy.deliver.iter().filter(|destination| {
            rotation.delivery(destination).is_none_or(|delivery| delivery.confirmed_at.is_none())
        });
    let steps: Vec<Step> = unproved
        .map(|destination| Step::Confirm { version: successor.number, destination: destination.clone() })
        .collect();
    (!steps.is_empty()).then(|| Answer::steps(steps, &Reason::PromotedEverywhere))
}
