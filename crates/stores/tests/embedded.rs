//! The embedded store from outside: labels, repetition, sealing at rest, and a reader in another process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use contract::store::StoreFixture;
use db::{Access, Db, Rows, Unit, values};
use domain::{CredentialId, SecretPath, Timestamp};
use driver::{
    AttemptKey, Clock, Delivery, Discarded, DriverError, Effect, Entropy, Form, Http, HttpError, HttpFailure,
    HttpRequest, HttpResponse, Kind, Label, NoEntropy, Ports, SecretStore, Settings, StoreState, StoreVersion, Ticket,
};
use secret::{Keyring, OpenError, RootKey, SecretMap};
use stores::{
    StorePorts,
    embedded::{EmbeddedReader, SecretError},
};
use tempfile::TempDir;

#[derive(Debug)]
struct Still;

#[async_trait]
impl Http for Still {
    async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let detail = "no network here".to_owned();
        Err(HttpError { failure: HttpFailure::Unreachable, effect: Effect::NotApplied, detail })
    }
}

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}
}

impl Entropy for Still {
    fn next(&self) -> u64 {
        4
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        bytes.fill(4);
        Ok(())
    }
}

struct Fixture {
    ports: StorePorts,
    store: Arc<dyn SecretStore>,
}

impl Fixture {
    fn new(db: Db) -> Self {
        let (keyring, _) = Keyring::create(&RootKey::generate().unwrap()).unwrap();
        Self::with_keyring(db, keyring)
    }

    fn with_keyring(db: Db, keyring: Keyring) -> Self {
        let ports = Ports { http: Arc::new(Still), clock: Arc::new(Still), entropy: Arc::new(Still) };
        let ports = StorePorts { db: Arc::new(db), keyring: Arc::new(keyring), ports, asked: stores::Asked::default() };
        let store = (stores::find("embedded").unwrap().configure)("local", &no_settings(), &ports).unwrap();
        Self { ports, store }
    }

    fn reader(&self) -> EmbeddedReader {
        EmbeddedReader::new("local", self.ports.db.clone(), self.ports.keyring.clone())
    }

    async fn write(&self, at: &SecretPath, text: &str, key: &str) -> StoreVersion {
        let value = SecretMap::from(vec![("client_id", "id"), ("client_secret", text)]);
        let delivery = Delivery {
            at,
            credential: &CredentialId::parse("apic/acme/shop/key").unwrap(),
            value: &value,
            fingerprint: self.ports.keyring.fingerprint(&value),
            form: Form::Fields,
            key: AttemptKey(key.to_owned()),
            replaces: None,
            environment: None,
        };
        self.store.write(&delivery, &ticket()).await.unwrap()
    }

    async fn promote(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        expected: Option<&StoreVersion>,
    ) -> Result<(), DriverError> {
        self.store.labels().unwrap().promote(at, version, expected, &ticket()).await
    }

    /// Two versions: the first is current, the second pending.
    async fn two(&self, at: &SecretPath) -> [StoreVersion; 2] {
        let first = self.write(at, "old", "attempt 1").await;
        self.promote(at, &first, None).await.unwrap();
        [first, self.write(at, "new", "attempt 2").await]
    }

    async fn current(&self, at: &SecretPath) -> Option<String> {
        let read = self.reader().get(at, None).await.unwrap()?;
        assert_eq!(read.labels, [Label::Current]);
        Some(read.data.get("client_secret").unwrap().expose_text().unwrap().to_owned())
    }
}

