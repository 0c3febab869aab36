//! The one writer: units that wait together share a transaction and its sync.

use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{Fault, Unit, WriteError, connection};

/// Units in one transaction at most. Beyond it a sync is cheap beside the work, and the first one waits for the last.
const GROUP_UNITS_MAX: usize = 256;
/// Units that wait at most; a further one waits outside, in its own task.
const QUEUE_UNITS_MAX: usize = 1024;

pub(crate) type Outcome = Result<(), WriteError>;

/// Owns the writing connection.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    stopped: bool,
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, stopped: false }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Applies each unit or nothing of it; what is `Ok` is durable. One outcome a unit, in order.
    pub(crate) fn commit(&mut self, units: &[&Unit]) -> Vec<Outcome> {
        if self.stopped {
            return all(units, &Fault::Stopped);
        }
        attempt(&self.connection, units).unwrap_or_else(|failure| self.after(failure, units))
    }

    fn after(&mut self, failure: Failure, units: &[&Unit]) -> Vec<Outcome> {
        if !self.connection.is_autocommit() {
            // A rollback that fails leaves the transaction open, and then the next BEGIN says so.
            connection::command(&self.connection, "ROLLBACK").ok();
        }
        match failure {
            Failure::Shared(fault) => all(units, &fault),
            Failure::NotDurable => {
                self.stopped = true;
                all(units, &Fault::Stopped)
            }
            // One unit may have spoilt it for the others, a very large one on a nearly full disk for example.
            Failure::Transaction(_) if units.len() > 1 => units.iter().flat_map(|unit| self.commit(&[unit])).collect(),
            Failure::Transaction(fault) => all(units, &fault),
        }
    }
}

fn all(units: &[&Unit], fault: &Fault) -> Vec<Outcome> {
    units.iter().map(|_| Err(WriteError::Database(fault.clone()))).collect()
}

/// Why a whole group was not committed.
enum Failure {
    /// Would befall every unit alone as well.
    Shared(Fault),
    Transaction(Fault),
    /// The commit failed in a way that may yet survive a restart.
    NotDurable,
}

fn attempt(connection: &Connection, units: &[&Unit]) -> Result<Vec<Outcome>, Failure> {
    connection::command(connection, "BEGIN IMMEDIATE").map_err(Failure::Shared)?;
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        let outcome = connection::apply(connection, unit);
        if connection.is_autocommit() {
            return Err(Failure::Transaction(match outcome {
                Err(WriteError::Database(fault)) => fault,
                _ => Fault::Other("the database ended the transaction by itself".to_owned()),
            }));
        }
        outcomes.push(outcome);
    }
    connection.prepare_cached("COMMIT").and_then(|mut commit| commit.raw_execute()).map_err(commit_failure)?;
    Ok(outcomes)
}

fn commit_failure(error: rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure) => Failure::NotDurable,
        _ => Failure::Transaction(error.into()),
    }
}

struct Waiting {
    unit: Unit,
    reply: oneshot::Sender<Outcome>,
}

/// The writer on a thread of its own. Dropping it waits until everything handed over is committed.
#[derive(Debug)]
pub(crate) struct WriterThread {
    queue: Option<mpsc::Sender<Waiting>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl WriterThread {
    pub(crate) fn start(writer: Writer) -> Result<Self, std::io::Error> {
        let (queue, waiting) = mpsc::channel(QUEUE_UNITS_MAX);
        let thread = thread::Builder::new().name("keyrota-writer".to_owned()).spawn(move || serve(writer, waiting))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// A unit once handed over is applied even when the caller stops waiting.
    pub(crate) async fn write(&self, unit: Unit) -> Outcome {
        let ended = || WriteError::Database(Fault::Other("the writer has ended".to_owned()));
        let (reply, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        queue.send(Waiting { unit, reply }).await.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by its hook; there is nothing to add here.
            thread.join().ok();
        }
    }
}

fn serve(mut writer: Writer, mut queue: mpsc::Receiver<Waiting>) {
    let mut group = Vec::with_capacity(GROUP_UNITS_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_UNITS_MAX) > 0 {
        let units: Vec<&Unit> = group.iter().map(|waiting| &waiting.unit).collect();
        let outcomes = writer.commit(&units);
        for (waiting, outcome) in group.drain(..).zip(outcomes) {
            // Nobody waits any more: the outcome is in the database all the same.
            waiting.reply.send(outcome).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use rusqlite::ffi;

    use super::*;
    use crate::{Rows, values};

    fn writer() -> Writer {
        let connection = connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT").unwrap();
        Writer::new(connection)
    }

    fn note(id: i64, bytes: usize) -> Unit {
        Unit::new().run("INSERT INTO note VALUES ($1, $2)", values![id, vec![7_u8; bytes]], Rows::Exactly(1))
    }

    #[test]
    fn a_group_is_one_commit() {
        let mut writer = writer();
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = commits.clone();
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        writer.connection.commit_hook(Some(count)).unwrap();
        let units: Vec<Unit> = (0..GROUP_UNITS_MAX as i64).map(|id| note(id / 2, 1)).collect();
        let outcomes = writer.commit(&units.iter().collect::<Vec<_>>());
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), GROUP_UNITS_MAX / 2);
        assert_eq!(commits.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_unit_that_does_not_fit_leaves_room_for_the_others() {
        let mut writer = writer();
        writer.connection().execute_batch("PRAGMA max_page_count = 30").unwrap();
        let units = [note(1, 1000), note(2, 1_000_000), note(3, 1000)];
        let outcomes = writer.commit(&units.iter().collect::<Vec<_>>());
        assert_eq!(outcomes, [Ok(()), Err(WriteError::Database(Fault::DiskFull)), Ok(())]);
        let kept: i64 = writer.connection().query_row("SELECT sum(id) FROM note", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 4);
    }

    #[test]
    fn a_failed_sync_ends_all_writing() {
        let mut writer = writer();
        let unit = note(1, 1);
        let failed = |code| commit_failure(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let stopped = [Err(WriteError::Database(Fault::Stopped))];
        assert_eq!(writer.after(failed(ffi::SQLITE_FULL), &[&unit]), [Err(WriteError::Database(Fault::DiskFull))]);
        assert_eq!(writer.commit(&[&unit]), [Ok(())]);
        assert_eq!(writer.after(failed(ffi::SQLITE_IOERR_FSYNC), &[&unit]), stopped);
        assert_eq!(writer.commit(&[&note(2, 1)]), stopped);
    }
}
