//! The pages under docs/reference say what the binary says. `cargo xtask docs` writes them.
#![cfg(feature = "age-file")] // The pages are those of the build with everything in it.
#![allow(clippy::unwrap_used)]

use std::{path::Path, process::Command};

#[track_caller]
fn check(page: &str, words: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_keyrota")).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
    let committed = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("docs/reference/{page}: {error}"));
    let line =
        1 + committed.lines().zip(printed.lines()).take_while(|(committed, printed)| committed == printed).count();
    assert!(committed == printed, "docs/reference/{page} is old from line {line} on: run `cargo xtask docs`");
}

#[test]
fn the_page_of_commands_is_current() {
    check("commands.md", &["reference", "commands"]);
}

#[test]
fn the_page_of_errors_is_current() {
    check("errors.md", &["reference", "errors"]);
}

#[test]
fn the_schema_of_the_configuration_is_current() {
    check("keyrota.schema.json", &["config", "schema"]);
}
