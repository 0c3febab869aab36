//! The main job on Apigee, both generations: keys of our choosing, a gateway that remembers, products that wait for an
//! approval, changes that arrive late. Nobody notices, and the apps are as they were, byte for byte.

mod destinations;
mod untold;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::{Value, json};

use self::destinations::{Destination, Destinations};
use crate::{
    consumer::Reader,
    end_state::{Performed, add},
    http::Client,
    world::World,
};

/// Three hundred apps; a third of the developers' apps and more have products that wait for an approval.
const THREE_HUNDRED: &str = "--developers 100 --apps 3 --age 95d --replication-lag 3s";

/// A key as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    developer: String,
    app: String,
    /// What Keyrota calls it.
    name: String,
    key: String,
    secret: String,
    status: String,
    products: Vec<String>,
    attributes: Value,
    live: bool,
}

impl Key {
    fn path(&self) -> String {
        format!("apigee/{}/{}", self.developer, self.app)
    }

    fn credential(&self) -> String {
        format!("{}/{}", self.path(), self.name)
    }

    fn of_app(&self) -> (&str, &str) {
        (&self.developer, &self.app)
    }
}

fn world(generation: &str, twin: &str) -> World {
    World::of(&format!("apigee --generation {generation} {twin}"), |announced| {
        let login = &announced["login"];
        let login = if generation == "x" {
            // The key file's text, as a text in the configuration.
            format!("service_account = {}", json!(login.to_string()))
        } else {
            let keys = ["username", "password", "login_endpoint"];
            keys.iter().map(|key| format!("{key} = {}\n", login[key])).collect()
        };
        format!(
            r#"
data_dir = "data"
root_key = {{ file = "root.key" }}

[[issuer]]
name = "apigee"
driver = "apigee"
generation = "{generation}"
organization = "acme"
endpoint = {base_url}
{login}
[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "ninety"
match = "apigee/**"
rotate_after = "90d"
overlap = "5d"
quiet_for = "24h"
retire_after = "100d"
deliver = [{{ store = "local", path = "apigee/{{developer}}/{{app}}" }}]

[policy.verify]
url = "{gateway}/ping"
headers = {{ x-api-key = "{{consumerKey}}" }}
expect = 200
"#,
            base_url = announced["base_url"],
            gateway = announced["gateway_url"].as_str().unwrap(),
        )
    })
}

fn state(world: &World) -> Value {
    world.control().get_json("/state")
}

fn keys(world: &World) -> Vec<Key> {
    let text = |object: &Value, key: &str| object[key].as_str().unwrap().to_owned();
    let approved = |product: &&Value| product["status"] == "approved";
    let key = |one: &Value| Key {
        developer: text(one, "developer"),
        app: text(one, "app"),
        name: format!("key-{}", &text(one, "id")[..10]),
        key: text(one, "consumer_key"),
        secret: text(one, "consumer_secret"),
        status: text(one, "status"),
        products: one["products"]
            .as_array()
            .unwrap()
            .iter()
            .filter(approved)
            .map(|it| text(it, "apiproduct"))
            .collect(),
        attributes: one["attributes"].clone(),
        live: one["live"].as_bool().unwrap(),
    };
    state(world)["credentials"].as_array().unwrap().iter().map(key).collect()
}

fn live(world: &World) -> Vec<Key> {
    keys(world).into_iter().filter(|one| one.live).collect()
}

/// The apps with all that is theirs and not their keys'.
fn apps(world: &World) -> String {
    state(world)["apps"].to_string()
}

fn status_at(gateway: &mut Client, key: &str, product: &str) -> u16 {
    let path = format!("/{}/v1/things", product.replace(' ', "%20"));
    gateway.get(&path, &[("x-api-key", key)]).status
}

/// Applications: each reads its key where it is delivered, and calls every product that it may use, all the time.
struct Consumers {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Consumers {
    /// Until something is delivered, each uses the key that it has had all along.
    fn start(world: &World, estate: &[Key]) -> Self {
        Self::of(world, estate, Destinations::local(world))
    }

    fn of(world: &World, estate: &[Key], mut destinations: Destinations) -> Self {
        let mut apps: Vec<(String, String, Vec<String>)> =
            estate.iter().map(|one| (one.path(), one.key.clone(), one.products.clone())).collect();
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, counted) = (stop.clone(), rounds.clone());
        let mut gateway = world.gateway();
        let thread = std::thread::spawn(move || {
            let (mut calls, mut failures) = (0, Vec::new());
            while !told.load(Ordering::SeqCst) {
                destinations.refresh(&apps.iter().map(|(path, ..)| path.clone()).collect::<Vec<_>>());
                for (path, key, products) in &mut apps {
                    // Once with what it read a round ago, and with what it reads now.
                    for place in std::iter::once(None).chain(destinations.each().map(Some)) {
                        if let Some([read, _]) = place.and_then(|place| place.read(path)) {
                            *key = read;
                        }
                        for product in &*products {
                            let status = status_at(&mut gateway, key, product);
                            calls += 1;
                            if status != 200 {
                                failures.push(format!("{path} with {key} for {product}: {status}"));
                            }
                        }
                    }
                    // So as not to take the processor from those it consumes from.
                    std::thread::park_timeout(Duration::from_millis(1));
                    if told.load(Ordering::SeqCst) {
                        break;
                    }
                }
                destinations.close();
                counted.fetch_add(1, Ordering::SeqCst);
            }
            (calls, failures)
        });
        Self { stop, rounds, thread }
    }

    /// Returns when every application has read and used what is delivered now.
    fn catch_up(&self) {
        let wanted = self.rounds.load(Ordering::SeqCst) + 3;
        while self.rounds.load(Ordering::SeqCst) < wanted && !self.thread.is_finished() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn were_served(self) {
        self.catch_up();
        self.stop.store(true, Ordering::SeqCst);
        let (calls, failures) = self.thread.join().unwrap();
        assert!(failures.is_empty(), "{} of {calls}: {:#?}", failures.len(), failures.first());
        assert!(calls > 0);
    }
}

/// Runs until each waits for the end of its overlap. What arrives late gets a minute each time.
#[track_caller]
fn run_to_overlap(world: &World, count: u64) -> Performed {
    let mut performed = Performed::new();
    for _ in 0..40 {
        let run = world.run();
        if run.code != Some(1) {
            add(&mut performed, &run.json());
        }
        let overlapping = |line: &&Value| line["state"] == "overlap";
        let list = world.keyrota("credential list --output json").exits(0).objects();
        if list.iter().filter(overlapping).count() as u64 == count {
            return performed;
        }
        world.advance("1m");
    }
    let status = world.keyrota("status");
    panic!("no overlap: {performed:?}\n{}{}", status.stdout, status.stderr);
}

fn served_both(world: &World, before: &[Key]) {
    let mut gateway = world.gateway();
    let now = live(world);
    assert_eq!(now.len(), 2 * before.len());
    let old: BTreeSet<&str> = before.iter().map(|one| one.key.as_str()).collect();
    let by_app: BTreeMap<(&str, &str), &Key> =
        now.iter().filter(|one| !old.contains(one.key.as_str())).map(|one| (one.of_app(), one)).collect();
    for one in before {
        let new = by_app[&one.of_app()];
        assert_eq!((&new.products, &new.attributes), (&one.products, &one.attributes), "{}", one.path());
        for product in &one.products {
            assert_eq!(status_at(&mut gateway, &one.key, product), 200, "the old key of {}", one.path());
            assert_eq!(status_at(&mut gateway, &new.key, product), 200, "the new key of {}", one.path());
        }
    }
}

fn check_renewed(world: &World, before: &[Key]) {
    check_renewed_in(world, before, Destinations::local(world));
}

fn check_renewed_in(world: &World, before: &[Key], mut destinations: Destinations) {
    let mut gateway = world.gateway();
    let now = live(world);
    destinations.refresh(&now.iter().map(Key::path).collect::<Vec<_>>());
    assert_eq!(now.len(), before.len());
    for one in &now {
        for place in destinations.each() {
            let read = place.read(&one.path()).unwrap();
            let live = [one.key.clone(), one.secret.clone()];
            assert_eq!(read, live, "{}: what is live is not what readers get", one.path());
        }
        assert_eq!(one.status, "approved");
    }
    for one in before {
        assert!(now.iter().all(|other| other.key != one.key), "the old key of {} lives", one.path());
        assert_eq!(gateway.get("/ping", &[("x-api-key", &one.key)]).status, 401, "{}", one.path());
    }
    for line in world.keyrota("credential list --output json").exits(0).objects() {
        assert_eq!((&line["state"], &line["attention"]), (&"current".into(), &Value::Null), "{line}");
    }
}

fn writes_of(world: &World, what: impl Fn(&Value) -> bool) -> usize {
    world.calls().iter().filter(|call| call["method"] != "GET" && what(call)).count()
}

/// Into the emulator of AWS, alone or beside our own store.
fn three_hundred_are_replaced(generation: &str, to: &[Destination]) {
    let world = world(generation, THREE_HUNDRED);
    let aws = destinations::deliver(&world, to);
    let (before, apps_before) = (live(&world), apps(&world));
    assert_eq!(before.len(), 300);
    let destinations = Destinations::of(&world, &aws, to);
    destinations.create(before.iter().map(|one| (one.path(), [one.key.as_str(), one.secret.as_str()])));
    let consumers = Consumers::of(&world, &before, destinations);

    let performed = run_to_overlap(&world, 300);
    for step in ["prepare", "issue", "verify"] {
        assert_eq!(performed[step], 300, "{performed:?}");
    }
    for step in ["write", "promote", "confirm"] {
        assert_eq!(performed[step], 300 * to.len() as u64, "into each: {performed:?}");
    }
    served_both(&world, &before);

    consumers.catch_up();
    world.advance("6d");
    let run = world.run().exits(0).json();
    assert_eq!((&run["performed"]["disable"], &run["performed"]["revoke"]), (&json!(300), &Value::Null), "{run}");
    let off = keys(&world).into_iter().filter(|one| one.live && one.status == "revoked").count();
    assert_eq!(off, 300, "switched off first, and still there");
    let performed = world.run_to_rest();
    for step in ["revoke", "prove_dead", "complete"] {
        assert_eq!(performed[step], 300, "{performed:?}");
    }
    assert!(!performed.contains_key("enable"), "{performed:?}");
    world.advance("5m");
    check_renewed_in(&world, &before, Destinations::of(&world, &aws, to));
    assert_eq!(apps(&world), apps_before, "apps are not touched");
    let to_an_app = |call: &Value| {
        let path = call["path"].as_str().unwrap();
        path.contains("/apps/") && !path.contains("/keys")
    };
    assert_eq!(writes_of(&world, to_an_app), 0, "not even written to");
    consumers.were_served();
}

#[test]
fn three_hundred_of_x_are_replaced_unnoticed() {
    three_hundred_are_replaced("x", &[Destination::Local, Destination::Aws]);
}

#[test]
fn three_hundred_of_edge_are_replaced_unnoticed() {
    three_hundred_are_replaced("edge", &[Destination::Aws]);
}

/// Answers that are lost in the middle of an issue leave no key behind, with or without products.
#[test]
fn a_bad_day_leaves_one_key_in_each_app() {
    for generation in ["x", "edge"] {
        let faults = "--fault timeout_after:0.08 --fault error:0.08 --fault throttle:0.05 --fault stale_list:0.1";
        let world = world(generation, &format!("--developers 8 --groups 2 --apps 2 --age 95d --seed 7 {faults}"));
        let (before, apps_before) = (live(&world), apps(&world));
        assert_eq!(before.len(), 20);
        let consumers = Consumers::start(&world, &before);
        run_to_overlap(&world, 20);
        consumers.catch_up();
        world.advance("6d");
        world.run_to_rest();
        world.clear_faults();
        world.run().exits(0);
        world.advance("5m");
        check_renewed(&world, &before);
        assert_eq!(apps(&world), apps_before);
        let made = keys(&world).len() - before.len();
        assert_eq!(made, before.len(), "no key was made twice");
        consumers.were_served();
        let struck = |status: u64| world.calls().iter().filter(|call| call["status"].as_u64() == Some(status)).count();
        assert!(struck(429) > 5 && struck(500) > 5, "the faults did not strike");
    }
}

/// The successors of the successors: what a key may do goes on from one to the next.
#[test]
fn keys_of_ours_are_replaced_as_well() {
    let world = world("x", "--developers 4 --apps 3 --age 95d");
    let before = live(&world);
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let old = live(&world);
        run_to_overlap(&world, 12);
        world.advance("6d");
        world.run_to_rest();
        world.advance("5m");
        check_renewed(&world, &old);
        rounds.push(live(&world));
        world.advance("91d");
    }
    for (first, last) in before.iter().zip(&rounds[1]) {
        assert_eq!((first.of_app(), &first.products), (last.of_app(), &last.products));
    }
}

/// An app with no room for another key is due, whatever else there is to do.
#[test]
fn a_plan_that_can_begin_nothing_does_not_say_that_nothing_is_due() {
    let world = world("x", "--developers 1 --apps 1 --credentials 10 --age 95d");
    let plan = world.keyrota("plan").exits(3);
    assert_eq!(plan.stdout, "");
    assert_eq!(plan.stderr.matches("10 of 10 slots are taken; free a slot at the platform").count(), 10);
    assert!(plan.stderr.contains("note: no step can be taken now"), "{}", plan.stderr);
    assert!(!plan.stderr.contains("nothing is due"), "{}", plan.stderr);
}

/// A product that nobody approves is a finding, not a success: nothing is delivered, and the old key stays.
#[test]
fn a_product_that_waits_is_told() {
    let world = world("edge", "--developers 1 --apps 3 --age 95d --approval-refused");
    let before = live(&world);
    let run = world.run().exits(3);
    assert!(run.stderr.contains("its product `payments`") && run.stderr.contains("approval"), "{}", run.stderr);
    let mut reader = Reader::new(&world);
    for one in &before {
        let waits = one.products.iter().any(|product| product == "payments" || product == "bulk export");
        assert_eq!(reader.read_fields(&one.path(), ["consumerKey"]).is_none(), waits, "{}", one.path());
    }
    // Somebody approves it at the console, and asks for another try.
    for one in live(&world).iter().filter(|one| one.key.starts_with("keyrota_")) {
        for product in ["payments", "bulk export"] {
            world.tamper(&json!({
                "action": "approve_product", "developer": one.developer, "app": one.app, "name": one.key,
                "product": product,
            }));
        }
    }
    for one in &before {
        world.keyrota(&format!("credential rotate {} --reason approved", one.credential()));
    }
    world.run().exits(0);
    served_both(&world, &before);
}

/// Somebody still uses the old key and analytics does not show it in time: it is switched on again, and never deleted.
#[test]
fn who_misses_a_key_gets_it_back() {
    let world = world("x", "--developers 1 --apps 1 --age 95d");
    let old = live(&world).remove(0);
    run_to_overlap(&world, 1);
    world.advance("6d");
    assert_eq!(world.run().exits(0).json()["performed"]["disable"], 1);
    world.advance("4m");
    assert_eq!(world.gateway().get("/ping", &[("x-api-key", &old.key)]).status, 401);
    world.advance("40m");
    let run = world.run().exits(3);
    assert_eq!(run.json()["performed"]["enable"], 1, "{}", run.stdout);
    assert!(run.stderr.contains("the old version was tried"), "{}", run.stderr);
    assert_eq!(world.gateway().get("/ping", &[("x-api-key", &old.key)]).status, 200);
}
