//! A twin in the same process, behind the HTTP port of a driver.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use driver::{Body, Clock, Effect, Http, HttpError, HttpFailure, HttpRequest, HttpResponse};
use twin::{Answer, Call, Side, Twin, World};
use url::Url;

const PLATFORM: &str = "https://platform.example.test";
const GATEWAY: &str = "https://gateway.example.test";

/// Platform and gateway of one world, told apart by host; any other host cannot be reached.
pub struct TwinHttp {
    world: Mutex<World>,
    clock: Arc<dyn Clock>,
    latency: Duration,
    bearers: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for TwinHttp {
    /// Without what it holds: it is part of every issuer's Debug, in which the checks look for secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TwinHttp(..)")
    }
}

impl TwinHttp {
    pub fn new(twin: Box<dyn Twin>, seed: u64, clock: Arc<dyn Clock>) -> Self {
        Self::with_latency(twin, seed, clock, Duration::ZERO)
    }

    /// Every call takes so long by the runtime's clock, which a test pauses.
    pub fn with_latency(twin: Box<dyn Twin>, seed: u64, clock: Arc<dyn Clock>, latency: Duration) -> Self {
        let mut world = World::new(twin, seed);
        world.serve_at(PLATFORM, GATEWAY);
        Self { world: Mutex::new(world), clock, latency, bearers: Mutex::default() }
    }

    /// The guard is not to be kept across a wait.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What callers sent to identify themselves.
    pub fn bearers(&self) -> Vec<String> {
        self.bearers.lock().unwrap().iter().cloned().collect()
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.world().now(self.clock.now())
    }

    /// One call to the gateway with these headers; its status, `None` if there was no answer.
    pub fn gateway(&self, headers: Vec<(String, String)>) -> Option<u16> {
        let call = Call {
            method: "GET".to_owned(),
            path: "/ping".to_owned(),
            query: String::new(),
            headers,
            body: bytes::Bytes::new(),
        };
        match self.world().handle(self.clock.now(), Side::Gateway, &call) {
            Answer::Reply(reply) => Some(reply.status),
            Answer::Cut => None,
        }
    }
}

fn side(url: &Url) -> Option<Side> {
    let origin = url.origin().ascii_serialization();
    match origin.as_str() {
        PLATFORM => Some(Side::Platform),
        GATEWAY => Some(Side::Gateway),
        _ => None,
    }
}

fn call(request: &HttpRequest) -> Call {
    let known = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let custom = request.custom_headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    Call {
        method: request.method.as_str().to_owned(),
        path: request.url.path().to_owned(),
        query: request.url.query().unwrap_or_default().to_owned(),
        headers: known.chain(custom).collect(),
        body: request.body.0.clone(),
    }
}

#[async_trait]
impl Http for TwinHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Some(side) = side(&request.url) else {
            return Err(HttpError {
                failure: HttpFailure::Unreachable,
                effect: Effect::NotApplied,
                detail: "no such host in this world".to_owned(),
            });
        };
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        // Others get their turn, as they would during a real call.
        tokio::task::yield_now().await;
        let call = call(&request);
        let bearer = call.header("authorization").and_then(|value| value.split_once(' '));
        self.bearers.lock().unwrap().extend(bearer.map(|(_, token)| token.to_owned()));
        match self.world().handle(self.clock.now(), side, &call) {
            Answer::Reply(reply) => {
                Ok(HttpResponse { status: reply.status, headers: reply.headers, body: Body(reply.body) })
            }
            Answer::Cut => Err(HttpError {
                failure: HttpFailure::Broken,
                effect: Effect::Unknown,
                detail: "cut by the twin".to_owned(),
            }),
        }
    }
}
