//! The handle through which everything is read and written.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;
use secret::WrappedKey;

use crate::{
    Access, Fates, Fault, OpenError, ReadError, Row, Rows, Unit, Value, WriteError,
    connection::{self, FileAccess, Purpose},
    fate, migrate,
    open::{self, Place},
    values,
    writer::{Writer, WriterThread},
};

/// An open database. Shared by reference; closing is dropping, which waits for what was handed over to be written.
///
/// Statements take parameters `$1..$n`. What a write returned `Ok` for is durable, and every later read sees it.
pub struct Db {
    engine: Engine,
}

enum Engine {
    Threaded(Threaded),
    /// One connection for everything, used on the caller's thread, so that a simulation repeats exactly. The place
    /// keeps the lock file; a database in memory has none.
    Inline {
        writer: Mutex<Writer>,
        fates: Option<Arc<dyn Fates>>,
        _place: Option<Place>,
    },
}

/// Fields are dropped in their order: the writer ends last, so that its connection tidies the log away, and the lock
/// is released after it.
struct Threaded {
    /// For short reads on the caller's thread: they take some microseconds, less than handing them to a thread.
    reader: Mutex<Connection>,
    /// For scans, kept for the next one. A second scan at the same time opens its own.
    scanner: Mutex<Option<Connection>>,
    /// `None`: opened for reading only.
    writer: Option<WriterThread>,
    place: Place,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.engine {
            Engine::Threaded(threaded) => write!(f, "Db({})", threaded.place.path.display()),
            Engine::Inline { .. } => f.write_str("Db(inline)"),
        }
    }
}

impl Db {
    /// Opens `keyrota.db` in `data_dir`, with a thread that writes. Both are made when they are missing, unless for
    /// [`Access::ReadOnly`], readable for the owner only.
    ///
    /// # Errors
    /// Above all [`OpenError::InUse`] for a second engine; [`OpenError::Missing`], [`OpenError::Older`] for a reader;
    /// [`OpenError::Damaged`] and [`OpenError::Newer`] for everybody. None of them changes the file.
    pub fn open(data_dir: &Path, access: Access) -> Result<Self, OpenError> {
        let (place, main) = open::prepare(data_dir, access)?;
        if !place.file.is_shared() {
            return Ok(Self::on_one(main, place));
        }
        let (writer, reader) = match place.file {
            FileAccess::ReadOnly | FileAccess::Fixed | FileAccess::Alone => (None, main),
            FileAccess::Writable => {
                let reader = open::open(&place.path, Purpose::Read, FileAccess::Writable)?;
                let thread = WriterThread::start(Writer::new(main))
                    .map_err(|error| OpenError::Database(Fault::Other(format!("no thread for the writer: {error}"))))?;
                (Some(thread), reader)
            }
        };
        let threaded = Threaded { reader: Mutex::new(reader), scanner: Mutex::new(None), writer, place };
        Ok(Self { engine: Engine::Threaded(threaded) })
    }

    fn on_one(connection: Connection, place: Place) -> Self {
        let writer = Mutex::new(Writer::new(connection));
        Self { engine: Engine::Inline { writer, fates: None, _place: Some(place) } }
    }

