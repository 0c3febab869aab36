//! What every secret store must do.

use std::{any::Any, fmt, future::Future, sync::Arc};

use domain::{CredentialId, Fingerprint, SecretPath};
use driver::{
    AttemptKey, Delivery, Discarded, DriverError, Effect, Form, Kind, Label, SecretStore, StoreState, StoreVersion,
    StoredVersion, Ticket,
};
use futures_util::future::LocalBoxFuture;
use secret::{Secret, SecretMap};

/// An empty store, with what it takes to check it.
pub struct StoreFixture {
    pub store: Arc<dyn SecretStore>,
    /// The fingerprint under the key that the store uses.
    pub fingerprint: Box<dyn Fn(&SecretMap) -> Fingerprint>,
    /// Whatever must live as long as the store, for example its folder.
    pub kept: Box<dyn Any>,
}

impl fmt::Debug for StoreFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Runs every check, each on a store of its own.
pub async fn check_all<F: Future<Output = StoreFixture>>(make: impl Fn() -> F) {
    for (name, check) in CHECKS {
        println!("store: {name}");
        check(&make().await).await;
    }
}

type Check = for<'a> fn(&'a StoreFixture) -> LocalBoxFuture<'a, ()>;

const CHECKS: &[(&str, Check)] = &[
    ("an absent path is an empty state", |it| Box::pin(absent_path_is_empty(it))),
    ("the preflight passes and changes nothing", |it| Box::pin(preflight_passes(it))),
    ("a first write shows as it should", |it| Box::pin(first_write_shows(it))),
    ("a second write is pending", |it| Box::pin(second_write_is_pending(it))),
    ("repeating a write adds nothing", |it| Box::pin(repeated_write_adds_nothing(it))),
    ("promotion is compare-and-set", |it| Box::pin(promotion_is_compare_and_set(it))),
    ("a write covers only what it was meant to replace", |it| Box::pin(write_is_compare_and_set(it))),
    ("a promotion that cannot be changes nothing", |it| Box::pin(impossible_promotion(it))),
    ("the previous version stays", |it| Box::pin(previous_stays(it))),
    ("what is current is not discarded", |it| Box::pin(current_is_not_discarded(it))),
    ("discarding twice is fine", |it| Box::pin(discard_twice(it))),
    ("fingerprints are those of what was written", |it| Box::pin(fingerprints_agree(it))),
    ("a document and bytes come back as they were", |it| Box::pin(documents_and_bytes(it))),
    ("an environment is told as it was recorded first", |it| Box::pin(environment_is_told(it))),
    ("two paths never collide", |it| Box::pin(paths_never_collide(it))),
    ("no secret shows in Debug", |it| Box::pin(no_secret_in_debug(it))),
];

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn path(text: &str) -> SecretPath {
    SecretPath::parse(text).unwrap()
}

fn value(text: &str) -> SecretMap {
    SecretMap::new([
        ("client_id".to_owned(), Secret::from_text(format!("id-{text}"))),
        ("client_secret".to_owned(), Secret::from_text(format!("canary-{text}"))),
    ])
}

async fn write(it: &StoreFixture, at: &SecretPath, text: &str) -> StoreVersion {
    let replaces = current(&inspect(it, at).await);
    let asked = Asked { replaces: replaces.as_ref(), ..Asked::new(at, text) };
    try_write(it, &value(text), &asked).await.expect("a write succeeds")
}

/// A delivery without its value.
struct Asked<'a> {
    at: &'a SecretPath,
    attempt: &'a str,
    form: Form,
    replaces: Option<&'a StoreVersion>,
    environment: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn new(at: &'a SecretPath, attempt: &'a str) -> Self {
        Self { at, attempt, form: Form::Fields, replaces: None, environment: None }
    }
}

async fn try_write(it: &StoreFixture, value: &SecretMap, asked: &Asked<'_>) -> Result<StoreVersion, DriverError> {
    let request = Delivery {
        at: asked.at,
        credential: &CredentialId::new("apic", ["acme", "shop", "key"]).unwrap(),
        value,
        form: asked.form,
        fingerprint: (it.fingerprint)(value),
        key: AttemptKey(format!("attempt-{}", asked.attempt)),
        replaces: asked.replaces,
        environment: asked.environment,
    };
    it.store.write(&request, &ticket()).await
}

