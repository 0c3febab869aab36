//! The manners of a command line.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::world::World;

const BINARY: &str = env!("CARGO_BIN_EXE_keyrota");

/// A reader that has had enough is no error: `keyrota … | head -1`.
#[test]
fn a_closed_pipe_is_no_error() {
    let world = World::new("--consumer-orgs 30 --apps 4 --age 95d");
    world.keyrota("discover").exits(0);
    for arguments in ["completions bash", "config schema", "credential list", "plan --output json", "status", "--help"]
    {
        let mut child = world.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Closed at once, before a word is written.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{arguments}");
    }
    let script = format!("'{BINARY}' completions bash | head -1; echo $?");
    let piped = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&piped.stderr), "");
    assert_eq!(String::from_utf8_lossy(&piped.stdout).lines().count(), 2);
}

/// It says what is wrong, and ends as it would have.
#[test]
fn a_closed_pipe_hides_nothing_that_wants_attention() {
    let world = World::with_policy("--consumer-orgs 1 --apps 2 --age 95d", "mode = \"ask\"");
    world.keyrota("discover").exits(0);
    let mut child = world.command("run --once").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("waits for a person to approve the plan"), "{said}");
}

/// A terminal obeys what it is sent, and part of what is shown is a platform's, or somebody else's.
#[test]
fn only_secret_get_prints_every_byte() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.keyrota("discover").exits(0);
    let by = "eve\u{1b}]0;x\u{7}\u{9b}2J";
    let value = json!({ "key": "a\u{1b}[31mb" }).to_string();
    world.keyrota_reads(&format!("secret put acme/key --by {by}"), &value).exits(0);
    let table = world.keyrota("secret versions acme/key").exits(0).stdout;
    assert!(table.contains("eve ]0;x") && !table.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{table:?}");
    let object = world.keyrota("secret versions acme/key --output json").exits(0);
    assert!(!object.stdout.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{:?}", object.stdout);
    assert_eq!(object.json()["credential"], by, "a program still reads what it is");
    let path = world.live()[0].path();
    world.keyrota(&format!("credential hold {path} --by {by} --reason {by}")).exits(0);
    for command in ["credential history", "credential show"] {
        let shown = world.keyrota(&format!("{command} {path}")).exits(0).stdout;
        assert!(shown.contains("eve") && !shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{shown:?}");
    }
    assert_eq!(world.keyrota("secret get acme/key --field key").exits(0).stdout, "a\u{1b}[31mb\n");
    assert!(world.keyrota("secret get acme/key").exits(0).stdout.contains("a\u{1b}[31mb"));
}

#[test]
fn wrong_usage_is_two_and_asks_for_nothing() {
    for arguments in [&["frobnicate"][..], &["run"], &["secret", "get"], &["--output", "xml", "status"], &[]] {
        let ran = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments:?}");
    }
}

/// Standard error is for people, also where standard output is JSON, and data is never mixed with it.
#[test]
fn errors_have_one_form() {
    let world = World::new("--consumer-orgs 1 --apps 1 --age 95d");
    world.keyrota("discover").exits(0);
    let ran = world.keyrota("credential show apic/northwind-bank/billing/nothing --output json").exits(2);
    assert!(ran.stderr.starts_with("error[KR0502]: "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn quiet_says_only_what_wants_attention() {
    let world = World::new("--consumer-orgs 1 --apps 2 --age 95d");
    assert_eq!(world.keyrota("discover --quiet").exits(0).stderr, "");
    world.advance("1d");
    assert_eq!(world.keyrota("run --once --quiet").exits(0).stderr, "");
    assert!(world.keyrota("run --once").exits(0).stderr.starts_with("note: the clock of `apic` differs"));
}
