//! A platform of one list: POST puts a name on it, DELETE takes it off, GET tells all.

use jiff::Timestamp;
use serde_json::{Value, json};
use twin::{Answer, Call, FaultKind, Reply, Side, Twin, World};

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    names: Vec<String>,
    base_url: String,
    /// What the world handed over, in order.
    faults_seen: Vec<&'static str>,
}

impl Twin for Shelf {
    fn driver(&self) -> &'static str {
        "shelf"
    }

    fn base_path(&self) -> &'static str {
        "/api"
    }

    fn serve_at(&mut self, base_url: &str, _gateway_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    fn login(&self) -> Value {
        json!({ "user": "toy" })
    }

    fn route(&self, call: &Call) -> &'static str {
        match call.method.as_str() {
            "POST" => "issue",
            "DELETE" => "revoke",
            "PATCH" => "rename",
            _ => "list",
        }
    }

    fn platform(&mut self, _now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply {
        self.faults_seen.extend(fault.map(FaultKind::word));
        let name = call.path.trim_start_matches("/api/").to_owned();
        match call.method.as_str() {
            "POST" => self.names.push(name),
            "DELETE" => self.names.retain(|have| *have != name),
            _ => {}
        }
        Reply::json(200, &json!({ "names": self.names, "base_url": self.base_url }))
    }

    fn gateway(&mut self, _now: Timestamp, _call: &Call) -> Reply {
        Reply::json(200, &json!({ "application": "toy" }))
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        Reply::json(status, &json!({ "toy_error": message }))
    }

    fn gateway_error(&self, status: u16, message: &str) -> Reply {
        Reply::json(status, &json!({ "gate_error": message }))
    }

    fn state(&self, now: Timestamp) -> Value {
        json!({ "now": now.to_string(), "names": self.names, "faults_seen": self.faults_seen })
    }

    fn tamper(&mut self, _now: Timestamp, action: &Value) -> Result<Value, String> {
        let name = action["put"].as_str().ok_or("the shelf only knows `put`")?;
        self.names.push(name.to_owned());
        Ok(json!({ "put": name }))
    }
}

pub(crate) const START: &str = "2026-03-01T02:00:00Z";

pub(crate) fn start() -> Timestamp {
    START.parse().unwrap()
}

pub(crate) fn world(faults: &[&str]) -> World {
    let mut world = World::new(Box::new(Shelf::default()), 11);
    world.serve_at("http://shelf.test", "http://gate.test");
    for fault in faults {
        world.add_fault(fault.parse().unwrap());
    }
    world
}

pub(crate) fn call(method: &str, path: &str, body: &str) -> Call {
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: vec![("User-Agent".to_owned(), "tests/1".to_owned())],
        body: body.to_owned().into(),
    }
}

pub(crate) fn send(world: &mut World, side: Side, method: &str, path: &str) -> Option<Reply> {
    match world.handle(start(), side, &call(method, path, "")) {
        Answer::Reply(reply) => Some(reply),
        Answer::Cut => None,
    }
}

pub(crate) fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}
