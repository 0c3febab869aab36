//! The way to the platform, which on its way back tells the platform's time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use driver::{Clock, Entropy, Http, HttpError, HttpRequest, HttpResponse, Ports};
use jiff::{SignedDuration, Timestamp};

#[derive(Debug)]
pub(super) struct Wire {
    http: Arc<dyn Http>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// How far the platform's clock is ahead of ours, by its latest answer.
    ahead_milliseconds: AtomicI64,
}

impl Wire {
    pub(super) fn new(ports: &Ports) -> Self {
        Self {
            http: ports.http.clone(),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
            ahead_milliseconds: AtomicI64::new(0),
        }
    }

    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.http.send(request).await?;
        if let Some(date) = response.date() {
            let ahead = date.duration_since(self.clock.now());
            self.ahead_milliseconds.store(i64::try_from(ahead.as_millis()).unwrap_or(0), Ordering::Relaxed);
        }
        Ok(response)
    }

    /// What the platform's clock shows now, as far as it has told. Logins and questions to analytics go by it.
    pub(super) fn platform_now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_milliseconds.load(Ordering::Relaxed));
        let now = self.clock.now();
        now.saturating_add(ahead).unwrap_or(now)
    }
}
