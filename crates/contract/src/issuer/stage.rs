//! One issuer with its twin, and eyes on everything that comes out.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::{Debug, Display},
    sync::Arc,
};

use domain::{Handle, IssuerFacts, Marker, Minting, Overlap, RotationId};
use driver::{
    AttemptKey, Budget, Calls, Clock, DriverError, Found, InvalidSettings, IssueRequest, Issued, Issuer, Listing,
    Lookup, Ports, Revoked, Scope, Settings, Subject, Ticket, Trial,
};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use promises::{Account, always};
use secret::{Secret, SecretMap};
use serde_json::Value;
use twin::{OptionSet, Side};

use super::{IssuerCase, one::One};
use crate::{SeededEntropy, SimulatedClock, TwinHttp};

const START: &str = "2026-11-23T10:00:00Z";
const SEED: u64 = 7;

pub(super) struct Stage {
    pub case: IssuerCase,
    pub issuer: Arc<dyn Issuer>,
    pub http: Arc<TwinHttp>,
    pub clock: Arc<SimulatedClock>,
    /// The kind of credential that is played here.
    pub kind: &'static str,
    options: Vec<OptionSet>,
    ports: Ports,
    /// The newest secret of each credential, by its names, as the engine would hold it.
    held: RefCell<BTreeMap<Vec<String>, SecretMap>>,
    /// Everything that the driver gave away, as a log would show it.
    seen: RefCell<Vec<String>>,
}

impl Stage {
    pub(super) fn set(case: &IssuerCase, sets: &[OptionSet], kind: &'static str) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let options: Vec<(String, String)> =
            sets.iter().flat_map(|set| set.iter()).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let twin = (case.build_twin)(&options, SEED, start).expect("the stage's options are the twin's");
        let clock = Arc::new(SimulatedClock::at(start));
        let http = Arc::new(TwinHttp::new(twin, SEED, clock.clone()));
        let ports = Ports { http: http.clone(), clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(SEED)) };
        // As the binary wires it: every issuer is behind its budget.
        let ports = Calls::ports(&ports, Budget::default());
        let login = http.world().login();
        let issuer = Self::configure(case, &http, &ports, &login);
        Self {
            case: *case,
            issuer,
            http,
            clock,
            kind,
            options: sets.to_vec(),
            ports,
            held: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    /// What is true of the kind that is played.
    pub(super) fn facts(&self) -> Arc<IssuerFacts> {
        self.issuer.facts().of(self.kind).clone()
    }

    /// The kinds of which this stage has a credential.
    pub(super) async fn kinds(&self) -> BTreeSet<&'static str> {
        self.all().await.iter().map(|one| one.kind).collect()
    }

    fn configure(case: &IssuerCase, http: &TwinHttp, ports: &Ports, login: &Value) -> Arc<dyn Issuer> {
        Self::try_configure(case, http, ports, login).expect("the twin's login configures the driver")
    }

    fn try_configure(
        case: &IssuerCase,
        http: &TwinHttp,
        ports: &Ports,
        login: &Value,
    ) -> Result<Arc<dyn Issuer>, InvalidSettings> {
        let table = (case.settings)(http.world().base_url(), login);
        let settings = Settings { table, base_dir: ".".into() };
        (case.configure)(&settings, ports)
    }

    pub(super) fn login(&self) -> Value {
        self.http.world().login()
    }

    /// Another issuer on the same twin, with this login.
    pub(super) fn issuer_with(&self, login: &Value) -> Arc<dyn Issuer> {
        Self::configure(&self.case, &self.http, &self.ports, login)
    }

    /// The same with a login that the driver may refuse by its looks alone.
    pub(super) fn try_issuer_with(&self, login: &Value) -> Result<Arc<dyn Issuer>, InvalidSettings> {
        Self::try_configure(&self.case, &self.http, &self.ports, login)
    }

