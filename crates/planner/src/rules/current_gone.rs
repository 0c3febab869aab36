use domain::{Finding, Origin, Presence};

use crate::situation::{Answer, Situation};

/// Outside a rotation, the newest version was removed by somebody else. If we delivered it, consumers read something
/// dead: a person is told. If it was only met here, its owner has retired it, and there is nothing to say.
pub(crate) fn current_gone(situation: &mut Situation<'_>) -> Option<Answer> {
    let observed = situation.observed;
    if observed.current().is_some() || observed.requested.is_some() {
        return None;
    }
    let newest = observed.versions.iter().rev().find(|version| version.origin != Origin::Orphan);
    if let Some(version) = newest.filter(|version| version.secret_held && version.presence == Presence::Gone) {
        let handle = version.handle.to_string();
        situation.find(Finding::CurrentGone { handle });
    }
    Some(Answer::nothing())
}
