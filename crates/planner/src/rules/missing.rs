use domain::{Finding, Presence};

use crate::situation::{Answer, Situation};

/// A version that the last listing did not show may be gone, or the listing may be stale. Until the platform has
/// been asked for it by id, nothing is concluded from its absence.
pub(crate) fn missing(situation: &mut Situation<'_>) -> Option<Answer> {
    let version = situation.observed.versions.iter().find(|version| {
        version.presence == Presence::Missing && version.revoked_at.is_none() && version.dead_at.is_none()
    })?;
    let handle = version.handle.to_string();
    situation.find(Finding::VersionMissing { handle });
    Some(Answer::nothing())
}