fn no_settings() -> Settings {
    Settings { table: toml::Table::new(), base_dir: ".".into() }
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn path() -> SecretPath {
    SecretPath::parse("apic/acme/shop/key").unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn labels(state: &StoreState) -> Vec<(&str, &[Label])> {
    state.versions.iter().map(|version| (version.version.0.as_str(), version.labels.as_slice())).collect()
}

/// Every driver of the list: a new one says here what it needs, or the test fails.
#[test]
fn every_store_keeps_the_contract() {
    // Those that need a server play the suite where they have one.
    let elsewhere = [
        ("aws_secrets_manager", include_str!("../src/aws_secrets_manager/tests/mod.rs")),
        ("vault_kv2", include_str!("vault_kv2/contract_suite.rs")),
    ];
    for driver in stores::all() {
        if let Some((_, tests)) = elsewhere.iter().find(|(name, _)| *name == driver.name) {
            assert!(tests.contains("check_all("), "`{}` plays no suite", driver.name);
            continue;
        }
        wait(contract::store::check_all(async || {
            let settings = match driver.name {
                "embedded" => no_settings(),
                other => panic!("no settings for the contract of `{other}`"),
            };
            let ports = Fixture::new(Db::in_memory().unwrap()).ports;
            let store = (driver.configure)("checked", &settings, &ports).unwrap();
            let fingerprint = Box::new(move |value: &SecretMap| ports.keyring.fingerprint(value));
            StoreFixture { store, fingerprint, kept: Box::new(()) }
        }));
    }
}

#[test]
fn a_check_reaches_the_disk() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let fixture = Fixture::new(Db::open(dir.path(), Access::Engine).unwrap());
        let logged = || fs::metadata(dir.path().join("keyrota.db-wal")).map_or(0, |log| log.len());
        let before = logged();
        assert_eq!(fixture.store.check().await.unwrap(), ["the database can be written"]);
        assert!(logged() > before, "nothing was written, so that nothing was learned");
    });
}

#[test]
fn a_version_is_invisible_until_promoted() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let at = path();
        let first = fixture.write(&at, "old", "attempt 1").await;
        assert_eq!(fixture.current(&at).await, None);
        fixture.promote(&at, &first, None).await.unwrap();
        assert_eq!(fixture.current(&at).await.as_deref(), Some("old"));

        let second = fixture.write(&at, "new", "attempt 2").await;
        assert_eq!(fixture.current(&at).await.as_deref(), Some("old"));
        let state = fixture.store.inspect(&at).await.unwrap();
        assert_eq!(labels(&state), [("1", &[Label::Current][..]), ("2", &[Label::Pending])]);

        fixture.promote(&at, &second, Some(&first)).await.unwrap();
        fixture.promote(&at, &second, Some(&first)).await.unwrap();
        assert_eq!(fixture.current(&at).await.as_deref(), Some("new"));
        let state = fixture.store.inspect(&at).await.unwrap();
        assert_eq!(labels(&state), [("1", &[Label::Previous][..]), ("2", &[Label::Current])]);
        let expected = SecretMap::from(vec![("client_id", "id"), ("client_secret", "new")]);
        let found = state.labelled(Label::Current).unwrap().fingerprint;
        assert_eq!(found, Some(fixture.ports.keyring.fingerprint(&expected)));
    });
}

#[test]
fn a_repeated_write_adds_nothing() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let at = path();
        let [first, second] = fixture.two(&at).await;
        assert_eq!(fixture.write(&at, "new", "attempt 2").await, second);
        assert_eq!(fixture.store.inspect(&at).await.unwrap().versions.len(), 2);

        assert_eq!(fixture.store.discard(&at, &second, &ticket()).await.unwrap(), Discarded::Now);
        assert_eq!(fixture.store.discard(&at, &second, &ticket()).await.unwrap(), Discarded::GoneAlready);
        assert_eq!(fixture.write(&at, "new", "attempt 2").await, second, "also after it was discarded");
        let left = fixture.store.inspect(&at).await.unwrap();
        assert_eq!(labels(&left), [(first.0.as_str(), &[Label::Current][..])]);
    });
}

#[test]
fn promotion_from_elsewhere_than_expected_changes_nothing() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let at = path();
        let [_, second] = fixture.two(&at).await;
        let other = StoreVersion("7".to_owned());
        for expected in [None, Some(&other), Some(&StoreVersion("not ours".to_owned()))] {
            let error = fixture.promote(&at, &second, expected).await.unwrap_err();
            assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied));
        }
        let absent = fixture.promote(&at, &other, Some(&StoreVersion("1".to_owned()))).await.unwrap_err();
        assert_eq!(absent.kind, Kind::NotFound);
        assert_eq!(fixture.current(&at).await.as_deref(), Some("old"));
    });
}

