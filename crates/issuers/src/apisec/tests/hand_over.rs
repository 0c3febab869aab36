//! What people hand over.

use driver::{Kind, Trial};
use secret::Secret;
use serde_json::json;

use super::{Stage, subject};

#[tokio::test(start_paused = true)]
async fn a_password_comes_bare_or_with_its_user() {
    let stage = Stage::new(&[("password-by-person", "")]);
    let assisted = stage.issuer.assisted().unwrap();
    let read = |text: &str| assisted.read(&subject("password"), &Secret::from_text(text));
    let bare = read("Correct-Horse_9\n").unwrap();
    assert_eq!(bare.secret.get("password").unwrap().expose_text(), Some("Correct-Horse_9"));
    let named = json!({ "username": "Acme//svc-ci@acme.example", "password": "Correct-Horse_9" }).to_string();
    assert_eq!(read(&named).unwrap().secret.get("username").unwrap().expose_text(), Some("Acme//svc-ci@acme.example"));
    let other = json!({ "username": "Acme//svc-other@acme.example", "password": "Correct-Horse_9" }).to_string();
    for wrong in [other.as_str(), "short", "a pass phrase of words", "{\"password\": \"Correct-Horse_9\"}"] {
        let error = read(wrong).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(!error.message.contains("Correct-Horse_9"), "{error}");
    }
    assert!(stage.issuer.minter().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_personal_token_is_of_this_tenant_and_known_again() {
    let stage = Stage::new(&[("generation", "ng")]);
    let assisted = stage.issuer.assisted().unwrap();
    let made = stage.tamper(json!({ "action": "issue_by_hand", "names": ["Acme", "svc-ci", "pat"] }));
    let content = Secret::from_text(made["content"].as_str().unwrap());
    let one = assisted.read(&subject("pat"), &content).unwrap();
    let again = assisted.read(&subject("pat"), &content).unwrap();
    assert_eq!(one.handle, again.handle, "an older one that is pasted again is noticed");
    assert!(one.expires_at.is_some());
    let trial = stage.issuer.verifier().unwrap().verify(&subject("pat"), &one.handle, &one.secret).await.unwrap();
    assert_eq!(trial, Trial::Accepted);

    let elsewhere =
        Stage::with(&[("generation", "ng")], |table| drop(table.insert("tenant".to_owned(), "Other".into())), |_| None);
    let error = elsewhere.issuer.assisted().unwrap().read(&subject("pat"), &content).unwrap_err();
    assert!(error.message.contains("another tenant"), "{error}");
}
