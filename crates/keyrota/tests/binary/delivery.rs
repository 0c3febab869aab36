//! Delivery as a proved fact: the form, the place, who has taken notice, and what happens when somebody else writes.

use serde_json::{Value, json};

use crate::{
    consumer::Reader,
    world::{Known, World},
};

const DELIVER: &str = "deliver = [{ store = \"local\", path = \"apic/{consumer_org}/{app}/{credential}\" }]";

fn old_and_new(world: &World) -> (Known, Known) {
    let (new, old): (Vec<_>, Vec<_>) = world.live().into_iter().partition(|one| one.name.ends_with("_new"));
    (old[0].clone(), new[0].clone())
}

fn finding(world: &World, path: &str) -> Vec<String> {
    let shown = world.keyrota(&format!("credential show {path} --output json")).exits(0).json();
    let findings = shown["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().map(|finding| finding["finding"].as_str().unwrap().to_owned()).collect()
}

fn get(world: &World, path: &str) -> Value {
    world.keyrota(&format!("secret get {path} --output json")).exits(0).json()["data"].clone()
}

fn put(world: &World, path: &str, value: &Value) {
    world.keyrota_reads(&format!("secret put {path} --by mallory"), &value.to_string()).exits(0);
}

#[test]
fn each_application_reads_the_form_that_it_expects() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.reconfigure(
        DELIVER,
        r#"deliver = [
    { store = "local", path = "fields/{app}", fields = { API_ID = "{client_id}", API_KEY = "{client_secret}", API_URL = "https://x" } },
    { store = "local", path = "json/{app}", json = { oauth = { id = "{client_id}", key = "{client_secret}" }, n = 1 } },
    { store = "local", path = "dotenv/{app}", dotenv = { ID = "{client_id}", KEY = "{client_secret}" }, field = "env" },
    { store = "local", path = "value/{app}", value = "{client_secret}" },
]"#,
    );
    world.run().exits(0);
    let (_, Known { client_id: id, client_secret: key, app, .. }) = old_and_new(&world);
    assert_eq!(get(&world, &format!("fields/{app}")), json!({ "API_ID": id, "API_KEY": key, "API_URL": "https://x" }));
    let document: Value = serde_json::from_str(get(&world, &format!("json/{app}"))["value"].as_str().unwrap()).unwrap();
    assert_eq!(document, json!({ "oauth": { "id": id, "key": key }, "n": 1 }));
    assert_eq!(get(&world, &format!("dotenv/{app}")), json!({ "env": format!("ID=\"{id}\"\nKEY=\"{key}\"\n") }));
    assert_eq!(get(&world, &format!("value/{app}")), json!({ "value": key }));
    let shown = world.keyrota(&format!("credential show {path} --output json")).exits(0).json();
    let states: Vec<&Value> = shown["destinations"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["confirmed"; 4]);
}

#[test]
fn a_value_overwritten_by_hand_before_retirement_keeps_the_old_credential() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    put(&world, &path, &json!({ "client_id": "someone", "client_secret": "else's" }));
    world.advance("6d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["parked"]);
    let status = world.keyrota("status");
    assert!(status.stderr.contains("somebody else wrote there"), "{}", status.stderr);
    let (old, new) = old_and_new(&world);
    assert!(old.live && new.live);
}

#[test]
fn a_consumer_that_has_not_said_what_it_runs_keeps_the_old_credential() {
    let consumers = r#"consumers = [{ name = "billing", acknowledges = true }, { name = "web", polls = "5m" }]"#;
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 91d", consumers);
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["not_acknowledged"]);
    let wrong = world.keyrota(&format!("credential acknowledge {path} --consumer biling")).exits(1);
    assert!(wrong.stderr.contains("did you mean `billing`?"), "{}", wrong.stderr);
    world.keyrota(&format!("credential acknowledge {path} --consumer billing --by vera")).exits(0);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1);
    let history = world.keyrota(&format!("credential history {path} --output json")).exits(0).objects();
    assert!(history.iter().any(|line| line["what"] == "acknowledge" && line["by"] == "vera"));
}

#[test]
fn what_a_consumer_read_is_on_record() {
    let consumers = r#"consumers = [{ name = "billing", acknowledges = true }]"#;
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 91d", consumers);
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run().exits(3);
    world.keyrota(&format!("secret get {path} --field client_id --consumer billing")).exits(0);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1);
    let history = world.keyrota(&format!("credential history {path} --output json")).exits(0).objects();
    assert!(history.iter().any(|line| line["by"] == "billing" && line["why"] == "read it"));
}

#[test]
fn a_named_person_may_answer_for_it_for_a_time() {
    let consumers = r#"consumers = [{ name = "billing", acknowledges = true }]"#;
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 91d", consumers);
    let path = world.live()[0].path();
    world.run().exits(0);
    world.keyrota(&format!("credential waive {path} --consumer billing --within 1d --by vera")).exits(0);
    world.advance("6d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["not_acknowledged"], "a waiver that is over answers for nothing");
    world.keyrota(&format!("credential waive {path} --consumer billing --within 1d --by vera")).exits(0);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1);
    world.keyrota(&format!("credential waive {path} --within 400d")).exits(2);
}

#[test]
fn who_waits_to_be_told_is_told_once_the_new_one_is_there() {
    let consumers = r#"consumers = [{ name = "billing", tell = { file = "told.json" } },
    { name = "shop", tell = { command = ["sh", "-c", "env > shop.env"] } }]"#;
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 91d", consumers);
    let path = world.live()[0].path();
    world.run().exits(0);
    let told: Value =
        serde_json::from_str(&std::fs::read_to_string(world.folder().join("told.json")).unwrap()).unwrap();
    assert_eq!((&told["data"]["credential"], &told["data"]["version"]), (&Value::from(path), &2.into()));
    let env = std::fs::read_to_string(world.folder().join("shop.env")).unwrap();
    assert!(env.contains("KEYROTA_VERSION=2"), "{env}");
    let (_, new) = old_and_new(&world);
    assert!(!env.contains(&new.client_secret) && !told.to_string().contains(&new.client_secret));
}

#[test]
fn what_drifts_is_found_and_put_right_only_where_the_policy_says_so() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let ours = get(&world, &path);
    put(&world, &path, &json!({ "client_id": "by", "client_secret": "hand" }));
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["drifted"]);
    assert_eq!(get(&world, &path)["client_id"], "by", "only reported");
    world.reconfigure("quiet_for = \"24h\"", "quiet_for = \"24h\"\ndrift = \"repair\"");
    world.run().exits(0);
    assert_eq!(get(&world, &path), ours);
    assert_eq!(finding(&world, &path), Vec::<String>::new());
    assert_eq!(world.live().len(), 1, "nothing was issued and nothing revoked");
    assert!(Reader::new(&world).read(&path).is_some());
}

#[test]
fn a_consumer_of_another_environment_is_refused_with_the_configuration() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.reconfigure(
        "quiet_for = \"24h\"",
        "quiet_for = \"24h\"\nenvironment = \"staging\"\nconsumers = [{ name = \"billing\", environment = \"production\" }]",
    );
    let refused = world.keyrota("check").exits(2);
    assert!(refused.stderr.contains("it would go on with the old version"), "{}", refused.stderr);
}
