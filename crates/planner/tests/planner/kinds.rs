//! Every state of small worlds, for what tells the kinds of platform apart: how a successor comes into the world, how the
//! old one is switched off before it goes, and what only time ends.

use std::collections::BTreeMap;

use domain::{
    Ask, Cause, Delivery, Duration, Ending, IssuerFacts, Minting, Mode, Observed, Overlap, Performer, Plan, Policy,
    Presence, RetireWhen, Rotation, RotationId, Slots, Step, Task, Timestamp, Trouble, Usage, Version, VersionNumber,
};

use crate::{
    exhaustive::{Odometer, check},
    world::{World, days, default_facts, default_policy, destination, found, start},
};

/// How often each step came due.
type Steps = BTreeMap<&'static str, usize>;

fn now() -> Timestamp {
    start() + days(20)
}

fn minutes_ago(count: i64) -> Timestamp {
    now() - Duration::from_mins(count)
}

fn due(plan: &Plan, now: Timestamp) -> &'static str {
    plan.due(now).map_or("nothing", |planned| planned.step.word())
}

fn issued(number: u32, created_at: Timestamp) -> Version {
    Version { origin: domain::Origin::Issued, secret_held: true, ..found(number, "web", created_at) }
}

fn rotation(cause: Cause, from: u32, to: Option<u32>, deliveries: Vec<Delivery>) -> Rotation {
    Rotation {
        id: RotationId::new("r1"),
        cause,
        started_at: start(),
        from: Some(VersionNumber(from)),
        to: to.map(VersionNumber),
        deliveries,
    }
}

fn delivery(written: bool, confirmed: Option<(Timestamp, Timestamp)>) -> Delivery {
    Delivery {
        destination: destination("local"),
        written_at: written.then(start),
        promoted_at: confirmed.map(|_| start()),
        confirmed_at: confirmed.map(|(_, last)| last),
        first_confirmed_at: confirmed.map(|(first, _)| first),
    }
}

/// Where a successor can stand before it is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Due,
    Begun,
    Sealed,
    Forgotten,
}

const STAGES: [Stage; 4] = [Stage::Due, Stage::Begun, Stage::Sealed, Stage::Forgotten];

/// What is to happen next, said once more in other words than the rules'.
fn next_towards_a_successor(facts: &IssuerFacts, stage: Stage, asked: bool, written: bool, full: bool) -> &'static str {
    let limited = matches!(facts.overlap, Overlap::Concurrent { .. });
    match (facts.issued_by, facts.minting, stage) {
        (Performer::Person, ..) if asked => "nothing",
        _ if full && limited => "nothing",
        (Performer::Person, ..) => "ask_person",
        (Performer::Machine, _, Stage::Sealed) if !limited && !written => "write",
        (Performer::Machine, _, Stage::Sealed) => "issue",
        (Performer::Machine, Minting::ByUs, _) => "prepare",
        (Performer::Machine, Minting::ByIssuer, _) => "issue",
    }
}

