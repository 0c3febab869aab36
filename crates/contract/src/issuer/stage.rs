//! One issuer with its twin, and eyes on everything that comes out.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt::{Debug, Display},
    sync::Arc,
};

use domain::{CredentialId, Handle, Marker, RotationId};
use driver::{
    AttemptKey, Budget, Calls, Clock, DriverError, Found, IssueRequest, Issued, Issuer, Lookup, Ports, Revoked, Scope,
    Settings, Subject, Ticket, Trial,
};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use secret::{Secret, SecretMap};
use serde_json::Value;
use twin::{OptionSet, Side};

use super::IssuerCase;
use crate::{SeededEntropy, SimulatedClock, TwinHttp};

const START: &str = "2026-11-23T10:00:00Z";
const SEED: u64 = 7;

pub(super) struct Stage {
    pub case: IssuerCase,
    pub issuer: Arc<dyn Issuer>,
    pub http: Arc<TwinHttp>,
    pub clock: Arc<SimulatedClock>,
    ports: Ports,
    /// Everything that the driver gave away, as a log would show it.
    seen: RefCell<Vec<String>>,
}

impl Stage {
    pub(super) fn set(case: &IssuerCase, options: &[OptionSet]) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let options: Vec<(String, String)> = options
            .iter()
            .flat_map(|set| set.iter())
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let twin = (case.build_twin)(&options, SEED, start).expect("the stage's options are the twin's");
        let clock = Arc::new(SimulatedClock::at(start));
        let http = Arc::new(TwinHttp::new(twin, SEED, clock.clone()));
        let ports = Ports { http: http.clone(), clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(SEED)) };
        // As the binary wires it: every issuer is behind its budget.
        let ports = Calls::ports(&ports, Budget::default());
        let login = http.world().login();
        let issuer = Self::configure(case, &http, &ports, &login);
        Self { case: *case, issuer, http, clock, ports, seen: RefCell::default() }
    }

    fn configure(case: &IssuerCase, http: &TwinHttp, ports: &Ports, login: &Value) -> Arc<dyn Issuer> {
        let table = (case.settings)(http.world().base_url(), login);
        let settings = Settings { table, base_dir: ".".into() };
        (case.configure)(&settings, ports).expect("the twin's login configures the driver")
    }

    pub(super) fn login(&self) -> Value {
        self.http.world().login()
    }

    /// Another issuer on the same twin, with this login.
    pub(super) fn issuer_with(&self, login: &Value) -> Arc<dyn Issuer> {
        Self::configure(&self.case, &self.http, &self.ports, login)
    }

    /// Checks what holds for every play: no secret came out, and no address had an empty segment.
    pub(super) fn strike(self) {
        self.see(&self.issuer);
        let secrets = self.secrets();
        assert!(!secrets.is_empty(), "a twin has secrets in its state");
        for seen in self.seen.borrow().iter() {
            let leak = secrets.iter().find_map(|secret| seen.split_once(secret.as_str()));
            // The panic must not carry the secret into a log either: it shows what stands before it.
            let before = leak.map(|(before, _)| before.chars().rev().take(120).collect::<Vec<_>>());
            let before = before.map(|chars| chars.into_iter().rev().collect::<String>());
            assert!(before.is_none(), "a secret came out after `{}`", before.unwrap_or_default());
        }
        for call in self.http.world().calls().filter(|call| call.side == Side::Platform) {
            let empty = call.path.trim_start_matches('/').split('/').any(str::is_empty);
            assert!(!empty, "{} {} has an empty segment", call.method, call.path);
        }
    }

    fn secrets(&self) -> BTreeSet<String> {
        let world = self.http.world();
        let mut secrets = BTreeSet::from_iter(self.http.bearers());
        for value in [world.state(self.clock.now()), world.login()] {
            collect_secrets(&value, &mut secrets);
        }
        secrets
    }

    pub(super) fn see(&self, value: &impl Debug) {
        self.seen.borrow_mut().push(format!("{value:?}"));
    }

    fn seen<T: Debug>(&self, answer: Result<T, DriverError>) -> Result<T, DriverError> {
        self.see(&answer);
        if let Err(error) = &answer {
            self.seen.borrow_mut().push((error as &dyn Display).to_string());
            assert!(error.message.chars().count() < 500, "a message is short: {error}");
        }
        answer
    }

    pub(super) fn fault(&self, spec: &str) {
        self.http.world().add_fault(spec.parse().unwrap());
    }

    pub(super) fn clear_faults(&self) {
        self.http.world().clear_faults();
    }

    /// Our clock and the twin's together.
    pub(super) fn pass(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// Long enough for every change to hold everywhere.
    pub(super) fn propagate(&self) {
        self.pass(self.issuer.facts().main.propagation);
    }

    pub(super) async fn try_list(&self, scope: Scope) -> Result<Vec<Found>, DriverError> {
        let mut pages = self.issuer.list(scope);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = self.seen(page)?;
            all.extend(page.found);
        }
        Ok(all)
    }

    pub(super) async fn list(&self) -> Vec<Found> {
        self.try_list(Scope::All).await.expect("a listing succeeds")
    }

    pub(super) async fn siblings(&self, of: &Found) -> Vec<Found> {
        self.try_list(Scope::Siblings(subject(of))).await.expect("a listing of siblings succeeds")
    }

    /// Some credential of the platform, always the same.
    pub(super) async fn one(&self) -> Found {
        let mut all = self.list().await;
        all.sort_by(|one, other| one.names.cmp(&other.names));
        all.into_iter().next().expect("the stage has a credential")
    }

    pub(super) async fn try_issue(&self, request: &IssueRequest<'_>) -> Result<Issued, DriverError> {
        self.seen(self.issuer.issue(request, &ticket()).await)
    }

    pub(super) async fn issue_beside(&self, original: &Found) -> Issued {
        self.try_issue(&successor(original, 1)).await.expect("issuing succeeds")
    }

    pub(super) async fn try_revoke(&self, of: &Found, handle: &Handle) -> Result<Revoked, DriverError> {
        self.seen(self.issuer.revoke(&subject(of), handle, &ticket()).await)
    }

    pub(super) async fn look_up(&self, of: &Found, handle: &Handle) -> Lookup {
        self.seen(self.issuer.look_up(&subject(of), handle).await).expect("a look-up succeeds")
    }

    pub(super) async fn try_rename(
        &self,
        of: &Found,
        handle: &Handle,
        name: &str,
        title: &str,
    ) -> Result<(), DriverError> {
        let renamer = self.issuer.renamer().expect("this platform has names");
        self.seen(renamer.rename(&subject(of), handle, name, title, &ticket()).await)
    }

    /// `None` where the platform has no way to try.
    pub(super) async fn verify(&self, of: &Found, handle: &Handle, secret: &SecretMap) -> Option<Trial> {
        let verifier = self.issuer.verifier()?;
        Some(self.seen(verifier.verify(&subject(of), handle, secret).await).expect("a trial has a result"))
    }

    /// The gateway's answer to a consumer with this secret.
    pub(super) fn gateway(&self, secret: &SecretMap) -> Option<u16> {
        let header = |(header, field): &(&str, &str)| {
            let value = secret.get(field).expect("the secret has the gateway's fields");
            (header.to_lowercase(), value.expose_text().expect("it is text").to_owned())
        };
        self.http.gateway(self.case.gateway.iter().map(header).collect())
    }

    /// The same secret with another value in the field that matters.
    pub(super) fn forged(&self, secret: &SecretMap) -> SecretMap {
        let (_, last) = self.case.gateway.last().expect("the gateway needs something");
        SecretMap::new(secret.iter().map(|(field, value)| {
            let forged = if field == *last { Secret::from_text("f".repeat(32)) } else { value.duplicate() };
            (field.to_owned(), forged)
        }))
    }

    /// The ids of what lives, by the twin's own account.
    pub(super) fn live(&self) -> BTreeSet<String> {
        self.credentials().into_iter().filter(|(_, live)| *live).map(|(id, _)| id).collect()
    }

    /// Everything that ever lived, too.
    pub(super) fn ever(&self) -> BTreeSet<String> {
        self.credentials().into_iter().map(|(id, _)| id).collect()
    }

    fn credentials(&self) -> Vec<(String, bool)> {
        let state = self.http.world().state(self.clock.now());
        let credentials = state["credentials"].as_array().expect("a twin's state lists its credentials");
        let read = |it: &Value| (it["id"].as_str().unwrap().to_owned(), it["live"].as_bool().unwrap());
        credentials.iter().map(read).collect()
    }

    /// How many calls of this route the twin has seen.
    pub(super) fn calls_of(&self, route: &str) -> usize {
        self.http.world().calls().filter(|call| call.route == route).count()
    }
}

