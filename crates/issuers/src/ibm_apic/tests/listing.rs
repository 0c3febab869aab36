//! Listings that move, shrink or hide something.

use std::sync::atomic::{AtomicU32, Ordering};

use contract::TwinHttp;
use domain::Parent;
use driver::{Effect, HttpRequest, Kind, Lookup, Scope};
use futures_util::StreamExt;
use serde_json::json;

use super::{Setup, answer, delete_app, ids, subject, tamper};

fn is_page(request: &HttpRequest, noun: &str, offset: u64) -> bool {
    let offset = format!("offset={offset}");
    request.url.path().ends_with(noun) && request.url.query().is_some_and(|query| query.ends_with(&offset))
}

/// Two and a half pages of applications.
fn large() -> Setup {
    Setup::with(&[("consumer-orgs", "50"), ("apps", "50"), ("age", "95d")])
}

#[tokio::test]
async fn a_catalog_that_moves_while_it_is_read_is_not_believed() {
    let stage = large()
        .hook(|request, twin| {
            if is_page(request, "production/apps", 1000) {
                // The second page would begin one application too late.
                let now = twin.now();
                // It is there for the first reading only.
                let _ = twin.world().tamper(now, &delete_app("northwind-bank", "billing"));
            }
            None
        })
        .stage();
    let error = stage.try_list(Scope::All).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert!(error.message.contains("changed while it was read, from 2500 to 2499"), "{error}");
}

#[tokio::test]
async fn a_page_from_a_node_that_is_behind_is_read_again() {
    let behind = AtomicU32::new(0);
    let stage = large()
        .edit(move |request, body| {
            if is_page(request, "production/apps", 1000) && behind.fetch_add(1, Ordering::SeqCst) == 0 {
                body["total_results"] = json!(2499);
            }
        })
        .stage();
    assert_eq!(ids(&stage.list().await), stage.live());
}

#[tokio::test]
async fn an_application_that_comes_twice_shows_that_another_was_skipped() {
    let stage = large()
        .edit(|request, body| {
            if is_page(request, "production/apps", 1000) {
                body["results"][0] = body["results"][1].clone();
            }
        })
        .stage();
    let error = stage.try_list(Scope::All).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "{error}");
}

#[tokio::test]
async fn a_page_that_is_shorter_than_it_says_is_not_believed() {
    for (options, noun) in [(&[][..], "production/apps"), (&[("no-catalog-listing", "")], "/credentials")] {
        let mut setup = Setup::small();
        setup.options.extend(options);
        let stage = setup
            .edit(move |request, body| {
                if request.url.path().ends_with(noun) {
                    body["total_results"] = json!(body["total_results"].as_u64().unwrap() + 1);
                }
            })
            .stage();
        // One page short of its total is what a smaller page size looks like, so the rest is asked for, and lacks.
        let error = stage.try_list(Scope::All).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    }
}

#[tokio::test]
async fn a_smaller_page_size_than_ours_is_followed() {
    let stage = Setup::with(&[("consumer-orgs", "4"), ("apps", "3"), ("credentials", "3")])
        .edit(|request, body| {
            let offset: usize =
                request.url.query().and_then(|it| it.rsplit('=').next()).unwrap_or("0").parse().unwrap_or(0);
            if let Some(results) = body["results"].as_array_mut() {
                results.truncate(2);
                assert!(offset.is_multiple_of(2), "pages follow the platform's size");
            }
        })
        .stage();
    assert_eq!(ids(&stage.list().await), stage.live());
}

#[tokio::test]
async fn organisations_that_move_are_read_again() {
    let stage = Setup::with(&[("consumer-orgs", "1001"), ("apps", "1"), ("no-catalog-listing", "")])
        .hook(|request, twin| {
            if is_page(request, "/consumer-orgs", 1000) {
                let now = twin.now();
                // The second time the name is taken, and nothing moves.
                let new = json!({ "action": "create_consumer_org", "consumer_org": "late" });
                let _ = twin.world().tamper(now, &new);
            }
            None
        })
        .stage();
    assert_eq!(ids(&stage.list().await), stage.live());
}

#[tokio::test]
async fn what_expand_leaves_out_is_asked_for() {
    let stage = Setup::small()
        .and("credentials", "3")
        .edit(|request, body| {
            if request.url.path().ends_with("production/apps") {
                body["results"][1]["credentials"].as_array_mut().unwrap().pop();
            }
        })
        .stage();
    assert_eq!(ids(&stage.list().await), stage.live());
    assert_eq!(stage.calls_of("list"), 3, "organisations, applications, and one application's own list");
}

#[tokio::test]
async fn a_platform_that_does_not_expand_is_walked() {
    let stage = Setup::small()
        .edit(|request, body| {
            if request.url.path().ends_with("production/apps") {
                for app in body["results"].as_array_mut().unwrap() {
                    app.as_object_mut().unwrap().remove("credentials");
                }
            }
        })
        .stage();
    assert_eq!(ids(&stage.list().await), stage.live());
    let check = stage.issuer.check().await.unwrap();
    assert!(check.reduced.iter().any(|sentence| sentence.contains("walks")), "{check:?}");
}