async fn inspect(it: &StoreFixture, at: &SecretPath) -> StoreState {
    it.store.inspect(at).await.expect("an inspection succeeds")
}

/// Writes and, where there are labels, promotes: what a consumer reads is then this version.
async fn deliver(it: &StoreFixture, at: &SecretPath, text: &str) -> StoreVersion {
    let before = current(&inspect(it, at).await);
    let version = write(it, at, text).await;
    if let Some(labels) = it.store.labels() {
        labels.promote(at, &version, before.as_ref(), &ticket()).await.expect("a promotion succeeds");
    }
    version
}

fn labelled(state: &StoreState, label: Label) -> Option<StoreVersion> {
    state.labelled(label).map(|stored| stored.version.clone())
}

fn current(state: &StoreState) -> Option<StoreVersion> {
    labelled(state, Label::Current)
}

fn of<'a>(state: &'a StoreState, version: &StoreVersion) -> Option<&'a StoredVersion> {
    state.versions.iter().find(|stored| stored.version == *version)
}

async fn absent_path_is_empty(it: &StoreFixture) {
    assert_eq!(inspect(it, &path("apic/nobody/was/here")).await, StoreState::default());
}

async fn preflight_passes(it: &StoreFixture) {
    let passed = it.store.check().await.expect("the preflight passes");
    assert!(!passed.is_empty(), "a preflight says what it has checked");
    assert_eq!(inspect(it, &path("apic/a/b/c")).await, StoreState::default());
}

async fn first_write_shows(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let version = write(it, &at, "one").await;
    let state = inspect(it, &at).await;
    assert_eq!(state.versions.len(), 1, "{state:?}");
    let credential = CredentialId::new("apic", ["acme", "shop", "key"]).unwrap();
    let marked = state.mark.as_ref().is_none_or(|mark| mark.credential == it.store.mark_of(&credential));
    assert!(marked, "a place says whose it is as `mark_of` does: {state:?}");
    if it.store.labels().is_none() {
        assert_eq!(current(&state), Some(version), "without labels, readers see a write at once");
        return;
    }
    assert_eq!(labelled(&state, Label::Pending), Some(version.clone()));
    if it.store.facts().first_is_current {
        assert_eq!(current(&state), Some(version), "the store's own rule for the first version");
    } else {
        assert_eq!(current(&state), None, "readers see nothing before the promotion");
    }
}

/// Whatever a store does with the first version of a place.
async fn second_write_is_pending(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = write(it, &at, "two").await;
    let state = inspect(it, &at).await;
    if it.store.labels().is_some() {
        assert_eq!(labelled(&state, Label::Pending), Some(second), "{state:?}");
        assert_eq!(current(&state), Some(first), "readers see the old one until the promotion");
    } else {
        assert_eq!(current(&state), Some(second), "without labels, readers see a write at once");
    }
}

async fn repeated_write_adds_nothing(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = write(it, &at, "two").await;
    assert_ne!(first, second, "another attempt is another version");
    let state = inspect(it, &at).await;
    assert_eq!(write(it, &at, "two").await, second, "the same attempt is the same version");
    assert_eq!(write(it, &at, "one").await, first, "an older attempt too");
    assert_eq!(inspect(it, &at).await, state, "and nothing has changed");
}

async fn promotion_is_compare_and_set(it: &StoreFixture) {
    let Some(labels) = it.store.labels() else { return };
    let at = path("apic/acme/shop/key");
    let first = write(it, &at, "one").await;
    labels.promote(&at, &first, None, &ticket()).await.expect("from nothing to the first");
    labels.promote(&at, &first, None, &ticket()).await.expect("promoting again is fine");
    let second = write(it, &at, "two").await;
    let before = inspect(it, &at).await;

    let error = labels.promote(&at, &second, None, &ticket()).await.expect_err("another version is current");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    let error = labels.promote(&at, &second, Some(&second), &ticket()).await.expect_err("it is not current yet");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(inspect(it, &at).await, before, "a conflict changes nothing");

    labels.promote(&at, &second, Some(&first), &ticket()).await.expect("from the first to the second");
    let state = inspect(it, &at).await;
    assert_eq!(current(&state), Some(second.clone()));
    assert_eq!(labelled(&state, Label::Previous), Some(first.clone()));
    assert_eq!(labelled(&state, Label::Pending), None, "{state:?}");
    labels.promote(&at, &second, Some(&first), &ticket()).await.expect("repeating it is fine");
    assert_eq!(inspect(it, &at).await, state);

    labels.promote(&at, &first, Some(&second), &ticket()).await.expect("and back");
    let state = inspect(it, &at).await;
    assert_eq!((current(&state), labelled(&state, Label::Previous)), (Some(first), Some(second)));
}

