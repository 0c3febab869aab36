use domain::{Finding, Reason, Step, planted};

use crate::{
    gate::{Gate, gate},
    situation::{Answer, Situation},
};

/// What was switched off is switched on again before anything else as soon as somebody is known to need it: consumers
/// are to read it again, it was tried meanwhile, or the gate that let it be switched off has closed. What may be off, since
/// an answer was lost, counts as off.
pub(crate) fn enable(situation: &mut Situation<'_>) -> Option<Answer> {
    let since = |version: &domain::Version| version.disabled_at.or(version.switch_in_doubt);
    let off = |version: &&domain::Version| version.is_live() && since(version).is_some();
    if let Some(successor) = situation.successor().filter(off) {
        return Some(Answer::now(Step::Enable { version: successor.number }, Reason::NeededAgain));
    }
    // What others know stays off, whoever misses it.
    let retiree = situation.retiree().filter(off).filter(|_| situation.compromised_by().is_none())?;
    let step = Step::Enable { version: retiree.number };
    let missed = |at: &domain::Timestamp| since(retiree).is_some_and(|off_since| *at > off_since);
    if let Some(last_used) = retiree.usage.last_used.filter(missed)
        && !planted("tried_while_off_ignored")
    {
        situation.find(Finding::UsedWhileDisabled { last_used });
        return Some(Answer::now(step, Reason::UsedWhileDisabled { last_used }));
    }
    let replaced =
        situation.successor().is_some_and(|version| version.is_live() && !version.has_expired(situation.now));
    let open = replaced && matches!(gate(situation, retiree), Gate::Open(_) | Gate::AskUse(_));
    (!open && !planted("tried_while_off_ignored")).then(|| Answer::now(step, Reason::NeededAgain))
}
