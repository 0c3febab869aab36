//! One login for all callers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{DriverError, Kind};

/// A token is renewed this long before its end, so that none ends on the way; a quarter of its life where that is
/// shorter.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(60);
/// So long a refused login is not made again: platforms lock an account after a handful of them, and a wrong password is
/// wrong for every caller. Short enough that a person who sets it right need not wait.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_secs(60);

/// What a login brought.
#[derive(Debug)]
pub struct Granted<T> {
    pub token: Arc<T>,
    /// `None`: it does not end, or the platform did not say; a refusal will tell.
    pub renew_at: Option<Timestamp>,
}

impl<T> Granted<T> {
    /// A token that lives for `life`, counted from before the request for it left.
    pub fn new(token: T, asked_at: Timestamp, life: Option<SignedDuration>) -> Self {
        let renew_at = life.and_then(|life| asked_at.checked_add(life.saturating_sub(RENEW_BEFORE.min(life / 4))).ok());
        Self { token: Arc::new(token), renew_at }
    }
}

/// Keeps the token of one account. Where a second login cannot succeed, as with an API key that is good for one, there
/// must be one holder for the whole process.
#[derive(Debug)]
pub struct SharedLogin<T> {
    state: Mutex<State<T>>,
    /// Logins so far, to tell a caller that waited for one from a caller that comes after it.
    logins: AtomicU64,
}

/// One of them, or neither.
#[derive(Debug)]
struct State<T> {
    granted: Option<Granted<T>>,
    /// Why the latest login failed, and when.
    failure: Option<(DriverError, Timestamp)>,
}

impl<T> Default for SharedLogin<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { granted: None, failure: None }), logins: AtomicU64::new(0) }
    }
}

impl<T> SharedLogin<T> {
    /// The current token, or what `log_in` makes of the one that is due or was forgotten. Concurrent callers wait for one
    /// login and share its outcome, be it a failure; a refused login is shared by those who come soon after, too.
    ///
    /// # Errors
    /// Those of `log_in`, which MUST say that nothing was changed: what the caller wants to do has not begun.
    pub async fn token<F>(
        &self,
        now: impl Fn() -> Timestamp,
        log_in: impl FnOnce(Option<Arc<T>>) -> F,
    ) -> Result<Arc<T>, DriverError>
    where
        F: Future<Output = Result<Granted<T>, DriverError>>,
    {
        let before = self.logins.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let began_at = now();
        if let Some(granted) = &state.granted
            && granted.renew_at.is_none_or(|at| began_at < at)
        {
            return Ok(granted.token.clone());
        }
        let waited = self.logins.load(Ordering::Acquire) != before;
        if let Some((error, at)) = &state.failure
            && (waited || still_refused(error, *at, began_at))
        {
            return Err(error.clone());
        }
        let outcome = log_in(state.granted.as_ref().map(|granted| granted.token.clone())).await;
        self.logins.fetch_add(1, Ordering::Release);
        match outcome {
            Ok(granted) => {
                let token = granted.token.clone();
                *state = State { granted: Some(granted), failure: None };
                Ok(token)
            }
            Err(error) => {
                *state = State { granted: None, failure: Some((error.clone(), now())) };
                Err(error)
            }
        }
    }

    /// The next caller logs in; unless the token that was refused is not the current one any more.
    pub async fn forget(&self, refused: &Arc<T>) {
        let mut state = self.state.lock().await;
        if let Some(granted) = state.granted.as_mut().filter(|granted| Arc::ptr_eq(&granted.token, refused)) {
            granted.renew_at = Some(Timestamp::MIN);
        }
    }
}