async fn write_is_compare_and_set(it: &StoreFixture) {
    if it.store.labels().is_some() || !it.store.facts().compares {
        return;
    }
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = deliver(it, &at, "two").await;
    let before = inspect(it, &at).await;
    for replaces in [None, Some(&first)] {
        let asked = Asked { replaces, ..Asked::new(&at, "three") };
        let error = try_write(it, &value("three"), &asked).await.expect_err("the second version is current by now");
        assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
        assert_eq!(inspect(it, &at).await, before, "a conflict changes nothing");
    }
    let nowhere = path("apic/nobody/was/here");
    let asked = Asked { replaces: Some(&first), ..Asked::new(&nowhere, "three") };
    let error = try_write(it, &value("three"), &asked).await.expect_err("nothing is there to be replaced");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");

    let asked = Asked { replaces: Some(&second), ..Asked::new(&at, "three") };
    let third = try_write(it, &value("three"), &asked).await.expect("nothing has moved");
    assert_eq!(current(&inspect(it, &at).await), Some(third));
}

async fn impossible_promotion(it: &StoreFixture) {
    let Some(labels) = it.store.labels() else { return };
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let before = inspect(it, &at).await;
    let nowhere = StoreVersion("no-such-version".to_owned());
    let error = labels.promote(&at, &nowhere, Some(&first), &ticket()).await.expect_err("it is not there");
    assert_eq!(error.effect, Effect::NotApplied, "{error}");
    let error = labels.promote(&at, &first, Some(&nowhere), &ticket()).await.map_err(|error| error.effect);
    assert!(matches!(error, Ok(()) | Err(Effect::NotApplied)), "promoted already, or a conflict");
    assert_eq!(inspect(it, &at).await, before);
}

async fn previous_stays(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = deliver(it, &at, "two").await;
    let state = inspect(it, &at).await;
    assert_eq!(current(&state), Some(second));
    assert_eq!(labelled(&state, Label::Previous), Some(first), "{state:?}");
    assert_eq!(state.versions.len(), 2, "{state:?}");
}

async fn current_is_not_discarded(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let version = deliver(it, &at, "one").await;
    let before = inspect(it, &at).await;
    let error = it.store.discard(&at, &version, &ticket()).await.expect_err("applications read it");
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "{error}");
    assert_eq!(inspect(it, &at).await, before);
}

async fn discard_twice(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = deliver(it, &at, "two").await;
    assert_eq!(it.store.discard(&at, &first, &ticket()).await.unwrap(), Discarded::Now);
    let state = inspect(it, &at).await;
    assert_eq!(of(&state, &first), None, "{state:?}");
    assert_eq!(current(&state), Some(second), "the other one stays");
    assert_eq!(it.store.discard(&at, &first, &ticket()).await.unwrap(), Discarded::GoneAlready);
    let nowhere = path("apic/nobody/was/here");
    assert_eq!(it.store.discard(&nowhere, &first, &ticket()).await.unwrap(), Discarded::GoneAlready);
    let unknown = StoreVersion("no-such-version".to_owned());
    assert_eq!(it.store.discard(&at, &unknown, &ticket()).await.unwrap(), Discarded::GoneAlready);
}

async fn fingerprints_agree(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = deliver(it, &at, "one").await;
    let second = deliver(it, &at, "two").await;
    let state = inspect(it, &at).await;
    for (version, text) in [(&first, "one"), (&second, "two")] {
        let stored = of(&state, version).expect("it is there");
        assert_eq!(stored.fingerprint, Some((it.fingerprint)(&value(text))), "of version {}", version.0);
    }
}

