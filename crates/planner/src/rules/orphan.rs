use domain::{Observed, Origin, Reason, Step, Version, planted};

use crate::situation::{Answer, Situation};

/// A lost answer leaves a version that carries our marker and whose secret nobody has. It goes before anything else
/// is issued: it holds the successor's name, and it is a live credential that no one watches.
pub(crate) fn orphan(situation: &mut Situation<'_>) -> Option<Answer> {
    let orphan = unfinished_orphan(situation.observed).filter(|_| !planted("orphans_left_alone"))?;
    let version = orphan.number;
    let step = if orphan.is_live() { Step::Revoke { version } } else { Step::ProveDead { version } };
    Some(Answer::now(step, Reason::AnswerLost))
}

/// The first orphan that is not yet proved dead.
pub(crate) fn unfinished_orphan(observed: &Observed) -> Option<&Version> {
    let unfinished =
        |version: &&Version| version.origin == Origin::Orphan && version.dead_at.is_none() && !version.secret_held;
    observed.versions.iter().find(unfinished)
}
