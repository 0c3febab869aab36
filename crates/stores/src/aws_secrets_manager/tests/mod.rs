//! The driver on its strict twin, and the contract on the twin and on the emulator.

mod login;
mod moto;
mod others;
mod strict;
mod writes;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use contract::{
    SeededEntropy, SimulatedClock,
    store::{StoreFixture, check_all},
};
use db::Db;
use domain::{CredentialId, SecretPath};
use driver::{
    AttemptKey, Body, Clock, Delivery, DriverError, Effect, Form, Http, HttpError, HttpFailure, HttpRequest,
    HttpResponse, Ports, SecretStore, Settings, StoreState, StoreVersion, Ticket,
};
use secret::{Keyring, RootKey, SecretMap};
use serde_json::{Value, json};
use twin::{Answer, Call, Side, World};
use url::Url;

use super::{configure_in, twin::SecretsManager, variables::Variables};
use crate::{Asked, StorePorts};

const NAME: &str = "apic/acme/shop/key";

/// Every host of this world is the twin: AWS, and what surrounds a program there.
struct TwinHttp {
    world: Mutex<World>,
    clock: Arc<SimulatedClock>,
    /// Done once, before the first call of this operation.
    before: Mutex<Option<(&'static str, Value)>>,
}

impl fmt::Debug for TwinHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TwinHttp(..)")
    }
}

impl TwinHttp {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn tamper(&self, action: Value) {
        self.world().tamper(self.clock.now(), &action).unwrap();
    }
}

fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap())
}

#[async_trait]
impl Http for TwinHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        tokio::task::yield_now().await;
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        headers.push(("host".to_owned(), host(&request.url)));
        let call = Call {
            method: request.method.as_str().to_owned(),
            path: request.url.path().to_owned(),
            query: request.url.query().unwrap_or_default().to_owned(),
            headers,
            body: request.body.0.clone(),
        };
        let target = call.header("x-amz-target").unwrap_or_default();
        let due = self.before.lock().unwrap().take_if(|(operation, _)| target.ends_with(*operation));
        if let Some((_, action)) = due {
            self.tamper(action);
        }
        match self.world().handle(self.clock.now(), Side::Platform, &call) {
            Answer::Reply(reply) => {
                Ok(HttpResponse { status: reply.status, headers: reply.headers, body: Body(reply.body) })
            }
            Answer::Cut => Err(HttpError {
                failure: HttpFailure::Broken,
                effect: Effect::Unknown,
                detail: "cut by the twin".to_owned(),
            }),
        }
    }
}

struct Stage {
    twin: Arc<TwinHttp>,
    clock: Arc<SimulatedClock>,
    ports: StorePorts,
    store: Arc<dyn SecretStore>,
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::create(&RootKey::generate().unwrap()).unwrap().0)
}

fn settings(toml: &str) -> Settings {
    Settings { table: toml::from_str(toml).unwrap(), base_dir: "/".into() }
}

impl Stage {
    /// With the user's own keys from the environment.
    fn new() -> Self {
        Self::with("", &[])
    }

    /// More keys of the configuration, and other variables instead of the user's keys.
    fn with(toml: &str, variables: &[(&str, &str)]) -> Self {
        Self::prepared(toml, variables, &[])
    }

