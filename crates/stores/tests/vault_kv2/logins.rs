//! Every way in, and what becomes of a token that ends.

use std::{fs, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use components::{Heard, Scripted};
use driver::Kind;
use jiff::SignedDuration;
use tempfile::TempDir;

use super::*;

const POLICY: &str = r#"path "secret/*" { capabilities = ["create", "read", "update", "patch"] }"#;
/// Early in 2100.
const EXPIRES: u64 = 4_102_444_800;

impl Stage {
    /// The policy that logins get, in a namespace.
    async fn policy(&self, namespace: &str) {
        self.by_hand_in(namespace, Method::Put, "sys/policies/acl/writer", json!({ "policy": POLICY })).await;
    }

    /// An AppRole: its role id, and a secret id under these headers' terms.
    async fn app_role(&self, namespace: &str, role: Value) -> String {
        self.policy(namespace).await;
        self.by_hand_in(namespace, Method::Post, "sys/auth/approle", json!({ "type": "approle" })).await;
        self.by_hand_in(namespace, Method::Post, "auth/approle/role/keyrota", role).await;
        let answer = self.by_hand_in(namespace, Method::Get, "auth/approle/role/keyrota/role-id", Value::Null).await;
        answer["data"]["role_id"].as_str().unwrap().to_owned()
    }

    async fn secret_id(&self, namespace: &str) -> String {
        let answer = self.by_hand_in(namespace, Method::Post, "auth/approle/role/keyrota/secret-id", json!({})).await;
        answer["data"]["secret_id"].as_str().unwrap().to_owned()
    }

    async fn wrapped(&self, path: &str, body: Value) -> String {
        let headers = [("x-vault-wrap-ttl", "5m")];
        let (status, answer) = self.call(self.bao.root_token(), &headers, Method::Post, path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer["wrap_info"]["token"].as_str().unwrap().to_owned()
    }

    /// The token that the driver sent last.
    fn token_in_use(&self) -> String {
        let headers = self.network.headers.lock().unwrap();
        headers.iter().find(|(name, _)| *name == "x-vault-token").unwrap().1.clone()
    }

    async fn revoke(&self, token: &str) {
        self.by_hand(Method::Post, "auth/token/revoke", json!({ "token": token })).await;
    }
}

fn app_role_auth(role_id: &str, key: &str, secret_id: &str) -> String {
    format!("auth = {{ method = \"approle\", role_id = \"{role_id}\", {key} = \"{secret_id}\" }}\n")
}

#[tokio::test]
async fn a_token_that_ended_is_fetched_anew() {
    let stage = Stage::new();
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    let first = stage.token(POLICY).await;
    fs::write(&file, format!("{first}\n")).unwrap();
    let store = stage.store(&format!("auth = {{ method = \"token\", token = {{ file = \"{}\" }} }}", file.display()));
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();

    stage.revoke(&first).await;
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(!format!("{error:?}").contains(&first));

    let second = stage.token(POLICY).await;
    fs::write(&file, &second).unwrap();
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");
    assert_eq!(stage.token_in_use(), second);
}

#[tokio::test]
async fn a_refusal_that_is_about_rights_is_no_reason_to_log_in() {
    let stage = Stage::new();
    let role_id = stage.app_role("", json!({ "token_policies": "writer" })).await;
    let secret_id = stage.secret_id("").await;
    stage
        .by_hand(
            Method::Put,
            "sys/policies/acl/writer",
            json!({ "policy": "path \"secret/metadata/app/*\" { capabilities = [\"read\"] }" }),
        )
        .await;
    let store = stage.store(&app_role_auth(&role_id, "secret_id", &secret_id));
    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Forbidden, Effect::NotApplied), "{error}");
    assert_eq!(stage.calls("/login"), 1);
    assert_eq!(stage.calls("lookup-self"), 2, "the token says that it lives: beside the secret, and at it");
}

#[tokio::test]
async fn an_app_role_logs_in_again_when_its_token_was_revoked() {
    let stage = Stage::new();
    let role_id = stage.app_role("", json!({ "token_policies": "writer" })).await;
    let secret_id = stage.secret_id("").await;
    let store = stage.store(&app_role_auth(&role_id, "secret_id", &secret_id));
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.revoke(&stage.token_in_use()).await;
    assert_eq!(try_write(&stage, &*store, "app/key", "2", Some("1")).await.unwrap(), "2");
    assert_eq!(stage.calls("/login"), 2);

    let wrong = stage.store(&app_role_auth(&role_id, "secret_id", "canary-of-nobody"));
    let error = wrong.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(!format!("{error:?} {wrong:?}").contains("canary"), "{error:?}");
    // The server locks a role after five of them.
    let again = wrong.inspect(&path("app/other")).await.unwrap_err();
    assert_eq!((again.kind, stage.calls("/login")), (Kind::Unauthorized, 3), "{again}");
}

