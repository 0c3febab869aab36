//! Writing, promoting and discarding, above all where the emulator is kinder than AWS.

use driver::{Discarded, Effect, Form, Kind, Label, StoreVersion};
use jiff::SignedDuration;
use secret::{Secret, SecretMap};
use serde_json::json;

use super::{NAME, Stage, of_secret, path, ticket};

#[tokio::test]
async fn a_secret_is_created_with_tags_and_its_first_version() {
    let stage = Stage::with("kms_key_id = \"alias/keyrota\"", &[]);
    let version = stage.write_for("one", "a", Some("production")).await.unwrap();
    let secret = stage.secret().unwrap();
    assert_eq!(secret["tags"], json!({ "keyrota:credential": NAME, "environment": "production" }));
    assert_eq!(secret["kms_key_id"], "alias/keyrota");
    let value: serde_json::Value = serde_json::from_str(secret["versions"][0]["value"].as_str().unwrap()).unwrap();
    assert_eq!(value, json!({ "client_id": "id", "client_secret": "canary-one" }));
    // AWS's own rule for the first version.
    assert_eq!(stage.labels(), [(version.0.clone(), vec!["AWSCURRENT".to_owned(), "AWSPENDING".to_owned()])]);
    assert_eq!(stage.inspect().await.environment.as_deref(), Some("production"));

    stage.promote(&version, None).await.unwrap();
    assert_eq!(stage.labels(), [(version.0, vec!["AWSCURRENT".to_owned()])]);
}

#[tokio::test]
async fn an_attempt_has_one_value() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    assert_eq!(stage.store.discard(&path(), &second, &ticket()).await.unwrap(), Discarded::Now);
    let calls = stage.calls();
    assert_eq!(stage.write("two").await.unwrap(), second, "the same value: AWS does nothing");
    assert_eq!(stage.calls(), calls + 2);
    let error = stage.write_for("three", "attempt two", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    stage.is_free_of_canaries(&error);
    assert_eq!(stage.holder("AWSCURRENT"), Some(first.0));
}

#[tokio::test]
async fn a_lost_answer_is_the_same_version_when_asked_again() {
    let stage = Stage::new();
    let [first, _] = stage.two().await;
    stage.fault("timeout_after@issue");
    let error = stage.write("three").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::Unknown), "{error}");
    stage.twin.world().clear_faults();
    let third = stage.write("three").await.unwrap();
    assert_eq!(stage.labels().len(), 3);
    assert_eq!(stage.holder("AWSPENDING"), Some(third.0.clone()));

    stage.fault("timeout_after@rename");
    let error = stage.promote(&third, Some(&first)).await.unwrap_err();
    assert_eq!(error.effect, Effect::Unknown, "{error}");
    assert_eq!(stage.holder("AWSCURRENT"), Some(third.0.clone()), "it took place");
    stage.twin.world().clear_faults();
    stage.promote(&third, Some(&first)).await.unwrap();
    assert_eq!((stage.holder("AWSPENDING"), stage.holder("AWSPREVIOUS")), (None, Some(first.0)));
}

#[tokio::test]
async fn a_promotion_cut_in_the_middle_is_finished_by_the_next() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    // The version is current; its AWSPENDING could not be taken away any more.
    stage.tamper(json!({ "action": "give", "name": NAME, "label": "AWSCURRENT", "version": second.0 }));
    assert_eq!(stage.holder("AWSPENDING"), Some(second.0.clone()));
    stage.promote(&second, Some(&first)).await.unwrap();
    assert_eq!((stage.holder("AWSPENDING"), stage.holder("AWSPREVIOUS")), (None, Some(first.0)));
}

#[tokio::test]
async fn somebody_who_moves_a_label_between_our_looking_and_our_moving_is_noticed() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    stage.before("UpdateSecretVersionStage", super::by_hand("AWSCURRENT", "{}"));
    let error = stage.promote(&second, Some(&first)).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert!(error.message.contains(super::THEIRS), "{error}");
    assert_eq!(stage.holder("AWSCURRENT").as_deref(), Some(super::THEIRS));
    assert_eq!(stage.holder("AWSPENDING"), Some(second.0));
}

#[tokio::test]
async fn a_secret_created_by_somebody_else_meanwhile_is_used() {
    let stage = Stage::new();
    stage.before("CreateSecret", super::by_hand("AWSCURRENT", "{\"client_id\":\"theirs\"}"));
    let version = stage.write("one").await.unwrap();
    assert_eq!(stage.holder("AWSCURRENT").as_deref(), Some(super::THEIRS), "theirs stays until the promotion");
    assert_eq!(stage.holder("AWSPENDING"), Some(version.0));
}

#[tokio::test]
async fn a_pending_version_of_ours_makes_room_for_the_next() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    let third = stage.write("three").await.unwrap();
    assert_eq!(stage.holder("AWSPENDING"), Some(third.0.clone()));
    let error = stage.promote(&second, Some(&first)).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert!(error.message.contains(&third.0), "{error}");
    stage.promote(&third, Some(&first)).await.unwrap();
}

#[tokio::test]
async fn discarding_takes_every_label_and_leaves_the_rest_to_aws() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    stage.promote(&second, Some(&first)).await.unwrap();
    stage.tamper(json!({ "action": "give", "name": NAME, "label": "audit", "version": first.0 }));
    assert_eq!(stage.store.discard(&path(), &first, &ticket()).await.unwrap(), Discarded::Now);
    assert_eq!(stage.labels().into_iter().find(|(version, _)| *version == first.0).unwrap().1, Vec::<String>::new());
    assert_eq!(stage.holder("AWSCURRENT"), Some(second.0.clone()));
    let error = stage.store.discard(&path(), &second, &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
}

