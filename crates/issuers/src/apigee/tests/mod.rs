//! What the contract does not ask of every platform: the other generation, and this platform's own ways to go wrong.

mod issue;
mod listing;
mod login;
mod untold;
mod usage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use contract::{
    SeededEntropy, SimulatedClock, TwinHttp,
    issuer::{IssuerCase, check_all},
};
use domain::{CredentialId, Marker, RotationId};
use driver::{
    AttemptKey, Body, Budget, Calls, Clock, DriverError, Effect, Found, Http, HttpError, HttpFailure, HttpRequest,
    HttpResponse, IssueRequest, Issued, Issuer, Method, Ports, Scope, Settings, Subject, Ticket,
};
use futures_util::StreamExt;
use jiff::Timestamp;
use secret::SecretMap;
use serde_json::Value;
use twin::Stages;

use super::{DRIVER, twin_options};

/// Edge in the public cloud, with a login endpoint. The list of drivers plays X, and variants of Edge beside it.
const EDGE: Stages = Stages {
    small: &[("generation", "edge"), ("developers", "3"), ("groups", "1"), ("apps", "2"), ("age", "95d")],
    // A hundred apps of one developer are a page.
    large: &[("generation", "edge"), ("developers", "2"), ("apps", "250"), ("age", "95d")],
    variants: &[
        &[("private-cloud", ""), ("basic-only", "")],
        &[("credentials", "2"), ("bounded", ""), ("unknown-fields", "")],
        &[("replication-lag", "30s"), ("action-200", ""), ("pending-products", "false")],
    ],
    no_usage: Some(&[("no-analytics", "")]),
    short_login: Some(&[("token-expires-in", "60")]),
    waived: &[],
};

#[test]
fn edge_keeps_the_contract_as_x_does() {
    check_all(&IssuerCase {
        driver: "apigee of the generation edge",
        levels: DRIVER.levels.len(),
        gateway: DRIVER.gateway,
        stages: EDGE,
        configure: DRIVER.configure,
        build_twin: DRIVER.twin.build,
        settings: DRIVER.twin.settings,
    });
}

/// What goes wrong with one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It never arrives.
    Before,
    /// It takes effect, and the answer is lost.
    After,
}

type Edit = dyn Fn(&HttpRequest, &mut Value) + Send + Sync;

/// Something between the driver and the platform.
struct Between {
    twin: Arc<TwinHttp>,
    /// Writes beside logins so far, and the one that is cut.
    writes: AtomicUsize,
    cut: Option<(usize, Cut)>,
    /// What happens to an answer on its way back.
    edit: Box<Edit>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between(..)")
    }
}

#[async_trait]
impl Http for Between {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |effect| HttpError { failure: HttpFailure::Broken, effect, detail: "cut".to_owned() };
        let is_write = request.method != Method::Get && !request.url.path().ends_with("token");
        let number = self.writes.fetch_add(usize::from(is_write), Ordering::SeqCst);
        let cut = self.cut.filter(|(at, _)| is_write && *at == number).map(|(_, cut)| cut);
        if cut == Some(Cut::Before) {
            return Err(broken(Effect::Unknown));
        }
        let mut response = self.twin.send(request.clone()).await?;
        if cut == Some(Cut::After) {
            return Err(broken(Effect::Unknown));
        }
        if let Ok(mut body) = serde_json::from_slice(&response.body.0) {
            (self.edit)(&request, &mut body);
            response.body = Body(body.to_string().into());
        }
        Ok(response)
    }
}

struct Stage {
    twin: Arc<TwinHttp>,
    clock: Arc<SimulatedClock>,
    between: Arc<Between>,
    issuer: Arc<dyn Issuer>,
}

#[derive(Default)]
struct Setup {
    options: Vec<(&'static str, &'static str)>,
    settings: Vec<(&'static str, toml::Value)>,
    without: Vec<&'static str>,
    cut: Option<(usize, Cut)>,
    edit: Option<Box<Edit>>,
}

const START: &str = "2026-11-23T10:00:00Z";
const GENERATIONS: [&str; 2] = ["x", "edge"];

impl Setup {
    /// Two developers with two apps, one old key in each.
    fn small(generation: &'static str) -> Self {
        let options = vec![("generation", generation), ("developers", "2"), ("apps", "2"), ("age", "95d")];
        Self { options, ..Self::default() }
    }

    fn and(mut self, name: &'static str, value: &'static str) -> Self {
        self.options.push((name, value));
        self
    }

    fn set(mut self, name: &'static str, value: impl Into<toml::Value>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.without.push(name);
        self
    }

    fn cut(mut self, write: usize, cut: Cut) -> Self {
        self.cut = Some((write, cut));
        self
    }

