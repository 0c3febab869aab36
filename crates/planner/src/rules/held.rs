use domain::Finding;

use crate::situation::{Answer, Situation};

/// A held credential stays exactly as it is, in the middle of a rotation too: both versions go on living.
/// The journal enforces the same once more where effects begin, so that a hold set this very moment counts.
pub(crate) fn held(situation: &mut Situation<'_>) -> Option<Answer> {
    let hold = situation.observed.hold.as_ref()?;
    situation.find(Finding::Held { by: hold.by.clone(), reason: hold.reason.clone() });
    Some(Answer::nothing())
}
