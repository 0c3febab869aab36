//! Applications beside a real driver: they read our embedded store, and call the twin's gateway.

use contract::TwinHttp;
use domain::{Duration, SecretPath, Timestamp};
use driver::Clock;
use futures_util::FutureExt as _;
use promises::use_path;
use stores::embedded::EmbeddedReader;
use twin::{Call, Side};

/// How long the second consumer of each place keeps what it read.
const CACHE: Duration = Duration::from_hours(1);

pub(super) type Pair = (String, String);

/// What a path serves; `None` before anything is delivered there.
pub(super) fn read(reader: &EmbeddedReader, path: &str) -> Option<Pair> {
    let path = SecretPath::parse(path).unwrap();
    let found = reader.get(&path, None).now_or_never().expect("it answers at once").unwrap()?;
    let field = |name: &str| found.data.get(name).unwrap().expose_text().unwrap().to_owned();
    Some((field("client_id"), field("client_secret")))
}

struct Consumer {
    path: String,
    cache: Duration,
    /// What it has, and since when. Until something is delivered, that is what it has had all along.
    pair: Pair,
    read_at: Timestamp,
}

pub(super) struct Consumers {
    reader: EmbeddedReader,
    all: Vec<Consumer>,
}

impl Consumers {
    /// Two for each place: one that reads every time, and one that keeps what it read for an hour.
    pub(super) fn new(reader: EmbeddedReader, places: &[(String, Pair)]) -> Self {
        let of_place = |(path, pair): &(String, Pair)| {
            let consumer =
                |cache| Consumer { path: path.clone(), cache, pair: pair.clone(), read_at: Timestamp::UNIX_EPOCH };
            [consumer(Duration::ZERO), consumer(CACHE)]
        };
        Self { reader, all: places.iter().flat_map(of_place).collect() }
    }

    /// Everybody calls once, reading first where what they have is too old.
    pub(super) fn call(&mut self, twin: &TwinHttp, clock: &dyn Clock) {
        let now = clock.now();
        for consumer in &mut self.all {
            let mut fresh = false;
            if now.duration_since(consumer.read_at) >= consumer.cache {
                consumer.read_at = now;
                if let Some(read) = read(&self.reader, &consumer.path) {
                    consumer.pair = read;
                    fresh = true;
                }
            }
            let (client_id, client_secret) = &consumer.pair;
            let name = if consumer.cache.is_zero() { "eager" } else { "caching" };
            let address = use_path(name, &consumer.path, client_id, fresh);
            let (path, query) = address.split_once('?').unwrap();
            let header = |name: &str, value: &String| (name.to_owned(), value.clone());
            let call = Call {
                method: "GET".to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: vec![header("x-ibm-client-id", client_id), header("x-ibm-client-secret", client_secret)],
                body: bytes::Bytes::new(),
            };
            twin.world().handle(now, Side::Gateway, &call);
        }
    }
}
