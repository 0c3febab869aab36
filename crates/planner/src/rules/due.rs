use domain::{Finding, Mode, Reason, Step, Timestamp};

use crate::{
    preflight::refusal,
    rules::issue::cause_as_reason,
    situation::{Answer, Situation, after, days},
};

/// Is a successor due? Age or a person's request says so; the checks that cost nothing come before the first effect.
pub(crate) fn due(situation: &mut Situation<'_>) -> Option<Answer> {
    let current = situation.observed.current();
    let reason = match (&situation.observed.requested, current) {
        (Some(cause), _) => cause_as_reason(situation, cause),
        (None, None) => return Some(Answer::nothing()),
        (None, Some(version)) => {
            let due_at = after(version.created_at, situation.policy.rotate_after);
            if situation.now < due_at {
                return Some(not_due(situation, due_at));
            }
            Reason::AgeReached {
                age_days: situation.age_days(version),
                limit_days: days(situation.policy.rotate_after),
            }
        }
    };
    if !may_begin(situation) {
        return Some(Answer::nothing());
    }
    let step = Step::Issue { from: current.map(|version| version.number) };
    let not_before = situation.policy.begin_not_before.unwrap_or(Timestamp::MIN);
    Some(Answer::later(step, reason, not_before))
}

fn not_due(situation: &Situation<'_>, due_at: Timestamp) -> Answer {
    match situation.policy.mode {
        Mode::Observe => Answer::nothing(),
        Mode::Automatic | Mode::Ask | Mode::Notify => Answer::wake_at(due_at),
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
    let refusal = refusal(situation);
    let refused = refusal.is_some();
    situation.findings.extend(refusal);
    !refused
}
