use domain::Finding;

use crate::situation::{Answer, Situation};

/// Attempts end: a step that failed too often, or that must not be repeated at all, waits for a person instead of failing
/// for ever.
pub(crate) fn parked(situation: &mut Situation<'_>) -> Option<Answer> {
    let trouble = &situation.observed.trouble;
    if !trouble.parked {
        return None;
    }
    situation.find(Finding::Parked {
        attempts: trouble.attempts,
        error: trouble.last_error.clone().unwrap_or_else(|| "unknown".to_owned()),
    });
    Some(Answer::nothing())
}
