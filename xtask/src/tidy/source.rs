//! Rules over shipped Rust code.

use super::repository::{Finding, Repository, SourceFile};

/// Every shipped use of a secret's bytes: path, colon, reason.
const EXPOSED: &str = "xtask/src/tidy/exposed.txt";

/// SQL lives in one crate, so that one reader can check it and one test can run all of it.
pub(super) fn sql_only_in_db(repository: &Repository) -> Vec<Finding> {
    const STATEMENTS: [&str; 6] = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA "];
    let is_sql = |line: &str| {
        let literals = line.split('"').skip(1).map(str::trim_start);
        literals.chain([line.trim_start()]).any(|text| STATEMENTS.iter().any(|statement| text.starts_with(statement)))
    };
    shipped(repository, |file| file.crate_name() != Some("db"), is_sql, "SQL stands only in crates/db")
}

pub(super) fn network_only_in_ports(repository: &Repository) -> Vec<Finding> {
    const CLIENTS: [&str; 4] = ["reqwest", "hyper", "hyper_util", "rustls"];
    let elsewhere = |file: &SourceFile| {
        !file.path.starts_with("crates/keyrota/src/ports/") && !file.path.starts_with("crates/twin/src/serve")
    };
    let uses = |line: &str| CLIENTS.iter().any(|name| names_crate(line, name));
    shipped(
        repository,
        elsewhere,
        uses,
        "the network is reached only through driver::Http; see crates/keyrota/src/ports",
    )
}

/// A clock that is read anywhere else cannot be set by a test or by the simulation.
pub(super) fn clock_only_in_ports(repository: &Repository) -> Vec<Finding> {
    const CLOCKS: [&str; 4] = ["Timestamp::now(", "SystemTime::now(", "Instant::now(", "Zoned::now("];
    let elsewhere = |file: &SourceFile| !file.path.starts_with("crates/keyrota/src/ports/");
    let reads = |line: &str| CLOCKS.iter().any(|clock| line.contains(clock));
    shipped(repository, elsewhere, reads, "time comes through driver::Clock; see crates/keyrota/src/ports")
}

pub(super) fn secrets_exposed_only_where_listed(repository: &Repository) -> Vec<Finding> {
    let listed: Vec<&str> = exposed_list(repository).into_iter().map(|(_, path, _)| path).collect();
    let not_listed = |file: &SourceFile| !listed.contains(&file.path.as_str());
    shipped(
        repository,
        not_listed,
        exposes,
        "a secret is exposed in a file that is not listed in xtask/src/tidy/exposed.txt",
    )
}

pub(super) fn list_of_exposed_is_current(repository: &Repository) -> Vec<Finding> {
    let Some(list) = repository.get(EXPOSED) else { return Vec::new() };
    let mut findings = Vec::new();
    for (line, path, reason) in exposed_list(repository) {
        let file = repository.get(path);
        if !file.is_some_and(|file| file.shipped_lines().iter().any(|(_, line)| exposes(line))) {
            findings.push(list.finding(line, format!("`{path}` exposes no secret any more")));
        }
        if reason.is_empty() {
            findings.push(list.finding(line, format!("`{path}` has no reason")));
        }
    }
    findings
}

fn exposes(line: &str) -> bool {
    line.contains(".expose()") || line.contains(".expose_text()")
}

fn exposed_list(repository: &Repository) -> Vec<(usize, &str, &str)> {
    let text = repository.get(EXPOSED).map_or("", |file| file.text.as_str());
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            let (path, reason) = line.split_once(": ").unwrap_or((line, ""));
            (index + 1, path, reason.trim())
        })
        .collect()
}

/// No effect without a durable intent: a ticket that anybody could make would prove nothing.
pub(super) fn tickets_only_from_the_journal(repository: &Repository) -> Vec<Finding> {
    let elsewhere = |file: &SourceFile| file.crate_name() != Some("db") && file.path != "crates/driver/src/ticket.rs";
    let makes = |line: &str| line.contains("for_journal_entry");
    shipped(repository, elsewhere, makes, "only the journal makes a Ticket")
}

/// Facts decide; nobody below the binary asks which platform it is.
pub(super) fn drivers_named_only_outside(repository: &Repository) -> Vec<Finding> {
    let names: Vec<String> = driver_folders(repository);
    let neutral = |file: &SourceFile| {
        matches!(file.crate_name(), Some("planner" | "engine" | "domain" | "db" | "secret" | "driver"))
    };
    let named = |line: &str| names.iter().any(|name| line.contains(&format!("\"{name}\"")));
    shipped(repository, neutral, named, "a driver is named where only facts may count")
}

fn driver_folders(repository: &Repository) -> Vec<String> {
    let folder = |file: &SourceFile| {
        let folders = ["crates/issuers/src/", "crates/notifiers/src/", "crates/stores/src/"];
        let rest = folders.into_iter().find_map(|folder| file.path.strip_prefix(folder))?;
        rest.strip_suffix("/mod.rs").filter(|name| !name.contains('/')).map(str::to_owned)
    };
    repository.files.iter().filter_map(folder).collect()
}

