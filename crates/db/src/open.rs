//! Opening and creating the database file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    Fault, OpenError,
    connection::{self, FileAccess, Purpose},
    lock::{EngineLock, private},
    migrate,
};

const FILE_NAME: &str = "keyrota.db";
/// A database is made under this name and renamed when it is complete, so that an empty `keyrota.db` is never taken
/// for a new one.
const NEW_FILE_NAME: &str = "keyrota.db.new";
/// What SQLite puts beside a file while it writes to it.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];
/// Up to this size the whole file is checked at start; that takes less than a second. Beyond it damage is noticed
/// when it is met.
const CHECKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Who opens the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The one process that performs steps. Creates the database and brings its schema up to date.
    Engine,
    /// A command that writes a few rows, perhaps beside a running engine. Creates or updates the database only when
    /// no engine runs.
    Commands,
    /// A reader beside anything.
    ReadOnly,
}

/// Where the file is, and the lock if this process is the engine.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) file: FileAccess,
    pub(crate) _lock: Option<EngineLock>,
}

/// Makes sure that the file is there and has our schema, and opens it for its main purpose.
pub(crate) fn prepare(data_dir: &Path, access: Access) -> Result<(Place, Connection), OpenError> {
    let path = data_dir.join(FILE_NAME);
    match access {
        Access::ReadOnly => {
            if !path.exists() {
                return Err(OpenError::Missing { path });
            }
            let (connection, file) = open_to_read(&path).map_err(|error| failed(&path, error))?;
            match schema(&path, &connection)? {
                migrate::KNOWN => Ok((Place { path, file, _lock: None }, connection)),
                found => Err(OpenError::Older { found, known: migrate::KNOWN }),
            }
        }
        Access::Engine => {
            create_dir(data_dir)?;
            let lock = EngineLock::take(data_dir)?;
            let connection = create_or_update(data_dir, &path, &lock)?;
            check_whole(&path, &connection)?;
            Ok((Place { path, file: FileAccess::Writable, _lock: Some(lock) }, connection))
        }
        Access::Commands => {
            create_dir(data_dir)?;
            if path.exists() {
                let connection = open(&path, Purpose::Write, FileAccess::Writable)?;
                if schema(&path, &connection)? == migrate::KNOWN {
                    connection::keep_log(&connection).map_err(|error| failed(&path, error))?;
                    return Ok((Place { path, file: FileAccess::Writable, _lock: None }, connection));
                }
            }
            let lock = EngineLock::take(data_dir)?;
            let connection = create_or_update(data_dir, &path, &lock)?;
            Ok((Place { path, file: FileAccess::Writable, _lock: None }, connection))
        }
    }
}

/// For a further connection to a database that [`prepare`] has opened.
pub(crate) fn open(path: &Path, purpose: Purpose, file: FileAccess) -> Result<Connection, OpenError> {
    connection::open(path, purpose, file).map_err(|error| failed(path, error))
}

/// Readers share an index of the log, a file that the first of them makes. Where there is no room for it, or no way to
/// write at all, the database can still be read.
fn open_to_read(path: &Path) -> Result<(Connection, FileAccess), rusqlite::Error> {
    let opened = |file| {
        let connection = connection::open(path, Purpose::Read, file)?;
        // The log is met with the first look.
        migrate::version(&connection)?;
        Ok((connection, file))
    };
    let why = match opened(FileAccess::ReadOnly) {
        Err(why) if connection::lacks_index(&why) => why,
        answer => return answer,
    };
    let other = if is_on_read_only_disk(path) { FileAccess::Fixed } else { FileAccess::Alone };
    // What comes without the log is what was written last only where the log is empty.
    if other == FileAccess::Fixed && fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(why);
    }
    opened(other).map_err(|_| why)
}

fn is_on_read_only_disk(path: &Path) -> bool {
    let opened = OpenOptions::new().write(true).open(path);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

fn create_or_update(data_dir: &Path, path: &Path, _lock: &EngineLock) -> Result<Connection, OpenError> {
    discard_unfinished(data_dir)?;
    if !path.exists() {
        create(data_dir, path)?;
    }
    let connection = open(path, Purpose::Write, FileAccess::Writable)?;
    let found = schema(path, &connection)?;
    connection::keep_log(&connection).map_err(|error| failed(path, error))?;
    if found < migrate::KNOWN {
        migrate::migrate(&connection).map_err(|fault| fault_at(path, fault))?;
    }
    Ok(connection)
}

/// What an interrupted creation left is never believed, and never kept: the disk may be full of it.
fn discard_unfinished(data_dir: &Path) -> Result<(), OpenError> {
    let new = data_dir.join(NEW_FILE_NAME);
    let leftovers = COMPANIONS.iter().map(|suffix| with_suffix(&new, suffix)).chain([new.clone()]);
    for leftover in leftovers {
        match fs::remove_file(&leftover) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::File { path: leftover, what: "removed", source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn create(data_dir: &Path, path: &Path) -> Result<(), OpenError> {
    let log = with_suffix(path, "-wal");
    if log.exists() {
        let reason = format!("the file is gone, but its log {} is there", log.display());
        return Err(OpenError::Damaged { path: path.to_owned(), reason });
    }
    let new = data_dir.join(NEW_FILE_NAME);
    let made = make(&new).and_then(|()| {
        fs::rename(&new, path).and_then(|()| sync_dir(data_dir)).map_err(|source| OpenError::File {
            path: path.to_owned(),
            what: "created",
            source,
        })
    });
    if made.is_err() {
        // The next opening removes what stays.
        discard_unfinished(data_dir).ok();
    }
    made
}

/// Without a log: the commit then says whether the file itself was written and synced. A log is moved into the file
/// when the connection closes, and whether that came through nobody is told.
fn make(new: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(new).map_err(|source| OpenError::File { path: new.to_owned(), what: "created", source })?;

    let connection = open(new, Purpose::Write, FileAccess::Writable)?;
    migrate::migrate(&connection).map_err(|fault| fault_at(new, fault))?;
    connection.close().map_err(|(_, error)| failed(new, error))
}

fn create_dir(data_dir: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir).map_err(|source| OpenError::File { path: data_dir.to_owned(), what: "created", source })
}

/// A new name in a directory is durable only when the directory is synced.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The schema of an existing file, at most the newest that we know.
fn schema(path: &Path, connection: &Connection) -> Result<u32, OpenError> {
    match migrate::version(connection).map_err(|error| failed(path, error))? {
        Some(found) if found > migrate::KNOWN => Err(OpenError::Newer { found, known: migrate::KNOWN }),
        Some(found) => Ok(found),
        None => Err(OpenError::Damaged { path: path.to_owned(), reason: "it holds nothing of Keyrota".to_owned() }),
    }
}

fn check_whole(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let bytes =
        fs::metadata(path).map_err(|source| OpenError::File { path: path.to_owned(), what: "examined", source })?.len();
    if bytes > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let answer: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| failed(path, error))?;
    match answer.as_str() {
        "ok" => Ok(()),
        _ => Err(OpenError::Damaged { path: path.to_owned(), reason: answer }),
    }
}

fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    fault_at(path, error.into())
}

fn fault_at(path: &Path, fault: Fault) -> OpenError {
    match fault {
        Fault::Damaged(reason) => OpenError::Damaged { path: path.to_owned(), reason },
        fault => OpenError::Database(fault),
    }
}
