//! Generated worlds: policies, facts, whole stories, and states that no story reaches.

use std::sync::Arc;

use domain::{
    Acknowledgement, Ask, Cause, Consumer, Delivery, Drift, Drifted, Duration, Ending, Handle, Hold, Idempotency,
    IssuerFacts, Minting, Mode, Observed, Origin, Overlap, Parent, Performer, Policy, Presence, RetireWhen, Rotation,
    RotationId, Slots, Task, Timestamp, Trouble, Usage, Version, VersionNumber, Waiver,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    story::{Event, Story},
    world::{NAMES, World, days, destination, found, start, title_of},
};

const STORES: [&str; 3] = ["local", "bao", "aws"];

fn hours(range: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_hours)
}

fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Automatic, Mode::Automatic, Mode::Automatic, Mode::Ask, Mode::Notify, Mode::Observe])
}

fn retire_when() -> impl Strategy<Value = RetireWhen> {
    select(vec![RetireWhen::Quiet, RetireWhen::OverlapOver])
}

/// Most policies name nobody. Whoever polls does so within two days.
fn consumers() -> impl Strategy<Value = Arc<[Consumer]>> {
    let one = |name: &'static str| {
        let lag = prop_oneof![2 => Just(Duration::ZERO), 1 => hours(1..=48)];
        (lag, any::<bool>(), prop::bool::weighted(0.4)).prop_map(move |(lag, told, acknowledges)| Consumer {
            name: name.into(),
            lag,
            told,
            acknowledges,
        })
    };
    let some = NAMES.map(|name| option::of(one(name))).prop_map(|all| all.into_iter().flatten().collect());
    prop_oneof![1 => Just(Arc::default()), 1 => some]
}

/// A rotation ends before the next one is due: the shortest age is longer than overlap, silence, propagation and the
/// slowest consumer together.
pub(crate) fn policy() -> BoxedStrategy<Policy> {
    let overlap = prop_oneof![Just(Duration::ZERO), hours(1..=24), hours(24..=24 * 30)];
    let begin = option::weighted(0.2, (-5..=20i64).prop_map(|count| start() + days(count)));
    (
        mode(),
        40..=200i64,
        overlap,
        retire_when(),
        hours(1..=24 * 5),
        0..=60i64,
        vec(select(STORES.to_vec()), 0..=3),
        (begin, consumers()),
    )
        .prop_map(
            |(mode, rotate_days, overlap, retire_when, quiet_for, more_days, stores, (begin_not_before, consumers))| {
                Policy {
                    name: "generated".to_owned(),
                    mode,
                    rotate_after: days(rotate_days),
                    overlap,
                    retire_when,
                    quiet_for,
                    retire_after: days(rotate_days + more_days),
                    deliver: STORES
                        .iter()
                        .filter(|store| stores.contains(store))
                        .map(|store| destination(store))
                        .collect(),
                    consumers,
                    task_within: Duration::from_hours(72),
                    begin_not_before,
                }
            },
        )
        .boxed()
}

/// Every kind of platform, the usual one most often. What only time ends carries no name that people know, and cannot
/// be switched off; where the old one dies at once, no call ends another one.
pub(crate) fn facts() -> BoxedStrategy<IssuerFacts> {
    let propagation = prop_oneof![0..=60i64, 60..=3600i64, 3600..=6 * 3600i64].prop_map(Duration::from_secs);
    let overlap = prop_oneof![
        4 => option::of(1..=10u32).prop_map(|live_max| Overlap::Concurrent { live_max }),
        1 => Just(Overlap::Replace),
    ];
    let making = (
        prop::bool::weighted(0.3).prop_map(|ours| if ours { Minting::ByUs } else { Minting::ByIssuer }),
        select(vec![Idempotency::FindByMarker, Idempotency::FindByMarker, Idempotency::ClientToken, Idempotency::None]),
        prop::bool::weighted(0.2).prop_map(|person| if person { Performer::Person } else { Performer::Machine }),
    );
    let ending = select(vec![Ending::Revoked, Ending::Revoked, Ending::Revoked, Ending::ByPerson, Ending::Expires]);
    let abilities = (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.8));
    (overlap, making, ending, propagation, abilities)
        .prop_map(|(overlap, (minting, idempotency, issued_by), ending, propagation, abilities)| {
            let (names, usage, disable, lists_versions) = abilities;
            let mint = ending == Ending::Expires && overlap != Overlap::Replace;
            IssuerFacts {
                minting,
                overlap: if mint { Overlap::Concurrent { live_max: None } } else { overlap },
                idempotency,
                issued_by,
                ending: if overlap == Overlap::Replace { Ending::Revoked } else { ending },
                propagation,
                names: names && !mint && overlap != Overlap::Replace,
                usage,
                disable: disable && !mint,
                lists_versions,
            }
        })
        .boxed()
}

