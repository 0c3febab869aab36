//! The test command of the README, and what it needs.

use std::{path::Path, time::Instant};

use crate::{cargo, components, tidy};

/// What two cores play in about two minutes.
const SEEDS: &str = "20000";
const STORIES: &str = "100";

/// Which optional tools are there. None of them is needed for the tests themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    fmt: bool,
    clippy: bool,
    nextest: bool,
    deny: bool,
}

/// Installs the real servers that tests talk to; everything else that tests need comes with the source and the
/// registry of crates. Of the tools that make a check better it is said which is missing, and what happens instead.
pub(crate) fn setup(root: &Path) -> anyhow::Result<Tools> {
    components::install(root)?;
    let tools = Tools {
        fmt: cargo::has(root, "fmt"),
        clippy: cargo::has(root, "clippy"),
        nextest: cargo::has(root, "nextest"),
        deny: cargo::has(root, "deny"),
    };
    let missing = [
        (tools.fmt, "rustfmt", "the format is not checked (rustup component add rustfmt)"),
        (tools.clippy, "clippy", "lints are not checked (rustup component add clippy)"),
        (tools.nextest, "cargo-nextest", "cargo test runs the tests instead, which takes longer"),
        (tools.deny, "cargo-deny", "licences and banned crates are not checked"),
    ];
    for (_, name, instead) in missing.iter().filter(|(there, ..)| !there) {
        eprintln!("note: {name} is not installed: {instead}");
    }
    Ok(tools)
}

pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let tools = setup(root)?;
    // The cheapest first: a mistake is known early.
    tidy::report(root)?;
    if tools.fmt {
        cargo::run(root, &["fmt", "--all", "--", "--check"])?;
    }
    if tools.deny {
        cargo::run(root, &["deny", "--offline", "check", "bans", "licenses", "sources"])?;
    }
    if tools.clippy {
        cargo::run(root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    }
    if tools.nextest {
        cargo::run(root, &["nextest", "run", "--workspace"])?;
        cargo::run(root, &["test", "--workspace", "--doc", "--quiet"])?;
    } else {
        cargo::run(root, &["test", "--workspace"])?;
    }
    simulate(root)?;
    eprintln!("all checks and tests passed in {} s", started.elapsed().as_secs());
    Ok(())
}

/// Every single event and random worlds by the thousand, as fast as they can be played; whether both builds tell the same
/// stories; and whether every planted mistake is found.
fn simulate(root: &Path) -> anyhow::Result<()> {
    let fast = ["run", "--quiet", "--profile", "fast", "--package", "simulation", "--"];
    let slow = ["run", "--quiet", "--package", "simulation", "--"];
    let with = |words: &[&'static str], more: &[&'static str]| [words, more].concat();
    cargo::run(root, &with(&fast, &["--single-faults"]))?;
    cargo::run(root, &with(&fast, &["--seeds", SEEDS]))?;
    let stories = ["--stories", STORIES];
    let (optimised, checked) =
        (cargo::output(root, &with(&fast, &stories))?, cargo::output(root, &with(&slow, &stories))?);
    if optimised != checked {
        anyhow::bail!("two builds tell different stories of the same seeds:\n{optimised}{checked}");
    }
    eprint!("{checked}");
    let planted = ["run", "--quiet", "--profile", "fast", "--package", "simulation", "--features", "mutants", "--"];
    cargo::run(root, &with(&planted, &["--mutants"]))
}
