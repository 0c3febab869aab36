//! Answers to single verbs that must not be taken for something else.

use driver::{DriverError, Effect, HttpRequest, Kind, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Setup, Stage, answer, at_credential, subject, ticket, unknown_handle};

const HTML: &str = "<html><body>404 Not Found</body></html>";

/// A proxy that has lost its way answers every call about one credential.
fn astray() -> Stage {
    Setup::small().hook(|request, _| (at_credential(request) || is_trial(request)).then(|| answer(404, HTML))).stage()
}

fn is_trial(request: &HttpRequest) -> bool {
    request.url.path().ends_with("/verify-client-secret")
}

fn is_create(request: &HttpRequest) -> bool {
    request.method == Method::Post && request.url.path().ends_with("/credentials")
}

#[track_caller]
fn check_protocol<T: std::fmt::Debug>(answer: Result<T, DriverError>) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::NotApplied), "{error}");
}

#[tokio::test]
async fn a_404_from_a_proxy_is_no_proof_that_a_credential_is_gone() {
    let stage = astray();
    let original = stage.one().await;
    let issued = stage.issue(&original).await.unwrap();
    let at = subject(&original);
    check_protocol(stage.issuer.look_up(&at, &original.handle).await);
    check_protocol(stage.issuer.revoke(&at, &original.handle, &ticket()).await);
    check_protocol(stage.issuer.verifier().unwrap().verify(&at, &issued.handle, &issued.secret).await);
}

#[tokio::test]
async fn a_create_that_answers_without_its_secret_is_in_doubt() {
    type Spoil = fn(&mut Value);
    let spoils: [Spoil; 5] = [
        |body| drop(body.as_object_mut().unwrap().remove("client_secret")),
        |body| body["client_secret"] = json!(""),
        |body| body["id"] = json!("not-a-uuid"),
        |body| body["created_at"] = json!("yesterday"),
        |body| *body = json!([body["client_secret"]]),
    ];
    for spoil in spoils {
        let stage = Setup::small()
            .edit(move |request, body| {
                if is_create(request) {
                    spoil(body);
                }
            })
            .stage();
        let original = stage.one().await;
        let error = stage.issue(&original).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::Unknown), "{error}");
        let state = stage.state();
        for credential in state["credentials"].as_array().unwrap() {
            assert!(!format!("{error:?}").contains(credential["client_secret"].as_str().unwrap()));
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_leaves_doubt() {
    let stage = Setup::small().and("redirect-creates", "https://elsewhere.example.test/").stage();
    let original = stage.one().await;
    let error = stage.issue(&original).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::Unknown), "{error}");
    assert_eq!(stage.calls_of("issue"), 1);
}

#[tokio::test]
async fn a_name_that_the_platform_keeps_is_told() {
    let stage = Setup::small().and("names-fixed", "").stage();
    let original = stage.one().await;
    let renamer = stage.issuer.renamer().unwrap();
    let error = renamer.rename(&subject(&original), &original.handle, "new", "New", &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    assert!(error.message.contains("the platform keeps the name"), "{error}");
}

#[tokio::test]
async fn no_call_is_made_for_what_could_name_a_collection() {
    let stage = Setup::small().stage();
    let original = stage.one().await;
    let before = stage.twin.world().calls().len();
    let mut at = subject(&original);
    let name = domain::Handle::parse(original.names.last().unwrap()).unwrap();
    let error = stage.issuer.revoke(&at, &name, &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{error}");
    for locator in ["", "/", "a/b", &format!("{}/", original.locator)] {
        locator.clone_into(&mut at.locator);
        let error = stage.issuer.revoke(&at, &original.handle, &ticket()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied), "{locator}: {error}");
    }
    assert_eq!(stage.twin.world().calls().len(), before);
}

#[tokio::test]
async fn a_successor_for_an_application_that_is_gone_is_not_found() {
    let stage = Setup::small().stage();
    let original = stage.one().await;
    super::tamper(&stage.twin, super::delete_app(&original.names[0], &original.names[1]));
    let error = stage.issue(&original).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::NotFound, Effect::NotApplied), "{error}");
    assert!(error.request_id.is_some(), "the platform's support will ask for it");
}