    /// A database that lives as long as this value, on the caller's thread. For tests and simulations.
    ///
    /// # Errors
    /// Only when SQLite itself fails.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::in_memory_under(None)
    }

    /// The same, with a say in what befalls each commit.
    ///
    /// # Errors
    /// As [`Db::in_memory`].
    pub fn in_memory_under(fates: Option<Arc<dyn Fates>>) -> Result<Self, OpenError> {
        let connection = connection::open_in_memory().map_err(|error| OpenError::Database(error.into()))?;
        migrate::migrate(&connection).map_err(OpenError::Database)?;
        Ok(Self { engine: Engine::Inline { writer: Mutex::new(Writer::new(connection)), fates, _place: None } })
    }

    /// Forgets everything, past all fates. Only a database in memory does.
    ///
    /// # Errors
    /// [`Fault::ReadOnly`] for one that is kept in a file.
    pub fn empty(&self) -> Result<(), WriteError> {
        match &self.engine {
            Engine::Inline { writer, _place: None, .. } => {
                locked(writer).commit(&[&fate::emptied()]).pop().unwrap_or(Ok(()))
            }
            _ => Err(Fault::ReadOnly.into()),
        }
    }

    /// Writes a unit: all of it or nothing. `Ok` means synced to disk. Units that wait at the same time share one
    /// sync, and one that fails does not disturb the others. A caller that stops waiting does not stop the write.
    ///
    /// # Errors
    /// See [`WriteError`]: nothing was applied, except that after [`Fault::Stopped`] only a restart can tell.
    pub async fn write(&self, unit: Unit) -> Result<(), WriteError> {
        match &self.engine {
            Engine::Threaded(Threaded { writer: Some(writer), .. }) => writer.write(unit).await,
            Engine::Threaded(_) => Err(Fault::ReadOnly.into()),
            Engine::Inline { writer, fates, .. } => {
                let commit = || locked(writer).commit(&[&unit]).pop().unwrap_or(Ok(()));
                match fates {
                    Some(fates) => fates.next().befall(commit).await,
                    None => commit(),
                }
            }
        }
    }

    /// All rows of a short read, in memory. For an answer that grows with the estate use [`Db::scan`].
    ///
    /// # Errors
    /// The first error of `each`, or of the database.
    pub async fn rows<T>(
        &self,
        sql: &str,
        values: Vec<Value>,
        mut each: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let mut found = Vec::new();
        self.with_reader(|connection| {
            connection::query(connection, sql, &values, |row| {
                found.push(each(row)?);
                Ok(())
            })
        })?;
        Ok(found)
    }

    /// The only row of a read, or none. More than one is an error: the statement was meant to find one thing.
    pub async fn row<T>(
        &self,
        sql: &str,
        values: Vec<Value>,
        each: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        let mut rows = self.rows(sql, values, each).await?;
        if rows.len() > 1 {
            return Err(Fault::Other(format!("{} rows where one at most is possible", rows.len())).into());
        }
        Ok(rows.pop())
    }

    /// Streams the rows of a read of any size, blocking the thread. Writers go on meanwhile; the rows are as they
    /// were when it began. `each` must not call the database: the inline one would wait for itself.
    ///
    /// # Errors
    /// The first error of `each`, which ends the scan, or of the database.
    pub fn scan(
        &self,
        sql: &str,
        values: Vec<Value>,
        each: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.snapshot(|snapshot| snapshot.scan(sql, values, each))
    }

    /// Several reads of one and the same state, blocking the thread. The rule of [`Db::scan`] holds.
    ///
    /// # Errors
    /// Those of `read`, or of the database.
    pub fn snapshot<T, E: From<ReadError>>(&self, read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>) -> Result<T, E> {
        match &self.engine {
            Engine::Inline { writer, .. } => snapshot(locked(writer).connection(), read),
            Engine::Threaded(threaded) => {
                let kept = locked(&threaded.scanner).take();
                let connection = match kept {
                    Some(connection) => connection,
                    None => connection::open(&threaded.place.path, Purpose::Read, threaded.place.file)
                        .map_err(ReadError::from)?,
                };
                let answer = snapshot(&connection, read);
                *locked(&threaded.scanner) = Some(connection);
                answer
            }
        }
    }

    /// Whether a write comes through, down to the disk. Changes nothing.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn try_write(&self) -> Result<(), WriteError> {
        // A row that is the same before and after would not be written at all.
        let unit = Unit::new().run("INSERT INTO schema_version (number) VALUES (0)", values![], Rows::Exactly(1)).run(
            "DELETE FROM schema_version WHERE number = 0",
            values![],
            Rows::Exactly(1),
        );
        self.write(unit).await
    }

    /// The data key as it was stored; `None` in a database that has never sealed anything.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn wrapped_key(&self) -> Result<Option<WrappedKey>, ReadError> {
        self.row("SELECT wrapped FROM data_key", values![], |row| row.get(0).map(WrappedKey)).await
    }

    /// Stores the first data key. What is there already is never replaced: it may have sealed something.
    ///
    /// # Errors
    /// [`WriteError::NotUnique`] when there is one: read and use that.
    pub async fn store_wrapped_key(&self, key: &WrappedKey) -> Result<(), WriteError> {
        const INSERT: &str = "INSERT INTO data_key (id, wrapped) VALUES (1, $1)";
        self.write(Unit::new().run(INSERT, values![key.0.as_slice()], Rows::Exactly(1))).await
    }

    fn with_reader<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        match &self.engine {
            Engine::Threaded(threaded) => read(&locked(&threaded.reader)),
            Engine::Inline { writer, .. } => read(locked(writer).connection()),
        }
    }
}

/// One state of the database, for several reads.
#[derive(Debug)]
pub struct Snapshot<'a> {
    connection: &'a Connection,
}

impl Snapshot<'_> {
    /// As [`Db::scan`].
    ///
    /// # Errors
    /// The first error of `each`, which ends the scan, or of the database.
    pub fn scan(
        &self,
        sql: &str,
        values: Vec<Value>,
        each: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        connection::query(self.connection, sql, &values, each)
    }
}

fn snapshot<T, E: From<ReadError>>(
    connection: &Connection,
    read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
) -> Result<T, E> {
    // A transaction that only reads has nothing to commit; dropping it ends the snapshot, also after a panic.
    let transaction = connection.unchecked_transaction().map_err(ReadError::from)?;
    read(&Snapshot { connection: &transaction })
}

/// A panic under the lock leaves at most an open statement, which its drop has reset.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
