use domain::{Cause, Finding, Reason, Step};

use crate::situation::{Answer, Situation};

/// The rotation has begun and has no successor yet: the first attempt failed, or its answer was lost and the orphan
/// is gone by now.
pub(crate) fn issue(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    if rotation.to.is_some() {
        return None;
    }
    if let Some(name) = &situation.observed.name_taken {
        situation.find(Finding::NameTaken { name: name.clone() });
        return Some(Answer::nothing());
    }
    Some(Answer::now(Step::Issue { from: rotation.from }, cause_as_reason(situation, &rotation.cause)))
}

/// Why a rotation was begun, as the reason of its first step.
pub(crate) fn cause_as_reason(situation: &Situation<'_>, cause: &Cause) -> Reason {
    match cause {
        Cause::Age => {
            let version = situation.retiree().or_else(|| situation.observed.current());
            Reason::AgeReached {
                age_days: version.map_or(0, |version| situation.age_days(version)),
                limit_days: crate::situation::days(situation.policy.rotate_after),
            }
        }
        Cause::Requested { by, .. } => Reason::Requested { by: by.clone() },
        Cause::Rollback { by, .. } | Cause::Abandon { by, .. } => Reason::RolledBack { by: by.clone() },
        Cause::Import { by } => Reason::Imported { by: by.clone() },
    }
}
