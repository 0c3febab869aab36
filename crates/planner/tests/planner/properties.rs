//! Properties over generated worlds. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` widen the search.

use domain::{Duration, Ending, Finding, Observed, Origin, Overlap, Presence, Reason, Step, Timestamp};
use proptest::{prelude::*, test_runner::RngSeed};

use crate::{
    generate::{any_moment, any_policy, observed, policy, story},
    safety,
    story::{STEPS_MAX, mend},
    world::{World, is_orphan, start},
};

/// The same worlds on every run, so that a change is judged by what it changes.
fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(95);
    }
    config
}

/// At rest: one version that consumers read, with the name that people know; all others dead, or on the way to their own
/// end; and nothing to do until it is due.
fn check_rest(world: &World) -> Result<(), TestCaseError> {
    let observed = &world.observed;
    prop_assert!(observed.rotation.is_none());
    prop_assert!(observed.task.is_none(), "somebody is still asked: {:#?}", observed.task);
    let current = observed.current();
    prop_assert!(current.is_some(), "nothing lives: {:#?}", observed.versions);
    let current = current.unwrap();
    prop_assert_eq!(&current.name, &observed.name);
    prop_assert_eq!(&current.title, &observed.title);
    prop_assert!(current.disabled_at.is_none() && !current.has_expired(world.now()));
    for (destination, read) in world.read() {
        prop_assert_eq!(read, current.number, "{} hands out what is dead", destination);
    }
    for version in observed.versions.iter().filter(|version| version.number != current.number) {
        check_past(world, version)?;
    }
    let plan = world.plan();
    prop_assert!(plan.steps.is_empty() && plan.findings.is_empty(), "not quiet at rest: {plan:#?}");
    prop_assert!(plan.wake_at > Some(world.now()), "asleep for ever: {plan:#?}");
    let mut rested = world.clone();
    rested.time = plan.wake_at.unwrap();
    let woken = rested.plan();
    prop_assert!(woken.due(rested.now()).is_some() || !woken.findings.is_empty(), "woken for nothing: {woken:#?}");
    prop_assert!(current.created_at + world.policy.rotate_after > world.now(), "too old at rest");
    Ok(())
}

