//! One credential, from issue to revoke.

use domain::Handle;
use driver::{Effect, Kind, Lookup, Revoked, Trial};

use super::stage::{Stage, handles, name, successor, with_marker};

pub(super) async fn from_issue_to_revoke(it: &Stage) {
    let original = it.one().await;
    let request = successor(&original, 1);
    let issued = it.try_issue(&request).await.expect("issuing succeeds");
    assert_eq!((&issued.name, &issued.title), (&request.name, &request.title));
    assert_ne!(issued.handle, original.handle);
    let there = Lookup::There { name: request.name.clone(), title: request.title.clone() };
    assert_eq!(it.look_up(&original, &issued.handle).await, there);

    it.propagate();
    assert_eq!(it.gateway(&issued.secret), Some(200), "the secret is what consumers need");
    assert_eq!(it.gateway(&it.forged(&issued.secret)), Some(401), "the gateway can tell");
    if let Some(trial) = it.verify(&original, &issued.handle, &issued.secret).await {
        assert_eq!(trial, Trial::Accepted);
        let forged = it.forged(&issued.secret);
        let trial = it.verify(&original, &issued.handle, &forged).await;
        assert!(matches!(trial, Some(Trial::Refused(_))), "{trial:?}");
        let trial = it.verify(&original, &issued.handle, &issued.secret).await;
        assert_eq!(trial, Some(Trial::Accepted), "a refused trial spoils nothing");
    }

    let before = it.live();
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::Now);
    assert_eq!(it.try_revoke(&original, &issued.handle).await.unwrap(), Revoked::GoneAlready);
    assert_eq!(it.look_up(&original, &issued.handle).await, Lookup::Gone);
    let mut after = before;
    after.remove(issued.handle.as_str());
    assert_eq!(it.live(), after, "this one is gone, and nothing else");
    assert_eq!(handles(&it.list().await), after);
    it.propagate();
    assert_eq!(it.gateway(&issued.secret), Some(401));
    let trial = it.verify(&original, &issued.handle, &issued.secret).await;
    assert!(matches!(trial, None | Some(Trial::Refused(_))), "{trial:?}");
}

pub(super) async fn names_are_given_back(it: &Stage) {
    if it.issuer.renamer().is_none() {
        return;
    }
    let original = it.one().await;
    let request = successor(&original, 1);
    let issued = it.try_issue(&request).await.expect("issuing succeeds");
    it.propagate();
    let (name, title) = (name(&original), original.title.as_str());

    let error = it.try_rename(&original, &issued.handle, name, title).await.expect_err("the name is taken");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    let there = Lookup::There { name: request.name.clone(), title: request.title.clone() };
    assert_eq!(it.look_up(&original, &issued.handle).await, there, "a conflict changes nothing");

    it.try_rename(&original, &original.handle, "set-aside", "Set aside").await.expect("there");
    it.try_rename(&original, &original.handle, name, title).await.expect("and back");
    it.try_revoke(&original, &original.handle).await.expect("revoking succeeds");
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
    let again = successor(&original, 2);
    let error = it.try_issue(&again).await.expect_err("the name is taken");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(it.live(), before);
}

pub(super) async fn wrong_handle_removes_nothing(it: &Stage) {
    let original = it.one().await;
    let before = it.live();
    let of_the_name = Handle::parse(name(&original)).unwrap();
    for handle in [of_the_name, Handle::parse("no-such-id").unwrap(), Handle::parse("%2e%2e").unwrap()] {
        match it.try_revoke(&original, &handle).await {
            Ok(revoked) => assert_eq!(revoked, Revoked::GoneAlready, "{handle}"),
            Err(error) => assert_eq!(error.effect, Effect::NotApplied, "{handle}: {error}"),
        }
        assert_eq!(it.live(), before, "{handle}");
    }
}
