//! Google Apigee, simulated: the management API of one organisation, its login, its gateway and its analytics.
//!
//! Written from the vendor's documents and from what clients of the real API show; it shares no type with the driver
//! beside it. Both generations stand on one estate. Where sources differ or are silent, one of [`Options`] decides, so
//! that a client can be tried against each reading. One organisation, `acme`, with the environments `prod` and `test`;
//! the gateway serves `prod`.

mod address;
mod app_token;
mod estate;
mod filter;
mod gateway;
mod login;
mod options;
mod read;
mod render;
mod seed;
mod stats;
mod tamper;
#[cfg(test)]
mod tests;
mod write;

pub use options::{Generation, Options};

use std::{cell::Cell, fmt};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

use address::Target;
use estate::{Estate, Parent, Revision, Who};

const ORGANIZATION: &str = "acme";
const ENVIRONMENTS: [&str; 2] = ["prod", "test"];

/// The simulated platform.
pub struct Apigee {
    options: Options,
    base_url: String,
    login: login::Login,
    estate: Estate,
    tokens: login::Tokens,
    app_tokens: app_token::AppTokens,
    cache: gateway::Cache,
    traffic: stats::Traffic,
    random: Random,
    /// No list is so stale that it is older than the estate at its start.
    planted: Revision,
    requests: Cell<u64>,
}

impl fmt::Debug for Apigee {
    /// Counts, no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apigee").field("apps", &self.estate.apps().count()).finish_non_exhaustive()
    }
}

impl Apigee {
    /// An organisation as it stands at `start`, by the twin's clock.
    ///
    /// # Errors
    /// A sentence: the cryptographic library makes no key for the service account.
    pub fn new(options: Options, start: Timestamp) -> Result<Self, String> {
        let mut random = Random::new(options.seed);
        let login = login::Login::new(options.generation, &mut random)?;
        let mut estate = Estate::default();
        seed::plant(&mut estate, &options, start, &mut random);
        let planted = estate.revision();
        Ok(Self {
            options,
            base_url: "https://apigee.example.test".to_owned(),
            login,
            estate,
            tokens: login::Tokens::default(),
            app_tokens: app_token::AppTokens::default(),
            cache: gateway::Cache::default(),
            traffic: stats::Traffic::default(),
            random,
            planted,
            requests: Cell::new(0),
        })
    }

    fn target(&self, call: &Call) -> Option<Result<Target, String>> {
        address::parse(self.options.generation, ORGANIZATION, &call.path)
    }

    fn answer(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Outcome {
        let Some(target) = self.target(call) else { return Ok(front_end()) };
        let request = Request { call, query: query(call), fault };
        if matches!(target, Ok(Target::Token)) {
            return Ok(self.token(now, &request));
        }
        self.authorize(now, call)?;
        let target = target.map_err(|org| {
            let message = format!("Organization {org} does not exist");
            Refusal::new(404, "messaging.config.beans.OrganizationDoesNotExist", message)
        })?;
        match call.method.as_str() {
            "GET" => self.read(now, &target, &request),
            method => self.write(now, method, &target, &request),
        }
    }

    fn parent(&self, who: &Who) -> Result<&Parent, Refusal> {
        self.estate.parents.get(who).ok_or_else(|| {
            let name = &who.name;
            if who.group {
                Refusal::new(404, "developer.service.GroupDoesNotExist", format!("Group {name} does not exist"))
            } else {
                let message = format!("DeveloperId {name} does not exist in organization {ORGANIZATION}");
                Refusal::new(404, "developer.service.DeveloperIdDoesNotExist", message)
            }
        })
    }

    fn find_app(&self, who: &Who, app: &str) -> Result<&estate::App, Refusal> {
        self.parent(who)?;
        self.estate.app(who, app).ok_or_else(|| {
            let message = format!("App named {app} does not exist under {}", who.name);
            Refusal::new(404, "developer.service.AppDoesNotExist", message)
        })
    }

    fn refused(&self, refusal: &Refusal) -> Reply {
        let Refusal { status, code, message } = refusal;
        match self.options.generation {
            Generation::Edge if *status == 401 => Reply::empty(401),
            Generation::Edge => Reply::json(*status, &json!({ "code": code, "message": message, "contexts": [] })),
            Generation::X => {
                let mut error = json!({ "code": status, "message": message, "status": google_status(*status) });
                let violation = json!({ "type": code, "subject": "[...]:9801:943860", "description": message });
                if !self.options.no_details
                    && let Some(error) = error.as_object_mut()
                {
                    let details = json!([
                        { "@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [violation] },
                        { "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": self.request_id() },
                    ]);
                    error.insert("details".to_owned(), details);
                }
                Reply::json(*status, &json!({ "error": error }))
            }
        }
    }

    fn request_id(&self) -> String {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        number.to_string()
    }
}

/// The page of a front end that knows no such path.
fn front_end() -> Reply {
    Reply {
        status: 404,
        headers: vec![("content-type".to_owned(), "text/html; charset=UTF-8".to_owned())],
        body: "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title><p>The requested URL was not found.".into(),
    }
}

fn google_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// What a handler works with.
struct Request<'a> {
    call: &'a Call,
    query: Vec<(String, String)>,
    fault: Option<FaultKind>,
}

fn query(call: &Call) -> Vec<(String, String)> {
    url::form_urlencoded::parse(call.query.as_bytes()).into_owned().collect()
}

impl Request<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The body, which must be a JSON object; an empty body is an empty object.
    fn json_body(&self) -> Result<Map<String, Value>, Refusal> {
        if self.call.body.is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_slice(&self.call.body).map_err(|_| Refusal::invalid("The body is not a JSON object"))
    }
}

