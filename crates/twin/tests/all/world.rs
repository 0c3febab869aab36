use jiff::SignedDuration;
use serde_json::{Value, json};
use twin::{Reply, Side, World};

use crate::shelf::{START, call, json_of, send, start, world};

fn issue(world: &mut World) -> Option<Reply> {
    send(world, Side::Platform, "POST", "/api/pen")
}

fn list(world: &mut World) -> Option<Reply> {
    send(world, Side::Platform, "GET", "/api/")
}

fn names(world: &World) -> Value {
    world.state(start())["names"].clone()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

fn control(world: &mut World, method: &str, path: &str, body: &str) -> (u16, Value) {
    let reply = world.control(start(), &call(method, path, body));
    (reply.status, json_of(&reply))
}

#[test]
fn every_reply_is_dated_by_the_twins_clock() {
    let mut world = world(&[]);
    let reply = list(&mut world).unwrap();
    assert_eq!(header(&reply, "date"), Some("Sun, 01 Mar 2026 02:00:00 GMT"));

    world.advance(SignedDuration::from_hours(6 * 24));
    let reply = send(&mut world, Side::Gateway, "GET", "/anything").unwrap();
    assert_eq!(header(&reply, "date"), Some("Sat, 07 Mar 2026 02:00:00 GMT"));

    world.advance(SignedDuration::from_hours(-7 * 24));
    world.add_fault("error".parse().unwrap());
    let reply = list(&mut world).unwrap();
    assert_eq!(header(&reply, "date"), Some("Sat, 28 Feb 2026 02:00:00 GMT"));
}

#[test]
fn an_error_changes_nothing_and_is_sometimes_html() {
    let mut world = world(&["error"]);
    let replies: Vec<Reply> = (0..64).map(|_| issue(&mut world).unwrap()).collect();
    assert_eq!(names(&world), json!([]));
    assert!(replies.iter().all(|reply| matches!(reply.status, 500 | 503)));
    let html = replies.iter().filter(|reply| header(reply, "content-type") == Some("text/html")).count();
    assert!((1..64).contains(&html), "{html}");
    let envelope = replies.iter().find(|reply| header(reply, "content-type") != Some("text/html")).unwrap();
    assert!(json_of(envelope)["toy_error"].is_string());
}

#[test]
fn a_timeout_before_has_no_effect_and_a_timeout_after_has_it() {
    let mut before = world(&["timeout_before"]);
    assert!(issue(&mut before).is_none());
    assert_eq!(names(&before), json!([]));

    let mut after = world(&["timeout_after@issue"]);
    assert!(issue(&mut after).is_none());
    assert_eq!(names(&after), json!(["pen"]));
    assert!(list(&mut after).is_some(), "bound to another route");
    assert_eq!(after.calls().map(|call| call.status).collect::<Vec<_>>(), [None, Some(200)]);
}

#[test]
fn throttling_says_when_to_come_back() {
    let mut world = world(&["throttle"]);
    let reply = issue(&mut world).unwrap();
    assert_eq!((reply.status, header(&reply, "retry-after")), (429, Some("1")));
    assert_eq!(names(&world), json!([]));
}

#[test]
fn a_conflict_strikes_only_where_something_is_made() {
    let mut world = world(&["conflict"]);
    assert_eq!(issue(&mut world).unwrap().status, 409);
    assert_eq!(list(&mut world).unwrap().status, 200);
    assert_eq!(send(&mut world, Side::Platform, "PATCH", "/api/pen").unwrap().status, 200);
    world.add_fault("conflict@rename".parse().unwrap());
    assert_eq!(send(&mut world, Side::Platform, "PATCH", "/api/pen").unwrap().status, 409);
    assert_eq!(names(&world), json!([]));
}

#[test]
fn faults_of_the_platforms_own_kind_reach_the_twin_on_their_routes() {
    for (fault, method) in [("stale_list", "GET"), ("lag", "POST"), ("lag", "DELETE"), ("lies", "DELETE")] {
        let mut world = world(&[fault]);
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            assert_eq!(send(&mut world, Side::Platform, method, "/api/pen").unwrap().status, 200);
        }
        let seen = world.state(start())["faults_seen"].clone();
        let times = if fault == "lag" { 2 } else { 1 };
        assert_eq!(seen, json!(vec![fault; times]), "{fault} {method}");
    }
}

#[test]
fn the_gateway_is_struck_only_on_request() {
    let mut quiet = world(&["error", "timeout_before", "throttle"]);
    assert_eq!(send(&mut quiet, Side::Gateway, "GET", "/").unwrap().status, 200);

    let mut struck = world(&["throttle@gateway"]);
    let reply = send(&mut struck, Side::Gateway, "GET", "/").unwrap();
    assert_eq!((reply.status, json_of(&reply)), (429, json!({ "gate_error": "Too Many Requests" })));
    assert_eq!(list(&mut struck).unwrap().status, 200);
}

