//! Writes that go wrong. What matters is whether the driver says truly what it does not know.

use driver::{Effect, Kind, Lookup, Revoked};
use jiff::SignedDuration;

use super::stage::{Stage, Wanted, with_marker};

/// Issues while the answer is lost.
async fn lose_the_answer(it: &Stage, wanted: &Wanted) {
    let route = it.issue_route().await;
    it.fault(&format!("timeout_after@{route}"));
    let before = it.calls_of(route);
    let error = it.try_issue(wanted).await.expect_err("the answer is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    assert_eq!(it.calls_of(route), before + 1, "a write is sent once");
    it.clear_faults();
}

pub(super) async fn lost_issue_is_found(it: &Stage) {
    let original = it.one().await;
    let request = it.wanted(&original, 1);
    lose_the_answer(it, &request).await;

    let siblings = it.siblings(&original).await;
    let orphan = with_marker(&siblings, &request).expect("it is there, with our marker");
    assert_eq!(it.try_revoke(&original, &orphan.handle).await.unwrap(), Revoked::Now);
    let issued = it.try_issue(&it.wanted(&original, 2)).await.expect("the name is free again");
    it.propagate();
    assert!(it.accepts(&original, &issued.handle, &issued.secret).await);
}

/// The platform takes our value, or honours our token: the same request brings the same version, with its secret.
pub(super) async fn lost_issue_is_repeated(it: &Stage) {
    let original = it.one().await;
    let request = it.wanted(&original, 1);
    lose_the_answer(it, &request).await;
    let after = it.ever();
    let issued = it.try_issue(&request).await.expect("repeating is what it is for");
    let again = it.try_issue(&request).await.expect("however often");
    assert_eq!(issued.handle, again.handle, "it is one version");
    assert!(it.ever().is_subset(&after.into_iter().chain([issued.handle.as_str().to_owned()]).collect()));
    it.propagate();
    for secret in [&issued.secret, &again.secret] {
        assert!(it.accepts(&original, &issued.handle, secret).await);
    }
    assert_eq!(fields(&issued.secret), fields(&again.secret), "and one secret");
    if let Some(chosen) = &request.chosen {
        assert_eq!(fields(chosen), fields(&issued.secret), "the one that we chose");
    }
}

/// Nothing finds what was made meanwhile, and nothing of it is ours to remove. Another one is made.
pub(super) async fn lost_issue_is_left(it: &Stage) {
    let original = it.one().await;
    lose_the_answer(it, &it.wanted(&original, 1)).await;
    let issued = it.try_issue(&it.wanted(&original, 2)).await.expect("another one can be had");
    it.propagate();
    assert!(it.accepts(&original, &issued.handle, &issued.secret).await);
}

fn fields(secret: &secret::SecretMap) -> Vec<(&str, &[u8])> {
    secret.iter().map(|(field, value)| (field, value.expose())).collect()
}

pub(super) async fn cut_issue_is_in_doubt(it: &Stage) {
    nothing_but_doubt(it, "timeout_before").await;
}

pub(super) async fn broken_issue_is_in_doubt(it: &Stage) {
    // The same fault answers in the platform's words and in those of a proxy.
    for _ in 0..8 {
        nothing_but_doubt(it, "error").await;
    }
}

async fn nothing_but_doubt(it: &Stage, fault: &str) {
    let route = it.issue_route().await;
    let original = it.one().await;
    let (before, sent) = (it.live(), it.calls_of(route));
    let request = it.wanted(&original, 1);
    it.fault(&format!("{fault}@{route}"));
    let error = it.try_issue(&request).await.expect_err("nothing was made");
    assert_eq!(error.effect, Effect::Unknown, "from outside, nobody can tell: {error}");
    assert_eq!(it.calls_of(route), sent + 1, "a write is sent once");
    it.clear_faults();
    assert!(with_marker(&it.siblings(&original).await, &request).is_none());
    assert_eq!(it.live(), before);
}

pub(super) async fn throttled_issue_is_reported(it: &Stage) {
    let route = it.issue_route().await;
    let original = it.one().await;
    let (before, sent) = (it.live(), it.calls_of(route));
    it.fault(&format!("throttle@{route}"));
    let error = it.try_issue(&it.wanted(&original, 1)).await.expect_err("we are throttled");
    assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
    assert!(error.retry_after.is_some(), "how long to wait is passed on");
    assert_eq!(it.calls_of(route), sent + 1, "a write is sent once");
    assert_eq!(it.live(), before);
}

pub(super) async fn throttled_revoke_is_reported(it: &Stage) {
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    let before = it.live();
    it.fault("throttle@revoke");
    let error = it.try_revoke(&original, &issued.handle).await.expect_err("we are throttled");
    assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
    assert!(error.retry_after.is_some(), "how long to wait is passed on");
    assert_eq!(it.calls_of("revoke"), 1, "a write is sent once");
    assert_eq!(it.live(), before);
}

pub(super) async fn conflict_changes_nothing(it: &Stage) {
    if it.issue_route().await != "issue" {
        // Nothing is created by a login, so nothing is in its way.
        return;
    }
    let original = it.one().await;
    let before = it.live();
    it.fault("conflict@issue");
    let error = it.try_issue(&it.wanted(&original, 1)).await.expect_err("the platform says so");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(it.live(), before);
}

pub(super) async fn lost_revoke_is_found_out(it: &Stage) {
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    it.fault("timeout_after@revoke");
    let error = it.try_revoke(&original, &issued.handle).await.expect_err("the answer is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    it.clear_faults();
    assert!(matches!(it.look_up(&original, &issued.handle).await, Lookup::Gone | Lookup::Untold));
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::GoneAlready);
}

pub(super) async fn lost_rename_is_repeated(it: &Stage) {
    let original = it.one().await;
    it.fault("timeout_after@rename");
    let error = it.try_rename(&original, original.handle(), "another", "Another").await.expect_err("it is lost");
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    it.clear_faults();
    it.try_rename(&original, original.handle(), "another", "Another").await.expect("repeating is harmless");
    let there = Lookup::There { name: "another".to_owned(), title: "Another".to_owned() };
    assert_eq!(it.look_up(&original, original.handle()).await, there);
    assert_ne!(original.name(), "another");
}

pub(super) async fn late_change_is_borne(it: &Stage) {
    if it.issue_route().await != "issue" {
        // A login answers what is good at once.
        return;
    }
    let original = it.one().await;
    it.fault("lag@issue");
    let issued = it.issue_beside(&original).await;
    it.clear_faults();
    if !it.has_gateway(&issued.secret) {
        return;
    }
    assert_eq!(it.gateway(&issued.secret), Some(401), "the gateway has not heard of it");
    assert!(!matches!(it.look_up(&original, &issued.handle).await, Lookup::Gone), "the platform has");
    it.propagate();
    assert_eq!(it.gateway(&issued.secret), Some(200), "within the time that the facts allow");
}

pub(super) async fn lie_is_seen(it: &Stage) {
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    it.propagate();
    it.fault("lies@revoke");
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::Now, "so says the platform");
    it.clear_faults();
    assert!(matches!(it.look_up(&original, &issued.handle).await, Lookup::Gone | Lookup::Untold));
    it.pass(SignedDuration::from_hours(24));
    if it.has_gateway(&issued.secret) {
        assert_eq!(it.gateway(&issued.secret), Some(200), "only a trial at the gateway shows it");
    }
}
