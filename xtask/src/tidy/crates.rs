//! Rules over the Cargo.toml files.

use toml::{Table, Value};

use super::repository::{Finding, Repository, SourceFile};

/// Which of our crates a crate may use. Dependencies point one way, from the binary down to the words; a new line here
/// needs a sentence of reason in the commit.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // Decisions are pure: a policy, a path, a time.
    ("authority", &["domain"]),
    ("planner", &["domain"]),
    ("secret", &["domain"]),
    ("driver", &["domain", "secret"]),
    ("twin", &[]),
    // Only the file system: whoever writes a file that others read writes it by the same few lines.
    ("whole_file", &[]),
    ("issuers", &["domain", "driver", "secret", "twin"]),
    ("db", &["domain", "driver", "secret"]),
    ("stores", &["db", "domain", "driver", "secret", "twin"]),
    ("store_age_file", &["db", "domain", "driver", "secret", "stores", "whole_file"]),
    ("notifiers", &["domain", "driver", "secret"]),
    ("engine", &["db", "domain", "driver", "planner", "secret"]),
    ("keyrota", ALL),
    ("components", &["driver", "twin"]),
    // What happened, in the words of the domain: whoever plays a world tells it.
    ("promises", &["domain"]),
    ("contract", ALL),
    ("simulation", ALL),
    ("bench", ALL),
    ("xtask", &[]),
];

/// Nothing depends on the binary or on xtask.
const ALL: &[&str] = &[
    "authority",
    "components",
    "contract",
    "db",
    "domain",
    "driver",
    "engine",
    "issuers",
    "notifiers",
    "planner",
    "promises",
    "secret",
    "simulation",
    "store_age_file",
    "stores",
    "twin",
    "whole_file",
];

/// Crates from outside that belong to one place each.
const BELONGS: &[(&str, &[&str])] = &[
    ("rusqlite", &["db"]),
    ("refinery-core", &["db"]),
    ("reqwest", &["components", "keyrota"]),
    ("hyper", &["keyrota", "twin"]),
    ("aws-lc-rs", &["issuers", "keyrota", "notifiers", "secret", "store_age_file", "stores"]),
    ("age", &["store_age_file"]),
    ("lettre", &["notifiers"]),
    ("clap", &["keyrota", "xtask", "bench"]),
    ("anyhow", &["keyrota", "xtask", "bench"]),
];

/// The words and the plan are pure: these are all they may use from outside.
const PURE: &[&str] = &["jiff", "thiserror"];

pub(super) fn dependencies_point_one_way(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, file, manifest) in manifests(repository) {
        let Some((_, may_use)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            findings.push(file.finding(1, format!("the crate `{name}` has no line in xtask/src/tidy/crates.rs")));
            continue;
        };
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for used in section_names(&manifest, section) {
                let ours = MAY_USE.iter().any(|(known, _)| *known == used);
                // Tests may turn to anything but the binary and xtask: a driver's tests use the contract suite.
                let allowed = if section == "dev-dependencies" { ALL } else { may_use };
                if ours && !allowed.contains(&used.as_str()) {
                    findings.push(file.finding(line_of(file, &used), format!("`{name}` must not depend on `{used}`")));
                }
            }
        }
    }
    findings
}

pub(super) fn outside_crates_stay_where_they_belong(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, file, manifest) in manifests(repository) {
        for used in section_names(&manifest, "dependencies") {
            let places = BELONGS.iter().find(|(known, _)| *known == used).map(|(_, places)| *places);
            if places.is_some_and(|places| !places.contains(&name.as_str())) {
                findings.push(file.finding(line_of(file, &used), format!("`{used}` does not belong into `{name}`")));
            }
            let ours = MAY_USE.iter().any(|(known, _)| *known == used);
            if matches!(name.as_str(), "domain" | "planner") && !ours && !PURE.contains(&used.as_str()) {
                let what = format!("`{name}` is pure and must not depend on `{used}`");
                findings.push(file.finding(line_of(file, &used), what));
            }
        }
    }
    findings
}

