//! The safety rules can be broken: each of these planners overlooks one thing, and each is found out.

use domain::{
    Acknowledgement, Cause, Consumer, Duration, Ending, IssuerFacts, Minting, Observed, Overlap, Performer, Policy,
    Presence, RetireWhen, Timestamp, Version, Waiver,
};

use crate::{
    safety,
    world::{World, days, default_facts, default_policy},
};

const STEPS_MAX: usize = 300;

/// Lives with a planner that sees the world through `blind`, for so long. The first broken rule ends it.
fn live_blindly(mut world: World, blind: fn(&mut Observed), until: Timestamp) -> Result<(), String> {
    for _ in 0..STEPS_MAX {
        let mut seen = world.observed.clone();
        blind(&mut seen);
        let plan = planner::plan(world.now(), &world.policy, &seen);
        safety::check(world.now(), &world.policy, &world.observed, &plan)?;
        match plan.due(world.now()) {
            Some(planned) => world.perform(&planned.step),
            None => match plan.wake_at.filter(|at| *at < until) {
                Some(at) => world.time = at,
                None => return Ok(()),
            },
        }
        // Somebody misses what is off.
        let off: Vec<_> = world.live().filter(|version| version.disabled_at.is_some()).map(|one| one.number).collect();
        off.into_iter().for_each(|number| world.is_called(number));
        world.time += Duration::from_secs(1);
    }
    Ok(())
}

fn facts_of(observed: &mut Observed) -> &mut IssuerFacts {
    std::sync::Arc::make_mut(&mut observed.facts)
}

fn each_version(observed: &mut Observed, change: fn(&mut Version)) {
    observed.versions.iter_mut().for_each(change);
}

fn world(change: fn(&mut IssuerFacts)) -> World {
    let mut facts = IssuerFacts { names: false, ..default_facts() };
    change(&mut facts);
    let life = (facts.ending == Ending::Expires).then_some(days(10));
    let policy = Policy { overlap: days(2), ..default_policy() };
    World::new("web", policy, facts, days(95)).living_for(life)
}

#[track_caller]
fn check(broken: &str, world: World, blind: fn(&mut Observed)) {
    let until = world.time + days(60);
    assert_eq!(live_blindly(world.clone(), |_| {}, until), Ok(()), "a planner that sees everything");
    let found = live_blindly(world, blind, until).expect_err("nobody noticed");
    assert!(found.contains(broken), "`{found}` instead of `{broken}`");
}

#[test]
fn whoever_overlooks_how_a_successor_is_made_is_found_out() {
    let by_us: fn(&mut IssuerFacts) = |facts| facts.minting = Minting::ByUs;
    check("before its value was sealed", world(by_us), |seen| facts_of(seen).minting = Minting::ByIssuer);
    let password: fn(&mut IssuerFacts) = |facts| {
        facts.minting = Minting::ByUs;
        facts.overlap = Overlap::Replace;
    };
    check("before the new one waits everywhere", world(password), |seen| {
        facts_of(seen).overlap = Overlap::Concurrent { live_max: None };
    });
    check("written before it exists", world(by_us), |seen| {
        each_version(seen, |version| {
            if version.presence == Presence::Prepared {
                version.presence = Presence::Listed;
            }
        });
    });
    let by_person: fn(&mut IssuerFacts) = |facts| facts.issued_by = Performer::Person;
    check("a person makes it", world(by_person), |seen| facts_of(seen).issued_by = Performer::Machine);
    check("asked twice", world(by_person), |seen| seen.task = None);
}

#[test]
fn whoever_overlooks_how_a_version_ends_is_found_out() {
    let by_person: fn(&mut IssuerFacts) = |facts| facts.ending = Ending::ByPerson;
    check("no call ends it", world(by_person), |seen| facts_of(seen).ending = Ending::Revoked);
    check("asked twice", world(by_person), |seen| seen.task = None);
    let by_time: fn(&mut IssuerFacts) = |facts| facts.ending = Ending::Expires;
    check("no call ends it", world(by_time), |seen| facts_of(seen).ending = Ending::Revoked);
    check("sleeps past the end", world(by_time), |seen| each_version(seen, |version| version.expires_at = None));
    check("closed while the old one lives", world(|_| {}), |seen| facts_of(seen).ending = Ending::Expires);
    check("the overlap still runs", world(|_| {}), |seen| {
        let cause = Cause::Compromised { by: "ada".to_owned(), reason: "a test".to_owned() };
        seen.rotation.iter_mut().for_each(|rotation| rotation.cause = cause.clone());
    });
}

#[test]
fn whoever_overlooks_a_switch_is_found_out() {
    let switch: fn(&mut IssuerFacts) = |facts| facts.disable = true;
    check("without having been switched off", world(switch), |seen| facts_of(seen).disable = false);
    let mut on_time = world(switch);
    on_time.policy.retire_when = RetireWhen::OverlapOver;
    check("somebody missed it", on_time, |seen| {
        each_version(seen, |version| {
            version.usage.last_used = version.usage.last_used.min(Some(crate::world::start()))
        });
    });
    check("too short a time", world(switch), |seen| {
        each_version(seen, |version| version.disabled_at = version.disabled_at.map(|at| at - days(1)));
    });
    check("switched off twice", world(switch), |seen| each_version(seen, |version| version.disabled_at = None));
}

#[test]
fn whoever_overlooks_protection_is_found_out() {
    let mut world = world(|_| {});
    world.observed.protected = true;
    check("protected", world, |seen| seen.protected = false);
}

#[test]
fn whoever_overlooks_a_consumer_is_found_out() {
    let consumer = Consumer { name: "billing".into(), lag: days(3), told: true, acknowledges: true };
    let mut with_consumer = world(|_| {});
    with_consumer.policy.consumers = [consumer.clone()].into();
    check("told twice", with_consumer.clone(), |seen| seen.told.clear());
    check("was not told", with_consumer.clone(), |seen| {
        seen.told = vec!["billing".into()];
        let to = seen.rotation.as_ref().and_then(|rotation| rotation.to);
        let at = Timestamp::MAX;
        seen.acknowledged =
            to.map(|version| Acknowledgement { consumer: "billing".into(), version, at }).into_iter().collect();
    });
    with_consumer.policy.consumers = [Consumer { told: false, ..consumer }].into();
    check("has not said that it runs the successor", with_consumer, |seen| {
        let (by, reason) = ("vera".to_owned(), "a test".to_owned());
        seen.waivers = vec![Waiver { consumer: Some("billing".into()), by, reason, until: Timestamp::MAX }];
    });
}
