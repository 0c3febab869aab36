//! A real driver in a deterministic world: the real planner, engine, journal, database and embedded store, and the
//! driver of IBM API Connect with everything of it down to its HTTP calls, against its twin.
//!
//! What the model platform of the other plays cannot show is watched here: paging, logins, retries of reads, markers
//! in a description, names that are taken, analytics. One thread, one seed, no socket, no time.

mod consumers;
mod network;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};

use contract::{SeededEntropy, SimulatedClock, TwinHttp};
use db::{Db, IssuerView, Issuers, Journal};
use domain::{CredentialId, Destination, Duration, Mode, Policy, RetireWhen, SecretPath, Timestamp};
use driver::{Budget, Calls, Clock as _, HttpRequest, Method, Ports, Settings};
use engine::{Applied, ConfiguredIssuer, Engine, Parts, Policies, ProbeTemplate, RunRequest, Silent};
use futures_util::FutureExt as _;
use promises::{Account, Breach, Line, Promise, Reading, Record, Served, at_rest};
use secret::{Keyring, RootKey, SecretMap};
use serde_json::Value;
use stores::embedded::{EmbeddedReader, EmbeddedStore};
use twin::Call;
use url::Url;

pub use self::network::Mishap;
use self::{
    consumers::{Consumers, Pair, read},
    network::Network,
};

const START: &str = "2026-11-23T10:00:00Z";
const SEED: u64 = 7;
const ISSUER: &str = "apic";
const STORE: &str = "local";
/// Two applications, each with a credential whose time has come, and gateways that hear of a change later.
const ESTATE: [(&str, &str); 4] = [("consumer-orgs", "1"), ("apps", "2"), ("age", "95d"), ("propagation", "30s")];

const OVERLAP: Duration = Duration::from_hours(5 * 24);
const QUIET_FOR: Duration = Duration::from_hours(24);
/// What the proof before a revocation may have missed: it may be half an hour old, and a call is on its way.
const UNSEEN: Duration = Duration::from_mins(45);

/// Until everything is at rest. A rotation takes a dozen.
const RUNS_MAX: usize = 100;
const PAUSE_LEAST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_hours(24);
/// Consumers call at least so often while the engine waits.
const STRIDE: Duration = Duration::from_hours(4);

/// What came of a play.
#[derive(Debug)]
pub struct Outcome {
    pub breaches: Vec<Breach>,
    /// HTTP calls of the engine.
    pub points: usize,
    pub runs: usize,
    pub rotations: usize,
}

/// Plays one rotation of the whole estate, with one mishap at one call.
pub fn play_real_driver(mishap: Option<(usize, Mishap)>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Player::new(mishap).play())
}

struct Player {
    network: Arc<Network>,
    clock: Arc<SimulatedClock>,
    db: Arc<Db>,
    ports: Ports,
    reader: EmbeddedReader,
    before: BTreeSet<String>,
    paths: Vec<String>,
}

thread_local! {
    /// One for all plays of a thread: compiling its statements takes longer than a play.
    static DATABASE: Arc<Db> = Arc::new(Db::in_memory().unwrap());
}

