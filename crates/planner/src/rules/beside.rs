use domain::{Finding, Origin, Presence, Version};

use crate::situation::{Answer, Situation};

/// Nothing is under way, what consumers read was delivered by us, and another version lives: a person made it, or took back
/// what was gone, or it is what is left of a call whose answer was lost where nothing tells whose it is. It is not ours to
/// remove, and nobody else will unless it is said.
pub(crate) fn beside(situation: &mut Situation<'_>) -> Option<Answer> {
    let observed = situation.observed;
    let current = observed.current().filter(|current| current.delivered_at.is_some())?;
    if observed.rotation.is_some() || situation.ends_by_itself() {
        return None;
    }
    let other = |version: &&Version| {
        let listed = version.is_live() && version.presence == Presence::Listed;
        listed && version.number != current.number && version.origin != Origin::Orphan
    };
    for version in observed.versions.iter().filter(other) {
        situation.find(Finding::LiveBeside { handle: version.handle.to_string() });
    }
    None
}
