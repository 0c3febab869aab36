//! Listings.

use domain::Parent;
use driver::{Clock, Effect, Kind, Scope};
use futures_util::StreamExt;
use jiff::SignedDuration;

use super::stage::{Stage, handles, subject, successor, with_marker};

pub(super) async fn is_complete(it: &Stage) {
    assert_eq!(handles(&it.list().await), it.live());
}

pub(super) async fn tells_all(it: &Stage) {
    let all = it.list().await;
    for found in &all {
        assert_eq!(found.names.len(), it.case.levels, "{found:?}");
        assert!(found.names.iter().all(|name| !name.is_empty()) && !found.title.is_empty(), "{found:?}");
        assert!(found.owner.as_ref().is_some_and(|owner| !owner.name.is_empty()), "{found:?}");
        assert!(found.created_at < it.http.now(), "{found:?}");
        assert_eq!((found.parent, &found.marker), (Parent::Enabled, &None), "{found:?}");
    }
    let original = it.one().await;
    let request = successor(&original, 1);
    let issued = it.try_issue(&request).await.expect("issuing succeeds");
    for listed in [it.list().await, it.siblings(&original).await] {
        let found = with_marker(&listed, &request).expect("the successor is listed with its marker");
        assert_eq!((&found.handle, &found.title), (&issued.handle, &issued.title));
        assert_eq!(found.names.last(), Some(&issued.name));
        assert_eq!((found.created_at, &found.locator), (issued.created_at, &original.locator));
        let old = listed.iter().find(|found| found.handle == original.handle).expect("the original is listed, too");
        assert_eq!((&old.names, old.created_at), (&original.names, original.created_at));
    }
    let siblings = it.siblings(&original).await;
    let locators = siblings.iter().map(|found| &found.locator);
    assert!(locators.clone().all(|locator| *locator == original.locator), "siblings have one parent");
    let of_parent = it.list().await.into_iter().filter(|found| found.locator == original.locator);
    assert_eq!(handles(&siblings), handles(&of_parent.collect::<Vec<_>>()), "and are all of it");
}

pub(super) async fn rides_out_failures(it: &Stage) {
    for fault in ["error:0.2", "timeout_before:0.1", "timeout_after:0.1"] {
        it.fault(&format!("{fault}@list"));
    }
    for _ in 0..5 {
        assert_eq!(handles(&it.list().await), it.live());
    }
}

pub(super) async fn waits_when_throttled(it: &Stage) {
    it.list().await;
    it.fault("throttle:0.5@list");
    let before = it.clock.now();
    for _ in 0..3 {
        assert_eq!(handles(&it.list().await), it.live());
    }
    let throttled = it.http.world().calls().filter(|call| call.status == Some(429)).count();
    assert!(throttled > 0, "the fault has struck");
    let waited = it.clock.now().duration_since(before);
    assert!(waited >= SignedDuration::from_secs(1), "the platform asked for a second, we waited {waited}");
}

pub(super) async fn fails_rather_than_lies(it: &Stage) {
    let original = it.one().await;
    for (fault, kind) in [
        ("error@list", Kind::Unavailable),
        ("throttle@list", Kind::Throttled),
        ("timeout_after@list", Kind::Unavailable),
    ] {
        it.fault(fault);
        for scope in [Scope::All, Scope::Siblings(subject(&original))] {
            let error = it.try_list(scope).await.expect_err("it cannot be had");
            assert_eq!((error.kind, error.effect), (kind, Effect::NotApplied), "{fault}: {error}");
            assert_eq!(error.retry_after.is_some(), kind == Kind::Throttled, "{fault}");
        }
        it.clear_faults();
    }
}

pub(super) async fn bears_stale_answers(it: &Stage) {
    let original = it.one().await;
    for attempt in 1..=3 {
        let mut request = successor(&original, attempt);
        request.name = format!("{}-{attempt}", request.name);
        let issued = it.try_issue(&request).await.expect("issuing succeeds");
        if attempt == 2 {
            it.try_revoke(&original, &issued.handle).await.expect("revoking succeeds");
        }
        it.pass(SignedDuration::from_secs(10));
    }
    it.fault("stale_list:0.5");
    for _ in 0..20 {
        match it.try_list(Scope::All).await {
            Ok(listed) => assert!(handles(&listed).is_subset(&it.ever()), "nothing is made up"),
            Err(error) => assert!(error.kind.is_transient() && error.effect == Effect::NotApplied, "{error}"),
        }
        let look = it.look_up(&original, &original.handle).await;
        assert!(matches!(look, driver::Lookup::There { .. }), "asking by id is never stale");
    }
    it.clear_faults();
    assert_eq!(handles(&it.list().await), it.live());
}

pub(super) async fn tells_the_platforms_time(it: &Stage) {
    let original = it.one().await;
    for days in [400, -800] {
        it.http.world().advance(SignedDuration::from_hours(24 * days));
        for scope in [Scope::All, Scope::Siblings(subject(&original))] {
            let mut pages = it.issuer.list(scope);
            while let Some(page) = pages.next().await {
                let at = page.expect("another clock is no trouble").at.expect("this platform shows its clock");
                let off = at.duration_since(it.http.now()).abs();
                assert!(off <= SignedDuration::from_secs(2), "{at} is our clock, not the platform's");
            }
        }
    }
    let issued = it.issue_beside(&original).await;
    let off = issued.created_at.duration_since(it.http.now()).abs();
    assert!(off <= SignedDuration::from_secs(2), "a version's age counts by the platform's clock");
}
