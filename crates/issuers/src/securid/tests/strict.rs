//! The simulated tenant refuses what the platform refuses: otherwise a trial against it would prove nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use secret::Secret;
use serde_json::{Value, json};

use super::{Stage, add};
use crate::securid::jwt::read_pem;

/// A token as somebody else's client might make it.
fn forge(file: &Value, edit: impl FnOnce(&mut Value)) -> String {
    let (key, _) = read_pem(file["accessKey"].as_str().unwrap()).unwrap();
    let iat = "2026-11-23T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let mut claims = json!({
        "sub": file["accessID"], "aud": file["adminRestApiUrl"], "iat": iat, "exp": iat + 300,
    });
    edit(&mut claims);
    let token: Secret = key.sign(None, &claims).unwrap();
    token.expose_text().unwrap().to_owned()
}

fn status(stage: &Stage, token: &str) -> Option<u16> {
    stage.twin.gateway(vec![("authorization".to_owned(), format!("Bearer {token}"))])
}

#[test]
fn every_claim_counts() {
    let stage = Stage::set(&[]);
    let file = stage.key_file("key-1");
    assert_eq!(status(&stage, &forge(&file, |_| {})), Some(200));
    // As two public clients send it.
    assert_eq!(status(&stage, &forge(&file, |claims| claims["iat"] = 1_795_428_000.25.into())), Some(200));
    type Edit = fn(&mut Value);
    let wrong: [(&str, Edit); 8] = [
        ("another subject", |claims| claims["sub"] = "nobody".into()),
        ("the host alone", |claims| claims["aud"] = "https://platform.example.test".into()),
        ("no audience", |claims| drop(claims.as_object_mut().unwrap().remove("aud"))),
        ("longer than an hour", |claims| claims["exp"] = (claims["iat"].as_i64().unwrap() + 3601).into()),
        ("expired", |claims| claims["exp"] = (claims["iat"].as_i64().unwrap() - 61).into()),
        ("from the future", |claims| claims["iat"] = (claims["iat"].as_i64().unwrap() + 61).into()),
        ("times as text", |claims| claims["iat"] = claims["iat"].to_string().into()),
        ("no end", |claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
    ];
    for (what, edit) in wrong {
        assert_eq!(status(&stage, &forge(&file, edit)), Some(403), "{what}");
    }
    let lenient = Stage::set(&[("lenient-audience", "")]);
    let host = |claims: &mut Value| claims["aud"] = "https://platform.example.test".into();
    assert_eq!(status(&lenient, &forge(&lenient.key_file("key-1"), host)), Some(200));
}

#[test]
fn header_and_signature_count() {
    let stage = Stage::set(&[]);
    let (file, other) = (stage.key_file("key-1"), stage.key_file("key-2"));
    let good = forge(&file, |_| {});
    let (_, rest) = good.split_once('.').unwrap();
    for header in [json!({ "alg": "none", "typ": "JWT" }), json!({ "alg": "RS256", "typ": "JOSE" })] {
        let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(status(&stage, &token), Some(403), "{header}");
    }
    let stranger = forge(&other, |claims| claims["sub"] = file["accessID"].clone());
    assert_eq!(status(&stage, &stranger), Some(403));
    for nonsense in ["abc", "a.b.c", ""] {
        assert_eq!(status(&stage, nonsense), Some(403), "{nonsense}");
    }
    assert_eq!(status(&stage, "twin-access-0123"), Some(401), "an access token that is not, or no more");
    assert_eq!(stage.twin.gateway(vec![("x-api-key".to_owned(), good)]), Some(403), "it belongs into Authorization");
}

#[test]
fn a_tenant_has_ten_slots() {
    let stage = Stage::set(&[("keys", "9")]);
    stage.console(add("tenth", "help_desk"));
    let now = stage.twin.now();
    let refused = stage.twin.world().tamper(now, &add("eleventh", "help_desk")).unwrap_err();
    assert!(refused.contains("10 Administration keys"), "{refused}");
    let state = stage.twin.world().state(now);
    assert_eq!((&state["slots_used"], &state["authentication_manager"]), (&10.into(), &"connected".into()));
    stage.console(json!({ "action": "delete_key", "name": "authentication-manager-1" }));
    assert_eq!(stage.twin.world().state(now)["authentication_manager"], "disconnected");
    stage.console(add("eleventh", "help_desk"));
}

#[tokio::test]
async fn the_log_tells_what_was_done_at_the_console() {
    let stage = Stage::set(&[]);
    stage.console(add("new", "super"));
    stage.console(json!({ "action": "delete_key", "name": "new" }));
    stage.clock.advance(SignedDuration::from_secs(1));
    let now = stage.twin.now();
    let state = stage.twin.world().state(now);
    let keys: Vec<&str> =
        state["events"].as_array().unwrap().iter().map(|event| event["activityKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["API_KEY_ADDED", "API_KEY_DELETED"]);
}
