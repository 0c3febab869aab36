use domain::{Finding, Reason, Step, Version, planted};

use crate::{
    PROOF_AGE_MAX,
    gate::{Gate, gate},
    situation::{Answer, Situation, after, days},
};

/// The old version goes when the gate is open and every proof is fresh. A closed gate extends its life, whatever its
/// age: past `retire_after` a person is told, and nothing is cut.
pub(crate) fn retire(situation: &mut Situation<'_>) -> Option<Answer> {
    let retiree = situation.retiree().filter(|version| version.is_live())?;
    let version = retiree.number;
    if planted("renamed_before_the_removal")
        && let Some(answer) = super::rename(situation)
    {
        return Some(answer);
    }
    match gate(situation, retiree) {
        Gate::Until(opens_at) => Some(Answer::later(Step::Revoke { version }, Reason::OverlapRuns, opens_at)),
        Gate::AskUse(reason) => Some(Answer::now(Step::Watch { version }, reason)),
        Gate::InUse { last_used, ask_at } => {
            situation.find(Finding::StillUsed { last_used });
            escalate(situation, retiree);
            Some(Answer::later(Step::Watch { version }, Reason::SilenceAwaited, ask_at))
        }
        Gate::NotYetQuiet { ask_at } => Some(Answer::later(Step::Watch { version }, Reason::SilenceAwaited, ask_at)),
        Gate::NoEvidence { ask_at } => {
            situation.find(Finding::NoUsageEvidence);
            escalate(situation, retiree);
            Some(
                ask_at.map_or_else(Answer::nothing, |at| {
                    Answer::later(Step::Watch { version }, Reason::SilenceAwaited, at)
                }),
            )
        }
        Gate::NowhereDelivered => {
            situation.find(Finding::NoDestination);
            Some(Answer::nothing())
        }
        Gate::Open(reason) => {
            Some(prove_again(situation).unwrap_or_else(|| Answer::now(Step::Revoke { version }, reason)))
        }
    }
}

fn escalate(situation: &mut Situation<'_>, retiree: &Version) {
    let age_days = situation.age_days(retiree);
    if situation.now >= after(retiree.created_at, situation.policy.retire_after) {
        let limit_days = days(situation.policy.retire_after);
        situation.find(Finding::Overdue { age_days, limit_days });
    }
}

/// What was proved at promotion may be days old: the successor is tried and read back once more before the old
/// version goes. Where nothing was handed out, nothing needs such a proof.
fn prove_again(situation: &Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.handed_out()?;
    if planted("stale_proof_accepted") {
        return None;
    }
    let stale = |at: Option<domain::Timestamp>| at.is_none_or(|at| after(at, PROOF_AGE_MAX) < situation.now);
    if stale(successor.verified_at) {
        return Some(Answer::now(Step::Verify { version: successor.number }, Reason::ProofTooOld));
    }
    let steps: Vec<Step> = situation
        .policy
        .deliver
        .iter()
        .filter(|destination| rotation.delivery(destination).is_none_or(|delivery| stale(delivery.confirmed_at)))
        .map(|destination| Step::Confirm { version: successor.number, destination: destination.clone() })
        .collect();
    (!steps.is_empty()).then(|| Answer::steps(steps, &Reason::ProofTooOld))
}