#[test]
fn what_applications_read_is_not_discarded() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let at = path();
        let [first, _] = fixture.two(&at).await;
        let error = fixture.store.discard(&at, &first, &ticket()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        assert_eq!(fixture.current(&at).await.as_deref(), Some("old"));
    });
}

#[test]
fn writes_at_the_same_time_get_numbers_of_their_own() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let fixture = Fixture::new(Db::open(dir.path(), Access::Engine).unwrap());
        let at = path();
        let (one, other) = tokio::join!(fixture.write(&at, "a", "attempt a"), fixture.write(&at, "b", "attempt b"));
        assert_ne!(one, other);
        // The same attempt twice at a time is still one version.
        let (one, other) = tokio::join!(fixture.write(&at, "c", "attempt c"), fixture.write(&at, "c", "attempt c"));
        assert_eq!(one, other);
        assert_eq!(fixture.reader().versions(&at).unwrap().len(), 3);
    });
}

#[test]
fn a_sealed_row_moved_elsewhere_does_not_open() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let (at, elsewhere) = (path(), SecretPath::parse("apic/other/shop/key").unwrap());
        fixture.two(&at).await;
        fixture.two(&elsewhere).await;
        let move_row =
            "UPDATE kept_version SET sealed = (SELECT sealed FROM kept_version WHERE path = $2 AND number = 1)
            WHERE path = $1 AND number = 1";
        let unit = Unit::new().run(move_row, values![elsewhere.as_str(), at.as_str()], Rows::Exactly(1));
        fixture.ports.db.write(unit).await.unwrap();

        match fixture.reader().get(&elsewhere, None).await {
            Err(SecretError::Sealed { version: 1, source: OpenError::Altered, .. }) => {}
            other => panic!("{other:?}"),
        }
        let error = fixture.store.inspect(&elsewhere).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::NotApplied));
        assert_eq!(fixture.current(&at).await.as_deref(), Some("old"));
    });
}

#[test]
fn a_damaged_row_without_a_label_holds_nobody_up() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let [first, second] = fixture.two(&path()).await;
        fixture.promote(&path(), &second, Some(&first)).await.unwrap();
        let third = fixture.write(&path(), "newer", "attempt 3").await;
        fixture.promote(&path(), &third, Some(&second)).await.unwrap();
        let damage = "UPDATE kept_version SET sealed = x'00' WHERE number = $1";
        fixture.ports.db.write(Unit::new().run(damage, values![1_i64], Rows::Exactly(1))).await.unwrap();
        let state = fixture.store.inspect(&path()).await.unwrap();
        assert_eq!(labels(&state), [("2", &[Label::Previous][..]), ("3", &[Label::Current])]);
        fixture.ports.db.write(Unit::new().run(damage, values![3_i64], Rows::Exactly(1))).await.unwrap();
        let error = fixture.store.inspect(&path()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Protocol, "what applications read is looked at");
    });
}

#[test]
fn no_secret_is_in_the_files_or_in_debug_output() {
    const CANARY: &str = "canary-5d1e7c";
    let dir = TempDir::new().unwrap();
    wait(async {
        let fixture = Fixture::new(Db::open(dir.path(), Access::Engine).unwrap());
        let version = fixture.write(&path(), CANARY, "attempt 1").await;
        fixture.promote(&path(), &version, None).await.unwrap();
        assert_eq!(fixture.current(&path()).await.as_deref(), Some(CANARY));
        let read = fixture.reader().get(&path(), None).await.unwrap();
        let debug = format!("{:?} {:?} {read:?}", fixture.store, fixture.ports);
        assert!(!debug.contains(CANARY), "{debug}");
    });
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        bytes.extend(fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("apic/acme/shop/key"), "the search would find it");
    assert!(!holds(CANARY));
}

