//! Every automation of the repository: `cargo xtask setup | test | tidy | bench | simulate | docs`.

mod cargo;
mod components;
mod docs;
mod test;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Every automation of the repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the tests need: the real servers that they talk to
    Setup,
    /// Format check, lints, tidy and all tests
    Test,
    /// Check the rules of the repository that no compiler checks
    Tidy,
    /// Measure; the tables in docs/benchmarks.md come from here
    Bench {
        /// Passed on, for example `plan` or `scan`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Play the engine against a simulated world: --seed N, --seeds N [--from N], --single-faults, --stories N, --mutants
    Simulate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Write the generated pages under docs/reference anew
    Docs,
}

fn main() -> ExitCode {
    match perform(&Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> anyhow::Result<()> {
    let root = root()?;
    match task {
        Task::Setup => test::setup(&root).map(drop),
        Task::Test => test::test(&root),
        Task::Tidy => tidy::report(&root),
        Task::Bench { arguments } => bench(&root, arguments),
        Task::Simulate { arguments } => simulate(&root, arguments),
        Task::Docs => docs::docs(&root),
    }
}

/// The folder of the workspace, wherever the command was started.
fn root() -> anyhow::Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("xtask stands in no workspace")?.to_owned())
}

/// What a user would run is measured as the binary, which stands beside the measuring program.
fn bench(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    cargo::run(root, &["build", "--quiet", "--profile", "fast", "--package", "keyrota"])?;
    let mut words = vec!["run", "--quiet", "--profile", "fast", "--package", "bench", "--"];
    words.extend(arguments.iter().map(String::as_str));
    cargo::run(root, &words)
}

/// Planted mistakes exist only in a build of their own.
fn simulate(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let mut words = vec!["run", "--quiet", "--profile", "fast", "--package", "simulation"];
    if arguments.iter().any(|word| word == "--mutants") {
        words.extend(["--features", "mutants"]);
    }
    words.push("--");
    words.extend(arguments.iter().map(String::as_str));
    cargo::run(root, &words)
}
