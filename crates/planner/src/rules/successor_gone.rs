use domain::{Finding, Reason, Version};

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
    if successor.is_some_and(|version| version.is_prepared() || may_serve(situation, version)) {
        return None;
    }
    if let Some(at) = successor
        .filter(|version| version.is_live() && version.has_expired(situation.now))
        .and_then(|version| version.expires_at)
    {
        return Some(issue_again(situation, rotation, Reason::SuccessorExpired { at }));
    }
    if rotation.promoted() {
        // Dead versions may be left out of what is observed; its number is known in any case.
        let handle = successor.map_or_else(|| format!("version {number}"), |version| version.handle.to_string());
        situation.find(Finding::CurrentGone { handle });
    }
    Some(issue_again(situation, rotation, Reason::SuccessorGone))
}

/// Where nothing but time ends a version, one whose secret was forgotten is as good as gone.
fn may_serve(situation: &Situation<'_>, version: &Version) -> bool {
    let forgotten = situation.ends_by_itself() && version.is_given_up();
    version.is_live() && !version.has_expired(situation.now) && !forgotten
}
