//! Rules over any text.

use super::repository::{Finding, Repository};

/// A reader keeps about so much in mind; a longer file holds two things.
const LINES_MAX: usize = 600;

pub(super) fn files_are_short(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            findings.push(file.finding(lines, format!("{lines} lines, more than {LINES_MAX}: split the file")));
        }
    }
    findings
}

/// Names that say nothing about what is inside.
pub(super) fn names_say_something(repository: &Repository) -> Vec<Finding> {
    const EMPTY_WORDS: [&str; 12] = [
        "backend",
        "common",
        "connector",
        "helper",
        "helpers",
        "info",
        "manager",
        "misc",
        "sink",
        "stuff",
        "util",
        "utils",
    ];
    // A service is called what it is called.
    const PROPER_NAMES: [&str; 2] = ["secrets_manager", "secrets-manager"];
    let mut findings = Vec::new();
    for file in &repository.files {
        let path = PROPER_NAMES.iter().fold(file.path.clone(), |path, name| path.replace(name, "service"));
        let empty = path.split(['/', '.', '_', '-']).find(|word| EMPTY_WORDS.contains(word));
        if let Some(word) = empty {
            findings.push(file.finding(1, format!("`{word}` in a file name says nothing: name what is inside")));
        }
    }
    findings
}

/// Paths of the machines that this was written on.
pub(super) fn no_path_of_a_build_machine(repository: &Repository) -> Vec<Finding> {
    // Put together here, so that the rule does not find itself.
    let folders = ["work", "root", "farm"].map(|folder| format!("/{folder}/"));
    let names_one = |line: &str| {
        folders.iter().any(|folder| {
            line.match_indices(folder.as_str()).any(|(start, _)| {
                let before = line.get(..start).and_then(|before| before.chars().next_back());
                !before.is_some_and(|character| character.is_alphanumeric() || "_-.}*~".contains(character))
            })
        })
    };
    lines(repository, names_one, "a path of a build machine")
}

/// What is open belongs into an issue, where somebody sees it.
pub(super) fn no_open_ends(repository: &Repository) -> Vec<Finding> {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    let has_mark = |line: &str| {
        let words = line.split(|character: char| !character.is_ascii_alphanumeric());
        words.into_iter().any(|word| marks.iter().any(|mark| word == mark))
    };
    lines(repository, has_mark, "an open end: do it, or file an issue")
}

fn lines(repository: &Repository, breaks: impl Fn(&str) -> bool, what: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (index, line) in file.text.lines().enumerate() {
            if breaks(line) {
                findings.push(file.finding(index + 1, what));
            }
        }
    }
    findings
}

/// A decision that the index does not name is not found by whoever needs it.
pub(super) fn decisions_are_listed(repository: &Repository) -> Vec<Finding> {
    const FOLDER: &str = "docs/adr/";
    let index = repository.get("docs/adr/README.md").map_or("", |file| file.text.as_str());
    let mut findings = Vec::new();
    for file in &repository.files {
        let Some(name) = file.path.strip_prefix(FOLDER).filter(|name| *name != "README.md") else { continue };
        if !index.contains(name) {
            findings.push(file.finding(1, "not named in docs/adr/README.md"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{super::repository::made_of, *};

    type Rule = fn(&Repository) -> Vec<Finding>;

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, expected: usize) {
        assert_eq!(rule(&made_of(&[(path, text)])).len(), expected, "{path}: {text}");
    }

    #[test]
    fn long_files_are_found() {
        check(files_are_short, "a.rs", &"x\n".repeat(600), 0);
        check(files_are_short, "a.rs", &"x\n".repeat(601), 1);
        check(files_are_short, "a.md", &"x\n".repeat(601), 0);
    }

    #[test]
    fn names_without_a_meaning_are_found() {
        check(names_say_something, "crates/db/src/utils.rs", "", 1);
        check(names_say_something, "crates/db/src/lock_manager.rs", "", 1);
        check(names_say_something, "crates/helpers/src/lib.rs", "", 1);
        check(names_say_something, "crates/db/src/utilization.rs", "", 0);
        check(names_say_something, "crates/stores/src/aws_secrets_manager/mod.rs", "", 0);
        check(names_say_something, "crates/stores/src/aws_secrets_manager/lock_manager.rs", "", 1);
    }

    #[test]
    fn paths_of_build_machines_are_found() {
        let path = |folder: &str| format!("see \"/{folder}/main\"");
        check(no_path_of_a_build_machine, "a.md", &path("work"), 1);
        check(no_path_of_a_build_machine, "a.md", &path("root"), 1);
        check(no_path_of_a_build_machine, "a.md", &path("srv"), 0);
        check(no_path_of_a_build_machine, "a.md", "docs/root/flow and {x}/root/y", 0);
    }

    #[test]
    fn open_ends_are_found() {
        check(no_open_ends, "a.rs", &format!("// {}{}: later", "TO", "DO"), 1);
        check(no_open_ends, "a.rs", "let todos = method();", 0);
    }

    #[test]
    fn decisions_are_named_in_their_index() {
        let decision = ("docs/adr/0001-one-step.md", "");
        assert_eq!(decisions_are_listed(&made_of(&[decision])).len(), 1);
        let index = ("docs/adr/README.md", "[One step](0001-one-step.md)");
        assert_eq!(decisions_are_listed(&made_of(&[decision, index])).len(), 0);
    }
}
