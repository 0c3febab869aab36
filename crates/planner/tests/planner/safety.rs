//! What no plan may ever do, written without a look at how the planner decides. Every test holds every plan
//! against it.

use domain::{
    Cause, Finding, Mode, Observed, Parent, Plan, Policy, Presence, RetireWhen, Rotation, Step, Timestamp, Version,
    VersionNumber,
};
use planner::{CLOCK_TOLERANCE, PROOF_AGE_MAX};

use crate::world::is_orphan;

type Checked = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

pub(crate) fn check(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan) -> Checked {
    check_shape(now, observed, plan)?;
    if observed.hold.is_some() || observed.stray || observed.trouble.parked {
        ensure!(plan.steps.is_empty(), "held, stray or parked, and something is planned");
    }
    if !asked_for(observed) && matches!(policy.mode, Mode::Observe | Mode::Notify) {
        ensure!(plan.steps.is_empty(), "the policy leaves it to others, nobody asked, and something is planned");
    }
    if let Some(recorded) = latest_record(observed).filter(|_| observed.rotation.is_some()) {
        let behind = later(now, CLOCK_TOLERANCE) < recorded;
        ensure!(!behind || plan.due(now).is_none(), "the clock is behind what is on record, and a step is due");
    }
    plan.steps.iter().try_for_each(|planned| check_step(now, policy, observed, plan, &planned.step))
}

fn check_shape(now: Timestamp, observed: &Observed, plan: &Plan) -> Checked {
    if let Some(first) = plan.steps.first() {
        ensure!(plan.wake_at == Some(first.not_before), "it does not wake for its first step");
    }
    ensure!(plan.wake_at.is_none_or(|at| at > now) || plan.due(now).is_some(), "it wakes at once for nothing");
    for planned in &plan.steps {
        ensure!(planned.not_before >= now, "a step lies in the past");
        let retry_at = observed.trouble.retry_at.unwrap_or(Timestamp::MIN);
        ensure!(planned.not_before >= retry_at, "a step is planned before its next attempt");
        let sentence = planned.reason.to_string();
        ensure!(!sentence.is_empty() && !sentence.ends_with('.'), "`{sentence}` is no reason");
    }
    let irreversible = plan.steps.iter().any(|planned| matches!(planned.step, Step::Revoke { .. }));
    ensure!(!irreversible || plan.steps.len() == 1, "a revocation is planned together with something else");
    Ok(())
}

fn check_step(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan, step: &Step) -> Checked {
    let rotation = observed.rotation.as_ref();
    let successor = rotation.and_then(|rotation| observed.version(rotation.to?));
    match step {
        Step::Issue { .. } => check_issue(policy, observed),
        Step::Prepare { .. }
        | Step::AskPerson { .. }
        | Step::Disable { .. }
        | Step::Enable { .. }
        | Step::Tell { .. } => Err(format!("{step:?} is of no kind that is played here")),
        Step::Revoke { version } => check_revoke(now, policy, observed, plan, *version),
        Step::Write { version, destination } | Step::Confirm { version, destination } => {
            ensure!(policy.deliver.contains(destination), "a place that the policy does not name");
            check_handed_out(rotation, successor, *version)
        }
        Step::Promote { version, destination } => {
            ensure!(policy.deliver.contains(destination), "a place that the policy does not name");
            check_handed_out(rotation, successor, *version)?;
            check_promotable(policy, rotation, successor)
        }
        Step::Verify { version } => check_handed_out(rotation, successor, *version),
        Step::Watch { version } => {
            ensure!(rotation.is_some_and(|rotation| rotation.from == Some(*version)), "only the old one is watched");
            Ok(())
        }
        Step::ProveDead { version } => {
            let dies = observed.version(*version).filter(|version| !version.is_live() && version.dead_at.is_none());
            ensure!(dies.is_some(), "only what was revoked or is gone, and not yet proved dead, is tried");
            Ok(())
        }
        Step::Rename { version, name, .. } => {
            ensure!(Some(*version) == successor.map(|version| version.number), "only the successor is renamed");
            let namesake = |other: &Version| other.is_live() && other.number != *version && &other.name == name;
            let retiree = rotation.and_then(|rotation| observed.version(rotation.from?));
            ensure!(!retiree.is_some_and(namesake), "two would carry one name");
            Ok(())
        }
        Step::Purge { version } => {
            let dead = observed.version(*version).filter(|version| version.dead_at.is_some());
            ensure!(dead.is_some(), "only what is proved dead is forgotten");
            ensure!(Some(*version) != rotation.and_then(|rotation| rotation.to), "the successor is forgotten");
            Ok(())
        }
        Step::Complete => {
            let retiree = rotation.and_then(|rotation| observed.version(rotation.from?));
            let other = retiree.filter(|version| rotation.is_none_or(|rotation| rotation.to != Some(version.number)));
            ensure!(other.is_none_or(|version| !version.is_live()), "closed while the old one lives");
            ensure!(other.is_none_or(|version| version.dead_at.is_some()), "closed before the old one is proved dead");
            Ok(())
        }
    }
}

