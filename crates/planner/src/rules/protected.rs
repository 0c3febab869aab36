use domain::{Finding, planted};

use crate::situation::{Answer, Situation};

/// The platform's own integration depends on it: never replaced, never removed, whoever asks. The journal refuses it
/// once more where effects begin.
pub(crate) fn protected(situation: &mut Situation<'_>) -> Option<Answer> {
    if !situation.observed.protected || planted("protected_touched") {
        return None;
    }
    situation.find(Finding::Protected);
    Some(Answer::nothing())
}
