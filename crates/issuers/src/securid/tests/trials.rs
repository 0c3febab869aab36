//! What a trial believes, and what it does not.

use domain::{Ask, Duration, Handle, VersionNumber};
use driver::{Kind, Lookup, Scope, Trial};
use futures_util::StreamExt;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Stage, add, answer, key, of};

#[track_caller]
fn check_unfit(trial: &Trial, expected: &str) {
    assert!(matches!(trial, Trial::Unfit(why) if why.contains(expected)), "{trial:?}");
}

#[tokio::test]
async fn a_key_is_tried_for_its_role_too() {
    // Of seven keys, the last one is a Super Administrator's.
    let stage = Stage::set(&[]);
    for name in ["key-1", "key-6", "authentication-manager-1"] {
        let trial = stage.try_file(&key(name), &stage.key_file(name)).await;
        assert_eq!(trial, Trial::Accepted, "{name}");
    }
    let too_much = stage.console(add("key-1", "super"));
    check_unfit(&stage.try_file(&key("key-1"), &too_much).await, "Help Desk Administrator is wanted");
    let too_little = stage.console(add("key-6", "help_desk"));
    check_unfit(&stage.try_file(&key("key-6"), &too_little).await, "Super Administrator is wanted");
    stage.console(json!({ "action": "set_role", "access_id": too_little["accessID"], "role": "super" }));
    assert_eq!(stage.try_file(&key("key-6"), &too_little).await, Trial::Accepted, "no new file is needed");
}

#[tokio::test]
async fn what_is_deleted_or_regenerated_is_refused() {
    let stage = Stage::set(&[("url-v1", ""), ("one-line", "")]);
    let old = stage.key_file("key-2");
    let new = stage.console(json!({ "action": "regenerate_key", "name": "key-2" }));
    assert_eq!(new["accessID"], old["accessID"]);
    assert!(matches!(stage.try_file(&key("key-2"), &old).await, Trial::Refused(_)), "it dies at once");
    assert_eq!(stage.try_file(&key("key-2"), &new).await, Trial::Accepted);
    stage.console(json!({ "action": "delete_key", "name": "key-2" }));
    assert!(matches!(stage.try_file(&key("key-2"), &new).await, Trial::Refused(_)));
}

#[tokio::test]
async fn a_wrong_clock_is_no_refusal() {
    let stage = Stage::set(&[("oauth-clients", "1")]);
    let client = stage.login()["oauth_clients"][0].clone();
    for days in [95, -190] {
        stage.twin.world().advance(SignedDuration::from_hours(24 * days));
        assert_eq!(stage.try_file(&key("key-1"), &stage.key_file("key-1")).await, Trial::Accepted);
        let at = of("oauth", client["name"].as_str().unwrap());
        assert_eq!(stage.try_file(&at, &client["client_file"]).await, Trial::Accepted);
    }
}

