//! Measures what the project promises to be fast, and writes docs/benchmarks.md.
//!
//! Every figure stands beside a baseline measured in the same run, so that it means the same on another machine, and
//! beside its bar; a bar that is missed makes the command fail. What a user would run is measured as he runs it: the
//! binary, in a process of its own, against a simulated platform over real HTTP.

mod access;
mod bare;
mod estate;
mod installation;
mod plan;
mod platform;
mod report;
mod run;
mod scan;
mod steps;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use report::Table;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", about = "Measure, and write docs/benchmarks.md")]
struct Cli {
    /// Measure only these, and only print them
    only: Vec<Measurement>,
    /// One pass over this database, in a process of its own so that its memory can be told
    #[arg(long, hide = true)]
    survey: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    Scan,
    Plan,
    Run,
    Steps,
    Access,
}

impl Measurement {
    fn table(self) -> anyhow::Result<Table> {
        eprintln!("measuring: {self:?}");
        match self {
            Self::Scan => scan::table(),
            Self::Plan => plan::table(),
            Self::Run => run::table(),
            Self::Steps => steps::table(),
            Self::Access => access::table(),
        }
    }
}

fn main() -> ExitCode {
    match perform(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: a bar was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every bar was met.
fn perform(cli: &Cli) -> anyhow::Result<bool> {
    if let Some(data_dir) = &cli.survey {
        println!("{}", plan::survey(data_dir)?);
        return Ok(true);
    }
    let all = cli.only.is_empty();
    let chosen = if all { Measurement::value_variants() } else { &cli.only };
    let tables = chosen.iter().map(|measurement| measurement.table()).collect::<anyhow::Result<Vec<_>>>()?;
    let page = report::page(&tables)?;
    print!("{page}");
    if all {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.md");
        std::fs::write(file, page).context("docs/benchmarks.md cannot be written")?;
    }
    Ok(tables.iter().all(Table::is_met))
}

/// The quickest of three: other work on the machine can only make a measurement longer.
fn quickest<T>(mut measure: impl FnMut() -> anyhow::Result<T>, took: impl Fn(&T) -> Duration) -> anyhow::Result<T> {
    let mut best = measure()?;
    for _ in 1..3 {
        let next = measure()?;
        if took(&next) < took(&best) {
            best = next;
        }
    }
    Ok(best)
}

/// Enough threads that a simulated platform never waits for whoever measures it.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}
