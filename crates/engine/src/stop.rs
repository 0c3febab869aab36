//! Ending early: whoever runs the process was told to stop, and a step that has begun is better finished than cut.

use futures_util::future::{self, Either};
use tokio::sync::watch;

/// Asked for, no further step begins; what is open is finished. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    /// Nobody ever asks.
    pub fn never() -> Self {
        Self(None)
    }

    /// Asked for as soon as this says so. A sender that goes away has not asked.
    pub fn when(asked: watch::Receiver<bool>) -> Self {
        Self(Some(asked))
    }

    pub fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| *asked.borrow())
    }

    /// The answer of something that only looks or waits; `None`, and it is dropped where it stands, once a stop is asked for.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let asked = async {
            let mut told = self.0.clone();
            let asked = match &mut told {
                Some(asked) => asked.wait_for(|asked| *asked).await.is_ok(),
                None => false,
            };
            if !asked {
                future::pending::<()>().await;
            }
        };
        match future::select(Box::pin(asked), Box::pin(work)).await {
            Either::Left(((), _)) => None,
            Either::Right((answer, _)) => Some(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_waits_ends_when_a_stop_is_asked_for_and_not_before() {
        let (ask, asked) = watch::channel(false);
        let stop = Stop::when(asked);
        assert_eq!(stop.unless_asked(future::ready(1)).now_or_never(), Some(Some(1)));
        assert_eq!(stop.unless_asked(future::pending::<u8>()).now_or_never(), None, "it goes on waiting");
        ask.send_replace(true);
        assert!(stop.is_asked());
        assert_eq!(stop.unless_asked(future::pending::<u8>()).now_or_never(), Some(None));
    }

    #[test]
    fn whoever_went_away_has_not_asked() {
        let (ask, asked) = watch::channel(false);
        drop(ask);
        for stop in [Stop::when(asked), Stop::never()] {
            assert!(!stop.is_asked());
            assert_eq!(stop.unless_asked(future::ready(1)).now_or_never(), Some(Some(1)));
            assert_eq!(stop.unless_asked(future::pending::<u8>()).now_or_never(), None);
        }
    }
}
