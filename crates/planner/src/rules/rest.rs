use domain::Mode;

use crate::{
    rules::{due::due_at, expired::next_end},
    situation::{Answer, Situation},
};

/// Nothing is to be done. It wakes when the successor is due, or when an older version comes to its own end.
pub(crate) fn rest(situation: &mut Situation<'_>) -> Option<Answer> {
    if situation.policy.mode == Mode::Observe {
        return None;
    }
    let due_at = situation.observed.current().map(|version| due_at(situation, version));
    let wakes = [due_at, next_end(situation)];
    wakes.into_iter().flatten().min().map(Answer::wake_at)
}
