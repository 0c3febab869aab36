use domain::{
    Ask, Cause, Duration, Minting, Overlap, Performer, Reason, Rotation, Step, Version, VersionNumber, planted,
};

use crate::{
    preflight::refusal,
    rules::{ask::waiting, due::why_due},
    situation::{Answer, Situation},
};

/// The rotation has begun and has no successor yet: a person was asked, the first attempt failed, or its answer was lost
/// and the orphan is gone by now. Or it has one that the platform does not know of.
pub(crate) fn issue(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let reason = cause_as_reason(situation, &rotation.cause);
    if rotation.to.is_none() {
        return Some(issue_again(situation, rotation, reason));
    }
    let prepared = situation.successor().filter(|version| version.is_prepared())?;
    let known = prepared.secret_held && situation.observed.facts.issued_by == Performer::Machine;
    Some(if known { have_it_taken(situation, rotation, prepared) } else { issue_again(situation, rotation, reason) })
}

/// Another successor in the same rotation, if the preflight finds nothing against it.
pub(crate) fn issue_again(situation: &mut Situation<'_>, rotation: &Rotation, reason: Reason) -> Answer {
    let step = opening(situation, rotation.from);
    if let Step::AskPerson { ask } = step
        && let Some(answer) = waiting(situation, ask)
    {
        return answer;
    }
    if let Some(finding) = refusal(situation) {
        situation.find(finding);
        return Answer::nothing();
    }
    Answer::now(step, reason)
}

/// The step with which a successor comes into the world.
pub(crate) fn opening(situation: &Situation<'_>, from: Option<VersionNumber>) -> Step {
    let facts = &situation.observed.facts;
    match (facts.issued_by, facts.minting) {
        (Performer::Person, _) => Step::AskPerson { ask: Ask::Issue { from } },
        (Performer::Machine, Minting::ByUs) => Step::Prepare { from },
        (Performer::Machine, Minting::ByIssuer) => Step::Issue { from },
    }
}

/// The platform takes the value that we chose. Where the old one dies with that, the new one waits at every destination
/// first, so that the gap is no longer than a trial and a promotion.
fn have_it_taken(situation: &mut Situation<'_>, rotation: &Rotation, prepared: &Version) -> Answer {
    if let Some(finding) = refusal(situation) {
        situation.find(finding);
        return Answer::nothing();
    }
    let replaces = situation.observed.facts.overlap == Overlap::Replace;
    let ahead = replaces && !planted("replaced_before_it_waits");
    let writes: Vec<Step> = situation
        .unwritten(rotation)
        .filter(|_| ahead)
        .map(|destination| Step::Write { version: prepared.number, destination: destination.clone() })
        .collect();
    if writes.is_empty() {
        return Answer::now(Step::Issue { from: rotation.from }, Reason::Prepared);
    }
    Answer::steps(writes, &Reason::ReplacedAtOnce)
}

/// Why a rotation was begun, as the reason of its first step.
pub(crate) fn cause_as_reason(situation: &Situation<'_>, cause: &Cause) -> Reason {
    match cause {
        Cause::Age => {
            let version = situation.retiree().or_else(|| situation.observed.current());
            why_due(situation, version).unwrap_or_else(|| Reason::AgeReached {
                age: version.map_or(Duration::ZERO, |version| situation.age(version)),
                limit: situation.policy.rotate_after,
            })
        }
        Cause::Requested { by, .. } => Reason::Requested { by: by.clone() },
        Cause::Rollback { by, .. } | Cause::Abandon { by, .. } => Reason::RolledBack { by: by.clone() },
        Cause::Compromised { by, .. } => Reason::Compromised { by: by.clone() },
        Cause::ParentTurned => Reason::ParentTurned,
        Cause::Repair => Reason::Drifted,
        Cause::Import { by } => Reason::Imported { by: by.clone() },
    }
}
