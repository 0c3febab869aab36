//! Tokens.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use driver::{Clock, Effect, Kind, Scope, Trial};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{Setup, answer, ids, subject};

#[tokio::test]
async fn a_spent_api_key_says_so() {
    let mut setup = Setup::small().and("api-key-single-use", "").and("token-expires-in", "600");
    setup.api_key = true;
    let stage = setup.stage();
    assert_eq!(ids(&stage.list().await), stage.live());
    assert_eq!(ids(&stage.list().await), stage.live());
    assert_eq!(stage.calls_of("login"), 1, "the token is kept");
    stage.clock.advance(SignedDuration::from_hours(1));
    let error = stage.try_list(Scope::All).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied));
    assert!(error.message.starts_with("API key rejected, it may have been used already: 401"), "{error}");
    assert!(error.request_id.is_some());
}

#[tokio::test]
async fn a_new_token_that_is_not_known_everywhere_gets_two_seconds() {
    let stage = Setup::small().and("fresh-token-refused", "").stage();
    let before = stage.clock.now();
    assert_eq!(ids(&stage.list().await), stage.live());
    assert_eq!(stage.calls_of("login"), 1);
    assert!(stage.clock.now().duration_since(before) >= SignedDuration::from_secs(2));
}

#[tokio::test]
async fn a_token_that_is_never_taken_ends_in_an_error() {
    let stage = Setup::small()
        .hook(|request, _| {
            let denied = r#"{"status":401,"message":["no"]}"#;
            (!request.url.path().ends_with("/token")).then(|| answer(401, denied))
        })
        .stage();
    let error = stage.issuer.check().await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(stage.calls_of("login") <= 2, "it was given up");
}

#[tokio::test]
async fn callers_that_wait_for_a_login_share_its_failure() {
    let stage = Setup::small().stage();
    let original = stage.one().await;
    stage.clock.advance(SignedDuration::from_hours(24));
    stage.twin.world().add_fault("error@login".parse().unwrap());
    let before = stage.calls_of("login");
    let at = subject(&original);
    let looks = join_all((0..20).map(|_| stage.issuer.look_up(&at, &original.handle))).await;
    assert!(looks.iter().all(|look| look.as_ref().is_err_and(|error| error.kind == Kind::Unavailable)));
    assert_eq!(stage.calls_of("login") - before, 4, "the tries of one login");
}

/// Platforms lock an account after a handful of wrong passwords, and every credential's walk begins with a login.
#[tokio::test]
async fn a_refused_login_is_not_made_again_for_a_minute() {
    let refused = Arc::new(AtomicU32::new(0));
    let stage = Setup::small()
        .hook({
            let refused = refused.clone();
            move |request, _| {
                let first = request.url.path().ends_with("/token") && refused.load(Ordering::SeqCst) < 1;
                first.then(|| {
                    refused.fetch_add(1, Ordering::SeqCst);
                    answer(401, r#"{"status":401,"message":["wrong"]}"#)
                })
            }
        })
        .stage();
    for _ in 0..5 {
        let error = stage.try_list(Scope::All).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
        stage.clock.advance(SignedDuration::from_secs(11));
    }
    assert_eq!((refused.load(Ordering::SeqCst), stage.calls_of("login")), (1, 0));
    stage.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(ids(&stage.list().await), stage.live());
}

#[tokio::test]
async fn a_wrong_pair_costs_no_login_where_it_is_answered_with_401() {
    let stage = Setup::small().and("verify-mismatch", "401").and("token-expires-in", "600").stage();
    let original = stage.one().await;
    let issued = stage.issue(&original).await.unwrap();
    let wrong = secret::SecretMap::new(
        ["client_id", "client_secret"].map(|field| (field.to_owned(), secret::Secret::from_text("wrong"))),
    );
    let verifier = stage.issuer.verifier().unwrap();
    let at = subject(&original);
    for _ in 0..3 {
        let trial = verifier.verify(&at, &issued.handle, &wrong).await.unwrap();
        assert!(matches!(trial, Trial::Refused(_)), "{trial:?}");
    }
    assert_eq!(stage.calls_of("login"), 1);
    // To the platform the token has ended, to us it has not: this 401 is not about the pair.
    stage.twin.world().advance(SignedDuration::from_hours(1));
    assert_eq!(verifier.verify(&at, &issued.handle, &issued.secret).await.unwrap(), Trial::Accepted);
    assert_eq!(stage.calls_of("login"), 2);
}

#[tokio::test]
async fn a_platform_that_quotes_a_login_does_not_bring_it_into_the_error() {
    let stage = Setup::small()
        .hook(|request, _| {
            let quoted = String::from_utf8_lossy(&request.body.0).replace('"', " ");
            let body = serde_json::json!({ "status": 400, "message": [quoted] }).to_string();
            request.url.path().ends_with("/token").then(|| answer(400, &body))
        })
        .stage();
    let error = stage.issuer.check().await.unwrap_err();
    let login = stage.twin.world().login();
    let text = format!("{error} {error:?}");
    assert_eq!(error.kind, Kind::Unauthorized);
    assert!(text.contains("(..)"), "{text}");
    for key in ["password", "client_secret"] {
        assert!(!text.contains(login[key].as_str().unwrap()), "{key}");
    }
}
