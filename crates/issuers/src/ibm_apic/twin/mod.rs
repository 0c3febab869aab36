//! IBM API Connect, simulated: the platform API, the gateway and analytics of one catalog.
//!
//! Written from the vendor's documents and from what clients of the real API show; it shares no type with the driver
//! beside it. Where sources differ or are silent, one of [`Options`] decides, so that a client can be tried against
//! each reading. One provider organisation, `acme`, with one catalog, `production`.

mod address;
mod arena;
mod estate;
mod gateway;
mod login;
mod options;
mod query;
mod read;
mod render;
mod seed;
mod tamper;
#[cfg(test)]
mod tests;
mod write;

pub use options::Options;

use std::{cell::Cell, fmt};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

use address::{Address, Target};
use estate::{Estate, Revision};
use login::{Login, Tokens};
use query::{Object, Query};

/// The simulated platform. [`Options`] plant an estate; the builder methods add to it what a story needs.
pub struct ApiConnect {
    options: Options,
    base_url: String,
    login: Login,
    estate: Estate,
    tokens: Tokens,
    traffic: gateway::Traffic,
    random: Random,
    start: Timestamp,
    /// No list is so stale that it is older than the estate at its start.
    planted: Revision,
    requests: Cell<u64>,
}

impl fmt::Debug for ApiConnect {
    /// Counts, no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConnect")
            .field("consumer_orgs", &self.estate.orgs.len())
            .field("apps", &self.estate.apps.len())
            .field("credentials", &self.estate.credentials.len())
            .finish_non_exhaustive()
    }
}

/// A credential of the simulated platform, as its owner knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({})", self.id)
    }
}

impl ApiConnect {
    /// An installation as it stands at `start`, by the twin's clock.
    pub fn new(options: Options, start: Timestamp) -> Self {
        let mut random = Random::new(options.seed);
        let login = Login::new(&mut random);
        let years_ago = seed::ago(start, SignedDuration::from_hours(3 * 365 * 24));
        let mut estate = Estate::new(Random::new(random.next_u64()), years_ago);
        seed::plant(&mut estate, &options, start, &mut random);
        let planted = estate.revision();
        Self {
            options,
            base_url: "https://apim.example.test/api".to_owned(),
            login,
            estate,
            tokens: Tokens::default(),
            traffic: gateway::Traffic::default(),
            random,
            start,
            planted,
            requests: Cell::new(0),
        }
    }

    /// Adds a consumer organisation whose owner has this address; an empty one is an owner that cannot be reached.
    ///
    /// # Errors
    /// A sentence: the name is taken.
    pub fn with_consumer_org(mut self, name: &str, email: &str) -> Result<Self, String> {
        self.add_consumer_org(name, &seed::titled(name), email, self.start)?;
        self.planted = self.estate.revision();
        Ok(self)
    }

    /// Adds an application without a credential.
    ///
    /// # Errors
    /// A sentence: no such organisation, or the name is taken.
    pub fn with_app(mut self, consumer_org: &str, app: &str) -> Result<Self, String> {
        self.add_app(consumer_org, app, &seed::titled(app), self.start)?;
        self.planted = self.estate.revision();
        Ok(self)
    }

    /// Adds a credential of this age at the start. The name is derived from the title as the platform does.
    ///
    /// # Errors
    /// A sentence: no such application, or the name is taken.
    pub fn with_credential(
        mut self,
        consumer_org: &str,
        app: &str,
        title: &str,
        age: SignedDuration,
    ) -> Result<Self, String> {
        let app = self.app_named(consumer_org, app)?;
        self.add_credential_to(self.start, app, &seed::name_from(title), title, age)?;
        self.planted = self.estate.revision();
        Ok(self)
    }

    /// The present pair of a credential, for a consumer that has known it all along.
    pub fn pair(&self, consumer_org: &str, app: &str, credential: &str) -> Option<Pair> {
        let app = self.app_named(consumer_org, app).ok()?;
        Some(self.pair_of(self.credential_named(app, credential).ok()?))
    }

    fn add_consumer_org(&mut self, name: &str, title: &str, email: &str, at: Timestamp) -> Result<(), String> {
        let local = email.split('@').next().unwrap_or_default();
        let (first, last) = local.split_once('.').unwrap_or((local, " "));
        let (first, last) = (seed::titled(first), seed::titled(last));
        let added = self.estate.add_org(name, title, [&first, &last, email], at);
        added.map(|_| ()).ok_or_else(|| format!("the consumer organisation `{name}` exists already"))
    }