    /// Checks what holds for every play: no secret came out, and no address had an empty segment.
    pub(super) fn strike(self) {
        self.see(&self.issuer);
        let secrets = self.secrets();
        assert!(!secrets.is_empty(), "a twin has secrets in its state");
        let texts =
            self.seen.borrow().iter().map(|seen| ("what the driver gave away".to_owned(), seen.clone())).collect();
        let account = Account { texts, secrets: secrets.into_iter().collect(), ..Account::default() };
        let broken = always(&account);
        assert!(broken.is_empty(), "{}", broken[0]);
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
        self.pass(self.facts().propagation);
    }

    pub(super) async fn try_list(&self, scope: Scope) -> Result<Vec<Found>, DriverError> {
        Ok(self.try_whole(scope).await?.found)
    }

    /// All pages as one.
    pub(super) async fn try_whole(&self, scope: Scope) -> Result<Listing, DriverError> {
        let mut pages = self.issuer.list(scope);
        let mut all = Listing::default();
        while let Some(page) = pages.next().await {
            let page = self.seen(page)?;
            all.found.extend(page.found);
            all.declared.extend(page.declared);
        }
        Ok(all)
    }

    pub(super) async fn list(&self) -> Vec<Found> {
        self.try_list(Scope::All).await.expect("a listing succeeds")
    }

    /// What a listing shows of the kinds of which it shows everything.
    pub(super) async fn listed(&self) -> BTreeSet<String> {
        let facts = self.issuer.facts();
        let found = self.list().await.into_iter().filter(|found| facts.of(found.kind).lists_versions);
        handles(&found.collect::<Vec<_>>())
    }