pub(super) fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

pub(super) fn subject(found: &Found) -> Subject {
    let credential = CredentialId::new("issuer", found.names.iter().map(String::as_str)).unwrap();
    Subject { credential, locator: found.locator.clone() }
}

pub(super) fn name(found: &Found) -> &str {
    found.names.last().unwrap()
}

/// What the engine would ask for.
pub(super) fn successor(original: &Found, attempt: u32) -> IssueRequest<'static> {
    IssueRequest {
        subject: subject(original),
        name: format!("{}{}", name(original), domain::SUCCESSOR_SUFFIX),
        title: format!("{}{}", original.title, domain::SUCCESSOR_SUFFIX),
        marker: Marker::new(&RotationId::new("0192f0e4-contract"), attempt),
        replaces: Some(original.handle.clone()),
        token: AttemptKey(format!("0192f0e4-contract:{attempt}")),
        chosen: None,
        minted_from: None,
    }
}

pub(super) fn with_marker<'a>(listed: &'a [Found], request: &IssueRequest) -> Option<&'a Found> {
    listed.iter().find(|found| found.marker.as_ref() == Some(&request.marker))
}

pub(super) fn handles(found: &[Found]) -> BTreeSet<String> {
    let handles: BTreeSet<String> = found.iter().map(|found| found.handle.as_str().to_owned()).collect();
    assert_eq!(handles.len(), found.len(), "each credential is told once");
    handles
}

/// Every text under a key that says it is secret.
fn collect_secrets(value: &Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let secret = ["secret", "password", "api_key", "token"].iter().any(|word| key.contains(word));
                match value.as_str().filter(|text| secret && !text.is_empty()) {
                    Some(text) => drop(secrets.insert(text.to_owned())),
                    None => collect_secrets(value, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_secrets(item, secrets)),
        _ => {}
    }
}