#[test]
fn every_way_to_a_successor() {
    let mut steps = Steps::new();
    let axes = Odometer::new([2, 2, 2, 3, STAGES.len(), 3, 2, 2]);
    for [minting, performer, overlap, ending, stage, task, written, full] in axes {
        let stage = STAGES[stage];
        let facts = IssuerFacts {
            minting: [Minting::ByIssuer, Minting::ByUs][minting],
            issued_by: [Performer::Machine, Performer::Person][performer],
            overlap: [Overlap::Concurrent { live_max: Some(10) }, Overlap::Replace][overlap],
            ending: [Ending::Revoked, Ending::ByPerson, Ending::Expires][ending],
            ..default_facts()
        };
        let mut world = World::new("web", default_policy(), facts.clone(), days(95));
        let observed = &mut world.observed;
        observed.slots = Slots { used: if full == 1 { 10 } else { 1 } };
        let to = matches!(stage, Stage::Sealed | Stage::Forgotten).then_some(2);
        if let Some(number) = to {
            let secret_held = stage == Stage::Sealed;
            observed.versions.push(Version { presence: Presence::Prepared, secret_held, ..issued(number, start()) });
        }
        let asked = task > 0 && stage != Stage::Due;
        if stage != Stage::Due {
            observed.rotation = Some(rotation(Cause::Age, 1, to, vec![delivery(written == 1, None)]));
            let due_at = [now() + days(1), minutes_ago(1)][task.max(1) - 1];
            let ask = Ask::Issue { from: Some(VersionNumber(1)) };
            observed.task = asked.then_some(Task { ask, asked_at: start(), due_at });
        }
        let plan = check(now(), &world.policy, &world.observed);
        let expected = next_towards_a_successor(&facts, stage, asked, written == 1, full == 1);
        assert_eq!(due(&plan, now()), expected, "{plan:#?}\n{:#?}", world.observed);
        if expected == "nothing" && performer == 1 && asked {
            let word = ["task_waiting", "task_overdue"][task - 1];
            assert!(plan.findings.iter().any(|finding| finding.word() == word), "{plan:#?}");
        }
        *steps.entry(expected).or_default() += 1;
    }
    assert_eq!(steps.keys().copied().collect::<Vec<_>>(), ["ask_person", "issue", "nothing", "prepare", "write"]);
}

/// The old version of a rotation whose successor is everywhere, off for so long, used and asked about so long ago.
fn to_be_retired(off: usize, used: usize, asked: usize) -> Version {
    // Propagation is ten minutes: it is listened to for 25.
    let disabled_at = [None, Some(5), Some(24), Some(26), Some(120)][off].map(minutes_ago);
    let reference = disabled_at.unwrap_or(now());
    let last_used = [
        None,
        Some(start() - days(1)),
        Some(reference - Duration::from_mins(1)),
        disabled_at.map(|at| at + Duration::from_mins(1)),
    ][used];
    let asked_at = [None, Some(40), Some(20), Some(0)][asked].map(minutes_ago);
    let usage = Usage { last_used, known_through: asked_at, asked_at };
    Version { disabled_at, usage, ..found(1, "web", now() - days(95)) }
}

/// Off or on, missed or not, asked lately or never, on evidence or on a word: what was missed is switched on again and
/// nothing else happens before; nothing goes before it was off for long enough, nor while an answer was lost and nobody
/// knows whether it is off.
#[test]
fn every_state_of_a_switch() {
    let mut steps = Steps::new();
    let said = |cause: fn(String, String) -> Cause| cause("ada".to_owned(), "a test".to_owned());
    let causes = [Cause::Age, Cause::ParentTurned, said(|by, reason| Cause::Compromised { by, reason })];
    for [off, used, asked, when, facts, cause, ending, runs, doubt] in Odometer::new([5, 4, 4, 2, 4, 3, 2, 2, 2]) {
        let facts = IssuerFacts {
            usage: facts % 2 == 1,
            disable: facts / 2 == 1,
            names: false,
            ending: [Ending::Revoked, Ending::ByPerson][ending],
            ..default_facts()
        };
        let policy = Policy { retire_when: [RetireWhen::Quiet, RetireWhen::OverlapOver][when], ..default_policy() };
        let mut observed = World::new("web", policy.clone(), facts.clone(), days(95)).observed;
        let switch_in_doubt = [None, Some(minutes_ago(30))][doubt].filter(|_| facts.disable);
        let retiree = Version { switch_in_doubt, ..to_be_retired(off, used, asked) };
        let (disabled_at, last_used) = (retiree.disabled_at, retiree.usage.last_used);
        let successor = Version { verified_at: Some(minutes_ago(1)), ..issued(2, start()) };
        observed.versions = vec![retiree, successor];
        let first = if runs == 1 { now() - days(9) } else { now() - days(15) };
        let delivered = vec![delivery(true, Some((first, minutes_ago(1))))];
        observed.rotation = Some(rotation(causes[cause].clone(), 1, Some(2), delivered));
        let plan = check(now(), &policy, &observed);
        let word = due(&plan, now());
        let compromised = cause == 2;
        let off_since = disabled_at.or(switch_in_doubt);
        let missed = off_since.is_some() && last_used > off_since;
        if compromised {
            assert_eq!(word, ["revoke", "ask_person"][ending], "{plan:#?}");
        } else if missed || off_since.is_some() && runs == 1 {
            assert_eq!(word, "enable", "{plan:#?}\n{observed:#?}");
        } else if switch_in_doubt.is_some() {
            assert!(matches!(word, "disable" | "enable" | "watch" | "nothing"), "{plan:#?}\n{observed:#?}");
        } else if disabled_at.is_none() {
            assert_ne!(word, "enable");
            assert!(!facts.disable || !matches!(word, "revoke" | "ask_person"), "{plan:#?}\n{observed:#?}");
        }
        *steps.entry(word).or_default() += 1;
    }
    for word in ["nothing", "enable", "disable", "watch", "revoke", "ask_person"] {
        assert!(steps.contains_key(word), "{word} was never due: {steps:#?}");
    }
}

