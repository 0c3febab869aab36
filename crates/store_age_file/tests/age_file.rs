//! The encrypted files from outside: who can open them, what a crash leaves, what a hand at the files changes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use age::x25519::Identity;
use async_trait::async_trait;
use contract::store::StoreFixture;
use db::Db;
use domain::{CredentialId, Fingerprint, SecretPath, Timestamp};
use driver::{
    AttemptKey, Clock, Delivery, Discarded, DriverError, Effect, Entropy, Form, Http, HttpError, HttpFailure,
    HttpRequest, HttpResponse, Kind, Label, NoEntropy, Ports, SecretStore, Settings, StoreVersion, StoredVersion,
    Ticket,
};
use secret::{Keyring, RootKey, Secret, SecretMap};
use stores::{Configured, StorePorts};
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
        Timestamp::UNIX_EPOCH
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

fn configured(base_dir: &Path, text: &str) -> Configured {
    let (keyring, _) = Keyring::create(&RootKey::generate().unwrap()).unwrap();
    let ports = StorePorts {
        db: Arc::new(Db::in_memory().unwrap()),
        keyring: Arc::new(keyring),
        ports: Ports { http: Arc::new(Still), clock: Arc::new(Still), entropy: Arc::new(Still) },
        asked: stores::Asked::default(),
    };
    let settings = Settings { table: text.parse().unwrap(), base_dir: base_dir.to_owned() };
    (store_age_file::DRIVER.configure)("handover", &settings, &ports)
}

struct Fixture {
    dir: TempDir,
    identity: Identity,
    store: Arc<dyn SecretStore>,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let identity = Identity::generate();
        let text = format!("directory = \"out\"\nrecipients = [\"{}\"]", identity.to_public());
        let store = configured(dir.path(), &text).unwrap();
        Self { dir, identity, store }
    }

    /// Version `number` of the secret; its fingerprint repeats the number.
    fn try_write(&self, number: u8) -> Result<StoreVersion, DriverError> {
        let text = format!("secret {number}");
        let value = SecretMap::from(vec![("client_id", "id"), ("client_secret", text.as_str())]);
        wait(self.store.write(&self.delivery(number, &value), &ticket()))
    }

    fn delivery<'a>(&self, number: u8, value: &'a SecretMap) -> Delivery<'a> {
        static PLACE: std::sync::LazyLock<(SecretPath, CredentialId)> =
            std::sync::LazyLock::new(|| (path(), CredentialId::parse("apic-prod/acme/shop/Key").unwrap()));
        Delivery {
            at: &PLACE.0,
            credential: &PLACE.1,
            value,
            fingerprint: fingerprint(number),
            form: Form::Fields,
            key: AttemptKey(format!("attempt {number}")),
            replaces: None,
            environment: None,
        }
    }

    fn write(&self, number: u8) -> StoreVersion {
        self.try_write(number).unwrap()
    }

    fn state(&self) -> Vec<StoredVersion> {
        wait(self.store.inspect(&path())).unwrap().versions
    }

    fn discard(&self, version: &StoreVersion) -> Result<Discarded, DriverError> {
        wait(self.store.discard(&path(), version, &ticket()))
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.dir.path().join("out/apic/acme").join(format!("%4bey{suffix}"))
    }

    fn opened(&self, suffix: &str) -> serde_json::Value {
        let plain = age::decrypt(&self.identity, &fs::read(self.file(suffix)).unwrap()).unwrap();
        serde_json::from_slice(&plain).unwrap()
    }

    fn secret(&self, suffix: &str) -> String {
        self.opened(suffix)["data"]["client_secret"].as_str().unwrap().to_owned()
    }

    /// The record as it stood before the last file was put in place.
    fn unmark_last(&self) {
        let mut record: serde_json::Value =
            serde_json::from_slice(&fs::read(self.file(".versions.json")).unwrap()).unwrap();
        let last = record["versions"].as_array_mut().unwrap().last_mut().unwrap();
        assert_eq!(last["in_place"], true);
        last["in_place"] = false.into();
        fs::write(self.file(".versions.json"), record.to_string()).unwrap();
    }
}

fn path() -> SecretPath {
    SecretPath::parse("apic/acme/Key").unwrap()
}

fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint([number; 32])
}

fn stored(version: &StoreVersion, label: Label, number: u8) -> StoredVersion {
    StoredVersion { version: version.clone(), labels: vec![label], fingerprint: Some(fingerprint(number)) }
}

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn it_keeps_the_contract() {
    let (keyring, _) = Keyring::create(&RootKey::generate().unwrap()).unwrap();
    let keyring = Arc::new(keyring);
    wait(contract::store::check_all(async || {
        let Fixture { dir, store, .. } = Fixture::new();
        let keyring = keyring.clone();
        let fingerprint = Box::new(move |value: &SecretMap| keyring.fingerprint(value));
        StoreFixture { store, fingerprint, kept: Box::new(dir) }
    }));
}

