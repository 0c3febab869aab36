use super::*;

const EVENTS: &str = "/analytics/analytics-1/catalogs/acme/production/events";

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[test]
fn the_gateway_names_the_application_and_refuses_as_recorded() {
    let mut site = Site::new(small());
    let pair = site.credential("Batch-jobs");
    let (id, secret) = (pair["client_id"].as_str().unwrap(), pair["client_secret"].as_str().unwrap());
    let answered = site.gateway(id, secret);
    assert_eq!(answered.body["application"], "billing");
    let refusal = json!({
        "httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Invalid client id or secret.",
    });
    for (id, secret) in [(id, "wrong"), ("wrong", secret), ("", ""), (secret, id)] {
        let answered = site.gateway(id, secret);
        assert_eq!((answered.status, &answered.body), (401, &refusal));
    }
}

#[test]
fn one_application_is_known_by_any_of_its_pairs() {
    let mut site = Site::new(small());
    let made = site.create("new");
    for pair in [made, site.credential("Batch-jobs"), site.credential("Credential-for-Billing")] {
        assert!(site.accepts(&pair));
    }
}

#[test]
fn a_disabled_application_is_refused() {
    let mut site = Site::new(small());
    let pair = site.credential("Batch-jobs");
    let tamper = |site: &mut Site, action: &str| {
        let action = json!({ "action": action, "consumer_org": "northwind-bank", "app": "billing" });
        site.world.tamper(start(), &action).unwrap();
    };
    tamper(&mut site, "disable_app");
    assert_eq!(site.get(APPS).ok(200)["state"], "disabled");
    assert!(!site.accepts(&pair));
    assert_eq!(site.credential("Batch-jobs")["accepted"], false);
    tamper(&mut site, "enable_app");
    assert!(site.accepts(&pair));
}

fn counters(site: &mut Site) -> (bool, u64, u64) {
    let target = "/api/catalogs/acme/production/configured-gateway-services\
                  ?fields=add(gateway_processing_status,events)";
    let status = site.get(target).results()[0]["gateway_processing_status"].clone();
    (
        status["service_up_to_date"].as_bool().unwrap(),
        status["number_of_outstanding_sent_events"].as_u64().unwrap(),
        status["number_of_outstanding_queued_events"].as_u64().unwrap(),
    )
}

#[test]
fn changes_reach_the_gateway_late_and_the_counters_fall_meanwhile() {
    let mut site = Site::new(Options { propagation: seconds(10), ..small() });
    let old = site.credential("Batch-jobs");
    assert!(site.accepts(&old), "what was there at the start is known");
    assert_eq!(counters(&mut site), (true, 0, 0));

    let made = site.create("new");
    site.delete("Batch-jobs").ok(200);
    assert_eq!(counters(&mut site), (false, 0, 2));
    assert!(!site.accepts(&made) && site.accepts(&old));
    assert_eq!(site.credential("Batch-jobs")["live"], false);
    assert_eq!(site.credential("Batch-jobs")["accepted"], true);

    site.world.advance(seconds(5));
    assert_eq!(counters(&mut site), (false, 2, 0));
    site.world.advance(seconds(4));
    assert!(!site.accepts(&made) && site.accepts(&old));
    site.world.advance(seconds(1));
    assert_eq!(counters(&mut site), (true, 0, 0));
    assert!(site.accepts(&made) && !site.accepts(&old));

    let plain = site.get("/api/catalogs/acme/production/configured-gateway-services");
    assert!(plain.results()[0].get("gateway_processing_status").is_none(), "only on request");
}

#[test]
fn without_a_delay_a_clock_turned_back_takes_nothing_back() {
    let mut site = Site::new(small());
    let made = site.create("new");
    let old = site.credential("Batch-jobs");
    site.delete("Batch-jobs").ok(200);
    site.world.advance(SignedDuration::from_hours(-2));
    assert!(site.accepts(&made) && !site.accepts(&old));
}