#[tokio::test]
async fn documents_are_bare_and_bytes_are_binary() {
    let stage = Stage::new();
    let document = |bytes: &[u8]| SecretMap::new([("dotenv".to_owned(), Secret::new(bytes.to_vec()))]);
    let text = document(b"A=canary\n");
    let first = stage.deliver(&text, Form::Document, "a", None).await.unwrap();
    stage.promote(&first, None).await.unwrap();
    assert_eq!(stage.secret().unwrap()["versions"][0]["value"], "A=canary\n");
    let bytes = document(b"\xff\x00");
    let second = stage.deliver(&bytes, Form::Document, "b", None).await.unwrap();
    let state = stage.inspect().await;
    for (version, map) in [(first, text), (second, bytes)] {
        let stored = state.versions.iter().find(|stored| stored.version == version).unwrap();
        assert_eq!(stored.fingerprint, Some(stage.ports.keyring.fingerprint(&map)));
    }
}

#[tokio::test]
async fn a_value_beyond_the_limit_never_leaves() {
    let stage = Stage::new();
    let value = |bytes: usize| SecretMap::from(vec![("a", "c".repeat(bytes - 8).as_str())]);
    stage.deliver(&value(65_536), Form::Fields, "a", None).await.unwrap();
    let calls = stage.calls();
    let error = stage.deliver(&value(65_537), Form::Fields, "b", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert_eq!(stage.calls(), calls);
}

#[tokio::test]
async fn versions_of_one_day_are_limited_and_the_wait_is_told() {
    let stage = Stage::new();
    let mut current = stage.write("0").await.unwrap();
    stage.promote(&current, None).await.unwrap();
    for number in 1..100 {
        let next = stage.write(&number.to_string()).await.unwrap();
        stage.promote(&next, Some(&current)).await.unwrap();
        current = next;
    }
    let error = stage.write("one too many").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
    assert!(error.retry_after.is_some_and(|wait| wait.as_secs() >= 600), "{error:?}");
    stage.clock.advance(SignedDuration::from_hours(25));
    stage.write("one too many").await.unwrap();
    assert_eq!(stage.holder("AWSCURRENT"), Some(current.0));
}

#[tokio::test]
async fn throttling_is_waited_out_and_told_when_it_lasts() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    stage.fault("throttle:0.5");
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(stage.store.inspect(&path()).await.is_err());
    }
    assert!(refused < 15, "{refused}");
    stage.twin.world().clear_faults();
    stage.fault("throttle@rename");
    let error = stage.promote(&second, Some(&first)).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
    assert_eq!(stage.holder("AWSCURRENT"), Some(first.0));
}

/// What the engine does: look, then write or promote, again and again.
#[tokio::test]
async fn rotations_end_well_whatever_fails_on_the_way() {
    let stage = Stage::new();
    for fault in ["error:0.1", "timeout_before:0.1", "timeout_after:0.15", "throttle:0.1"] {
        stage.fault(fault);
    }
    let mut before: Option<StoreVersion> = None;
    for number in 0..60 {
        let text = number.to_string();
        let mut written = None;
        for _ in 0..50 {
            let version = match stage.write(&text).await {
                Ok(version) => version,
                Err(error) => {
                    stage.is_free_of_canaries(&error);
                    continue;
                }
            };
            let promoted = stage.promote(&version, before.as_ref()).await;
            written = Some(version);
            if promoted.is_ok() {
                break;
            }
        }
        let written = written.unwrap();
        assert_eq!(stage.holder("AWSCURRENT"), Some(written.0.clone()), "rotation {number}");
        assert_eq!(stage.holder("AWSPENDING"), None);
        assert_eq!(stage.holder("AWSPREVIOUS"), before.map(|version| version.0));
        before = Some(written);
    }
    assert_eq!(stage.labels().len(), 60, "one version a rotation");
}

#[tokio::test]
async fn a_marked_secret_is_neither_written_nor_made_anew() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    stage.tamper(of_secret("delete"));
    let before = stage.secret();
    let labels = stage.store.labels().unwrap();
    let errors = [
        stage.write("three").await.unwrap_err(),
        stage.store.inspect(&path()).await.unwrap_err(),
        labels.promote(&path(), &second, Some(&first), &ticket()).await.unwrap_err(),
        stage.store.discard(&path(), &second, &ticket()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
        assert!(error.message.contains("restore-secret") && error.message.contains("2026-11-23"), "{error}");
    }
    assert_eq!(stage.secret(), before);
    stage.tamper(of_secret("restore"));
    stage.promote(&second, Some(&first)).await.unwrap();

    stage.tamper(of_secret("delete"));
    stage.clock.advance(SignedDuration::from_hours(31 * 24));
    assert_eq!(stage.inspect().await.versions, []);
    stage.write("four").await.unwrap();
}

#[tokio::test]
async fn labels_of_others_are_left_out() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    stage.tamper(json!({ "action": "give", "name": NAME, "label": "blue", "version": first.0 }));
    let state = stage.inspect().await;
    let seen: Vec<_> = state.versions.iter().map(|stored| (stored.version.clone(), stored.labels.clone())).collect();
    let mut expected = [(first, vec![Label::Current]), (second, vec![Label::Pending])];
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(seen, expected);
}
