//! Every state of small worlds. Where the properties sample, this leaves nothing out: each field that a gate reads
//! takes each value that could matter to it, in all combinations.

use std::collections::BTreeMap;

use domain::{
    Cause, Delivery, Duration, Hold, Mode, Observed, Origin, Parent, Plan, Planned, Policy, Presence, Reason,
    RetireWhen, Rotation, RotationId, Slots, Step, Timestamp, Trouble, Usage, Version, VersionNumber,
};

use crate::{
    safety,
    world::{World, days, default_facts, default_policy, destination, found, is_orphan, start},
};

/// Counts through all combinations of choices, the last axis fastest.
pub(crate) struct Odometer<const AXES: usize> {
    sizes: [usize; AXES],
    next: Option<[usize; AXES]>,
}

impl<const AXES: usize> Odometer<AXES> {
    pub(crate) fn new(sizes: [usize; AXES]) -> Self {
        Self { sizes, next: Some([0; AXES]) }
    }
}

impl<const AXES: usize> Iterator for Odometer<AXES> {
    type Item = [usize; AXES];

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next?;
        let mut following = at;
        self.next = (0..AXES).rev().find_map(|axis| {
            following[axis] += 1;
            let turned_over = following[axis] == self.sizes[axis];
            if turned_over {
                following[axis] = 0;
            }
            (!turned_over).then_some(following)
        });
        Some(at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Listed,
    Missing,
    Gone,
    Revoked,
    Dead,
    LeftOut,
}

const SUCCESSOR: [State; 5] = [State::Listed, State::Missing, State::Gone, State::Revoked, State::LeftOut];
const RETIREE: [State; 5] = [State::Listed, State::Missing, State::Gone, State::Revoked, State::Dead];
/// The first so many of `RETIREE` are alive.
const RETIREE_ALIVE: usize = 2;
const RETIREE_IS: [(Origin, bool); 4] =
    [(Origin::Found, false), (Origin::Found, true), (Origin::Issued, true), (Origin::Orphan, false)];

/// The rotation began twenty days ago; overlap ten days, silence one day, propagation ten minutes.
fn now() -> Timestamp {
    start() + days(20)
}

fn days_ago(count: i64) -> Timestamp {
    now() - days(count)
}

fn a_minute_ago() -> Timestamp {
    now() - Duration::from_mins(1)
}

fn put(version: &mut Version, state: State) {
    let gone = matches!(state, State::Gone | State::LeftOut);
    version.presence = match state {
        State::Missing => Presence::Missing,
        _ if gone => Presence::Gone,
        _ => Presence::Listed,
    };
    version.revoked_at = matches!(state, State::Revoked | State::Dead).then(|| days_ago(2));
    version.dead_at = (state == State::Dead).then(|| days_ago(1));
}

fn retiree(number: u32, state: usize, kind: usize) -> Version {
    let (origin, secret_held) = RETIREE_IS[kind];
    let mut version = Version { origin, secret_held, ..found(number, "web", days_ago(95)) };
    put(&mut version, RETIREE[state]);
    version
}

fn successor(number: u32, state: usize, held: usize, verified: usize) -> Version {
    // Never, before this rotation, in it but too long ago, just now.
    let verified_at = [None, Some(days_ago(21)), Some(days_ago(19)), Some(a_minute_ago())][verified];
    let origin = Origin::Issued;
    let mut version = Version { origin, secret_held: held == 1, verified_at, ..found(number, "web_new", days_ago(20)) };
    put(&mut version, SUCCESSOR[state]);
    version
}

/// What came out of a walk through all states.
#[derive(Debug, Default)]
struct Tally {
    states: usize,
    retired: usize,
    steps: BTreeMap<&'static str, usize>,
    findings: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn count(&mut self, now: Timestamp, plan: &Plan) {
        self.states += 1;
        if let Some(planned) = plan.due(now) {
            *self.steps.entry(planned.step.word()).or_default() += 1;
        }
        for finding in &plan.findings {
            *self.findings.entry(finding.word()).or_default() += 1;
        }
    }
}

#[track_caller]
pub(crate) fn check(now: Timestamp, policy: &Policy, observed: &Observed) -> Plan {
    let plan = planner::plan(now, policy, observed);
    if let Err(broken) = safety::check(now, policy, observed, &plan) {
        panic!("{broken}\n{plan:#?}\nof {observed:#?}\nunder {policy:#?}");
    }
    plan
}

/// Whether the safety rules would let the old version go at this moment.
fn may_go(now: Timestamp, policy: &Policy, observed: &Observed) -> bool {
    let Some(version) = observed.rotation.as_ref().and_then(|rotation| rotation.from) else { return false };
    if observed.version(version).is_none_or(is_orphan) {
        return false;
    }
    let revoke = Planned { step: Step::Revoke { version }, reason: Reason::OverlapOver, not_before: now };
    let plan = Plan { steps: vec![revoke], findings: Vec::new(), wake_at: Some(now) };
    safety::check(now, policy, observed, &plan).is_ok()
}

fn goes(now: Timestamp, plan: &Plan, observed: &Observed) -> bool {
    matches!(plan.due(now), Some(Planned { step: Step::Revoke { version }, .. })
        if !observed.version(*version).is_some_and(is_orphan))
}

/// Nothing delivered, or any of written, promoted, confirmed lately or long ago, first confirmed lately or long ago.
const DELIVERIES: usize = 1 + 2 * 2 * 3 * 3;

fn rotation(cause: &Cause, from: u32, to: u32, delivery: usize) -> Rotation {
    let delivery = delivery.checked_sub(1).map(|index| Delivery {
        destination: destination("local"),
        written_at: [None, Some(days_ago(19))][index % 2],
        promoted_at: [None, Some(days_ago(18))][index / 2 % 2],
        confirmed_at: [None, Some(days_ago(5)), Some(a_minute_ago())][index / 4 % 3],
        // The overlap is over since yesterday, or runs until tomorrow.
        first_confirmed_at: [None, Some(days_ago(11)), Some(days_ago(9))][index / 12],
    });
    Rotation {
        id: RotationId::new("r1"),
        cause: cause.clone(),
        started_at: days_ago(20),
        from: Some(VersionNumber(from)),
        to: Some(VersionNumber(to)),
        deliveries: delivery.into_iter().collect(),
    }
}

/// Nothing told, told long ago or just now; of no use, of use before the successor, long after it, and lately.
const USAGES: usize = 3 * 4;

fn usage(index: usize) -> Usage {
    let known_through = [None, Some(days_ago(1)), Some(a_minute_ago())][index / 4];
    let last_used = [None, Some(days_ago(30)), Some(days_ago(3)), Some(now() - Duration::from_hours(1))][index % 4];
    Usage { last_used, known_through, asked_at: known_through }
}

/// A clock that goes back opens nothing that is not open now, or was and has only to be proved anew.
#[track_caller]
fn check_earlier_clocks(policy: &Policy, observed: &Observed, plan: &Plan) {
    let proved_again = plan.due(now()).is_some_and(|planned| planned.reason == Reason::ProofTooOld);
    for back in [Duration::from_secs(90), Duration::from_hours(1), days(2)] {
        let earlier = now() - back;
        if goes(earlier, &check(earlier, policy, observed), observed) {
            assert!(
                proved_again || goes(now(), plan, observed),
                "{back:#} earlier it may go: {observed:#?}\n{policy:#?}"
            );
        }
    }
}

/// A rotation between two versions: each of them in each state, each record of each proof missing, old or fresh.
/// The old version goes exactly where the safety rules let it go: never without them, and never kept for nothing.
fn every_rotation(cause: &Cause) -> Tally {
    let mut tally = Tally::default();
    let policies =
        [RetireWhen::Quiet, RetireWhen::OverlapOver].map(|retire_when| Policy { retire_when, ..default_policy() });
    let mut observed = World::new("web", default_policy(), default_facts(), days(95)).observed;
    // A person who goes back wants the older version in the place of the newer one.
    let (from, to) = if *cause == Cause::Age { (1, 2) } else { (2, 1) };
    let versions = Odometer::new([SUCCESSOR.len(), 2, 4, RETIREE.len(), RETIREE_IS.len()]);
    for [successor_state, held, verified, retiree_state, retiree_is] in versions {
        observed.versions = vec![retiree(from, retiree_state, retiree_is)];
        if SUCCESSOR[successor_state] != State::LeftOut {
            observed.versions.push(successor(to, successor_state, held, verified));
        }
        observed.versions.sort_by_key(|version| version.number);
        for delivery in 0..DELIVERIES {
            observed.rotation = Some(rotation(cause, from, to, delivery));
            for policy in &policies {
                // Its use is read only where it is still to go, and where the policy asks for silence.
                let asked = policy.retire_when == RetireWhen::Quiet && retiree_state < RETIREE_ALIVE;
                for used in 0..if asked { USAGES } else { 1 } {
                    observed.versions.iter_mut().filter(|version| version.number.0 == from).for_each(|version| {
                        version.usage = usage(used);
                    });
                    let plan = check(now(), policy, &observed);
                    let goes = goes(now(), &plan, &observed);
                    assert_eq!(goes, may_go(now(), policy, &observed), "{plan:#?}\n{observed:#?}\n{policy:#?}");
                    tally.count(now(), &plan);
                    tally.retired += usize::from(goes);
                    if successor_state == 0 && retiree_is == 0 {
                        check_earlier_clocks(policy, &observed, &plan);
                    }
                }
            }
        }
    }
    let versions = SUCCESSOR.len() * 2 * 4 * RETIREE_IS.len();
    let usages = RETIREE_ALIVE * (USAGES + 1) + (RETIREE.len() - RETIREE_ALIVE) * 2;
    assert_eq!(tally.states, versions * DELIVERIES * usages);
    tally
}

#[test]
fn every_ordinary_rotation() {
    let tally = every_rotation(&Cause::Age);
    // Found with or without a secret, or issued: each goes on silence since its successor was confirmed or on time
    // alone. Silence is fresh word of no use, or of a use that ended long enough ago: three of twelve usages.
    assert_eq!(tally.retired, 3 * (3 + 1), "{tally:#?}");
    for step in ["issue", "write", "verify", "promote", "confirm", "watch", "revoke", "prove_dead", "rename"] {
        assert!(tally.steps.contains_key(step), "{step} was never due: {tally:#?}");
    }
}

#[test]
fn every_rollback() {
    let tally = every_rotation(&Cause::Rollback { by: "ada".to_owned(), reason: "a test".to_owned() });
    assert_eq!(tally.retired, 3 * (3 + 1), "{tally:#?}");
}

/// What nobody was given goes at once, with whatever proofs, as long as the older version is seen alive.
#[test]
fn every_abandoned_successor() {
    let tally = every_rotation(&Cause::Abandon { by: "ada".to_owned(), reason: "a test".to_owned() });
    assert_eq!(tally.retired, 3 * 2 * 4 * DELIVERIES * (USAGES + 1), "{tally:#?}");
}

/// Where a rotation can stand: none, begun without a successor, and with one that was just issued or is delivered.
const STAGES: usize = 4;

fn at_stage(stage: usize) -> Observed {
    let mut world = World::new("web", default_policy(), default_facts(), days(95));
    let steps = [0, 1, 1, 5][stage];
    for _ in 0..steps {
        let planned = world.plan().due(world.now()).cloned().unwrap();
        world.perform(&planned.step);
        world.time += Duration::from_secs(1);
    }
    if stage == 1 {
        // The answer was lost, and what it left is dead by now.
        world.observed.rotation.as_mut().unwrap().to = None;
        world.observed.versions.truncate(1);
        world.count_slots();
    }
    world.observed
}

/// Everything that stops a plan, in all combinations, at each stage, under each mode, a minute and twenty days on and
/// with the clock gone back.
#[test]
fn every_obstacle() {
    let mut tally = Tally::default();
    let modes = [Mode::Automatic, Mode::Ask, Mode::Notify, Mode::Observe];
    let clocks = [start() + Duration::from_mins(1), now(), start() - days(1)];
    for stage in 0..STAGES {
        for [mode, clock, destinations, held, stray, parked, retrying] in Odometer::new([4, 3, 3, 2, 2, 2, 2]) {
            let mut observed = at_stage(stage);
            let now = clocks[clock];
            observed.stray = stray == 1;
            observed.hold =
                (held == 1).then(|| Hold { by: "ada".to_owned(), reason: "an audit".to_owned(), since: start() });
            observed.trouble = Trouble {
                attempts: 3,
                retry_at: (retrying == 1).then(|| now + Duration::from_mins(5)),
                last_error: (retrying == 1).then(|| "503 Service Unavailable".to_owned()),
                parked: parked == 1,
            };
            let deliver = ["local", "bao"].iter().take(destinations).map(|store| destination(store)).collect();
            let policy = Policy { mode: modes[mode], deliver, ..default_policy() };
            for [taken, disabled, full, requested, window] in Odometer::new([2, 2, 2, 2, 2]) {
                observed.name_taken = (taken == 1).then(|| "web_new".to_owned());
                observed.parent = if disabled == 1 { Parent::Disabled } else { Parent::Enabled };
                observed.slots = Slots { used: if full == 1 { 10 } else { 1 } };
                let asked = Cause::Requested { by: "ada".to_owned(), reason: "a test".to_owned() };
                observed.requested = (requested == 1).then_some(asked);
                let opens = (window == 1).then(|| now + days(1));
                let plan = check(now, &Policy { begin_not_before: opens, ..policy.clone() }, &observed);
                assert_eq!(safety::check_findings(&plan), Ok(()));
                if window == 1 && stage == 0 {
                    assert!(plan.due(now).is_none(), "begun outside of the window: {plan:#?}");
                }
                tally.count(now, &plan);
            }
        }
    }
    assert_eq!(tally.states, STAGES * 4 * 3 * 3 * 16 * 32);
    for finding in [
        "held",
        "stray",
        "name_taken",
        "no_destination",
        "parent_disabled",
        "no_slot",
        "parked",
        "retrying",
        "clock_went_back",
        "approval_wanted",
        "owner_acts",
        "only_observed",
    ] {
        assert!(tally.findings.contains_key(finding), "{finding} was never told: {tally:#?}");
    }
}