#[test]
fn analytics_tell_the_pairs_of_one_application_apart() {
    let mut site = Site::new(small());
    let (old, new) = (site.credential("Batch-jobs"), site.create("new"));
    let ids = [old["client_id"].as_str().unwrap(), new["client_id"].as_str().unwrap()];
    for _ in 0..3 {
        assert!(site.accepts(&old));
        site.world.advance(seconds(60));
    }
    assert!(site.accepts(&new));
    site.gateway(ids[0], "wrong");

    for root in ["", "/api"] {
        let answer = site.get(&format!("{root}{EVENTS}?client_id={}&limit=1", ids[1])).ok(200);
        assert_eq!((&answer["total"], answer["events"].as_array().unwrap().len()), (&json!(1), 1));
        let event = &answer["events"][0];
        assert_eq!(event["client_id"], ids[1]);
        assert_eq!(event["app_name"], "billing");
        assert_eq!(event["app_id"], site.get(APPS).ok(200)["id"]);
        assert_eq!(event["datetime"], "2026-03-01T02:03:00.000Z");
        assert_eq!(event["status_code"], "200 OK");
    }
    let of_old = site.get(&format!("{EVENTS}?client_id={}", ids[0])).ok(200);
    assert_eq!(of_old["total"], 4);
    assert_eq!(of_old["events"][0]["status_code"], "401 Unauthorized", "newest first");
    assert!(of_old["events"][0].get("app_name").is_none(), "the gateway does not know whose it is");
    let served = site.get(&format!("{EVENTS}?client_id={}&status_code=200&sort=datetime:asc", ids[0])).ok(200);
    assert_eq!(served["total"], 3);
    assert_eq!(served["events"][0]["datetime"], "2026-03-01T02:00:00.000Z");
    assert_eq!(site.get(EVENTS).ok(200)["total"], 5);
    assert_eq!(site.get("/analytics/other/orgs/acme/events?app_name=billing").ok(200)["total"], 4);
}

#[test]
fn analytics_filter_by_time_and_page() {
    let mut site = Site::new(small());
    let pair = site.credential("Batch-jobs");
    for _ in 0..60 {
        assert!(site.accepts(&pair));
        site.world.advance(seconds(60));
    }
    let events = |site: &mut Site, query: &str| {
        let answer = site.get(&format!("{EVENTS}?{query}")).ok(200);
        (answer["total"].as_u64().unwrap(), answer["events"].as_array().unwrap().len())
    };
    assert_eq!(events(&mut site, ""), (60, 50));
    assert_eq!(events(&mut site, "limit=500"), (60, 60));
    assert_eq!(events(&mut site, "limit=20&offset=50"), (60, 10));
    assert_eq!(events(&mut site, "start=2026-03-01T02:30:00Z"), (30, 30));
    assert_eq!(events(&mut site, "start=2026-03-01T02:30:00Z&end=2026-03-01T02:34:00Z"), (5, 5));
    assert_eq!(events(&mut site, "timeframe=last15minutes"), (15, 15));
    assert_eq!(events(&mut site, "client_id=nobody"), (0, 0));
    for bad in ["limit=501", "start=yesterday", "timeframe=lastyear", "offset=-1"] {
        assert_eq!(site.get(&format!("{EVENTS}?{bad}")).status, 400, "{bad}");
    }
}

#[test]
fn analytics_can_lag_and_can_be_forbidden() {
    let mut site = Site::new(Options { analytics_lag: seconds(120), ..small() });
    let pair = site.credential("Batch-jobs");
    assert!(site.accepts(&pair));
    assert_eq!(site.get(EVENTS).ok(200)["total"], 0);
    site.world.advance(seconds(120));
    assert_eq!(site.get(EVENTS).ok(200)["total"], 1);

    let mut site = Site::new(Options { no_analytics: true, ..small() });
    check_error(&site.get(EVENTS), 403, "You are not authorized to view analytics.");
}
