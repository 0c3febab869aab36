use domain::{Ask, Ending, Finding, Reason, Step, Timestamp, Version};

use crate::{
    CLOCK_TOLERANCE,
    rules::ask::waiting,
    situation::{Answer, Situation, after},
};

/// Dead means proved dead. Within the platform's propagation an acceptance means nothing; after it, the version is
/// listed as live, a person is told, and it is tried again and again.
pub(crate) fn prove_dead(situation: &mut Situation<'_>) -> Option<Answer> {
    let dying = situation.left_behind().find(|version| is_dying(situation, version))?;
    let version = dying.number;
    let Some(revoked_at) = dying.revoked_at else {
        return Some(Answer::now(Step::ProveDead { version }, Reason::RemovedByHand));
    };
    if let Some(answer) = still_accepted(situation, version, revoked_at) {
        return Some(answer);
    }
    Some(Answer::now(Step::ProveDead { version }, Reason::Revoked))
}

/// What ends by itself is proved dead after its end, whatever became of it before.
fn is_dying(situation: &Situation<'_>, version: &Version) -> bool {
    let waits_for_its_end = situation.ends_by_itself() && version.expires_at.is_some();
    !version.is_live() && !version.is_prepared() && version.dead_at.is_none() && !waits_for_its_end
}

/// Past the platform's propagation it should be refused. Where a person removed it, they are asked again: they may have
/// removed another one. The trials go on meanwhile. A record that could be asked, and that still had it, would have taken
/// the removal back.
fn still_accepted(
    situation: &mut Situation<'_>,
    version: domain::VersionNumber,
    revoked_at: Timestamp,
) -> Option<Answer> {
    let deadline = after(after(revoked_at, situation.observed.facts.propagation), CLOCK_TOLERANCE);
    if situation.now <= deadline {
        return None;
    }
    situation.find(Finding::StillAccepted { revoked_at });
    let ask = Ask::Revoke { version };
    let asked = waiting(situation, ask).is_some();
    let facts = &situation.observed.facts;
    let by_trial_alone = facts.ending == Ending::ByPerson && !facts.lists_versions;
    let again = by_trial_alone && situation.was_put_off() && !asked;
    again.then(|| Answer::now(Step::AskPerson { ask }, Reason::Revoked))
}
