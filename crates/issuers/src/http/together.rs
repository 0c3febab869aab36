//! One reading for all who want to read the same at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use driver::DriverError;
use tokio::sync::Mutex;

/// Nothing is kept for later: whoever comes may have changed something just before, so only a reading that began after
/// they came answers them. Those who come while one is under way wait for it, and share the next one.
#[derive(Debug)]
pub(super) struct Together<T> {
    begun: AtomicU64,
    latest: Mutex<Option<Latest<T>>>,
    /// One more for each who waits.
    waiting: Arc<()>,
}

#[derive(Debug)]
struct Latest<T> {
    number: u64,
    outcome: Result<Arc<T>, DriverError>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), latest: Mutex::new(None), waiting: Arc::new(()) }
    }
}

impl<T> Together<T> {
    pub(super) async fn read<F>(&self, read: impl FnOnce() -> F) -> Result<Arc<T>, DriverError>
    where
        F: Future<Output = Result<T, DriverError>>,
    {
        let came_after = self.begun.load(Ordering::SeqCst);
        let waiting = self.waiting.clone();
        let mut latest = self.latest.lock().await;
        let outcome = match latest.as_ref().filter(|latest| latest.number > came_after) {
            Some(latest) => latest.outcome.clone(),
            None => {
                let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
                let outcome = read().await.map(Arc::new);
                *latest = Some(Latest { number, outcome: outcome.clone() });
                outcome
            }
        };
        drop(waiting);
        // The last of those whom it can answer: a large listing must not stay in memory for nobody.
        if Arc::strong_count(&self.waiting) == 1 {
            *latest = None;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use driver::Kind;
    use futures_util::{FutureExt, future::join};
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_comes_during_a_reading_shares_the_next_one_and_nobody_an_old_one() {
        let shared = Together::default();
        let (tell, told) = oneshot::channel();
        let mut first = pin!(shared.read(|| async { told.await.unwrap() }));
        assert!((&mut first).now_or_never().is_none());
        let mut second = pin!(shared.read(|| async { Ok(2) }));
        let mut third = pin!(shared.read(|| async { Ok(3) }));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        tell.send(Ok(1)).unwrap();
        let (first, (second, third)) = join(first, join(second, third)).now_or_never().unwrap();
        assert_eq!((*first.unwrap(), *second.unwrap(), *third.unwrap()), (1, 2, 2));
        assert!(shared.latest.try_lock().unwrap().is_none(), "nobody can be answered with it any more");
        assert_eq!(*shared.read(|| async { Ok(4) }).now_or_never().unwrap().unwrap(), 4);
    }

    #[test]
    fn a_reading_that_is_given_up_is_nobodys() {
        let shared = Together::default();
        let mut first = Box::pin(shared.read(std::future::pending));
        assert!((&mut first).now_or_never().is_none());
        let mut second = pin!(shared.read(|| async { Ok(2) }));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(*second.now_or_never().unwrap().unwrap(), 2);
    }

    #[test]
    fn a_failure_is_shared_too() {
        let shared = Together::<u32>::default();
        let (tell, told) = oneshot::channel();
        let mut first = pin!(shared.read(|| async { told.await.unwrap() }));
        assert!((&mut first).now_or_never().is_none());
        let failed = || async { Err(DriverError::refused(Kind::Conflict, "moved")) };
        let mut second = pin!(shared.read(failed));
        let mut third = pin!(shared.read(|| async { Ok(3) }));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        tell.send(Ok(1)).unwrap();
        let (_, (second, third)) = join(first, join(second, third)).now_or_never().unwrap();
        assert!(second.is_err() && third.is_err());
    }
}
