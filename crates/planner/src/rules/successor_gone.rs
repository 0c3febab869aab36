use domain::{Finding, Reason};

use crate::{
    rules::issue::issue_again,
    situation::{Answer, Situation},
};

/// The successor is no more while the rotation goes on, mostly because somebody removed it at the platform: another
/// one is issued. If consumers may already read the removed one, that is an outage in the making and said so.
pub(crate) fn successor_gone(situation: &mut Situation<'_>) -> Option<Answer> {
    let rotation = situation.rotation()?;
    let number = rotation.to?;
    let successor = situation.successor();
    if successor.is_some_and(|version| version.is_live() && version.dead_at.is_none()) {
        return None;
    }
    if rotation.promoted() {
        // Dead versions may be left out of what is observed; its number is known in any case.
        let handle = successor.map_or_else(|| format!("version {number}"), |version| version.handle.to_string());
        situation.find(Finding::CurrentGone { handle });
    }
    Some(issue_again(situation, rotation, Reason::SuccessorGone))
}
