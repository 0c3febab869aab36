//! Every state of small worlds, for the evidence beside the platform's: what consumers were told and say, and who answers
//! in their place.

use std::collections::BTreeMap;

use domain::{
    Acknowledgement, Cause, Consumer, Delivery, Drift, Drifted, Duration, Observed, Policy, RetireWhen, Rotation,
    RotationId, Step, Timestamp, Trouble, Usage, Version, VersionNumber, Waiver,
};

use crate::{
    exhaustive::{Odometer, check},
    world::{World, days, default_facts, default_policy, destination, found, start},
};

const BILLING: &str = "billing";

/// The rotation began three days ago, and the successor was read back everywhere two days ago and just now.
fn now() -> Timestamp {
    start() + days(20)
}

fn ago(hours: i64) -> Timestamp {
    now() - Duration::from_hours(hours)
}

fn consumer(name: &str, lag_hours: i64, told: bool, acknowledges: bool) -> Consumer {
    Consumer { name: name.into(), lag: Duration::from_hours(lag_hours), told, acknowledges }
}

fn version(number: u32, days_old: i64) -> Version {
    let usage = Usage { last_used: None, known_through: Some(now()), asked_at: Some(now()) };
    let verified_at = Some(now());
    Version {
        origin: domain::Origin::Issued,
        secret_held: true,
        verified_at,
        usage,
        ..found(number, "web", now() - days(days_old))
    }
}

fn rotation(cause: Cause) -> Rotation {
    let (from, to) = if matches!(cause, Cause::Rollback { .. }) { (2, 1) } else { (1, 2) };
    let delivery = Delivery {
        destination: destination("local"),
        written_at: Some(ago(50)),
        promoted_at: Some(ago(49)),
        confirmed_at: Some(now()),
        first_confirmed_at: Some(ago(48)),
    };
    Rotation {
        id: RotationId::new("r1"),
        cause,
        started_at: ago(72),
        from: Some(VersionNumber(from)),
        to: Some(VersionNumber(to)),
        deliveries: vec![delivery],
    }
}

fn in_rotation(cause: Cause) -> Observed {
    let facts = domain::IssuerFacts { names: false, ..default_facts() };
    let mut observed = World::new("web", default_policy(), facts, days(95)).observed;
    observed.versions = vec![version(1, 95), version(2, 3)];
    observed.rotation = Some(rotation(cause));
    observed
}

fn waivers(silence: usize, its_word: usize) -> Vec<Waiver> {
    let until = |state: usize| [now(), now() + Duration::from_hours(1)].get(state.wrapping_sub(1)).copied();
    let waiver = |consumer: Option<&str>, until| Waiver {
        consumer: consumer.map(Into::into),
        by: "vera".to_owned(),
        reason: "a test".to_owned(),
        until,
    };
    let of_silence = until(silence).map(|until| waiver(None, until));
    of_silence.into_iter().chain(until(its_word).map(|until| waiver(Some(BILLING), until))).collect()
}