#[test]
fn rates_hold_and_the_seed_repeats_them() {
    let course = |rate: &str| -> Vec<bool> {
        let mut world = world(&[&format!("timeout_before:{rate}")]);
        (0..2000).map(|_| list(&mut world).is_none()).collect()
    };
    let struck = course("0.1");
    assert_eq!(struck, course("0.1"));
    let count = struck.iter().filter(|cut| **cut).count();
    assert!((140..260).contains(&count), "{count}");
    assert!(!course("0").contains(&true));
}

#[test]
fn the_call_log_tells_who_called_what() {
    let mut world = world(&[]);
    issue(&mut world);
    send(&mut world, Side::Gateway, "GET", "/ping");
    let (status, calls) = control(&mut world, "GET", "/calls", "");
    assert_eq!(status, 200);
    assert_eq!(
        calls,
        json!([
            { "at": START, "side": "platform", "method": "POST", "path": "/api/pen", "query": "", "status": 200,
              "user_agent": "tests/1", "route": "issue" },
            { "at": START, "side": "gateway", "method": "GET", "path": "/ping", "query": "", "status": 200,
              "user_agent": "tests/1", "route": "gateway" },
        ])
    );
}

#[test]
fn control_moves_the_clock_both_ways() {
    let mut world = world(&[]);
    let (status, answer) = control(&mut world, "POST", "/clock", r#"{"advance": "6d"}"#);
    assert_eq!((status, answer), (200, json!({ "now": "2026-03-07T02:00:00Z" })));
    let (_, answer) = control(&mut world, "POST", "/clock", r#"{"advance": "-1h"}"#);
    assert_eq!(answer, json!({ "now": "2026-03-07T01:00:00Z" }));
    assert_eq!(control(&mut world, "GET", "/state", "").1["now"], "2026-03-07T01:00:00Z");
}

#[test]
fn control_adds_and_clears_faults() {
    let mut world = world(&[]);
    let (_, answer) = control(&mut world, "POST", "/fault", r#"{"fault": "timeout_before:1@issue"}"#);
    assert_eq!(answer, json!({ "faults": ["timeout_before:1@issue"] }));
    assert!(issue(&mut world).is_none());
    assert_eq!(control(&mut world, "POST", "/fault", r#"{"clear": true}"#), (200, json!({ "faults": [] })));
    assert!(issue(&mut world).is_some());
}

#[test]
fn control_hands_tampering_to_the_twin() {
    let mut world = world(&[]);
    assert_eq!(control(&mut world, "POST", "/tamper", r#"{"put": "cup"}"#), (200, json!({ "put": "cup" })));
    assert_eq!(names(&world), json!(["cup"]));
    let (status, answer) = control(&mut world, "POST", "/tamper", "{}");
    assert_eq!((status, answer), (400, json!({ "error": "the shelf only knows `put`" })));
}

#[test]
fn control_answers_bad_input_with_a_sentence() {
    let mut world = world(&[]);
    for (path, body, expected) in [
        ("/clock", "{}", r#"the clock wants {"advance": "6d"}"#),
        (
            "/clock",
            r#"{"advance": "soon"}"#,
            "`soon` is not a duration; write for example 90d, 12h, 30m, 30s, 500ms, 1d12h or -1h",
        ),
        (
            "/fault",
            r#"{"fault": "eror"}"#,
            "unknown fault `eror`; known: error, timeout_before, timeout_after, throttle, stale_list, lag, conflict, lies",
        ),
        ("/fault", r#"{"fault": 5}"#, "`fault` is not a text"),
        ("/fault", "{}", r#"a fault is {"fault": "KIND[:RATE][@ROUTE]"} or {"clear": true}"#),
        ("/fault", "nonsense", "the body is not JSON: expected ident at line 1 column 2"),
    ] {
        assert_eq!(control(&mut world, "POST", path, body), (400, json!({ "error": expected })), "{path} {body}");
    }
    assert_eq!(control(&mut world, "GET", "/nowhere", "").0, 404);
    assert!(world.faults().is_empty());
}

#[test]
fn the_announcement_holds_the_addresses_and_the_login() {
    assert_eq!(
        world(&[]).announcement("http://control.test"),
        json!({
            "driver": "shelf", "base_url": "http://shelf.test/api", "gateway_url": "http://gate.test",
            "login": { "user": "toy" }, "control_url": "http://control.test",
        })
    );
}

#[test]
fn debug_of_a_call_and_a_reply_shows_no_secret() {
    let mut sent = call("POST", "/api/token", "canary-body");
    sent.headers.push(("authorization".to_owned(), "canary-header".to_owned()));
    let reply = Reply::json(200, &json!("canary-reply"));
    assert_eq!(format!("{sent:?} {reply:?}"), "POST /api/token (11 bytes) 200 (14 bytes)");
}
