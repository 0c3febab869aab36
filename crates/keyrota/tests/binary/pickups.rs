//! A secret that is handed over by a one-time code.

use serde_json::Value;

#[cfg(target_os = "linux")]
use crate::world::Terminal;
use crate::world::World;

#[test]
fn a_code_takes_a_secret_once_and_it_is_on_record_who_did() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    let path = world.live()[0].path();
    let early = world.keyrota(&format!("secret pickup create {path}")).exits(1);
    assert!(early.stderr.contains("nothing is current"), "{}", early.stderr);
    world.keyrota("run --once").exits(0);
    world.keyrota(&format!("secret pickup create {path} --within 8d")).exits(2);

    let made =
        world.keyrota(&format!("secret pickup create {path} --within 2h --by vera --reason onboarding")).exits(0);
    let code = made.stdout.trim().to_owned();
    assert!(code.starts_with("kp_") && code.len() > 28, "{code}");
    let wrong = world.keyrota_reads("secret pickup take", &code[..20]).exits(1);
    assert!(wrong.stderr.contains("nothing waits to be picked up"), "{}", wrong.stderr);

    // A slip of the fingers spends nothing.
    let slip = world.keyrota_reads("secret pickup take --by milo --field clientsecret", &code).exits(1);
    assert!(slip.stderr.contains("it has `client_id`, `client_secret`"), "{}", slip.stderr);
    // Arguments are there for everybody on the machine to read.
    world.keyrota(&format!("secret pickup take {code}")).exits(2);

    let taken = world
        .keyrota_reads("secret pickup take --by milo --field client_secret", &format!("{code}\nand more\n"))
        .exits(0);
    let new = world.live().into_iter().find(|one| one.name.ends_with("_new")).unwrap();
    assert_eq!(taken.stdout.trim(), new.client_secret);
    let again = world.keyrota_reads("secret pickup take --by eve", &code).exits(1);
    assert!(again.stderr.contains("milo took it"), "{}", again.stderr);
    assert!(again.stdout.is_empty() && !again.stderr.contains(&new.client_secret));

    let lines = world.keyrota("secret pickup list --output json").exits(0).objects();
    assert_eq!(lines.len(), 1);
    let who = |key: &str| lines[0][key].as_str().unwrap().to_owned();
    assert_eq!((who("state"), who("made_by"), who("taken_by")), ("taken".into(), "vera".into(), "milo".into()));
    let history = world.keyrota(&format!("credential history {path} --output json")).exits(0).objects();
    let line: Vec<&Value> = history.iter().filter(|line| line["what"] == "pickup").collect();
    assert_eq!((line.len(), &line[0]["by"]), (1, &Value::from("milo")));
    // The code itself is nowhere.
    for entry in std::fs::read_dir(world.data()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(20).any(|window| window == &code.as_bytes()[3..23]));
    }
}

/// What is typed at a terminal stays there: a code ends with Enter, a document with an empty line.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_nothing_of_what_is_typed() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.keyrota("discover").exits(0);
    let mut terminal = Terminal::open(&world, "secret put acme/key --by vera");
    terminal.read_until("an empty line. Nothing is shown.");
    terminal.types("{ \"client_id\": \"known-7\",\n  \"client_secret\": \"canary-7\" }\n\n");
    let shown = terminal.ends_with(0);
    assert!(shown.contains("version 1 of acme/key is current"), "{shown}");
    assert!(!shown.contains("canary-7"), "{shown}");

    let code = world.keyrota("secret pickup create acme/key").exits(0).stdout.trim().to_owned();
    let mut terminal = Terminal::open(&world, "secret pickup take --by milo --field client_secret");
    terminal.read_until("The code, then Enter. Nothing is shown.");
    terminal.types(&format!("{code}\n"));
    let shown = terminal.ends_with(0);
    assert!(shown.contains("canary-7") && !shown.contains(&code), "{shown}");

    let path = world.live()[0].path();
    let mut terminal = Terminal::open(&world, &format!("credential import {path}"));
    terminal.read_until("an empty line. Nothing is shown.");
    terminal.types("{ \"client_secret\": canary-8 }\n\n");
    let shown = terminal.ends_with(2);
    assert!(shown.contains("it is not one JSON object of texts") && !shown.contains("canary-8"), "{shown}");
}
