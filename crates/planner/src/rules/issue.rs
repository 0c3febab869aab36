use domain::{Cause, Reason, Rotation, Step};

use crate::{
    preflight::refusal,
    situation::{Answer, Situation},
};

/// The rotation has begun and has no successor yet: the first attempt failed, or its answer was lost and the orphan
/// is gone by now.
pub(crate) fn issue(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    if rotation.to.is_some() {
        return None;
    }
    Some(issue_again(situation, rotation, cause_as_reason(situation, &rotation.cause)))
}

/// Another successor in the same rotation, if the preflight finds nothing against it.
pub(crate) fn issue_again(situation: &mut Situation<'_>, rotation: &Rotation, reason: Reason) -> Answer {
    if let Some(finding) = refusal(situation) {
        situation.find(finding);
        return Answer::nothing();
    }
    Answer::now(Step::Issue { from: rotation.from }, reason)
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
        Cause::Compromised { by, .. } => Reason::Compromised { by: by.clone() },
        Cause::ParentTurned => Reason::ParentTurned,
        Cause::Import { by } => Reason::Imported { by: by.clone() },
    }
}
