//! What can be refused without a call, before anything is issued: at the beginning of a rotation, and again whenever
//! its successor has to be made anew, since the platform may have changed meanwhile.

use domain::{Finding, Parent, Version};

use crate::situation::Situation;

pub(crate) fn refusal(situation: &Situation<'_>) -> Option<Finding> {
    let observed = situation.observed;
    if situation.policy.deliver.is_empty() {
        return Some(Finding::NoDestination);
    }
    // Only a version tells of its application: where none is left, it may be on again, and the platform itself refuses.
    if observed.parent == Parent::Disabled && observed.versions.iter().any(Version::is_live) {
        return Some(Finding::ParentDisabled);
    }
    if let Some(name) = &observed.name_taken {
        return Some(Finding::NameTaken { name: name.clone() });
    }
    let used = observed.slots.used;
    observed.facts.live_max().filter(|max| used >= *max).map(|live_max| Finding::NoSlot { used, live_max })
}
