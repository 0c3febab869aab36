//! Durable steps: what waiting together for the disk gains.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use db::{Access, Db, Journal};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::{
    estate::{self, AT_ONCE, Work},
    installation::folder,
    report::{Row, Table, count},
};

/// Every step is two units: intent and outcome.
const UNITS_A_STEP: u32 = 2;
const STEPS_ALONE: u32 = 1_000;
const STEPS_EACH: u32 = 60;
/// Far below what sharing a sync can gain, above what any other effect could.
const GAIN_MIN: f64 = 5.0;

pub(crate) fn table() -> anyhow::Result<Table> {
    let folder = folder()?;
    let now = Timestamp::now();
    let (alone, together) = crate::runtime()?.block_on(async {
        estate::fill(folder.path(), AT_ONCE * 100, now).await?;
        let db = Arc::new(Db::open(folder.path(), Access::Engine)?);
        let journal = Journal::open(db.clone()).await?;
        let rotations = (0..AT_ONCE).map(|number| Work::on(&db, &journal, number * 100 + 2, now));
        let rotations = try_join_all(rotations).await?;
        let alone = timed(rotations.get(..1).unwrap_or_default(), STEPS_ALONE).await?;
        let together = timed(&rotations, STEPS_EACH).await?;
        anyhow::Ok((alone, together))
    })?;
    let gain = alone.as_secs_f64() / together.as_secs_f64();
    let rate = |unit: Duration| format!("{} units/s", count((1.0 / unit.as_secs_f64()) as usize));
    Ok(Table {
        title: "Durable steps",
        meaning: "Intents and outcomes written through the journal, each on disk before the next step of its rotation \
             goes on. Many rotations at once share their syncs; the baseline is one rotation alone."
            .to_owned(),
        rows: vec![
            Row::of(format!("{AT_ONCE} rotations at once"), rate(together), rate(alone), gain).at_least(GAIN_MIN),
        ],
    })
}

/// The time for one unit, when these rotations go so many steps each.
async fn timed(rotations: &[Work<'_>], steps: u32) -> anyhow::Result<Duration> {
    let walk = async |work: &Work<'_>| {
        for _ in 0..steps {
            work.verify().await?;
        }
        anyhow::Ok(())
    };
    let started = Instant::now();
    let walked = try_join_all(rotations.iter().map(walk)).await?;
    Ok(started.elapsed() / (u32::try_from(walked.len())? * steps * UNITS_A_STEP))
}
