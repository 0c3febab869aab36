//! What a token of least privilege can do, and what is said when it lacks a right.

use driver::{Discarded, Kind};

use super::*;

/// The policy of docs/guides/deliver-to-vault.md.
const POLICY: &str = include_str!("../../src/vault_kv2/policy.hcl");
/// Without any right to create metadata or to destroy.
const TOO_LITTLE: &str = r#"
    path "secret/data/app/*"      { capabilities = ["create", "update"] }
    path "secret/metadata/app/*"  { capabilities = ["read", "update", "patch"] }
    path "secret/delete/app/*"    { capabilities = ["update"] }
    path "sys/capabilities-self"  { capabilities = ["update"] }
"#;

#[tokio::test]
async fn the_policy_of_the_guide_suffices() {
    let guide = include_str!("../../../../docs/guides/deliver-to-vault.md");
    assert!(guide.contains(POLICY), "the guide shows another policy");
    let stage = Stage::new();
    let token = stage.token(POLICY).await;
    let store = stage.store(&format!("readable = false\ncheck_path = \"app\"\n{}", with_token(&token)));
    let passed = store.check().await.unwrap();
    assert!(passed.iter().any(|line| line.contains("compared")), "{passed:?}");
    assert!(!store.facts().readable);

    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap();
    let state = store.inspect(&path("app/key")).await.unwrap();
    let recorded = state.labelled(Label::Current).unwrap().fingerprint;
    assert_eq!(recorded, Some(stage.keyring.fingerprint(&value("2"))));
    let gone = store.discard(&path("app/key"), &StoreVersion("1".to_owned()), &ticket()).await.unwrap();
    assert_eq!(gone, Discarded::Now);

    // What somebody else wrote has no record, and is not taken for ours.
    stage.writes_by_hand("app/key", "by hand").await;
    let state = store.inspect(&path("app/key")).await.unwrap();
    assert_eq!(state.labelled(Label::Current).unwrap().fingerprint, None);

    let (status, _) = stage.call(&token, &[], Method::Get, "secret/data/app/key", Value::Null).await;
    assert_eq!(status, 403, "it cannot read a value");
    let (status, _) = stage.call(&token, &[], Method::Post, "secret/data/other", json!({ "data": {} })).await;
    assert_eq!(status, 403, "nor write elsewhere");
}

#[tokio::test]
async fn the_guide_for_gitlab_agrees_with_the_guide_for_vault() {
    let guide = include_str!("../../../../docs/guides/run-from-gitlab-ci.md");
    let after = |text: &str| guide.split_once(text).unwrap().1;
    let delivers_to = after("store = \"bao\", path = \"").split('/').next().unwrap();
    let policy = after("bao policy write keyrota-platform - <<'EOF'\n").split("EOF").next().unwrap();
    let password = after("vault: ").split_once("/password@secret").unwrap().0;
    assert!(guide.contains("readable = false") && guide.contains("VAULT_AUTH_ROLE: keyrota-platform"));
    assert!(guide.contains(&format!("bao kv put secret/{password} @")));

    let mut stage = Stage::new();
    let kept = json!({ "data": { "password": "p", "client_secret": "s" } });
    let place = format!("secret/data/{password}");
    stage.by_hand(Method::Post, &place, kept).await;
    let platform = stage.token(policy).await;
    let (status, _) = stage.call(&platform, &[], Method::Get, &place, Value::Null).await;
    assert_eq!(status, 200, "GitLab finds the password");
    let keyrota = stage.token(POLICY).await;
    let (status, _) = stage.call(&keyrota, &[], Method::Get, &place, Value::Null).await;
    assert_eq!(status, 403, "Keyrota's own login does not");

    stage.asked.written = vec![path(&format!("{delivers_to}/keyrota-preflight/keyrota-preflight/keyrota-preflight"))];
    let store = stage.store(&format!("readable = false\n{}", with_token(&keyrota)));
    store.check().await.unwrap();
    let at = format!("{delivers_to}/acme/shop/key");
    store.inspect(&path(&at)).await.unwrap();
    assert_eq!(try_write(&stage, &*store, &at, "1", None).await.unwrap(), "1");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let stage = Stage::new();
    let token = stage.token(TOO_LITTLE).await;
    let store = stage.store(&format!("readable = false\ncheck_path = \"app\"\n{}", with_token(&token)));
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("`create` on `secret/metadata/app/keyrota-preflight`"), "{error}");
    assert!(error.message.contains("`update` on `secret/destroy/app/keyrota-preflight`"), "{error}");
    assert!(!error.message.contains("patch"), "what it has is not listed: {error}");

    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Forbidden, Effect::NotApplied), "{error}");
    assert!(error.message.contains("`create` on `secret/metadata/app/key`"), "{error}");

    // A secret that is there already needs no more.
    stage.writes_by_hand("app/key", "by hand").await;
    assert_eq!(try_write(&stage, &*store, "app/key", "1", Some("1")).await.unwrap(), "2");
    let error = store.discard(&path("app/key"), &StoreVersion("1".to_owned()), &ticket()).await.unwrap_err();
    assert!(error.message.contains("`update` on `secret/destroy/app/key`"), "{error}");
}

