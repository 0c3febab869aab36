use domain::{Cause, Reason, Step, planted};

use crate::situation::{Answer, Situation};

/// The successor goes to every destination that does not have it yet. One that fails is tried again alone.
pub(crate) fn deliver(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.handed_out()?;
    if planted("partial_set_promoted") && rotation.deliveries.iter().any(|delivery| delivery.written_at.is_some()) {
        return None;
    }
    let steps: Vec<Step> = situation
        .unwritten(rotation)
        .map(|destination| Step::Write { version: successor.number, destination: destination.clone() })
        .collect();
    let reason = match &rotation.cause {
        Cause::Rollback { by, .. } | Cause::Abandon { by, .. } => Reason::RolledBack { by: by.clone() },
        Cause::Repair => Reason::Drifted,
        Cause::Import { by } => Reason::Imported { by: by.clone() },
        Cause::Age | Cause::Requested { .. } | Cause::Compromised { .. } | Cause::ParentTurned => {
            Reason::SuccessorIssued
        }
    };
    (!steps.is_empty()).then(|| Answer::steps(steps, &reason))
}
