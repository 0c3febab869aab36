use domain::{Finding, Origin, Presence, Version};

use crate::situation::{Answer, Situation};

/// Outside a rotation, the newest version was removed by somebody else. If we delivered it, consumers read something
/// dead: a person is told. If it was only met here, its owner has retired it, and there is nothing to say. What never
/// was, or has only come to the end of its own time, is another matter: a new one is due.
pub(crate) fn current_gone(situation: &mut Situation<'_>) -> Option<Answer> {
    let observed = situation.observed;
    if observed.current().is_some() || observed.requested.is_some() || situation.ends_by_itself() {
        return None;
    }
    let issued = |version: &&Version| version.origin != Origin::Orphan && version.presence != Presence::Prepared;
    let newest = observed.versions.iter().rev().find(issued)?;
    if newest.has_expired(situation.now) {
        return None;
    }
    if newest.secret_held && newest.presence == Presence::Gone {
        let handle = newest.handle.to_string();
        situation.find(Finding::CurrentGone { handle });
    }
    Some(Answer::nothing())
}
