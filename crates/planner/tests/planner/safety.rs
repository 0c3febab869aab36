//! What no plan may ever do, written without a look at how the planner decides. Every test holds every plan
//! against it.

use domain::{
    Ask, Cause, Consumer, Ending, Finding, Minting, Mode, Observed, Overlap, Parent, Performer, Plan, Policy, Presence,
    RetireWhen, Rotation, Step, Timestamp, Version, VersionNumber,
};
use planner::{CLOCK_TOLERANCE, DISABLED_FOR, PROOF_AGE_MAX};

use crate::world::{is_compromised, is_orphan};

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
    if observed.hold.is_some() || observed.stray || observed.protected || observed.trouble.parked {
        ensure!(plan.steps.is_empty(), "held, stray, protected or parked, and something is planned");
    }
    check_patience(observed, plan)?;
    check_life(now, policy, observed, plan)?;
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
    let ends = |step: &Step| matches!(step, Step::Revoke { .. } | Step::Disable { .. } | Step::AskPerson { .. });
    let irreversible = plan.steps.iter().any(|planned| ends(&planned.step));
    ensure!(!irreversible || plan.steps.len() == 1, "an end is planned together with something else");
    Ok(())
}

fn check_step(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan, step: &Step) -> Checked {
    let rotation = observed.rotation.as_ref();
    let successor = rotation.and_then(|rotation| observed.version(rotation.to?));
    match step {
        Step::Prepare { .. } => {
            let facts = &observed.facts;
            ensure!(facts.issued_by == Performer::Machine, "a person makes it, and a value is chosen");
            ensure!(facts.minting == Minting::ByUs, "the platform chooses the value, and one is chosen");
            check_issue(now, policy, observed)?;
            let waiting = successor.is_some_and(|version| version.is_prepared() && version.secret_held);
            ensure!(!waiting, "a second value is chosen while the first one waits");
            Ok(())
        }
        Step::Issue { .. } => {
            check_issue(now, policy, observed)?;
            check_minting(policy, observed, successor)
        }
        Step::AskPerson { ask } => check_ask(now, policy, observed, plan, *ask),
        Step::Tell { version, consumer } => {
            check_handed_out(rotation, successor, *version)?;
            let named = policy.consumers.iter().any(|one| one.told && one.name == *consumer);
            ensure!(named, "somebody is told whom the policy does not name");
            ensure!(!observed.told.contains(consumer), "told twice");
            let read_back =
                |delivery: &domain::Delivery| delivery.promoted_at.is_some() && delivery.confirmed_at.is_some();
            let reached = |place| rotation.and_then(|rotation| rotation.delivery(place)).is_some_and(read_back);
            ensure!(policy.deliver.iter().all(reached), "told before it is everywhere");
            Ok(())
        }
        Step::Disable { version } => {
            ensure!(observed.facts.disable, "the platform cannot switch it off");
            ensure!(!is_compromised(observed), "what others know is switched off instead of removed");
            let known = observed.version(*version).filter(|version| version.switch_in_doubt.is_none());
            ensure!(known.and_then(|version| version.disabled_at).is_none(), "it is switched off twice");
            check_end(now, policy, observed, plan, *version)
        }
        Step::Enable { version } => {
            let live = observed.version(*version).filter(|version| version.is_live());
            let off = live.is_some_and(|version| version.disabled_at.or(version.switch_in_doubt).is_some());
            ensure!(off, "nothing is off");
            let (from, to) = rotation.map_or((None, None), |rotation| (rotation.from, rotation.to));
            ensure!([from, to].contains(&Some(*version)), "it is none of this rotation's");
            ensure!(to == Some(*version) || !is_compromised(observed), "what others know is switched on again");
            Ok(())
        }
        Step::Revoke { version } => {
            ensure!(observed.facts.ending == Ending::Revoked, "no call ends it");
            check_end(now, policy, observed, plan, *version)?;
            check_listened(now, observed, plan, *version)
        }
        Step::Write { version, destination } if is_prepared(successor, *version) => {
            ensure!(policy.deliver.contains(destination), "a place that the policy does not name");
            ensure!(observed.facts.overlap == Overlap::Replace, "written before it exists, for no reason");
            Ok(())
        }
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
            let version = observed.version(*version).filter(|version| version.dead_at.is_none());
            let version = version.ok_or("it is unknown, or dead already")?;
            ensure!(!version.is_prepared(), "what never was is proved dead");
            let ended = version.expires_at.is_some_and(|at| later(at, observed.facts.propagation) <= now);
            let over = rotation.is_none() && ended;
            ensure!(!version.is_live() || over, "only what was revoked, is gone or has expired is tried");
            Ok(())
        }
        Step::Rename { version, name, .. } => {
            ensure!(Some(*version) == successor.map(|version| version.number), "only the successor is renamed");
            let namesake = |other: &Version| other.is_live() && other.number != *version && &other.name == name;
            let retiree = rotation.and_then(|rotation| observed.version(rotation.from?));
            ensure!(!retiree.is_some_and(namesake), "two would carry one name");
            Ok(())
        }
        Step::Purge { version } => check_purge(rotation, observed, *version),
        Step::Complete => check_complete(policy, observed, rotation),
    }
}

