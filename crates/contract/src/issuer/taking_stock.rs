//! Listings.

use std::collections::BTreeSet;

use domain::{Idempotency, Parent, Performer};
use driver::{Clock, Effect, Kind, Listing, Scope};
use futures_util::StreamExt;
use jiff::SignedDuration;

use super::stage::{Stage, handles, with_marker};

pub(super) async fn is_complete(it: &Stage) {
    assert_eq!(it.listed().await, it.live());
}

pub(super) async fn tells_all(it: &Stage) {
    let whole = it.try_whole(Scope::All).await.expect("a listing succeeds");
    let protected = it.protected();
    for found in &whole.found {
        assert_eq!(found.names.len(), it.case.levels, "{found:?}");
        assert!(found.names.iter().all(|name| !name.is_empty()) && !found.title.is_empty(), "{found:?}");
        assert!(found.owner.as_ref().is_none_or(|owner| !owner.name.is_empty()), "{found:?}");
        assert!(found.created_at < it.http.now(), "{found:?}");
        assert_eq!((found.parent, &found.marker), (Parent::Enabled, &None), "{found:?}");
        assert_eq!(found.protected, protected.contains(found.handle.as_str()), "{found:?}");
    }
    let names: BTreeSet<_> = it.all().await.into_iter().map(|one| one.names).collect();
    for declared in &whole.declared {
        assert_eq!(declared.names.len(), it.case.levels, "{declared:?}");
        assert!(declared.names.iter().all(|name| !name.is_empty()) && !declared.title.is_empty(), "{declared:?}");
        let again = whole.declared.iter().filter(|other| other.names == declared.names).count();
        assert_eq!(again, 1, "each credential is declared once: {declared:?}");
        let parent_is_there = declared.minted_from.as_ref().is_none_or(|parent| names.contains(parent));
        assert!(parent_is_there, "what it is minted from is no credential of ours: {declared:?}");
    }
}

/// No listing shows every version of it, so the credential itself is named: always, and beside its siblings.
pub(super) async fn names_what_it_cannot_show(it: &Stage) {
    let of_kind = |listing: &Listing| -> BTreeSet<(Vec<String>, String)> {
        let declared = listing.declared.iter().filter(|declared| declared.kind == it.kind);
        let found = listing.found.iter().filter(|found| found.kind == it.kind);
        let declared = declared.map(|declared| (declared.names.clone(), declared.locator.clone()));
        declared.chain(found.map(|found| (found.names.clone(), found.locator.clone()))).collect()
    };
    let whole = of_kind(&it.try_whole(Scope::All).await.expect("a listing succeeds"));
    assert!(!whole.is_empty());
    if it.facts().issued_by == Performer::Machine {
        let original = it.one().await;
        it.issue_beside(&original).await;
    }
    assert_eq!(of_kind(&it.try_whole(Scope::All).await.expect("a listing succeeds")), whole, "issuing changes nothing");
    let parent = |names: &[String]| names.split_last().map(|(_, above)| above.to_vec());
    for one in it.all().await.into_iter().filter(|one| one.kind == it.kind) {
        let scope = Scope::Siblings(one.subject());
        let siblings = of_kind(&it.try_whole(scope).await.expect("a listing of siblings succeeds"));
        let expected = whole.iter().filter(|(names, _)| parent(names) == parent(&one.names)).cloned().collect();
        assert_eq!(siblings, expected, "siblings are all under one parent");
    }
}

pub(super) async fn shows_the_successor(it: &Stage) {
    let original = it.one().await;
    let request = it.wanted(&original, 1);
    let issued = it.try_issue(&request).await.expect("issuing succeeds");
    for listed in [it.list().await, it.siblings(&original).await] {
        let found = listed.iter().find(|found| found.handle == issued.handle).expect("the successor is listed");
        if it.facts().idempotency == Idempotency::FindByMarker {
            assert_eq!(with_marker(&listed, &request), Some(found), "with its marker");
        }
        if it.facts().names {
            assert_eq!((found.names.last(), &found.title), (Some(&issued.name), &issued.title));
        }
        assert_eq!((found.kind, found.protected), (it.kind, false));
        assert_eq!((found.created_at, &found.locator), (issued.created_at, &original.locator));
        assert_eq!(found.expires_at, issued.expires_at);
        let old = listed.iter().find(|found| found.handle == *original.handle()).expect("the original is listed, too");
        assert_eq!((&old.names, old.created_at), (&original.names, original.created_at()));
    }
    let siblings = it.siblings(&original).await;
    let locators = siblings.iter().map(|found| &found.locator);
    assert!(locators.clone().all(|locator| *locator == original.locator), "siblings have one parent");
    let of_parent = it.list().await.into_iter().filter(|found| found.locator == original.locator);
    assert_eq!(handles(&siblings), handles(&of_parent.collect::<Vec<_>>()), "and are all of it");
}

pub(super) async fn rides_out_failures(it: &Stage) {
    let Some(route) = it.list_route().await else { return };
    for fault in ["error:0.2", "timeout_before:0.1", "timeout_after:0.1"] {
        it.fault(&format!("{fault}@{route}"));
    }
    for _ in 0..5 {
        assert_eq!(it.listed().await, it.live());
    }
}

pub(super) async fn waits_when_throttled(it: &Stage) {
    let Some(route) = it.list_route().await else { return };
    it.list().await;
    it.fault(&format!("throttle:0.3@{route}"));
    let before = it.clock.now();
    // A listing may be a single call.
    for _ in 0..10 {
        assert_eq!(it.listed().await, it.live());
    }
    let throttled = it.http.world().calls().filter(|call| call.status == Some(429)).count();
    assert!(throttled > 0, "the fault has struck");
    let waited = it.clock.now().duration_since(before);
    assert!(waited >= SignedDuration::from_secs(1), "the platform asked for a second, we waited {waited}");
}

pub(super) async fn fails_rather_than_lies(it: &Stage) {
    let Some(route) = it.list_route().await else { return };
    let original = it.one().await;
    for (fault, kind) in
        [("error", Kind::Unavailable), ("throttle", Kind::Throttled), ("timeout_after", Kind::Unavailable)]
    {
        it.fault(&format!("{fault}@{route}"));
        for scope in [Scope::All, Scope::Siblings(original.subject())] {
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
        let mut request = it.wanted(&original, attempt);
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
        let look = it.look_up(&original, original.handle()).await;
        assert!(!matches!(look, driver::Lookup::Gone), "asking by id is never stale");
    }
    it.clear_faults();
    assert_eq!(it.listed().await, it.live());
}

pub(super) async fn tells_the_platforms_time(it: &Stage) {
    let original = it.one().await;
    for days in [400, -800] {
        it.http.world().advance(SignedDuration::from_hours(24 * days));
        for scope in [Scope::All, Scope::Siblings(original.subject())] {
            let mut pages = it.issuer.list(scope);
            while let Some(page) = pages.next().await {
                let at = page.expect("another clock is no trouble").at.expect("this platform shows its clock");
                let off = at.duration_since(it.http.now()).abs();
                assert!(off <= SignedDuration::from_secs(2), "{at} is our clock, not the platform's");
            }
        }
    }
    if it.facts().issued_by == Performer::Person {
        return;
    }
    let issued = it.issue_beside(&original).await;
    let off = issued.created_at.duration_since(it.http.now()).abs();
    assert!(off <= SignedDuration::from_secs(2), "a version's age counts by the platform's clock");
}
