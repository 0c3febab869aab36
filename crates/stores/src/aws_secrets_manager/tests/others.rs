//! Other engines, other environments, other accounts, and rights that are missing.

use std::sync::Arc;

use components::{Heard, LoopbackHttp, Scripted};
use driver::{Effect, Kind, Ports};
use serde_json::json;

use super::{super::configure_in, NAME, Stage, THEIRS, Variables, by_hand, of_secret, path, settings};
use crate::StorePorts;

#[tokio::test]
async fn what_aws_rotates_itself_is_refused() {
    let actions = [of_secret("enable_rotation"), json!({ "action": "own", "name": NAME, "service": "rds" })];
    for (action, word) in actions.into_iter().zip(["RotationEnabled", "`rds`"]) {
        let stage = Stage::new();
        let [first, second] = stage.two().await;
        stage.tamper(action);
        let before = stage.secret();
        for error in [
            stage.store.inspect(&path()).await.unwrap_err(),
            stage.write("three").await.unwrap_err(),
            stage.promote(&second, Some(&first)).await.unwrap_err(),
        ] {
            assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
            assert!(error.message.contains(word), "{error}");
        }
        assert_eq!(stage.secret(), before);
    }
}

#[tokio::test]
async fn another_rotation_under_way_is_not_disturbed() {
    let stage = Stage::new();
    stage.two().await;
    stage.tamper(json!({ "action": "begin_rotation", "name": NAME, "version": THEIRS }));
    let before = stage.secret();
    // Before anything is issued for it, and not as something that passes.
    for error in [stage.store.inspect(&path()).await.unwrap_err(), stage.write("three").await.unwrap_err()] {
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
        assert!(error.message.contains(&format!("--remove-from-version-id {THEIRS}")), "{error}");
    }
    assert_eq!(stage.secret(), before);

    // It ended, and left its label where AWS's own functions leave it.
    stage.tamper(by_hand("AWSCURRENT", "{}"));
    stage.write("three").await.unwrap();
}

#[tokio::test]
async fn a_value_written_by_hand_shows() {
    let stage = Stage::new();
    let [first, _] = stage.two().await;
    stage.tamper(by_hand("AWSCURRENT", "{\"client_id\":\"id\",\"client_secret\":\"canary-hand\"}"));
    let state = stage.inspect().await;
    let current = state.labelled(driver::Label::Current).unwrap();
    assert_eq!(current.version.0, THEIRS);
    assert_eq!(current.fingerprint, Some(stage.ports.keyring.fingerprint(&super::value("hand"))));
    assert_eq!(state.labelled(driver::Label::Previous).unwrap().version, first);
}

#[tokio::test]
async fn a_silent_place_is_told_its_environment_once() {
    let stage = Stage::new();
    let first = stage.write_for("one", "a", None).await.unwrap();
    assert_eq!(stage.inspect().await.environment, None);
    stage.promote(&first, None).await.unwrap();
    stage.write_for("two", "b", Some("production")).await.unwrap();
    assert_eq!(stage.inspect().await.environment.as_deref(), Some("production"));
    stage.write_for("three", "c", Some("staging")).await.unwrap();
    assert_eq!(stage.inspect().await.environment.as_deref(), Some("production"), "what it says stays");
    assert_eq!(stage.calls_of("other"), 1);
}

#[tokio::test]
async fn the_tag_of_the_environment_has_the_name_that_is_configured() {
    let stage = Stage::with("environment_tag = \"Stage\"", &[]);
    stage.write_for("one", "a", Some("production")).await.unwrap();
    assert_eq!(stage.secret().unwrap()["tags"]["Stage"], "production");
    stage.tamper(json!({ "action": "tag", "name": NAME, "key": "Stage", "value": "test" }));
    assert_eq!(stage.inspect().await.environment.as_deref(), Some("test"));
}