#[test]
fn its_recipient_opens_the_document() {
    let fixture = Fixture::new();
    fixture.write(1);
    let expected = serde_json::json!({
        "credential": "apic-prod/acme/shop/Key",
        "path": "apic/acme/Key",
        "data": {"client_id": "id", "client_secret": "secret 1"},
    });
    assert_eq!(fixture.opened(".age"), expected);
    let stranger = age::decrypt(&Identity::generate(), &fs::read(fixture.file(".age")).unwrap());
    assert!(stranger.is_err());
}

#[test]
fn bytes_that_are_no_text_are_opened_as_base64() {
    let fixture = Fixture::new();
    let value = SecretMap::new([
        ("keystore".to_owned(), Secret::new(vec![0xff, 0])),
        ("note.base64".to_owned(), Secret::from_text("x")),
    ]);
    wait(fixture.store.write(&fixture.delivery(1, &value), &ticket())).unwrap();
    assert_eq!(
        fixture.opened(".age")["data"],
        serde_json::json!({"keystore.base64": "/wA=", "note.base64.base64": "eA=="})
    );
}

#[test]
fn everyone_in_the_recipients_file_opens_it() {
    let dir = TempDir::new().unwrap();
    let (one, other) = (Identity::generate(), Identity::generate());
    let lines = format!("# the platform team\n{}\n\n  {}  \n", one.to_public(), other.to_public());
    fs::write(dir.path().join("team.txt"), lines).unwrap();
    let store = configured(dir.path(), "directory = \".\"\nrecipients_file = \"team.txt\"").unwrap();
    let value = SecretMap::from(vec![("key", "value")]);
    let delivery = Delivery {
        at: &SecretPath::parse("k").unwrap(),
        credential: &CredentialId::parse("i/k").unwrap(),
        value: &value,
        fingerprint: fingerprint(1),
        form: Form::Fields,
        key: AttemptKey("a".to_owned()),
        replaces: None,
        environment: None,
    };
    wait(store.write(&delivery, &ticket())).unwrap();
    let sealed = fs::read(dir.path().join("k.age")).unwrap();
    for identity in [one, other] {
        assert!(age::decrypt(&identity, &sealed).unwrap().windows(5).any(|window| window == b"value"));
    }
}

#[test]
fn a_repeated_write_adds_nothing() {
    let fixture = Fixture::new();
    let first = fixture.write(1);
    let file = fs::read(fixture.file(".age")).unwrap();
    assert_eq!(fixture.write(1), first);
    assert!(fs::read(fixture.file(".age")).unwrap() == file, "encrypting again would change the file");
    assert_eq!(fixture.state(), [stored(&first, Label::Current, 1)]);

    let second = fixture.write(2);
    assert_eq!(fixture.write(1), first, "a late repetition does not bring the old one back");
    assert_eq!(fixture.state(), [stored(&first, Label::Previous, 1), stored(&second, Label::Current, 2)]);
    assert_eq!((fixture.secret(".previous.age"), fixture.secret(".age")), ("secret 1".into(), "secret 2".into()));
}

#[test]
fn the_previous_file_stays_until_it_is_discarded() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.write(1), fixture.write(2));
    let error = fixture.discard(&second).unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied));
    assert_eq!(fixture.discard(&first).unwrap(), Discarded::Now);
    assert!(!fixture.file(".previous.age").exists());
    assert_eq!(fixture.discard(&first).unwrap(), Discarded::GoneAlready);
    assert_eq!(fixture.discard(&StoreVersion("of another store".to_owned())).unwrap(), Discarded::GoneAlready);
    assert_eq!(fixture.state(), [stored(&second, Label::Current, 2)]);
}

/// Puts the files back to what they were after each step of a second write, and repeats it.
#[test]
fn a_write_cut_short_anywhere_is_finished_by_its_repetition() {
    let steps = ["recorded", "previous kept", "in place"];
    for step in steps {
        let fixture = Fixture::new();
        let first = fixture.write(1);
        let old = fs::read(fixture.file(".age")).unwrap();
        let second = fixture.write(2);
        fixture.unmark_last();
        fs::write(fixture.file(".age.new"), b"half a fi").unwrap();
        match step {
            "recorded" => {
                fs::write(fixture.file(".age"), &old).unwrap();
                fs::remove_file(fixture.file(".previous.age")).unwrap();
            }
            "previous kept" => fs::write(fixture.file(".age"), &old).unwrap(),
            _ => {}
        }
        let before = fixture.state();
        if step == "in place" {
            assert_eq!(before, [stored(&first, Label::Previous, 1), stored(&second, Label::Current, 2)]);
        } else {
            assert_eq!(before, [stored(&first, Label::Current, 1)], "{step}: readers have the old file, whole");
        }

        assert_eq!(fixture.write(2), second, "{step}");
        let state = fixture.state();
        assert_eq!(state, [stored(&first, Label::Previous, 1), stored(&second, Label::Current, 2)], "{step}");
        assert_eq!(fixture.secret(".age"), "secret 2");
        assert_eq!(fixture.secret(".previous.age"), "secret 1");
    }
}

