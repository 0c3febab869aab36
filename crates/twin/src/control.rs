//! The control address of a served twin: state, calls, clock, faults, tampering. For tests, never part of a platform.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Call, Fault, LoggedCall, Reply, World, parse_duration};

impl World {
    /// `GET /state`, `GET /calls`, `POST /clock`, `POST /fault`, `POST /tamper`. What it cannot use is answered with
    /// 400 and `{"error": "<a sentence>"}`.
    pub fn control(&mut self, real_now: Timestamp, call: &Call) -> Reply {
        let outcome = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/state") => Ok(self.state(real_now)),
            ("GET", "/calls") => Ok(self.calls().map(logged).collect()),
            ("POST", "/clock") => body(call).and_then(|body| self.control_clock(real_now, &body)),
            ("POST", "/fault") => body(call).and_then(|body| self.control_fault(&body)),
            ("POST", "/tamper") => body(call).and_then(|body| self.tamper(real_now, &body)),
            (method, path) => {
                let known = "GET /state, GET /calls, POST /clock, POST /fault, POST /tamper";
                return Reply::json(404, &json!({ "error": format!("no {method} {path} here; known: {known}") }));
            }
        };
        match outcome {
            Ok(answer) => Reply::json(200, &answer),
            Err(sentence) => Reply::json(400, &json!({ "error": sentence })),
        }
    }

    fn control_clock(&mut self, real_now: Timestamp, body: &Value) -> Result<Value, String> {
        let text = body.get("advance").and_then(Value::as_str).ok_or(r#"the clock wants {"advance": "6d"}"#)?;
        self.advance(parse_duration(text).map_err(|error| error.to_string())?);
        Ok(json!({ "now": self.now(real_now).to_string() }))
    }

    fn control_fault(&mut self, body: &Value) -> Result<Value, String> {
        let clear = body.get("clear").and_then(Value::as_bool).unwrap_or(false);
        let fault = match body.get("fault") {
            Some(spec) => {
                let spec = spec.as_str().ok_or("`fault` is not a text")?;
                Some(spec.parse::<Fault>().map_err(|error| error.to_string())?)
            }
            None if clear => None,
            None => return Err(r#"a fault is {"fault": "KIND[:RATE][@ROUTE]"} or {"clear": true}"#.to_owned()),
        };
        if clear {
            self.clear_faults();
        }
        if let Some(fault) = fault {
            self.add_fault(fault);
        }
        Ok(json!({ "faults": self.faults().iter().map(Fault::to_string).collect::<Vec<_>>() }))
    }
}

fn body(call: &Call) -> Result<Value, String> {
    serde_json::from_slice(&call.body).map_err(|error| format!("the body is not JSON: {error}"))
}

fn logged(call: &LoggedCall) -> Value {
    json!({
        "at": call.at.to_string(),
        "side": call.side.word(),
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "status": call.status,
        "user_agent": call.user_agent,
        "route": call.route,
    })
}