#[tokio::test]
async fn the_wrong_account_is_refused_before_the_first_effect() {
    let stage = Stage::with("account_id = \"999988887777\"", &[]);
    for error in [
        stage.store.check().await.unwrap_err(),
        stage.store.inspect(&path()).await.unwrap_err(),
        stage.write("one").await.unwrap_err(),
    ] {
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
        assert!(error.message.contains("111122223333") && error.message.contains("wrong place"), "{error}");
    }
    assert_eq!(stage.secret(), None);

    let stage = Stage::with("account_id = \"111122223333\"", &[]);
    let passed = stage.store.check().await.unwrap();
    assert!(passed.iter().any(|line| line.contains("111122223333, as it should be")), "{passed:?}");
    stage.two().await;
    assert_eq!(stage.calls_of("login"), 2, "asked once by the preflight and once before the first write");
}

#[tokio::test]
async fn a_preflight_tells_who_we_are() {
    let stage = Stage::new();
    let passed = stage.store.check().await.unwrap();
    assert_eq!(
        passed,
        [
            "AWS knows us as arn:aws:iam::111122223333:user/svc-keyrota, by the environment",
            "Secrets Manager answers in eu-central-1",
        ]
    );
    stage.tamper(json!({ "action": "deny", "iam_action": "secretsmanager:DescribeSecret" }));
    let passed = stage.store.check().await.unwrap();
    assert!(passed[1].contains("which secrets may be written shows"), "{passed:?}");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    for (action, hint) in [
        ("CreateSecret", ""),
        ("TagResource", ""),
        ("PutSecretValue", ""),
        ("DescribeSecret", ""),
        ("GetSecretValue", "`readable = false`"),
    ] {
        let stage = Stage::new();
        stage.tamper(json!({ "action": "deny", "iam_action": format!("secretsmanager:{action}") }));
        let error = match stage.write("one").await {
            Err(error) => error,
            Ok(_) => stage.store.inspect(&path()).await.unwrap_err(),
        };
        assert_eq!((error.kind, error.effect), (Kind::Forbidden, Effect::NotApplied), "{error}");
        assert!(error.message.contains(&format!("secretsmanager:{action}")) && error.message.contains(hint), "{error}");
        stage.is_free_of_canaries(&error);
    }
}

#[tokio::test]
async fn it_works_without_the_right_to_read_values() {
    let stage = Stage::with("readable = false", &[]);
    stage.tamper(json!({ "action": "deny", "iam_action": "secretsmanager:GetSecretValue" }));
    assert!(!stage.store.facts().readable);
    let [first, second] = stage.two().await;
    stage.promote(&second, Some(&first)).await.unwrap();
    let state = stage.inspect().await;
    assert_eq!(state.labelled(driver::Label::Current).unwrap().version, second);
    assert!(state.versions.iter().all(|stored| stored.fingerprint.is_none()), "{state:?}");
}

#[tokio::test]
async fn a_server_that_quotes_the_request_brings_no_secret_into_the_error() {
    // As the gateways do that stand between a private network and AWS.
    let parrot = Scripted::new(Box::new(|heard: &Heard| {
        let target = heard.header("x-amz-target").unwrap_or_default();
        if target.ends_with("DescribeSecret") {
            return Some((200, json!({ "VersionIdsToStages": {} }).to_string()));
        }
        let token = heard.header("x-amz-security-token").unwrap_or_default();
        let message = format!("{token} sent {}", String::from_utf8_lossy(&heard.body));
        Some((400, json!({ "__type": "InvalidRequestException", "message": message }).to_string()))
    }));
    let mut stage = Stage::new();
    let ports = Ports { http: Arc::new(LoopbackHttp::new()), ..stage.ports.ports.clone() };
    let ports = StorePorts { ports, ..stage.ports.clone() };
    let variables = Variables::of(vec![
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary-key"),
        ("AWS_SESSION_TOKEN", "canary-session"),
    ]);
    let settings = settings(&format!("region = \"eu-central-1\"\nendpoint = \"{}\"", parrot.address()));
    stage.store = configure_in(&variables, &settings, &ports).unwrap();
    let error = stage.write("one").await.unwrap_err();
    assert!(error.message.contains("InvalidRequestException, \"(..) sent {"), "{error}");
    stage.is_free_of_canaries(&error);
}