/// What is replaced in its last third, and what becomes of the one before it.
#[test]
fn every_end_by_time() {
    let mut steps = Steps::new();
    let life = Duration::from_hours(12);
    let facts = IssuerFacts {
        ending: Ending::Expires,
        names: false,
        usage: false,
        ..IssuerFacts::overlapping(Duration::from_mins(1))
    };
    let modes = [Mode::Automatic, Mode::Ask, Mode::Notify, Mode::Observe];
    for [age, before, parent, window, requested, mode, off] in Odometer::new([5, 5, 4, 3, 2, 4, 2]) {
        // Half of its life, just before its last third, in it, in its last sixth, over.
        let current = now() - Duration::from_mins([360, 479, 481, 601, 721][age]);
        let ends_at = [None, Some(now() + life), Some(now()), Some(minutes_ago(2)), Some(minutes_ago(90))][before];
        let mut observed = World::new("web", default_policy(), facts.clone(), days(0)).observed;
        observed.versions = vec![Version { expires_at: Some(current + life), ..issued(2, current) }];
        if let Some(at) = ends_at {
            let dead_at = (before == 4).then(|| minutes_ago(80));
            observed.versions.insert(0, Version { expires_at: Some(at), dead_at, ..issued(1, at - life) });
        }
        // Before it, after it, and so shortly after it by another clock that it was before.
        let turned = [-days(1), Duration::from_mins(1), Duration::from_secs(1)].map(|after| Some(current + after));
        observed.parent_turned_at = [None, turned[0], turned[1], turned[2]][parent];
        observed.requested = (requested == 1).then(|| Cause::Requested { by: "ada".to_owned(), reason: String::new() });
        let opens = [None, Some(now() + Duration::from_mins(5)), Some(now() + days(9))][window];
        let retry_at = (off == 1).then(|| now() - Duration::from_secs(1));
        observed.trouble = Trouble { retry_at, ..Trouble::default() };
        let policy = Policy { mode: modes[mode], begin_not_before: opens, ..default_policy() };
        let plan = check(now(), &policy, &observed);
        let word = due(&plan, now());
        let waits = window > 0 && age < 3 && !(parent == 2 && requested == 0);
        let wanted = requested == 1 || parent == 2 || age >= 2;
        let left = mode >= 2 && requested == 0;
        let cleaned =
            if mode >= 2 { "nothing" } else { ["nothing", "nothing", "nothing", "prove_dead", "purge"][before] };
        let expected = match (wanted, left) {
            (true, false) if waits => "nothing",
            (true, false) => "issue",
            _ => cleaned,
        };
        assert_eq!(word, expected, "{plan:#?}\n{observed:#?}\n{policy:#?}");
        *steps.entry(word).or_default() += 1;
    }
    assert_eq!(steps.keys().copied().collect::<Vec<_>>(), ["issue", "nothing", "prove_dead", "purge"]);
}

