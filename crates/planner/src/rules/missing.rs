use domain::{Finding, Presence};

use crate::situation::{Answer, Situation};

/// A version that the last listing did not show may be gone, or the listing may be stale. Until the platform has
/// been asked for it by id, nothing is concluded from its absence. Where a listing need not show every version, or a
/// version leaves it at its own end, absence is no question.
pub(crate) fn missing(situation: &mut Situation<'_>) -> Option<Answer> {
    let observed = situation.observed;
    let ends_by_itself = situation.ends_by_itself();
    let version = observed.versions.iter().filter(|_| observed.facts.lists_versions).find(|version| {
        let ended = ends_by_itself && version.has_expired(situation.now);
        version.presence == Presence::Missing && version.is_live() && !ended
    })?;
    let handle = version.handle.to_string();
    situation.find(Finding::VersionMissing { handle });
    Some(Answer::nothing())
}
