use super::*;

fn collection() -> String {
    format!("{APPS}/credentials")
}

fn live(site: &Site) -> Vec<String> {
    let of_billing = |c: &Value| c["consumer_org"] == "northwind-bank" && c["app"] == "billing" && c["live"] == true;
    let there = site.credentials().into_iter().filter(of_billing);
    there.map(|c| c["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_create_answers_the_whole_object_and_the_secret_this_once() {
    let mut site = Site::new(small());
    let body = json!({ "name": "rot-2026-03", "title": "rot 2026-03", "summary": "keyrota:7f" });
    let created = site.post(&collection(), body).ok(201);
    assert!(is_hex(&created["client_id"]) && is_hex(&created["client_secret"]));
    assert_eq!(created["created_at"], "2026-03-01T02:00:00.000Z");
    let mut read = site.get(&format!("{}/rot-2026-03", collection())).ok(200);
    assert_eq!(read["summary"], "keyrota:7f");
    read["client_secret"] = created["client_secret"].clone();
    assert_eq!(read, created);
    assert!(site.accepts(&created));
}

#[test]
fn the_name_is_derived_from_the_title_and_the_title_from_the_name() {
    let mut site = Site::new(small());
    let created = site.post(&collection(), json!({ "title": "Batch Jobs 2" })).ok(201);
    assert_eq!((&created["name"], &created["title"]), (&json!("Batch-Jobs-2"), &json!("Batch Jobs 2")));
    let created = site.post(&collection(), json!({ "name": "alone" })).ok(201);
    assert_eq!((&created["name"], &created["title"]), (&json!("alone"), &json!("alone")));
    check_error(&site.post(&collection(), json!({})), 400, "The property 'title' is required.");
    for name in ["", "a/b", "a b"] {
        assert_eq!(site.post(&collection(), json!({ "name": name, "title": "x" })).status, 400, "{name}");
    }
}

#[test]
fn a_taken_name_is_a_conflict_within_its_application_only() {
    let mut site = Site::new(small());
    site.create("rot-2026-02");
    let again = site.post(&collection(), json!({ "name": "rot-2026-02", "title": "other" }));
    check_error(&again, 409, "A credential with the name 'rot-2026-02' already exists.");
    let elsewhere = "/api/apps/acme/production/alder-insurance/billing/credentials";
    site.post(elsewhere, json!({ "name": "rot-2026-02" })).ok(201);
    site.delete("rot-2026-02").ok(200);
    site.create("rot-2026-02");

    let mut older = Site::new(Options { duplicate_400: true, ..small() });
    let again = older.post(&collection(), json!({ "title": "Batch jobs" }));
    check_error(&again, 400, "A credential with the name 'Batch-jobs' already exists.");
}

#[test]
fn a_chosen_pair_is_kept_and_its_client_id_is_unique_in_the_catalog() {
    let mut site = Site::new(small());
    let body = json!({ "name": "chosen", "client_id": "my id", "client_secret": "my secret" });
    let created = site.post(&collection(), body).ok(201);
    assert!(site.accepts(&created));
    let elsewhere = "/api/apps/acme/production/alder-insurance/billing/credentials";
    let taken = site.post(elsewhere, json!({ "name": "other", "client_id": "my id" }));
    check_error(&taken, 409, "A credential with this client ID already exists.");
}

#[test]
fn members_that_the_platform_owns_are_ignored() {
    let mut site = Site::new(small());
    let body =
        json!({ "name": "mine", "id": "0", "created_at": "1999-01-01T00:00:00.000Z", "url": "x", "app_url": "y" });
    let created = site.post(&collection(), body).ok(201);
    assert_ne!(created["id"], "0");
    assert_eq!(created["created_at"], "2026-03-01T02:00:00.000Z");
    let body = json!({ "type": "x", "scope": "y", "id": "0", "created_at": "1999-01-01T00:00:00.000Z" });
    let patched = site.call("PATCH", &format!("{}/mine", collection()), Some(&body)).ok(200);
    assert_eq!((&patched["id"], &patched["type"]), (&created["id"], &json!("credential")));
}

#[test]
fn a_limit_of_credentials_refuses_one_more() {
    let mut site = Site::new(Options { credentials_max: Some(3), ..small() });
    site.create("third");
    let fourth = site.post(&collection(), json!({ "name": "fourth" }));
    check_error(&fourth, 400, "The application already has 3 credentials, which is the maximum.");
    site.delete("Batch-jobs").ok(200);
    site.create("fourth");
}

#[test]
fn a_patch_renames_and_moves_updated_at_alone() {
    let mut site = Site::new(small());
    let before = site.get(&format!("{}/Batch-jobs", collection())).ok(200);
    let body = json!({ "name": "nightly", "title": "Nightly run", "summary": "s" });
    let after =
        site.call("PATCH", &format!("{}/{}", collection(), before["id"].as_str().unwrap()), Some(&body)).ok(200);
    assert_eq!(
        (&after["name"], &after["title"], &after["summary"]),
        (&json!("nightly"), &json!("Nightly run"), &json!("s"))
    );
    assert_eq!((&after["id"], &after["client_id"]), (&before["id"], &before["client_id"]));
    assert_eq!(
        (&after["created_at"], &after["updated_at"]),
        (&before["created_at"], &json!("2026-03-01T02:00:00.000Z"))
    );
    assert!(after.get("client_secret").is_none());
    assert_eq!(site.get(&format!("{}/Batch-jobs", collection())).status, 404);
    let state = site.credential("nightly");
    assert!(site.accepts(&state), "a rename leaves the pair alone");
}

#[test]
fn a_patch_refuses_a_taken_name_and_changes_nothing_then() {
    let mut site = Site::new(small());
    let body = json!({ "name": "Credential-for-Billing", "summary": "half" });
    let target = format!("{}/Batch-jobs", collection());
    assert_eq!(site.call("PATCH", &target, Some(&body)).status, 409);
    assert_eq!(site.get(&target).ok(200)["summary"], "");
    assert_eq!(site.call("PATCH", &target, Some(&json!({ "client_id": null }))).status, 400);
    // The name that it has already is no conflict.
    site.call("PATCH", &target, Some(&json!({ "name": "Batch-jobs", "title": "Batch" }))).ok(200);

    let mut fixed = Site::new(Options { names_fixed: true, ..small() });
    let patched = fixed.call("PATCH", &target, Some(&json!({ "name": "other", "title": "Other" }))).ok(200);
    assert_eq!((&patched["name"], &patched["title"]), (&json!("Batch-jobs"), &json!("Other")));
}

#[test]
fn a_patch_of_the_pair_changes_it_in_place() {
    let mut site = Site::new(small());
    let before = site.credential("Batch-jobs");
    let target = format!("{}/Batch-jobs", collection());
    let patched = site.call("PATCH", &target, Some(&json!({ "client_secret": "chosen by me" }))).ok(200);
    assert!(patched.get("client_secret").is_none());
    let after = site.credential("Batch-jobs");
    assert_eq!(after["client_secret"], "chosen by me");
    assert!(!site.accepts(&before) && site.accepts(&after));
}

#[test]
fn a_delete_answers_an_empty_200_or_204_and_404_the_second_time() {
    for (delete_204, status) in [(false, 200), (true, 204)] {
        let mut site = Site::new(Options { delete_204, ..small() });
        let pair = site.credential("Batch-jobs");
        let deleted = site.delete("Batch-jobs");
        assert_eq!((deleted.status, deleted.text.as_str()), (status, ""));
        check_error(&site.delete("Batch-jobs"), 404, "The credential 'Batch-jobs' was not found.");
        assert!(!site.accepts(&pair));
        assert_eq!(site.credential("Batch-jobs")["live"], false);
        assert_eq!(live(&site), ["Credential-for-Billing"]);
    }
}

#[test]
fn an_empty_name_addresses_the_collection_and_wipes_it_when_confirmed() {
    for target in [collection(), format!("{}/", collection())] {
        let mut site = Site::new(small());
        let unconfirmed = site.call("DELETE", &target, None);
        check_error(&unconfirmed, 400, "The parameter 'confirm' is required to remove all credentials.");
        assert_eq!(live(&site).len(), 2);
        site.call("DELETE", &format!("{target}?confirm=billing"), None).ok(200);
        assert_eq!(live(&site).len(), 0);
        let others = site.credentials().iter().filter(|c| c["live"] == true).count();
        assert_eq!(others, 6, "the other applications keep theirs");
    }
}

#[test]
fn a_reset_changes_the_pair_in_place_without_overlap() {
    let mut site = Site::new(small());
    let before = site.credential("Batch-jobs");
    let secret_only = site.call("POST", &format!("{}/Batch-jobs/reset-client-secret", collection()), None).ok(200);
    assert_eq!(secret_only["client_id"], before["client_id"]);
    assert_ne!(secret_only["client_secret"], before["client_secret"]);
    assert!(!site.accepts(&before) && site.accepts(&secret_only));

    let both = site.post(&format!("{}/Batch-jobs/reset", collection()), json!({})).ok(200);
    assert_ne!(both["client_id"], secret_only["client_id"]);
    assert!(!site.accepts(&secret_only) && site.accepts(&both));
    assert_eq!(both["created_at"], before["created_at"], "created_at is not the age of the pair then");
}

#[test]
fn a_secret_can_be_verified_without_the_gateway() {
    for (verify_mismatch, status) in [(400, 400), (401, 401)] {
        let mut site = Site::new(Options { verify_mismatch, propagation: days(1), ..small() });
        let created = site.create("new");
        assert!(!site.accepts(&created), "the gateways have not heard of it");
        let target = format!("{}/new/verify-client-secret", collection());
        let pair = json!({ "client_id": created["client_id"], "client_secret": created["client_secret"] });
        assert_eq!(site.post(&target, pair).status, 200);
        let wrong = json!({ "client_id": created["client_id"], "client_secret": "wrong" });
        check_error(&site.post(&target, wrong), status, "The client ID or the client secret does not match.");
    }
}

#[test]
fn an_application_comes_with_one_credential() {
    let mut site = Site::new(small());
    let apps = "/api/consumer-orgs/acme/production/northwind-bank/apps";
    let created = site.post(apps, json!({ "title": "Web Shop" })).ok(201);
    assert_eq!((&created["name"], &created["type"]), (&json!("Web-Shop"), &json!("app")));
    assert!(site.accepts(&created));
    let list = site.get("/api/apps/acme/production/northwind-bank/Web-Shop/credentials?fields=name,title");
    assert_eq!(list.results(), &[json!({ "name": "Credential-for-Web-Shop", "title": "Credential for Web Shop" })]);
    assert_eq!(site.post(apps, json!({ "title": "Web Shop" })).status, 409);
}

#[test]
fn a_redirected_create_makes_nothing() {
    let elsewhere = "https://elsewhere.example.test/api/apps";
    let mut site = Site::new(Options { redirect_creates: Some(elsewhere.to_owned()), ..small() });
    let answered = site.post(&collection(), json!({ "name": "new" }));
    assert_eq!((answered.status, answered.header("location")), (302, Some(elsewhere)));
    assert_eq!(live(&site).len(), 2);
}
