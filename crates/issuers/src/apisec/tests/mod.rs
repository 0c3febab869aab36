//! What the contract does not ask of every platform: this one's own ways to go wrong.

mod hand_over;
mod sign_on;
mod tokens;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use contract::{SeededEntropy, SimulatedClock, TwinHttp};
use domain::{CredentialId, Handle, Marker, RotationId};
use driver::{
    AttemptKey, Body, DriverError, Http, HttpError, HttpRequest, HttpResponse, IssueRequest, Issued, Issuer, Ports,
    Settings, Subject, Ticket,
};
use jiff::Timestamp;
use secret::{Secret, SecretMap};
use serde_json::{Value, json};

use super::{PASSWORD, USERNAME, configure, twin_options};

/// What happens to a call on its way: `None` lets it through.
type Hook = dyn Fn(&HttpRequest) -> Option<HttpResponse> + Send + Sync;

/// Something between the driver and the platform.
struct Between {
    twin: Arc<TwinHttp>,
    hook: Box<Hook>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between(..)")
    }
}

#[async_trait]
impl Http for Between {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match (self.hook)(&request) {
            Some(answer) => Ok(answer),
            None => self.twin.send(request).await,
        }
    }
}

struct Stage {
    twin: Arc<TwinHttp>,
    clock: Arc<SimulatedClock>,
    issuer: Arc<dyn Issuer>,
}

impl Stage {
    fn new(options: &[(&str, &str)]) -> Self {
        Self::with(options, |_| (), |_| None)
    }

    fn hooked(hook: impl Fn(&HttpRequest) -> Option<HttpResponse> + Send + Sync + 'static) -> Self {
        Self::with(&[], |_| (), hook)
    }

    fn with(
        options: &[(&str, &str)],
        edit: impl FnOnce(&mut toml::Table),
        hook: impl Fn(&HttpRequest) -> Option<HttpResponse> + Send + Sync + 'static,
    ) -> Self {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let clock = Arc::new(SimulatedClock::at(start));
        let twin = twin_options::build(&options, 7, start).unwrap();
        let twin = Arc::new(TwinHttp::with_latency(twin, 7, clock.clone(), Duration::from_millis(20)));
        let http = Arc::new(Between { twin: twin.clone(), hook: Box::new(hook) });
        let ports = Ports { http, clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)) };
        let login = twin.world().login();
        let mut table = twin_options::settings(twin.world().base_url(), &login);
        edit(&mut table);
        let issuer = configure(&Settings { table, base_dir: ".".into() }, &ports).unwrap();
        Self { twin, clock, issuer }
    }

    fn chosen(&self) -> SecretMap {
        let minter = self.issuer.minter().unwrap();
        minter.choose(&subject("password"), &marker(1), &SeededEntropy::new(3)).unwrap()
    }

    async fn mint(&self, held: Option<&SecretMap>) -> Result<Issued, DriverError> {
        let request = IssueRequest { minted_from: held, ..request("token") };
        self.issuer.issue(&request, &ticket()).await
    }

    async fn change(&self, chosen: &SecretMap, current: Option<&SecretMap>) -> Result<Issued, DriverError> {
        let request = IssueRequest { chosen: Some(chosen), current, ..request("password") };
        self.issuer.issue(&request, &ticket()).await
    }

    fn tamper(&self, action: Value) -> Value {
        let now = self.twin.now();
        self.twin.world().tamper(now, &action).unwrap()
    }

    fn paths(&self) -> Vec<String> {
        self.twin.world().calls().map(|call| call.path.clone()).collect()
    }
}

fn request(kind: &str) -> IssueRequest<'static> {
    IssueRequest {
        subject: subject(kind),
        name: kind.to_owned(),
        title: kind.to_owned(),
        marker: marker(1),
        replaces: None,
        token: AttemptKey("0192-unit:1".to_owned()),
        chosen: None,
        minted_from: None,
        current: None,
    }
}

fn marker(attempt: u32) -> Marker {
    Marker::new(&RotationId::new("0192-unit"), attempt)
}

fn subject(kind: &str) -> Subject {
    Subject {
        credential: CredentialId::new("apisec", ["Acme", "svc-ci", kind]).unwrap(),
        locator: format!("svc-ci/{kind}"),
    }
}

fn handle() -> Handle {
    Handle::parse("some").unwrap()
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn pair(password: &str) -> SecretMap {
    SecretMap::new([
        (USERNAME.to_owned(), Secret::from_text("Acme//svc-ci@acme.example")),
        (PASSWORD.to_owned(), Secret::from_text(password)),
    ])
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body(body.to_owned().into()) }
}

fn signs_on(request: &HttpRequest) -> bool {
    request.url.path().ends_with("/login")
}

fn inside(words: &str) -> String {
    json!({ "errors": true, "messages": [{ "type": "ERROR", "value": words }], "data": null }).to_string()
}
