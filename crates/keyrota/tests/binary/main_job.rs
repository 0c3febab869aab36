//! The main job: an estate is replaced, and nobody notices.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    consumer::Consumer,
    end_state::{check_at_rest, check_overlap, check_renewed},
    world::World,
};

const TWO_HUNDRED: &str = "--consumer-orgs 50 --apps 4 --credentials 1 --age 95d";

#[test]
fn two_hundred_are_replaced_unnoticed() {
    let world = World::new(TWO_HUNDRED);
    let before = world.live();
    assert_eq!(before.len(), 200);
    let consumer = Consumer::start(&world, &before);

    let report = world.run().exits(0).json();
    for step in ["issue", "write", "verify", "promote", "confirm"] {
        assert_eq!(report["performed"][step], 200, "{report}");
    }
    assert_eq!(report["waiting"], 200);
    check_overlap(&world, &before);
    for one in &before {
        let secret = world.keyrota(&format!("secret get {} --output json", one.path())).exits(0).json();
        let field = |name: &str| secret["data"][name].as_str().unwrap().to_owned();
        assert_eq!(world.gateway().ping(&field("client_id"), &field("client_secret")), 200);
    }

    consumer.catch_up();
    world.advance("6d");
    let performed = world.run_to_rest();
    for step in ["revoke", "prove_dead", "rename", "complete"] {
        assert_eq!(performed[step], 200, "{performed:?}");
    }
    check_renewed(&world, &before);
    check_at_rest(&world);
    consumer.was_served();
}

#[test]
fn two_hundred_are_replaced_unnoticed_on_a_bad_day() {
    let faults = "--fault timeout_after:0.05 --fault error:0.05 --fault throttle:0.05 --fault stale_list:0.1";
    let world = World::new(&format!("{TWO_HUNDRED} --seed 7 {faults}"));
    let before = world.live();
    let consumer = Consumer::start(&world, &before);

    world.run_to_overlap();
    consumer.catch_up();
    world.advance("6d");
    world.run_to_rest();

    world.clear_faults();
    world.run().exits(0);
    check_renewed(&world, &before);
    check_at_rest(&world);
    consumer.was_served();
    let struck = |status: u64| world.calls().iter().filter(|call| call["status"].as_u64() == Some(status)).count();
    assert!(struck(429) > 20 && struck(500) > 20, "the faults did not strike");
}

/// The other tests rest on it: a consumer whose credential is taken away is noticed.
#[test]
#[should_panic(expected = ": 401")]
fn a_consumer_that_is_cut_off_is_noticed() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    let before = world.live();
    let consumer = Consumer::start(&world, &before);
    world.run().exits(0);
    consumer.catch_up();
    let new = world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    world.tamper(&json!({
        "action": "delete_credential", "consumer_org": new.consumer_org, "app": new.app, "name": new.name,
    }));
    consumer.was_served();
}

/// An estate that nobody looked after: past every limit, and credentials beside each other that have nothing to do
/// with each other. Each goes only after its own successor.
#[test]
fn an_old_estate_loses_nothing() {
    let world = World::new("--consumer-orgs 10 --apps 2 --credentials 3 --age 300d");
    let before = world.live();
    assert_eq!(before.len(), 60);
    let consumer = Consumer::start(&world, &before);

    world.run().exits(0);
    check_overlap(&world, &before);
    assert!(world.writes().iter().all(|(method, _)| method != "DELETE" && method != "PATCH"));

    consumer.catch_up();
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
    for one in &before {
        let lines = world.keyrota(&format!("credential history {} --output json", one.path())).exits(0).objects();
        let at = |what: &str| lines.iter().rposition(|line| line["what"] == what).unwrap();
        assert!(at("confirm") < at("revoke"), "{}: {lines:#?}", one.path());
    }
    consumer.was_served();
}

/// Dead means proved dead: a platform that says deleted and still accepts is found out, for every pair that is ours.
#[test]
fn a_platform_that_lies_is_found_out() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    let ours = world.live().remove(0);
    world.advance("90d");
    world.run().exits(0);
    world.advance("6d");
    world.fault("lies@revoke");
    // It would try again and again for a while; cut short, since nothing is to be seen there.
    let mut command = world.command("run --once");
    command.env("KEYROTA_CRASH_AT", "prove_dead:finished");
    assert_eq!(world.perform("run --once", &mut command, "").code, None);
    assert_eq!(world.gateway().ping(&ours.client_id, &ours.client_secret), 200);
    // Past the propagation nobody waits for it to pass by itself any more.
    world.advance("2d");
    let run = world.run().exits(3);
    assert_eq!(run.json()["performed"], json!({}));
    assert!(run.stderr.contains("and still accepted"), "{}", run.stderr);
    let shown = world.keyrota(&format!("credential show {} --output json", ours.path())).exits(0).json();
    assert_eq!(shown["state"], "retiring", "{shown}");
}

/// One in each application goes on alone, and its siblings keep what they have.
#[test]
fn a_version_goes_only_for_its_own_successor() {
    let world = World::new("--consumer-orgs 2 --apps 2 --credentials 3 --age 300d");
    let before = world.live();
    world.run().exits(0);
    world.advance("6d");
    let chosen: BTreeSet<String> = before.iter().step_by(3).map(|one| one.path()).collect();
    for path in &chosen {
        world.keyrota(&format!("run --once {path} --output json")).exits(0);
    }
    let by_id = world.by_id();
    for one in &before {
        assert_eq!(by_id[&one.id].live, !chosen.contains(&one.path()), "{}", one.path());
    }
    world.run_to_rest();
    check_renewed(&world, &before);
}
