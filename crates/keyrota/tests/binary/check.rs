//! `keyrota check`: what it says, and that saying it changes nothing.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use crate::{world::World, wrong_input::small};

/// What is said of one thing: the result and the words.
#[track_caller]
fn said_on(world: &World, on: &str) -> Vec<(String, String)> {
    let lines = world.keyrota("check --output json").exits(0).objects();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines.iter().filter(|line| line["on"] == on).map(|line| (text(line, "result"), text(line, "what"))).collect()
}

#[test]
fn checking_makes_no_database_and_the_first_run_says_that_it_does() {
    let world = small();
    let data = world.data().display().to_string();
    let said = said_on(&world, "database");
    assert_eq!((said.len(), said[0].0.as_str()), (1, "reduced"));
    assert!(said[0].1.starts_with(&format!("no database yet: the first run makes one in {data}")), "{said:?}");
    assert!(!world.data().exists());

    let first = world.run();
    let note = format!("note: there was no database in {data}; a new one was made\n");
    assert_eq!(first.stderr.matches(&note).count(), 1, "{}", first.stderr);
    assert!(!world.run().stderr.contains("a new one was made"));
    assert_eq!(said_on(&world, "database"), []);
    assert_eq!(said_on(&world, "root key"), [("ok".to_owned(), "opens the database".to_owned())]);

    // The folder was mistyped: what was there is not seen, and nothing new is made unsaid.
    world.reconfigure("data_dir = \"data\"", "data_dir = \"date\"");
    assert_eq!(said_on(&world, "database").len(), 1);
    assert!(!world.folder().join("date").exists());
}

/// The first run died before it had sealed anything: checking does not go on with it.
#[test]
fn a_database_that_was_not_finished_is_left_to_the_next_run() {
    let world = small();
    drop(db::Db::open(&world.data(), db::Access::Engine).unwrap());
    for _ in 0..2 {
        assert!(said_on(&world, "database")[0].1.starts_with("no database yet"));
    }
    world.run();
    assert_eq!(said_on(&world, "database"), []);
}

#[test]
fn a_folder_in_which_no_database_can_be_made_is_named() {
    let world = small();
    fs::write(world.data(), "in the way").unwrap();
    let checked = world.keyrota("check").exits(1);
    assert!(checked.stderr.contains("no database can be made in "), "{}", checked.stderr);
    assert_eq!(fs::read_to_string(world.data()).unwrap(), "in the way");
}

#[test]
fn a_secret_that_others_may_read_is_told() {
    let world = small();
    let password = world.announced["login"]["password"].as_str().unwrap().to_owned();
    let (key, file) = (world.folder().join("root.key"), world.folder().join("password"));
    fs::write(&file, &password).unwrap();
    world.reconfigure(&format!("password = \"{password}\""), "password = { file = \"password\" }");
    let open = |file: &std::path::Path, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    let reduced = |on: &str| {
        let said = said_on(&world, on).into_iter().find(|(result, _)| result == "reduced");
        said.map(|(_, what)| what).unwrap_or_default()
    };
    open(&file, 0o600);
    assert_eq!((reduced("root key"), reduced("issuer apic")), (String::new(), String::new()));
    open(&key, 0o644);
    open(&file, 0o640);
    assert!(reduced("root key").contains("root.key is open to others than its owner (mode 644)"));
    assert!(reduced("issuer apic").contains("password is open to others than its owner (mode 640)"));
}

/// `plan` and `check` say what `run` would only find when it parks the second one.
#[test]
fn two_credentials_for_one_place_are_told_before_anything_is_issued() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    world.reconfigure("apic/{consumer_org}/{app}/{credential}", "apic/{consumer_org}");
    let sentence = "apic/northwind-bank/billing/Credential-for-Billing and \
        apic/northwind-bank/mobile-app/Credential-for-Mobile-App are both delivered to `local:apic/northwind-bank`";
    let planned = world.keyrota("plan").exits(3);
    assert_eq!(planned.stderr.matches(sentence).count(), 1, "{}", planned.stderr);
    assert!(world.keyrota("plan apic/*/billing/*").exits(3).stderr.contains(sentence));
    let checked = world.keyrota("check").exits(0).stdout;
    let line = checked.lines().find(|line| line.contains(sentence)).unwrap();
    assert!(line.starts_with("delivery") && line.contains("reduced"), "{line}");
    assert!(world.writes().is_empty());

    world.reconfigure("apic/{consumer_org}\"", "apic/{app}\"");
    world.keyrota("plan").exits(0);
    assert!(!world.keyrota("check").exits(0).stdout.contains("delivery"));
}