impl Player {
    fn new(mishap: Option<(usize, Mishap)>) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let db = DATABASE.with(Arc::clone);
        db.empty().unwrap();
        let clock = Arc::new(SimulatedClock::at(start));
        let options: Vec<_> = ESTATE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let twin = (issuers::ibm_apic::DRIVER.twin.build)(&options, SEED, start).unwrap();
        let twin = Arc::new(TwinHttp::new(twin, SEED, clock.clone()));
        let reader = EmbeddedReader::new(STORE, db.clone(), keyring());
        let state = control(&twin, start, "/state");
        let estate = state["credentials"].as_array().unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        let before = estate.iter().map(|one| text(one, "id")).collect();
        let pair = |one: &Value| (credential(one), (text(one, "client_id"), text(one, "client_secret")));
        let places: Vec<(String, Pair)> = estate.iter().map(pair).collect();
        let paths = places.iter().map(|(path, _)| path.clone()).collect();
        let consumers = Consumers::new(reader.clone(), &places);
        let network = Arc::new(Network::new(twin, clock.clone(), consumers, mishap));
        let entropy = Arc::new(SeededEntropy::new(SEED));
        let ports = Ports { http: network.clone(), clock: clock.clone(), entropy };
        Self { network, clock, db, ports, reader, before, paths }
    }

    async fn play(&self) -> Outcome {
        let mut engine = None;
        let mut ended = None;
        for run in 0..RUNS_MAX {
            let report = tokio::select! {
                report = self.run(&mut engine) => Some(report),
                () = self.network.death.comes() => None,
            };
            self.network.turn().await;
            let Some(report) = report else {
                engine = None;
                self.pass(PAUSE_LEAST).await;
                continue;
            };
            let idle = report.performed.is_empty() && report.troubles.is_empty() && report.broken.is_none();
            if idle && report.waiting == 0 && report.retrying.is_empty() {
                ended = Some(run + 1);
                break;
            }
            let now = self.clock.now();
            let pause = report.next_at.map_or(PAUSE_LEAST, |at| at.duration_since(now));
            self.pass(pause.clamp(PAUSE_LEAST, PAUSE_MOST)).await;
        }
        let (account, rotations) = self.account();
        let mut breaches = at_rest(&account);
        if ended.is_none() {
            breaches.push(Breach { promise: Promise::Liveness, words: format!("no rest after {RUNS_MAX} runs") });
        }
        Outcome { breaches, points: self.network.points(), runs: ended.unwrap_or(RUNS_MAX), rotations }
    }

    async fn run(&self, engine: &mut Option<Engine>) -> engine::RunReport {
        if engine.is_none() {
            *engine = Some(self.start().await);
        }
        let engine = engine.as_ref().expect("it was started");
        engine.run_once(&RunRequest::everything(), &Silent).await.expect("the database is sound")
    }

    /// A new process on the same database, wired as the binary is.
    async fn start(&self) -> Engine {
        let driver = issuers::ibm_apic::DRIVER;
        let (base_url, login) = {
            let world = self.network.twin.world();
            (world.base_url().to_owned(), world.login())
        };
        let settings = Settings { table: (driver.twin.settings)(&base_url, &login), base_dir: ".".into() };
        let issuer = (driver.configure)(&settings, &Calls::ports(&self.ports, Budget::default())).unwrap();
        let facts = issuer.facts();
        let store = EmbeddedStore::new(self.reader.clone(), self.clock.clone());
        let gateway = Url::parse(self.network.twin.world().gateway_url()).unwrap().join("/ping").unwrap();
        let parts = Parts {
            db: self.db.clone(),
            journal: Journal::open(self.db.clone()).await.unwrap(),
            keyring: keyring(),
            ports: self.ports.clone(),
            issuers: vec![ConfiguredIssuer { name: ISSUER.to_owned(), driver: issuer, facts }],
            stores: BTreeMap::from([(STORE.to_owned(), Arc::new(store) as _)]),
            policies: Arc::new(Configured { probe: Arc::new(Ping(gateway)) }),
        };
        Engine::new(parts).await.unwrap()
    }

    async fn pass(&self, by: Duration) {
        let end = self.clock.now().saturating_add(by).unwrap();
        while self.clock.now() < end {
            self.clock.advance(end.duration_since(self.clock.now()).min(STRIDE));
            self.network.turn().await;
        }
    }

    /// What everybody saw, and how many rotations came to their end.
    fn account(&self) -> (Account, usize) {
        let facts = (issuers::ibm_apic::DRIVER.facts)(&Settings { table: toml::Table::new(), base_dir: ".".into() });
        let view = IssuerView { facts: facts.unwrap(), now: self.clock.now() };
        let mut account = Account::default();
        let mut rows = BTreeMap::new();
        self.db
            .scan_entries(&Issuers::from([(ISSUER.to_owned(), view)]), |entry| {
                account.records.extend(Record::all(&entry.observed));
                rows.insert(entry.id, entry.observed.credential.to_string());
            })
            .unwrap();
        let lines = self.db.journal_from(0).now_or_never().expect("it answers at once").unwrap();
        let rotations =
            lines.iter().filter(|line| line.step == "complete" && line.phase == domain::Phase::Done).count();
        for line in lines {
            account.texts.push((format!("line {} of the journal", line.entry), format!("{line:?}")));
            account.journal.push(Line {
                entry: line.entry,
                credential: rows[&line.credential_id].clone(),
                step: line.step,
                version: line.version.map(|version| version.0),
                phase: line.phase,
            });
        }
        let (twin, now) = (&self.network.twin, self.clock.now());
        let (state, calls) = (control(twin, now, "/state"), control(twin, now, "/calls"));
        let reading = Reading { public: "client_id", secret: "client_secret", credential, before: &self.before };
        account.told_by_twin(&state, &calls, &reading, str::to_owned);
        for path in &self.paths {
            let pair = read(&self.reader, path);
            let is_it = |one: &&Value| {
                pair.as_ref().is_some_and(|(id, secret)| one["client_id"] == **id && one["client_secret"] == **secret)
            };
            let served = state["credentials"].as_array().unwrap().iter().find(is_it);
            account.served.push(Served {
                place: path.clone(),
                credential: path.clone(),
                version: served.map(|one| one["id"].as_str().unwrap().to_owned()),
            });
            account.policies.insert(path.clone(), promised(path));
        }
        (account, rotations)
    }
}

