//! Minting, and changing what is minted from.

use driver::{Effect, Kind, Trial};
use futures_util::future::join;
use jiff::SignedDuration;
use serde_json::json;

use super::{Stage, answer, handle, inside, pair, subject};

#[tokio::test(start_paused = true)]
async fn the_held_password_is_used_before_the_configured_one() {
    let stage = Stage::new(&[]);
    stage.tamper(json!({ "action": "set_password", "account": "svc-ci", "password": "Held-Password-1" }));
    let error = stage.mint(None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "the configured one is dead: {error}");
    stage.mint(Some(&pair("Held-Password-1"))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_lives_as_long_as_it_says_and_outlives_its_password() {
    let stage = Stage::new(&[("token-life", "2h")]);
    let minted = stage.mint(None).await.unwrap();
    let life = minted.expires_at.unwrap().duration_since(minted.created_at);
    assert_eq!(life, SignedDuration::from_hours(2));
    stage.change(&stage.chosen(), None).await.unwrap();
    let verifier = stage.issuer.verifier().unwrap();
    let trial = async || verifier.verify(&subject("token"), &handle(), &minted.secret).await.unwrap();
    assert_eq!(trial().await, Trial::Accepted);
    stage.clock.advance(SignedDuration::from_hours(2));
    assert!(matches!(trial().await, Trial::Refused(_)));
}

/// The mint was asked for with the password that dies under it.
#[tokio::test(start_paused = true)]
async fn a_mint_beside_a_change_is_not_refused() {
    for mint_first in [true, false] {
        let stage = Stage::new(&[]);
        let chosen = stage.chosen();
        let (changed, minted) = if mint_first {
            let (minted, changed) = join(stage.mint(None), stage.change(&chosen, None)).await;
            (changed, minted)
        } else {
            join(stage.change(&chosen, None), stage.mint(None)).await
        };
        changed.unwrap();
        minted.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_found_done() {
    let stage = Stage::new(&[]);
    let chosen = stage.chosen();
    stage.twin.world().add_fault("timeout_after@issue".parse().unwrap());
    assert_eq!(stage.change(&chosen, None).await.unwrap_err().effect, Effect::Unknown);
    stage.twin.world().clear_faults();
    let before = stage.paths().len();
    stage.change(&chosen, None).await.unwrap();
    assert_eq!(stage.paths()[before..], ["/auth/login", "/auth/login"], "it is not changed twice");
}

#[tokio::test(start_paused = true)]
async fn neither_password_is_an_end_without_a_change() {
    let stage = Stage::new(&[]);
    stage.tamper(json!({ "action": "set_password", "account": "svc-ci", "password": "Somebody-Elses-1" }));
    let error = stage.change(&stage.chosen(), Some(&pair("Long-Forgotten-1"))).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert!(error.retry_after.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_password_that_the_rules_refuse_parks_and_is_not_taken_for_changed() {
    let stage = Stage::new(&[]);
    let error = stage.change(&pair("short"), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
    assert!(error.message.contains("with an error inside") && !error.message.contains("short"), "{error}");
    stage.mint(None).await.expect("the old one is still good");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_allows_no_change_says_so() {
    let by_api = |table: &mut toml::Table| drop(table.insert("password_changed_by".to_owned(), "api".into()));
    let stage = Stage::with(&[("password-by-person", "")], by_api, |_| None);
    let error = stage.change(&stage.chosen(), None).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Forbidden, Effect::NotApplied), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_trial_reads_every_shape_of_a_refusal() {
    for (status, body, expected) in [
        (401, String::new(), Some(false)),
        (403, "{}".to_owned(), Some(false)),
        (302, String::new(), Some(false)),
        (200, "<html>Sign in</html>".to_owned(), Some(false)),
        (200, "{}".to_owned(), Some(false)),
        (200, inside("Access is denied"), Some(false)),
        (200, json!({ "errors": false, "data": [] }).to_string(), Some(true)),
        (200, inside("NullPointerException"), None),
        (500, String::new(), None),
        (404, String::new(), None),
    ] {
        let told = body.clone();
        let stage = Stage::hooked(move |request| {
            let tries = request.url.path().ends_with("/myProjects");
            tries.then(|| answer(status, &body))
        });
        let minted = stage.mint(None).await.unwrap();
        let verifier = stage.issuer.verifier().unwrap();
        let trial = verifier.verify(&subject("token"), &handle(), &minted.secret).await;
        let accepted = trial.as_ref().ok().map(|trial| *trial == Trial::Accepted);
        assert_eq!(accepted, expected, "{status} {told}: {trial:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_of_another_user_is_unfit() {
    let stage = Stage::new(&[]);
    let other = secret::SecretMap::new([
        ("username".to_owned(), secret::Secret::from_text("Acme//svc-other@acme.example")),
        ("password".to_owned(), secret::Secret::from_text("x")),
    ]);
    let trial = stage.issuer.verifier().unwrap().verify(&subject("password"), &handle(), &other).await.unwrap();
    assert!(matches!(trial, Trial::Unfit(_)), "{trial:?}");
    assert!(stage.paths().is_empty(), "nobody is asked");
}
