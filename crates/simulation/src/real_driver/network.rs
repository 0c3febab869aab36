//! The network between a driver and its twin: every call is a point with a number, and one point has a fault.

use std::{
    fmt,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use contract::{SimulatedClock, TwinHttp};
use domain::Timestamp;
use driver::{Body, Clock as _, Effect, Http, HttpError, HttpFailure, HttpRequest, HttpResponse};
use tokio::sync::Notify;

use super::consumers::Consumers;

/// A late answer takes this long, and is still waited for.
const LATE: Duration = Duration::from_secs(25);
/// What arrives after its caller gave up arrives so long after that.
const OVERDUE: Duration = Duration::from_mins(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// The host cannot be reached.
    FailsBefore,
    /// The connection breaks on the way there.
    LostBefore,
    /// The platform does as it was asked, and its answer is lost.
    AnswerLost,
    AnswerLate,
    /// Nobody waits for it any more when it arrives.
    ArrivesOverdue,
    /// A server's error; nothing is done.
    ServerError,
    Throttled,
    CrashBefore,
    CrashAfter,
}

impl Mishap {
    pub const ALL: [Self; 9] = [
        Self::FailsBefore,
        Self::LostBefore,
        Self::AnswerLost,
        Self::AnswerLate,
        Self::ArrivesOverdue,
        Self::ServerError,
        Self::Throttled,
        Self::CrashBefore,
        Self::CrashAfter,
    ];
}

/// The process has died in a call; whoever runs it drops it where it stands.
#[derive(Debug, Default)]
pub(super) struct Death(Notify);

impl Death {
    pub(super) async fn comes(&self) {
        self.0.notified().await;
    }
}

pub(super) struct Network {
    pub(super) twin: Arc<TwinHttp>,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) consumers: Mutex<Consumers>,
    pub(super) death: Death,
    mishap: Option<(usize, Mishap)>,
    points: AtomicUsize,
    overdue: Mutex<Option<(Timestamp, HttpRequest)>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network(..)")
    }
}

impl Network {
    pub(super) fn new(
        twin: Arc<TwinHttp>,
        clock: Arc<SimulatedClock>,
        consumers: Consumers,
        mishap: Option<(usize, Mishap)>,
    ) -> Self {
        Self {
            twin,
            clock,
            consumers: Mutex::new(consumers),
            death: Death::default(),
            mishap,
            points: AtomicUsize::new(0),
            overdue: Mutex::default(),
        }
    }

    pub(super) fn points(&self) -> usize {
        self.points.load(Ordering::Relaxed)
    }

    /// What was on its way arrives, and every consumer calls.
    pub(super) async fn turn(&self) {
        let arrived = {
            let mut overdue = self.overdue.lock().unwrap();
            overdue.take_if(|(at, _)| *at <= self.clock.now())
        };
        if let Some((_, request)) = arrived {
            drop(self.twin.send(request).await);
        }
        self.consumers.lock().unwrap().call(&self.twin, &*self.clock);
    }

    /// Consumers see what was done until then before any time passes.
    async fn wait(&self, duration: Duration) {
        self.turn().await;
        self.clock.sleep(duration).await;
    }

    async fn die(&self) -> ! {
        self.death.0.notify_one();
        pending().await
    }

    async fn befall(&self, mishap: Mishap, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |failure, effect| HttpError { failure, effect, detail: "as the play wants it".to_owned() };
        let answered = |status, headers| HttpResponse { status, headers, body: Body::default() };
        match mishap {
            Mishap::FailsBefore => Err(failed(HttpFailure::Unreachable, Effect::NotApplied)),
            Mishap::LostBefore => Err(failed(HttpFailure::Broken, Effect::Unknown)),
            Mishap::ServerError => Ok(answered(500, Vec::new())),
            Mishap::Throttled => Ok(answered(429, vec![("retry-after".to_owned(), "1".to_owned())])),
            Mishap::ArrivesOverdue => {
                self.wait(request.timeout).await;
                let at = self.clock.now().saturating_add(OVERDUE).unwrap();
                *self.overdue.lock().unwrap() = Some((at, request));
                Err(failed(HttpFailure::Timeout, Effect::Unknown))
            }
            Mishap::CrashBefore => self.die().await,
            Mishap::AnswerLost => {
                drop(self.twin.send(request).await);
                Err(failed(HttpFailure::Broken, Effect::Unknown))
            }
            Mishap::AnswerLate => {
                let answer = self.twin.send(request).await;
                self.wait(LATE).await;
                answer
            }
            Mishap::CrashAfter => {
                drop(self.twin.send(request).await);
                self.die().await
            }
        }
    }
}

#[async_trait]
impl Http for Network {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let point = self.points.fetch_add(1, Ordering::Relaxed);
        let answer = match self.mishap.filter(|(at, _)| *at == point) {
            Some((_, mishap)) => self.befall(mishap, request).await,
            None => self.twin.send(request).await,
        };
        self.turn().await;
        answer
    }
}
