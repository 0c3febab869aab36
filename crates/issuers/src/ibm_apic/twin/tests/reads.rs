use std::collections::BTreeSet;

use super::*;

const ALL_APPS: &str = "/api/catalogs/acme/production/apps";

#[test]
fn a_list_has_the_documented_envelope_and_items() {
    let mut site = Site::new(small());
    let orgs = site.get("/api/catalogs/acme/production/consumer-orgs?fields=name,title").ok(200);
    assert_eq!(
        orgs,
        json!({ "total_results": 2, "results": [
            { "name": "northwind-bank", "title": "Northwind Bank" },
            { "name": "alder-insurance", "title": "Alder Insurance" },
        ] })
    );
    let credentials = site.get(&format!("{APPS}/credentials?limit=100&fields=name,title,created_at")).ok(200);
    assert_eq!(
        credentials,
        json!({ "total_results": 2, "results": [
            { "name": "Credential-for-Billing", "title": "Credential for Billing", "created_at": "2025-11-26T02:00:00.000Z" },
            { "name": "Batch-jobs", "title": "Batch jobs", "created_at": "2025-11-26T02:00:00.000Z" },
        ] })
    );
}

#[test]
fn names_and_ids_are_accepted_in_every_path_element_and_mean_the_same() {
    let mut site = Site::new(small());
    let by_name = site.get(&format!("{APPS}/credentials/Batch-jobs")).ok(200);
    let path = by_name["url"].as_str().unwrap().trim_start_matches("https://apim.example.test").to_owned();
    let ids: Vec<&str> = path.trim_start_matches("/api/apps/").split('/').collect();
    let names = ["acme", "production", "northwind-bank", "billing", "credentials", "Batch-jobs"];
    for mask in 0..64_u32 {
        let mixed: Vec<&str> = (0..6).map(|at| if mask >> at & 1 == 1 { ids[at] } else { names[at] }).collect();
        let target = format!("/api/apps/{}", mixed.join("/"));
        assert_eq!(site.get(&target).ok(200), by_name, "{target}");
    }
}

#[test]
fn an_object_has_the_documented_members() {
    let mut site = Site::new(small());
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let expected = |names: &str| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    let credential = site.get(&format!("{APPS}/credentials/Batch-jobs")).ok(200);
    assert_eq!(
        members(&credential),
        expected(
            "type api_version id name title summary client_id created_at updated_at org_url catalog_url \
             consumer_org_url app_url url"
        )
    );
    assert!(is_hex(&credential["client_id"]));
    let app = site.get(APPS).ok(200);
    assert_eq!(
        members(&app),
        expected(
            "type api_version id name title summary state lifecycle_state redirect_endpoints app_credential_urls \
             created_at updated_at org_url catalog_url consumer_org_url url"
        )
    );
    assert_eq!((&app["state"], &app["lifecycle_state"]), (&json!("enabled"), &json!("production")));
    let org = site.get("/api/consumer-orgs/acme/production/northwind-bank?expand=owner").ok(200);
    assert_eq!(org["owner"]["email"], "maria.lind@northwind-bank.example");
    assert_eq!(org["owner"]["type"], "user");
}

/// Every address that any answer shows.
fn addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "url" || name.ends_with("_url") => {
                        found.insert(text.clone());
                    }
                    Value::Array(urls) if name.ends_with("_urls") => {
                        found.extend(urls.iter().map(|url| url.as_str().unwrap().to_owned()));
                    }
                    member => addresses(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        _ => {}
    }
}

#[test]
fn every_address_is_absolute_made_of_ids_and_works_when_called() {
    let mut site = Site::new(small());
    let mut known = BTreeSet::new();
    for target in [
        "/api/orgs",
        "/api/orgs/acme/catalogs",
        "/api/catalogs/acme/production/consumer-orgs?expand=owner",
        "/api/catalogs/acme/production/settings",
        "/api/catalogs/acme/production/configured-gateway-services",
        "/api/catalogs/acme/production/apps?expand=credentials,consumer_org",
    ] {
        addresses(&site.get(target).ok(200), &mut known);
    }
    let mut called = BTreeSet::new();
    while let Some(url) = known.iter().find(|url| !called.contains(*url)).cloned() {
        let target = url.strip_prefix("https://apim.example.test").unwrap();
        for name in ["acme", "production", "northwind", "billing", "Batch"] {
            assert!(!target.contains(name), "{target}");
        }
        let object = site.get(target).ok(200);
        assert_eq!(object["url"], json!(url));
        if let Some(id) = object["id"].as_str() {
            assert!(url.ends_with(id), "{url}");
        }
        addresses(&object, &mut known);
        called.insert(url);
    }
    // 8 credentials, 4 applications, 2 organisations with an owner each, registry, catalog, settings, provider, gateway.
    assert_eq!(called.len(), 8 + 4 + 2 * 2 + 5);
}

