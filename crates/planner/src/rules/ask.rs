use domain::{Ask, Finding, Reason, Step};

use crate::situation::{Answer, Situation};

/// A person is asked once and then waited for, and it is said that we wait. Nothing proceeds in silence.
pub(crate) fn ask(situation: &mut Situation<'_>, ask: Ask, reason: Reason) -> Answer {
    waiting(situation, ask).unwrap_or_else(|| Answer::now(Step::AskPerson { ask }, reason))
}

/// The answer while this very task is open.
pub(crate) fn waiting(situation: &mut Situation<'_>, ask: Ask) -> Option<Answer> {
    let task = situation.observed.task.as_ref().filter(|task| task.ask == ask)?;
    let (asked_at, due_at) = (task.asked_at, task.due_at);
    if situation.now >= due_at {
        situation.find(Finding::TaskOverdue { due_at });
        return Some(Answer::nothing());
    }
    situation.find(Finding::TaskWaiting { asked_at, due_at });
    Some(Answer::wake_at(due_at))
}
