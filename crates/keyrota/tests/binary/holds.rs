//! What is held stays as it is, whatever is due.

use serde_json::Value;

use crate::{
    consumer::Reader,
    end_state::check_renewed,
    world::{Known, World},
};

/// The platform has exactly these versions under the name of `one`, and no call to change any of them was made
/// since `calls` calls.
#[track_caller]
fn check_untouched(world: &World, versions: &[Known], since: usize) {
    let by_id = world.by_id();
    for version in versions {
        assert_eq!(by_id[&version.id], *version);
        let touched: Vec<_> =
            world.writes().into_iter().skip(since).filter(|(_, path)| path.contains(&version.id)).collect();
        assert!(touched.is_empty(), "{touched:?}");
    }
}

/// Status says who holds what, and why, to people and to programs.
#[track_caller]
fn check_status_says_why(world: &World, path: &str) {
    let said = "held by vera: the partner is on holiday";
    let status = world.keyrota("status").exits(0);
    let line = status.stdout.lines().find(|line| line.starts_with(path)).unwrap_or_default();
    assert!(line.ends_with(said), "{}", status.stdout);
    let held = world.keyrota("status --output json").exits(0).json()["held"].clone();
    assert_eq!((&held[0]["credential"], &held[0]["message"]), (&Value::from(path), &Value::from(said)), "{held}");
    let shown = world.keyrota(&format!("credential show {path}")).exits(0);
    assert!(shown.stdout.contains(said), "{}", shown.stdout);
}

fn hold(world: &World, path: &str) {
    let mut command = world.command("credential hold --by vera");
    command.arg(path).args(["--reason", "the partner is on holiday"]);
    world.perform("credential hold", &mut command, "").exits(0);
}

#[test]
fn a_hold_before_a_rotation_keeps_it_from_beginning() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    let held = &before[1];
    hold(&world, &held.path());

    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    assert_eq!(world.live().len(), 4);
    check_untouched(&world, std::slice::from_ref(held), 0);
    assert_eq!(Reader::new(&world).read(&held.path()), None);
    check_status_says_why(&world, &held.path());
    let rotate = world.keyrota(&format!("credential rotate {} --output json", held.path()));
    assert!(rotate.stdout.is_empty() || rotate.json()["performed"] == serde_json::json!({}), "{rotate:?}");
    check_untouched(&world, std::slice::from_ref(held), 0);

    world.keyrota(&format!("credential release {}", held.path())).exits(0);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before);
}

#[test]
fn a_hold_in_the_overlap_keeps_both_versions() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    let before = world.live();
    world.run().exits(0);
    let path = before[2].path();
    hold(&world, &path);
    let both: Vec<Known> = world
        .live()
        .into_iter()
        .filter(|one| (&one.app, &one.consumer_org) == (&before[2].app, &before[2].consumer_org))
        .collect();
    assert_eq!(both.len(), 2);
    let writes = world.writes().len();

    world.advance("60d");
    world.run_to_rest();
    check_untouched(&world, &both, writes);
    assert_eq!(world.live().len(), 5);
    let mut gateway = world.gateway();
    assert!(both.iter().all(|one| gateway.ping(&one.client_id, &one.client_secret) == 200));
    check_status_says_why(&world, &path);

    world.keyrota(&format!("credential release {path}")).exits(0);
    world.run_to_rest();
    check_renewed(&world, &before);
}

#[test]
fn a_hold_among_siblings_holds_one() {
    let world = World::new("--consumer-orgs 1 --apps 2 --credentials 3 --age 300d");
    let before = world.live();
    world.keyrota("discover").exits(0);
    hold(&world, &before[4].path());
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_untouched(&world, &before[4..5], 0);
    let by_id = world.by_id();
    assert_eq!(before.iter().filter(|one| by_id[&one.id].live).count(), 1);
    assert_eq!(world.live().len(), 6);
}
