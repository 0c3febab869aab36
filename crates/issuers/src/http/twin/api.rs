//! The portal's API, as its handbook has it.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `POST /login` | `name`, `password` | `session`, `expires_in` in seconds |
//! | `GET /apps?page=N` | | `apps` with their `keys`; an empty page after the last |
//! | `POST /apps/{app}/keys` | `label` | the key with `client_secret`, this once |
//! | `PUT /apps/{app}/keys/{client_id}` | `client_secret` | the key; the same again is no error |
//! | `GET /apps/{app}/keys/{client_id}` | | the key without its secret |
//! | `GET /apps/{app}/keys/{client_id}/usage` | | `last_used_at` |
//! | `PUT /apps/{app}/keys/{client_id}/state` | `state`: `on` or `off` | nothing |
//! | `DELETE /apps/{app}/keys/{client_id}` | | nothing |
//! | `POST /check` | `id`, `secret` | nothing; 403 for a pair that is not accepted; no session |

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Reply};

use super::{Key, LATE, Portal, STALE, USERNAME, later, refusal};

const BASE: &str = "/api/";

fn segments(call: &Call) -> Vec<&str> {
    call.path.strip_prefix(BASE).unwrap_or_default().split('/').collect()
}

pub(super) fn route(call: &Call) -> &'static str {
    match (call.method.as_str(), segments(call).as_slice()) {
        ("POST", ["login"]) => "login",
        ("GET", ["apps"]) => "list",
        ("POST", ["apps", _, "keys"]) | ("PUT", ["apps", _, "keys", _]) => "issue",
        ("GET", ["apps", _, "keys", _]) => "read",
        ("GET", ["apps", _, "keys", _, "usage"]) => "usage",
        ("DELETE", ["apps", _, "keys", _]) => "revoke",
        ("POST", ["check"]) => "verify",
        _ => "other",
    }
}

