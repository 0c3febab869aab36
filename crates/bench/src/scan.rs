//! Taking stock of 2,000 applications: the walk call by call, and the whole catalog in a few calls.

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

const ORGS: usize = 50;
const APPS: usize = 40;
/// The driver's own budget where the configuration says nothing.
const IN_FLIGHT: usize = 32;
const WALK: &[&str] = &["no-catalog-listing"];

pub(crate) fn table() -> anyhow::Result<Table> {
    let walk = quickest(|| discover(WALK, IN_FLIGHT), |scan| scan.took)?;
    let listing = quickest(|| discover(&[], IN_FLIGHT), |scan| scan.took)?;
    let one_by_one = discover(WALK, 1)?;
    let ideal = LATENCY.mul_f64(walk.calls as f64 / IN_FLIGHT as f64);
    Ok(Table {
        title: "Taking stock of 2,000 applications",
        meaning: format!(
            "The whole of `keyrota discover` on a new database, against a platform that answers each call after {} ms. \
             The walk is held to what latency and budget alone cost (calls ÷ calls in flight × latency), and shown \
             beside a client that does nothing but make as many calls; the listing is held to the walk made one call \
             after another.",
            LATENCY.as_millis(),
        ),
        rows: vec![
            Row::slower(format!("walk, {} calls, {IN_FLIGHT} in flight", count(walk.calls)), walk.took, ideal)
                .at_most(1.25),
            Row::slower("the same, against a bare client", walk.took, walk.bare),
            Row::faster(
                format!("whole catalog, {} calls; baseline {}", listing.calls, count(one_by_one.calls)),
                listing.took,
                one_by_one.took,
            )
            .at_least(40.0),
        ],
    })
}

struct Scan {
    took: Duration,
    calls: usize,
    bare: Duration,
}

fn discover(flags: &[&str], in_flight: usize) -> anyhow::Result<Scan> {
    let runtime = crate::runtime()?;
    let platform = runtime.block_on(Platform::serve(ORGS, APPS, flags))?;
    let installation = Installation::new(&platform.issuer(in_flight))?;
    let (took, output) = installation.keyrota(&["discover"])?;
    let report: Value = serde_json::from_str(&output)?;
    ensure!(report.get("listed") == Some(&Value::from(ORGS * APPS)), "not everything was found: {output}");
    let calls = platform.calls();
    let bare =
        if in_flight > 1 { runtime.block_on(bare::calls(&platform.base_url(), calls, in_flight))? } else { took };
    Ok(Scan { took, calls, bare })
}
