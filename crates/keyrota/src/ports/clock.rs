//! The wall clock.

use std::time::Duration;

use async_trait::async_trait;
use driver::Clock;
use jiff::Timestamp;

/// The time now. For what is not reached through [`SystemClock`]: commands and twins.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
