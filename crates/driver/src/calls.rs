//! Calls under a budget: so many in flight, so many a second, reads tried again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Semaphore};

use crate::{Attempts, Clock, Entropy, Http, HttpError, HttpRequest, HttpResponse, Method, Ports};

/// A read that failed is worth five tries: with one call in ten failing, a walk of 10,000 calls then still ends well
/// nine times in ten.
const READS: Attempts =
    Attempts { count_max: 6, pause_first: Duration::from_millis(100), asked_longest: Duration::from_secs(30) };

/// What one issuer or store allows us.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    pub in_flight: usize,
    /// `None`: no limit of rate.
    pub per_second: Option<f64>,
}

impl Default for Budget {
    /// 32 in flight keeps a platform at 20 ms per call near 1,600 calls a second, which none has complained about
    /// publicly; vendors publish no figure, so the rate is left to configuration.
    fn default() -> Self {
        Self { in_flight: 32, per_second: None }
    }
}

/// An [`Http`] that keeps to a budget and repeats reads (GET) that failed in passing. Everything else is sent once:
/// whether a write may be repeated is the engine's to decide.
#[derive(Debug)]
pub struct Calls {
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    in_flight: Semaphore,
    interval: Option<SignedDuration>,
    next_slot: Mutex<Timestamp>,
}

impl Calls {
    pub fn new(ports: &Ports, budget: Budget) -> Self {
        let interval =
            budget.per_second.filter(|rate| *rate > 0.0).map(|rate| SignedDuration::from_secs_f64(1.0 / rate));
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            in_flight: Semaphore::new(budget.in_flight.max(1)),
            interval,
            next_slot: Mutex::new(Timestamp::MIN),
        }
    }

    /// Replaces the `http` port by one under this budget.
    pub fn ports(ports: &Ports, budget: Budget) -> Ports {
        Ports { http: Arc::new(Self::new(ports, budget)), ..ports.clone() }
    }

    async fn wait_for_slot(&self) {
        let Some(interval) = self.interval else { return };
        let wait = {
            let mut next = self.next_slot.lock().await;
            let now = self.clock.now();
            let slot = (*next).max(now);
            *next = slot.saturating_add(interval).unwrap_or(Timestamp::MAX);
            slot.duration_since(now)
        };
        if let Ok(wait) = Duration::try_from(wait) {
            self.clock.sleep(wait).await;
        }
    }

    async fn send_once(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // The semaphore is never closed; if it were, going on without a permit would still be correct.
        let _permit = self.in_flight.acquire().await.ok();
        self.wait_for_slot().await;
        self.http.send(request).await
    }
}

#[async_trait]
impl Http for Calls {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.method != Method::Get {
            return self.send_once(request).await;
        }
        let mut attempt = 1;
        loop {
            let answer = self.send_once(request.clone()).await;
            let asked = match &answer {
                Ok(response) if matches!(response.status, 429 | 500 | 502 | 503 | 504) => response.retry_after(),
                Ok(_) => return answer,
                Err(error) if error.failure == crate::HttpFailure::Certificate => return answer,
                Err(_) => None,
            };
            match READS.pause(attempt, asked, self.entropy.next()) {
                Some(pause) => self.clock.sleep(pause).await,
                None => return answer,
            }
            attempt += 1;
        }
    }
}
