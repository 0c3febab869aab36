//! The engine's clock and randomness, of this world; and no network.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration as StdDuration,
};

use async_trait::async_trait;
use domain::{Duration, Timestamp};
use driver::{Clock, Effect, Entropy, Http, HttpError, HttpFailure, HttpRequest, HttpResponse, NoEntropy, Ports};
use twin::Random;

use crate::stage::Stage;

pub(crate) fn ports(stage: &Arc<Stage>, seed: u64) -> Ports {
    Ports {
        http: Arc::new(NoHttp),
        clock: Arc::new(WorldClock(stage.clone())),
        entropy: Arc::new(Seeded(Mutex::new(Random::new(seed)))),
    }
}

/// Lets all others that wait have their turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct WorldClock(Arc<Stage>);

impl fmt::Debug for WorldClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldClock")
    }
}

#[async_trait]
impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let world = self.0.world();
        world.now.saturating_add(world.skew).unwrap()
    }

    async fn sleep(&self, duration: StdDuration) {
        self.0.world().pass(Duration::try_from(duration).unwrap());
        yield_now().await;
    }
}

#[derive(Debug)]
struct Seeded(Mutex<Random>);

impl Entropy for Seeded {
    fn next(&self) -> u64 {
        self.0.lock().unwrap().next_u64()
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NoHttp;

#[async_trait]
impl Http for NoHttp {
    async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        Err(HttpError {
            failure: HttpFailure::Unreachable,
            effect: Effect::NotApplied,
            detail: "there is no network in this world".to_owned(),
        })
    }
}
