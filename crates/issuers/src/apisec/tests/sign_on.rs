//! Who may sign on, and what an answer means.

use driver::{Effect, Kind, Trial};
use serde_json::json;

use super::{Stage, answer, handle, inside, pair, signs_on, subject};

#[tokio::test(start_paused = true)]
async fn a_person_is_kept_out_by_single_sign_on_and_a_service_account_is_not() {
    let as_person = |table: &mut toml::Table| {
        let account = table["accounts"].as_array_mut().unwrap()[0].as_table_mut().unwrap();
        account.insert("username".to_owned(), "Acme//maria.lind@acme.example".into());
        account.insert("password".to_owned(), "Person-Password-1".into());
    };
    let change = json!({ "action": "set_password", "account": "maria.lind", "password": "Person-Password-1" });
    let stage = Stage::with(&[], as_person, |_| None);
    stage.tamper(change.clone());
    let error = stage.issuer.check().await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied));
    assert!(error.message.contains("Single Sign-On") && error.message.contains("only a service account"), "{error}");

    Stage::new(&[]).issuer.check().await.unwrap();
    let without = Stage::with(&[("basic-login", "")], as_person, |_| None);
    without.tamper(change);
    without.issuer.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_refusal_passes_for_a_success_whatever_its_status() {
    for (status, body) in [
        (200, json!({ "message": "Bad credentials" }).to_string()),
        (200, inside("User is locked")),
        (200, json!({ "token": "a.b.c", "errors": true, "message": "Invalid password" }).to_string()),
        (401, String::new()),
        (401, json!({ "message": "Unauthorized" }).to_string()),
        (403, inside("Access is denied")),
        (400, json!({ "message": "Invalid Username" }).to_string()),
    ] {
        let words = body.clone();
        let stage = Stage::hooked(move |request| signs_on(request).then(|| answer(status, &body)));
        let error = stage.mint(None).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{words}: {error}");
        assert!(error.retry_after.is_some(), "an account that is tried again and again gets locked");
        let verifier = stage.issuer.verifier().unwrap();
        let trial = verifier.verify(&subject("password"), &handle(), &pair("x")).await.unwrap();
        assert!(matches!(trial, Trial::Refused(_)), "{words}: {trial:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_in_trouble_is_no_refusal() {
    for (status, body, kind) in [
        (200, inside("NullPointerException"), Kind::Unavailable),
        (200, "<html>Sign in</html>".to_owned(), Kind::Protocol),
        (200, "{}".to_owned(), Kind::Protocol),
        (200, json!({ "token": "no-token-at-all" }).to_string(), Kind::Protocol),
        (403, "<html>blocked by the firewall</html>".to_owned(), Kind::Protocol),
        (302, String::new(), Kind::Protocol),
        (503, String::new(), Kind::Unavailable),
    ] {
        let words = body.clone();
        let stage = Stage::hooked(move |request| signs_on(request).then(|| answer(status, &body)));
        let verifier = stage.issuer.verifier().unwrap();
        let error = verifier.verify(&subject("password"), &handle(), &pair("x")).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::NotApplied), "{words}: {error}");
        assert_eq!(stage.mint(None).await.unwrap_err().kind, kind, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_user_is_not_taken() {
    let stage = Stage::with(
        &[],
        |table| {
            let account = table["accounts"].as_array_mut().unwrap()[0].as_table_mut().unwrap();
            account.insert("username".to_owned(), "Acme//svc-other@acme.example".into());
        },
        {
            let lent = Stage::new(&[]);
            let token = lent.mint(None).await.unwrap();
            let text = token.secret.get("token").unwrap().expose_text().unwrap().to_owned();
            move |request| signs_on(request).then(|| answer(200, &json!({ "token": text }).to_string()))
        },
    );
    let error = stage.mint(None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
    assert!(error.message.contains("another user"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_path_of_the_scripts_is_found_once() {
    let stage = Stage::new(&[("scripts-path", "")]);
    for _ in 0..3 {
        stage.mint(None).await.unwrap();
    }
    assert_eq!(stage.paths(), ["/auth/login", "/login", "/login", "/login"]);
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_quotes_a_password_does_not_bring_it_into_the_error() {
    let stage = Stage::hooked(|request| {
        let quoted = String::from_utf8_lossy(&request.body.0).replace('"', " ");
        signs_on(request).then(|| answer(200, &inside(&format!("Bad credentials: {quoted}"))))
    });
    let error = stage.mint(Some(&pair("Canary-7f3a"))).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("(..)") && !text.contains("Canary-7f3a"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_preflight_names_an_administrator() {
    let stage = Stage::new(&[]);
    assert!(stage.issuer.check().await.unwrap().reduced.is_empty());
    stage.tamper(json!({ "action": "make_admin", "account": "svc-ci" }));
    let check = stage.issuer.check().await.unwrap();
    assert!(check.reduced.iter().any(|line| line.contains("is an administrator")), "{check:?}");
    stage.tamper(json!({ "action": "require_two_factor", "account": "svc-ci" }));
    assert!(stage.issuer.check().await.unwrap_err().message.contains("Two-Factor"));
}

#[tokio::test(start_paused = true)]
async fn without_a_password_of_its_own_only_a_held_one_is_used() {
    let bare = |table: &mut toml::Table| {
        table["accounts"].as_array_mut().unwrap()[0].as_table_mut().unwrap().remove("password");
    };
    let stage = Stage::with(&[], bare, |_| None);
    let password = stage.twin.world().login()["password"].as_str().unwrap().to_owned();
    assert_eq!(stage.mint(None).await.unwrap_err().kind, Kind::Invalid);
    assert!(!stage.issuer.check().await.unwrap().reduced.is_empty());
    stage.mint(Some(&pair(&password))).await.unwrap();
}
