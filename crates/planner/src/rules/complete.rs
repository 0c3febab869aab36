use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// Every rule before this one passed: the rotation has reached its goal.
pub(crate) fn complete(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let reason = if rotation.from.is_some() { Reason::ProvedDead } else { Reason::NothingToRetire };
    Some(Answer::now(Step::Complete, reason))
}