/// A person may end a token that no listing shows, and it is refused from then on: another one is minted while the old one
/// still serves, and where there is no room for it, this one goes on being tried.
#[test]
fn every_refused_token() {
    for [shown, full, put_off, ends] in Odometer::new([2, 2, 2, 2]) {
        let facts = IssuerFacts {
            ending: [Ending::Expires, Ending::Revoked][ends],
            lists_versions: shown == 1,
            names: false,
            usage: false,
            ..IssuerFacts::overlapping(Duration::from_mins(1))
        };
        let facts = IssuerFacts { overlap: Overlap::Concurrent { live_max: Some(3) }, ..facts };
        let mut observed = World::new("web", default_policy(), facts, days(0)).observed;
        let ends_at = Some(now() + days(5));
        let old = Version { expires_at: ends_at, ..issued(1, now() - days(5)) };
        observed.versions = vec![old, Version { expires_at: ends_at, ..issued(2, now() - days(1)) }];
        observed.slots = Slots { used: if full == 1 { 3 } else { 2 } };
        observed.rotation = Some(rotation(Cause::ParentTurned, 1, Some(2), vec![delivery(true, None)]));
        let retry_at = (put_off == 1).then(now);
        observed.trouble = Trouble { retry_at, ..Trouble::default() };
        let another = shown == 0 && full == 0 && put_off == 1 && ends == 0;
        let plan = check(now(), &default_policy(), &observed);
        assert_eq!(due(&plan, now()), if another { "issue" } else { "verify" }, "{plan:#?}\n{observed:#?}");
    }
}

/// Whatever the window says and however long a person takes for other things: what consumers read never runs out while
/// it can be replaced.
#[test]
fn what_consumers_read_never_runs_out() {
    for [hours, window, propagation] in Odometer::new([4, 3, 2]) {
        let life = Duration::from_hours([1, 8, 24, 24 * 30][hours]);
        let propagation = Duration::from_mins([0, 5][propagation]);
        let facts = IssuerFacts {
            ending: Ending::Expires,
            names: false,
            usage: false,
            ..IssuerFacts::overlapping(propagation)
        };
        let opens = [None, Some(start() + life * 2), Some(Timestamp::MAX)][window];
        let policy = Policy { rotate_after: days(400), begin_not_before: opens, ..default_policy() };
        let mut world = World::new("web", policy, facts, Duration::ZERO).declared().living_for(Some(life));
        let until = start() + life * 10;
        while world.time < until {
            world.run_due(50);
            let read: Vec<VersionNumber> = world.read().map(|(_, number)| number).collect();
            assert!(!read.is_empty(), "nobody reads anything");
            let next = world.plan().wake_at.expect("it sleeps for ever");
            for number in read {
                let version = world.observed.version(number).unwrap();
                assert!(!version.has_expired(next), "it sleeps until {next} past the end of {version:#?}");
            }
            world.time = next;
        }
        let held = world.observed.versions.iter().filter(|version| version.secret_held).count();
        assert!(held <= 3, "{held} are never forgotten: {:#?}", world.observed.versions);
    }
}

/// Everything asks to be replaced and nothing happens: it is protected.
#[test]
fn what_is_protected_is_never_touched() {
    let mut observed: Observed = World::new("web", default_policy(), default_facts(), days(400)).observed;
    observed.protected = true;
    observed.requested = Some(Cause::Compromised { by: "ada".to_owned(), reason: "a test".to_owned() });
    let plan = check(now(), &default_policy(), &observed);
    assert_eq!(plan.steps.iter().map(|planned| &planned.step).collect::<Vec<&Step>>(), Vec::<&Step>::new());
    assert_eq!(plan.findings.iter().map(domain::Finding::word).collect::<Vec<_>>(), ["protected"]);
}
