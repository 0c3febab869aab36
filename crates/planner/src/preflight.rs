//! What can be refused without a call, before anything is issued: at the beginning of a rotation, and again whenever
//! its successor has to be made anew, since the platform may have changed meanwhile.

use domain::{Finding, Parent};

use crate::situation::Situation;

pub(crate) fn refusal(situation: &Situation<'_>) -> Option<Finding> {
    let observed = situation.observed;
    if situation.policy.deliver.is_empty() {
        return Some(Finding::NoDestination);
    }
    if observed.parent == Parent::Disabled {
        return Some(Finding::ParentDisabled);
    }
    if let Some(name) = &observed.name_taken {
        return Some(Finding::NameTaken { name: name.clone() });
    }
    let used = observed.slots.used;
    observed.facts.live_max().filter(|max| used >= *max).map(|live_max| Finding::NoSlot { used, live_max })
}
