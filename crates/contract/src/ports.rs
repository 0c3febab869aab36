//! A clock that only sleeping moves, and randomness that repeats.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use driver::{Clock, Entropy, NoEntropy};
use jiff::{SignedDuration, Timestamp};

/// Time stands still until somebody sleeps or the test says otherwise.
#[derive(Debug)]
pub struct SimulatedClock {
    microseconds: AtomicI64,
}

impl SimulatedClock {
    pub fn at(start: Timestamp) -> Self {
        Self { microseconds: AtomicI64::new(start.as_microsecond()) }
    }

    pub fn advance(&self, by: SignedDuration) {
        self.microseconds.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.microseconds.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(SignedDuration::try_from(duration).unwrap());
        tokio::task::yield_now().await;
    }
}

#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Entropy for SeededEntropy {
    /// SplitMix64.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
        Ok(())
    }
}
