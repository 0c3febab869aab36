//! An application that calls the gateway all the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::SecretPath;
use driver::{Http, HttpRequest, Method};
use secret::SecretMap;
use stores::embedded::EmbeddedReader;
use tokio::{sync::Notify, task::JoinHandle};
use url::Url;

/// Between two calls: a busy application, not a load test.
const PAUSE: Duration = Duration::from_millis(2);

/// Where the application takes its secret from.
pub(super) enum Source {
    /// From the store, before every call.
    Store { reader: EmbeddedReader, path: SecretPath },
    /// From its own memory, since its first day.
    Remembered(SecretMap),
}

#[derive(Default)]
struct Count {
    calls: AtomicU64,
    failures: AtomicU64,
    stopped: AtomicBool,
    called: Notify,
}

pub(super) struct Consumer {
    count: Arc<Count>,
    task: JoinHandle<()>,
}

impl Consumer {
    pub(super) fn start(gateway: &str, http: Arc<dyn Http>, source: Source) -> Self {
        let count = Arc::new(Count::default());
        let task = tokio::spawn(go_on(count.clone(), format!("{gateway}/orders"), http, source));
        Self { count, task }
    }

    /// Returns when so many further calls are answered.
    pub(super) async fn calls_more(&self, calls: u64) {
        let target = self.count.calls.load(Ordering::Relaxed) + calls;
        while self.count.calls.load(Ordering::Relaxed) < target {
            self.count.called.notified().await;
        }
    }

    /// Calls made, and calls that were refused or failed.
    pub(super) async fn stop(self) -> (u64, u64) {
        self.count.stopped.store(true, Ordering::Relaxed);
        self.task.await.ok();
        (self.count.calls.load(Ordering::Relaxed), self.count.failures.load(Ordering::Relaxed))
    }
}

async fn go_on(count: Arc<Count>, url: String, http: Arc<dyn Http>, source: Source) {
    while !count.stopped.load(Ordering::Relaxed) {
        if !call(&url, &*http, &source).await {
            count.failures.fetch_add(1, Ordering::Relaxed);
        }
        count.calls.fetch_add(1, Ordering::Relaxed);
        count.called.notify_one();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn call(url: &str, http: &dyn Http, source: &Source) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let mut request = HttpRequest::new(Method::Get, url);
    request.custom_headers = match source {
        Source::Remembered(secret) => headers(secret),
        Source::Store { reader, path } => match reader.get(path, None).await {
            Ok(Some(current)) => headers(&current.data),
            _ => return false,
        },
    };
    http.send(request).await.is_ok_and(|response| response.status == 200)
}

fn headers(secret: &SecretMap) -> Vec<(String, String)> {
    let fields = [("X-IBM-Client-Id", "client_id"), ("X-IBM-Client-Secret", "client_secret")];
    let value = |field| secret.get(field).and_then(secret::Secret::expose_text).unwrap_or_default().to_owned();
    fields.into_iter().map(|(header, field)| (header.to_owned(), value(field))).collect()
}