/// A refusal on its way into the envelope.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

type Outcome = Result<Reply, Refusal>;

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "developer.service.InvalidInput", message)
    }

    fn forbidden(permission: &str) -> Self {
        Self::new(403, "rbac.forbidden", format!("Permission denied: {permission}"))
    }

    fn method() -> Self {
        Self::new(405, "method_not_allowed", "The method is not allowed here")
    }
}

impl Twin for Apigee {
    fn driver(&self) -> &'static str {
        "apigee"
    }

    fn serve_at(&mut self, base_url: &str, _gateway_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    fn login(&self) -> Value {
        self.login_object()
    }

    fn route(&self, call: &Call) -> &'static str {
        address::route(self.target(call).and_then(Result::ok).as_ref(), call)
    }

    fn platform(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply {
        self.answer(now, call, fault).unwrap_or_else(|refusal| self.refused(&refusal))
    }

    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        self.call_gateway(now, call)
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        let code = match status {
            409 => "keymanagement.service.ConsumerKeyAlreadyExists",
            429 => "policies.ratelimit.QuotaViolation",
            _ => "messaging.runtime.InternalError",
        };
        self.refused(&Refusal::new(status, code, message))
    }

    fn gateway_error(&self, status: u16, message: &str) -> Reply {
        gateway::fault(status, message, "messaging.runtime.ServiceUnavailable")
    }

    /// `accepted` beside the documented members: whether the gateway would accept the key if it asked anew. `id` is what
    /// a client may call a key that must not show the key itself.
    fn state(&self, now: Timestamp) -> Value {
        let revision = self.estate.revision();
        let (mut credentials, mut apps) = (Vec::new(), Vec::new());
        for (who, _, name, app) in self.estate.apps() {
            let developer = self.level(who);
            apps.push(json!({
                "developer": developer,
                "app": name,
                "app_id": app.id,
                "attributes": render::attributes(&app.attributes),
                "callback_url": app.callback_url,
                "scopes": app.scopes,
            }));
            for key in &app.keys {
                let products = key.products.iter();
                let products = products.map(|(name, status)| json!({ "apiproduct": name, "status": status.word() }));
                credentials.push(json!({
                    "developer": developer,
                    "app": name,
                    "name": key.consumer_key,
                    "title": key.consumer_key,
                    "id": handle_of(&key.consumer_key),
                    "consumer_key": key.consumer_key,
                    "consumer_secret": key.consumer_secret,
                    "created_at": key.issued_at.to_string(),
                    "live": key.is_there(revision),
                    "status": key.status.word(),
                    "products": products.collect::<Vec<_>>(),
                    "attributes": render::attributes(&key.attributes),
                    "scopes": key.scopes,
                    "accepted": self.accepts(now, &key.consumer_key),
                }));
            }
        }
        json!({ "now": now.to_string(), "credentials": credentials, "apps": apps })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.tamper_with(now, action)
    }
}

/// The first half of the key's SHA-256, in hexadecimal digits.
fn handle_of(key: &str) -> String {
    let digest = digest(&SHA256, key.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Apigee {
    /// A developer's address, or a group's name after its kind.
    fn level(&self, who: &Who) -> String {
        match (who.group, self.options.generation) {
            (false, _) => who.name.clone(),
            (true, Generation::X) => format!("appgroup:{}", who.name),
            (true, Generation::Edge) => format!("company:{}", who.name),
        }
    }
}