async fn documents_and_bytes(it: &StoreFixture) {
    let one = |name: &str, bytes: &[u8]| SecretMap::new([(name.to_owned(), Secret::new(bytes.to_vec()))]);
    let values = [
        ("document", Form::Document, one("config", br#"{"password": "canary", "port": 5432}"#)),
        ("text", Form::Document, one("password", "canary \u{e4} \"quoted\"\r\n\t".as_bytes())),
        ("bytes", Form::Document, one("keystore", &[0, 0xff, 0xfe, b'\n', 0x80])),
        ("text-field", Form::Fields, one("password", b" canary with spaces ")),
        ("bytes-field", Form::Fields, one("keystore.base64", &[0xc3, 0x28])),
    ];
    for (name, form, value) in values {
        let at = path(&format!("apic/forms/{name}"));
        let asked = Asked { form, ..Asked::new(&at, name) };
        let version = try_write(it, &value, &asked).await.expect("a write succeeds");
        if let Some(labels) = it.store.labels() {
            labels.promote(&at, &version, None, &ticket()).await.expect("a promotion succeeds");
        }
        let state = inspect(it, &at).await;
        assert_eq!(current(&state), Some(version.clone()), "{name}");
        let stored = of(&state, &version).expect("it is there");
        assert_eq!(stored.fingerprint, Some((it.fingerprint)(&value)), "{name}");
    }
}

/// A store that cannot record an environment says nothing of it; one that can never lets a delivery change it.
async fn environment_is_told(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let first = Asked { environment: Some("production"), ..Asked::new(&at, "one") };
    let version = try_write(it, &value("one"), &first).await.expect("a write succeeds");
    if let Some(labels) = it.store.labels() {
        labels.promote(&at, &version, None, &ticket()).await.expect("a promotion succeeds");
    }
    let told = inspect(it, &at).await.environment;
    assert!(matches!(told.as_deref(), None | Some("production")), "{told:?}");

    let second = Asked { environment: Some("test"), replaces: Some(&version), ..Asked::new(&at, "two") };
    try_write(it, &value("two"), &second).await.expect("comparing environments is not the store's to do");
    assert_eq!(inspect(it, &at).await.environment, told, "what was recorded first stays");
}

async fn paths_never_collide(it: &StoreFixture) {
    // Neighbours under every way of flattening, cutting, escaping or folding a path.
    let long = "x".repeat(200);
    let nearly = format!("apic/{long}/{long}/{long}/a");
    let paths = [
        "apic/a/b/c",
        "apic/a/b-c",
        "apic/a-b/c",
        "apic/a_b/c",
        "apic/a%2Fb/c",
        "apic/a%252Fb/c",
        "apic/A/b/c",
        "apic/a/b",
        "apic/a/b/c/d",
        "apic/a b/c",
        "apic/a:b/c",
        "apic/a\u{e4}/c",
        "apic/aa\u{308}/c",
        "apic/a/b.age",
        "apic/a/b.json",
        "apic/a/b.previous",
        "apic/a/.b",
        &nearly,
        &format!("{nearly}b"),
    ]
    .map(path);
    let mut versions = Vec::new();
    for (number, at) in paths.iter().enumerate() {
        assert_eq!(inspect(it, at).await, StoreState::default(), "{at} has the content of another path");
        versions.push(deliver(it, at, &number.to_string()).await);
    }
    for (number, (at, version)) in paths.iter().zip(&versions).enumerate() {
        let state = inspect(it, at).await;
        assert_eq!(state.versions.len(), 1, "{at}: {state:?}");
        assert_eq!(current(&state).as_ref(), Some(version), "{at}");
        assert_eq!(state.versions[0].fingerprint, Some((it.fingerprint)(&value(&number.to_string()))), "{at}");
    }
}

async fn no_secret_in_debug(it: &StoreFixture) {
    let at = path("apic/acme/shop/key");
    let version = deliver(it, &at, "one").await;
    let conflict = it.store.discard(&at, &version, &ticket()).await;
    let seen = format!("{:?} {:?} {conflict:?} {:?}", it.store, inspect(it, &at).await, it.store.check().await);
    assert!(!seen.contains("canary"), "{seen}");
}