/// How long what is issued lives. What lives for long enough to see its overlap and silence out may end before it is
/// replaced for its age.
fn life(ending: Ending) -> BoxedStrategy<Option<Duration>> {
    match ending {
        Ending::Expires => hours(12..=24 * 30).prop_map(Some).boxed(),
        Ending::Revoked | Ending::ByPerson => option::weighted(0.2, hours(24 * 90..=24 * 400)).boxed(),
    }
}

fn event() -> BoxedStrategy<Event> {
    prop_oneof![
        6 => (1..=12usize).prop_map(Event::Steps),
        4 => hours(1..=24 * 40).prop_map(Event::Wait),
        2 => (0..=7200i64).prop_map(|seconds| Event::Wait(Duration::from_secs(seconds))),
        1 => hours(-24 * 60..=24 * 60).prop_map(Event::ClockJumps),
        1 => Just(Event::ClockIsSetRight),
        1 => Just(Event::LoseAnswer),
        1 => (1..=6u32).prop_map(Event::Fail),
        1 => Just(Event::Unpark),
        2 => (0..4usize).prop_map(Event::RemovedByHand),
        1 => Just(Event::StrayAppears),
        1 => Just(Event::NameIsTaken),
        1 => Just(Event::StrangersLeave),
        1 => (0..4usize).prop_map(Event::ListingHides),
        1 => Just(Event::ListingShowsAll),
        1 => Just(Event::Hold),
        1 => Just(Event::Release),
        1 => Just(Event::Request),
        1 => (1..=3usize).prop_map(Event::GoBack),
        1 => Just(Event::Import),
        1 => (0..=9u32).prop_map(Event::Siblings),
        1 => any::<bool>().prop_map(Event::Parent),
        2 => policy().prop_map(|policy| Event::PolicyChanges(Box::new(policy))),
        1 => any::<bool>().prop_map(Event::UsageIsTold),
        1 => (0..=90i64).prop_map(|minutes| Event::RecordsLag(Duration::from_mins(minutes))),
        1 => option::weighted(0.8, hours(0..=24 * 60)).prop_map(Event::ConsumersLinger),
        3 => any::<bool>().prop_map(Event::PersonActs),
        1 => Just(Event::ParentTurns),
        1 => (0..4usize).prop_map(Event::Called),
        1 => Just(Event::Compromised),
        1 => any::<bool>().prop_map(Event::Protected),
        3 => (select(NAMES.to_vec()), any::<bool>()).prop_map(|(name, says)| Event::ConsumerRestarts(name, says)),
        1 => (option::of(select(NAMES.to_vec())), hours(1..=24 * 20)).prop_map(|(whom, lasts)| Event::Waived(whom, lasts)),
        1 => select(STORES.to_vec()).prop_map(Event::Drifts),
        1 => Just(Event::Repaired),
    ]
    .boxed()
}

/// A world as it is met, and what happens in it.
pub(crate) fn story(events_max: usize) -> impl Strategy<Value = Story> {
    let facts = facts().prop_flat_map(|facts| (life(facts.ending), Just(facts)));
    (policy(), facts, 0..=400i64, prop::bool::weighted(0.1), vec(event(), 0..=events_max)).prop_map(
        |(policy, (life, facts), age_days, declared, events)| {
            let world = World::new("web", policy, facts, days(age_days)).living_for(life);
            Story { world: if declared { world.declared() } else { world }, events }
        },
    )
}