impl Portal {
    /// The error is an answer, too.
    pub(super) fn answer(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Result<Reply, Reply> {
        match (call.method.as_str(), segments(call).as_slice()) {
            ("POST", ["login"]) => self.log_in(now, &body(call)?),
            ("POST", ["check"]) if self.options.checks => self.check(now, &body(call)?),
            (method, path) => {
                self.authorize(now, call)?;
                match (method, path) {
                    ("GET", ["apps"]) => Ok(self.list(now, call, fault)),
                    (method, ["apps", app, "keys", rest @ ..]) => {
                        let app = self.app(app).ok_or_else(|| refusal(404, "There is no such application."))?;
                        match (method, rest) {
                            ("POST", []) if self.options.create && !self.options.chosen => {
                                self.create(now, app, call, fault)
                            }
                            ("PUT", [client_id]) if self.options.chosen => self.put(now, (app, client_id), call, fault),
                            (method, [client_id, rest @ ..]) => {
                                self.of_key(now, method, (app, client_id), rest, (call, fault))
                            }
                            _ => Err(refusal(405, "This is done on the page.")),
                        }
                    }
                    _ => Err(refusal(404, "There is nothing here.")),
                }
            }
        }
    }

    fn of_key(
        &mut self,
        now: Timestamp,
        method: &str,
        (app, client_id): (usize, &str),
        rest: &[&str],
        (call, fault): (&Call, Option<FaultKind>),
    ) -> Result<Reply, Reply> {
        let at = self.key(app, client_id, now).ok_or_else(|| refusal(404, "There is no such key."))?;
        let only = self.live_keys(app, now).count() < 2;
        let (delay, last_key_goes) = (self.delay(fault), self.options.last_key_goes);
        let Some(key) = self.keys.get_mut(at) else { return Err(refusal(404, "There is no such key.")) };
        match (method, rest) {
            ("GET", []) => Ok(Reply::json(200, &shown(key, self.options.labels))),
            ("GET", ["usage"]) if self.options.usage => {
                Ok(Reply::json(200, &json!({ "last_used_at": key.last_used_at.map(|at| at.to_string()) })))
            }
            ("GET", ["usage"]) => Err(refusal(403, "You may not see usage.")),
            ("PUT", ["state"]) if self.options.switch => {
                key.off = match word(&body(call)?, "state") {
                    "off" => true,
                    "on" => false,
                    _ => return Err(refusal(400, "A state is on or off.")),
                };
                Ok(Reply::empty(204))
            }
            ("DELETE", []) if self.options.delete => {
                if only && !last_key_goes {
                    return Err(refusal(422, "The only key of an application cannot be deleted."));
                }
                key.removed_at = Some(now);
                if fault != Some(FaultKind::Lies) {
                    key.accepted_until = Some(later(now, delay));
                }
                Ok(Reply::empty(204))
            }
            _ => Err(refusal(405, "This is done on the page.")),
        }
    }

    fn log_in(&mut self, now: Timestamp, body: &Value) -> Result<Reply, Reply> {
        if word(body, "name") != USERNAME || word(body, "password") != self.password {
            return Err(refusal(401, "Name or password is wrong."));
        }
        let session = self.random.hex();
        self.sessions.insert(session.clone(), later(now, self.options.session));
        Ok(Reply::json(200, &json!({ "session": session, "expires_in": self.options.session.as_secs() })))
    }

    fn authorize(&self, now: Timestamp, call: &Call) -> Result<(), Reply> {
        let session = call.header("authorization").and_then(|value| value.strip_prefix("Session "));
        let ends = session.and_then(|session| self.sessions.get(session));
        if ends.is_some_and(|ends| now < *ends) { Ok(()) } else { Err(refusal(401, "Your session has ended.")) }
    }

    fn check(&self, now: Timestamp, body: &Value) -> Result<Reply, Reply> {
        let is = |key: &&Key| word(body, "id") == key.client_id && word(body, "secret") == key.client_secret;
        match self.keys.iter().find(is).filter(|key| key.is_accepted(now)) {
            Some(_) => Ok(Reply::empty(204)),
            None => Err(refusal(403, "This pair is not accepted.")),
        }
    }

    fn list(&self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply {
        let page =
            call.query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse::<usize>().ok()).unwrap_or(1);
        let stale = fault == Some(FaultKind::StaleList);
        let at = if stale { now.saturating_sub(STALE).unwrap_or(now) } else { now };
        let first = page.saturating_sub(1).saturating_mul(self.options.page_size);
        let apps = self.apps.iter().enumerate().skip(first).take(self.options.page_size).map(|(index, app)| {
            let keys: Vec<Value> = self.live_keys(index, at).map(|key| shown(key, self.options.labels)).collect();
            let name = app.owner.split('@').next().unwrap_or_default();
            json!({ "name": app.name, "owner": { "name": name, "email": app.owner }, "keys": keys })
        });
        Reply::json(200, &json!({ "apps": apps.collect::<Vec<_>>() }))
    }

    fn create(&mut self, now: Timestamp, app: usize, call: &Call, fault: Option<FaultKind>) -> Result<Reply, Reply> {
        let body = body(call)?;
        let token = call.header("idempotency-key").filter(|_| self.options.repeats).map(str::to_owned);
        let repeated = token.as_ref().and_then(|token| self.made.get(token)).and_then(|at| self.keys.get(*at));
        if let Some(key) = repeated {
            return Ok(Reply::json(201, &shown_once(key, self.options.labels)));
        }
        self.has_room(app, now)?;
        let label = if self.options.labels { word(&body, "label") } else { "" };
        let at = self.add(app, label.to_owned(), now, self.delay(fault));
        self.made.extend(token.map(|token| (token, at)));
        let key = self.keys.get(at).ok_or_else(|| refusal(500, "It was not kept."))?;
        Ok(Reply::json(201, &shown_once(key, self.options.labels)))
    }

    fn put(
        &mut self,
        now: Timestamp,
        (app, client_id): (usize, &str),
        call: &Call,
        fault: Option<FaultKind>,
    ) -> Result<Reply, Reply> {
        let body = body(call)?;
        let secret = Some(word(&body, "client_secret")).filter(|secret| secret.len() >= 24);
        let secret = secret.ok_or_else(|| refusal(400, "A secret has 24 characters or more."))?;
        let there = self.keys.iter().find(|key| key.client_id == client_id);
        if let Some(key) = there {
            let same = key.client_secret == secret && key.app == app && key.is_there(now);
            let taken = refusal(409, "This id is taken.");
            return if same { Ok(Reply::json(200, &shown(key, self.options.labels))) } else { Err(taken) };
        }
        self.has_room(app, now)?;
        let pair = (client_id.to_owned(), secret.to_owned());
        let at = self.add_pair(app, String::new(), now, self.delay(fault), pair);
        let key = self.keys.get(at).ok_or_else(|| refusal(500, "It was not kept."))?;
        Ok(Reply::json(201, &shown(key, self.options.labels)))
    }

    fn has_room(&self, app: usize, now: Timestamp) -> Result<(), Reply> {
        let most = self.options.keys_max;
        if self.live_keys(app, now).count() < most {
            return Ok(());
        }
        Err(refusal(422, &format!("An application has {most} keys at most.")))
    }

    pub(super) fn delay(&self, fault: Option<FaultKind>) -> SignedDuration {
        if fault == Some(FaultKind::Lag) { LATE.max(self.options.propagation) } else { self.options.propagation }
    }
}

fn shown(key: &Key, labels: bool) -> Value {
    let label = labels.then_some(&key.label);
    let mut shown = json!({ "client_id": key.client_id, "created_at": key.created_at.to_string(), "label": label });
    if let Some(fields) = shown.as_object_mut() {
        if !labels {
            fields.remove("label");
        }
        fields.extend(key.expires_at.map(|at| ("expires_at".to_owned(), at.to_string().into())));
    }
    shown
}

fn shown_once(key: &Key, labels: bool) -> Value {
    let mut shown = shown(key, labels);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("client_secret".to_owned(), key.client_secret.as_str().into());
    }
    shown
}

/// A text of the body; what is not there is empty.
fn word<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An empty body is an empty object.
fn body(call: &Call) -> Result<Value, Reply> {
    if call.body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&call.body).map_err(|_| refusal(400, "The body is not JSON."))
}