#[tokio::test]
async fn a_reader_that_may_not_read_is_told_so() {
    let stage = Stage::new();
    let token = stage.token(POLICY).await;
    let store = stage.store(&with_token(&token));
    stage.writes_by_hand("app/key", "by hand").await;
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden);
    assert!(error.message.contains("`readable = false`"), "{error}");
}

#[tokio::test]
async fn without_a_path_to_check_the_places_of_the_policies_are_looked_at() {
    let mut stage = Stage::new();
    let token = stage.token("path \"secret/data/other\" { capabilities = [\"read\"] }\npath \"sys/capabilities-self\" { capabilities = [\"update\"] }").await;
    let passed = stage.store(&with_token(&token)).check().await.unwrap();
    assert!(passed.iter().any(|line| line.contains("no policy delivers here")), "{passed:?}");

    stage.asked.written = vec![path("app/keyrota-preflight/key")];
    let error = stage.store(&with_token(&token)).check().await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    assert!(error.message.contains("`create` on `secret/data/app/keyrota-preflight/key`"), "{error}");
    assert!(error.message.contains("`check_path`"), "the way out for a policy that names places one by one: {error}");

    let token = stage.token(POLICY).await;
    let passed = stage.store(&format!("readable = false\n{}", with_token(&token))).check().await.unwrap();
    assert!(passed.iter().any(|line| line.contains("compared")), "{passed:?}");
}

#[tokio::test]
async fn the_login_of_an_application_is_asked_for_reading_alone() {
    let mut stage = Stage::new();
    stage.asked.read = vec![path("app/keyrota-preflight/key")];
    for (place, may) in [("app/*", true), ("other/*", false)] {
        let token = stage.token(&format!("path \"secret/data/{place}\" {{ capabilities = [\"read\"] }}\npath \"sys/capabilities-self\" {{ capabilities = [\"update\"] }}")).await;
        let checked = stage.store(&with_token(&token)).check().await;
        match may {
            true => assert!(checked.unwrap().iter().any(|line| line.contains("may read what is delivered"))),
            false => {
                let error = checked.unwrap_err();
                assert!(error.message.contains("`read` on `secret/data/app/keyrota-preflight/key`"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_mount_of_another_environment_fails_the_preflight() {
    let mut stage = Stage::new();
    let tune = json!({ "description": "environment=staging" });
    stage.by_hand(Method::Post, "sys/mounts/secret/tune", tune).await;
    for (environment, fits) in [(None, true), (Some("staging"), true), (Some("production"), false)] {
        stage.asked.environment = environment.map(str::to_owned);
        let checked = stage.root_store().check().await;
        match fits {
            true => assert!(checked.unwrap().iter().any(|line| line.contains("of environment `staging`"))),
            false => {
                let error = checked.unwrap_err();
                assert_eq!(error.kind, Kind::Invalid, "{error}");
                assert!(error.message.contains("wrong place") && error.message.contains("`production`"), "{error}");
            }
        }
    }
}
