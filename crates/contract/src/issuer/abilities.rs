//! Facts, the preflight, and usage.

use std::collections::BTreeSet;

use domain::{Ending, IssuerFacts, Minting, Overlap, Performer};
use driver::{Kind, Trial};
use jiff::{SignedDuration, Timestamp};

use super::stage::Stage;

pub(super) async fn agree_with_facts(it: &Stage) {
    let facts = it.issuer.facts();
    assert_eq!(facts, it.issuer.facts(), "facts do not change");
    let any = |fact: fn(&IssuerFacts) -> bool| facts.all().any(fact);
    assert_eq!(any(|facts| facts.names), it.issuer.renamer().is_some(), "names are there to be given back");
    assert_eq!(any(|facts| facts.usage), it.issuer.usage().is_some());
    assert_eq!(any(|facts| facts.disable), it.issuer.disabler().is_some());
    assert_eq!(any(|facts| facts.minting == Minting::ByUs), it.issuer.minter().is_some());
    let person = |facts: &IssuerFacts| facts.issued_by == Performer::Person || facts.ending == Ending::ByPerson;
    assert_eq!(any(person), it.issuer.assisted().is_some());
    for facts in facts.all() {
        assert!(facts.propagation >= SignedDuration::ZERO);
        let by_hand = facts.issued_by == Performer::Person;
        assert!(!(by_hand && facts.minting == Minting::ByUs), "a person cannot be given a value to type");
        assert!(!(facts.disable && facts.overlap == Overlap::Replace), "what died with the issue cannot be switched");
    }
}

/// Every kind of the fact sheet is on the stage, and there is none beside them: what is not played is not known.
pub(super) async fn every_kind_is_there(it: &Stage) {
    let facts = it.issuer.facts();
    let mut declared: BTreeSet<&str> = facts.kinds.keys().copied().collect();
    let there = it.kinds().await;
    if there.contains("") || declared.is_empty() {
        declared.insert("");
    } else {
        assert!(facts.kinds.values().any(|kind| *kind == facts.main), "the main facts hold for nothing on the stage");
    }
    assert_eq!(there, declared);
}

pub(super) async fn preflight_passes(it: &Stage) {
    let before = it.live();
    let check = it.issuer.check().await.expect("the preflight passes");
    it.see(&check);
    assert!(!check.passed.is_empty(), "a preflight says what it has checked");
    assert_eq!(it.live(), before);
    for call in it.http.world().calls().filter(|call| call.route != "login") {
        assert_eq!(call.method, "GET", "the preflight changes nothing: {} {}", call.method, call.path);
    }
}

/// Analytics may be so far behind.
const USAGE_LAG_MAX: SignedDuration = SignedDuration::from_mins(30);
/// Analytics may count by the minute. Then the end of the minute is told: a use that is told too late delays, one that
/// is told too early could cut somebody off.
const USAGE_LATE_MAX: SignedDuration = SignedDuration::from_mins(1);
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);

/// At `other`, or at most so much later.
fn near(one: Timestamp, other: Timestamp, late_max: SignedDuration) -> bool {
    let late = one.duration_since(other);
    -ROUNDING <= late && late <= late_max + ROUNDING
}

pub(super) async fn usage_is_told(it: &Stage) {
    let usage = it.issuer.usage().expect("the facts say so");
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    it.propagate();
    let at = original.subject();
    let since = issued.created_at;
    // A trial at the platform is no use by a consumer, or nothing would ever be quiet.
    assert!(matches!(it.verify(&original, &issued.handle, &issued.secret).await, None | Some(Trial::Accepted)));

    let quiet = usage.usage(&at, &issued.handle, since).await.expect("use can be asked for");
    it.see(&quiet);
    assert_eq!(quiet.last_used, None, "nobody has used it");
    let known_through = quiet.known_through.expect("up to when use is known is told");
    assert!(near(it.http.now(), known_through, USAGE_LAG_MAX), "{known_through} is not shortly before now");

    let hour = SignedDuration::from_hours(1);
    let mut last = it.http.now();
    for _ in 0..3 {
        it.pass(hour);
        last = it.http.now();
        assert_eq!(it.gateway(&issued.secret), Some(200));
    }
    it.pass(hour);
    let used = usage.usage(&at, &issued.handle, since).await.expect("use can be asked for");
    assert!(near(used.last_used.expect("it was used"), last, USAGE_LATE_MAX), "{used:?}, but last used at {last}");
    assert!(used.known_through > used.last_used, "{used:?}");

    let later = last.checked_add(SignedDuration::from_mins(1)).unwrap();
    let since_then = usage.usage(&at, &issued.handle, later).await.expect("use can be asked for");
    assert_eq!(since_then.last_used, None, "not since then");
    let other = usage.usage(&at, original.handle(), since).await.expect("use can be asked for");
    assert_eq!(other.last_used, None, "the use of one version is not the use of its sibling");
}

pub(super) async fn missing_right_is_not_quiet(it: &Stage) {
    let usage = it.issuer.usage().expect("the stage is set for a platform that tells usage");
    let original = it.one().await;
    let error = usage.usage(&original.subject(), original.handle(), original.created_at()).await;
    let error = error.expect_err("the account may not see usage");
    it.see(&error);
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    let check = it.issuer.check().await.expect("it works without, but less well");
    assert!(!check.reduced.is_empty(), "the preflight says what lacks");
}
