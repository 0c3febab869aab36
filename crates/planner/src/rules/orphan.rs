use domain::{Ask, Ending, Finding, Observed, Origin, Overlap, Reason, Step, Version, planted};

use crate::{
    rules::ask::ask,
    situation::{Answer, Situation},
};

/// A lost answer leaves a version that carries our marker and whose secret nobody has. It goes before anything else
/// is issued: it holds the successor's name, and it is a live credential that no one watches.
pub(crate) fn orphan(situation: &mut Situation<'_>) -> Option<Answer> {
    let orphan = unfinished_orphan(situation.observed).filter(|_| !planted("orphans_left_alone"))?;
    let version = orphan.number;
    if !orphan.is_live() {
        return Some(Answer::now(Step::ProveDead { version }, Reason::AnswerLost));
    }
    if situation.observed.facts.ending == Ending::Revoked {
        return Some(Answer::now(Step::Revoke { version }, Reason::AnswerLost));
    }
    if situation.rotation().is_some() {
        return Some(ask(situation, Ask::Revoke { version }, Reason::AnswerLost));
    }
    // A task belongs to a rotation: until the next one begins, it is only said.
    situation.find(Finding::OrphanLeft { handle: orphan.handle.to_string() });
    None
}

/// The first orphan that is not yet proved dead. Where a new version replaces the old one, only the next issue ends an
/// orphan, and it comes at once; where only time ends one, it is left to it.
pub(crate) fn unfinished_orphan(observed: &Observed) -> Option<&Version> {
    let unfinished = |version: &&Version| {
        let lost = version.origin == Origin::Orphan && !version.secret_held;
        lost && version.dead_at.is_none() && !version.is_prepared()
    };
    let ours_to_end = observed.facts.overlap != Overlap::Replace && observed.facts.ending != Ending::Expires;
    observed.versions.iter().filter(|_| ours_to_end).find(unfinished)
}
