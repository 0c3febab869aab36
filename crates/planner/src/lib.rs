//! What to do next for one credential: pure and total. No I/O, no clock, no secret in reach.
//!
//! [`plan`] asks one small rule after another; their order, in [`RULES`], is the policy. A rule passes, or answers
//! and ends the questioning. Trouble is a [`domain::Finding`], never an error.
//!
//! Invariant: nothing here knows which platform it plans for. Facts decide.

mod gate;
mod preflight;
mod rules;
mod situation;

use domain::{Observed, Plan, Policy, Timestamp};
use situation::{Answer, Situation};

/// A proof counts for retiring something only while it is younger than this. Long enough for a run to walk an estate
/// between proof and use, short enough that what was proved is still so.
pub const PROOF_AGE_MAX: domain::Duration = domain::Duration::from_mins(30);

/// What an answer of "not yet" puts off is asked again after this at the latest.
pub const ASK_AGAIN_LONGEST: domain::Duration = domain::Duration::from_mins(15);

/// How far the clock may lie before what is on record: the platform's `Date` has a granularity of a second, and
/// several of its front ends need not agree to the second.
pub const CLOCK_TOLERANCE: domain::Duration = domain::Duration::from_mins(2);

/// How long after the last refusal to tell an issuer is asked again about use.
pub const USAGE_ASK_AGAIN: domain::Duration = domain::Duration::from_hours(1);

/// A switched-off version is listened to for this long, beyond the platform's propagation, before it goes for good. The
/// silence before is the proof; this is the net under it, for what calls every few minutes and left no trace. Whoever
/// calls more seldom is what `quiet_for` is for, and a longer outage is nobody's wish.
pub const DISABLED_FOR: domain::Duration = domain::Duration::from_mins(15);

type Rule = fn(&mut Situation<'_>) -> Option<Answer>;

/// The questions in their order. What comes first wins.
const RULES: &[Rule] = &[
    rules::stray,
    rules::protected,
    rules::drift,
    rules::held,
    rules::clock_went_back,
    rules::parked,
    rules::left_to_others,
    rules::enable,
    rules::orphan,
    rules::missing,
    rules::successor_gone,
    rules::issue,
    rules::deliver,
    rules::verify,
    rules::promote,
    rules::confirm,
    rules::tell,
    rules::retire,
    rules::prove_dead,
    rules::rename,
    rules::purge,
    rules::complete,
    rules::current_gone,
    rules::beside,
    rules::due,
    rules::expired,
    rules::rest,
];

/// The next steps for one credential. Total: it answers for every input; the same input gets the same plan.
pub fn plan(now: Timestamp, policy: &Policy, observed: &Observed) -> Plan {
    let mut situation = Situation::new(now, policy, observed);
    let answer = RULES.iter().find_map(|rule| rule(&mut situation)).unwrap_or_default();
    situation.finish(answer)
}
