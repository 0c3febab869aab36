use domain::{Drift, Drifted, Duration, Finding, Mode, Reason, Timestamp, Version, planted};

use crate::{
    preflight::refusal,
    rules::issue::{cause_as_reason, opening},
    situation::{Answer, Situation, after, days},
};

/// When a version was minted is the platform's word, often to the second; when its parent turned is by our estimate of
/// the platform's clock, which is a second off at most. A version that was minted from the new parent right after the
/// turn may therefore seem older than it, and without this would be minted again and again until the second is over.
const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(2);

/// Is a successor due? Age, the end of its own time or a person's request says so; the checks that cost nothing come
/// before the first effect.
pub(crate) fn due(situation: &mut Situation<'_>) -> Option<Answer> {
    let current = situation.observed.current();
    let reason = match &situation.observed.requested {
        Some(cause) => cause_as_reason(situation, cause),
        None => why_due(situation, current)?,
    };
    if !may_begin(situation) {
        return Some(super::expired(situation).unwrap_or_default());
    }
    let step = opening(situation, current.map(|version| version.number));
    let mut not_before = begins_at(situation, current, &reason);
    if would_cover(situation, &reason) {
        let Some(last) = current.and_then(|version| left(version, 6)) else {
            overdue(situation);
            return Some(super::expired(situation).unwrap_or_default());
        };
        not_before = not_before.max(last);
    }
    Some(Answer::later(step, reason, not_before))
}

/// Somebody wrote where consumers read, and the next delivery would cover it: until it is put right, nothing is begun by
/// age alone. What ends by itself is replaced all the same when a sixth of its time is left, as with a closed window. Where
/// nothing is, nothing is covered.
fn would_cover(situation: &Situation<'_>, reason: &Reason) -> bool {
    let by_age = matches!(reason, Reason::AgeReached { .. } | Reason::ExpiresSoon { .. });
    let written = |drift: &Drift| matches!(drift.what, Drifted::ValueChanged | Drifted::LabelMoved);
    by_age && situation.drifted().any(written)
}

/// Why this version, or having none, makes a successor due by now.
pub(crate) fn why_due(situation: &Situation<'_>, current: Option<&Version>) -> Option<Reason> {
    let Some(version) = current.filter(|version| !version.has_expired(situation.now)) else {
        return Some(Reason::NoneLive);
    };
    let minted_by = after(version.created_at, CLOCKS_DIFFER_MAX);
    let turned = situation.observed.parent_turned_at.is_some_and(|at| at > minted_by);
    if turned && !planted("child_not_minted_anew") {
        return Some(Reason::ParentTurned);
    }
    if situation.now >= aged_at(situation, version) {
        return Some(Reason::AgeReached { age: situation.age(version), limit: situation.policy.rotate_after });
    }
    let expires_at = version.expires_at?;
    let due_at = if planted("minted_too_late") { expires_at } else { left(version, 3)? };
    (situation.now >= due_at).then_some(Reason::ExpiresSoon { at: expires_at })
}

/// By age, or when two thirds of its own time are over, whichever comes first: the last third is for failures, and for
/// the people who mend them.
pub(crate) fn due_at(situation: &Situation<'_>, version: &Version) -> Timestamp {
    let aged_at = aged_at(situation, version);
    left(version, 3).map_or(aged_at, |at| at.min(aged_at))
}

fn aged_at(situation: &Situation<'_>, version: &Version) -> Timestamp {
    after(version.created_at, situation.policy.rotate_after)
}

/// When this part of a version's own time is left: its third, its sixth.
fn left(version: &Version, part: i32) -> Option<Timestamp> {
    let expires_at = version.expires_at?;
    let life = expires_at.duration_since(version.created_at).max(Duration::ZERO);
    Some(after(expires_at, -(life / part)))
}

/// The policy's window is for what can wait. What has no version that works, or one that others know, cannot. An expiring
/// version waits for the window until a sixth of its time is left and is then replaced whatever the window says: consumers
/// with a dead token are worse off than an operator with a change outside of the hours.
fn begins_at(situation: &Situation<'_>, current: Option<&Version>, reason: &Reason) -> Timestamp {
    let opens = situation.policy.begin_not_before.unwrap_or(Timestamp::MIN);
    match reason {
        Reason::NoneLive | Reason::ParentTurned | Reason::Compromised { .. } => Timestamp::MIN,
        _ => current.and_then(|version| left(version, 6)).map_or(opens, |last| opens.min(last)),
    }
}

/// A person's own request overrides the mode, nothing else.
fn may_begin(situation: &mut Situation<'_>) -> bool {
    let observed = situation.observed;
    if observed.requested.is_none() {
        match situation.policy.mode {
            Mode::Automatic => {}
            Mode::Ask => situation.find(Finding::ApprovalWanted),
            Mode::Notify => {
                situation.find(Finding::OwnerActs);
                return false;
            }
            Mode::Observe => {
                situation.find(Finding::OnlyObserved);
                return false;
            }
        }
    }
    let Some(refusal) = refusal(situation) else { return true };
    let silent = !refusal.wants_attention();
    situation.find(refusal);
    if silent {
        overdue(situation);
    }
    false
}

/// What cannot be replaced grows older all the same, and where nothing else says so, its age does.
fn overdue(situation: &mut Situation<'_>) {
    let Some(current) = situation.observed.current() else { return };
    if situation.now >= after(current.created_at, situation.policy.retire_after) {
        let (age_days, limit_days) = (situation.age_days(current), days(situation.policy.retire_after));
        situation.find(Finding::Overdue { age_days, limit_days });
    }
}
