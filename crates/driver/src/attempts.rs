//! How often and how patiently something that may be repeated is repeated.

use std::time::Duration;

use crate::{Clock, DriverError, Effect, Entropy, Kind};

/// No pause of our own choice is longer: who waits for us notices.
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub struct Attempts {
    pub count_max: u32,
    /// Doubles with every attempt.
    pub pause_first: Duration,
    /// Whoever asks for a longer pause is away, not busy: the error says so instead of every caller hanging.
    pub asked_longest: Duration,
}

impl Attempts {
    /// A login is safe to repeat, and everything waits for it: four tries ride out a restart of one node.
    pub const LOGIN: Self =
        Self { count_max: 4, pause_first: Duration::from_millis(500), asked_longest: Duration::from_secs(30) };

    /// The pause after an attempt, counted from one, that failed in passing; `asked` is what the platform asks for.
    /// `None`: there is no other attempt.
    pub fn pause(self, attempt: u32, asked: Option<Duration>, random: u64) -> Option<Duration> {
        let pause = asked.unwrap_or_default().max(backoff(self.pause_first, attempt, random));
        (attempt < self.count_max && pause <= self.asked_longest).then_some(pause)
    }

    /// Does it until it succeeds, and again where it failed in passing and changed nothing.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn make<T, F>(
        self,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        once: impl Fn() -> F,
    ) -> Result<T, DriverError>
    where
        F: Future<Output = Result<T, DriverError>>,
    {
        let mut attempt = 1;
        loop {
            let error = match once().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let passing = matches!(error.kind, Kind::Unavailable | Kind::Throttled);
            if !passing || error.effect != Effect::NotApplied {
                return Err(error);
            }
            match self.pause(attempt, error.retry_after, entropy.next()) {
                Some(pause) => clock.sleep(pause).await,
                None => return Err(error),
            }
            attempt += 1;
        }
    }
}

/// Doubles from attempt to attempt.
fn backoff(first: Duration, attempt: u32, random: u64) -> Duration {
    half_random(first.saturating_mul(1 << attempt.min(10)).min(PAUSE_LONGEST), random)
}

/// Between half of a pause and all of it, so that many that failed together do not come back together.
pub fn half_random(full: Duration, random: u64) -> Duration {
    let share = (random % 1000) as f64 / 1000.0;
    full.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_and_stays_within_its_bounds() {
        let first = Duration::from_millis(500);
        for random in [0, 500, 999, u64::MAX] {
            assert!(backoff(first, 1, random) >= first && backoff(first, 1, random) < first * 2);
            assert!(backoff(first, u32::MAX, random) <= PAUSE_LONGEST);
        }
        assert!(backoff(first, 3, 0) > backoff(first, 1, 999));
    }

    #[test]
    fn who_asks_for_too_much_or_too_often_gets_no_other_attempt() {
        let pause = |attempt, seconds: Option<u64>| Attempts::LOGIN.pause(attempt, seconds.map(Duration::from_secs), 0);
        assert_eq!(pause(1, None), Some(Duration::from_millis(500)));
        assert_eq!(pause(3, Some(30)), Some(Duration::from_secs(30)));
        assert_eq!(pause(3, Some(31)), None);
        assert_eq!(pause(4, None), None);
    }
}