/// A test that does not run proves nothing and looks as if it did.
pub(super) fn tests_are_not_ignored(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust() {
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("#[ignore") {
                findings.push(file.finding(index + 1, "a test is ignored; make it work or remove it"));
            }
        }
    }
    findings
}

fn shipped(
    repository: &Repository,
    concerns: impl Fn(&SourceFile) -> bool,
    breaks: impl Fn(&str) -> bool,
    what: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust().filter(|file| concerns(file)) {
        for (line, text) in file.shipped_lines() {
            if breaks(text) {
                findings.push(file.finding(line, what));
            }
        }
    }
    findings
}

/// `name::` or `use name;`, not inside a longer word.
fn names_crate(line: &str, name: &str) -> bool {
    let starts_word = |start: usize| {
        let before = line.get(..start).and_then(|before| before.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || character == '_' || character == ':')
    };
    line.match_indices(name).any(|(start, found)| {
        let rest = line.get(start + found.len()..).unwrap_or_default();
        starts_word(start)
            && (rest.starts_with("::") || (rest.starts_with(';') && line.trim_start().starts_with("use ")))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::repository::made_of, *};

    type Rule = fn(&Repository) -> Vec<Finding>;

    /// The numbers of the lines that a rule finds in one file.
    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, expected: &[usize]) {
        let lines: Vec<usize> = rule(&made_of(&[(path, text)])).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, expected, "{path}: {text}");
    }

    const ENGINE: &str = "crates/engine/src/run.rs";

    #[test]
    fn sql_is_found_in_literals_and_in_their_lines() {
        check(sql_only_in_db, ENGINE, "let a = \"SELECT id FROM x\";", &[1]);
        check(sql_only_in_db, ENGINE, "let a = \"\n    UPDATE x SET y = 1\";", &[2]);
        check(sql_only_in_db, ENGINE, "// SELECT is a word\nlet selected = \"an UPDATE of x\";", &[]);
        check(sql_only_in_db, "crates/db/src/journal.rs", "let a = \"SELECT id FROM x\";", &[]);
    }

    #[test]
    fn the_network_is_behind_ports() {
        check(network_only_in_ports, ENGINE, "use reqwest::Client;", &[1]);
        check(network_only_in_ports, ENGINE, "use hyper;", &[1]);
        check(network_only_in_ports, ENGINE, "my_reqwest::get(); // reqwest\nlet hyperactive = 1;", &[]);
        check(network_only_in_ports, "crates/keyrota/src/ports/http.rs", "use reqwest::Client;", &[]);
        check(network_only_in_ports, "crates/keyrota/tests/run.rs", "use reqwest::Client;", &[]);
    }

    #[test]
    fn clocks_are_behind_ports() {
        check(clock_only_in_ports, ENGINE, "let now = jiff::Timestamp::now();", &[1]);
        check(clock_only_in_ports, ENGINE, "#[cfg(test)]\nmod tests {\n    let a = Instant::now();\n}\n", &[]);
        check(clock_only_in_ports, "crates/keyrota/src/ports/clock.rs", "Timestamp::now()", &[]);
    }

    #[test]
    fn exposed_secrets_are_listed_with_a_reason() {
        let code = (ENGINE, "let bytes = secret.expose();");
        let list = |text| (EXPOSED, text);
        let both = |files: &[(&str, &str)]| {
            let repository = made_of(files);
            let mut findings = secrets_exposed_only_where_listed(&repository);
            findings.extend(list_of_exposed_is_current(&repository));
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(both(&[code, list("# files\ncrates/engine/src/run.rs: it is sent\n")]), Vec::<String>::new());
        assert_eq!(
            both(&[code, list("")]),
            [
                "crates/engine/src/run.rs:1: a secret is exposed in a file that is not listed in xtask/src/tidy/exposed.txt"
            ]
        );
        assert_eq!(
            both(&[(ENGINE, ""), list("crates/engine/src/run.rs: it is sent\n")]),
            ["xtask/src/tidy/exposed.txt:1: `crates/engine/src/run.rs` exposes no secret any more"]
        );
        assert_eq!(both(&[code, list("crates/engine/src/run.rs:\n")]).len(), 3);
    }

    #[test]
    fn tickets_come_from_the_journal() {
        let text = "Ticket::for_journal_entry(1)";
        check(tickets_only_from_the_journal, ENGINE, text, &[1]);
        check(tickets_only_from_the_journal, "crates/db/src/journal.rs", text, &[]);
        check(tickets_only_from_the_journal, "crates/contract/src/issuer.rs", text, &[]);
    }

    #[test]
    fn the_planner_names_no_driver() {
        let files = |code| {
            made_of(&[("crates/issuers/src/ibm_apic/mod.rs", ""), ("crates/stores/src/bao/mod.rs", ""), (ENGINE, code)])
        };
        let count = |code| drivers_named_only_outside(&files(code)).len();
        assert_eq!(count("if name == \"ibm_apic\" {}"), 1);
        assert_eq!(count("if name == \"bao\" {}"), 1);
        assert_eq!(count("let ibm_apic = 1;"), 0);
    }

    #[test]
    fn ignored_tests_are_found_wherever_they_are() {
        check(tests_are_not_ignored, "crates/db/tests/x.rs", "#[test]\n#[ignore]\nfn x() {}", &[2]);
    }
}
