use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// A dead secret is of use to nobody: our sealed copies go.
pub(crate) fn purge(situation: &mut Situation<'_>) -> Option<Answer> {
    let dead = situation.left_behind().find(|version| version.dead_at.is_some() && version.secret_held)?;
    Some(Answer::now(Step::Purge { version: dead.number }, Reason::ProvedDead))
}
