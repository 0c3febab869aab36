//! What a delivery could not survive is said when the place is looked at: before a successor is issued for it.

use driver::Kind;

use super::*;

async fn refused(store: &dyn SecretStore, at: &str) -> DriverError {
    let error = store.inspect(&path(at)).await.unwrap_err();
    assert_eq!(error.effect, Effect::NotApplied, "{error}");
    error
}

#[tokio::test]
async fn a_place_that_keeps_one_version_or_deletes_by_itself_is_refused_before_anything_is_issued() {
    let stage = Stage::new();
    const MOUNT: &str = "secret/config";
    const SECRET: &str = "secret/metadata/app/key";
    for (place, unfit, fit, expected) in [
        (SECRET, json!({ "max_versions": 1 }), json!({ "max_versions": 2 }), "one version only"),
        // The secret's own number stands above the mount's.
        (SECRET, json!({ "max_versions": 0 }), json!({}), ""),
        (MOUNT, json!({ "max_versions": 1 }), json!({ "max_versions": 0 }), "one version only"),
        (
            SECRET,
            json!({ "delete_version_after": "90s" }),
            json!({ "delete_version_after": "0s" }),
            "deletes every version",
        ),
        (
            MOUNT,
            json!({ "delete_version_after": "24h" }),
            json!({ "delete_version_after": "0s" }),
            "deletes every version",
        ),
    ] {
        stage.by_hand(Method::Post, place, unfit).await;
        let store = stage.root_store();
        if !expected.is_empty() {
            let write = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
            for error in [refused(&*store, "app/key").await, write] {
                assert_eq!(error.kind, Kind::Invalid, "{error}");
                assert!(error.message.contains(expected) && error.message.contains(place), "{error}");
            }
        }
        stage.by_hand(Method::Post, place, fit).await;
        store.inspect(&path("app/key")).await.unwrap();
    }
}

#[tokio::test]
async fn the_preflight_refuses_a_mount_that_deletes_by_itself() {
    let stage = Stage::new();
    stage.by_hand(Method::Post, "secret/config", json!({ "delete_version_after": "24h" })).await;
    let error = stage.root_store().check().await.unwrap_err();
    assert!(error.message.contains("`secret/config` deletes every version 24h0m0s after"), "{error}");
}

#[tokio::test]
async fn nothing_is_written_to_a_mount_that_is_not_known_to_be_version_2() {
    let stage = Stage::new();
    stage.by_hand(Method::Post, "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } })).await;
    let store = stage.store(&format!("mount = \"old\"\n{}", with_token(stage.bao.root_token())));
    for error in
        [refused(&*store, "app/key").await, try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err()]
    {
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
        assert!(error.message.contains("KV version 1") && error.message.contains("enable-versioning"), "{error}");
    }
    let (status, kept) = stage.call(stage.bao.root_token(), &[], Method::Get, "old/?list=true", Value::Null).await;
    assert_eq!((status, &kept["errors"]), (404, &json!([])), "{kept}");
}

#[tokio::test]
async fn a_missing_right_is_named_before_anything_is_issued() {
    const ALL: [(&str, &str); 2] =
        [("data", "\"create\", \"update\", \"read\""), ("metadata", "\"create\", \"read\", \"patch\"")];
    let stage = Stage::new();
    for (without, expected) in [
        (("data", "\"create\", "), "`create` on `secret/data/app/new`"),
        (("data", ", \"read\""), "set `readable = false`"),
        (("metadata", ", \"patch\""), "`patch` on `secret/metadata/app/new`"),
        (("metadata", "\"create\", \"read\", \"patch\""), "`read` on `secret/metadata/app/new`"),
    ] {
        let line = |(part, rights): (&str, &str)| {
            let left = if part == without.0 { rights.replace(without.1, "") } else { rights.to_owned() };
            format!("path \"secret/{part}/app/*\" {{ capabilities = [{left}] }}\n")
        };
        let policy: String = ALL.into_iter().map(line).collect();
        let token =
            stage.token(&format!("{policy}path \"sys/capabilities-self\" {{ capabilities = [\"update\"] }}")).await;
        let error = refused(&*stage.store(&with_token(&token)), "app/new").await;
        assert_eq!(error.kind, Kind::Forbidden, "{error}");
        assert!(error.message.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_may_not_ask_for_its_rights_is_believed_and_one_that_may_is_asked_once() {
    let stage = Stage::new();
    let rights = r#"
        path "secret/data/app/*"     { capabilities = ["create", "update", "read"] }
        path "secret/metadata/app/*" { capabilities = ["create", "read", "patch"] }
    "#;
    let token = stage.token(rights).await;
    let store = stage.store(&with_token(&token));
    store.inspect(&path("app/key")).await.unwrap();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();

    let before = stage.calls("capabilities-self");
    let store = stage.root_store();
    for _ in 0..3 {
        store.inspect(&path("app/key")).await.unwrap();
    }
    try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap();
    assert_eq!(stage.calls("capabilities-self") - before, 1);
}

#[tokio::test]
async fn an_application_reads_back_with_no_more_than_its_own_right() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    for policy in [
        "path \"secret/data/app/*\" { capabilities = [\"read\"] }",
        "path \"secret/data/app/*\" { capabilities = [\"read\"] }\npath \"sys/capabilities-self\" { capabilities = [\"update\"] }",
        "path \"secret/data/app/*\" { capabilities = [\"read\"] }\npath \"secret/metadata/app/*\" { capabilities = [\"read\"] }\n\
         path \"sys/capabilities-self\" { capabilities = [\"update\"] }",
    ] {
        let reader = stage.store(&with_token(&stage.token(policy).await));
        let seen = reader.inspect(&path("app/key")).await.unwrap();
        let current = seen.labelled(Label::Current).unwrap();
        assert_eq!(current.version.0, "1");
        assert_eq!(current.fingerprint, Some(stage.keyring.fingerprint(&value("1"))));
        assert_eq!(seen.environment.as_deref(), Some("production"));
        assert!(reader.inspect(&path("app/nothing")).await.unwrap().versions.is_empty());
    }

    let token = stage.token("path \"secret/data/app/*\" { capabilities = [\"read\"] }").await;
    let reader = stage.store(&with_token(&token));
    stage.by_hand(Method::Delete, "secret/data/app/key", Value::Null).await;
    assert_eq!(current(&*reader, "app/key").await, None, "it was taken away");
    let error = refused(&*reader, "elsewhere").await;
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    let token = stage.token("path \"secret/data/other/*\" { capabilities = [\"read\"] }").await;
    assert_eq!(refused(&*stage.store(&with_token(&token)), "app/key").await.kind, Kind::Forbidden);
}
