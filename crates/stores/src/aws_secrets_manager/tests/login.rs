//! Ways to credentials, and what becomes of those that end.

use driver::{Effect, Kind};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Stage, path};

const ROLE: &str = "arn:aws:iam::111122223333:role/keyrota";

fn role(external_id: Option<&str>) -> Value {
    json!({ "action": "role", "arn": ROLE, "external_id": external_id })
}

async fn caller(stage: &Stage) -> String {
    stage.store.check().await.unwrap().swap_remove(0)
}

#[tokio::test]
async fn a_role_is_taken_on_and_refreshed_before_it_ends() {
    let toml = format!("assume_role = {{ role_arn = \"{ROLE}\", external_id = \"x1\", session_name = \"rotation\" }}");
    let stage = Stage::prepared(&toml, &[], &[role(Some("x1"))]);
    let seen = caller(&stage).await;
    assert!(seen.contains("assumed-role/keyrota/rotation") && seen.contains("then the role"), "{seen}");
    let logins = stage.calls_of("login");
    stage.clock.advance(SignedDuration::from_mins(50));
    stage.inspect().await;
    assert_eq!(stage.calls_of("login"), logins, "still good");
    stage.clock.advance(SignedDuration::from_mins(6));
    stage.inspect().await;
    assert_eq!(stage.calls_of("login"), logins + 1, "four minutes before its end");
    assert!(!format!("{:?}", stage.store).contains("canary"));
}

#[tokio::test]
async fn a_refused_role_is_a_refused_login() {
    let toml = format!("assume_role = {{ role_arn = \"{ROLE}\", external_id = \"wrong\" }}");
    let stage = Stage::prepared(&toml, &[], &[role(Some("x1"))]);
    let error = stage.write("one").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(error.message.contains(ROLE) && error.message.contains("sts:AssumeRole"), "{error}");
    let calls = stage.calls();
    stage.write("one").await.unwrap_err();
    assert_eq!(stage.calls(), calls, "those who come right after share the failure");
    stage.clock.advance(SignedDuration::from_secs(6));
    stage.tamper(role(None));
    stage.write("one").await.unwrap();
}

#[tokio::test]
async fn a_session_that_ends_early_is_replaced() {
    let toml = format!("assume_role = {{ role_arn = \"{ROLE}\" }}");
    let stage = Stage::prepared(&toml, &[], &[role(None)]);
    let [first, second] = stage.two().await;
    stage.tamper(json!({ "action": "forget_sessions" }));
    stage.promote(&second, Some(&first)).await.unwrap();
    assert_eq!(stage.calls_of("login"), 2);
}

#[tokio::test]
async fn credentials_still_good_outlast_a_failing_refresh() {
    let toml = format!("assume_role = {{ role_arn = \"{ROLE}\" }}");
    let stage = Stage::prepared(&toml, &[], &[role(None)]);
    stage.inspect().await;
    stage.fault("error@login");
    stage.clock.advance(SignedDuration::from_mins(56));
    stage.inspect().await;
    stage.clock.advance(SignedDuration::from_mins(5));
    let error = stage.store.inspect(&path()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");
}

#[tokio::test]
async fn web_identity_reads_its_token_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "canary-first\n").unwrap();
    let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()), ("AWS_ROLE_ARN", ROLE)];
    let first = json!({ "action": "web_token", "token": "canary-first" });
    let stage = Stage::prepared("", &variables, &[role(None), first]);
    let seen = caller(&stage).await;
    assert!(seen.contains("assumed-role/keyrota/keyrota") && seen.contains("web identity"), "{seen}");

    std::fs::write(&file, "canary-second").unwrap();
    stage.clock.advance(SignedDuration::from_hours(2));
    let error = stage.store.inspect(&path()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    stage.is_free_of_canaries(&error);
    stage.tamper(json!({ "action": "web_token", "token": "canary-second" }));
    stage.clock.advance(SignedDuration::from_secs(6));
    stage.inspect().await;

    std::fs::remove_file(&file).unwrap();
    stage.clock.advance(SignedDuration::from_hours(2));
    let error = stage.store.inspect(&path()).await.unwrap_err();
    assert!(error.kind == Kind::Unauthorized && error.message.contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn a_container_has_its_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "canary-container").unwrap();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v2/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let action = json!({ "action": "container", "token": "canary-container" });
    let stage = Stage::prepared("", &variables, std::slice::from_ref(&action));
    assert!(caller(&stage).await.contains("assumed-role/task/task"));
    let wrong = [
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-x"),
    ];
    let stage = Stage::prepared("", &wrong, &[action]);
    let error = stage.store.check().await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    stage.is_free_of_canaries(&error);
}

#[tokio::test]
async fn an_instance_has_its_metadata() {
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")];
    let stage = Stage::prepared("", &variables, &[json!({ "action": "instance", "role": "node-role" })]);
    let seen = caller(&stage).await;
    assert!(seen.contains("assumed-role/node-role/i-0123") && seen.contains("instance's credentials"), "{seen}");
    let stage = Stage::with("", &variables);
    let error = stage.store.check().await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(error.message.contains("neither environment, profile"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_a_refused_login_that_tells_no_secret() {
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAKEYROTAUSER00000"), ("AWS_SECRET_ACCESS_KEY", "canary-wrong")];
    let stage = Stage::with("", &variables);
    let error = stage.write("one").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    stage.is_free_of_canaries(&error);
    let stage = Stage::with("", &[("AWS_ACCESS_KEY_ID", "AKIANOBODY"), ("AWS_SECRET_ACCESS_KEY", "canary-wrong")]);
    let error = stage.write("one").await.unwrap_err();
    assert!(error.kind == Kind::Unauthorized && error.message.contains("UnrecognizedClientException"), "{error}");
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let stage = Stage::new();
    stage.twin.world().advance(SignedDuration::from_mins(10));
    let error = stage.write("one").await.unwrap_err();
    assert!(error.kind == Kind::Unauthorized && error.message.contains("clock"), "{error}");
}