fn check_issue(policy: &Policy, observed: &Observed) -> Checked {
    let live_max = observed.facts.live_max();
    ensure!(live_max.is_none_or(|max| observed.slots.used < max), "one more than the platform allows");
    ensure!(observed.name_taken.is_none(), "the successor's name is taken");
    ensure!(observed.parent == Parent::Enabled, "issued under a disabled parent");
    ensure!(!policy.deliver.is_empty(), "issued for nobody");
    let successor = observed.rotation.as_ref().and_then(|rotation| observed.version(rotation.to?));
    ensure!(!successor.is_some_and(usable), "a second successor is issued beside the first");
    Ok(())
}

fn check_revoke(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan, target: VersionNumber) -> Checked {
    let version = observed.version(target).ok_or("something unknown is revoked")?;
    ensure!(version.is_live() || is_orphan(version), "what is not alive is revoked again");
    if is_orphan(version) {
        return Ok(());
    }
    let rotation = observed.rotation.as_ref().ok_or("something is revoked outside of a rotation")?;
    ensure!(version.presence == Presence::Listed || version.dead_at.is_some(), "the old version was not seen");
    ensure!(rotation.from == Some(target), "something else than the old version is revoked");
    ensure!(rotation.to != Some(target), "the successor itself is revoked");
    let successor = observed.version(rotation.to.ok_or("there is no successor")?).ok_or("the successor is unknown")?;
    ensure!(usable(successor), "the successor is not alive");
    ensure!(successor.presence == Presence::Listed, "the successor was not seen");
    if matches!(rotation.cause, Cause::Abandon { .. }) && successor.number < target {
        return Ok(());
    }
    ensure!(!policy.deliver.is_empty(), "nobody was given the successor");
    ensure!(successor.secret_held, "nobody has the successor's secret");
    let verified_at = successor.verified_at.ok_or("the successor was never verified")?;
    ensure!(verified_at >= rotation.started_at, "the successor was not verified in this rotation");
    if plan.due(now).is_some() {
        ensure!(is_fresh(now, verified_at), "the successor was verified too long ago");
    }
    check_deliveries(now, policy, rotation, plan)?;
    if plan.due(now).is_some() && policy.retire_when == RetireWhen::Quiet {
        check_silence(now, policy, observed, rotation, version)?;
    }
    Ok(())
}

fn check_deliveries(now: Timestamp, policy: &Policy, rotation: &Rotation, plan: &Plan) -> Checked {
    for destination in &policy.deliver {
        let delivery = rotation.delivery(destination).ok_or("a destination was never reached")?;
        ensure!(delivery.written_at.is_some(), "a destination was never written");
        ensure!(delivery.promoted_at.is_some(), "a destination still hands out the old version");
        let first = delivery.first_confirmed_at.ok_or("a destination was never read back")?;
        let last = delivery.confirmed_at.ok_or("a destination was not read back")?;
        if plan.due(now).is_some() {
            ensure!(is_fresh(now, last), "a destination was read back too long ago");
            ensure!(later(first, policy.overlap) <= now, "the overlap still runs");
        } else {
            let not_before = plan.steps.first().map(|planned| planned.not_before);
            ensure!(not_before >= Some(later(first, policy.overlap)), "promised before the overlap ends");
        }
    }
    Ok(())
}

