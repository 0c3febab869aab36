//! A scan is bound by the platform's latency and our budget alone. Time is virtual: what is measured is how well the
//! calls overlap, the same on every machine.

use std::time::Duration;

use tokio::time::Instant;

use super::{Setup, Stage};

const LATENCY: Duration = Duration::from_millis(20);
const APPS: usize = 2000;

fn stage(more: &[(&'static str, &'static str)]) -> Stage {
    let mut setup = Setup::with(more).and("age", "95d");
    setup.latency = LATENCY;
    setup.stage()
}

async fn timed(stage: &Stage) -> (Duration, u32) {
    let start = Instant::now();
    assert_eq!(stage.list().await.len(), APPS);
    (start.elapsed(), u32::try_from(stage.twin.world().calls().len()).unwrap())
}

#[track_caller]
fn check_saturated((took, calls): (Duration, u32)) {
    let in_flight = u32::try_from(driver::Budget::default().in_flight).unwrap();
    let ideal = LATENCY * calls / in_flight;
    assert!(took <= ideal.mul_f64(1.25), "{calls} calls took {took:?}, {ideal:?} at the best");
}

#[tokio::test(start_paused = true)]
async fn the_walk_keeps_as_many_calls_in_flight_as_it_may() {
    check_saturated(timed(&stage(&[("consumer-orgs", "50"), ("apps", "40"), ("no-catalog-listing", "")])).await);
    check_saturated(timed(&stage(&[("consumer-orgs", "500"), ("apps", "4"), ("no-catalog-listing", "")])).await);
    check_saturated(timed(&stage(&[("consumer-orgs", "2"), ("apps", "1000"), ("no-catalog-listing", "")])).await);
}

#[tokio::test(start_paused = true)]
async fn the_whole_catalog_is_forty_times_faster_than_a_walk_call_by_call() {
    let (took, _) = timed(&stage(&[("consumer-orgs", "50"), ("apps", "40")])).await;
    let (_, calls) = timed(&stage(&[("consumer-orgs", "50"), ("apps", "40"), ("no-catalog-listing", "")])).await;
    assert!(took * 40 <= LATENCY * calls, "{took:?} against {calls} calls one after another");
}