#[tokio::test]
async fn the_page_of_a_proxy_proves_nothing() {
    for (status, body) in [(403, "<html>blocked</html>"), (200, "<html>sign in</html>"), (403, "[]"), (404, "{}")] {
        let stage = Stage::with(
            &[],
            |_| {},
            move |request| request.url.path().contains("restapi").then(|| answer(status, body)),
        );
        let (handle, secret) = stage.read(&key("key-1"), &stage.key_file("key-1").to_string()).unwrap();
        let error = stage.verify(&key("key-1"), &handle, &secret).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_key_that_may_only_do_something_else_is_not_dead() {
    // The administration log alone is refused, as to a key whose rights somebody has changed.
    let stage = Stage::with(
        &[],
        |_| {},
        |request| request.url.path().ends_with("/exportlogs").then(|| answer(403, r#"{"message":"no"}"#)),
    );
    check_unfit(&stage.try_file(&key("key-6"), &stage.key_file("key-6")).await, "may not read");
    assert!(matches!(stage.try_file(&key("key-1"), &stage.key_file("key-1")).await, Trial::Refused(_)));
}

#[tokio::test]
async fn another_keys_file_is_not_this_key() {
    let stage = Stage::set(&[]);
    let (_, secret) = stage.read(&key("key-1"), &stage.key_file("key-1").to_string()).unwrap();
    let other = Handle::parse(stage.key_file("key-2")["accessID"].as_str().unwrap()).unwrap();
    let trial = stage.verify(&key("key-2"), &other, &secret).await.unwrap();
    assert!(matches!(&trial, Trial::Refused(why) if why.contains("access ID")), "{trial:?}");
    assert_eq!(stage.twin.world().calls().count(), 0, "nothing has to be tried to see that");
}

#[tokio::test]
async fn an_oauth_client_proves_itself_with_either_kind_of_key() {
    let stage = Stage::set(&[("oauth-clients", "2")]);
    let clients = stage.login()["oauth_clients"].clone();
    for index in 0..2 {
        let at = of("oauth", clients[index]["name"].as_str().unwrap());
        assert_eq!(stage.try_file(&at, &clients[index]["client_file"]).await, Trial::Accepted, "{index}");
        let poor = json!({ "action": "add_client", "name": "poor", "permissions": ["rsa.audit.admin"] });
        check_unfit(&stage.try_file(&at, &stage.console(poor)).await, "lacks a permission");
        stage.console(json!({ "action": "delete_client", "client_id": clients[index]["client_id"] }));
        assert!(matches!(stage.try_file(&at, &clients[index]["client_file"]).await, Trial::Refused(_)));
    }
}

#[tokio::test]
async fn what_is_signed_for_a_client_is_good_for_a_while() {
    let stage = Stage::set(&[("oauth-clients", "1")]);
    let (_, secret) = stage.read(&key("key-1"), &stage.key_file("key-1").to_string()).unwrap();
    let signer = stage.issuer.signer().unwrap();
    let sign = |seconds| signer.sign(&secret, stage.twin.now(), Duration::from_secs(seconds));
    let token = sign(300).unwrap();
    let token = token.expose_text().unwrap();
    let gateway = || stage.twin.gateway(vec![("authorization".to_owned(), format!("Bearer {token}"))]);
    assert_eq!(gateway(), Some(200));
    stage.clock.advance(SignedDuration::from_secs(400));
    assert_eq!(gateway(), Some(403), "and no longer");
    assert!(sign(3600).is_ok());
    for seconds in [0, -5, 3601] {
        let error = sign(seconds).unwrap_err();
        assert!(error.message.contains("1 to 3600 s"), "{error}");
    }
}

#[tokio::test]
async fn configuration_is_the_list_of_keys() {
    let edit = |table: &mut toml::Table| {
        let next: toml::Value = toml::Value::Table(toml::toml! { name = "next" });
        table["keys"].as_array_mut().unwrap().push(next);
    };
    let stage = Stage::with(&[("oauth-clients", "1")], edit, |_| None);
    let page = stage.issuer.list(Scope::All).next().await.unwrap().unwrap();
    assert_eq!((page.found.len(), page.declared.len()), (8, 1));
    let protected: Vec<&str> =
        page.found.iter().filter(|found| found.protected).map(|found| found.title.as_str()).collect();
    assert_eq!(protected, ["authentication-manager-1"]);
    assert_eq!(page.declared[0].names, ["acme", "legacy", "next"]);
    let parents: std::collections::BTreeSet<&[String]> = page.found.iter().map(|found| &found.names[..2]).collect();
    assert_eq!(parents.len(), 2, "keys share their slots, clients have none");
    assert_eq!(page.at, Some(stage.twin.now()));
    let handle = &page.found[0].handle;
    assert_eq!(stage.issuer.look_up(&key("key-1"), handle).await.unwrap(), Lookup::Untold);
    stage.twin.world().add_fault("error@list".parse().unwrap());
    assert!(stage.issuer.list(Scope::All).next().await.unwrap().is_err(), "away is away");
}

#[test]
fn a_person_is_told_what_to_click_and_what_never() {
    let stage = Stage::set(&[("oauth-clients", "1")]);
    let handle = Handle::parse("0c6f7b1e-5c1b-4a44-9b0e-0f3b8a5f7a10").unwrap();
    let told = |subject, ask| stage.issuer.assisted().unwrap().instructions(&subject, &ask, Some(&handle));
    let issue = Ask::Issue { from: Some(VersionNumber(1)) };
    let revoke = Ask::Revoke { version: VersionNumber(1) };
    for ask in [issue, revoke] {
        let lines = told(key("key-6"), ask);
        assert!(lines.iter().any(|line| line.starts_with("Never click Regenerate")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(handle.as_str())), "{lines:?}");
        assert!(lines[0].contains("`acme` as a Super Administrator"), "{lines:?}");
        assert!(told(of("oauth", "client-1"), ask).iter().any(|line| line.contains("OAuth Clients")));
    }
    assert!(told(key("key-6"), issue).iter().any(|line| line.contains("the role Super Administrator")));
    assert!(told(key("key-1"), issue).iter().any(|line| line.contains("the role Help Desk Administrator")));
}

#[tokio::test]
async fn no_secret_comes_out_of_the_driver() {
    let stage = Stage::set(&[]);
    let file = stage.key_file("key-1");
    let (handle, secret) = stage.read(&key("key-1"), &file.to_string()).unwrap();
    let trial = stage.verify(&key("key-1"), &handle, &secret).await;
    let said = format!("{:?} {secret:?} {trial:?} {:?}", stage.issuer, stage.issuer.check().await);
    let body: Vec<Value> = vec![file["accessKey"].clone()];
    for line in body[0].as_str().unwrap().lines().filter(|line| line.len() > 20 && !line.starts_with("---")) {
        assert!(!said.contains(line), "{said}");
    }
}
