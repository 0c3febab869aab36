//! What only some kinds of platform do: who chooses, what replaces, what expires, what is switched, who acts.

use std::collections::BTreeSet;

use domain::{Ask, Ending, Handle, Overlap, VersionNumber};
use driver::{Effect, Kind, Lookup};
use jiff::SignedDuration;
use secret::Secret;
use serde_json::json;

use super::{
    life::is_what_consumers_need,
    stage::{Stage, text},
};

/// What we choose differs from time to time, and is what comes out.
pub(super) async fn chosen_is_taken(it: &Stage) {
    let original = it.one().await;
    let wanted = it.wanted(&original, 1);
    let chosen = wanted.chosen.as_ref().expect("we choose");
    let other = it.choose(&original, &wanted.marker);
    let values = |secret: &secret::SecretMap| -> BTreeSet<String> {
        secret.iter().map(|(field, _)| text(secret, field).unwrap().to_owned()).collect()
    };
    assert_ne!(values(chosen), values(&other), "what is chosen twice is no secret");
    let issued = it.try_issue(&wanted).await.expect("issuing succeeds");
    assert_eq!(values(&issued.secret), values(chosen), "the platform has taken what we chose");
    it.propagate();
    is_what_consumers_need(it, &original, &issued).await;
}

/// The old one dies with the issue, and again with the next.
pub(super) async fn old_one_dies_with_the_issue(it: &Stage) {
    let original = it.one().await;
    let mut before = None;
    for attempt in 1..=3 {
        let issued = it.try_issue(&it.wanted(&original, attempt)).await.expect("issuing succeeds");
        it.propagate();
        is_what_consumers_need(it, &original, &issued).await;
        if let Some((handle, secret)) = before {
            assert_ne!(handle, issued.handle);
            assert!(!it.accepts(&original, &handle, &secret).await, "it was replaced");
            assert!(!matches!(it.look_up(&original, &handle).await, Lookup::There { .. }), "it was replaced");
        }
        before = Some((issued.handle, issued.secret));
    }
}

/// Nothing ends it early; at its time it ends by itself, and the next one has begun before.
pub(super) async fn expires_as_told(it: &Stage) {
    let facts = it.facts();
    let original = it.one().await;
    let issued = it.try_issue(&it.wanted(&original, 1)).await.expect("issuing succeeds");
    let expires_at = issued.expires_at.expect("what nothing ends early tells when it ends");
    assert!(expires_at > issued.created_at, "{issued:?}");
    it.propagate();
    is_what_consumers_need(it, &original, &issued).await;

    let calls = it.http.world().calls().len();
    let error = it.try_revoke(&original, &issued.handle).await.expect_err("nothing ends it early");
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert_eq!(it.http.world().calls().len(), calls, "and the platform is not asked");

    let life = expires_at.duration_since(it.http.now());
    it.pass(life / 2);
    let next = it.try_issue(&it.wanted(&original, 2)).await.expect("issuing succeeds");
    it.propagate();
    assert!(next.expires_at > issued.expires_at, "the next one lives on");
    if matches!(facts.overlap, Overlap::Concurrent { .. }) {
        assert!(it.accepts(&original, &issued.handle, &issued.secret).await, "both live");
    }
    it.pass(expires_at.duration_since(it.http.now()) + facts.propagation + SignedDuration::from_secs(1));
    assert!(!it.accepts(&original, &issued.handle, &issued.secret).await, "it has expired");
    assert!(!matches!(it.look_up(&original, &issued.handle).await, Lookup::There { .. }), "it has expired");
    assert!(it.accepts(&original, &next.handle, &next.secret).await, "the next one has not");
}

/// Off, it is refused and still there; on again, it is as before.
pub(super) async fn is_switched_off_and_on(it: &Stage) {
    let disabler = it.issuer.disabler().expect("the facts say so");
    let original = it.one().await;
    let issued = it.issue_beside(&original).await;
    it.propagate();
    let (at, ticket) = (original.subject(), super::stage::ticket());
    for _ in 0..2 {
        let before = it.live();
        for _ in 0..2 {
            disabler.disable(&at, &issued.handle, &ticket).await.expect("twice is as once");
        }
        it.propagate();
        assert!(!it.accepts(&original, &issued.handle, &issued.secret).await, "it is off");
        assert_ne!(it.look_up(&original, &issued.handle).await, Lookup::Gone, "off is not gone");
        assert_eq!(it.live(), before, "nothing is removed");
        for _ in 0..2 {
            disabler.enable(&at, &issued.handle, &ticket).await.expect("twice is as once");
        }
        it.propagate();
        assert!(it.accepts(&original, &issued.handle, &issued.secret).await, "it is on again");
    }
    disabler.disable(&at, &issued.handle, &ticket).await.expect("it is there");
    it.try_revoke(&original, &issued.handle).await.expect("what is off can be ended");
}

