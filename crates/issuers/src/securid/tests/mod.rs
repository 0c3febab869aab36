//! What the contract does not ask of every platform: key files, trials, and what the simulated tenant refuses.

mod files;
mod strict;
mod trials;

use std::sync::Arc;

use contract::{SeededEntropy, SimulatedClock, TwinHttp};
use domain::{CredentialId, Handle};
use driver::{
    Body, Budget, Calls, DriverError, Http, HttpError, HttpRequest, HttpResponse, Issuer, Ports, Settings, Subject,
    Trial,
};
use jiff::Timestamp;
use secret::{Secret, SecretMap};
use serde_json::{Value, json};

use super::{configure, twin_options};

/// Something between the driver and the platform: what it answers, the platform is not asked.
type Hook = dyn Fn(&HttpRequest) -> Option<HttpResponse> + Send + Sync;

struct Between {
    twin: Arc<TwinHttp>,
    hook: Box<Hook>,
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between(..)")
    }
}

#[async_trait::async_trait]
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
    fn set(options: &[(&str, &str)]) -> Self {
        Self::with(options, |_| {}, |_| None)
    }

    /// With other settings than the twin's owner would write, and something in between.
    fn with(
        options: &[(&str, &str)],
        edit: impl FnOnce(&mut toml::Table),
        hook: impl Fn(&HttpRequest) -> Option<HttpResponse> + Send + Sync + 'static,
    ) -> Self {
        let start: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let clock = Arc::new(SimulatedClock::at(start));
        let twin = twin_options::build(&options, 7, start).unwrap();
        let twin = Arc::new(TwinHttp::new(twin, 7, clock.clone()));
        let http = Arc::new(Between { twin: twin.clone(), hook: Box::new(hook) });
        let ports = Ports { http, clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(7)) };
        let login = twin.world().login();
        let mut table = twin_options::settings(twin.world().base_url(), &login);
        edit(&mut table);
        let settings = Settings { table, base_dir: ".".into() };
        let issuer = configure(&settings, &Calls::ports(&ports, Budget::default())).unwrap();
        Self { twin, clock, issuer }
    }

    fn login(&self) -> Value {
        self.twin.world().login()
    }

    /// Acts at the console.
    fn console(&self, action: Value) -> Value {
        let now = self.twin.now();
        self.twin.world().tamper(now, &action).unwrap()
    }

    fn key_file(&self, name: &str) -> Value {
        let login = self.login();
        let keys = login["keys"].as_array().unwrap();
        keys.iter().find(|key| key["name"] == name).unwrap()["key_file"].clone()
    }

    fn read(&self, subject: &Subject, content: &str) -> Result<(Handle, SecretMap), DriverError> {
        let assisted = self.issuer.assisted().unwrap();
        let handed = assisted.read(subject, &Secret::from_text(content))?;
        Ok((handed.handle, handed.secret))
    }

    async fn verify(&self, subject: &Subject, handle: &Handle, secret: &SecretMap) -> Result<Trial, DriverError> {
        self.issuer.verifier().unwrap().verify(subject, handle, secret).await
    }

    /// Hands a file over and tries it.
    async fn try_file(&self, subject: &Subject, file: &Value) -> Trial {
        let (handle, secret) = self.read(subject, &file.to_string()).unwrap();
        self.verify(subject, &handle, &secret).await.unwrap()
    }
}

fn key(name: &str) -> Subject {
    of("legacy", name)
}

fn of(client_type: &str, name: &str) -> Subject {
    let credential = CredentialId::new("secid", ["acme", client_type, name]).unwrap();
    Subject { credential, locator: "acme".to_owned() }
}

fn answer(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body(body.to_owned().into()) }
}

fn add(name: &str, role: &str) -> Value {
    json!({ "action": "add_key", "name": name, "role": role })
}
