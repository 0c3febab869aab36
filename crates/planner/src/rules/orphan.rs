use domain::{Origin, Presence, Reason, Step};

use crate::situation::{Answer, Situation};

/// A lost answer leaves a version that carries our marker and whose secret nobody has. It goes before anything else
/// is issued: it holds the successor's name, and it is a live credential that no one watches.
pub(crate) fn orphan(situation: &mut Situation<'_>) -> Option<Answer> {
    let orphan = situation
        .observed
        .versions
        .iter()
        .find(|version| version.origin == Origin::Orphan && version.dead_at.is_none() && !version.secret_held)?;
    let version = orphan.number;
    let gone = orphan.revoked_at.is_some() || orphan.presence == Presence::Gone;
    let step = if gone { Step::ProveDead { version } } else { Step::Revoke { version } };
    Some(Answer::now(step, Reason::AnswerLost))
}
