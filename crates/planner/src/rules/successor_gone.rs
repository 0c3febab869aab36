use domain::{Finding, Presence, Reason, Step};

use crate::situation::{Answer, Situation};

/// Somebody removed the successor at the platform while the old version still lives: another one is issued. If
/// consumers may already read the removed one, that is an outage in the making and said so.
pub(crate) fn successor_gone(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let successor = situation.successor().filter(|version| version.presence == Presence::Gone)?;
    if rotation.promoted() {
        let handle = successor.handle.to_string();
        situation.find(Finding::CurrentGone { handle });
    }
    Some(Answer::now(Step::Issue { from: rotation.from }, Reason::SuccessorGone))
}
