use domain::{Reason, Step};

use crate::situation::{Answer, Situation};

/// A dead secret is of use to nobody, nor is one that we chose and gave up before the platform took it: our sealed copies
/// go.
pub(crate) fn purge(situation: &mut Situation<'_>) -> Option<Answer> {
    let mut held = situation.left_behind().filter(|version| version.secret_held);
    let useless = held.find(|version| version.dead_at.is_some() || version.is_prepared())?;
    let reason = if useless.dead_at.is_some() { Reason::ProvedDead } else { Reason::Abandoned };
    Some(Answer::now(Step::Purge { version: useless.number }, reason))
}
