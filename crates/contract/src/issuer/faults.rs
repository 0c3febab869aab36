//! Writes that go wrong. What matters is whether the driver says truly what it does not know.

use driver::{Effect, Kind, Lookup, Revoked};
use jiff::SignedDuration;

use super::stage::{Stage, name, successor, with_marker};

pub(super) async fn lost_issue_is_found(it: &Stage) {
    let original = it.one().await;
    let request = successor(&original, 1);
    it.fault("timeout_after@issue");
    let error = it.try_issue(&request).await.expect_err("the answer is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    assert_eq!(it.calls_of("issue"), 1, "a write is sent once");
    it.clear_faults();

    let siblings = it.siblings(&original).await;
    let orphan = with_marker(&siblings, &request).expect("it is there, with our marker");
    assert_eq!(it.try_revoke(&original, &orphan.handle).await.unwrap(), Revoked::Now);
    let issued = it.try_issue(&successor(&original, 2)).await.expect("the name is free again");
    it.propagate();
    assert_eq!(it.gateway(&issued.secret), Some(200));
}

pub(super) async fn cut_issue_is_in_doubt(it: &Stage) {
    nothing_but_doubt(it, "timeout_before@issue").await;
}

pub(super) async fn broken_issue_is_in_doubt(it: &Stage) {
    // The same fault answers in the platform's words and in those of a proxy.
    for _ in 0..8 {
        nothing_but_doubt(it, "error@issue").await;
    }
}

async fn nothing_but_doubt(it: &Stage, fault: &str) {
    let original = it.one().await;
    let (before, sent) = (it.live(), it.calls_of("issue"));
    let request = successor(&original, 1);
    it.fault(fault);
    let error = it.try_issue(&request).await.expect_err("nothing was made");
    assert_eq!(error.effect, Effect::Unknown, "from outside, nobody can tell: {error}");
    assert_eq!(it.calls_of("issue"), sent + 1, "a write is sent once");
    it.clear_faults();
    assert!(with_marker(&it.siblings(&original).await, &request).is_none());
    assert_eq!(it.live(), before);
}

pub(super) async fn throttled_write_is_reported(it: &Stage) {
    let original = it.one().await;
    let before = it.live();
    it.fault("throttle@issue");
    it.fault("throttle@revoke");
    let issue = it.try_issue(&successor(&original, 1)).await.expect_err("we are throttled");
    let revoke = it.try_revoke(&original, &original.handle).await.expect_err("we are throttled");
    for error in [issue, revoke] {
        assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
        assert!(error.retry_after.is_some(), "how long to wait is passed on");
    }
    assert_eq!((it.calls_of("issue"), it.calls_of("revoke")), (1, 1), "a write is sent once");
    assert_eq!(it.live(), before);
}

pub(super) async fn conflict_changes_nothing(it: &Stage) {
    let original = it.one().await;
    let before = it.live();
    it.fault("conflict@issue");
    let error = it.try_issue(&successor(&original, 1)).await.expect_err("the platform says so");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(it.live(), before);
}

pub(super) async fn lost_revoke_is_found_out(it: &Stage) {
    let original = it.one().await;
    it.fault("timeout_after@revoke");
    let error = it.try_revoke(&original, &original.handle).await.expect_err("the answer is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    it.clear_faults();
    assert_eq!(it.look_up(&original, &original.handle).await, Lookup::Gone);
    assert_eq!(it.try_revoke(&original, &original.handle).await.unwrap(), Revoked::GoneAlready);
}

pub(super) async fn lost_rename_is_repeated(it: &Stage) {
    if it.issuer.renamer().is_none() {
        return;
    }
    let original = it.one().await;
    it.fault("timeout_after@rename");
    let error = it.try_rename(&original, &original.handle, "another", "Another").await.expect_err("it is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    it.clear_faults();
    it.try_rename(&original, &original.handle, "another", "Another").await.expect("repeating is harmless");
    let there = Lookup::There { name: "another".to_owned(), title: "Another".to_owned() };
    assert_eq!(it.look_up(&original, &original.handle).await, there);
    assert_ne!(name(&original), "another");
}

pub(super) async fn late_change_is_borne(it: &Stage) {
    let original = it.one().await;
    it.fault("lag@issue");
    let issued = it.issue_beside(&original).await;
    it.clear_faults();
    assert_eq!(it.gateway(&issued.secret), Some(401), "the gateway has not heard of it");
    assert!(matches!(it.look_up(&original, &issued.handle).await, Lookup::There { .. }), "the platform has");
    it.pass(it.issuer.facts().main.propagation);
    assert_eq!(it.gateway(&issued.secret), Some(200), "within the time that the facts allow");
}

pub(super) async fn lie_is_seen(it: &Stage) {
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    it.propagate();
    it.fault("lies@revoke");
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::Now, "so says the platform");
    it.clear_faults();
    assert_eq!(it.look_up(&original, &issued.handle).await, Lookup::Gone);
    it.pass(SignedDuration::from_hours(24));
    assert_eq!(it.gateway(&issued.secret), Some(200), "only a trial at the gateway shows it");
}