fn check_purge(rotation: Option<&Rotation>, observed: &Observed, target: VersionNumber) -> Checked {
    let version = observed.version(target).ok_or("something unknown is forgotten")?;
    ensure!(Some(target) != rotation.and_then(|rotation| rotation.to), "the successor is forgotten");
    ensure!(observed.current().is_none_or(|current| current.number != target), "what is read is forgotten");
    let Some(rotation) = rotation else {
        ensure!(version.dead_at.is_some() && version.expires_at.is_some(), "forgotten outside of a rotation");
        return Ok(());
    };
    let back = matches!(rotation.cause, Cause::Rollback { .. } | Cause::Abandon { .. });
    let given_up = observed.facts.ending == Ending::Expires && rotation.from == Some(target) && back;
    ensure!(version.dead_at.is_some() || version.is_prepared() || given_up, "what is not dead is forgotten");
    Ok(())
}

fn check_complete(policy: &Policy, observed: &Observed, rotation: Option<&Rotation>) -> Checked {
    let rotation = rotation.ok_or("there is no rotation to close")?;
    let successor = rotation.to.and_then(|to| observed.version(to)).ok_or("closed without a successor")?;
    ensure!(successor.is_live(), "closed with a dead successor");
    let read_back = |destination| rotation.delivery(destination).is_some_and(|one| one.confirmed_at.is_some());
    let delivered = policy.deliver.iter().all(read_back);
    let retiree = rotation.from.filter(|from| *from != successor.number).and_then(|from| observed.version(from));
    let Some(retiree) = retiree.filter(|version| !version.is_prepared()) else { return Ok(()) };
    if observed.facts.ending == Ending::Expires {
        ensure!(delivered || !rotation.hands_out(), "closed before the successor is everywhere");
        return Ok(());
    }
    ensure!(!retiree.is_live(), "closed while the old one lives");
    ensure!(retiree.dead_at.is_some(), "closed before the old one is proved dead");
    Ok(())
}

/// While a person is waited for, nothing else happens in their place, and they are not asked twice.
fn check_patience(observed: &Observed, plan: &Plan) -> Checked {
    let Some(task) = &observed.task else { return Ok(()) };
    for planned in &plan.steps {
        ensure!(planned.step != Step::AskPerson { ask: task.ask }, "asked twice for the same");
        let makes = matches!(planned.step, Step::Prepare { .. } | Step::Issue { .. });
        let alone = observed.facts.issued_by == Performer::Person;
        ensure!(!makes || !alone, "made without the person who was asked");
    }
    Ok(())
}

/// What ends by itself is replaced before it does, if nothing stands against it: no plan sleeps past its last sixth.
fn check_life(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan) -> Checked {
    let stopped =
        observed.hold.is_some() || observed.stray || observed.protected || observed.trouble != Default::default();
    let refused = policy.deliver.is_empty() || observed.parent == Parent::Disabled || observed.name_taken.is_some();
    let full = observed.facts.live_max().is_some_and(|max| observed.slots.used >= max);
    let missing = observed.versions.iter().any(|version| version.presence == Presence::Missing);
    let alone = !matches!(policy.mode, Mode::Automatic | Mode::Ask);
    let busy = observed.rotation.is_some() || observed.versions.iter().any(is_orphan);
    if stopped || refused || full || missing || alone || busy {
        return Ok(());
    }
    let Some((current, expires_at)) = observed.current().and_then(|version| Some((version, version.expires_at?)))
    else {
        return Ok(());
    };
    let last = expires_at.saturating_sub(expires_at.duration_since(current.created_at) / 6).unwrap();
    ensure!(plan.wake_at.is_some_and(|at| at <= last.max(now)), "it sleeps past the end of what is read");
    Ok(())
}

