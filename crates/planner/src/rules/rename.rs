use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// The survivor takes the name that people know, so that names never grow. Only after the old one is gone: two
/// cannot have one name, so where the old one lives on until its own end, names stay as they are.
pub(crate) fn rename(situation: &mut Situation<'_>) -> Option<Answer> {
    let observed = situation.observed;
    let successor = situation.successor().filter(|_| observed.facts.names)?;
    if successor.name == observed.name && successor.title == observed.title {
        return None;
    }
    if situation.ends_by_itself() && situation.retiree().is_some_and(domain::Version::is_live) {
        return None;
    }
    let step = Step::Rename { version: successor.number, name: observed.name.clone(), title: observed.title.clone() };
    Some(Answer::now(step, Reason::ProvedDead))
}