#[test]
fn app_credential_urls_list_every_credential() {
    let mut site = Site::new(small());
    site.create("third");
    let urls = site.get(&format!("{APPS}?fields=app_credential_urls")).ok(200);
    let listed: Vec<Value> = site.get(&format!("{APPS}/credentials?fields=url")).results().clone();
    let listed: Vec<Value> = listed.into_iter().map(|item| item["url"].clone()).collect();
    assert_eq!(urls, json!({ "app_credential_urls": listed }));
    assert_eq!(listed.len(), 3);
}

#[test]
fn the_total_counts_everything_and_the_default_page_is_small() {
    let mut site = Site::new(Options { consumer_orgs: 20, apps: 6, ..small() });
    let first = site.get(ALL_APPS);
    assert_eq!((first.body["total_results"].clone(), first.results().len()), (json!(120), 50));
    let mut seen = BTreeSet::new();
    for offset in [0, 50, 100, 150] {
        let page = site.get(&format!("{ALL_APPS}?limit=50&offset={offset}&fields=id"));
        assert_eq!(page.body["total_results"], json!(120));
        seen.extend(page.results().iter().map(|app| app["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 120);
    assert_eq!(site.get(&format!("{ALL_APPS}?limit=1000")).results().len(), 120);
    assert_eq!(site.get(&format!("{ALL_APPS}?limit=many")).status, 400);
}

#[test]
fn fields_and_expand_give_the_whole_catalog_in_one_call() {
    let mut site = Site::new(small());
    let query = "limit=1000&offset=0&fields=consumer_org,credentials,id,name,title,state,lifecycle_state,updated_at,url\
                 &expand=credentials,consumer_org";
    let page = site.get(&format!("{ALL_APPS}?{query}"));
    assert_eq!(page.results().len(), 4);
    let app = &page.results()[0];
    assert_eq!(app.as_object().unwrap().len(), 9);
    assert_eq!(app["consumer_org"]["name"], "northwind-bank");
    assert_eq!(app["credentials"][1]["title"], "Batch jobs");
    assert_eq!(app["credentials"][1]["created_at"], "2025-11-26T02:00:00.000Z");
    assert!(app["credentials"][1].get("client_secret").is_none());
}

#[test]
fn an_embedded_object_that_is_not_named_twice_is_dropped_without_a_word() {
    let mut site = Site::new(small());
    let app = |site: &mut Site, query: &str| site.get(&format!("{ALL_APPS}?{query}")).results()[0].clone();
    assert!(app(&mut site, "expand=credentials")["credentials"].is_array());
    assert!(app(&mut site, "fields=name&expand=credentials").get("credentials").is_none());
    assert!(app(&mut site, "fields=name,credentials").get("credentials").is_none());
    assert_eq!(app(&mut site, "fields=name&expand=nonsense"), json!({ "name": "billing" }));
}

#[test]
fn what_is_not_there_is_404_in_the_envelope() {
    let mut site = Site::new(small());
    check_error(&site.get("/api/orgs/nobody"), 404, "The organization 'nobody' was not found.");
    let other_catalog = site.get("/api/catalogs/acme/sandbox/apps");
    check_error(&other_catalog, 404, "The catalog 'sandbox' was not found.");
    let no_app = site.get("/api/apps/acme/production/northwind-bank/none");
    check_error(&no_app, 404, "The application 'none' was not found.");
    let elsewhere = site.get("/api/apps/acme/production/alder-insurance/billing/credentials/none");
    check_error(&elsewhere, 404, "The credential 'none' was not found.");
    for target in ["/api/nothing", "/api/apps/acme/production//billing", "/catalogs/acme/production/apps", "/", ""] {
        assert_eq!(site.get(target).status, 404, "{target}");
    }
    assert_eq!(site.call("PUT", APPS, None).status, 405);
}

#[test]
fn an_account_without_the_right_cannot_list_the_catalog_but_can_walk() {
    let mut site = Site::new(Options { no_catalog_listing: true, ..small() });
    check_error(&site.get(ALL_APPS), 403, "You are not authorized to list the applications of this catalog.");
    let apps = site.get("/api/consumer-orgs/acme/production/northwind-bank/apps?fields=name,app_credential_urls");
    assert_eq!(apps.results().len(), 2);
    let url = apps.results()[0]["app_credential_urls"][0].as_str().unwrap().to_owned();
    let target = url.trim_start_matches("https://apim.example.test");
    let credential = site.get(&format!("{target}?fields=name,title,created_at")).ok(200);
    assert_eq!(credential["title"], "Credential for Billing");
}

#[test]
fn reads_never_show_the_secret_unless_the_installation_leaks() {
    let reads = [
        format!("{APPS}/credentials"),
        format!("{APPS}/credentials/Batch-jobs"),
        format!("{ALL_APPS}?expand=credentials"),
        format!("{APPS}?expand=credentials"),
    ];
    let mut plain = Site::new(small());
    let secret = plain.credential("Batch-jobs")["client_secret"].as_str().unwrap().to_owned();
    let mut hashed = Site::new(Options { hashed: true, ..small() });
    let mut leaky = Site::new(Options { leaky_reads: true, ..small() });
    for target in &reads {
        let text = plain.get(target).text;
        assert!(!text.contains(&secret) && !text.contains("client_secret"), "{target}");
        let text = hashed.get(target).text;
        assert!(!text.contains(&secret) && text.contains("client_secret_hashed"), "{target}");
        assert!(leaky.get(target).text.contains(&secret), "{target}");
    }
    let settings =
        |site: &mut Site| site.get("/api/catalogs/acme/production/settings").ok(200)["hash_client_secret"].clone();
    assert_eq!((settings(&mut plain), settings(&mut hashed)), (json!(false), json!(true)));
}

#[test]
fn switches_add_unknown_members_and_shorten_what_is_embedded() {
    let mut site = Site::new(Options { unknown_fields: true, embedded_summaries: true, ..small() });
    let app = site.get(&format!("{ALL_APPS}?expand=credentials,consumer_org")).results()[0].clone();
    assert!(app["x_governance"]["labels"].is_array());
    let members: Vec<&String> = app["credentials"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["client_id", "id", "name", "title"]);
}

#[test]
fn a_stale_list_shows_the_state_of_a_few_changes_ago() {
    let mut site = Site::new(small());
    site.create("made");
    site.delete("Batch-jobs").ok(200);
    site.call("PATCH", &format!("{APPS}/credentials/made"), Some(&json!({ "name": "renamed" }))).ok(200);
    let names = |site: &mut Site| -> Vec<String> {
        let list = site.get(&format!("{APPS}/credentials?limit=100"));
        list.results().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&mut site), ["Credential-for-Billing", "renamed"]);
    site.world.add_fault("stale_list".parse().unwrap());
    let seen: BTreeSet<Vec<String>> = (0..60).map(|_| names(&mut site)).collect();
    let expected: [&[&str]; 3] = [
        &["Credential-for-Billing", "Batch-jobs"],
        &["Credential-for-Billing", "Batch-jobs", "made"],
        &["Credential-for-Billing", "made"],
    ];
    assert_eq!(seen, expected.iter().map(|names| names.iter().map(|name| (*name).to_owned()).collect()).collect());
    let one = site.get(&format!("{APPS}/credentials/renamed"));
    assert_eq!(one.status, 200, "objects are never stale");
}

#[test]
fn a_large_estate_has_distinct_names_and_is_the_same_for_a_seed() {
    let options = Options { consumer_orgs: 50, apps: 20, credentials: 10, age_spread: days(100), ..small() };
    let state = |seed| Site::new(Options { seed, ..options.clone() }).credentials();
    let one = state(1);
    assert_eq!(one.len(), 10_000);
    let distinct: BTreeSet<String> =
        one.iter().map(|c| format!("{}/{}/{}", c["consumer_org"], c["app"], c["name"])).collect();
    assert_eq!(distinct.len(), 10_000);
    let ages: BTreeSet<&str> = one.iter().map(|c| c["created_at"].as_str().unwrap()).collect();
    assert!(ages.len() > 9_000);
    assert!(ages.first().unwrap() > &"2025-08-17" && ages.last().unwrap() < &"2025-11-27");
    assert_eq!(one, state(1));
    assert_ne!(one, state(2));
}
