use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// Every rule before this one passed: the rotation has reached its goal.
pub(crate) fn complete(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let reason = match situation.retiree() {
        _ if rotation.from.is_none() => Reason::NothingToRetire,
        Some(retiree) if retiree.is_live() => Reason::ExpiresByItself,
        Some(retiree) if retiree.is_prepared() => Reason::Abandoned,
        _ => Reason::ProvedDead,
    };
    Some(Answer::now(Step::Complete, reason))
}
