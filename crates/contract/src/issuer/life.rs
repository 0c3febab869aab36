//! One credential, from issue to revoke.

use domain::Handle;
use driver::{Effect, Issued, Kind, Lookup, Revoked, Trial};

use super::one::One;
use super::stage::{Stage, with_marker};

pub(super) async fn from_issue_to_revoke(it: &Stage) {
    let facts = it.facts();
    let original = it.one().await;
    let wanted = it.wanted(&original, 1);
    let issued = it.try_issue(&wanted).await.expect("issuing succeeds");
    assert_ne!(Some(&issued.handle), original.version.as_ref().map(|(handle, _)| handle));
    if facts.names {
        assert_eq!((&issued.name, &issued.title), (&wanted.name, &wanted.title));
        let there = Lookup::There { name: wanted.name.clone(), title: wanted.title.clone() };
        assert_eq!(it.look_up(&original, &issued.handle).await, there);
    }
    assert_ne!(it.look_up(&original, &issued.handle).await, Lookup::Gone);

    it.propagate();
    is_what_consumers_need(it, &original, &issued).await;

    let before = it.live();
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::Now);
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::GoneAlready);
    assert!(matches!(it.look_up(&original, &issued.handle).await, Lookup::Gone | Lookup::Untold));
    let mut after = before;
    after.remove(issued.handle.as_str());
    assert_eq!(it.live(), after, "this one is gone, and nothing else");
    assert_eq!(it.listed().await, after);
    it.propagate();
    assert!(!it.accepts(&original, &issued.handle, &issued.secret).await, "revoked is refused");
}

/// Accepted everywhere, and something else in its place nowhere.
pub(super) async fn is_what_consumers_need(it: &Stage, of: &One, issued: &Issued) {
    assert!(it.accepts(of, &issued.handle, &issued.secret).await, "the secret is what consumers need");
    let forged = it.forged(&issued.secret);
    if it.has_gateway(&issued.secret) {
        assert_eq!(it.gateway(&forged), Some(401), "the gateway can tell");
    }
    if let Some(trial) = it.try_verify(of, &issued.handle, &forged).await {
        let refused = match &trial {
            Ok(trial) => matches!(trial, Trial::Refused(_)),
            // Nothing that could be sent at all.
            Err(error) => error.kind == Kind::Invalid,
        };
        assert!(refused, "{trial:?}");
    }
    assert!(it.accepts(of, &issued.handle, &issued.secret).await, "a refused trial spoils nothing");
}

pub(super) async fn names_are_given_back(it: &Stage) {
    let original = it.one().await;
    let request = it.wanted(&original, 1);
    let issued = it.try_issue(&request).await.expect("issuing succeeds");
    it.propagate();
    let (name, title) = (original.name(), original.title.as_str());

    let error = it.try_rename(&original, &issued.handle, name, title).await.expect_err("the name is taken");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    let there = Lookup::There { name: request.name.clone(), title: request.title.clone() };
    assert_eq!(it.look_up(&original, &issued.handle).await, there, "a conflict changes nothing");

    it.try_rename(&original, original.handle(), "set-aside", "Set aside").await.expect("there");
    it.try_rename(&original, original.handle(), name, title).await.expect("and back");
    it.try_revoke(&original, original.handle()).await.expect("revoking succeeds");
    for _ in 0..2 {
        it.try_rename(&original, &issued.handle, name, title).await.expect("the name is free, and then its own");
    }
    let there = Lookup::There { name: name.to_owned(), title: title.to_owned() };
    assert_eq!(it.look_up(&original, &issued.handle).await, there);
    let listed = it.list().await;
    let found = with_marker(&listed, &request).expect("a new name keeps the marker");
    assert_eq!((&found.names, &found.title, &found.handle), (&original.names, &original.title, &issued.handle));
    assert_eq!(found.created_at, issued.created_at, "nor is it younger for its name");
    assert_eq!(it.gateway(&issued.secret), Some(200), "and it works on");
}

pub(super) async fn taken_name_is_a_conflict(it: &Stage) {
    let original = it.one().await;
    it.issue_beside(&original).await;
    let before = it.live();
    let again = it.wanted(&original, 2);
    let error = it.try_issue(&again).await.expect_err("the name is taken");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(it.live(), before);
}

pub(super) async fn wrong_handle_removes_nothing(it: &Stage) {
    let original = it.one().await;
    let before = it.live();
    let texts = [original.name(), "no-such-id", "%2e%2e"];
    // Where versions have no names of their own, the name is the right handle.
    let handles = texts.into_iter().filter(|text| *text != original.handle().as_str());
    for handle in handles.map(|text| Handle::parse(text).unwrap()) {
        match it.try_revoke(&original, &handle).await {
            Ok(revoked) => assert_eq!(revoked, Revoked::GoneAlready, "{handle}"),
            Err(error) => assert_eq!(error.effect, Effect::NotApplied, "{handle}: {error}"),
        }
        assert_eq!(it.live(), before, "{handle}");
    }
}