    fn edit(mut self, edit: impl Fn(&HttpRequest, &mut Value) + Send + Sync + 'static) -> Self {
        self.edit = Some(Box::new(edit));
        self
    }

    fn stage(self) -> Stage {
        let start: Timestamp = START.parse().unwrap();
        let options: Vec<_> =
            self.options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let clock = Arc::new(SimulatedClock::at(start));
        let twin = twin_options::build(&options, 7, start).unwrap();
        let twin = Arc::new(TwinHttp::new(twin, 7, clock.clone()));
        let edit = self.edit.unwrap_or_else(|| Box::new(|_, _| ()));
        let between = Arc::new(Between { twin: twin.clone(), writes: AtomicUsize::new(0), cut: self.cut, edit });
        let ports = Ports { http: between.clone(), clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)) };
        let login = twin.world().login();
        let mut table = twin_options::settings(twin.world().base_url(), &login);
        for name in self.without {
            table.remove(name);
        }
        table.extend(self.settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let settings = Settings { table, base_dir: ".".into() };
        let issuer = (DRIVER.configure)(&settings, &Calls::ports(&ports, Budget::default())).unwrap();
        Stage { twin, clock, between, issuer }
    }
}

/// What the engine keeps of an issue between its attempts.
struct Wanted {
    subject: Subject,
    replaces: Option<domain::Handle>,
    marker: Marker,
    chosen: SecretMap,
}

impl Stage {
    async fn try_list(&self, scope: Scope) -> Result<Vec<Found>, DriverError> {
        let mut pages = self.issuer.list(scope);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.extend(page?.found);
        }
        all.sort_by(|one, other| one.names.cmp(&other.names));
        Ok(all)
    }

    async fn list(&self) -> Vec<Found> {
        self.try_list(Scope::All).await.unwrap()
    }

    /// One whose key has a product that needs an approval.
    async fn one(&self) -> Found {
        let of_product = self.state();
        let all = self.list().await;
        let manual = |found: &&Found| {
            let products = &entry(&of_product, found.handle.as_str())["products"];
            products.to_string().contains("payments")
        };
        all.iter().find(manual).unwrap().clone()
    }

    fn wanted(&self, original: &Found) -> Wanted {
        let marker = Marker::new(&RotationId::new("0192-unit"), 2);
        let entropy = SeededEntropy::new(11);
        let chosen = self.issuer.minter().unwrap().choose(&subject(original), &marker, &entropy).unwrap();
        Wanted { subject: subject(original), replaces: Some(original.handle.clone()), marker, chosen }
    }

    async fn issue(&self, wanted: &Wanted) -> Result<Issued, DriverError> {
        let request = IssueRequest {
            subject: wanted.subject.clone(),
            name: "unused".to_owned(),
            title: "unused".to_owned(),
            marker: wanted.marker.clone(),
            replaces: wanted.replaces.clone(),
            token: AttemptKey("0192-unit:2".to_owned()),
            chosen: Some(&wanted.chosen),
            minted_from: None,
            current: None,
        };
        self.issuer.issue(&request, &ticket()).await
    }

    /// Everything that the platform knows.
    fn state(&self) -> Value {
        self.twin.world().state(self.clock.now())
    }

    /// What the platform knows of a key, by its handle or by itself.
    fn key(&self, key: &str) -> Value {
        entry(&self.state(), key).clone()
    }

    /// The key itself, which the driver does not tell.
    fn text(&self, of: &Found) -> String {
        self.key(of.handle.as_str())["consumer_key"].as_str().unwrap().to_owned()
    }

    fn live(&self) -> usize {
        self.state()["credentials"].as_array().unwrap().iter().filter(|it| it["live"] == true).count()
    }

    fn tamper(&self, action: Value) -> Value {
        let now = self.twin.now();
        self.twin.world().tamper(now, &action).unwrap()
    }

    fn gateway(&self, key: &str) -> Option<u16> {
        self.twin.gateway(vec![("x-api-key".to_owned(), key.to_owned())])
    }

    fn written(&self) -> usize {
        self.between.writes.load(Ordering::SeqCst)
    }
}

fn entry<'a>(state: &'a Value, key: &str) -> &'a Value {
    let is_it = |it: &&Value| it["id"] == key || it["consumer_key"] == key;
    state["credentials"].as_array().unwrap().iter().rfind(is_it).unwrap_or(&Value::Null)
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn subject(found: &Found) -> Subject {
    let credential = CredentialId::new("apigee", found.names.iter().map(String::as_str)).unwrap();
    Subject { credential, locator: found.locator.clone() }
}
