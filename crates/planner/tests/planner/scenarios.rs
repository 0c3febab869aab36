//! Scenario scripts as documents. In each `scenario` block of `scenarios/*.md`, a line that begins with `> ` is a
//! command; the lines below it are what the planner and the world answer. The test performs the commands and compares
//! the whole file. `UPDATE_SCENARIOS=1 cargo test -p planner` writes the answers anew, for a person to read.

use std::{fs, path::Path};

use crate::script::Script;

const OPENING: &str = "```scenario";
const CLOSING: &str = "```";

/// The document with every answer replaced by what is answered now.
fn replay(document: &str) -> Result<String, String> {
    let mut replayed = String::new();
    let mut script: Option<Script> = None;
    for line in document.lines() {
        match &mut script {
            None => {
                script = (line == OPENING).then(Script::new);
                replayed.push_str(line);
                replayed.push('\n');
            }
            Some(_) if line == CLOSING => {
                script = None;
                replayed.push_str(line);
                replayed.push('\n');
            }
            Some(running) => {
                let Some(command) = line.strip_prefix("> ") else { continue };
                let answer = running.perform(command).map_err(|error| format!("{replayed}{line}: {error}"))?;
                replayed.push_str(line);
                replayed.push('\n');
                replayed.push_str(&answer);
            }
        }
    }
    if script.is_some() { Err("a scenario has no end".to_owned()) } else { Ok(replayed) }
}

#[track_caller]
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planner/scenarios").join(name);
    let document = fs::read_to_string(&path).unwrap();
    let replayed = replay(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
    if std::env::var_os("UPDATE_SCENARIOS").is_some() {
        fs::write(&path, replayed).unwrap();
        return;
    }
    for (number, (expected, answered)) in document.lines().zip(replayed.lines()).enumerate() {
        assert_eq!(expected, answered, "{name}, line {}", number + 1);
    }
    assert_eq!(document.lines().count(), replayed.lines().count(), "{name} has another end");
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(concat!(stringify!($name), ".md"));
            }
        )*

        #[test]
        fn every_document_is_performed() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planner/scenarios");
            let mut found: Vec<String> =
                fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            found.sort();
            let mut performed = vec![$(concat!(stringify!($name), ".md")),*];
            performed.sort_unstable();
            assert_eq!(found, performed);
        }
    };
}

scenarios! {
    ordinary_rotation
    old_estate
    rename_cut_short
    changed_by_hand
    clock_jumps
    still_in_use
    lost_answer
    gone_back
    held_and_left_to_others
    chosen_by_us
    replaced_at_once
    minted
    assisted
    switched_off
    compromised
    a_consumer_that_answers
    written_by_hand
}

#[test]
fn a_wrong_answer_is_noticed() {
    let document = "```scenario\n> credential web 95d\n> run\nnothing happens\n```\n";
    let replayed = replay(document).unwrap();
    assert!(replayed.contains("issue") && !replayed.contains("nothing happens"), "{replayed}");
    assert!(replay("```scenario\n> dance\n```\n").is_err());
    assert!(replay("```scenario\n").is_err());
}