/// The platform takes what was chosen, or chooses itself; where the old one dies with that, the new one waits at every
/// destination.
fn check_minting(policy: &Policy, observed: &Observed, successor: Option<&Version>) -> Checked {
    let facts = &observed.facts;
    ensure!(facts.issued_by == Performer::Machine, "a person makes it, and it is issued");
    let prepared = successor.filter(|version| version.is_prepared());
    let prepared = prepared.filter(|_| facts.minting == Minting::ByUs);
    ensure!(prepared.is_none_or(|version| version.secret_held), "what is to be taken is not in our hands");
    ensure!(prepared.is_some() || facts.minting == Minting::ByIssuer, "issued before its value was sealed");
    let written = |destination| {
        let delivery = observed.rotation.as_ref().and_then(|rotation| rotation.delivery(destination));
        delivery.is_some_and(|delivery| delivery.written_at.is_some())
    };
    let ahead = facts.overlap == Overlap::Replace && prepared.is_some();
    ensure!(!ahead || policy.deliver.iter().all(written), "the old one dies before the new one waits everywhere");
    Ok(())
}

fn check_ask(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan, ask: Ask) -> Checked {
    match ask {
        Ask::Issue { .. } => {
            ensure!(observed.facts.issued_by == Performer::Person, "a person is asked for what a call does");
            check_issue(now, policy, observed)
        }
        Ask::Revoke { version } => {
            ensure!(observed.facts.ending == Ending::ByPerson, "a person is asked for what a call does, or nobody");
            ensure!(observed.rotation.is_some(), "asked outside of a rotation");
            let revoked_at =
                observed.version(version).filter(|one| one.dead_at.is_none()).and_then(|one| one.revoked_at);
            if let Some(revoked_at) = revoked_at {
                let late = later(revoked_at, observed.facts.propagation) < now;
                ensure!(late && observed.trouble.retry_at.is_some(), "asked again before it was tried in earnest");
                return Ok(());
            }
            check_end(now, policy, observed, plan, version)?;
            check_listened(now, observed, plan, version)
        }
    }
}

/// Where a version can be switched off, it goes only after everybody who might miss it had time to be heard.
fn check_listened(now: Timestamp, observed: &Observed, plan: &Plan, target: VersionNumber) -> Checked {
    let version = observed.version(target).ok_or("something unknown is revoked")?;
    let rotation = observed.rotation.as_ref().filter(|rotation| rotation.hands_out());
    let listens = rotation.is_some() && observed.facts.disable && !is_compromised(observed);
    if is_orphan(version) || !listens || plan.due(now).is_none() {
        return Ok(());
    }
    let disabled_at = version.disabled_at.ok_or("it goes without having been switched off")?;
    ensure!(version.switch_in_doubt.is_none(), "it goes while nobody knows whether it is off");
    let until = later(later(disabled_at, DISABLED_FOR), observed.facts.propagation);
    ensure!(now >= until, "it was listened to for too short a time");
    ensure!(version.usage.last_used.is_none_or(|at| at <= disabled_at), "it goes although somebody missed it");
    let asked_at = version.usage.asked_at.unwrap_or(Timestamp::MIN);
    ensure!(!observed.facts.usage || asked_at >= until, "nobody asked who missed it");
    Ok(())
}

fn is_prepared(successor: Option<&Version>, version: VersionNumber) -> bool {
    successor.is_some_and(|successor| successor.number == version && successor.is_prepared() && successor.secret_held)
}

fn check_issue(now: Timestamp, policy: &Policy, observed: &Observed) -> Checked {
    let live_max = observed.facts.live_max();
    ensure!(live_max.is_none_or(|max| observed.slots.used < max), "one more than the platform allows");
    ensure!(observed.name_taken.is_none(), "the successor's name is taken");
    // Only a version tells of its parent.
    let told = observed.versions.iter().any(Version::is_live);
    ensure!(observed.parent == Parent::Enabled || !told, "issued under a disabled parent");
    ensure!(!policy.deliver.is_empty(), "issued for nobody");
    let successor = observed.rotation.as_ref().and_then(|rotation| observed.version(rotation.to?));
    // Tried, refused for long, and nothing else serves.
    let trouble = &observed.trouble;
    let put_off = trouble.retry_at.is_some() && trouble.attempts == 0;
    let started_at = observed.rotation.as_ref().map(|rotation| rotation.started_at);
    let gives_way = observed.facts.overlap == Overlap::Replace || observed.facts.ending == Ending::Expires;
    let refused = |version: &Version| version.verified_at < started_at && put_off && gives_way;
    let forgotten = |version: &Version| observed.facts.ending == Ending::Expires && !version.secret_held;
    let good = successor.is_some_and(|version| {
        usable(version) && !version.has_expired(now) && !forgotten(version) && !refused(version)
    });
    ensure!(!good, "a second successor is issued beside the first");
    Ok(())
}

