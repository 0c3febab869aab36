//! The manners of a command line.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

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