#[tokio::test]
async fn a_wrapped_secret_id_is_unwrapped_once() {
    let stage = Stage::new();
    let role_id = stage.app_role("", json!({ "token_policies": "writer" })).await;
    let wrapping = stage.wrapped("auth/approle/role/keyrota/secret-id", json!({})).await;
    let keys = app_role_auth(&role_id, "wrapped_secret_id", &wrapping);
    let store = stage.store(&keys);
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.revoke(&stage.token_in_use()).await;
    assert_eq!(current(&*store, "app/key").await.as_deref(), Some("1"), "the secret id is remembered");
    assert_eq!((stage.calls("/login"), stage.calls("wrapping/unwrap")), (2, 1));

    let second = stage.store(&keys);
    let error = second.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(error.message.contains("unwrapped before") && error.message.contains("destroy it"), "{error}");
    assert!(!format!("{error:?}").contains(&wrapping), "{error:?}");
}

#[tokio::test]
async fn a_wrapping_token_of_somebody_else_is_not_unwrapped() {
    let stage = Stage::new();
    let role_id = stage.app_role("", json!({ "token_policies": "writer" })).await;
    let planted = stage.wrapped("sys/wrapping/wrap", json!({ "secret_id": "planted" })).await;
    let store = stage.store(&app_role_auth(&role_id, "wrapped_secret_id", &planted));
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(error.message.contains("sys/wrapping/wrap"), "{error}");
    assert_eq!(stage.calls("wrapping/unwrap"), 0);
    stage.by_hand(Method::Post, "sys/wrapping/lookup", json!({ "token": planted })).await;
}

#[tokio::test]
async fn a_token_is_renewed_after_two_thirds_of_its_life() {
    let stage = Stage::new();
    let role = json!({ "token_policies": "writer", "token_ttl": "1h", "token_max_ttl": "24h" });
    let role_id = stage.app_role("", role).await;
    let store = stage.store(&app_role_auth(&role_id, "secret_id", &stage.secret_id("").await));
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    stage.clock.advance(SignedDuration::from_mins(30));
    current(&*store, "app/key").await;
    assert_eq!(stage.calls("renew-self"), 0, "too early");
    stage.clock.advance(SignedDuration::from_mins(11));
    current(&*store, "app/key").await;
    assert_eq!((stage.calls("renew-self"), stage.calls("/login")), (1, 1));
    current(&*store, "app/key").await;
    assert_eq!(stage.calls("renew-self"), 1, "and then it lives for longer");

    // The last end of the token: nothing is added any more.
    stage.clock.advance(SignedDuration::from_mins(41));
    let short = json!({ "auth": { "client_token": "s.ignored", "lease_duration": 900, "renewable": true } });
    stage.once(Method::Post, "renew-self", Fate::Answered(200, short));
    current(&*store, "app/key").await;
    assert_eq!((stage.calls("renew-self"), stage.calls("/login")), (2, 2));

    // The server is away for a moment: the token serves while it lives.
    stage.clock.advance(SignedDuration::from_mins(41));
    stage.rule(|request| match request.url.path().contains("renew-self") {
        true => Fate::Answered(503, json!({ "errors": ["busy"] })),
        false => Fate::Pass,
    });
    assert_eq!(current(&*store, "app/key").await.as_deref(), Some("1"));
    assert_eq!(stage.calls("/login"), 2);
}

#[tokio::test]
async fn a_namespace_is_a_world_of_its_own() {
    let stage = Stage::new();
    stage.by_hand(Method::Post, "sys/namespaces/team1", json!({})).await;
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    stage.by_hand_in("team1", Method::Post, "sys/mounts/secret", mount).await;
    let role_id = stage.app_role("team1", json!({ "token_policies": "writer" })).await;
    let secret_id = stage.secret_id("team1").await;
    let store = stage.store(&format!("namespace = \"team1\"\n{}", app_role_auth(&role_id, "secret_id", &secret_id)));
    store.check().await.unwrap();
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let read = stage.by_hand_in("team1", Method::Get, "secret/data/app/key", Value::Null).await;
    assert_eq!(read["data"]["data"]["client_secret"], "canary-1");
    assert_eq!(current(&*stage.root_store(), "app/key").await, None, "nothing is there outside");

    let token = with_token(stage.bao.root_token());
    let from_outside = stage.store(&format!("namespace = \"team1\"\n{token}"));
    assert_eq!(current(&*from_outside, "app/key").await.as_deref(), Some("1"));
    let nowhere = stage.store(&format!("namespace = \"team2\"\n{token}"));
    let error = nowhere.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    assert!(error.message.contains("namespace not found"), "{error}");
}

/// Signs as a CI server does.
struct Authority {
    key: EcdsaKeyPair,
}