/// The person is told exactly what to do, and the verbs that are theirs refuse without a call.
pub(super) async fn person_is_asked(it: &Stage) {
    let facts = it.facts();
    let original = it.one().await;
    let assisted = it.issuer.assisted().expect("the facts say so");
    let calls = it.http.world().calls().len();
    let at = original.subject();
    let handle = original.version.as_ref().map(|(handle, _)| handle);
    let first = VersionNumber(1);
    let mut asks = vec![Ask::Issue { from: None }, Ask::Issue { from: Some(first) }];
    if facts.ending == Ending::ByPerson {
        asks.push(Ask::Revoke { version: first });
    }
    let mut told = BTreeSet::new();
    for ask in asks {
        let lines = assisted.instructions(&at, &ask, handle);
        it.see(&lines);
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.trim().is_empty()), "{ask:?}: {lines:?}");
        told.insert((ask.word(), lines));
    }
    let words: BTreeSet<_> = told.iter().map(|(word, _)| *word).collect();
    let texts: BTreeSet<_> = told.iter().map(|(_, lines)| lines).collect();
    assert!(texts.len() >= words.len(), "making and removing are not the same work");

    let error = it.try_issue(&it.wanted(&original, 1)).await.expect_err("a person issues");
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert_eq!(it.http.world().calls().len(), calls, "and the platform is not asked");
}

pub(super) async fn removal_is_left_to_the_person(it: &Stage) {
    let original = it.one().await;
    let calls = it.http.world().calls().len();
    let handle = original.version.as_ref().map_or_else(|| Handle::parse("any").unwrap(), |(handle, _)| handle.clone());
    let error = it.try_revoke(&original, &handle).await.expect_err("a person removes");
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert_eq!(it.http.world().calls().len(), calls, "and the platform is not asked");
}

/// What is no secret of this platform is refused with a reason that does not quote it.
pub(super) async fn rubbish_is_refused(it: &Stage) {
    const CANARY: &str = "canary-5f1e";
    let assisted = it.issuer.assisted().expect("the facts say so");
    let original = it.one().await;
    let calls = it.http.world().calls().len();
    for rubbish in [
        Vec::new(),
        b" \n".to_vec(),
        vec![0xff, 0xfe, 0x00, 0x80],
        format!("{CANARY}\u{7}\nsecond {CANARY}\n").into_bytes(),
        format!("{{\"{CANARY}\": \"{CANARY}\"").into_bytes(),
        format!("{{\"{CANARY}\": [\"{CANARY}\", 1]}}").into_bytes(),
        format!("<html><title>{CANARY}</title><body>Sign in</body></html>").into_bytes(),
    ] {
        let content = Secret::new(rubbish);
        let error = assisted.read(&original.subject(), &content).expect_err("it is no secret of this platform");
        it.see(&error);
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
        assert!(!error.message.is_empty() && !format!("{error} {error:?}").contains(CANARY), "{error}");
    }
    assert_eq!(it.http.world().calls().len(), calls, "reading calls nobody");
}

/// A person makes one at the console and hands it over, and where that is theirs, removes it again.
pub(super) async fn handed_over_is_taken(it: &Stage) {
    let facts = it.facts();
    let assisted = it.issuer.assisted().expect("the facts say so");
    let original = it.one().await;
    let mut before = None;
    for _ in 0..2 {
        let made = it.tamper(&json!({ "action": "issue_by_hand", "names": original.names }));
        let content = made["content"].as_str().expect("a person hands something over");
        let read = || assisted.read(&original.subject(), &Secret::from_text(content));
        let (one, again) = (read().expect("it is the platform's own"), read().expect("it is the platform's own"));
        it.see(&one);
        assert_eq!(one.secret.iter().count(), again.secret.iter().count());
        it.propagate();
        assert!(it.accepts(&original, &one.handle, &one.secret).await, "what was handed over is what consumers need");
        if let Some((handle, secret, _)) = before {
            let lives = it.accepts(&original, &handle, &secret).await;
            assert_eq!(lives, facts.overlap != Overlap::Replace, "the one before");
            assert_ne!(handle, one.handle);
        }
        before = Some((one.handle, one.secret, content.to_owned()));
        it.pass(SignedDuration::from_mins(1));
    }
    let (handle, secret, content) = before.expect("two were made");
    if facts.ending == Ending::ByPerson {
        it.tamper(&json!({ "action": "remove_by_hand", "names": original.names, "content": content }));
        it.propagate();
        assert!(!it.accepts(&original, &handle, &secret).await, "what a person removed is refused");
    }
}
