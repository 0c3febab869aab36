//! A first run over 200 applications, all of them due.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use crate::{
    bare,
    installation::Installation,
    platform::{LATENCY, Platform},
    quickest,
    report::{Row, Table, count},
};

const ORGS: usize = 10;
const APPS: usize = 20;
const ROTATIONS: usize = ORGS * APPS;
const IN_FLIGHT: usize = 32;
/// The canary goes alone before the others, and a rotation is a chain of steps with two syncs each. On a quiet machine
/// the whole takes less than twice the calls.
const LIMIT: f64 = 2.5;

pub(crate) fn table() -> anyhow::Result<Table> {
    let Run { took, bare, calls, steps } = quickest(run, |run| run.took)?;
    let rate = |took: Duration| format!("{:.0}", ROTATIONS as f64 / took.as_secs_f64());
    Ok(Table {
        title: "A run over 200 applications",
        meaning: format!(
            "The whole of `keyrota run --once` on a new database: take stock, then {ROTATIONS} successors issued, \
             delivered, verified, promoted and confirmed, {} journaled steps in all, against a platform that answers \
             each call after {} ms. The baseline is a client that does nothing but make {} calls, {IN_FLIGHT} in \
             flight.",
            count(steps),
            LATENCY.as_millis(),
            count(calls)
        ),
        rows: vec![
            Row::slower("`keyrota run --once`", took, bare).at_most(LIMIT),
            Row::of("rotations a second", rate(took), rate(bare), bare.as_secs_f64() / took.as_secs_f64()),
        ],
    })
}

struct Run {
    took: Duration,
    bare: Duration,
    calls: usize,
    steps: usize,
}

fn run() -> anyhow::Result<Run> {
    let runtime = crate::runtime()?;
    let platform = runtime.block_on(Platform::serve(ORGS, APPS, &[]))?;
    let installation = Installation::new(&platform.issuer(IN_FLIGHT))?;
    let (took, output) = installation.keyrota(&["run", "--once"])?;
    let report: Value = serde_json::from_str(&output)?;
    let performed = report.get("performed").and_then(Value::as_object).cloned().unwrap_or_default();
    for step in ["issue", "write", "verify", "promote", "confirm"] {
        ensure!(performed.get(step) == Some(&Value::from(ROTATIONS)), "not everything was replaced: {output}");
    }
    let steps: u64 = performed.values().filter_map(Value::as_u64).sum();
    let calls = platform.calls();
    let bare = runtime.block_on(bare::calls(&platform.base_url(), calls, IN_FLIGHT))?;
    Ok(Run { took, bare, calls, steps: usize::try_from(steps)? })
}