/// What is not in use any more is dead, and forgotten; or it dies by itself, or nobody knows that it is ours.
fn check_past(world: &World, version: &domain::Version) -> Result<(), TestCaseError> {
    let facts = &world.observed.facts;
    if version.presence == Presence::Prepared {
        prop_assert!(!version.secret_held, "chosen, given up, and never forgotten: {version:#?}");
        return Ok(());
    }
    if facts.ending == Ending::Expires || version.expires_at.is_some() && version.revoked_at.is_none() {
        let over = version.expires_at.is_some_and(|at| at + facts.propagation <= world.now());
        prop_assert!(!over || !version.secret_held, "it is over, and not forgotten: {version:#?}");
        return Ok(());
    }
    if version.is_live() {
        prop_assert!(version.origin == Origin::Found && world.is_left_alone(version.number), "it lives: {version:#?}");
        return Ok(());
    }
    prop_assert!(version.presence == Presence::Gone);
    let ours = match version.origin {
        Origin::Issued => true,
        Origin::Orphan => facts.overlap != Overlap::Replace,
        Origin::Found => world.retired(version.number),
    };
    if ours {
        prop_assert!(version.dead_at.is_some(), "never proved dead: {version:#?}");
        prop_assert!(!version.secret_held, "never forgotten: {version:#?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1300))]

    /// Whatever happens, no plan on the way is unsafe and no consumer loses what it reads: `World` checks both at
    /// every step. Once people have mended what only they can mend, every story ends at rest.
    #[test]
    fn every_story_is_safe_and_ends_at_rest(story in story(14)) {
        let mut world = story.live_through();
        mend(&mut world);
        world.run_to_rest(STEPS_MAX);
        let stuck = world.plan();
        if stuck.steps.is_empty() && stuck.findings.iter().any(|finding| matches!(finding, Finding::NoSlot { .. })) {
            // No room for a successor, be it for one slot or for what is not known to be ours: the old one stays, and a
            // person is told.
            prop_assert!(world.live().count() >= world.observed.facts.live_max().unwrap() as usize);
            return Ok(());
        }
        check_rest(&world)?;
    }
}

proptest! {
    #![proptest_config(config(4000))]

    /// Any state under any policy at any time has an answer, a safe one, and the same each time.
    #[test]
    fn any_state_has_one_safe_answer(now in any_moment(), policy in any_policy(), observed in observed()) {
        let plan = planner::plan(now, &policy, &observed);
        prop_assert_eq!(&plan, &planner::plan(now, &policy, &observed.clone()));
        let checked = safety::check(now, &policy, &observed, &plan).and_then(|()| safety::check_findings(&plan));
        prop_assert!(checked.is_ok(), "{}: {:#?}", checked.unwrap_err(), plan);
        // What an inspection found is said, and brings about nothing but what keeps a version alive.
        let undrifted = planner::plan(now, &policy, &Observed { drift: Vec::new(), ..observed });
        let told = plan.findings.iter().any(|finding| matches!(finding, Finding::Drifted { .. }));
        let held_back = plan.steps.iter().all(|planned| matches!(planned.step, Step::Enable { .. }));
        let begins = |plan: &domain::Plan| plan.steps.iter().any(|planned| planned.step.begins());
        let later = begins(&plan) && begins(&undrifted) && plan.due(now).is_none();
        prop_assert!(plan.steps == undrifted.steps || told && (held_back || later), "{plan:#?}\n{undrifted:#?}");
    }

    /// A clock that goes back opens nothing: what may go at one time may go later too, or has only to be proved anew.
    #[test]
    fn an_earlier_clock_opens_no_gate(
        now in any_moment(),
        seconds in 0..=86_400 * 3i64,
        policy in policy(),
        observed in observed(),
    ) {
        check_monotone(now, seconds, &policy, &observed)?;
    }
}

proptest! {
    #![proptest_config(config(500))]

    /// The same in states that stories reach, around the moment at which each is.
    #[test]
    fn an_earlier_clock_opens_no_gate_in_a_story(story in story(10), back in 0..=86_400 * 3i64) {
        let world = story.live_through();
        let earlier = world.now() - domain::Duration::from_secs(back);
        check_monotone(earlier, back, &world.policy, &world.observed)?;
    }

    /// What a step was planned for stays planned while nothing changes: planning changes nothing.
    #[test]
    fn planning_again_changes_nothing(story in story(10)) {
        let world = story.live_through();
        let (first, again) = (world.plan(), world.plan());
        prop_assert_eq!(first, again);
    }
}

fn check_monotone(
    earlier: Timestamp,
    seconds: i64,
    policy: &domain::Policy,
    observed: &domain::Observed,
) -> Result<(), TestCaseError> {
    let Ok(later) = earlier.checked_add(domain::Duration::from_secs(seconds)) else { return Ok(()) };
    let Some(planned) = planner::plan(earlier, policy, observed).due(earlier).cloned() else { return Ok(()) };
    let Step::Revoke { version } = planned.step else { return Ok(()) };
    // A waiver opens for a time.
    let waiver_ends = observed.waivers.iter().any(|waiver| earlier < waiver.until && waiver.until <= later);
    if waiver_ends || observed.version(version).is_some_and(is_orphan) {
        return Ok(());
    }
    let plan = planner::plan(later, policy, observed);
    let due = plan.due(later).map(|planned| (&planned.step, &planned.reason));
    let (evidence_aged, proved_again) = match due {
        Some((step, _)) if *step == planned.step => return Ok(()),
        Some((_, reason)) => (false, *reason == Reason::ProofTooOld),
        None => (plan.findings.contains(&domain::Finding::NoUsageEvidence), false),
    };
    prop_assert!(evidence_aged || proved_again, "due at {}, and not at {}: {:#?}", earlier, later, plan);
    Ok(())
}

/// A world in which nothing unusual happens, as the measure for all others: how many steps, and which.
#[test]
fn an_ordinary_rotation_takes_as_many_steps_as_it_must() {
    let mut world =
        World::new("web", crate::world::default_policy(), crate::world::default_facts(), crate::world::days(95));
    let performed = world.run_to_rest(STEPS_MAX);
    let steps: Vec<&str> = performed.iter().map(|planned| planned.step.word()).collect();
    assert_eq!(
        steps,
        [
            "issue",
            "write",
            "verify",
            "promote",
            "confirm",
            "watch",
            "verify",
            "confirm",
            "revoke",
            "prove_dead",
            "rename",
            "complete"
        ]
    );
    assert!(world.time >= start() + world.policy.overlap);
}

/// A platform whose records of use stand still answers, and never tells enough. It is asked patiently, not without end.
#[test]
fn records_that_stand_still_are_asked_patiently() {
    let mut world =
        World::new("web", crate::world::default_policy(), crate::world::default_facts(), crate::world::days(95));
    world.run_due(STEPS_MAX);
    // They stop a second before the silence would be long enough.
    let stopped = world.time + world.policy.quiet_for + world.observed.facts.propagation - Duration::from_secs(3);
    world.time += world.policy.overlap;
    let until = world.time + crate::world::days(10);
    let mut asked = 0;
    while world.time < until {
        world.record_lag = world.time.duration_since(stopped);
        let plan = world.plan();
        match plan.due(world.now()) {
            Some(planned) => {
                assert!(matches!(planned.step, Step::Watch { .. }), "{plan:#?}");
                world.perform(&planned.step);
                asked += 1;
                world.time += Duration::from_secs(1);
            }
            None => world.time = plan.wake_at.unwrap(),
        }
    }
    assert!((10..=10 * 24).contains(&asked), "asked {asked} times in ten days");
}