pub(super) fn lints_are_shared(repository: &Repository) -> Vec<Finding> {
    let shares = |manifest: &Table| {
        manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    manifests(repository)
        .filter(|(_, _, manifest)| !shares(manifest))
        .map(|(name, file, _)| file.finding(1, format!("the crate `{name}` lacks `lints.workspace = true`")))
        .collect()
}

fn manifests(repository: &Repository) -> impl Iterator<Item = (String, &SourceFile, Table)> {
    repository.files.iter().filter_map(|file| {
        let name = match file.path.strip_suffix("/Cargo.toml")? {
            "xtask" => "xtask",
            folder => folder.strip_prefix("crates/")?,
        };
        // What is no TOML, cargo refuses before anybody gets here.
        Some((name.to_owned(), file, file.text.parse().unwrap_or_default()))
    })
}

fn section_names(manifest: &Table, section: &str) -> Vec<String> {
    manifest.get(section).and_then(Value::as_table).map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn line_of(file: &SourceFile, dependency: &str) -> usize {
    let names = |line: &str| line.split(['.', ' ', '=']).next() == Some(dependency);
    file.text.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{super::repository::made_of, *};

    type Rule = fn(&Repository) -> Vec<Finding>;

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, expected: &[&str]) {
        let findings: Vec<String> = rule(&made_of(&[(path, text)])).iter().map(ToString::to_string).collect();
        assert_eq!(findings, expected);
    }

    #[test]
    fn the_planner_sees_nothing_but_words() {
        let rule = dependencies_point_one_way;
        let path = "crates/planner/Cargo.toml";
        check(rule, path, "[dependencies]\ndomain.workspace = true\njiff.workspace = true\n", &[]);
        check(
            rule,
            path,
            "[dependencies]\ndriver.workspace = true\n",
            &["crates/planner/Cargo.toml:2: `planner` must not depend on `driver`"],
        );
        check(
            outside_crates_stay_where_they_belong,
            path,
            "[dependencies]\ntokio.workspace = true\n",
            &["crates/planner/Cargo.toml:2: `planner` is pure and must not depend on `tokio`"],
        );
    }

    #[test]
    fn tests_may_use_more_but_never_the_binary() {
        let rule = dependencies_point_one_way;
        let path = "crates/issuers/Cargo.toml";
        check(rule, path, "[dev-dependencies]\ncontract = { path = '../contract' }\n", &[]);
        check(
            rule,
            path,
            "[dependencies]\ncontract.workspace = true\n",
            &["crates/issuers/Cargo.toml:2: `issuers` must not depend on `contract`"],
        );
        check(
            rule,
            path,
            "[dev-dependencies]\nkeyrota.workspace = true\n",
            &["crates/issuers/Cargo.toml:2: `issuers` must not depend on `keyrota`"],
        );
    }

    #[test]
    fn a_crate_nobody_placed_is_found() {
        check(
            dependencies_point_one_way,
            "crates/new/Cargo.toml",
            "",
            &["crates/new/Cargo.toml:1: the crate `new` has no line in xtask/src/tidy/crates.rs"],
        );
    }

    #[test]
    fn the_database_library_stays_in_db() {
        let text = "[dependencies]\nrusqlite.workspace = true\n";
        check(outside_crates_stay_where_they_belong, "crates/db/Cargo.toml", text, &[]);
        check(
            outside_crates_stay_where_they_belong,
            "crates/engine/Cargo.toml",
            text,
            &["crates/engine/Cargo.toml:2: `rusqlite` does not belong into `engine`"],
        );
    }

    #[test]
    fn lints_are_wanted() {
        check(lints_are_shared, "crates/db/Cargo.toml", "[lints]\nworkspace = true\n", &[]);
        check(
            lints_are_shared,
            "crates/db/Cargo.toml",
            "[package]\n",
            &["crates/db/Cargo.toml:1: the crate `db` lacks `lints.workspace = true`"],
        );
    }
}
