//! The driver for KV version 2, against a real OpenBao; and against a server that only claims to be one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_road;
mod contract_suite;
mod fitness;
mod hostile;
mod logins;
mod places;
mod rights;
mod standby;
mod writes;

use std::{
    any::Any,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use components::LoopbackHttp;
use contract::{SeededEntropy, SimulatedClock};
use db::Db;
use domain::{CredentialId, SecretPath};
use driver::{
    AttemptKey, Body, Clock, Delivery, DriverError, Effect, Form, Http, HttpError, HttpFailure, HttpRequest,
    HttpResponse, Label, Method, Ports, SecretStore, Settings, StoreVersion, Ticket,
};
use secret::{Keyring, RootKey, Secret, SecretMap};
use serde_json::{Value, json};
use stores::{Asked, StorePorts};

/// What happens to one request of the driver on its way.
enum Fate {
    Pass,
    /// The server did it, and nobody hears.
    AnswerLost,
    /// It never arrived, and nobody knows.
    NeverArrived,
    /// Nobody listens there.
    Unreachable,
    Answered(u16, Value),
    /// The server did it, and somebody on the way answers with this status and text.
    AnsweredInstead(u16, &'static str),
    /// Somebody with all rights is faster: verb, path and body of what they do.
    After(Method, String, Value),
    PassWithHeader(&'static str, &'static str),
    /// The state that its answer names lies far ahead.
    PassFromTheFuture,
    /// As if the server knew the state that it is asked for.
    PassWithoutIndex,
}

type Rule = dyn FnMut(&HttpRequest) -> Fate + Send;

/// The network, with everything that can happen there, and a record of what was sent.
struct Network {
    inner: LoopbackHttp,
    root_token: String,
    rule: Mutex<Box<Rule>>,
    /// Method and path, with the query.
    sent: Mutex<Vec<String>>,
    /// Headers of the latest request.
    headers: Mutex<Vec<(&'static str, String)>>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

fn lost() -> HttpError {
    HttpError { failure: HttpFailure::Broken, effect: Effect::Unknown, detail: "lost on the way".to_owned() }
}

#[async_trait]
impl Http for Network {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let path = request.url.path().to_owned() + &request.url.query().map(|q| format!("?{q}")).unwrap_or_default();
        self.sent.lock().unwrap().push(format!("{} {path}", request.method.as_str()));
        *self.headers.lock().unwrap() = request.headers.clone();
        let fate = (self.rule.lock().unwrap())(&request);
        match fate {
            Fate::Pass => self.inner.send(request).await,
            Fate::AnswerLost => {
                self.inner.send(request).await?;
                Err(lost())
            }
            Fate::NeverArrived => Err(lost()),
            Fate::Unreachable => Err(HttpError {
                failure: HttpFailure::Unreachable,
                effect: Effect::NotApplied,
                detail: "connection refused".to_owned(),
            }),
            Fate::Answered(status, body) => {
                Ok(HttpResponse { status, headers: Vec::new(), body: Body(body.to_string().into()) })
            }
            Fate::AnsweredInstead(status, text) => {
                self.inner.send(request).await?;
                Ok(HttpResponse { status, headers: Vec::new(), body: Body(text.into()) })
            }
            Fate::After(method, path, body) => {
                let by_hand = HttpRequest::new(method, request.url.join(&path).unwrap())
                    .header("x-vault-token", self.root_token.clone())
                    .json(&body);
                assert!(self.inner.send(by_hand).await?.is_success());
                self.inner.send(request).await
            }
            Fate::PassFromTheFuture => {
                let mut response = self.inner.send(request).await?;
                for (_, value) in response.headers.iter_mut().filter(|(name, _)| name == "x-vault-index") {
                    let mut index: Value = serde_json::from_slice(&STANDARD.decode(&*value).unwrap()).unwrap();
                    index["value"] = "999999999".into();
                    *value = STANDARD.encode(index.to_string());
                }
                Ok(response)
            }
            Fate::PassWithoutIndex => {
                let mut request = request;
                request.headers.retain(|(name, _)| *name != "x-vault-index");
                self.inner.send(request).await
            }
            Fate::PassWithHeader(name, value) => {
                let mut response = self.inner.send(request).await?;
                response.headers.push((name.to_owned(), value.to_owned()));
                Ok(response)
            }
        }
    }
}

/// A running server.
struct Bao {
    address: String,
    root_token: String,
    /// Whatever must live as long.
    _kept: Box<dyn Any + Send + Sync>,
}

impl Bao {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn root_token(&self) -> &str {
        &self.root_token
    }
}

/// A server, and what the driver reaches it through.
struct Stage {
    bao: Bao,
    network: Arc<Network>,
    clock: Arc<SimulatedClock>,
    /// What the driver waits by.
    waits: Arc<dyn Clock>,
    keyring: Arc<Keyring>,
    asked: Asked,
}

impl Stage {
    fn new() -> Self {
        let bao = components::bao();
        Self::with(Bao { address: bao.address(), root_token: bao.root_token().to_owned(), _kept: Box::new(bao) })
    }

    fn with(bao: Bao) -> Self {
        let network = network(bao.root_token());
        let clock = Arc::new(SimulatedClock::at("2026-11-23T12:00:00Z".parse().unwrap()));
        let keyring = Arc::new(Keyring::create(&RootKey::generate().unwrap()).unwrap().0);
        Self { bao, network, waits: clock.clone(), clock, keyring, asked: Asked::default() }
    }

    /// A store with these keys beside the address.
    fn store(&self, keys: &str) -> Arc<dyn SecretStore> {
        self.try_store(&self.bao.address(), keys).unwrap()
    }

    fn try_store(&self, address: &str, keys: &str) -> stores::Configured {
        let http: Arc<dyn Http> = self.network.clone();
        let ports = Ports { http, clock: self.waits.clone(), entropy: Arc::new(SeededEntropy::new(7)) };
        let (db, keyring) = (Arc::new(Db::in_memory().unwrap()), self.keyring.clone());
        let ports = StorePorts { db, keyring, ports, asked: self.asked.clone() };
        let table = format!("address = \"{address}\"\n{keys}").parse().unwrap();
        let settings = Settings { table, base_dir: Path::new("/").to_owned() };
        (stores::find("vault_kv2").unwrap().configure)("bao", &settings, &ports)
    }

    /// One that may do everything.
    fn root_store(&self) -> Arc<dyn SecretStore> {
        self.store(&with_token(self.bao.root_token()))
    }

    /// A call by somebody with all rights.
    async fn by_hand(&self, method: Method, path: &str, body: Value) -> Value {
        self.by_hand_in("", method, path, body).await
    }

    async fn by_hand_in(&self, namespace: &str, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) =
            self.call(self.bao.root_token(), &[("x-vault-namespace", namespace)], method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn call(
        &self,
        token: &str,
        headers: &[(&'static str, &str)],
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = format!("{}/v1/{path}", self.bao.address()).parse().unwrap();
        let mut request = HttpRequest::new(method, url).header("x-vault-token", token);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, *value);
        }
        if method != Method::Get {
            request = request.json(&body);
        }
        let response = self.network.inner.send(request).await.unwrap();
        (response.status, serde_json::from_slice(&response.body.0).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        self.by_hand(Method::Get, path, Value::Null).await
    }

    /// What a consumer reads.
    async fn reads(&self, path: &str) -> Value {
        self.get(&format!("secret/data/{path}")).await["data"]["data"].clone()
    }

    async fn writes_by_hand(&self, path: &str, text: &str) {
        self.by_hand(Method::Post, &format!("secret/data/{path}"), json!({ "data": { "client_secret": text } })).await;
    }

    /// A token with this policy alone; the default policy is left out.
    async fn token(&self, policy: &str) -> String {
        self.by_hand(Method::Post, "sys/policies/acl/tested", json!({ "policy": policy })).await;
        let body = json!({ "policies": ["tested"], "no_default_policy": true, "ttl": "1h" });
        let made = self.by_hand(Method::Post, "auth/token/create", body).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// From now on.
    fn rule(&self, rule: impl FnMut(&HttpRequest) -> Fate + Send + 'static) {
        *self.network.rule.lock().unwrap() = Box::new(rule);
    }

    /// For the next request to `path` by `method`; everything else passes.
    fn once(&self, method: Method, path: &str, fate: Fate) {
        let (path, mut fate) = (path.to_owned(), Some(fate));
        self.rule(move |request| {
            let at = request.url.path();
            let meant = request.method == method && at.contains(&path) && !at.ends_with("/keyrota-preflight");
            if meant { fate.take().unwrap_or(Fate::Pass) } else { Fate::Pass }
        });
    }

    /// How often the driver has called what contains this.
    fn calls(&self, text: &str) -> usize {
        self.network.sent.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

fn network(root_token: &str) -> Arc<Network> {
    Arc::new(Network {
        inner: LoopbackHttp::new(),
        root_token: root_token.to_owned(),
        rule: Mutex::new(Box::new(|_| Fate::Pass)),
        sent: Mutex::default(),
        headers: Mutex::default(),
    })
}

fn with_token(token: &str) -> String {
    format!("auth = {{ method = \"token\", token = \"{token}\" }}\n")
}

fn path(text: &str) -> SecretPath {
    SecretPath::parse(text).unwrap()
}

fn value(text: &str) -> SecretMap {
    let field = |name: &str, text: String| (name.to_owned(), Secret::from_text(text));
    SecretMap::new([field("client_id", format!("id-{text}")), field("client_secret", format!("canary-{text}"))])
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

/// Attempt `text` of a rotation, in place of version `replaces`.
async fn try_write(
    stage: &Stage,
    store: &dyn SecretStore,
    at: &str,
    text: &str,
    replaces: Option<&str>,
) -> Result<String, DriverError> {
    let value = value(text);
    let replaces = replaces.map(|version| StoreVersion(version.to_owned()));
    let request = Delivery {
        at: &path(at),
        credential: &CredentialId::new("apic", ["acme", "shop", "key"]).unwrap(),
        value: &value,
        form: Form::Fields,
        fingerprint: stage.keyring.fingerprint(&value),
        key: AttemptKey(format!("rotation-9:{text}")),
        replaces: replaces.as_ref(),
        environment: Some("production"),
    };
    store.write(&request, &ticket()).await.map(|version| version.0)
}

async fn current(store: &dyn SecretStore, at: &str) -> Option<String> {
    let state = store.inspect(&path(at)).await.unwrap();
    state.labelled(Label::Current).map(|stored| stored.version.0.clone())
}