    /// The route of the call that a listing makes, as the twin names it. `None`: it asks nobody.
    pub(super) async fn list_route(&self) -> Option<&'static str> {
        let rehearsal = Self::set(&self.case, &self.options, self.kind);
        rehearsal.list().await;
        let world = rehearsal.http.world();
        let asked = world.calls().filter(|call| call.side == Side::Platform && call.route != "login").last();
        asked.map(|call| call.route)
    }

    pub(super) async fn siblings(&self, of: &One) -> Vec<Found> {
        self.try_list(Scope::Siblings(of.subject())).await.expect("a listing of siblings succeeds")
    }

    /// Every credential, whether a version of it is shown or it is only declared.
    pub(super) async fn all(&self) -> Vec<One> {
        let listing = self.try_whole(Scope::All).await.expect("a listing succeeds");
        let mut all: Vec<One> = listing.found.into_iter().map(One::found).collect();
        for declared in listing.declared {
            if all.iter().all(|one| one.names != declared.names) {
                all.push(One::declared(declared));
            }
        }
        all
    }

    /// Some credential of the kind that is played, always the same.
    pub(super) async fn one(&self) -> One {
        let mut all = self.all().await;
        all.sort_by(|one, other| one.names.cmp(&other.names));
        all.into_iter().find(|one| one.kind == self.kind && !one.protected).expect("the stage has a credential")
    }

    /// What the engine would ask for.
    pub(super) fn wanted(&self, of: &One, attempt: u32) -> Wanted {
        let facts = self.facts();
        let suffix = if facts.names { domain::SUCCESSOR_SUFFIX } else { "" };
        let held = |names: &[String]| self.held.borrow().get(names).map(SecretMap::duplicate);
        let marker = Marker::new(&RotationId::new("0192f0e4-contract"), attempt);
        Wanted {
            subject: of.subject(),
            name: format!("{}{suffix}", of.name()),
            title: format!("{}{suffix}", of.title),
            replaces: of.version.as_ref().map(|(handle, _)| handle.clone()),
            token: AttemptKey(format!("0192f0e4-contract:{attempt}")),
            chosen: (facts.minting == Minting::ByUs).then(|| self.choose(of, &marker)),
            minted_from: of.minted_from.as_ref().and_then(|names| held(names)),
            current: if facts.overlap == Overlap::Replace { held(&of.names) } else { None },
            names: of.names.clone(),
            marker,
        }
    }

    /// A value for the platform to take.
    pub(super) fn choose(&self, of: &One, marker: &Marker) -> SecretMap {
        let minter = self.issuer.minter().expect("the facts say that we choose");
        let chosen = minter.choose(&of.subject(), marker, &*self.ports.entropy).expect("there is randomness");
        self.see(&chosen);
        chosen
    }

    pub(super) async fn try_issue(&self, wanted: &Wanted) -> Result<Issued, DriverError> {
        let issued = self.seen(self.issuer.issue(&wanted.request(), &ticket()).await)?;
        self.held.borrow_mut().insert(wanted.names.clone(), issued.secret.duplicate());
        Ok(issued)
    }

    pub(super) async fn issue_beside(&self, original: &One) -> Issued {
        self.try_issue(&self.wanted(original, 1)).await.expect("issuing succeeds")
    }

    /// The route of the call that makes a version of this kind, as the twin names it: where making one is logging in,
    /// that is the login.
    pub(super) async fn issue_route(&self) -> &'static str {
        let rehearsal = Self::set(&self.case, &self.options, self.kind);
        let original = rehearsal.one().await;
        rehearsal.issue_beside(&original).await;
        let world = rehearsal.http.world();
        let write = world.calls().filter(|call| call.side == Side::Platform && call.method != "GET").last();
        write.expect("a version is made by a call that is no GET").route
    }

    pub(super) async fn try_revoke(&self, of: &One, handle: &Handle) -> Result<Revoked, DriverError> {
        self.seen(self.issuer.revoke(&of.subject(), handle, &ticket()).await)
    }

    pub(super) async fn look_up(&self, of: &One, handle: &Handle) -> Lookup {
        self.seen(self.issuer.look_up(&of.subject(), handle).await).expect("a look-up succeeds")
    }

    pub(super) async fn try_rename(
        &self,
        of: &One,
        handle: &Handle,
        name: &str,
        title: &str,
    ) -> Result<(), DriverError> {
        let renamer = self.issuer.renamer().expect("this platform has names");
        self.seen(renamer.rename(&of.subject(), handle, name, title, &ticket()).await)
    }

    /// A trial of what may be no secret of this platform at all.
    pub(super) async fn try_verify(
        &self,
        of: &One,
        handle: &Handle,
        secret: &SecretMap,
    ) -> Option<Result<Trial, DriverError>> {
        let verifier = self.issuer.verifier()?;
        Some(self.seen(verifier.verify(&of.subject(), handle, secret).await))
    }

    /// `None` where the platform has no way to try.
    pub(super) async fn verify(&self, of: &One, handle: &Handle, secret: &SecretMap) -> Option<Trial> {
        Some(self.try_verify(of, handle, secret).await?.expect("a trial has a result"))
    }

    /// Whether the platform accepts it: at the gateway, where consumers of this kind go to one, and by the driver's own
    /// trial. Where there are both, they agree.
    pub(super) async fn accepts(&self, of: &One, handle: &Handle, secret: &SecretMap) -> bool {
        let gateway = self.headers(secret).map(|_| self.gateway(secret) == Some(200));
        let trial = self.verify(of, handle, secret).await.map(|trial| trial == Trial::Accepted);
        if let (Some(gateway), Some(trial)) = (gateway, trial) {
            assert_eq!(gateway, trial, "the gateway and the driver's trial disagree");
        }
        gateway.or(trial).expect("something can try it")
    }

    /// Whether consumers of this kind show their secret at the gateway.
    pub(super) fn has_gateway(&self, secret: &SecretMap) -> bool {
        self.headers(secret).is_some()
    }

    /// The gateway's answer to a consumer with this secret.
    pub(super) fn gateway(&self, secret: &SecretMap) -> Option<u16> {
        self.http.gateway(self.headers(secret).expect("the secret has the gateway's fields"))
    }

    fn headers(&self, secret: &SecretMap) -> Option<Vec<(String, String)>> {
        let header = |(header, template): &(&str, &str)| {
            let value = match template.split_once('{') {
                None => text(secret, template)?.to_owned(),
                Some((before, rest)) => {
                    let (field, after) = rest.split_once('}')?;
                    format!("{before}{}{after}", self.shown(secret, field)?)
                }
            };
            Some((header.to_lowercase(), value))
        };
        self.case.gateway.iter().map(header).collect()
    }

    /// A field; or what the secret signs, where it is not shown itself.
    fn shown(&self, secret: &SecretMap, field: &str) -> Option<String> {
        const SIGNED: &str = "signed";
        const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
        match self.issuer.signer().filter(|_| field == SIGNED) {
            Some(signer) => {
                let signed = signer.sign(secret, self.http.now(), LIFETIME).ok()?;
                Some(signed.expose_text().expect("it is text").to_owned())
            }
            None => text(secret, field).map(str::to_owned),
        }
    }

    /// The same secret with another value in the field that matters.
    pub(super) fn forged(&self, secret: &SecretMap) -> SecretMap {
        let (_, last) = self.case.gateway.last().expect("the gateway needs something");
        let last = last.split(['{', '}']).nth(1).unwrap_or(last);
        let matters = match secret.get(last) {
            Some(_) => last,
            None => secret.iter().max_by_key(|(_, value)| value.expose().len()).expect("a secret has fields").0,
        };
        SecretMap::new(secret.iter().map(|(field, value)| {
            let forged = if field == matters { Secret::from_text("f".repeat(32)) } else { value.duplicate() };
            (field.to_owned(), forged)
        }))
    }

    /// A person acts at the platform's console.
    pub(super) fn tamper(&self, action: &Value) -> Value {
        self.http.world().tamper(self.clock.now(), action).expect("the twin knows what a person does by hand")
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
        let facts = self.issuer.facts();
        let is_listed = |it: &&Value| facts.of(it["kind"].as_str().unwrap_or_default()).lists_versions;
        let credentials = credentials.iter().filter(is_listed);
        let read = |it: &Value| (it["id"].as_str().unwrap().to_owned(), it["live"].as_bool().unwrap());
        credentials.map(read).collect()
    }

    /// What the platform protects, by the twin's own account.
    pub(super) fn protected(&self) -> BTreeSet<String> {
        let state = self.http.world().state(self.clock.now());
        let credentials = state["credentials"].as_array().expect("a twin's state lists its credentials");
        let protected = credentials.iter().filter(|it| it["protected"] == true && it["live"] == true);
        protected.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }

    /// How many calls of this route the twin has seen.
    pub(super) fn calls_of(&self, route: &str) -> usize {
        self.http.world().calls().filter(|call| call.route == route).count()
    }
}

