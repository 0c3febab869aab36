//! What the contract suite does not ask: descriptions that are refused, and roads that only some platforms take.

mod descriptions;
mod roads;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use driver::{
    Body, Clock, Entropy, Http, HttpError, HttpRequest, HttpResponse, InvalidSettings, Issuer, NoEntropy, Ports,
    Settings,
};
use jiff::Timestamp;

/// Answers what it is told, in this order, and keeps what it was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<(u16, &'static str)>>,
    asked: Mutex<Vec<HttpRequest>>,
}

#[async_trait]
impl Http for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("no further call was expected");
        self.asked.lock().unwrap().push(request);
        // A platform takes its time, and others begin meanwhile.
        tokio::task::yield_now().await;
        Ok(HttpResponse { status, headers: Vec::new(), body: Body(body.into()) })
    }
}

impl Script {
    fn asked(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[derive(Debug)]
struct Noon;

#[async_trait]
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

#[derive(Debug)]
struct Counting;

impl Entropy for Counting {
    fn next(&self) -> u64 {
        7
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        bytes.fill(7);
        Ok(())
    }
}

fn configure(toml: &str, answers: &[(u16, &'static str)]) -> Result<(Arc<dyn Issuer>, Arc<Script>), InvalidSettings> {
    let script = Arc::new(Script { answers: Mutex::new(answers.iter().copied().collect()), ..Script::default() });
    let ports = Ports { http: script.clone(), clock: Arc::new(Noon), entropy: Arc::new(Counting) };
    let settings = Settings { table: toml.parse().unwrap(), base_dir: "/".into() };
    Ok(((super::DRIVER.configure)(&settings, &ports)?, script))
}
