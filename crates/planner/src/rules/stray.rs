use domain::Finding;

use crate::situation::{Answer, Situation};

/// What carries a successor's name and was not made by us is reported, and nothing else happens to it: adopting it
/// could promote a stranger's secret, removing it could cut a stranger off. Once it is gone there is nothing to say.
pub(crate) fn stray(situation: &mut Situation<'_>) -> Option<Answer> {
    if !situation.observed.stray {
        return None;
    }
    if situation.observed.versions.iter().any(domain::Version::is_live) {
        situation.find(Finding::Stray);
    }
    Some(Answer::nothing())
}
