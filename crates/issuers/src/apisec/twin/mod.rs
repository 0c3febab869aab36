//! APIsec, simulated: sign-on, password change, a protected API, and the console of one tenant.
//!
//! Written from the vendor's documents and from what clients of the real API show; it shares no type with the driver
//! beside it. Where sources are silent, one of [`Options`] decides, so that a client can be tried against each reading.

#![allow(clippy::indexing_slicing, reason = "users are never removed, and every index comes from their own list")]

mod options;
mod runs;
mod tamper;
#[cfg(test)]
mod tests;
mod users;

pub use options::{Denial, Options, Refusal};

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

use users::{Token, User};

const TENANT: &str = "Acme";
const ACCOUNTS: [&str; 4] = ["svc-ci", "svc-nightly", "svc-release", "svc-audit"];
const PERSON: &str = "maria.lind";
const PASSWORD_PATH: &str = "/api/v1/users/password";
/// Personal access tokens live as long as their owner asks; this twin's owners ask for a quarter.
const PERSONAL_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The simulated platform.
pub struct ApiSec {
    options: Options,
    users: Vec<User>,
    tokens: Vec<Token>,
    random: Random,
    /// Every call is answered so while the platform is being worked on.
    maintenance: Option<Reply>,
    /// Scans that were started: when, and for whom.
    runs: Vec<runs::Run>,
    /// The time by the twin's clock of what is being answered; every answer shows it.
    now: Timestamp,
}

impl fmt::Debug for ApiSec {
    /// Counts, no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (users, tokens) = (self.users.len(), self.tokens.len());
        f.debug_struct("ApiSec").field("users", &users).field("tokens", &tokens).finish_non_exhaustive()
    }
}

impl ApiSec {
    /// A tenant as it stands at `start`, by the twin's clock.
    pub fn new(options: Options, start: Timestamp) -> Self {
        let mut random = Random::new(options.seed);
        let since = start.saturating_sub(options.age).unwrap_or(Timestamp::MIN);
        let services = (0..options.accounts as usize).map(|number| (service_name(number), true));
        let mut users = Vec::new();
        for (name, service) in services.chain([(PERSON.to_owned(), false)]) {
            let mut user = User::new(TENANT, &name, service);
            user.set_password(&format!("Start-{}", random.hex()), since);
            users.push(user);
        }
        let mut twin =
            Self { options, users, tokens: Vec::new(), random, maintenance: None, runs: Vec::new(), now: start };
        if twin.options.next_generation {
            for at in 0..twin.options.accounts as usize {
                twin.hand_out_personal(since, at);
            }
        }
        twin
    }

    fn answer(&mut self, now: Timestamp, call: &Call) -> Reply {
        let path = call.path.as_str();
        match (call.method.as_str(), path) {
            ("POST", "/login") if !self.options.next_generation => self.sign_on(now, call),
            ("POST", "/auth/login") if !self.options.next_generation && !self.options.scripts_path => {
                self.sign_on(now, call)
            }
            ("PUT", PASSWORD_PATH) if !self.options.next_generation => self.change_password(now, call),
            (method, _) if path.starts_with("/api/v1/") && !self.options.next_generation => {
                match self.bearer(now, call) {
                    Some(_) => self.project_call(now, method, path),
                    None => self.denial(path),
                }
            }
            ("GET", "/v1/applications") if self.options.next_generation => match self.bearer(now, call) {
                Some(_) => Reply::json(200, &json!({ "applications": [], "nextToken": null })),
                None => Reply::json(401, &json!({ "message": "Unauthorized" })),
            },
            _ => self.spring(404, "Not Found", path),
        }
    }

    fn sign_on(&mut self, now: Timestamp, call: &Call) -> Reply {
        let body = body_of(call);
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(at) = self.users.iter().position(|user| user.username == field("username")) else {
            return self.refuse("Invalid Username or Password", &call.path);
        };
        let user = &self.users[at];
        if !user.has_password(field("password")) {
            return self.refuse("Invalid Username or Password", &call.path);
        }
        if let Some(barrier) = user.barrier(self.options.basic_login) {
            return self.refuse(barrier, &call.path);
        }
        let text = users::classic_token(user, now, self.options.token_life, &mut self.random);
        let reply = Reply::json(200, &json!({ "token": text }));
        self.hand_out(now, at, text, false, self.options.token_life);
        reply
    }

    fn hand_out(&mut self, now: Timestamp, user: usize, text: String, personal: bool, life: SignedDuration) {
        // The claims count whole seconds.
        let created_at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let expires_at = created_at.saturating_add(life).unwrap_or(Timestamp::MAX);
        let id = format!("{}-token-{}", self.users[user].name, self.tokens.len() + 1);
        self.tokens.push(Token { id, text, user, personal, created_at, expires_at, removed: false });
    }

    fn hand_out_personal(&mut self, now: Timestamp, at: usize) -> String {
        let text = users::personal_token(TENANT, &self.users[at], now, PERSONAL_LIFE, &mut self.random);
        self.hand_out(now, at, text.clone(), true, PERSONAL_LIFE);
        text
    }

    fn refuse(&self, words: &str, path: &str) -> Reply {
        match self.options.refusal {
            Refusal::Inside => Reply::json(200, &json!({ "message": words })),
            Refusal::Envelope => self.failed(words),
            Refusal::Status => self.spring(401, words, path),
        }
    }

    /// An exception inside the server is answered with status 200, so the rules for passwords are, too.
    fn change_password(&mut self, now: Timestamp, call: &Call) -> Reply {
        let Some(at) = self.bearer(now, call) else { return self.denial(&call.path) };
        if self.options.password_by_person {
            return self.spring(403, "Access is denied", &call.path);
        }
        let body = body_of(call);
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (current, new) = (field("currentPassword"), field("newPassword"));
        if !self.users[at].has_password(current) {
            return self.failed("Current password is wrong");
        }
        if new.len() < 12 || self.users[at].passwords.iter().any(|password| password.text == new) {
            return self.failed("Password does not meet the rules");
        }
        self.users[at].set_password(new, now);
        self.envelope(json!(true))
    }