/// Either way, since a platform's clock that is followed may jump back.
fn still_refused(error: &DriverError, at: Timestamp, now: Timestamp) -> bool {
    error.kind == Kind::Unauthorized && now.duration_since(at).abs() < REFUSAL_HOLDS
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, pin::pin};

    use futures_util::{FutureExt, future::join};
    use tokio::sync::oneshot;

    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> impl Fn() -> Timestamp {
        move || START + SignedDuration::from_secs(seconds)
    }

    fn failed(kind: Kind) -> Result<Granted<u32>, DriverError> {
        Err(DriverError::refused(kind, "no"))
    }

    /// Logs in at that second with that outcome, and answers whether it came to a login.
    fn at(login: &SharedLogin<u32>, seconds: i64, outcome: Result<Granted<u32>, DriverError>) -> (bool, Option<u32>) {
        let asked = Cell::new(false);
        let token = login.token(after(seconds), |_| {
            asked.set(true);
            async { outcome }
        });
        let token = token.now_or_never().expect("nobody else logs in").ok().map(|token| *token);
        (asked.get(), token)
    }

    fn granted(token: u32, asked_at: i64, life: Option<i64>) -> Result<Granted<u32>, DriverError> {
        Ok(Granted::new(token, after(asked_at)(), life.map(SignedDuration::from_secs)))
    }

    #[test]
    fn a_token_serves_until_shortly_before_its_end() {
        let login = SharedLogin::default();
        assert_eq!(at(&login, 0, granted(1, 0, Some(600))), (true, Some(1)));
        assert_eq!(at(&login, 539, granted(2, 539, Some(20))), (false, Some(1)));
        assert_eq!(at(&login, 540, granted(2, 540, Some(20))), (true, Some(2)));
        assert_eq!(at(&login, 554, granted(3, 554, None)), (false, Some(2)));
        assert_eq!(at(&login, 555, granted(3, 555, None)), (true, Some(3)), "of a short life a quarter");
        assert_eq!(at(&login, 1_000_000, granted(4, 0, None)), (false, Some(3)));
    }

    #[test]
    fn a_refused_login_is_not_made_again_for_a_minute() {
        let login = SharedLogin::default();
        assert_eq!(at(&login, 0, failed(Kind::Unauthorized)), (true, None));
        assert_eq!(at(&login, 59, granted(1, 59, None)), (false, None));
        assert_eq!(at(&login, -59, granted(1, 59, None)), (false, None));
        assert_eq!(at(&login, 60, granted(1, 60, None)), (true, Some(1)));
    }

    #[test]
    fn what_failed_in_passing_is_tried_by_the_next_caller() {
        let login = SharedLogin::default();
        assert_eq!(at(&login, 0, failed(Kind::Unavailable)), (true, None));
        assert_eq!(at(&login, 0, granted(1, 0, None)), (true, Some(1)));
    }

    #[test]
    fn only_the_current_token_is_forgotten() {
        let login = SharedLogin::default();
        at(&login, 0, granted(1, 0, None));
        let first = login.token(after(0), |_| async { failed(Kind::Protocol) }).now_or_never().unwrap().unwrap();
        login.forget(&first).now_or_never().unwrap();
        let seen = Cell::new(None);
        let second = login.token(after(0), |old| {
            seen.set(old.map(|old| *old));
            async { granted(2, 0, None) }
        });
        assert_eq!(*second.now_or_never().unwrap().unwrap(), 2);
        assert_eq!(seen.get(), Some(1), "the new one may depend on the old one");
        login.forget(&first).now_or_never().unwrap();
        assert_eq!(at(&login, 0, failed(Kind::Protocol)), (false, Some(2)));
    }

    #[test]
    fn those_who_wait_share_the_outcome() {
        let login = SharedLogin::default();
        let (tell, told) = oneshot::channel();
        let mut first = pin!(login.token(after(0), |_| async { told.await.unwrap() }));
        assert!((&mut first).now_or_never().is_none());
        let mut second = pin!(login.token(after(0), |_| async { granted(2, 0, None) }));
        assert!((&mut second).now_or_never().is_none());
        tell.send(failed(Kind::Unavailable)).unwrap();
        let (first, second) = join(first, second).now_or_never().unwrap();
        assert!(first.is_err() && second.is_err());
    }
}