/// Three calls to the gateway with the pair of a new credential, an hour apart; the time of the last.
async fn used(stage: &Stage) -> (driver::Found, driver::Issued, Timestamp) {
    let original = stage.one().await;
    let issued = stage.issue(&original).await.unwrap();
    let text = |field| issued.secret.get(field).unwrap().expose_text().unwrap().to_owned();
    for _ in 0..3 {
        stage.clock.advance(SignedDuration::from_hours(1));
        let headers = [("x-ibm-client-id", text("client_id")), ("x-ibm-client-secret", text("client_secret"))];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(stage.twin.gateway(headers.to_vec()), Some(200));
    }
    let last = stage.twin.now();
    stage.clock.advance(SignedDuration::from_hours(1));
    (original, issued, last)
}

#[tokio::test]
async fn the_last_use_is_found_in_whatever_order_events_come() {
    // Oldest first: the first answer holds the oldest event alone.
    let stage = Setup::small()
        .edit(|request, body| {
            if let Some(events) = body.get_mut("events").and_then(Value::as_array_mut) {
                assert!(request.url.path().starts_with("/analytics/"));
                events.reverse();
                events.truncate(1);
            }
        })
        .hook(|request, _| {
            let asks = request.url.query().is_some_and(|query| query.contains("client_id="));
            assert!(asks || !request.url.path().starts_with("/analytics/"));
            None
        })
        .stage();
    let (original, issued, last) = used(&stage).await;
    let usage = stage.issuer.usage().unwrap();
    let told = usage.usage(&subject(&original), &issued.handle, issued.created_at).await.unwrap();
    assert_eq!(told.last_used, Some(last));
}

#[tokio::test]
async fn events_that_were_not_asked_for_prove_nothing() {
    type Spoil = fn(&mut Value);
    let spoils: [Spoil; 2] = [
        |event| event["client_id"] = json!("somebody-else"),
        |event| event["datetime"] = json!("2020-01-01T00:00:00.000Z"),
    ];
    for spoil in spoils {
        let stage = Setup::small()
            .edit(move |_, body| {
                if let Some(event) = body.get_mut("events").and_then(|events| events.get_mut(0)) {
                    spoil(event);
                }
            })
            .stage();
        let (original, issued, _) = used(&stage).await;
        let usage = stage.issuer.usage().unwrap();
        let error = usage.usage(&subject(&original), &issued.handle, issued.created_at).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "{error}");
    }
}

#[tokio::test]
async fn a_missing_analytics_service_is_a_missing_right_and_a_missing_credential_is_not() {
    let stage = Setup::small()
        .hook(|request, _| request.url.path().starts_with("/analytics/").then(|| answer(404, r#"{"status":404}"#)))
        .stage();
    let original = stage.one().await;
    let (usage, at) = (stage.issuer.usage().unwrap(), subject(&original));
    let error = usage.usage(&at, &original.handle, original.created_at).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{error}");
    let error = usage.usage(&at, &unknown_handle(), original.created_at).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound, "{error}");
    let check = stage.issuer.check().await.unwrap();
    assert!(check.reduced.iter().any(|sentence| sentence.contains("analytics")), "{check:?}");
}

#[tokio::test]
async fn a_caller_that_never_pauses_is_in_use_until_now() {
    // Whatever we ask for, somebody has called in the meantime.
    let stage = Setup::small()
        .edit(|request, body| {
            let start =
                request.url.query_pairs().find(|(name, _)| name == "start").map(|(_, value)| value.into_owned());
            if let (Some(start), Some(events)) = (start, body.get_mut("events")) {
                *events = json!([{ "datetime": start }]);
            }
        })
        .stage();
    let original = stage.one().await;
    let usage = stage.issuer.usage().unwrap();
    let told = usage.usage(&subject(&original), &original.handle, original.created_at).await.unwrap();
    assert!(told.last_used.is_some());
    assert_eq!(told.last_used, told.known_through);
}
