//! What becomes of a write: repeated, lost, overtaken.

use driver::Kind;

use super::*;

#[tokio::test]
async fn a_consumer_finds_the_fields_and_the_attempt_is_noted_beside_them() {
    let stage = Stage::new();
    let store = stage.root_store();
    stage.writes_by_hand("app/key", "by hand").await;
    let owner = json!({ "custom_metadata": { "owner": "team-a" } });
    stage.by_hand(Method::Post, "secret/metadata/app/key", owner).await;
    assert_eq!(try_write(&stage, &*store, "app/key", "1", Some("1")).await.unwrap(), "2");

    assert_eq!(stage.reads("app/key").await, json!({ "client_id": "id-1", "client_secret": "canary-1" }));
    let notes = stage.get("secret/metadata/app/key").await["data"]["custom_metadata"].clone();
    assert_eq!(notes["owner"], "team-a", "the notes of others stay");
    assert_eq!(notes["keyrota-credential"], "apic/acme/shop/key");
    assert_eq!(notes["keyrota-rotation"], "rotation-9");
    assert_eq!(notes["environment"], "production");
    let fingerprint = stage.keyring.fingerprint(&value("1"));
    let hex: String = fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(notes["keyrota-v2"], format!("{hex} rotation-9:1"));

    // A person reads the old one as long as the server keeps it.
    let old = stage.get("secret/data/app/key?version=1").await;
    assert_eq!(old["data"]["data"]["client_secret"], "by hand");
}

#[tokio::test]
async fn notes_of_versions_that_are_no_more_are_forgotten() {
    let stage = Stage::new();
    let store = stage.root_store();
    let mut last = None;
    for number in 1..=14 {
        last = Some(try_write(&stage, &*store, "app/key", &number.to_string(), last.as_deref()).await.unwrap());
    }
    assert_eq!(last.as_deref(), Some("14"));
    let notes = stage.get("secret/metadata/app/key").await["data"]["custom_metadata"].clone();
    let kept = notes.as_object().unwrap().keys().filter(|name| name.starts_with("keyrota-v")).count();
    // The server keeps ten versions; the oldest was still there when its successor's note was written.
    assert_eq!(kept, 11, "{notes}");
    assert_eq!(try_write(&stage, &*store, "app/key", "10", Some("14")).await.unwrap(), "10", "known still");
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_write_is_found_again() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.once(Method::Post, "/data/app/key", Fate::AnswerLost);
    let error = try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
    assert_eq!(error.effect, Effect::Unknown);
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");
    assert_eq!(stage.get("secret/metadata/app/key").await["data"]["current_version"], 2);
}

#[tokio::test]
async fn a_write_that_never_arrived_is_made_by_its_repetition() {
    let stage = Stage::new();
    let store = stage.root_store();
    stage.once(Method::Post, "/data/app/key", Fate::NeverArrived);
    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert_eq!(error.effect, Effect::Unknown);
    assert_eq!(current(&*store, "app/key").await, None);
    assert_eq!(try_write(&stage, &*store, "app/key", "1", None).await.unwrap(), "1");

    for lost in [Fate::NeverArrived, Fate::AnswerLost] {
        stage.once(Method::Patch, "/metadata/app/key", lost);
        let error = try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
        assert_eq!(error.effect, Effect::NotApplied, "a lost note is no version");
    }
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");
}

#[tokio::test]
async fn who_writes_by_hand_meanwhile_is_not_overwritten() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let before = stage.get("secret/metadata/app/key").await["data"]["custom_metadata"].clone();
    let by_hand = json!({ "data": { "client_secret": "by hand" } });
    stage.once(Method::Post, "/data/app/key", Fate::After(Method::Post, "/v1/secret/data/app/key".to_owned(), by_hand));

    let error = try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(stage.reads("app/key").await, json!({ "client_secret": "by hand" }));
    let after = stage.get("secret/metadata/app/key").await["data"]["custom_metadata"].clone();
    assert_eq!(after, before, "no note claims what the other one wrote");
    let error = try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "nor does the repetition");
}

