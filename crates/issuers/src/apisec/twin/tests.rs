//! The twin against what the vendor's scripts read.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Answer, Call, Side, World};

use super::{ApiSec, Denial, Options};

fn start() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

struct Site {
    world: World,
    token: String,
}

impl Site {
    fn new(options: Options) -> Self {
        let mut site = Self { world: World::new(Box::new(ApiSec::new(options, start())), 1), token: String::new() };
        let login = site.world.login();
        let body = json!({ "username": login["username"], "password": login["password"] });
        site.token = site.call("POST", "/auth/login", &body.to_string()).1["token"].as_str().unwrap().to_owned();
        site
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: vec![("authorization".to_owned(), format!("Bearer {}", self.token))],
            body: body.to_owned().into(),
        };
        match self.world.handle(start(), Side::Platform, &call) {
            Answer::Cut => panic!("an answer"),
            Answer::Reply(reply) => (reply.status, serde_json::from_slice(&reply.body).unwrap()),
        }
    }
}

#[test]
fn every_answer_has_the_whole_envelope_with_a_time_that_is_not_rfc_3339() {
    let mut site = Site::new(Options::default());
    let (status, projects) = site.call("GET", "/api/v1/projects", "");
    assert_eq!((status, &projects["requestTime"]), (200, &json!("2026-11-22T09:00:00.000+0000")));
    assert_eq!((&projects["totalPages"], &projects["totalElements"]), (&json!(1), &json!(1)));
    site.world.advance(SignedDuration::from_secs(61));
    let (status, none) = site.call("GET", "/api/v1/projects/find-by-name/none", "");
    assert_eq!((status, &none["errors"], &none["data"]), (200, &json!(true), &Value::Null));
    assert_eq!((&none["requestTime"], &none["totalElements"]), (&json!("2026-11-22T09:01:01.000+0000"), &json!(0)));
    assert_eq!(site.call("GET", "/api/v1/projects/find-by-name/Payments", "").1["data"]["name"], "Payments");
}

#[test]
fn a_denial_is_dated_as_the_servers_framework_dates_it() {
    for (denial, status) in [(Denial::A, 401), (Denial::B, 403)] {
        let mut site = Site::new(Options { denial, ..Options::default() });
        site.token = "wrong".to_owned();
        let (answered, body) = site.call("GET", "/api/v1/projects", "");
        assert_eq!((answered, &body["timestamp"]), (status, &json!("2026-11-22T09:00:00.000+0000")));
        assert_eq!(body["path"], "/api/v1/projects");
    }
}

#[test]
fn a_scan_walks_to_its_end() {
    let mut site = Site::new(Options::default());
    assert_eq!(site.call("POST", "/api/v1/runs/project/none", "").1["data"], Value::Null);
    let (_, started) = site.call("POST", "/api/v1/runs/project/Payments", "");
    let run = format!("/api/v1/runs/{}", started["data"]["id"].as_str().unwrap());
    assert_eq!(started["data"]["job"]["project"]["id"], "8a80000000000000000000000000ef01");
    for (after, state, success) in [(0, "WAITING", "0"), (5, "PROCESSING", "50"), (15, "COMPLETED", "100")] {
        site.world.advance(SignedDuration::from_secs(after));
        let answer = site.call("GET", &run, "").1;
        let parts: Vec<&str> = answer["data"]["ciCdStatus"].as_str().unwrap().split(':').collect();
        assert_eq!((parts.len(), parts[0], parts[1], parts[6]), (8, state, success, "1"));
    }
    assert_eq!(site.call("GET", "/api/v1/runs/none", "").1["errors"], true);
    site.token.push('x');
    assert_eq!(site.call("GET", &run, "").0, 401);
}
