//! RSA SecurID, simulated: the Cloud Administration REST API of one tenant, its token endpoint, and its console.
//!
//! Written from RSA's pages and from what public clients show; it shares no type with the driver beside it. Keys are
//! made, changed and removed at the console alone (`tamper`), as on the platform. Key pairs come from the library;
//! everything else comes from the seed.

mod api;
mod bearer;
mod console;
mod keys;
mod options;
mod tokens;

pub use options::Options;

use std::{collections::BTreeSet, fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

use keys::{Dealer, Kind, Material};

const TENANT: &str = "acme";
const BASE_PATH: &str = "/AdminInterface/restapi";

/// The simulated tenant.
pub struct SecurId {
    options: Options,
    base_url: String,
    keys: Vec<AdminKey>,
    clients: Vec<OauthClient>,
    tokens: Vec<tokens::AccessToken>,
    /// Ids of assertions that were used.
    spent: BTreeSet<String>,
    events: Vec<Value>,
    dealer: Dealer,
    random: Random,
}

impl fmt::Debug for SecurId {
    /// Counts, no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurId")
            .field("keys", &self.keys.len())
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

/// A legacy Administration API key.
struct AdminKey {
    access_id: String,
    description: String,
    /// In the file since it was made or last regenerated.
    description_in_file: String,
    super_admin: bool,
    /// Authentication Manager made it for itself.
    protected: bool,
    material: Arc<Material>,
    added_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

struct OauthClient {
    client_id: String,
    name: String,
    kid: String,
    permissions: Vec<String>,
    material: Arc<Material>,
    added_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl SecurId {
    /// A tenant as it stands at `start`, by the twin's clock.
    ///
    /// # Errors
    /// A sentence: the library makes no keys, or more are wanted than a tenant can have.
    pub fn new(options: Options, start: Timestamp) -> Result<Self, String> {
        let mut tenant = Self {
            random: Random::new(options.seed),
            options,
            base_url: format!("https://acme.access.securid.example{BASE_PATH}"),
            keys: Vec::new(),
            clients: Vec::new(),
            tokens: Vec::new(),
            spent: BTreeSet::new(),
            events: Vec::new(),
            dealer: Dealer::default(),
        };
        let (keys, protected) = (tenant.options.keys, tenant.options.protected);
        if protected > keys || keys > tenant.options.slots_max {
            let most = tenant.options.slots_max;
            return Err(format!("{keys} keys with {protected} protected ones: a tenant has {most} slots for both"));
        }
        let added_at = start.saturating_sub(tenant.options.age).unwrap_or(start);
        for number in 0..keys {
            let is_protected = number < protected;
            let name = if is_protected {
                format!("authentication-manager-{}", number + 1)
            } else {
                format!("key-{}", number - protected + 1)
            };
            // The last one is a Super Administrator's, so that both roles are there.
            tenant.add_key(&name, number + 1 == keys, is_protected, added_at)?;
        }
        for number in 0..tenant.options.oauth_clients {
            let kind = if number % 2 == 0 { Kind::Rsa } else { Kind::Ec };
            let permissions = vec!["rsa.audit.admin".to_owned(), "rsa.user.read".to_owned()];
            tenant.add_client(&format!("client-{}", number + 1), kind, permissions, added_at)?;
        }
        Ok(tenant)
    }

    fn add_key(&mut self, name: &str, super_admin: bool, protected: bool, at: Timestamp) -> Result<usize, String> {
        let most = self.options.slots_max;
        if self.keys.iter().filter(|key| key.is_there()).count() >= most as usize {
            return Err(format!("the tenant has {most} Administration keys already: delete one first"));
        }
        let (access_id, material) = (self.random.uuid(), self.dealer.deal(Kind::Rsa)?);
        self.keys.push(AdminKey {
            access_id,
            description: name.to_owned(),
            description_in_file: name.to_owned(),
            super_admin,
            protected,
            material,
            added_at: at,
            deleted_at: None,
        });
        Ok(self.keys.len() - 1)
    }

    fn add_client(&mut self, name: &str, kind: Kind, permissions: Vec<String>, at: Timestamp) -> Result<usize, String> {
        let (client_id, kid) = (self.random.uuid(), self.random.hex());
        let material = self.dealer.deal(kind)?;
        let name = name.to_owned();
        self.clients.push(OauthClient { client_id, name, kid, permissions, material, added_at: at, deleted_at: None });
        Ok(self.clients.len() - 1)
    }

    /// As the files and the signed tokens name the API.
    fn admin_rest_api_url(&self) -> String {
        if self.options.url_v1 { format!("{}/v1", self.base_url) } else { self.base_url.clone() }
    }

    fn host_url(&self) -> String {
        self.base_url.strip_suffix(BASE_PATH).unwrap_or(&self.base_url).to_owned()
    }

    fn oauth_issuer(&self) -> String {
        format!("{}/oauth", self.host_url())
    }

    /// The key file, as it is downloaded.
    fn key_file(&self, key: &AdminKey) -> Value {
        let pem = key.material.pem();
        let pem = if self.options.one_line { pem.replace('\n', "\\n") } else { pem };
        json!({
            "customerName": TENANT,
            "accessID": key.access_id,
            "description": key.description_in_file,
            "accessKey": pem,
            "adminRestApiUrl": self.admin_rest_api_url(),
        })
    }

    /// What the console shows of an OAuth client, with its private key.
    fn client_file(&self, client: &OauthClient) -> Value {
        json!({
            "issuer": self.oauth_issuer(),
            "client_id": client.client_id,
            "private_key": client.material.jwk(&client.kid),
        })
    }

    fn record(&mut self, now: Timestamp, activity_key: &str, message: &str, target: Option<(&str, &str)>) {
        let number = 1_234_567_890_123_450_000_u64.saturating_add(self.events.len() as u64);
        let (id, name) = target.unzip();
        self.events.push(json!({
            "eventId": number,
            "eventLogDate": moment(now),
            "eventType": "Administration",
            "customerName": TENANT,
            "sourceIPAddress": "192.0.2.7",
            "adminUserName": "root@acme.example",
            "adminUserRole": "Super Administrator",
            "activityKey": activity_key,
            "activityCode": 80200,
            "result": "SUCCESS",
            "reasonKey": "",
            "message": message,
            "requiresPublish": false,
            "targetObject1Id": id,
            "targetObject1Name": name,
            "targetObject1Type": id.map(|_| "API_KEY"),
        }));
    }
}

impl AdminKey {
    fn is_there(&self) -> bool {
        self.deleted_at.is_none()
    }

    fn role(&self) -> &'static str {
        if self.super_admin { "super" } else { "help_desk" }
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn message(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message }))
}

impl Twin for SecurId {
    fn driver(&self) -> &'static str {
        "securid"
    }

    fn base_path(&self) -> &'static str {
        BASE_PATH
    }

    fn serve_at(&mut self, base_url: &str, _gateway_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    /// What the tenant's owner has: what the console shows, and the key files that were downloaded.
    fn login(&self) -> Value {
        let keys = self.keys.iter().filter(|key| key.is_there()).map(|key| {
            json!({
                "name": key.description, "access_id": key.access_id, "role": key.role(), "protected": key.protected,
                "added": day(key.added_at), "key_file": self.key_file(key),
            })
        });
        let clients = self.clients.iter().filter(|client| client.deleted_at.is_none()).map(|client| {
            json!({
                "name": client.name, "client_id": client.client_id, "permissions": client.permissions,
                "added": day(client.added_at), "client_file": self.client_file(client),
            })
        });
        json!({
            "tenant": TENANT,
            "admin_rest_api_url": self.admin_rest_api_url(),
            "auth_url": self.host_url(),
            "oauth_issuer": self.oauth_issuer(),
            "keys": keys.collect::<Vec<_>>(),
            "oauth_clients": clients.collect::<Vec<_>>(),
        })
    }

    /// The health check is what stands for a listing: there is none.
    fn route(&self, call: &Call) -> &'static str {
        match call.path.as_str() {
            "/oauth/token" => "login",
            path if path.ends_with("/healthcheck") => "list",
            path if path.ends_with("/exportlogs") || path.ends_with("/users/highrisk") => "verify",
            _ => "other",
        }
    }

    fn platform(&mut self, now: Timestamp, call: &Call, _fault: Option<FaultKind>) -> Reply {
        self.answer(now, call)
    }

    /// What consumers sign gets them in: a key's token as at the API, a client's assertion as at the token endpoint.
    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        match self.authorize(now, call).or_else(|refusal| self.of_assertion(now, call).ok_or(refusal)) {
            Ok(bearer) => Reply::json(200, &json!({ "id": bearer.id })),
            Err(refusal) => refusal.reply(),
        }
    }

    fn error(&self, status: u16, words: &str) -> Reply {
        message(status, words)
    }

    fn state(&self, now: Timestamp) -> Value {
        let keys = self.keys.iter().map(|key| {
            json!({
                "client_type": "legacy", "kind": "", "id": key.access_id, "name": key.description, "role": key.role(),
                "protected": key.protected, "created_at": moment(key.added_at), "live": key.is_there(),
                "secret": key.material.pem(),
            })
        });
        let clients = self.clients.iter().map(|client| {
            json!({
                "client_type": "oauth", "kind": "oauth", "id": client.client_id, "name": client.name,
                "permissions": client.permissions, "created_at": moment(client.added_at),
                "live": client.deleted_at.is_none(), "secret": client.material.jwk(&client.kid).to_string(),
            })
        });
        let connected = self.keys.iter().all(|key| key.is_there() || !key.protected);
        json!({
            "now": now.to_string(),
            "slots_max": self.options.slots_max,
            "slots_used": self.keys.iter().filter(|key| key.is_there()).count(),
            "authentication_manager": if connected { "connected" } else { "disconnected" },
            "credentials": keys.chain(clients).collect::<Vec<_>>(),
            "events": self.events,
        })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.at_the_console(now, action)
    }
}

/// The moment that lies so far back.
fn before(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