fn promised(path: &str) -> promises::Policy {
    promises::Policy {
        name: "ninety".to_owned(),
        parent: path.rsplit_once('/').unwrap().0.to_owned(),
        live_max: None,
        overlap: OVERLAP,
        quiet_for: Some(QUIET_FOR),
        unseen: UNSEEN,
    }
}

fn control(twin: &TwinHttp, now: Timestamp, path: &str) -> Value {
    let call = Call {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    };
    serde_json::from_slice(&twin.world().control(now, &call).body).unwrap()
}

/// The credential of which an entry of the twin's state is a version, which is also the path of its secret.
fn credential(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap();
    let name = text("name");
    let name = name.strip_suffix(domain::SUCCESSOR_SUFFIX).unwrap_or(name);
    format!("{ISSUER}/{}/{}/{name}", text("consumer_org"), text("app"))
}

/// One policy for everything, as in the main job.
#[derive(Debug)]
struct Configured {
    probe: Arc<Ping>,
}

impl Policies for Configured {
    fn applied(&self, credential: &CredentialId, _now: Timestamp) -> Option<Applied> {
        let path = SecretPath::parse(credential.as_str()).unwrap();
        let policy = Policy {
            name: "ninety".to_owned(),
            mode: Mode::Automatic,
            rotate_after: Duration::from_hours(90 * 24),
            overlap: OVERLAP,
            retire_when: RetireWhen::Quiet,
            quiet_for: QUIET_FOR,
            retire_after: Duration::from_hours(100 * 24),
            deliver: vec![Destination { store: STORE.into(), path }],
            consumers: Arc::default(),
            task_within: Duration::from_hours(7 * 24),
            begin_not_before: None,
        };
        Some(Applied::plain(policy, Some(self.probe.clone())))
    }
}

/// Tries a version at the gateway, where consumers use it.
struct Ping(Url);

impl fmt::Debug for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ping({})", self.0)
    }
}

impl ProbeTemplate for Ping {
    fn request(&self, secret: &SecretMap) -> Result<HttpRequest, String> {
        let mut request = HttpRequest::new(Method::Get, self.0.clone());
        for (header, field) in issuers::ibm_apic::DRIVER.gateway {
            let value = secret.get(field).and_then(|value| value.expose_text());
            let value = value.ok_or_else(|| format!("the secret has no `{field}`"))?;
            request.custom_headers.push(((*header).to_owned(), value.to_owned()));
        }
        Ok(request)
    }

    fn in_full(&self) -> String {
        self.0.to_string()
    }

    fn expect(&self) -> u16 {
        200
    }
}

/// One for all plays: nothing of a play depends on its bytes.
fn keyring() -> Arc<Keyring> {
    static KEYRING: OnceLock<Arc<Keyring>> = OnceLock::new();
    let create = || Arc::new(Keyring::create(&RootKey::generate().unwrap()).unwrap().0);
    KEYRING.get_or_init(create).clone()
}

/// Every mishap at every call of one rotation.
#[derive(Debug, Default)]
pub struct RealFaults {
    pub points: usize,
    pub runs: usize,
    /// The call, the mishap, and what broke.
    pub broken: Vec<(usize, Mishap, Breach)>,
}

/// Plays once without a mishap, which counts the calls, then once for each mishap at each of them.
pub fn real_faults() -> RealFaults {
    let smooth = play_real_driver(None);
    assert_eq!(smooth.breaches, [], "without any mishap");
    assert_eq!(smooth.rotations, 2);
    let plays: Vec<(usize, Mishap)> =
        (0..smooth.points).flat_map(|point| Mishap::ALL.map(|mishap| (point, mishap))).collect();
    let played = crate::survey::on_every_core(&plays, |(point, mishap)| {
        play_real_driver(Some((*point, *mishap))).breaches.into_iter().next()
    });
    let broken = plays.iter().zip(played).filter_map(|((at, mishap), breach)| Some((*at, *mishap, breach?)));
    RealFaults { points: smooth.points, runs: plays.len(), broken: broken.collect() }
}