#[tokio::test]
async fn owners_that_may_not_be_listed_stay_unknown() {
    let stage = Setup::small()
        .hook(|request, _| request.url.path().ends_with("/consumer-orgs").then(|| answer(403, "{}")))
        .stage();
    let all = stage.list().await;
    assert_eq!(ids(&all), stage.live());
    assert!(all.iter().all(|found| found.owner.is_none() && !found.names[0].is_empty()), "{all:?}");
}

#[tokio::test]
async fn a_disabled_application_is_told_in_every_listing() {
    for options in [&[][..], &[("no-catalog-listing", "")]] {
        let mut setup = Setup::small();
        setup.options.extend(options);
        let stage = setup.stage();
        let original = stage.one().await;
        let (org, app) = (&original.names[0], &original.names[1]);
        tamper(&stage.twin, json!({ "action": "disable_app", "consumer_org": org, "app": app }));
        let disabled = |all: Vec<driver::Found>| {
            all.into_iter().filter(|found| found.parent == Parent::Disabled).map(|it| it.handle).collect::<Vec<_>>()
        };
        assert_eq!(disabled(stage.list().await), std::slice::from_ref(&original.handle));
        let siblings = stage.try_list(Scope::Siblings(subject(&original))).await.unwrap();
        assert_eq!(siblings[0].names, original.names);
        assert_eq!(disabled(siblings), std::slice::from_ref(&original.handle));
    }
}

/// The silence of the suspended must not look like that of the abandoned, in no listing.
#[tokio::test]
async fn a_disabled_organisation_is_told_in_every_listing() {
    let may_not_read_orgs = |request: &HttpRequest, _: &TwinHttp| {
        let path = request.url.path();
        let orgs = path.contains("/consumer-orgs") && !path.ends_with("/apps");
        orgs.then(|| answer(403, r#"{"status":403}"#))
    };
    let walks = Setup::small().and("no-catalog-listing", "");
    for setup in [Setup::small(), walks, Setup::small().hook(may_not_read_orgs)] {
        let stage = setup.stage();
        let original = stage.one().await;
        let org = &original.names[0];
        let ours = |all: Vec<driver::Found>| {
            let ours = all.into_iter().filter(|found| found.names[0] == *org);
            ours.map(|found| found.parent).collect::<Vec<_>>()
        };
        for (action, parent) in [("disable_consumer_org", Parent::Disabled), ("enable_consumer_org", Parent::Enabled)] {
            tamper(&stage.twin, json!({ "action": action, "consumer_org": org }));
            assert_eq!(ours(stage.list().await), [parent, parent]);
            let siblings = stage.try_list(Scope::Siblings(subject(&original))).await.unwrap();
            assert_eq!((siblings[0].names.as_slice(), ours(siblings.clone())), (&*original.names, vec![parent]));
        }
    }
}

/// Unknown is not enabled.
#[tokio::test]
async fn a_narrow_look_that_cannot_learn_the_state_of_the_organisation_fails() {
    let stage = Setup::small()
        .hook(|request, _| request.url.path().contains("/consumer-orgs/").then(|| answer(403, "{}")))
        .stage();
    let original = stage.one().await;
    let error = stage.try_list(Scope::Siblings(subject(&original))).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Forbidden, Effect::NotApplied), "{error}");
}

#[tokio::test]
async fn what_is_removed_while_we_walk_is_no_error() {
    let stage = Setup::small()
        .and("no-catalog-listing", "")
        .hook(|request, twin| {
            if request.url.path().ends_with("/credentials") {
                let now = twin.now();
                let _ = twin.world().tamper(now, &delete_app("northwind-bank", "billing"));
            }
            None
        })
        .stage();
    let all = stage.list().await;
    assert_eq!((ids(&all), all.len()), (stage.live(), 3));
}

#[tokio::test]
async fn a_404_for_what_is_there_is_an_error() {
    let stage = Setup::small()
        .and("no-catalog-listing", "")
        .hook(|request, _| request.url.path().ends_with("/credentials").then(|| answer(404, r#"{"status":404}"#)))
        .stage();
    let error = stage.try_list(Scope::All).await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol, "{error}");
    assert!(error.message.contains("what it belongs to is there"), "{error}");
}

/// The engine may look something up while it holds a listing that it has not read to the end.
#[tokio::test(start_paused = true)]
async fn a_listing_that_nobody_polls_keeps_nothing_from_others() {
    let mut setup = Setup::with(&[("consumer-orgs", "40"), ("apps", "40"), ("no-catalog-listing", "")]);
    setup.latency = std::time::Duration::from_millis(20);
    setup.budget = driver::Budget { in_flight: 4, per_second: None };
    let stage = setup.stage();
    let mut pages = stage.issuer.list(Scope::All);
    let first = pages.next().await.unwrap().unwrap().found.swap_remove(0);
    let at = subject(&first);
    let look = stage.issuer.look_up(&at, &first.handle);
    let look = tokio::time::timeout(std::time::Duration::from_secs(60), look).await.expect("it gets its turn");
    assert!(matches!(look.unwrap(), Lookup::There { .. }));
    // And one that is given up goes on with nothing.
    drop(pages);
    let sent = stage.twin.world().calls().len();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(stage.twin.world().calls().len(), sent);
}
