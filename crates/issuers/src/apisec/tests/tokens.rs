//! Minting, and changing what is minted from.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

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

/// What every token is told is not about the token; only the platform's own words need no other that is taken.
#[tokio::test(start_paused = true)]
async fn a_trial_reads_every_shape_of_a_refusal() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Told {
        All,
        TheTried,
    }
    for (status, body, told, expected) in [
        (401, String::new(), Told::All, Some(false)),
        (403, "{}".to_owned(), Told::All, Some(false)),
        (200, inside("Access is denied"), Told::All, Some(false)),
        (302, String::new(), Told::All, None),
        (302, String::new(), Told::TheTried, Some(false)),
        (200, "<html>Sign in</html>".to_owned(), Told::All, None),
        (200, "<html>Sign in</html>".to_owned(), Told::TheTried, Some(false)),
        (403, "<html>Blocked</html>".to_owned(), Told::All, None),
        (403, "<html>Blocked</html>".to_owned(), Told::TheTried, Some(false)),
        (200, "{}".to_owned(), Told::All, None),
        (200, "{}".to_owned(), Told::TheTried, Some(false)),
        (200, json!({ "errors": false, "data": [] }).to_string(), Told::All, Some(true)),
        (200, inside("NullPointerException"), Told::TheTried, None),
        (500, String::new(), Told::TheTried, None),
        (404, String::new(), Told::TheTried, None),
    ] {
        let (tried, shown) = (Arc::new(OnceLock::new()), body.clone());
        let stage = Stage::hooked({
            let tried = tried.clone();
            move |request| {
                let token = request.headers.iter().find(|(name, _)| *name == "authorization")?.1.clone();
                let meant = told == Told::All || tried.get() == Some(&token);
                (request.url.path().ends_with("/myProjects") && meant).then(|| answer(status, &body))
            }
        });
        let minted = stage.mint(None).await.unwrap();
        let token = minted.secret.get("token").unwrap().expose_text().unwrap();
        tried.set(format!("Bearer {token}")).unwrap();
        let verifier = stage.issuer.verifier().unwrap();
        let trial = verifier.verify(&subject("token"), &handle(), &minted.secret).await;
        let accepted = trial.as_ref().ok().map(|trial| *trial == Trial::Accepted);
        assert_eq!(accepted, expected, "{status} {shown}, told to {told:?}: {trial:?}");
        assert!(trial.err().is_none_or(|error| error.effect == Effect::NotApplied));
    }
}

#[tokio::test(start_paused = true)]
async fn maintenance_kills_no_token_and_hides_no_dead_one_for_longer_than_it_lasts() {
    for way in ["page", "redirect"] {
        let stage = Stage::new(&[("denial", "d"), ("token-life", "2h")]);
        let early = stage.mint(None).await.unwrap();
        stage.clock.advance(SignedDuration::from_hours(1));
        let late = stage.mint(None).await.unwrap();
        stage.clock.advance(SignedDuration::from_hours(1));
        let trial = async |issued: &driver::Issued| {
            stage.issuer.verifier().unwrap().verify(&subject("token"), &handle(), &issued.secret).await
        };
        stage.tamper(json!({ "action": "begin_maintenance", "answer": way }));
        for issued in [&early, &late] {
            let error = trial(issued).await.unwrap_err();
            assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");
            assert!(error.message.contains("which proves nothing"), "{error}");
        }
        stage.tamper(json!({ "action": "end_maintenance" }));
        assert!(matches!(trial(&early).await.unwrap(), Trial::Refused(_)));
        assert_eq!(trial(&late).await.unwrap(), Trial::Accepted);
    }
}

/// The first trial meets the end of the maintenance.
#[tokio::test(start_paused = true)]
async fn a_page_before_a_good_answer_is_forgotten() {
    let first = AtomicBool::new(true);
    let stage = Stage::hooked(move |request| {
        let met = request.url.path().ends_with("/myProjects") && first.swap(false, Ordering::SeqCst);
        met.then(|| answer(200, "<html>Back soon</html>"))
    });
    let minted = stage.mint(None).await.unwrap();
    let verifier = stage.issuer.verifier().unwrap();
    let trial = verifier.verify(&subject("token"), &handle(), &minted.secret).await.unwrap();
    assert_eq!(trial, Trial::Accepted);
}

/// A redirect for the dead, and no password that could buy another token: the one that was minted with the held password
/// stands in, and before there is one, the account is not tried more often than the platform bears.
#[tokio::test(start_paused = true)]
async fn a_dead_token_is_told_by_one_that_was_bought_with_the_held_password() {
    let stage = Stage::new(&[("denial", "d"), ("token-life", "2h")]);
    let old = stage.mint(None).await.unwrap();
    stage.tamper(json!({ "action": "set_password", "account": "svc-ci", "password": "Held-Password-1" }));
    stage.clock.advance(SignedDuration::from_hours(3));
    let trial = async || stage.issuer.verifier().unwrap().verify(&subject("token"), &handle(), &old.secret).await;
    let error = trial().await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    assert!(error.retry_after.is_some_and(|pause| pause.as_secs() >= 600), "{error:?}");
    stage.mint(Some(&pair("Held-Password-1"))).await.unwrap();
    let before = stage.paths().len();
    assert!(matches!(trial().await.unwrap(), Trial::Refused(_)));
    assert!(stage.paths()[before..].iter().all(|path| path.ends_with("/myProjects")), "nobody signs on for it");
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
