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
    let ours = get(&world, &path);
    put(&world, &path, &json!({ "client_id": "someone", "client_secret": "else's" }));
    world.advance("6d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path)[0], "drifted");
    let status = world.keyrota("status");
    assert!(status.stderr.contains("was not delivered by Keyrota"), "{}", status.stderr);
    let (old, new) = old_and_new(&world);
    assert!(old.live && new.live);
    put(&world, &path, &ours);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1, "put right by hand, it goes on");
}

#[test]
fn a_value_written_by_hand_before_the_promotion_stops_it_until_a_person_says_so() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    let killed = world.perform("run", world.command("run --once").env("KEYROTA_CRASH_AT", "verify:begun"), "");
    assert!(killed.signal.is_some());
    let theirs = json!({ "client_id": "someone", "client_secret": "else's" });
    put(&world, &path, &theirs);
    world.run().exits(3);
    let status = world.keyrota("status");
    assert!(status.stderr.contains("between our writing and our promotion"), "{}", status.stderr);
    assert_eq!(get(&world, &path), theirs);
    world.keyrota(&format!("credential rotate {path}")).exits(0);
    let (_, new) = old_and_new(&world);
    assert_eq!(get(&world, &path)["client_id"], new.client_id.as_str());
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
    world.keyrota(&format!("credential hold {path}")).exits(0);
    world.keyrota(&format!("credential release {path}")).exits(0);
    world.keyrota(&format!("secret get {path} --field client_id --consumer billing")).exits(0);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1);
    let history = world.keyrota(&format!("credential history {path} --output json")).exits(0).objects();
    let read = history.iter().find(|line| line["by"] == "billing" && line["why"] == "read it").unwrap();
    // By the issuer's clock, which is six days ahead of ours.
    let released = history.iter().find(|line| line["what"] == "release").unwrap();
    assert!(read["at"].as_str().unwrap() >= released["at"].as_str().unwrap(), "{read} {released}");
    let again = world.keyrota(&format!("secret get {path} --field client_id --consumer billing")).exits(0);
    assert_eq!(again.stderr, "");
    let unknown = world.keyrota(&format!("secret get {path} --field client_id --consumer biling")).exits(0);
    assert!(unknown.stderr.contains("no consumer of"), "{}", unknown.stderr);
    let history = world.keyrota(&format!("credential history {path} --output json")).exits(0).objects();
    assert_eq!(history.iter().filter(|line| line["by"] == "billing").count(), 1, "the same read is told once");
}

#[test]
fn a_named_person_may_answer_for_it_for_a_time() {
    let consumers = r#"consumers = [{ name = "billing", acknowledges = true }]"#;
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 91d", consumers);
    let path = world.live()[0].path();
    world.run().exits(0);
    world
        .keyrota(&format!("credential waive {path} --consumer billing --within 1d --by vera --reason restart"))
        .exits(0);
    world.advance("6d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["not_acknowledged"], "a waiver that is over answers for nothing");
    world
        .keyrota(&format!("credential waive {path} --consumer billing --within 1d --by vera --reason restart"))
        .exits(0);
    world.run().exits(0);
    assert_eq!(world.live().len(), 1);
    for within in ["400d", "0d"] {
        let refused = format!("credential waive {path} --within {within} --by vera --reason restart");
        world.keyrota(&refused).exits(2);
    }
    for nobody in ["", "--by vera", "--reason restart", "--by vera --reason=", "--by= --reason restart"] {
        let refused = world.keyrota(&format!("credential waive {path} --within 1d {nobody}")).exits(2);
        assert!(refused.stderr.contains("--by") || refused.stderr.contains("--reason"), "{}", refused.stderr);
    }
    for act in ["hold", "compromised"] {
        world.keyrota(&format!("credential {act} {path} --reason=")).exits(2);
    }
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
fn what_was_written_by_hand_is_not_covered_because_of_age() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    world.advance("95d");
    let theirs = json!({ "client_id": "by", "client_secret": "hand" });
    put(&world, &path, &theirs);
    world.run().exits(3);
    assert_eq!(finding(&world, &path)[0], "drifted");
    assert_eq!((get(&world, &path), world.live().len()), (theirs, 1), "seen before anything was begun");
    world.keyrota(&format!("credential rotate {path}")).exits(0);
    assert_ne!(get(&world, &path)["client_id"], "by", "a person said so");
    assert_eq!(world.live().len(), 2);
}

#[test]
fn a_place_that_is_named_later_is_said_to_have_nothing_until_it_is_delivered_to() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let deliver = r#"deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}" },
    { store = "local", path = "too/{app}" }]"#;
    world.reconfigure(DELIVER, deliver);
    let run = world.run().exits(3);
    assert!(run.stderr.contains("has nothing of it yet; run `keyrota credential rotate"), "{}", run.stderr);
    let shown = world.keyrota(&format!("credential show {path}")).exits(0).stdout;
    assert_eq!(shown.matches("nothing of ours yet").count(), 1, "{shown}");
    world.reconfigure(deliver, &format!("drift = \"repair\"\n{deliver}"));
    world.run().exits(0);
    assert_eq!(get(&world, &path), get(&world, &format!("too/{}", world.live()[0].app)));
    assert_eq!(finding(&world, &path), Vec::<String>::new());
    assert_eq!(world.live().len(), 1, "nothing was issued for it");
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

