//! Servers that are not what they say, and mounts that are something else.

use components::{Heard, Scripted};
use driver::Kind;

use super::*;

/// Says that it is KV version 2 and that the token may do everything; takes writes as KV version 1 does.
fn pretender() -> Scripted {
    Scripted::new(Box::new(|heard: &Heard| {
        let path = heard.path.split('?').next().unwrap_or_default().trim_start_matches("/v1/");
        let body = match path {
            "sys/health" => json!({ "initialized": true, "sealed": false, "version": "1.19.0" }),
            "auth/token/lookup-self" => json!({ "data": { "ttl": 0, "renewable": false } }),
            "sys/capabilities-self" => {
                let asked: Value = serde_json::from_slice(&heard.body).unwrap();
                let told = asked["paths"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|path| (path.as_str().unwrap().to_owned(), json!(["root"])));
                json!({ "data": told.collect::<serde_json::Map<_, _>>() })
            }
            path if path.starts_with("sys/internal/ui/mounts") => {
                json!({ "data": { "type": "kv", "description": "", "options": { "version": "2" } } })
            }
            path if path.starts_with("secret/") && heard.method == "GET" => {
                return Some((404, r#"{"errors":[]}"#.to_owned()));
            }
            path if path.starts_with("secret/") => return Some((204, String::new())),
            _ => return Some((404, r#"{"errors":["no handler"]}"#.to_owned())),
        };
        Some((200, body.to_string()))
    }))
}

#[tokio::test]
async fn a_server_that_only_claims_kv_version_2_is_refused() {
    let stage = Stage::new();
    let pretender = pretender();
    for keys in ["", "check_path = \"app\"\n"] {
        stage.network.sent.lock().unwrap().clear();
        let store = stage.try_store(&pretender.address(), &format!("{keys}{}", with_token("t"))).unwrap();
        let errors = [
            store.check().await.unwrap_err(),
            store.inspect(&path("app/key")).await.unwrap_err(),
            try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err(),
        ];
        for error in &errors {
            assert_eq!(error.kind, Kind::Invalid, "{error}");
            assert!(error.message.contains("no KV version 2"), "{error}");
        }
        assert_eq!(errors[2].effect, Effect::NotApplied);
        let sent = stage.network.sent.lock().unwrap().clone();
        let at_it: Vec<_> = sent.iter().filter(|line| line.ends_with("/app/key")).collect();
        assert!(at_it.iter().all(|line| line.starts_with("GET")), "nothing went there: {at_it:?}");
    }
}

#[tokio::test]
async fn what_is_no_kv_version_2_mount_is_refused() {
    let stage = Stage::new();
    stage.by_hand(Method::Post, "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } })).await;
    stage.by_hand(Method::Post, "sys/mounts/transit", json!({ "type": "transit" })).await;
    for (mount, expected) in [("old", "KV version 1"), ("transit", "type `transit`"), ("nowhere", "not there")] {
        let store = stage.store(&format!("mount = \"{mount}\"\n{}", with_token(stage.bao.root_token())));
        let error = store.check().await.unwrap_err();
        assert!(error.message.contains(expected), "{mount}: {error}");
        assert_eq!(error.effect, Effect::NotApplied);
    }
    // Without the preflight, a write is refused all the same and changes nothing.
    let store = stage.store(&format!("mount = \"nowhere\"\n{}", with_token(stage.bao.root_token())));
    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert!(error.message.contains("there is no such mount: correct `mount`"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_serve_is_told_as_what_it_is() {
    let stage = Stage::new();
    for (health, expected) in [
        ((200, json!({ "initialized": true, "sealed": true, "version": "1" })), "sealed"),
        ((200, json!({ "initialized": false, "sealed": true, "version": "1" })), "not initialised"),
        ((472, json!({ "initialized": true, "sealed": false, "version": "1" })), "another cluster"),
        ((200, json!({ "status": "ok" })), "not what the documents describe"),
    ] {
        stage.once(Method::Get, "sys/health", Fate::Answered(health.0, health.1));
        let error = stage.root_store().check().await.unwrap_err();
        assert!(error.message.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn no_secret_shows_anywhere() {
    let stage = Stage::new();
    let token = "hvs.canaryCAESIJ0123456789abcdefghij";
    // Quotes everything back that it is sent.
    let parrot = Scripted::new(Box::new(|heard: &Heard| {
        let said =
            format!("{} {:?}", String::from_utf8_lossy(&heard.body).replace('"', "'"), heard.header("x-vault-token"));
        match heard.method.as_str() {
            "GET" if heard.path.contains("/metadata/") => Some((404, r#"{"errors":[]}"#.to_owned())),
            "POST" if heard.path.contains("/metadata/") => Some((204, String::new())),
            _ => Some((400, json!({ "errors": [said.replace('"', " ")] }).to_string())),
        }
    }));
    let settings = with_token(token);
    let store = stage.try_store(&parrot.address(), &settings).unwrap();
    let mut seen = format!("{store:?}");
    // The lookup fails, and then the write.
    seen += &format!("{:?}", store.inspect(&path("app/key")).await);
    let auth = json!({ "data": { "ttl": 0, "renewable": false } });
    stage.once(Method::Get, "lookup-self", Fate::Answered(200, auth));
    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert!(error.message.contains("(..)"), "the server's own words are shown without what we sent: {error}");
    seen += &format!("{error} {error:?} {:?} {store:?}", store.check().await);
    assert!(!seen.contains("canary"), "{seen}");

    let broken = settings.replace("token = \"", "tokn = \"");
    let error = stage.try_store(&parrot.address(), &broken).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn what_comes_back_in_base64_shows_no_secret_and_a_token_needs_no_prefix_to_be_hidden() {
    let stage = Stage::new();
    stage.writes_by_hand("app/key", "by hand").await;
    let token = "canary-token-of-another-make";
    // As the proxies do that log what they refuse.
    let parrot = Scripted::new(Box::new(|heard: &Heard| {
        let path = heard.path.split('?').next().unwrap_or_default().trim_start_matches("/v1/");
        let token = heard.header("x-vault-token").unwrap_or_default().to_owned();
        let words = match (heard.method.as_str(), path) {
            ("GET", "auth/token/lookup-self") => {
                return Some((200, json!({ "data": { "ttl": 0, "renewable": false } }).to_string()));
            }
            ("GET", path) if path.starts_with("sys/internal/ui/mounts") => {
                let mount = json!({ "type": "kv", "description": "", "options": { "version": "2" } });
                return Some((200, json!({ "data": mount }).to_string()));
            }
            ("GET", "secret/metadata/app/key" | "secret/config") => {
                return Some((404, r#"{"errors":[]}"#.to_owned()));
            }
            ("POST", "secret/metadata/app/key") => return Some((204, String::new())),
            ("POST", "secret/data/app/keyrota-preflight") => {
                "check-and-set parameter did not match the current version".to_owned()
            }
            ("POST", "secret/data/app/key") => format!("refused {}", STANDARD.encode(&heard.body)),
            _ => format!("not for {token} or {}", STANDARD.encode(&token)),
        };
        Some((400, json!({ "errors": [words] }).to_string()))
    }));
    let store = stage.try_store(&parrot.address(), &with_token(token)).unwrap();
    let error = try_write(&stage, &*store, "app/key", "1", None).await.unwrap_err();
    assert!(error.message.starts_with("writing `secret/data/app/key`: 400, \"(..)\""), "{error}");
    for error in [error, store.inspect(&path("other")).await.unwrap_err()] {
        let seen = format!("{error} {error:?}");
        let encoded = [STANDARD.encode("canary"), STANDARD.encode("xcanary")[4..].to_owned()];
        assert!(seen.contains("(..)") && !seen.contains("canary"), "{seen}");
        assert!(encoded.iter().all(|text| !seen.contains(&text[..6])), "{seen}");
    }
}

#[tokio::test]
async fn whoever_reads_an_error_learns_where_it_happened_and_what_to_do() {
    let stage = Stage::new();
    let address = stage.bao.address();
    let at = path("app/key");
    let store = stage.root_store();
    let sealed = json!({ "errors": ["Vault is sealed"] });
    stage.rule(move |_| Fate::Answered(503, sealed.clone()));
    let error = store.inspect(&at).await.unwrap_err();
    assert!(error.message.starts_with(&format!("{address}: ")), "{error}");
    assert!(error.message.contains("whoever holds the keys unseals it"), "{error}");

    stage.rule(|_| Fate::NeverArrived);
    let error = store.inspect(&at).await.unwrap_err();
    assert!(error.message.starts_with(&format!("{address}: ")) && error.message.contains("lost on the way"), "{error}");

    stage.rule(|_| Fate::Pass);
    let store = stage.store(&format!("namespace = \"nope\"\n{}", with_token(stage.bao.root_token())));
    let error = store.inspect(&at).await.unwrap_err();
    assert!(error.message.contains("`nope`") || error.message.contains("correct `namespace`"), "{error}");
    assert!(!error.kind.is_transient(), "waiting does not help: {error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_once_and_asked_again_after_a_minute() {
    let stage = Stage::new();
    let store = stage.root_store();
    stage.rule(|_| Fate::Unreachable);
    let began = stage.clock.now();
    let mut tried = Vec::new();
    for number in 0..20 {
        let error = store.inspect(&path(&format!("app/{number}"))).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");
        assert!(error.message.contains(&stage.bao.address()), "{error}");
        tried.push(stage.calls("/v1/"));
    }
    assert!(tried.iter().all(|calls| *calls == 6), "the repetitions of one read: {tried:?}");
    assert!(stage.clock.now().duration_since(began) < jiff::SignedDuration::from_secs(20));

    stage.rule(|_| Fate::Pass);
    stage.clock.advance(jiff::SignedDuration::from_secs(61));
    store.inspect(&path("app/key")).await.unwrap();
}
