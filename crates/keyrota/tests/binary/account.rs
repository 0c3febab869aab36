//! What everybody saw of a world, as the account on which the promises are checked: the twin's records and its log of
//! calls, what readers get from the embedded store, our journal and inventory as they lie on the disk.

use std::collections::{BTreeMap, BTreeSet};

use db::{Access, Db, IssuerView, Issuers};
use domain::Duration;
use driver::Settings;
use promises::{Account, Breach, Line, Policy, Reading, Record, Served, always, at_rest};
use serde_json::Value;

use crate::{
    consumer::Reader,
    world::{Known, World},
};

/// As the configuration of a world says it.
const OVERLAP: Duration = Duration::from_hours(5 * 24);
const QUIET_FOR: Duration = Duration::from_hours(24);
/// What the proof before a revocation may have missed.
const UNSEEN: Duration = Duration::from_mins(45);

/// The log of a twin forgets past this, and an account must be whole.
const CALLS_KEPT_MAX: usize = 200_000;

/// What is broken while things are under way.
pub(crate) fn promises_broken(world: &World, before: &[Known]) -> Vec<Breach> {
    always(&account(world, before))
}

#[track_caller]
pub(crate) fn check_promises(world: &World, before: &[Known]) {
    check(&promises_broken(world, before));
}

/// Once everything had its time.
#[track_caller]
pub(crate) fn check_promises_at_rest(world: &World, before: &[Known]) {
    check(&at_rest(&account(world, before)));
}

#[track_caller]
fn check(breaches: &[Breach]) {
    let first: Vec<String> = breaches.iter().take(5).map(Breach::to_string).collect();
    assert!(breaches.is_empty(), "{} breaches, the first:\n{}", breaches.len(), first.join("\n"));
}

fn account(world: &World, before: &[Known]) -> Account {
    let mut account = Account::default();
    let (state, calls) = (world.control().get_json("/state"), world.control().get_json("/calls"));
    assert!(calls.as_array().unwrap().len() < CALLS_KEPT_MAX);
    let handles: BTreeSet<String> = before.iter().map(|one| one.id.clone()).collect();
    let reading = Reading { public: "client_id", secret: "client_secret", credential, before: &handles };
    account.told_by_twin(&state, &calls, &reading, str::to_owned);
    let mut reader = Reader::new(world);
    for one in before {
        let path = one.path();
        account.policies.insert(path.clone(), promised(one));
        let Some(read) = reader.read(&path) else { continue };
        let pairs = state["credentials"].as_array().unwrap().iter();
        let is_it = |one: &&Value| one["client_id"] == *read.client_id && one["client_secret"] == *read.client_secret;
        let version = pairs.clone().find(is_it).map(|one| one["id"].as_str().unwrap().to_owned());
        account.served.push(Served { place: path.clone(), credential: path, version });
    }
    our_books(world, &mut account);
    account.texts.push(("what was printed".to_owned(), world.transcript.lock().unwrap().clone()));
    account
}

/// The inventory and the journal, read as another process does.
fn our_books(world: &World, account: &mut Account) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let db = Db::open(&world.data(), Access::ReadOnly).unwrap();
    let settings = Settings { table: toml::Table::new(), base_dir: ".".into() };
    let facts = (issuers::ibm_apic::DRIVER.facts)(&settings).unwrap();
    let view = IssuerView { facts, now: domain::Timestamp::UNIX_EPOCH };
    let mut rows = BTreeMap::new();
    db.scan_entries(&Issuers::from([("apic".to_owned(), view)]), |entry| {
        account.records.extend(Record::all(&entry.observed));
        rows.insert(entry.id, entry.observed.credential.to_string());
    })
    .unwrap();
    for line in runtime.block_on(db.journal_from(0)).unwrap() {
        account.texts.push((format!("line {} of the journal", line.entry), format!("{line:?}")));
        account.journal.push(Line {
            entry: line.entry,
            credential: rows[&line.credential_id].clone(),
            step: line.step,
            version: line.version.map(|version| version.0),
            phase: line.phase,
        });
    }
}

fn promised(one: &Known) -> Policy {
    Policy {
        name: "ninety".to_owned(),
        parent: format!("{}/{}", one.consumer_org, one.app),
        live_max: None,
        overlap: OVERLAP,
        quiet_for: Some(QUIET_FOR),
        unseen: UNSEEN,
    }
}

/// The credential of which an entry of the twin's state is a version; also the path of its secret.
fn credential(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap();
    let name = text("name");
    let name = name.strip_suffix(domain::SUCCESSOR_SUFFIX).unwrap_or(name);
    format!("apic/{}/{}/{name}", text("consumer_org"), text("app"))
}
