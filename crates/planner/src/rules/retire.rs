use domain::{Ask, Cause, Ending, Finding, Reason, Step, Version, VersionNumber, planted};

use crate::{
    PROOF_AGE_MAX,
    gate::{Gate, confirmed_everywhere_at, gate},
    rules::{
        ask::{ask, waiting},
        disable::{heard, listening, switch_off},
        issue::cause_as_reason,
    },
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
    let Some(end) = ending(situation, version) else { return give_up(situation, retiree) };
    let overdue = situation.observed.task.as_ref().is_some_and(|task| situation.now >= task.due_at);
    if overdue && planted("task_assumed_done") {
        return Some(Answer::now(Step::Revoke { version }, Reason::OverlapOver));
    }
    let gate = gate(situation, retiree);
    if let Some(answer) = asked_already(situation, retiree, &gate) {
        return Some(answer);
    }
    if let Some(answer) = listening(situation, retiree) {
        return Some(answer);
    }
    match gate {
        Gate::Until(opens_at, reason) => Some(Answer::later(end, reason, opens_at)),
        Gate::AskUse(reason) => Some(Answer::now(Step::Watch { version }, reason)),
        Gate::InUse { last_used, ask_at } => {
            situation.find(Finding::StillUsed { last_used });
            escalate(situation, retiree);
            Some(Answer::later(Step::Watch { version }, Reason::SilenceAwaited, ask_at))
        }
        Gate::NotYetQuiet { ask_at } => Some(Answer::later(Step::Watch { version }, Reason::SilenceAwaited, ask_at)),
        Gate::NotAcknowledged { consumers } => {
            situation.find(Finding::NotAcknowledged { consumers });
            escalate(situation, retiree);
            Some(Answer::nothing())
        }
        Gate::NoEvidence { ask_at } => {
            situation.find(Finding::NoUsageEvidence);
            escalate(situation, retiree);
            Some(
                ask_at.map_or_else(Answer::nothing, |at| {
                    Answer::later(Step::Watch { version }, Reason::SilenceAwaited, at)
                }),
            )
        }
        Gate::ParentDisabled => {
            situation.find(Finding::ParentDisabled);
            escalate(situation, retiree);
            Some(Answer::nothing())
        }
        Gate::Drifted => {
            escalate(situation, retiree);
            Some(Answer::nothing())
        }
        Gate::NowhereDelivered => {
            situation.find(Finding::NoDestination);
            Some(Answer::nothing())
        }
        Gate::Open(reason) => Some(
            heard(situation, retiree)
                .or_else(|| prove_again(situation, retiree))
                .or_else(|| switch_off(situation, retiree, &reason))
                .unwrap_or_else(|| match end {
                    Step::AskPerson { ask: wanted } => ask(situation, wanted, reason),
                    end => Answer::now(end, reason),
                }),
        ),
    }
}

/// The step that ends a version for good; none, where only time does.
pub(crate) fn ending(situation: &Situation<'_>, version: VersionNumber) -> Option<Step> {
    match situation.observed.facts.ending {
        Ending::Revoked => Some(Step::Revoke { version }),
        Ending::ByPerson => Some(Step::AskPerson { ask: Ask::Revoke { version } }),
        Ending::Expires => None,
    }
}

/// What only time ends is left to it once its successor is everywhere. Whoever goes back gives up a version that outlives
/// the one that stays: its secret is forgotten, so that it is never taken for what consumers read.
fn give_up(situation: &mut Situation<'_>, retiree: &Version) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let delivered = situation.handed_out().and_then(|_| confirmed_everywhere_at(situation)).is_some();
    if rotation.hands_out() && !delivered {
        situation.find(Finding::NoDestination);
        return Some(Answer::nothing());
    }
    let back = matches!(rotation.cause, Cause::Rollback { .. } | Cause::Abandon { .. });
    let step = Step::Purge { version: retiree.number };
    (back && retiree.secret_held).then(|| Answer::now(step, cause_as_reason(situation, &rotation.cause)))
}

/// A person was asked when the gate was open, and is waited for. If it has closed since, the task cannot be taken back, but
/// it is said that it is to wait, and the gate is looked at as if nobody had been asked.
fn asked_already(situation: &mut Situation<'_>, retiree: &Version, gate: &Gate) -> Option<Answer> {
    let ask = Ask::Revoke { version: retiree.number };
    let asked_at = situation.observed.task.as_ref().filter(|task| task.ask == ask)?.asked_at;
    if matches!(gate, Gate::Open(_) | Gate::AskUse(Reason::ProofTooOld)) {
        escalate(situation, retiree);
        return waiting(situation, ask);
    }
    situation.find(Finding::TaskTooEarly { asked_at });
    match gate {
        Gate::Until(opens_at, _) => Some(Answer::wake_at(*opens_at)),
        _ => None,
    }
}

fn escalate(situation: &mut Situation<'_>, retiree: &Version) {
    let age_days = situation.age_days(retiree);
    if situation.now >= after(retiree.created_at, situation.policy.retire_after) {
        let limit_days = days(situation.policy.retire_after);
        situation.find(Finding::Overdue { age_days, limit_days });
    }
}

/// The successor was accepted once and is refused now: consumers read something that does not work, and only the old version
/// would still save them. That is said at once.
fn refused_by_now(situation: &mut Situation<'_>, successor: &Version, retiree: &Version) {
    let Some(since) = successor.verified_at else { return };
    if after(since, PROOF_AGE_MAX) < situation.now && situation.was_put_off_after(after(since, PROOF_AGE_MAX)) {
        situation.find(Finding::SuccessorRefused { since });
        escalate(situation, retiree);
    }
}

/// What was proved at promotion may be days old: the successor is tried and read back once more before the old
/// version goes. Where nothing was handed out, nothing needs such a proof.
fn prove_again(situation: &mut Situation<'_>, retiree: &Version) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.handed_out()?;
    if planted("stale_proof_accepted") {
        return None;
    }
    refused_by_now(situation, successor, retiree);
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
