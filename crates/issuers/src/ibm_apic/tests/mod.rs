//! What the contract does not ask of every platform: this one's own ways to go wrong.

mod listing;
mod login;
mod speed;
mod verbs;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use contract::{SeededEntropy, SimulatedClock, TwinHttp};
use domain::{CredentialId, Handle, Marker, RotationId};
use driver::{
    AttemptKey, Body, Budget, Calls, Clock, DriverError, Found, Http, HttpError, HttpRequest, HttpResponse,
    IssueRequest, Issued, Issuer, Ports, Scope, Settings, Subject, Ticket,
};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{configure, twin_options};

/// What happens to a call on its way: `None` lets it through.
type Hook = dyn Fn(&HttpRequest, &TwinHttp) -> Option<HttpResponse> + Send + Sync;
/// What happens to an answer on its way back.
type Edit = dyn Fn(&HttpRequest, &mut Value) + Send + Sync;

/// Something between the driver and the platform.
struct Between {
    twin: Arc<TwinHttp>,
    hook: Box<Hook>,
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
        if let Some(answer) = (self.hook)(&request, &self.twin) {
            return Ok(answer);
        }
        let mut response = self.twin.send(request.clone()).await?;
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
    issuer: Arc<dyn Issuer>,
}

#[derive(Default)]
struct Setup {
    options: Vec<(&'static str, &'static str)>,
    hook: Option<Box<Hook>>,
    edit: Option<Box<Edit>>,
    latency: Duration,
    budget: Budget,
    api_key: bool,
}

impl Setup {
    fn with(options: &[(&'static str, &'static str)]) -> Self {
        Self { options: options.to_vec(), ..Self::default() }
    }

    /// Two organisations with two applications, one old credential in each.
    fn small() -> Self {
        Self::with(&[("consumer-orgs", "2"), ("apps", "2"), ("age", "95d")])
    }

    fn and(mut self, name: &'static str, value: &'static str) -> Self {
        self.options.push((name, value));
        self
    }

    fn hook(mut self, hook: impl Fn(&HttpRequest, &TwinHttp) -> Option<HttpResponse> + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    fn edit(mut self, edit: impl Fn(&HttpRequest, &mut Value) + Send + Sync + 'static) -> Self {
        self.edit = Some(Box::new(edit));
        self
    }

    fn stage(self) -> Stage {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let options: Vec<_> =
            self.options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let clock = Arc::new(SimulatedClock::at(start));
        let twin = twin_options::build(&options, 7, start).unwrap();
        let twin = Arc::new(TwinHttp::with_latency(twin, 7, clock.clone(), self.latency));
        let http = Arc::new(Between {
            twin: twin.clone(),
            hook: self.hook.unwrap_or_else(|| Box::new(|_, _| None)),
            edit: self.edit.unwrap_or_else(|| Box::new(|_, _| ())),
        });
        let ports = Ports { http, clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)) };
        let login = twin.world().login();
        let mut table = twin_options::settings(twin.world().base_url(), &login);
        if self.api_key {
            for key in ["realm", "username", "password"] {
                table.remove(key);
            }
            table.insert("api_key".to_owned(), login["api_key"].as_str().unwrap().into());
        }
        let settings = Settings { table, base_dir: ".".into() };
        let issuer = configure(&settings, &Calls::ports(&ports, self.budget)).unwrap();
        Stage { twin, clock, issuer }
    }
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

    async fn one(&self) -> Found {
        self.list().await.swap_remove(0)
    }

    async fn issue(&self, original: &Found) -> Result<Issued, DriverError> {
        let request = IssueRequest {
            subject: subject(original),
            name: "successor".to_owned(),
            title: "Successor".to_owned(),
            marker: Marker::new(&RotationId::new("0192-unit"), 1),
            replaces: Some(original.handle.clone()),
            token: AttemptKey("0192-unit:1".to_owned()),
            chosen: None,
            minted_from: None,
            current: None,
        };
        self.issuer.issue(&request, &ticket()).await
    }

    /// Everything that the platform knows.
    fn state(&self) -> Value {
        self.twin.world().state(self.clock.now())
    }

    fn live(&self) -> Vec<String> {
        let state = self.state();
        let credentials = state["credentials"].as_array().unwrap().clone();
        let live = credentials.iter().filter(|it| it["live"] == true);
        let mut ids: Vec<String> = live.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    fn calls_of(&self, route: &str) -> usize {
        self.twin.world().calls().filter(|call| call.route == route).count()
    }
}

/// A person at the console acts.
fn tamper(twin: &TwinHttp, action: Value) {
    let now = twin.now();
    twin.world().tamper(now, &action).unwrap();
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn subject(found: &Found) -> Subject {
    let credential = CredentialId::new("apic", found.names.iter().map(String::as_str)).unwrap();
    Subject { credential, locator: found.locator.clone() }
}

fn ids(found: &[Found]) -> Vec<String> {
    let mut ids: Vec<String> = found.iter().map(|found| found.handle.as_str().to_owned()).collect();
    ids.sort();
    ids
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body(body.to_owned().into()) }
}

fn at_credential(request: &HttpRequest) -> bool {
    request.url.path().rsplit('/').nth(1) == Some("credentials")
}

fn unknown_handle() -> Handle {
    Handle::parse("0b1e7a54-93c1-4f0e-8d7a-0123456789ab").unwrap()
}

fn delete_app(org: &str, app: &str) -> Value {
    json!({ "action": "delete_app", "consumer_org": org, "app": app })
}