    /// Whose good token comes with the call. Old tokens outlive a change of the password, not their user.
    fn bearer(&self, now: Timestamp, call: &Call) -> Option<usize> {
        let (_, text) = call.header("authorization")?.split_once(' ')?;
        let token = self.tokens.iter().find(|token| token.text == text && token.is_good(now))?;
        self.users[token.user].active.then_some(token.user)
    }

    fn denial(&self, path: &str) -> Reply {
        match self.options.denial {
            Denial::A => self.spring(401, "Unauthorized", path),
            Denial::B => self.spring(403, "Access Denied", path),
            Denial::C => self.failed("Access is denied"),
            Denial::D => Reply::empty(302).header("location", "/login.html"),
        }
    }

    fn credentials(&self, now: Timestamp) -> Vec<Value> {
        let mut all = Vec::new();
        for user in self.users.iter().filter(|user| user.service && !self.options.next_generation) {
            for (number, password) in user.passwords.iter().enumerate() {
                all.push(json!({
                    "kind": "password", "tenant": TENANT, "account": user.name, "username": user.username,
                    "id": password.id, "password": password.text, "created_at": password.since.to_string(),
                    "live": number + 1 == user.passwords.len(),
                }));
            }
        }
        for token in &self.tokens {
            let user = &self.users[token.user];
            all.push(json!({
                "kind": if token.personal { "pat" } else { "token" }, "tenant": TENANT, "account": user.name,
                "username": user.username, "id": token.id, "token": token.text,
                "created_at": token.created_at.to_string(), "expires_at": token.expires_at.to_string(),
                "live": token.is_good(now) && user.active,
            }));
        }
        all
    }
}

fn service_name(number: usize) -> String {
    match ACCOUNTS.get(number) {
        Some(name) => (*name).to_owned(),
        None => format!("svc-{}", number + 1),
    }
}

/// A body that is no object says nothing.
fn body_of(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

impl ApiSec {
    fn envelope(&self, data: Value) -> Reply {
        let elements = data.as_array().map_or(1, Vec::len);
        self.enveloped(data, json!([]), elements)
    }

    fn failed(&self, words: &str) -> Reply {
        self.enveloped(Value::Null, json!([{ "type": "ERROR", "key": "", "value": words }]), 0)
    }

    fn enveloped(&self, data: Value, messages: Value, elements: usize) -> Reply {
        let body = json!({
            "requestId": "None",
            "requestTime": self.moment(),
            "errors": messages != json!([]),
            "messages": messages,
            "data": data,
            "totalPages": elements.min(1),
            "totalElements": elements,
        });
        Reply::json(200, &body)
    }

    /// The shape of the server's framework.
    fn spring(&self, status: u16, words: &str, path: &str) -> Reply {
        let error = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            _ => "Error",
        };
        let body =
            json!({ "timestamp": self.moment(), "status": status, "error": error, "message": words, "path": path });
        Reply::json(status, &body)
    }

    /// With an offset that RFC 3339 does not know.
    fn moment(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
    }
}

impl Twin for ApiSec {
    fn driver(&self) -> &'static str {
        "apisec"
    }

    fn base_path(&self) -> &'static str {
        if self.options.next_generation { "/v1" } else { "" }
    }

    fn serve_at(&mut self, _base_url: &str, _gateway_url: &str) {}

    /// The first account's name and password stand at the top, too.
    fn login(&self) -> Value {
        let services = self.users.iter().filter(|user| user.service);
        let password = |user: &User| user.passwords.last().map(|password| password.text.clone());
        if self.options.next_generation {
            let accounts: Vec<Value> = services.map(|user| json!({ "name": user.name })).collect();
            return json!({ "generation": "ng", "tenant": TENANT, "accounts": accounts });
        }
        let accounts: Vec<Value> = services
            .map(|user| json!({ "name": user.name, "username": user.username, "password": password(user) }))
            .collect();
        let first = accounts.first().cloned().unwrap_or_default();
        json!({
            "generation": "classic", "tenant": TENANT, "accounts": accounts,
            "username": first["username"], "password": first["password"],
            "changed_by": if self.options.password_by_person { "person" } else { "api" },
        })
    }

    /// A read without a token asks what any answer shows, the time; it stands for the listing that is not there.
    fn route(&self, call: &Call) -> &'static str {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/login" | "/auth/login") => "login",
            ("PUT", PASSWORD_PATH) => "issue",
            ("GET", "/api/v1/projects" | "/api/v1/projects/myProjects" | "/v1/applications") => {
                if call.header("authorization").is_some() { "verify" } else { "list" }
            }
            _ => "other",
        }
    }

    /// No fault needs this platform's own knowledge: nothing is listed, and a change holds at once.
    fn platform(&mut self, now: Timestamp, call: &Call, _fault: Option<FaultKind>) -> Reply {
        self.now = now;
        self.maintenance.clone().unwrap_or_else(|| self.answer(now, call))
    }

    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        self.now = now;
        match self.bearer(now, call) {
            Some(user) => Reply::json(200, &json!({ "account": self.users[user].name, "data": { "id": "run-1" } })),
            None => self.spring(401, "Unauthorized", &call.path),
        }
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        self.spring(status, message, "")
    }

    fn state(&self, now: Timestamp) -> Value {
        json!({ "now": now.to_string(), "credentials": self.credentials(now) })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.tamper_with(now, action)
    }
}