    fn prepared(toml: &str, variables: &[(&str, &str)], actions: &[Value]) -> Self {
        let clock = Arc::new(SimulatedClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
        let world = Mutex::new(World::new(Box::new(SecretsManager::new(7)), 7));
        let twin = Arc::new(TwinHttp { world, clock: clock.clone(), before: Mutex::default() });
        for action in actions {
            twin.tamper(action.clone());
        }
        let entropy = Arc::new(SeededEntropy::new(7));
        let ports = Ports { http: twin.clone(), clock: clock.clone(), entropy };
        let ports =
            StorePorts { db: Arc::new(Db::in_memory().unwrap()), keyring: keyring(), ports, asked: Asked::default() };
        let login = twin.world().login();
        let of_user = [
            ("AWS_ACCESS_KEY_ID", login["access_key_id"].as_str().unwrap()),
            ("AWS_SECRET_ACCESS_KEY", login["secret_access_key"].as_str().unwrap()),
        ];
        let variables = Variables::of(if variables.is_empty() { of_user.to_vec() } else { variables.to_vec() });
        let settings = settings(&format!("region = \"eu-central-1\"\n{toml}"));
        let store = configure_in(&variables, &settings, &ports).unwrap();
        Self { twin, clock, ports, store }
    }

    fn tamper(&self, action: Value) {
        self.twin.tamper(action);
    }

    /// Somebody else does this just before our first call of that operation.
    fn before(&self, operation: &'static str, action: Value) {
        *self.twin.before.lock().unwrap() = Some((operation, action));
    }

    fn fault(&self, fault: &str) {
        self.twin.world().add_fault(fault.parse().unwrap());
    }

    async fn write(&self, text: &str) -> Result<StoreVersion, DriverError> {
        self.write_for(text, &format!("attempt {text}"), None).await
    }

    async fn write_for(&self, text: &str, key: &str, environment: Option<&str>) -> Result<StoreVersion, DriverError> {
        self.deliver(&value(text), Form::Fields, key, environment).await
    }

    async fn deliver(
        &self,
        value: &SecretMap,
        form: Form,
        key: &str,
        environment: Option<&str>,
    ) -> Result<StoreVersion, DriverError> {
        let delivery = Delivery {
            at: &path(),
            credential: &CredentialId::parse("apic/acme/shop/key").unwrap(),
            value,
            form,
            fingerprint: self.ports.keyring.fingerprint(value),
            key: AttemptKey(key.to_owned()),
            replaces: None,
            environment,
        };
        self.store.write(&delivery, &ticket()).await
    }

    async fn promote(&self, version: &StoreVersion, expected: Option<&StoreVersion>) -> Result<(), DriverError> {
        self.store.labels().unwrap().promote(&path(), version, expected, &ticket()).await
    }

    /// The first is current, the second pending.
    async fn two(&self) -> [StoreVersion; 2] {
        let first = self.write("one").await.unwrap();
        self.promote(&first, None).await.unwrap();
        [first, self.write("two").await.unwrap()]
    }

    async fn inspect(&self) -> StoreState {
        self.store.inspect(&path()).await.unwrap()
    }

    /// What AWS knows of our secret.
    fn secret(&self) -> Option<Value> {
        let state = self.twin.world().state(self.clock.now());
        state["secrets"].as_array().unwrap().iter().find(|secret| secret["name"] == NAME).cloned()
    }

    /// Versions with their labels, as AWS knows them.
    fn labels(&self) -> Vec<(String, Vec<String>)> {
        let secret = self.secret().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let versions = secret["versions"].as_array().unwrap().iter();
        versions
            .map(|version| (text(&version["id"]), version["labels"].as_array().unwrap().iter().map(text).collect()))
            .collect()
    }

    /// The version under a label, as AWS knows it.
    fn holder(&self, label: &str) -> Option<String> {
        let found = self.labels().into_iter().find(|(_, labels)| labels.iter().any(|have| have == label));
        found.map(|(version, _)| version)
    }

    fn calls(&self) -> usize {
        self.twin.world().calls().len()
    }

    fn calls_of(&self, route: &str) -> usize {
        self.twin.world().calls().filter(|call| call.route == route).count()
    }

    fn is_free_of_canaries(&self, error: &DriverError) {
        let seen = format!("{error} {error:?} {:?}", self.store);
        assert!(!seen.contains("canary"), "{seen}");
        let key = self.twin.world().login()["secret_access_key"].as_str().unwrap().to_owned();
        assert!(!seen.contains(&key), "{seen}");
    }
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn path() -> SecretPath {
    SecretPath::parse(NAME).unwrap()
}

fn value(text: &str) -> SecretMap {
    SecretMap::from(vec![("client_id", "id"), ("client_secret", &format!("canary-{text}"))])
}

fn of_secret(action: &str) -> Value {
    json!({ "action": action, "name": NAME })
}

/// Somebody else writes a version.
fn by_hand(label: &str, value: &str) -> Value {
    json!({ "action": "put", "name": NAME, "label": label, "version": THEIRS, "value": value })
}

const THEIRS: &str = "0192a3b4-0000-4000-8000-000000000001";

#[tokio::test]
async fn it_keeps_the_contract_on_the_strict_twin() {
    check_all(|| async {
        let Stage { store, ports, .. } = Stage::new();
        let keyring = ports.keyring.clone();
        StoreFixture { store, fingerprint: Box::new(move |map| keyring.fingerprint(map)), kept: Box::new(()) }
    })
    .await;
}