#[test]
fn paths_and_versions_are_listed_without_content() {
    wait(async {
        let fixture = Fixture::new(Db::in_memory().unwrap());
        let at = path();
        let [_, second] = fixture.two(&at).await;
        fixture.store.discard(&at, &second, &ticket()).await.unwrap();
        let mut lines = Vec::new();
        fixture.reader().list(|line| lines.push((line.path, line.current))).unwrap();
        assert_eq!(lines, [(at.clone(), Some(1))]);
        let versions = fixture.reader().versions(&at).unwrap();
        let seen: Vec<_> = versions.iter().map(|line| (line.version, line.labels.as_slice(), line.discarded)).collect();
        assert_eq!(seen, [(1, &[Label::Current][..], false), (2, &[], true)]);
        assert!(fixture.reader().get(&at, Some(2)).await.unwrap().is_none());
    });
}

#[test]
fn it_has_no_keys_of_its_own() {
    let fixture = Fixture::new(Db::in_memory().unwrap());
    let driver = stores::find("embedded").unwrap();
    let mut settings = no_settings();
    settings.table.insert("mount".to_owned(), "secret".into());
    let error = (driver.configure)("local", &settings, &fixture.ports).unwrap_err();
    assert!(error.to_string().contains("mount"), "{error}");
    assert_eq!(wait(fixture.store.check()).unwrap(), ["the database can be written"]);
    assert!(stores::find("vault").is_none());
    assert!(stores::all().is_sorted_by_key(|driver| driver.name));
}

const READER_DIR: &str = "KEYROTA_TEST_READER_DIR";
const READING: &str = "the reader reads";
const LAST: u32 = 100;

#[test]
fn another_process_reads_while_an_engine_writes() {
    // The test starts itself once more as the reading process.
    if let Some(dir) = std::env::var_os(READER_DIR) {
        return wait(read_until_last(Path::new(&dir)));
    }
    let dir = TempDir::new().unwrap();
    let root = RootKey::generate().unwrap();
    let (keyring, wrapped) = Keyring::create(&root).unwrap();
    fs::write(dir.path().join("root.key"), root.to_line().expose()).unwrap();
    wait(async {
        let db = Db::open(dir.path(), Access::Engine).unwrap();
        db.store_wrapped_key(&wrapped).await.unwrap();
        let fixture = Fixture::with_keyring(db, keyring);
        let at = path();
        let mut current = fixture.write(&at, "value 1", "attempt 1").await;
        fixture.promote(&at, &current, None).await.unwrap();

        let mut reader = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "another_process_reads_while_an_engine_writes", "--nocapture"])
            .env(READER_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(reader.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains(READING)), "the reader did not start");
        for number in 2..=LAST {
            let next = fixture.write(&at, &format!("value {number}"), &format!("attempt {number}")).await;
            fixture.promote(&at, &next, Some(&current)).await.unwrap();
            if number > 2 {
                let old = StoreVersion((number - 2).to_string());
                assert_eq!(fixture.store.discard(&at, &old, &ticket()).await.unwrap(), Discarded::Now);
            }
            current = next;
        }
        assert!(reader.wait().unwrap().success());
    });
}

/// Every single read finds a current version that opens, and it never goes back.
async fn read_until_last(dir: &Path) {
    let root = RootKey::parse(&secret::Secret::new(fs::read(dir.join("root.key")).unwrap())).unwrap();
    let db = Db::open(dir, Access::ReadOnly).unwrap();
    let keyring = Keyring::open(&root, &db.wrapped_key().await.unwrap().unwrap()).unwrap();
    let reader = EmbeddedReader::new("local", Arc::new(db), Arc::new(keyring));
    let mut seen = 0;
    for _ in 0..10_000_000 {
        let read = reader.get(&path(), None).await.unwrap().unwrap();
        assert!(read.version >= seen);
        if seen == 0 {
            println!("{READING}");
        }
        seen = read.version;
        let value = read.data.get("client_secret").unwrap().expose_text().unwrap();
        assert_eq!(value, format!("value {seen}"));
        if seen == LAST {
            return;
        }
    }
    panic!("the last version never came, {seen} was the newest");
}
