use super::*;

fn struck(fault: &str) -> Site {
    let mut site = Site::new(small());
    site.world.add_fault(fault.parse().unwrap());
    site
}

#[test]
fn calls_take_their_routes() {
    let mut site = Site::new(small());
    let collection = format!("{APPS}/credentials");
    site.create("new");
    let one = format!("{collection}/new");
    site.get(&collection);
    site.get("/api/catalogs/acme/production/apps?limit=10");
    site.get("/api/catalogs/acme/production/consumer-orgs");
    site.get("/api/consumer-orgs/acme/production/northwind-bank/apps");
    site.get(&one);
    site.get(APPS);
    site.post(&format!("{one}/verify-client-secret"), json!({}));
    site.call("PATCH", &one, Some(&json!({ "title": "x" })));
    site.call("POST", &format!("{one}/reset"), None);
    site.call("DELETE", &one, None);
    site.call("DELETE", &format!("{collection}/"), None);
    site.get("/analytics/a/catalogs/acme/production/events");
    site.get("/api/cloud/provider/identity-providers");
    let routes: Vec<&str> = site.world.calls().map(|call| call.route).collect();
    assert_eq!(
        routes,
        [
            "login", "issue", "list", "list", "list", "list", "read", "read", "verify", "rename", "other", "revoke",
            "revoke", "usage", "other"
        ]
    );
}

#[test]
fn a_lost_create_leaves_a_credential_whose_secret_nobody_has_seen() {
    let mut site = struck("timeout_after@issue");
    let answer = site.try_call("POST", &format!("{APPS}/credentials"), Some(&json!({ "name": "new" })));
    assert!(answer.is_none());
    let read = site.get(&format!("{APPS}/credentials/new")).ok(200);
    assert!(read.get("client_secret").is_none());
    assert_eq!(site.credential("new")["live"], true);
}

#[test]
fn errors_wear_the_envelope() {
    let mut site = struck("throttle");
    let answered = site.get(APPS);
    check_error(&answered, 429, "Too Many Requests");
    assert_eq!(answered.header("retry-after"), Some("1"));

    let mut site = struck("conflict");
    let answered = site.post(&format!("{APPS}/credentials"), json!({ "name": "free" }));
    check_error(&answered, 409, "An object with the same name already exists.");
    assert!(site.credentials().iter().all(|c| c["name"] != "free"));

    let mut site = struck("error@gateway");
    let answers: Vec<Answered> = (0..20).map(|_| site.gateway("a", "b")).collect();
    assert!(answers.iter().any(|answer| answer.body["httpCode"] == "500"));
}

#[test]
fn a_lie_says_deleted_and_the_gateway_goes_on() {
    let mut site = struck("lies");
    let pair = site.credential("Batch-jobs");
    assert_eq!(site.delete("Batch-jobs").status, 200);
    assert_eq!(site.get(&format!("{APPS}/credentials/Batch-jobs")).status, 404);
    assert_eq!(site.get(&format!("{APPS}/credentials")).results().len(), 1);
    site.world.advance(days(30));
    assert!(site.accepts(&pair));
    let state = site.credential("Batch-jobs");
    assert_eq!((&state["live"], &state["accepted"]), (&json!(false), &json!(true)));
}

#[test]
fn a_lag_delays_one_change() {
    let mut site = struck("lag");
    let made = site.create("new");
    let old = site.credential("Batch-jobs");
    site.delete("Batch-jobs").ok(200);
    assert!(!site.accepts(&made) && site.accepts(&old));
    site.world.clear_faults();
    let prompt = site.create("prompt");
    assert!(site.accepts(&prompt));
    site.world.advance(SignedDuration::from_secs(30));
    assert!(site.accepts(&made) && !site.accepts(&old));
}
