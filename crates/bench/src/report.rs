//! The page: one table a measurement, a sentence of what it means, the machine in words.

use std::{process::Command, time::Duration};

use anyhow::Context as _;

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: &'static str,
    /// What the figures say and what stands behind the baseline.
    pub(crate) meaning: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    measured: String,
    baseline: String,
    ratio: f64,
    /// Its text, and whether it was met; `None` for a figure that only explains another.
    bar: Option<(String, bool)>,
}

impl Table {
    pub(crate) fn is_met(&self) -> bool {
        self.rows.iter().all(|row| row.bar.as_ref().is_none_or(|(_, met)| *met))
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.meaning);
        text.push_str("| what | measured | baseline | ratio | bar | |\n| --- | ---: | ---: | ---: | --- | --- |\n");
        for Row { what, measured, baseline, ratio, bar } in &self.rows {
            let (bar, met) = match bar {
                Some((bar, true)) => (bar.as_str(), "pass"),
                Some((bar, false)) => (bar.as_str(), "**missed**"),
                None => ("", ""),
            };
            let digits = if *ratio < 10.0 { 2 } else { 0 };
            text.push_str(&format!("| {what} | {measured} | {baseline} | {ratio:.digits$} | {bar} | {met} |\n"));
        }
        text
    }
}

impl Row {
    /// How many times as long as the baseline it took.
    pub(crate) fn slower(what: impl Into<String>, took: Duration, baseline: Duration) -> Self {
        Self::of(what, time(took), time(baseline), took.as_secs_f64() / baseline.as_secs_f64())
    }

    /// How many times as fast as the baseline it was.
    pub(crate) fn faster(what: impl Into<String>, took: Duration, baseline: Duration) -> Self {
        Self::of(what, time(took), time(baseline), baseline.as_secs_f64() / took.as_secs_f64())
    }

    pub(crate) fn of(what: impl Into<String>, measured: String, baseline: String, ratio: f64) -> Self {
        Self { what: what.into(), measured, baseline, ratio, bar: None }
    }

    pub(crate) fn bar(mut self, text: impl Into<String>, met: bool) -> Self {
        self.bar = Some((text.into(), met));
        self
    }

    pub(crate) fn under(self, limit: Duration, took: Duration) -> Self {
        self.bar(format!("under {} s", limit.as_secs()), took < limit)
    }

    pub(crate) fn at_most(self, limit: f64) -> Self {
        let met = self.ratio <= limit;
        self.bar(format!("at most {limit} ×"), met)
    }

    pub(crate) fn at_least(self, limit: f64) -> Self {
        let met = self.ratio >= limit;
        self.bar(format!("at least {limit} ×"), met)
    }
}

/// Three digits, in the unit that suits.
pub(crate) fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        0.0..1e3 => (micros, "µs"),
        1e3..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = match value {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A count with its thousands set apart.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

pub(crate) fn page(tables: &[Table]) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism().context("how many cores?")?;
    let rustc = Command::new("rustc").arg("--version").output().context("rustc cannot be started")?;
    let rustc = String::from_utf8(rustc.stdout).context("rustc's version is no text")?;
    let release = rustc.split_whitespace().nth(1).context("rustc tells no version")?;
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`; do not edit. Last on {cores} cores ({system}, {processor}), rustc {release}, \
         profile `fast`.\n\n\
         Times depend on the machine, ratios to a baseline of the same run hardly do. A command is timed as the quickest of \
         three, the walk call by call once. A bar that is missed makes the command fail.\n"
    );
    for table in tables {
        page.push('\n');
        page.push_str(&table.markdown());
    }
    Ok(page)
}
