use domain::{Duration, Reason, Step, Timestamp, Version};

use crate::{
    DISABLED_FOR, PROOF_AGE_MAX, USAGE_ASK_AGAIN,
    gate::switches_off,
    rules::retire::ending,
    situation::{Answer, Situation, after},
};

/// Before a version goes for good it is switched off, where it can be switched on again: the last look for somebody whom
/// no record has shown.
pub(crate) fn switch_off(situation: &Situation<'_>, retiree: &Version, reason: &Reason) -> Option<Answer> {
    let handed_out = situation.rotation()?.hands_out();
    // Where the answer to a switch was lost, it may be on: it is switched off again, and listened for anew.
    let first = retiree.disabled_at.is_none() || retiree.switch_in_doubt.is_some();
    (first && handed_out && switches_off(situation))
        .then(|| Answer::now(Step::Disable { version: retiree.number }, reason.clone()))
}

/// While it is switched off, it is listened for whoever misses it.
pub(crate) fn listening(situation: &Situation<'_>, retiree: &Version) -> Option<Answer> {
    let until = listened_until(situation, retiree)?;
    let watched = situation.observed.facts.usage;
    let next = if watched { Step::Watch { version: retiree.number } } else { ending(situation, retiree.number)? };
    (situation.now < until).then(|| Answer::later(next, Reason::SwitchedOff, until))
}

/// What was heard counts when the platform was asked after the listening and told of all of it. A platform that does not
/// tell leaves it to the word that opened the gate.
pub(crate) fn heard(situation: &Situation<'_>, retiree: &Version) -> Option<Answer> {
    let until = listened_until(situation, retiree).filter(|_| situation.observed.facts.usage)?;
    let watch = Step::Watch { version: retiree.number };
    let propagation = situation.observed.facts.propagation;
    let Some(asked_at) = retiree.usage.asked_at.filter(|at| *at >= until) else {
        return Some(Answer::now(watch, Reason::SwitchedOff));
    };
    if after(asked_at, PROOF_AGE_MAX) < situation.now {
        return Some(Answer::now(watch, Reason::ProofTooOld));
    }
    let known_through = retiree.usage.known_through?;
    let missing = until.duration_since(known_through).saturating_sub(propagation);
    let lag = asked_at.duration_since(known_through);
    if missing <= Duration::ZERO || lag > propagation.saturating_add(PROOF_AGE_MAX) {
        return None;
    }
    let patience = lag.clamp(Duration::from_secs(1), USAGE_ASK_AGAIN);
    Some(Answer::later(watch, Reason::SwitchedOff, after(asked_at, patience)))
}

fn listened_until(situation: &Situation<'_>, retiree: &Version) -> Option<Timestamp> {
    let disabled_at = retiree.disabled_at.filter(|_| switches_off(situation) && retiree.switch_in_doubt.is_none())?;
    Some(after(after(disabled_at, DISABLED_FOR), situation.observed.facts.propagation))
}