/// What holds before the old version goes, or is switched off to go.
fn check_end(now: Timestamp, policy: &Policy, observed: &Observed, plan: &Plan, target: VersionNumber) -> Checked {
    let version = observed.version(target).ok_or("something unknown is revoked")?;
    ensure!(version.is_live() || is_orphan(version), "what is not alive is revoked again");
    if is_orphan(version) {
        return Ok(());
    }
    let rotation = observed.rotation.as_ref().ok_or("something is revoked outside of a rotation")?;
    let seen = |version: &Version| version.presence == Presence::Listed || !observed.facts.lists_versions;
    ensure!(seen(version), "the old version was not seen");
    ensure!(rotation.from == Some(target), "something else than the old version is revoked");
    ensure!(rotation.to != Some(target), "the successor itself is revoked");
    let successor = observed.version(rotation.to.ok_or("there is no successor")?).ok_or("the successor is unknown")?;
    ensure!(usable(successor), "the successor is not alive");
    ensure!(!successor.has_expired(now) || plan.due(now).is_none(), "the successor has expired");
    ensure!(seen(successor), "the successor was not seen");
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
    let hurried = is_compromised(observed);
    let slowest = policy.consumers.iter().map(|consumer| consumer.lag).max().unwrap_or_default();
    let overlap = if hurried { domain::Duration::ZERO } else { policy.overlap.max(slowest) };
    check_deliveries(now, policy, rotation, plan, overlap)?;
    let due = plan.due(now).is_some() && !hurried;
    if due {
        policy.consumers.iter().try_for_each(|consumer| check_consumer(now, observed, rotation, consumer))?;
    }
    if due && policy.retire_when == RetireWhen::Quiet && !is_waived(now, observed, None) {
        check_silence(now, policy, observed, rotation, version)?;
    }
    Ok(())
}

/// Whoever is told was told, and whoever speaks has spoken, or somebody answers for it at this moment.
fn check_consumer(now: Timestamp, observed: &Observed, rotation: &Rotation, consumer: &Consumer) -> Checked {
    let name = &consumer.name;
    ensure!(!consumer.told || observed.told.contains(name), "{name} was not told");
    let said = observed.acknowledged.iter().find(|said| said.consumer == *name);
    let runs_it = said.is_some_and(|said| Some(said.version) == rotation.to && said.at >= rotation.started_at);
    let answered = runs_it || is_waived(now, observed, Some(name));
    ensure!(!consumer.acknowledges || answered, "{name} has not said that it runs the successor");
    Ok(())
}

fn is_waived(now: Timestamp, observed: &Observed, consumer: Option<&str>) -> bool {
    observed.waivers.iter().any(|waiver| waiver.consumer.as_deref() == consumer && waiver.until > now)
}

fn check_deliveries(
    now: Timestamp,
    policy: &Policy,
    rotation: &Rotation,
    plan: &Plan,
    overlap: domain::Duration,
) -> Checked {
    for destination in &policy.deliver {
        let delivery = rotation.delivery(destination).ok_or("a destination was never reached")?;
        ensure!(delivery.written_at.is_some(), "a destination was never written");
        ensure!(delivery.promoted_at.is_some(), "a destination still hands out the old version");
        let first = delivery.first_confirmed_at.ok_or("a destination was never read back")?;
        let last = delivery.confirmed_at.ok_or("a destination was not read back")?;
        if plan.due(now).is_some() {
            ensure!(is_fresh(now, last), "a destination was read back too long ago");
            ensure!(later(first, overlap) <= now, "the overlap still runs");
        } else {
            let not_before = plan.steps.first().map(|planned| planned.not_before);
            ensure!(not_before >= Some(later(first, overlap)), "promised before the overlap ends");
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
    let slowest = policy.consumers.iter().map(|consumer| consumer.lag).max().unwrap_or_default();
    let quiet_at = later(later(later(silence_from, policy.quiet_for), observed.facts.propagation), slowest);
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
    let by_person = |rotation: &Rotation| !matches!(rotation.cause, Cause::Age | Cause::ParentTurned);
    is_compromised(observed) || observed.rotation.as_ref().map_or(observed.requested.is_some(), by_person)
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
        let own = [version.verified_at, version.revoked_at, version.dead_at, version.disabled_at];
        own.into_iter().chain([usage.known_through, usage.asked_at])
    });
    let asked = observed.task.as_ref().map(|task| task.asked_at);
    let deliveries = rotation
        .deliveries
        .iter()
        .flat_map(|delivery| [delivery.written_at, delivery.promoted_at, delivery.confirmed_at]);
    versions.chain(deliveries).flatten().chain(asked).chain([rotation.started_at]).max()
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
