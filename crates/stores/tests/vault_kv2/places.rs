//! What the server says of a place: its environment, and whether it has caught up.

use driver::Kind;
use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn the_environment_is_the_secrets_own_word_else_the_mounts() {
    let stage = Stage::new();
    let store = stage.root_store();
    let told = async |at: &str| store.inspect(&path(at)).await.unwrap().environment;
    assert_eq!(told("app/key").await, None);
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    assert_eq!(told("app/key").await.as_deref(), Some("production"), "recorded with the first write");

    stage.by_hand(Method::Post, "sys/mounts/secret/tune", json!({ "description": "environment=test" })).await;
    assert_eq!(told("app/key").await.as_deref(), Some("production"), "the secret's own word comes first");
    assert_eq!(told("app/other").await.as_deref(), Some("test"), "told before anything is written");
    try_write(&stage, &*store, "app/other", "1", None).await.unwrap();
    let notes = stage.get("secret/metadata/app/other").await["data"]["custom_metadata"].clone();
    assert_eq!(notes.get("environment"), None, "the place says something, so nothing is recorded");
    assert_eq!(told("app/other").await.as_deref(), Some("test"));
}

#[tokio::test]
async fn a_server_that_shows_less_than_was_written_is_not_believed() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let old = stage.get("secret/metadata/app/key").await;
    try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap();

    let (shown, mut times) = (old.clone(), 3);
    stage.rule(move |request| {
        let meant = request.method == Method::Get && request.url.path().ends_with("/metadata/app/key") && times > 0;
        times -= i32::from(meant);
        if meant { Fate::Answered(200, shown.clone()) } else { Fate::Pass }
    });
    assert_eq!(current(&*store, "app/key").await.as_deref(), Some("2"), "it catches up");

    stage.rule(move |request| match request.url.path().ends_with("/metadata/app/key") {
        true => Fate::Answered(200, old.clone()),
        false => Fate::Pass,
    });
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");

    // What is still so much later is the truth: somebody removed the secret and made it anew.
    stage.clock.advance(SignedDuration::from_mins(11));
    stage.rule(|_| Fate::Pass);
    stage.by_hand(Method::Delete, "secret/metadata/app/key", Value::Null).await;
    assert_eq!(current(&*store, "app/key").await, None);
}

#[tokio::test]
async fn reads_ask_for_the_state_of_our_own_writes() {
    let stage = Stage::new();
    let store = stage.root_store();
    stage.once(Method::Post, "/data/app/key", Fate::PassWithHeader("x-vault-index", "state-of-the-write"));
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let mut refused = 2;
    stage.rule(move |request| {
        if !request.url.path().ends_with("/app/key") {
            return Fate::Pass;
        }
        let asks =
            request.headers.iter().any(|(name, value)| *name == "x-vault-index" && value == "state-of-the-write");
        match asks {
            true if refused > 0 => {
                refused -= 1;
                Fate::Answered(412, json!({ "errors": ["required index state not present"] }))
            }
            true => Fate::PassWithoutIndex,
            false => Fate::Answered(400, json!({ "errors": ["asked without an index"] })),
        }
    });
    assert_eq!(store.inspect(&path("app/key")).await.unwrap().versions.len(), 1);

    // A server that never gets there was restored from a copy, and its word counts after a while.
    stage.rule(|request| {
        let asks = request.headers.iter().any(|(name, _)| *name == "x-vault-index");
        if asks { Fate::Answered(412, json!({ "errors": ["not there"] })) } else { Fate::Pass }
    });
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");
    stage.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(store.inspect(&path("app/key")).await.unwrap().versions.len(), 1);
}

#[tokio::test]
async fn a_quota_is_throttling() {
    let stage = Stage::new();
    let store = stage.root_store();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let quota = json!({ "rate": 1, "interval": "1h", "path": "secret/data/app/key" });
    stage.by_hand(Method::Post, "sys/quotas/rate-limit/tight", quota).await;
    let mut last = Ok(String::new());
    for number in 2..6 {
        let replaces = (number - 1).to_string();
        last = try_write(&stage, &*store, "app/key", &number.to_string(), Some(&replaces)).await;
        if last.is_err() {
            break;
        }
    }
    let error = last.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Throttled, Effect::NotApplied), "{error}");
}

#[tokio::test]
async fn a_path_that_the_server_cannot_keep_is_refused() {
    let stage = Stage::new();
    let store = stage.root_store();
    let error = store.inspect(&path("app/key.")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
}