#[tokio::test]
async fn a_note_alone_is_not_taken_for_a_version() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.once(Method::Post, "/data/app/key", Fate::NeverArrived);
    try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
    // The number that the note announces is taken by somebody else.
    stage.writes_by_hand("app/key", "by hand").await;
    let error = try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    let state = store.inspect(&path("app/key")).await.unwrap();
    let read = state.labelled(Label::Current).unwrap();
    assert_ne!(read.fingerprint, Some(stage.keyring.fingerprint(&value("2"))), "what readers get is not ours");
}

#[tokio::test]
async fn a_proxy_that_sends_a_write_twice_does_no_harm() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    // The first copy as a proxy sends it; the second is then refused.
    let ours = json!({ "data": { "client_id": "id-2", "client_secret": "canary-2" }, "options": { "cas": 1 } });
    stage.once(Method::Post, "/data/app/key", Fate::After(Method::Post, "/v1/secret/data/app/key".to_owned(), ours));
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");
    assert_eq!(current(&*store, "app/key").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_deleted_secret_is_written_anew_beside_its_past() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap();
    stage.by_hand(Method::Delete, "secret/data/app/key", Value::Null).await;

    let state = store.inspect(&path("app/key")).await.unwrap();
    assert_eq!(state.labelled(Label::Current), None, "readers get nothing, so nothing is current");
    assert_eq!(state.labelled(Label::Previous).unwrap().version.0, "1");
    let error = try_write(&stage, &*store, "app/key", "3", Some("2")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "{error}");
    assert_eq!(try_write(&stage, &*store, "app/key", "3", None).await.unwrap(), "3");

    // What is only deleted can be brought back; discarding is for ever.
    let gone = store.discard(&path("app/key"), &StoreVersion("2".to_owned()), &ticket()).await.unwrap();
    assert_eq!(gone, driver::Discarded::Now);
    let facts = stage.get("secret/metadata/app/key").await["data"]["versions"]["2"].clone();
    assert_eq!(facts["destroyed"], true);
}

#[tokio::test]
async fn all_versions_destroyed_is_no_obstacle() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.by_hand(Method::Put, "secret/destroy/app/key", json!({ "versions": [1] })).await;
    assert_eq!(try_write(&stage, &*store, "app/key", "2", None).await.unwrap(), "2");
}

#[tokio::test]
async fn a_place_that_keeps_one_version_is_refused() {
    let stage = Stage::new();
    let store = stage.root_store();
    stage.by_hand(Method::Post, "secret/metadata/app/one", json!({ "max_versions": 1 })).await;
    let error = try_write(&stage, &*store, "app/one", "1", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied));
    assert!(error.message.contains("max_versions"), "{error}");

    stage.by_hand(Method::Post, "secret/config", json!({ "max_versions": 1 })).await;
    let error = try_write(&stage, &*store, "app/two", "1", None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    let error = store.check().await.unwrap_err();
    assert!(error.message.contains("max_versions"), "{error}");
    stage.by_hand(Method::Post, "secret/metadata/app/two", json!({ "max_versions": 2 })).await;
    try_write(&stage, &*store, "app/two", "1", None).await.unwrap();
}

#[tokio::test]
async fn a_mount_that_demands_compare_and_set_gets_it() {
    let stage = Stage::new();
    let demands = json!({ "cas_required": true, "metadata_cas_required": true });
    stage.by_hand(Method::Post, "secret/config", demands).await;
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");

    // Notes that somebody else changed meanwhile are not covered either.
    let theirs = json!({ "custom_metadata": { "owner": "team-a" }, "metadata_cas": 2 });
    let faster = Fate::After(Method::Post, "/v1/secret/metadata/app/key".to_owned(), theirs);
    stage.once(Method::Patch, "/metadata/app/key", faster);
    let error = try_write(&stage, &*store, "app/key", "3", Some("2")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");

    // And the note of a write that was overtaken is taken away here too.
    let by_hand = json!({ "data": { "client_secret": "by hand" }, "options": { "cas": 2 } });
    let faster = Fate::After(Method::Post, "/v1/secret/data/app/key".to_owned(), by_hand);
    stage.once(Method::Post, "/data/app/key", faster);
    let error = try_write(&stage, &*store, "app/key", "3", Some("2")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(!error.message.contains("stays behind"), "{error}");
}
