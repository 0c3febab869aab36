//! What carries a successor's name and is not ours: reported, and left alone.

use std::collections::BTreeSet;

use serde_json::json;

use crate::world::{Known, World};

#[test]
fn a_stray_is_reported_and_blocks_its_base() {
    let world = World::new("--consumer-orgs 2 --apps 2 --age 95d");
    let before = world.live();
    let base = &before[0];
    let name = format!("{}_new", base.name);
    let act = |what: &str| json!({ "action": what, "consumer_org": base.consumer_org, "app": base.app, "name": name });
    let made = world.tamper(&act("create_credential"));
    let stray = made["id"].as_str().unwrap();

    for _ in 0..2 {
        let run = world.keyrota("run --once").exits(3);
        let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
        let of = |path: &str| warnings.iter().find(|line| line.starts_with(&format!("warning: {path}: ")));
        let about_stray = of(&format!("{}_new", base.path())).unwrap_or_else(|| panic!("{}", run.stderr));
        assert!(about_stray.contains("carries a successor's name but was not made by Keyrota"), "{about_stray}");
        let about_base = of(&base.path()).unwrap_or_else(|| panic!("{}", run.stderr));
        assert!(about_base.contains(&format!("`{name}` is taken by one that is not ours")), "{about_base}");
    }
    world.advance("6d");
    let run = world.run().exits(3);
    assert_eq!(run.json()["attention"].as_array().unwrap().len(), 2);
    let by_id = world.by_id();
    assert!(by_id[stray].live && by_id[stray].name == name);
    assert_eq!(by_id[&base.id], *base);
    assert_eq!(world.live().len(), 5);
    assert!(world.writes().iter().all(|(_, path)| !path.contains(stray) && !path.contains(&base.id)));
    world.keyrota("status").exits(3);
    let listed = world.keyrota("credential list --attention --output json").exits(0).objects();
    assert_eq!(listed.len(), 2);

    // A person gives it a name of its own: it becomes a credential like any other, and its base is free.
    let mut action = act("rename_credential");
    action["new_name"] = "Partner-key".into();
    action["title"] = "Partner key".into();
    world.tamper(&action);
    assert_eq!(world.run().exits(0).json()["performed"]["confirm"], 1);
    world.advance("6d");
    world.run_to_rest();
    let by_id = world.by_id();
    assert!(by_id[stray].live && by_id[stray].name == "Partner-key");
    assert!(!by_id[&base.id].live);
    let names: BTreeSet<_> = world.live().iter().map(Known::path).collect();
    assert_eq!(names.len(), 5);
    assert!(before.iter().all(|one| names.contains(&one.path())), "{names:?}");

    // One that is removed is spoken of no more either.
    world.tamper(&act("create_credential"));
    world.run().exits(3);
    world.tamper(&act("delete_credential"));
    world.run().exits(0);
    world.keyrota("status").exits(0);
}