/// Told or not, silent or not, answered for or not: the old version goes exactly where every word that is wanted is there,
/// and no destination holds something else by now.
#[test]
fn every_word_of_a_consumer() {
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let said = |cause: fn(String, String) -> Cause| cause("ada".to_owned(), "a test".to_owned());
    let causes = [
        Cause::Age,
        said(|by, reason| Cause::Rollback { by, reason }),
        said(|by, reason| Cause::Compromised { by, reason }),
    ];
    let axes = Odometer::new([3, 2, 2, 3, 2, 4, 3, 3, 2, 2, 2]);
    for [cause, tells, acknowledges, lag, told, word, silence, its_word, when, failed, drift] in axes {
        let mut observed = in_rotation(causes[cause].clone());
        let to = observed.rotation.as_ref().unwrap().to.unwrap();
        // Nothing, of the other version, of this one before the rotation, and in it.
        let other = VersionNumber(3 - to.0);
        let words = [None, Some((other, ago(1))), Some((to, ago(100))), Some((to, ago(40)))];
        let acknowledged = words[word].map(|(version, at)| Acknowledgement { consumer: BILLING.into(), version, at });
        observed.acknowledged = acknowledged.into_iter().collect();
        observed.waivers = waivers(silence, its_word);
        observed.told = if told == 1 { vec![BILLING.into()] } else { Vec::new() };
        let destination = destination("local");
        let found = Drift { destination, what: Drifted::Gone, seen_at: ago(1) };
        observed.drift = if drift == 1 { vec![found] } else { Vec::new() };
        observed.trouble = Trouble { attempts: u32::try_from(failed).unwrap(), ..Trouble::default() };
        // With the propagation of ten minutes and a day of silence, a pause of a day is a little too long.
        let polls = [0, 22, 24][lag];
        let policy = Policy {
            overlap: days(1),
            retire_when: [RetireWhen::Quiet, RetireWhen::OverlapOver][when],
            consumers: [consumer(BILLING, polls, tells == 1, acknowledges == 1)].into(),
            ..default_policy()
        };
        let plan = check(now(), &policy, &observed);
        let leaked = cause == 2;
        let answered = acknowledges == 0 || word == 3 || its_word == 2;
        let quiet = when == 1 || silence == 2 || polls < 24;
        let expected = match () {
            () if tells == 1 && told == 0 && !(leaked && failed == 1) => "tell",
            () if drift == 1 => "nothing",
            () if leaked || answered && quiet => "revoke",
            () => "nothing",
        };
        let due = plan.due(now()).map_or("nothing", |planned| planned.step.word());
        assert_eq!(due, expected, "{plan:#?}\n{observed:#?}\n{policy:#?}");
        let waited_for = plan.findings.iter().any(|finding| finding.word() == "not_acknowledged");
        assert_eq!(waited_for, expected == "nothing" && drift == 0 && !answered, "{plan:#?}\n{observed:#?}");
        *steps.entry(expected).or_default() += 1;
    }
    assert_eq!(steps.keys().copied().collect::<Vec<_>>(), ["nothing", "revoke", "tell"]);
}

#[test]
fn an_overlap_is_never_shorter_than_the_longest_pause() {
    let mut observed = in_rotation(Cause::Age);
    let policy = |hours| Policy {
        overlap: Duration::ZERO,
        retire_when: RetireWhen::OverlapOver,
        consumers: [consumer("web", 0, false, false), consumer("batch", hours, false, false)].into(),
        ..default_policy()
    };
    assert!(check(now(), &policy(49), &observed).due(now()).is_none());
    assert!(check(now(), &policy(47), &observed).due(now()).is_some());
    observed.waivers = waivers(2, 0);
    assert!(check(now(), &policy(49), &observed).due(now()).is_none(), "nobody answered for who polls");
}

#[test]
fn whoever_cannot_be_told_keeps_nobody_else_waiting() {
    let consumers = ["web", "billing", "batch"].map(|name| consumer(name, 0, true, false));
    let policy = Policy { consumers: consumers.into(), ..default_policy() };
    let mut observed = in_rotation(Cause::Age);
    let mut first = |attempts: u32, told: &[&str]| {
        observed.trouble.attempts = attempts;
        observed.told = told.iter().map(|name| (*name).into()).collect();
        match &check(now(), &policy, &observed).due(now()).unwrap().step {
            Step::Tell { consumer, .. } => consumer.to_string(),
            step => step.word().to_owned(),
        }
    };
    assert_eq!([0, 1, 2, 3].map(|attempts| first(attempts, &[])), ["web", "billing", "batch", "web"]);
    assert_eq!([0, 1, 2].map(|attempts| first(attempts, &["billing"])), ["web", "batch", "web"]);
}

/// A hold stops every step; that consumers read something else is said all the same.
#[test]
fn what_was_found_at_a_destination_is_said_of_what_is_held_and_parked() {
    let mut observed = in_rotation(Cause::Age);
    observed.rotation = None;
    let found = Drift { destination: destination("local"), what: Drifted::ValueChanged, seen_at: ago(1) };
    observed.drift = vec![found.clone(), Drift { destination: destination("elsewhere"), ..found }];
    observed.hold = Some(domain::Hold { by: "ada".to_owned(), reason: "an audit".to_owned(), since: ago(2) });
    let words = |observed: &Observed| -> Vec<&'static str> {
        check(now(), &default_policy(), observed).findings.iter().map(domain::Finding::word).collect()
    };
    assert_eq!(words(&observed), ["drifted", "held"]);
    observed.hold = None;
    observed.trouble.parked = true;
    assert_eq!(words(&observed), ["drifted", "parked"]);
}
