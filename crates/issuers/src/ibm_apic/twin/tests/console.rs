use super::*;

fn tamper(site: &mut Site, action: Value) -> Result<Value, String> {
    site.world.tamper(start(), &action)
}

fn at_billing(action: &str, name: &str) -> Value {
    json!({ "action": action, "consumer_org": "northwind-bank", "app": "billing", "name": name })
}

#[test]
fn the_state_has_the_members_that_outside_programs_rely_on() {
    let site = Site::new(small());
    let state = site.world.state(start());
    assert_eq!(state["now"], "2026-03-01T02:00:00Z");
    let mut first = state["credentials"][0].clone();
    for generated in ["id", "client_id", "client_secret"] {
        assert!(first.as_object_mut().unwrap().remove(generated).unwrap().is_string());
    }
    assert_eq!(
        first,
        json!({
            "consumer_org": "northwind-bank", "app": "billing", "name": "Credential-for-Billing",
            "title": "Credential for Billing", "created_at": "2025-11-26T02:00:00.000Z", "live": true, "accepted": true,
        })
    );
}

#[test]
fn a_person_makes_renames_resets_and_removes_credentials() {
    let mut site = Site::new(small());
    let mut action = at_billing("create_credential", "by-hand");
    action["age"] = json!("300d");
    let made = tamper(&mut site, action.clone()).unwrap();
    assert!(site.accepts(&made));
    assert_eq!(site.credential("by-hand")["created_at"], "2025-05-05T02:00:00.000Z");
    assert_eq!(tamper(&mut site, action), Err("`billing` has a credential `by-hand` already".to_owned()));

    let mut action = at_billing("rename_credential", "by-hand");
    action["new_name"] = json!("by-foot");
    tamper(&mut site, action).unwrap();
    assert_eq!(site.credential("by-foot")["id"], made["id"]);
    assert_eq!(site.credential("by-foot")["title"], "by-hand", "the title stays");

    let reset = tamper(&mut site, at_billing("reset_credential", "by-foot")).unwrap();
    assert!(!site.accepts(&made) && site.accepts(&reset));

    tamper(&mut site, at_billing("delete_credential", "by-foot")).unwrap();
    assert!(!site.accepts(&reset));
    assert_eq!(site.credential("by-foot")["live"], false);
}

#[test]
fn a_person_makes_and_removes_organisations_and_applications() {
    let mut site = Site::new(small());
    tamper(&mut site, json!({ "action": "create_consumer_org", "consumer_org": "new-org", "email": "" })).unwrap();
    tamper(&mut site, json!({ "action": "create_app", "consumer_org": "new-org", "app": "one" })).unwrap();
    let action = json!({ "action": "create_credential", "consumer_org": "new-org", "app": "one", "name": "key" });
    let pair = tamper(&mut site, action).unwrap();
    let org = site.get("/api/consumer-orgs/acme/production/new-org?expand=owner").ok(200);
    assert_eq!((&org["title"], &org["owner"]["email"]), (&json!("New Org"), &json!("")));
    for (action, accepted) in [("disable_consumer_org", false), ("enable_consumer_org", true)] {
        tamper(&mut site, json!({ "action": action, "consumer_org": "new-org" })).unwrap();
        assert_eq!(site.accepts(&pair), accepted, "{action}");
    }
    tamper(&mut site, json!({ "action": "delete_app", "consumer_org": "new-org", "app": "one" })).unwrap();
    assert_eq!(site.get("/api/apps/acme/production/new-org/one").status, 404);
    assert!(!site.accepts(&pair));
    let apps = site.get("/api/catalogs/acme/production/apps?limit=100");
    assert_eq!(apps.body["total_results"], 4);
}

#[test]
fn a_mistaken_action_is_answered_with_a_sentence() {
    let mut site = Site::new(small());
    let mut wrong_age = at_billing("create_credential", "x");
    wrong_age["age"] = json!(5);
    let mut taken = at_billing("rename_credential", "Batch-jobs");
    taken["new_name"] = json!("Credential-for-Billing");
    for (action, expected) in [
        (json!({}), "`action` is missing"),
        (at_billing("explode", "Batch-jobs"), "unknown action `explode`"),
        (at_billing("delete_credential", "none"), "`billing` has no credential `none`"),
        (json!({ "action": "enable_app", "consumer_org": "no", "app": "x" }), "there is no consumer organisation `no`"),
        (json!({ "action": "enable_app", "consumer_org": "alder-insurance" }), "`app` is missing"),
        (wrong_age, "`age` is not a text like `300d`"),
        (taken, "the application has a credential `Credential-for-Billing` already"),
    ] {
        assert_eq!(tamper(&mut site, action), Err(expected.to_owned()));
    }
}

#[test]
fn a_story_is_planted_before_the_start() {
    let twin = ApiConnect::new(Options { seed: 9, ..Options::default() }, start())
        .with_consumer_org("fjord-shipping", "ingrid.berg@fjord.example")
        .and_then(|twin| twin.with_app("fjord-shipping", "track-and-trace"))
        .and_then(|twin| twin.with_credential("fjord-shipping", "track-and-trace", "Harbour desk", days(140)))
        .unwrap();
    let pair = twin.pair("fjord-shipping", "track-and-trace", "Harbour-desk").unwrap();
    assert_eq!(format!("{twin:?} {pair:?}"), {
        format!("ApiConnect {{ consumer_orgs: 1, apps: 1, credentials: 1, .. }} Pair({})", pair.id)
    });
    assert!(twin.pair("fjord-shipping", "track-and-trace", "none").is_none());
    let mut site = Site::with(twin);
    assert_eq!(site.gateway(&pair.client_id, &pair.client_secret).body["application"], "track-and-trace");
    let org = site.get("/api/consumer-orgs/acme/production/fjord-shipping?fields=owner&expand=owner").ok(200);
    assert_eq!((&org["owner"]["first_name"], &org["owner"]["last_name"]), (&json!("Ingrid"), &json!("Berg")));
    let credential =
        site.get("/api/apps/acme/production/fjord-shipping/track-and-trace/credentials/Harbour-desk").ok(200);
    assert_eq!((&credential["id"], &credential["created_at"]), (&json!(pair.id), &json!("2025-10-12T02:00:00.000Z")));
    site.world.add_fault("stale_list".parse().unwrap());
    let apps = site.get("/api/catalogs/acme/production/apps").ok(200);
    assert_eq!(apps["total_results"], 1, "a stale list is no older than the start");
}
