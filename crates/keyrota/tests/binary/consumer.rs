//! Applications: they read their pair where Keyrota delivers, and call the protected API with it all the time.

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use db::{Access, Db};
use domain::SecretPath;
use promises::use_path;
use secret::{Keyring, RootKey, Secret};
use stores::embedded::EmbeddedReader;

use crate::{
    http::Client,
    world::{Known, World},
};

/// Between two calls, so that the consumer does not take the processor from those it consumes from.
const PACE: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// Reads the embedded store as a consumer in the same place would.
pub(crate) struct Reader {
    folder: PathBuf,
    runtime: tokio::runtime::Runtime,
    open: Option<EmbeddedReader>,
}

impl Reader {
    pub(crate) fn new(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { folder: world.folder().to_owned(), runtime, open: None }
    }

    /// `None`: nothing was delivered there yet.
    pub(crate) fn read(&mut self, path: &str) -> Option<Pair> {
        let [client_id, client_secret] = self.read_fields(path, ["client_id", "client_secret"])?;
        Some(Pair { client_id, client_secret })
    }

    pub(crate) fn read_fields<const N: usize>(&mut self, path: &str, names: [&str; N]) -> Option<[String; N]> {
        if self.open.is_none() {
            self.open = self.runtime.block_on(open(&self.folder));
        }
        let reader = self.open.as_ref()?;
        let path = SecretPath::parse(path).unwrap();
        let found = self.runtime.block_on(reader.get(&path, None)).unwrap()?;
        Some(names.map(|name| found.data.get(name).unwrap().expose_text().unwrap().to_owned()))
    }

    /// As after a restart of the application.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }
}

async fn open(folder: &std::path::Path) -> Option<EmbeddedReader> {
    let db = Db::open(&folder.join("data"), Access::ReadOnly).ok()?;
    let wrapped = db.wrapped_key().await.unwrap()?;
    let line = std::fs::read_to_string(folder.join("root.key")).unwrap();
    let root = RootKey::parse(&Secret::from_text(line.trim())).unwrap();
    let keyring = Keyring::open(&root, &wrapped).unwrap();
    Some(EmbeddedReader::new("local", Arc::new(db), Arc::new(keyring)))
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) calls: usize,
    pub(crate) failures: Vec<String>,
}

/// One thread that plays every application in turn. Each calls with what it read a round ago, then reads anew and
/// calls with that.
pub(crate) struct Consumer {
    stop: mpsc::Sender<()>,
    rounds: Arc<(Mutex<u64>, Condvar)>,
    thread: Option<JoinHandle<Account>>,
}

impl Consumer {
    /// Until something is delivered, an application uses the pair that it has had all along.
    pub(crate) fn start(world: &World, estate: &[Known]) -> Self {
        Self::paced(world, estate, PACE)
    }

    /// With so much time between two calls.
    pub(crate) fn paced(world: &World, estate: &[Known], pace: Duration) -> Self {
        let apps: Vec<(String, Pair)> = estate.iter().map(|one| (one.path(), pair(one))).collect();
        let rounds: Arc<(Mutex<u64>, Condvar)> = Arc::default();
        let (stop, stopped) = mpsc::channel();
        let (reader, gateway) = (Reader::new(world), world.gateway());
        let told = rounds.clone();
        let thread = std::thread::spawn(move || consume((apps, pace), reader, gateway, &stopped, &told));
        Self { stop, rounds, thread: Some(thread) }
    }

    /// Returns when every application has read and used what is delivered now.
    pub(crate) fn catch_up(&self) {
        let (count, changed) = &*self.rounds;
        let mut done = count.lock().unwrap();
        // The round under way, one that reads anew, one that forgets what was read before.
        let wanted = *done + 3;
        while *done < wanted && !self.thread.as_ref().unwrap().is_finished() {
            done = changed.wait_timeout(done, Duration::from_secs(1)).unwrap().0;
        }
    }

    pub(crate) fn stop(mut self) -> Account {
        self.stop.send(()).ok();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Ends it, and wants it to have been served at every call.
    #[track_caller]
    pub(crate) fn was_served(self) {
        self.catch_up();
        let account = self.stop();
        assert!(account.failures.is_empty(), "of {} calls: {:#?}", account.calls, account.failures);
        assert!(account.calls > 0);
    }
}

fn consume(
    (mut apps, pace): (Vec<(String, Pair)>, Duration),
    mut reader: Reader,
    mut gateway: Client,
    stop: &mpsc::Receiver<()>,
    rounds: &(Mutex<u64>, Condvar),
) -> Account {
    let mut account = Account::default();
    loop {
        for (path, pair) in &mut apps {
            for reads in [false, true] {
                let read = if reads { reader.read(path) } else { None };
                let fresh = read.is_some();
                *pair = read.unwrap_or_else(|| pair.clone());
                let address = use_path("app", path, &pair.client_id, fresh);
                let status = gateway.call_with(&address, &pair.client_id, &pair.client_secret);
                account.calls += 1;
                if status != 200 {
                    account.failures.push(format!("{path} with {}: {status}", pair.client_id));
                }
            }
            match stop.recv_timeout(pace) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return account,
            }
        }
        reader.close();
        *rounds.0.lock().unwrap() += 1;
        rounds.1.notify_all();
    }
}

pub(crate) fn pair(known: &Known) -> Pair {
    Pair { client_id: known.client_id.clone(), client_secret: known.client_secret.clone() }
}