pub(super) fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

/// An [`IssueRequest`] that owns what it speaks of.
pub(super) struct Wanted {
    pub subject: Subject,
    pub name: String,
    pub title: String,
    pub marker: Marker,
    replaces: Option<Handle>,
    token: AttemptKey,
    pub chosen: Option<SecretMap>,
    minted_from: Option<SecretMap>,
    current: Option<SecretMap>,
    names: Vec<String>,
}

impl Wanted {
    pub(super) fn request(&self) -> IssueRequest<'_> {
        IssueRequest {
            subject: self.subject.clone(),
            name: self.name.clone(),
            title: self.title.clone(),
            marker: self.marker.clone(),
            replaces: self.replaces.clone(),
            token: self.token.clone(),
            chosen: self.chosen.as_ref(),
            minted_from: self.minted_from.as_ref(),
            current: self.current.as_ref(),
        }
    }
}

pub(super) fn with_marker<'a>(listed: &'a [Found], wanted: &Wanted) -> Option<&'a Found> {
    listed.iter().find(|found| found.marker.as_ref() == Some(&wanted.marker))
}

pub(super) fn handles(found: &[Found]) -> BTreeSet<String> {
    let handles: BTreeSet<String> = found.iter().map(|found| found.handle.as_str().to_owned()).collect();
    assert_eq!(handles.len(), found.len(), "each credential is told once");
    handles
}

/// A field's value as text.
pub(super) fn text<'a>(secret: &'a SecretMap, field: &str) -> Option<&'a str> {
    Some(secret.get(field)?.expose_text().expect("it is text"))
}

/// Every text under a key that says it is secret.
fn collect_secrets(value: &Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let words = ["secret", "password", "api_key", "consumer_key", "token", "private_key"];
                let secret = words.iter().any(|word| key.contains(word));
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