impl Authority {
    fn new() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap() }
    }

    fn public_key(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT" })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[tokio::test]
async fn a_ci_job_logs_in_with_its_own_token() {
    let stage = Stage::new();
    let authority = Authority::new();
    stage.policy("").await;
    stage.by_hand(Method::Post, "sys/auth/ci/gitlab", json!({ "type": "jwt" })).await;
    let config =
        json!({ "jwt_validation_pubkeys": [authority.public_key()], "bound_issuer": "https://gitlab.example.test" });
    stage.by_hand(Method::Post, "auth/ci/gitlab/config", config).await;
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["https://vault.example.test"], "user_claim": "sub",
        "bound_claims": { "project_path": "ops/keyrota" }, "token_policies": ["writer"],
    });
    stage.by_hand(Method::Post, "auth/ci/gitlab/role/keyrota", role).await;

    let claims = |audience: &str| {
        json!({
            "iss": "https://gitlab.example.test", "aud": audience, "sub": "project_path:ops/keyrota",
            "project_path": "ops/keyrota", "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": EXPIRES,
        })
    };
    let keys = |jwt: &str| {
        format!(
            "auth = {{ method = \"jwt\", mount = \"ci/gitlab\", role = \"keyrota\", jwt = {{ command = [\"echo\", \"{jwt}\"] }} }}"
        )
    };
    let store = stage.store(&keys(&authority.sign(&claims("https://vault.example.test"))));
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    assert!(store.check().await.unwrap().iter().any(|line| line.contains("role `keyrota` at `ci/gitlab`")));

    let elsewhere = authority.sign(&claims("https://other.example.test"));
    let error = stage.store(&keys(&elsewhere)).inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized, "{error}");
    let forged = Authority::new().sign(&claims("https://vault.example.test"));
    let error = stage.store(&keys(&forged)).inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized, "{error}");
    assert!(!format!("{error:?}").contains(&forged), "{error:?}");
}

/// Kubernetes as far as the server asks it: who holds this token.
fn token_reviewer(good: String) -> Scripted {
    Scripted::new(Box::new(move |heard: &Heard| {
        if !heard.path.ends_with("/tokenreviews") {
            return Some((404, "{}".to_owned()));
        }
        let asked: Value = serde_json::from_slice(&heard.body).unwrap();
        let mut review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": { "authenticated": false } });
        if asked["spec"]["token"] == good {
            review["status"] = json!({
                "authenticated": true,
                "user": {
                    "username": "system:serviceaccount:ops:keyrota", "uid": "uid-1",
                    "groups": ["system:serviceaccounts", "system:serviceaccounts:ops"],
                },
            });
        }
        Some((201, review.to_string()))
    }))
}

#[tokio::test]
async fn a_pod_logs_in_with_its_service_account() {
    let stage = Stage::new();
    let claims = |name: &str| {
        json!({
            "iss": "https://kubernetes.default.svc", "sub": format!("system:serviceaccount:ops:{name}"),
            "kubernetes.io": { "namespace": "ops", "serviceaccount": { "name": name, "uid": "uid-1" } },
            "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": EXPIRES,
        })
    };
    let authority = Authority::new();
    let (good, bad) = (authority.sign(&claims("keyrota")), authority.sign(&claims("other")));
    let kubernetes = token_reviewer(good.clone());
    stage.policy("").await;
    stage.by_hand(Method::Post, "sys/auth/kubernetes", json!({ "type": "kubernetes" })).await;
    let config = json!({
        "kubernetes_host": kubernetes.address(), "token_reviewer_jwt": bad, "disable_local_ca_jwt": true,
        // Demanded, though this one is spoken to without TLS.
        "kubernetes_ca_cert": rcgen::generate_simple_self_signed(["kubernetes".to_owned()]).unwrap().cert.pem(),
    });
    stage.by_hand(Method::Post, "auth/kubernetes/config", config).await;
    let role = json!({
        "bound_service_account_names": ["keyrota"], "bound_service_account_namespaces": ["ops"],
        "token_policies": ["writer"],
    });
    stage.by_hand(Method::Post, "auth/kubernetes/role/keyrota", role).await;

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, good).unwrap();
    let keys =
        format!("auth = {{ method = \"kubernetes\", role = \"keyrota\", jwt = {{ file = \"{}\" }} }}", file.display());
    let store = stage.store(&keys);
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();

    // The kubelet replaces the file; what stands there counts at the next login.
    fs::write(&file, &bad).unwrap();
    stage.revoke(&stage.token_in_use()).await;
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized, "{error}");
    assert!(!format!("{error:?}").contains(&bad), "{error:?}");
}

#[tokio::test]
async fn many_callers_share_one_login() {
    let stage = Arc::new(Stage::new());
    let role_id = stage.app_role("", json!({ "token_policies": "writer" })).await;
    let store = stage.store(&app_role_auth(&role_id, "secret_id", &stage.secret_id("").await));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = store.clone();
        tasks.spawn(async move { store.inspect(&path(&format!("app/key{number}"))).await.map(drop) });
    }
    for outcome in tasks.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(stage.calls("/login"), 1);
}
