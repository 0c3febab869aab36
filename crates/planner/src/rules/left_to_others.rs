use domain::{Cause, Finding, Mode};

use crate::{
    rules::orphan::unfinished_orphan,
    situation::{Answer, Situation},
};

/// The policy has come to leave the credential to others while something was under way: it stays as it is, both
/// versions go on living. What a person asked for goes on, since a request overrides the mode.
pub(crate) fn left_to_others(situation: &mut Situation<'_>) -> Option<Answer> {
    let finding = match situation.policy.mode {
        Mode::Automatic | Mode::Ask => return None,
        Mode::Notify => Finding::OwnerActs,
        Mode::Observe => Finding::OnlyObserved,
    };
    let (asked_for, under_way) = match situation.rotation() {
        Some(rotation) => (!matches!(rotation.cause, Cause::Age | Cause::ParentTurned), true),
        None => (situation.observed.requested.is_some(), unfinished_orphan(situation.observed).is_some()),
    };
    if asked_for || !under_way || situation.compromised_by().is_some() {
        return None;
    }
    situation.find(finding);
    Some(Answer::nothing())
}