fn check_silence(
    now: Timestamp,
    policy: &Policy,
    observed: &Observed,
    rotation: &Rotation,
    retiree: &Version,
) -> Checked {
    ensure!(observed.facts.usage, "the issuer cannot know that it is quiet");
    let known_through = retiree.usage.known_through.ok_or("the issuer has not told who uses it")?;
    let first = |destination| rotation.delivery(destination)?.first_confirmed_at;
    let confirmed_at = policy.deliver.iter().filter_map(first).max().ok_or("it was never read back")?;
    let silence_from = retiree.usage.last_used.map_or(confirmed_at, |at| at.max(confirmed_at));
    let quiet_at = later(later(silence_from, policy.quiet_for), observed.facts.propagation);
    ensure!(known_through >= quiet_at, "it is not known to be quiet for long enough");
    let asked_at = retiree.usage.asked_at.unwrap_or(known_through).max(known_through);
    ensure!(is_fresh(now, asked_at), "its use was asked for too long ago");
    let told_lately = later(later(known_through, observed.facts.propagation), PROOF_AGE_MAX) >= asked_at;
    ensure!(told_lately, "what was told of its use was too old");
    Ok(())
}

fn check_handed_out(rotation: Option<&Rotation>, successor: Option<&Version>, version: VersionNumber) -> Checked {
    ensure!(rotation.is_some_and(Rotation::hands_out), "nothing is handed out in this rotation");
    let successor = successor.filter(|successor| successor.number == version);
    ensure!(successor.is_some_and(|successor| successor.secret_held && usable(successor)), "it cannot be handed out");
    Ok(())
}

fn check_promotable(policy: &Policy, rotation: Option<&Rotation>, successor: Option<&Version>) -> Checked {
    let rotation = rotation.ok_or("promoted outside of a rotation")?;
    let verified_at = successor.and_then(|successor| successor.verified_at);
    ensure!(verified_at.is_some_and(|at| at >= rotation.started_at), "promoted before it was verified");
    let written = |destination| rotation.delivery(destination).is_some_and(|delivery| delivery.written_at.is_some());
    ensure!(policy.deliver.iter().all(written), "a partial set is promoted");
    Ok(())
}

/// A version that the platform accepts, as far as is known.
fn usable(version: &Version) -> bool {
    version.is_live() && version.dead_at.is_none()
}

/// Whether a person's request stands behind what is under way.
fn asked_for(observed: &Observed) -> bool {
    let by_person = |rotation: &Rotation| rotation.cause != Cause::Age;
    observed.rotation.as_ref().map_or(observed.requested.is_some(), by_person)
}

fn is_fresh(now: Timestamp, at: Timestamp) -> bool {
    later(at, PROOF_AGE_MAX) >= now
}

fn later(at: Timestamp, duration: domain::Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// The latest time that any record of the rotation carries.
fn latest_record(observed: &Observed) -> Option<Timestamp> {
    let rotation = observed.rotation.as_ref()?;
    let versions = observed.versions.iter().flat_map(|version| {
        let usage = &version.usage;
        [version.verified_at, version.revoked_at, version.dead_at, usage.known_through, usage.asked_at]
    });
    let deliveries = rotation
        .deliveries
        .iter()
        .flat_map(|delivery| [delivery.written_at, delivery.promoted_at, delivery.confirmed_at]);
    versions.chain(deliveries).flatten().chain([rotation.started_at]).max()
}

/// What a person sees must be in order too: each finding has a word, a sentence and a way out.
pub(crate) fn check_findings(plan: &Plan) -> Checked {
    for finding in &plan.findings {
        let told = [finding.word(), finding.hint(), &finding.to_string()].iter().all(|text| !text.is_empty());
        ensure!(told, "{finding:?} says nothing");
    }
    let retrying = plan.findings.iter().filter(|finding| matches!(finding, Finding::Retrying { .. })).count();
    ensure!(retrying <= 1, "one trouble is told twice");
    Ok(())
}
