//! The twin against the expectations recorded from the vendor's documents and from clients of the real platform.

mod console;
mod faults;
mod gateway;
mod reads;
mod tokens;
mod writes;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Answer, Call, Side, World};

use super::{ApiConnect, Options};

const APPS: &str = "/api/apps/acme/production/northwind-bank/billing";

fn start() -> Timestamp {
    "2026-03-01T02:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Two organisations of two applications with two credentials each, 95 days old.
fn small() -> Options {
    Options { consumer_orgs: 2, apps: 2, credentials: 2, age: days(95), ..Options::default() }
}

/// A client in front of a twin, with a token of its own.
struct Site {
    world: World,
    token: String,
}

struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
    body: Value,
}

impl Answered {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    fn results(&self) -> &Vec<Value> {
        self.body["results"].as_array().unwrap()
    }

    #[track_caller]
    fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl Site {
    fn new(options: Options) -> Self {
        Self::with(ApiConnect::new(options, start()))
    }

    fn with(twin: ApiConnect) -> Self {
        let mut site = Self::logged_out(twin);
        site.log_in();
        site
    }

    fn logged_out(twin: ApiConnect) -> Self {
        let mut world = World::new(Box::new(twin), 5);
        world.serve_at("https://apim.example.test", "https://gateway.example.test");
        Self { world, token: String::new() }
    }

    fn log_in(&mut self) {
        let login = self.password_login();
        let answer = self.call("POST", "/api/token", Some(&login)).ok(200);
        self.token = answer["access_token"].as_str().unwrap().to_owned();
    }

    fn password_login(&self) -> Value {
        let mut login = self.world.login();
        login["grant_type"] = json!("password");
        login
    }

    /// `None`: the connection was cut.
    fn try_send(&mut self, side: Side, call: &Call) -> Option<Answered> {
        match self.world.handle(start(), side, call) {
            Answer::Cut => None,
            Answer::Reply(reply) => {
                let text = String::from_utf8(reply.body.to_vec()).unwrap();
                let body = serde_json::from_str(&text).unwrap_or(Value::Null);
                Some(Answered { status: reply.status, headers: reply.headers, text, body })
            }
        }
    }

    fn try_call(&mut self, method: &str, target: &str, body: Option<&Value>) -> Option<Answered> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {}", self.token)),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: body.map(Value::to_string).unwrap_or_default().into(),
        };
        self.try_send(Side::Platform, &call)
    }

    #[track_caller]
    fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> Answered {
        self.try_call(method, target, body).expect("an answer")
    }

    #[track_caller]
    fn get(&mut self, target: &str) -> Answered {
        self.call("GET", target, None)
    }

    #[track_caller]
    fn post(&mut self, target: &str, body: Value) -> Answered {
        self.call("POST", target, Some(&body))
    }

    fn gateway(&mut self, client_id: &str, client_secret: &str) -> Answered {
        let call = Call {
            method: "GET".to_owned(),
            path: "/v1/accounts".to_owned(),
            query: String::new(),
            headers: vec![
                ("X-IBM-Client-Id".to_owned(), client_id.to_owned()),
                ("X-IBM-Client-Secret".to_owned(), client_secret.to_owned()),
            ],
            body: Default::default(),
        };
        self.try_send(Side::Gateway, &call).expect("an answer")
    }

    /// Whether the gateway accepts the pair that this object shows.
    fn accepts(&mut self, pair: &Value) -> bool {
        let id = pair["client_id"].as_str().unwrap();
        let secret = pair["client_secret"].as_str().unwrap();
        self.gateway(id, secret).status == 200
    }

    fn credentials(&self) -> Vec<Value> {
        self.world.state(start())["credentials"].as_array().unwrap().clone()
    }

    /// What the state tells of one of `billing` at `northwind-bank`.
    fn credential(&self, name: &str) -> Value {
        let of_billing =
            |c: &Value| c["consumer_org"] == "northwind-bank" && c["app"] == "billing" && c["name"] == name;
        self.credentials().into_iter().rfind(of_billing).unwrap()
    }

    #[track_caller]
    fn create(&mut self, name: &str) -> Value {
        self.post(&format!("{APPS}/credentials"), json!({ "name": name, "title": name })).ok(201)
    }

    fn delete(&mut self, name: &str) -> Answered {
        self.call("DELETE", &format!("{APPS}/credentials/{name}"), None)
    }
}

#[track_caller]
fn check_error(answered: &Answered, status: u16, message: &str) {
    assert_eq!(answered.status, status, "{}", answered.text);
    assert_eq!(answered.body, json!({ "status": status, "message": [message] }));
    assert!(answered.header("x-request-id").is_some());
}

fn is_hex(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == 32 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)))
}