    fn add_app(&mut self, org: &str, name: &str, title: &str, at: Timestamp) -> Result<(), String> {
        let key = self.org_named(org)?;
        let added = self.estate.add_app(key, name, title, at);
        added.map(|_| ()).ok_or_else(|| format!("`{org}` has an application `{name}` already"))
    }

    fn answer(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Outcome {
        let address = Address::parse(&call.path)
            .ok_or_else(|| Refusal::new(404, format!("The path '{}' was not found.", call.path)))?;
        let request = Request { call, query: Query::of(call), fault };
        match (&address.target, call.method.as_str()) {
            (Target::Token, "POST") => return self.token(now, &request),
            (Target::IdentityProviders { admin }, "GET") => return Ok(self.identity_providers(*admin)),
            _ => self.authorize(now, call)?,
        }
        self.check_scope(&address)?;
        match (call.method.as_str(), &address.target) {
            ("GET", Target::Events) => self.events(now, &request),
            ("GET", target) => self.read(now, target, &request),
            (method, target) => self.write(now, method, target, &request),
        }
    }

    /// The provider organisation and the catalog that the path names, by name or id.
    fn check_scope(&self, address: &Address) -> Result<(), Refusal> {
        let provider = &self.estate.provider;
        if let Some(org) = &address.org
            && *org != provider.name
            && *org != provider.id
        {
            return Err(Refusal::new(404, format!("The organization '{org}' was not found.")));
        }
        if let Some(catalog) = &address.catalog
            && *catalog != provider.catalog_name
            && *catalog != provider.catalog_id
        {
            return Err(Refusal::new(404, format!("The catalog '{catalog}' was not found.")));
        }
        Ok(())
    }

    fn request_id(&self) -> String {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        format!("{number:032x}")
    }
}

/// What a handler works with.
struct Request<'a> {
    call: &'a Call,
    query: Query,
    fault: Option<FaultKind>,
}

impl Request<'_> {
    /// The body, which must be a JSON object and be declared as nothing else; an empty body is an empty object.
    fn json_body(&self) -> Result<Object, Refusal> {
        let declared = self.call.header("content-type").unwrap_or("application/json");
        if !declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(Refusal::new(400, format!("The content type '{declared}' is not supported.")));
        }
        if self.call.body.is_empty() {
            return Ok(Object::new());
        }
        serde_json::from_slice(&self.call.body).map_err(|_| Refusal::new(400, "The body is not a JSON object."))
    }
}

/// A refusal on its way into the envelope.
#[derive(Debug)]
struct Refusal {
    status: u16,
    message: String,
}

type Outcome = Result<Reply, Refusal>;

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

fn envelope(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "status": status, "message": [message] }))
}

impl Twin for ApiConnect {
    fn driver(&self) -> &'static str {
        "ibm_apic"
    }

    fn base_path(&self) -> &'static str {
        "/api"
    }

    fn serve_at(&mut self, base_url: &str, _gateway_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    fn login(&self) -> Value {
        let Login { username, password, realm, client_id, client_secret, api_key } = &self.login;
        json!({
            "username": username, "password": password, "realm": realm,
            "client_id": client_id, "client_secret": client_secret, "api_key": api_key,
            "provider_org": self.estate.provider.name, "catalog": self.estate.provider.catalog_name,
        })
    }

    fn route(&self, call: &Call) -> &'static str {
        address::route(call)
    }

    fn platform(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply {
        let reply = self.answer(now, call, fault).unwrap_or_else(|refusal| envelope(refusal.status, &refusal.message));
        reply.header("x-request-id", self.request_id())
    }

    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        self.call_gateway(now, call)
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        envelope(status, message).header("x-request-id", self.request_id())
    }

    fn gateway_error(&self, status: u16, message: &str) -> Reply {
        gateway::refusal(status, message, "The gateway could not answer the call.")
    }

    /// `accepted` beside the documented members: whether the gateway accepts the present pair at this moment.
    fn state(&self, now: Timestamp) -> Value {
        let revision = self.estate.revision();
        let credentials = self.estate.credentials.iter().map(|credential| {
            let app = &self.estate.apps[credential.app];
            let names = credential.names(revision);
            json!({
                "consumer_org": self.estate.orgs[app.org].name,
                "app": app.name,
                "name": names.name,
                "title": names.title,
                "id": credential.id,
                "client_id": credential.client_id,
                "client_secret": credential.client_secret,
                "created_at": render::time(credential.created_at),
                "live": credential.is_there(revision),
                "accepted": self.estate.is_enabled(app) && credential.is_accepted(now),
            })
        });
        json!({ "now": now.to_string(), "credentials": credentials.collect::<Vec<_>>() })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.tamper_with(now, action)
    }
}