#[test]
fn a_place_says_whose_it_is_also_when_its_file_was_taken_away() {
    let fixture = Fixture::new();
    fixture.write(1);
    let whose = || wait(fixture.store.inspect(&path())).unwrap().mark.map(|mark| mark.credential);
    assert_eq!(whose().as_deref(), Some("apic-prod/acme/shop/Key"));
    fs::remove_file(fixture.file(".age")).unwrap();
    assert_eq!(whose().as_deref(), Some("apic-prod/acme/shop/Key"));
    fs::remove_file(fixture.file(".versions.json")).unwrap();
    assert_eq!(whose(), None, "a person has freed it");
}

#[test]
fn a_file_changed_by_hand_is_not_taken_for_ours() {
    let fixture = Fixture::new();
    let first = fixture.write(1);
    let mut file = fs::read(fixture.file(".age")).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(fixture.file(".age"), &file).unwrap();

    let state = fixture.state();
    assert_eq!(state.len(), 1);
    assert_ne!(state[0].version, first);
    assert_eq!((state[0].labels.as_slice(), state[0].fingerprint), (&[Label::Current][..], None));
    // A file that went missing is not there, whatever the record says.
    fs::remove_file(fixture.file(".age")).unwrap();
    assert_eq!(fixture.state(), []);
}

#[test]
fn a_damaged_record_is_named_and_nothing_is_written() {
    let fixture = Fixture::new();
    fixture.write(1);
    fs::write(fixture.file(".versions.json"), b"{").unwrap();
    let error = fixture.try_write(2).unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::NotApplied));
    assert!(error.to_string().contains("%4bey.versions.json"), "{error}");
    assert_eq!(fixture.secret(".age"), "secret 1");
}

#[test]
fn a_folder_in_the_way_changes_nothing() {
    let fixture = Fixture::new();
    fs::write(fixture.dir.path().join("out"), b"a file").unwrap();
    let error = fixture.try_write(1).unwrap_err();
    assert_eq!(error.effect, Effect::NotApplied);
    assert_eq!(wait(fixture.store.check()).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn checking_leaves_nothing_behind() {
    let fixture = Fixture::new();
    let said = wait(fixture.store.check()).unwrap();
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("out will be made in "), "{said:?}");
    assert!(said[1].contains("1 recipient"), "{said:?}");
    assert_eq!(fs::read_dir(fixture.dir.path()).unwrap().count(), 0);
}

/// Where others may write beside us, a link must not lead us to a file of theirs, or of ours.
#[cfg(unix)]
#[test]
fn checking_and_writing_follow_no_planted_link() {
    let fixture = Fixture::new();
    let precious = fixture.dir.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    let folder = fixture.file(".age").parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    for planted in [
        fixture.dir.path().join(".keyrota-check"),
        fixture.dir.path().join("out/.keyrota-check"),
        fixture.file(".age.new"),
        fixture.file(".age"),
        fixture.file(".versions.json.new"),
    ] {
        std::os::unix::fs::symlink(&precious, planted).unwrap();
    }
    let said = wait(fixture.store.check()).unwrap();
    assert!(said[0].starts_with("files can be written under "), "{said:?}");
    fixture.write(1);
    assert_eq!(fixture.secret(".age"), "secret 1");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
}

#[test]
fn no_secret_is_in_any_file_or_in_debug_output() {
    let fixture = Fixture::new();
    fixture.write(1);
    fixture.write(2);
    let mut found = 0;
    for entry in fs::read_dir(fixture.dir.path().join("out/apic/acme")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"secret "));
        found += 1;
    }
    assert_eq!(found, 3);
    let own = fixture.identity.to_public().to_string();
    assert!(!format!("{:?}", fixture.store).contains(&own));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let fixture = Fixture::new();
    fixture.write(1);
    fixture.write(2);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for suffix in [".age", ".previous.age", ".versions.json"] {
        assert_eq!(mode(&fixture.file(suffix)), 0o600, "{suffix}");
    }
    for folder in ["out", "out/apic", "out/apic/acme"] {
        assert_eq!(mode(&fixture.dir.path().join(folder)), 0o700, "{folder}");
    }
}

#[test]
fn wrong_settings_are_named() {
    let identity = Identity::generate();
    let dir = TempDir::new().unwrap();
    let refused = |text: &str| configured(dir.path(), text).unwrap_err().to_string();
    assert!(refused("directory = \"x\"").contains("`recipients`"));
    assert!(refused("directory = \"x\"\nrecipients = []").contains("no recipient"));
    assert!(refused("recipients = [\"age1\"]").contains("directory"));
    assert!(refused("directory = \"x\"\nrecipients_file = \"absent\"").contains("absent"));
    assert!(refused("directory = \"x\"\nrecipient = \"age1\"").contains("recipient"));
    let secret = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    let error = refused(&format!("directory = \"x\"\nrecipients = [\"{secret}\"]"));
    assert!(error.contains("age1") && !error.contains(&secret), "{error}");
}