#[test]
fn a_consumer_of_another_environment_than_the_store_is_refused_too() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.reconfigure("driver = \"embedded\"", "driver = \"embedded\"\nenvironment = \"staging\"");
    world.reconfigure(
        "quiet_for = \"24h\"",
        "quiet_for = \"24h\"\nenvironment = \"staging\"\nconsumers = [{ name = \"billing\", environment = \"production\" }]",
    );
    let refused = world.keyrota("check").exits(2);
    assert!(refused.stderr.contains("it would go on with the old version"), "{}", refused.stderr);
}

#[test]
fn nobody_reads_through_a_store_of_another_kind_or_environment() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let bao = "[[store]]\nname = \"bao\"\ndriver = \"vault_kv2\"\naddress = \"http://127.0.0.1:1\"\n\
        auth = { method = \"token\", token = { env = \"BAO_TOKEN\" } }\n\n";
    let other = "[[store]]\nname = \"other\"\ndriver = \"embedded\"\nenvironment = \"staging\"\n\n";
    world.reconfigure("[[policy]]", &format!("{bao}{other}[[policy]]"));
    world.reconfigure("{credential}\" }]", "{credential}\", read_as = \"bao\" }]");
    let refused = world.keyrota("check").exits(2);
    assert!(refused.stderr.contains("a store of the kind `vault_kv2`"), "{}", refused.stderr);
    world.reconfigure("read_as = \"bao\"", "read_as = \"other\"");
    world.reconfigure("quiet_for = \"24h\"", "quiet_for = \"24h\"\nenvironment = \"production\"");
    let refused = world.keyrota("check").exits(2);
    assert!(refused.stderr.contains("staging"), "{}", refused.stderr);
}

#[test]
fn whoever_overwrites_again_and_again_is_not_fought_for_ever() {
    let world = World::with_policy("--consumer-orgs 1 --apps 1 --age 95d", "drift = \"repair\"");
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let theirs = |count: u32| json!({ "client_id": "by", "client_secret": format!("hand {count}") });
    for count in 0..3 {
        put(&world, &path, &theirs(count));
        world.run().exits(0);
        assert_ne!(get(&world, &path)["client_id"], "by");
    }
    put(&world, &path, &theirs(3));
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["drifted"]);
    assert_eq!(get(&world, &path), theirs(3));
    let shown = world.keyrota(&format!("credential show {path} --output json")).exits(0).json();
    assert_eq!(shown["state"], "current", "no successor is due for that");
    world.advance("25h");
    world.run().exits(0);
    assert_ne!(get(&world, &path)["client_id"], "by", "a day later it may be a mistake again");
}

#[test]
fn places_that_drifted_together_are_put_right_together() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    let deliver = r#"deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}" },
    { store = "local", path = "too/{app}" }]
drift = "repair""#;
    world.reconfigure(DELIVER, deliver);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let too = format!("too/{}", world.live()[0].app);
    let theirs = json!({ "client_id": "by", "client_secret": "hand" });
    [&path, &too].into_iter().for_each(|place| put(&world, place, &theirs));
    world.run().exits(0);
    assert_eq!(finding(&world, &path), Vec::<String>::new());
    assert_ne!(get(&world, &path), theirs);
    assert_eq!(get(&world, &path), get(&world, &too));
}

#[test]
fn a_form_that_cannot_be_filled_in_is_refused_before_anything_is_issued() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    world.reconfigure("{credential}\" }]", "{credential}\", value = \"{api_key}\" }]");
    world.advance("90d");
    world.run().exits(3);
    assert_eq!(finding(&world, &path), ["parked"]);
    let status = world.keyrota("status");
    assert!(status.stderr.contains("there is no field `api_key`"), "{}", status.stderr);
    assert_eq!(world.live().len(), 1, "one more would be one more to end");
}

#[test]
fn whoever_was_told_of_a_version_that_is_no_more_is_told_of_the_next() {
    let world = World::with_policy(
        "--consumer-orgs 1 --apps 1 --age 91d",
        "consumers = [{ name = \"billing\", tell = { file = \"told.json\" } }]",
    );
    let told = || {
        let text = std::fs::read_to_string(world.folder().join("told.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["data"]["version"].clone()
    };
    world.run().exits(0);
    assert_eq!(told(), 2);
    let (_, new) = old_and_new(&world);
    world.tamper(&json!({
        "action": "delete_credential", "consumer_org": new.consumer_org, "app": new.app, "name": new.name,
    }));
    world.run();
    world.run();
    assert_eq!(told(), 3);
}