/// Times that matter to a gate: just now, minutes and days ago, and in the future; rarely the ends of time.
fn moment() -> BoxedStrategy<Timestamp> {
    let near = |range: std::ops::RangeInclusive<i64>| range.prop_map(|seconds| start() + Duration::from_secs(seconds));
    prop_oneof![
        8 => near(-120..=120),
        8 => near(-3600..=0),
        8 => near(-86400 * 40..=0),
        2 => near(0..=86400 * 40),
        1 => select(vec![Timestamp::MIN, Timestamp::MAX]),
    ]
    .boxed()
}

fn presence() -> impl Strategy<Value = Presence> {
    let listed = Presence::Listed;
    select(vec![listed, listed, listed, listed, Presence::Missing, Presence::Gone, Presence::Prepared])
}

fn version(number: u32) -> BoxedStrategy<Version> {
    let origin = select(vec![Origin::Found, Origin::Issued, Origin::Issued, Origin::Orphan]);
    let rarely = || option::weighted(0.2, moment());
    let usage = (option::of(moment()), option::weighted(0.8, moment()), option::of(moment()));
    let ends = (rarely(), rarely(), rarely(), option::weighted(0.3, moment()));
    (origin, any::<bool>(), moment(), presence(), option::weighted(0.9, moment()), ends, usage)
        .prop_map(move |(origin, secret_held, created_at, presence, verified_at, ends, usage)| Version {
            handle: Handle::parse(&format!("h{number}")).unwrap(),
            origin,
            secret_held: secret_held || origin == Origin::Issued,
            created_at,
            presence,
            verified_at,
            revoked_at: ends.0,
            dead_at: ends.1,
            expires_at: ends.2,
            disabled_at: ends.3,
            usage: Usage { last_used: usage.0, known_through: usage.1, asked_at: usage.2 },
            ..found(number, if number == 1 { "web" } else { "web_new" }, created_at)
        })
        .boxed()
}

fn cause() -> impl Strategy<Value = Cause> {
    let (by, reason) = ("ada".to_owned(), "a test".to_owned());
    select(vec![
        Cause::Age,
        Cause::Requested { by: by.clone(), reason: reason.clone() },
        Cause::Rollback { by: by.clone(), reason: reason.clone() },
        Cause::Abandon { by: by.clone(), reason: reason.clone() },
        Cause::Compromised { by: by.clone(), reason },
        Cause::ParentTurned,
        Cause::Import { by },
        Cause::Repair,
    ])
}

fn delivery(store: &'static str) -> BoxedStrategy<Delivery> {
    let often = || option::weighted(0.9, moment());
    (often(), often(), often(), often())
        .prop_map(move |(written_at, promoted_at, confirmed_at, first_confirmed_at)| Delivery {
            destination: destination(store),
            written_at,
            promoted_at,
            confirmed_at,
            first_confirmed_at,
        })
        .boxed()
}

fn rotation() -> BoxedStrategy<Rotation> {
    let number = || option::weighted(0.9, (1..=4u32).prop_map(VersionNumber));
    let deliveries = STORES.map(|store| option::weighted(0.9, delivery(store)));
    (cause(), moment(), number(), number(), deliveries)
        .prop_map(|(cause, started_at, from, to, deliveries)| Rotation {
            id: RotationId::new("r1"),
            cause,
            started_at,
            from,
            to,
            deliveries: deliveries.into_iter().flatten().collect(),
        })
        .boxed()
}

fn trouble() -> BoxedStrategy<Trouble> {
    (0..=5u32, option::weighted(0.2, moment()), any::<bool>(), prop::bool::weighted(0.05))
        .prop_map(|(attempts, retry_at, told, parked)| Trouble {
            attempts,
            retry_at,
            last_error: told.then(|| "503 Service Unavailable".to_owned()),
            parked,
        })
        .boxed()
}

fn task() -> BoxedStrategy<Task> {
    let number = || option::weighted(0.9, (1..=3u32).prop_map(VersionNumber));
    let ask = prop_oneof![
        number().prop_map(|from| Ask::Issue { from }),
        (1..=3u32).prop_map(|version| Ask::Revoke { version: VersionNumber(version) }),
    ];
    (ask, moment(), moment()).prop_map(|(ask, asked_at, due_at)| Task { ask, asked_at, due_at }).boxed()
}

