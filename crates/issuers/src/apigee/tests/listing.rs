use domain::Parent;
use driver::Kind;
use serde_json::json;

use super::*;

/// The expanded list of developers cannot be paged and ends at a thousand.
#[tokio::test]
async fn developers_beyond_the_first_thousand_are_there_with_their_names() {
    for generation in GENERATIONS {
        let options = vec![("generation", generation), ("developers", "1010"), ("apps", "1"), ("age", "95d")];
        let stage = Setup { options, ..Setup::default() }.stage();
        let all = stage.list().await;
        assert_eq!(all.len(), 1010);
        assert!(all.iter().all(|found| found.owner.as_ref().unwrap().name.contains(' ')));
    }
}

#[tokio::test]
async fn what_is_revoked_is_listed_and_not_due() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).stage();
        let all = stage.list().await;
        let act = |action: &str, of: &Found| {
            let (developer, app, name) = (&of.names[0], &of.names[1], stage.text(of));
            stage.tamper(json!({ "action": action, "developer": developer, "app": app, "name": name }));
        };
        act("disable_app", &all[0]);
        act("revoke_credential", &all[1]);
        act("deactivate_developer", &all[3]);
        let parents: Vec<Parent> = stage.list().await.iter().map(|found| found.parent).collect();
        // The last two are apps of one developer.
        assert_eq!(parents, [Parent::Disabled; 4], "{generation}");
        act("approve_credential", &all[1]);
        assert_eq!(stage.list().await[1].parent, Parent::Enabled, "{generation}");
    }
}

/// Where an app has a key that works, the one that does not says nothing about the app.
#[tokio::test]
async fn a_key_that_works_is_told_last() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).stage();
        let original = stage.one().await;
        let issued = stage.issue(&stage.wanted(&original)).await.unwrap();
        let disabler = stage.issuer.disabler().unwrap();
        disabler.disable(&subject(&original), &original.handle, &ticket()).await.unwrap();
        for scope in [Scope::All, Scope::Siblings(subject(&original))] {
            let mut pages = stage.issuer.list(scope);
            let mut told = Vec::new();
            while let Some(page) = pages.next().await {
                told.extend(page.unwrap().found);
            }
            let at = |handle: &domain::Handle| told.iter().position(|found| found.handle == *handle).unwrap();
            assert!(at(&original.handle) < at(&issued.handle), "{generation}");
        }
    }
}

#[tokio::test]
async fn groups_that_may_not_be_seen_are_not_left_out_in_silence() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).and("no-groups", "").stage();
        let error = stage.try_list(Scope::All).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
        assert!(error.message.contains("`groups = false`"), "{error}");
        let stage = Setup::small(generation).and("no-groups", "").set("groups", false).stage();
        assert_eq!(stage.list().await.len(), 4);
    }
}

#[tokio::test]
async fn an_app_that_is_gone_has_no_keys() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).stage();
        let one = stage.list().await.swap_remove(0);
        stage.tamper(json!({ "action": "delete_app", "developer": one.names[0], "app": one.names[1] }));
        assert!(stage.try_list(Scope::Siblings(subject(&one))).await.unwrap().is_empty());
        let look = stage.issuer.look_up(&subject(&one), &one.handle).await.unwrap();
        assert_eq!(look, driver::Lookup::Gone);
    }
}

/// Whose app it is cannot be told: the list of developers is older than that of apps.
#[tokio::test]
async fn an_app_of_an_unknown_developer_fails_the_listing() {
    let stage = Setup::small("x")
        .edit(|request, body| {
            if let Some(developers) = body.get_mut("developer").and_then(Value::as_array_mut)
                && request.url.path().ends_with("/developers")
            {
                developers.pop();
            }
        })
        .stage();
    let error = stage.try_list(Scope::All).await.unwrap_err();
    assert!(error.kind.is_transient(), "{error}");
}