/// What consumers said, who answers for them, and what inspections found.
type Words = (Vec<Acknowledgement>, Vec<Waiver>, Vec<Arc<str>>, Vec<Drift>);

fn words() -> impl Strategy<Value = Words> {
    let said = NAMES.map(|name| {
        option::of((1..=3u32, moment()))
            .prop_map(move |said| said.map(|(version, at)| (Arc::<str>::from(name), VersionNumber(version), at)))
    });
    let whom = NAMES.iter().map(|name| Some(*name)).chain([None]).collect::<Vec<_>>();
    let waivers = vec((select(whom), moment()), 0..=2);
    let told = NAMES.map(|name| prop::bool::weighted(0.7).prop_map(move |told| told.then(|| Arc::<str>::from(name))));
    let whats = select(vec![Drifted::ValueChanged, Drifted::LabelMoved, Drifted::Gone]);
    let drift = option::weighted(0.2, (select(STORES.to_vec()), whats, moment()));
    (said, waivers, told, drift).prop_map(|(said, waivers, told, drift)| {
        let said = said.into_iter().flatten();
        let waived = |(consumer, until): (Option<&str>, Timestamp)| Waiver {
            consumer: consumer.map(Arc::from),
            by: "vera".to_owned(),
            reason: "a test".to_owned(),
            until,
        };
        (
            said.map(|(consumer, version, at)| Acknowledgement { consumer, version, at }).collect(),
            waivers.into_iter().map(waived).collect(),
            told.into_iter().flatten().collect(),
            drift
                .map(|(store, what, seen_at)| Drift { destination: destination(store), what, seen_at })
                .into_iter()
                .collect(),
        )
    })
}

/// Any state at all, whether a story reaches it or not: what a defect elsewhere might hand to the planner.
pub(crate) fn observed() -> BoxedStrategy<Observed> {
    let versions =
        (option::weighted(0.9, version(1)), option::weighted(0.9, version(2)), option::weighted(0.3, version(3)));
    let rarely = || prop::bool::weighted(0.05);
    let flags = (rarely(), rarely(), rarely(), rarely(), rarely());
    let asked = (option::weighted(0.2, cause()), option::weighted(0.3, task()), option::weighted(0.2, moment()));
    (facts(), versions, option::weighted(0.8, rotation()), trouble(), flags, asked, (0..=12u32, words()))
        .prop_map(|(facts, versions, rotation, trouble, flags, (requested, task, parent_turned_at), (used, words))| {
            let (stray, held, taken, disabled, protected) = flags;
            let (acknowledged, waivers, told, drift) = words;
            Observed {
                facts: Arc::new(facts),
                stray,
                protected,
                task: task.filter(|_| rotation.is_some()),
                parent_turned_at,
                hold: held.then(|| Hold { by: "ada".to_owned(), reason: "a test".to_owned(), since: start() }),
                name_taken: taken.then(|| "web_new".to_owned()),
                parent: if disabled { Parent::Disabled } else { Parent::Enabled },
                slots: Slots { used },
                acknowledged,
                waivers,
                told,
                drift,
                requested,
                versions: [versions.0, versions.1, versions.2].into_iter().flatten().collect(),
                rotation,
                trouble,
                title: title_of("web"),
                ..World::new("web", crate::world::default_policy(), crate::world::default_facts(), days(0)).observed
            }
        })
        .boxed()
}

/// Policies with any number in them, negative and endless ones too.
pub(crate) fn any_policy() -> BoxedStrategy<Policy> {
    let any_duration = || {
        prop_oneof![
            4 => Just(Duration::ZERO),
            4 => hours(0..=24 * 40),
            1 => select(vec![Duration::MIN, Duration::MAX, days(-1)]),
        ]
    };
    (policy(), any_duration(), any_duration(), any_duration(), any_duration())
        .prop_map(|(policy, rotate_after, overlap, quiet_for, retire_after)| Policy {
            rotate_after,
            overlap,
            quiet_for,
            retire_after,
            ..policy
        })
        .boxed()
}

pub(crate) fn any_moment() -> impl Strategy<Value = Timestamp> {
    moment()
}
