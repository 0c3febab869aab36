//! The database from outside: durable, all or nothing, one engine, and clear about trouble.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{fs, path::Path, sync::Arc, thread};

use db::{Access, Db, Fault, OpenError, ReadError, Row, Rows, Unit, Value, WriteError, values};
use futures_util::{FutureExt as _, future::join_all};
use secret::WrappedKey;
use tempfile::TempDir;

const CREATE: &str =
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, parent INTEGER REFERENCES note (id),
    UNIQUE (text)) STRICT";
const INSERT: &str = "INSERT INTO note (id, text) VALUES ($1, $2)";
const COUNT: &str = "SELECT count(*) FROM note";

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn note(id: i64) -> Unit {
    Unit::new().run(INSERT, values![id, format!("note {id}")], Rows::Exactly(1))
}

async fn count(db: &Db) -> i64 {
    db.row(COUNT, values![], |row| row.get(0)).await.unwrap().unwrap()
}

async fn with_notes(dir: &TempDir) -> Db {
    let db = Db::open(dir.path(), Access::Engine).unwrap();
    db.write(Unit::new().run(CREATE, values![], Rows::Any)).await.unwrap();
    db
}

/// Each kind of database that the engine may run on.
fn on_each(check: impl AsyncFn(Db)) {
    wait(async {
        let dir = TempDir::new().unwrap();
        check(Db::open(dir.path(), Access::Engine).unwrap()).await;
        check(Db::in_memory().unwrap()).await;
    });
}

#[test]
fn waiting_units_are_each_durable_and_fail_alone() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = with_notes(&dir).await;
        // The last one holds a good row before one that is there already: neither may stay.
        let units = (0..256).map(note).chain([note(1000).and(note(100))]);
        let outcomes = join_all(units.map(|unit| db.write(unit))).await;
        let (last, others) = outcomes.split_last().unwrap();
        assert!(others.iter().all(Result::is_ok));
        assert_eq!(last, &Err(WriteError::NotUnique { statement: 1, what: "note.id".to_owned() }));
        assert_eq!(count(&db).await, 256);
    });
    let again = Db::open(dir.path(), Access::Engine).unwrap();
    assert_eq!(wait(count(&again)), 256, "acknowledged means there after reopening");
}

#[test]
fn a_caller_that_gives_up_does_not_stop_the_write() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = with_notes(&dir).await;
        // One poll hands it over; nobody waits for the answer.
        db.write(note(1)).now_or_never();
        db.write(note(2)).await.unwrap();
        assert_eq!(count(&db).await, 2);
    });
}

#[test]
fn a_missed_guard_undoes_the_unit() {
    on_each(async |db| {
        db.write(Unit::new().run(CREATE, values![], Rows::Any)).await.unwrap();
        db.write(note(1)).await.unwrap();
        let guarded = note(2).run(
            "UPDATE note SET text = $2 WHERE id = $1 AND text = $3",
            values![1_i64, "mine", "somebody else's"],
            Rows::Exactly(1),
        );
        let missed = WriteError::GuardMissed { statement: 1, wanted: 1, touched: 0 };
        assert_eq!(db.write(guarded).await, Err(missed));
        assert_eq!(count(&db).await, 1);
        db.write(note(2)).await.unwrap();
    });
}

#[test]
fn a_select_in_a_unit_guards_by_its_rows() {
    on_each(async |db| {
        db.write(Unit::new().run(CREATE, values![], Rows::Any)).await.unwrap();
        db.write(note(1)).await.unwrap();
        let none_above = "SELECT 1 FROM note WHERE id > $1";
        let guarded = |above: i64| Unit::new().run(none_above, values![above], Rows::Exactly(0)).and(note(above + 1));
        db.write(guarded(1)).await.unwrap();
        let missed = WriteError::GuardMissed { statement: 0, wanted: 0, touched: 1 };
        assert_eq!(db.write(guarded(1)).await, Err(missed));
    });
}

#[test]
fn constraints_are_told_apart() {
    on_each(async |db| {
        db.write(Unit::new().run(CREATE, values![], Rows::Any)).await.unwrap();
        db.write(note(1)).await.unwrap();
        let same_text = Unit::new().run(INSERT, values![2_i64, "note 1"], Rows::Exactly(1));
        let unique = WriteError::NotUnique { statement: 0, what: "note.text".to_owned() };
        assert_eq!(db.write(same_text).await, Err(unique));

        let orphan = Unit::new().run(
            "INSERT INTO note (id, text, parent) VALUES ($1, $2, $3)",
            values![3_i64, "x", 99_i64],
            Rows::Any,
        );
        assert!(matches!(db.write(orphan).await, Err(WriteError::Constraint { statement: 0, .. })));

        let null = Unit::new().run(INSERT, values![4_i64, None::<String>], Rows::Any);
        let not_null = WriteError::Constraint { statement: 0, what: "note.text".to_owned() };
        assert_eq!(db.write(null).await, Err(not_null));

        let short = Unit::new().run(INSERT, values![4_i64], Rows::Any);
        assert!(matches!(db.write(short).await, Err(WriteError::Database(Fault::Other(_)))));
        assert_eq!(count(&db).await, 1);
    });
}

#[test]
fn parameters_bind_by_number_and_may_repeat() {
    on_each(async |db| {
        let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?));
        let found = db.row("SELECT $2, $1, $2", values!["text", 7_i64], read).await.unwrap();
        assert_eq!(found, Some((7, "text".to_owned(), 7)));
    });
}

#[test]
fn a_column_of_another_type_is_named() {
    on_each(async |db| {
        let wrong = db.row("SELECT 1 AS fine, 'x' AS number", values![], |row| row.get::<i64>(1)).await;
        let column = ReadError::Column { column: "number".to_owned(), wanted: "an integer", found: "text" };
        assert_eq!(wrong, Err(column));
        let malformed = db
            .row("SELECT 'a//b' AS path", values![], |row| row.parse(0, domain::SecretPath::parse))
            .await
            .unwrap_err();
        assert_eq!(malformed.to_string(), "column path is malformed: it has an empty segment");
        let null = db.row("SELECT NULL", values![], |row| row.get::<Option<i64>>(0)).await;
        assert_eq!(null, Ok(Some(None)));
    });
}

#[test]
fn times_and_flags_come_back() {
    on_each(async |db| {
        let at: jiff::Timestamp = "2026-03-01T12:00:00.123456Z".parse().unwrap();
        let read = |row: &Row<'_>| Ok((row.get::<jiff::Timestamp>(0)?, row.get::<bool>(1)?));
        assert_eq!(db.row("SELECT $1, $2", values![at, true], read).await, Ok(Some((at, true))));
        assert_eq!(Value::from(true), Value::Integer(1));
        assert_eq!(format!("{:?}", Value::from(vec![1_u8, 2])), "Blob(2 bytes)");
    });
}

#[test]
fn a_snapshot_does_not_see_later_writes() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = Arc::new(with_notes(&dir).await);
        db.write(note(1)).await.unwrap();
        let counts = db.snapshot(|snapshot| {
            let mut counts = Vec::new();
            let mut look = || {
                snapshot.scan(COUNT, values![], |row| {
                    counts.push(row.get::<i64>(0)?);
                    Ok(())
                })
            };
            look()?;
            let writer = db.clone();
            thread::spawn(move || wait(writer.write(note(2)))).join().unwrap().unwrap();
            look()?;
            Ok::<_, ReadError>(counts)
        });
        assert_eq!(counts, Ok(vec![1, 1]));
        assert_eq!(count(&db).await, 2);
    });
}

#[test]
fn a_scan_ends_with_the_first_error() {
    on_each(async |db| {
        db.write(Unit::new().run(CREATE, values![], Rows::Any)).await.unwrap();
        db.write(note(1).and(note(2))).await.unwrap();
        let mut seen = 0;
        let ended = db.scan("SELECT id FROM note ORDER BY id", values![], |_| {
            seen += 1;
            Err(Fault::Other("enough".to_owned()).into())
        });
        assert!(ended.is_err());
        assert_eq!(seen, 1);
    });
}

#[test]
fn a_second_engine_is_refused_by_process_id() {
    let dir = TempDir::new().unwrap();
    let first = Db::open(dir.path(), Access::Engine).unwrap();
    match Db::open(dir.path(), Access::Engine) {
        Err(OpenError::InUse { pid }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(first);
    Db::open(dir.path(), Access::Engine).unwrap();
}

#[test]
fn commands_and_readers_work_beside_an_engine() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let engine = with_notes(&dir).await;
        let reader = Db::open(dir.path(), Access::ReadOnly).unwrap();
        let commands = Db::open(dir.path(), Access::Commands).unwrap();
        for id in 0..50 {
            engine.write(note(2 * id)).await.unwrap();
            commands.write(note(2 * id + 1)).await.unwrap();
            assert_eq!(count(&reader).await, 2 * id + 2);
        }
        assert_eq!(reader.write(note(1000)).await, Err(WriteError::Database(Fault::ReadOnly)));
    });
}

#[test]
fn commands_make_the_database_when_no_engine_runs() {
    let dir = TempDir::new().unwrap();
    drop(Db::open(dir.path(), Access::Commands).unwrap());
    Db::open(dir.path(), Access::ReadOnly).unwrap();
}

#[test]
fn a_reader_of_nothing_is_told_so() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(Db::open(dir.path(), Access::ReadOnly), Err(OpenError::Missing { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "a reader creates nothing");
}

#[test]
fn a_damaged_file_is_named_and_left_alone() {
    for damage in [&b"not a database at all, but long enough to look like one to somebody"[..], b""] {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("keyrota.db");
        fs::write(&path, damage).unwrap();
        for access in [Access::Engine, Access::Commands, Access::ReadOnly] {
            match Db::open(dir.path(), access) {
                Err(OpenError::Damaged { path: named, .. }) => assert_eq!(named, path),
                other => panic!("{access:?}: {other:?}"),
            }
        }
        assert!(fs::read(&path).unwrap() == damage, "the file was changed");
    }
}

#[test]
fn a_damaged_page_is_noticed_at_start() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = with_notes(&dir).await;
        for id in 0..500 {
            db.write(note(id)).await.unwrap();
        }
    });
    let path = dir.path().join("keyrota.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = bytes.len() - 4096;
    bytes[page..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Db::open(dir.path(), Access::Engine), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_lost_file_beside_its_log_is_not_a_new_database() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("keyrota.db-wal"), b"frames").unwrap();
    assert!(matches!(Db::open(dir.path(), Access::Engine), Err(OpenError::Damaged { .. })));
}

#[test]
fn an_interrupted_creation_is_begun_anew() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("keyrota.db.new"), b"half a database").unwrap();
    drop(Db::open(dir.path(), Access::Engine).unwrap());
    assert!(!dir.path().join("keyrota.db.new").exists());
}

#[test]
fn what_an_interrupted_creation_left_does_not_stay() {
    let dir = TempDir::new().unwrap();
    drop(Db::open(dir.path(), Access::Engine).unwrap());
    let leftovers = ["keyrota.db.new", "keyrota.db.new-journal", "keyrota.db.new-wal", "keyrota.db.new-shm"];
    for name in leftovers {
        fs::write(dir.path().join(name), b"half a database").unwrap();
    }
    let db = Db::open(dir.path(), Access::Engine).unwrap();
    assert_eq!(wait(db.wrapped_key()), Ok(None));
    assert!(leftovers.iter().all(|name| !dir.path().join(name).exists()));
}

/// As on a full disk: the index of the log cannot be made. What stands in the log alone is read all the same.
#[cfg(unix)]
#[test]
fn a_reader_does_without_an_index() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    wait(async {
        let db = with_notes(&dir).await;
        db.write(note(1)).await.unwrap();
        for name in ["keyrota.db", "keyrota.db-wal"] {
            fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        // SQLite follows no link here.
        std::os::unix::fs::symlink("nowhere", copy.path().join("keyrota.db-shm")).unwrap();
        let log = fs::read(copy.path().join("keyrota.db-wal")).unwrap();
        assert!(!log.is_empty());

        let reader = Db::open(copy.path(), Access::ReadOnly).unwrap();
        assert_eq!(count(&reader).await, 1);
        let mut ids: Vec<i64> = Vec::new();
        let scanned = reader.scan("SELECT id FROM note", values![], |row| {
            ids.push(row.get(0)?);
            Ok(())
        });
        assert_eq!((scanned, ids), (Ok(()), vec![1]));
        assert_eq!(reader.write(note(2)).await, Err(WriteError::Database(Fault::ReadOnly)));
        drop(reader);
        assert!(fs::read(copy.path().join("keyrota.db-wal")).unwrap() == log, "the log was changed");
        assert!(matches!(Db::open(copy.path(), Access::Engine), Err(OpenError::Database(_))));
    });
}

#[test]
fn a_trial_of_writing_reaches_the_disk_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = with_notes(&dir).await;
        let logged = || fs::metadata(dir.path().join("keyrota.db-wal")).unwrap().len();
        let (before, schema) = (logged(), schema_numbers(&db).await);
        db.try_write().await.unwrap();
        assert!(logged() > before, "nothing was written");
        assert_eq!(schema_numbers(&db).await, schema);
        let reader = Db::open(dir.path(), Access::ReadOnly).unwrap();
        assert_eq!(reader.try_write().await, Err(WriteError::Database(Fault::ReadOnly)));
    });
}

async fn schema_numbers(db: &Db) -> Vec<i64> {
    db.rows("SELECT number FROM schema_version", values![], |row| row.get(0)).await.unwrap()
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = TempDir::new().unwrap();
    wait(async {
        let db = Db::open(dir.path(), Access::Engine).unwrap();
        db.write(Unit::new().run("INSERT INTO schema_version VALUES (99)", values![], Rows::Exactly(1))).await.unwrap();
    });
    for access in [Access::Engine, Access::Commands, Access::ReadOnly] {
        assert!(matches!(Db::open(dir.path(), access), Err(OpenError::Newer { found: 99, .. })), "{access:?}");
    }
}

#[test]
fn a_full_database_says_so_and_recovers() {
    on_each(async |db| {
        db.write(Unit::new().run("CREATE TABLE bulk (bytes BLOB NOT NULL) STRICT", values![], Rows::Any))
            .await
            .unwrap();
        let pages: i64 = db.row("PRAGMA page_count", values![], |row| row.get(0)).await.unwrap().unwrap();
        let limit = format!("PRAGMA max_page_count = {}", pages + 20);
        db.write(Unit::new().run(limit, values![], Rows::Any)).await.unwrap();
        let bulk = |bytes: usize| {
            Unit::new().run("INSERT INTO bulk VALUES ($1)", values![vec![7_u8; bytes]], Rows::Exactly(1))
        };
        assert_eq!(db.write(bulk(1_000_000)).await, Err(WriteError::Database(Fault::DiskFull)));
        db.write(bulk(1000)).await.unwrap();
        let rows: Vec<i64> = db.rows("SELECT length(bytes) FROM bulk", values![], |row| row.get(0)).await.unwrap();
        assert_eq!(rows, [1000]);
    });
}

#[test]
fn the_data_key_is_stored_once() {
    on_each(async |db| {
        assert_eq!(db.wrapped_key().await, Ok(None));
        let key = WrappedKey(vec![1, 2, 3]);
        db.store_wrapped_key(&key).await.unwrap();
        let second = db.store_wrapped_key(&WrappedKey(vec![4])).await;
        assert!(matches!(second, Err(WriteError::NotUnique { .. })), "{second:?}");
        assert_eq!(db.wrapped_key().await, Ok(Some(key)));
    });
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = TempDir::new().unwrap();
    let data_dir = parent.path().join("deep/data");
    let db = Db::open(&data_dir, Access::Engine).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&data_dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["engine.lock", "keyrota.db", "keyrota.db-shm", "keyrota.db-wal"]);
    drop(db);
}

/// Schemas as they were released, with rows of that time. A released schema never changes: a new one is a further
/// migration and a further line here. Until the next release, copy the newest migration over its file.
const PAST: &[(&str, &str)] = &[
    (include_str!("past/V1.schema.sql"), include_str!("past/V1.rows.sql")),
    (include_str!("past/V2.schema.sql"), include_str!("past/V2.rows.sql")),
    (include_str!("past/V3.schema.sql"), include_str!("past/V3.rows.sql")),
];

#[test]
fn every_past_schema_opens_and_becomes_the_newest() {
    let fresh = TempDir::new().unwrap();
    drop(Db::open(fresh.path(), Access::Engine).unwrap());
    for (position, (_, rows)) in PAST.iter().enumerate() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("keyrota.db");
        let past = rusqlite::Connection::open(&path).unwrap();
        past.execute_batch("CREATE TABLE schema_version (number INTEGER PRIMARY KEY) STRICT").unwrap();
        for (number, (schema, _)) in (1..).zip(&PAST[..=position]) {
            past.execute_batch(schema).unwrap();
            past.execute("INSERT INTO schema_version VALUES (?1)", [number]).unwrap();
        }
        past.execute_batch(rows).unwrap();
        past.close().unwrap();

        wait(async {
            let db = Db::open(dir.path(), Access::Engine).unwrap();
            assert_eq!(db.wrapped_key().await, Ok(Some(WrappedKey(vec![1, 2]))));
            let at = domain::SecretPath::parse("apic/acme/shop").unwrap();
            let content = db.kept("local").content(&at, None).await.unwrap().unwrap();
            assert_eq!((content.number, content.sealed.0, content.labels.pending), (1, vec![0x11], Some(2)));
            let holdings = db.holdings().await.unwrap();
            assert_eq!(holdings.len(), 1, "what was delivered is inspected");
            assert_eq!(holdings[0].fingerprint, domain::Fingerprint([7; 32]));
        });
        let (opened, newest) = (schema(dir.path()), schema(fresh.path()));
        for (ours, theirs) in opened.iter().zip(&newest) {
            assert_eq!(ours, theirs, "a database that began with schema {} differs from a new one", position + 1);
        }
        assert_eq!(opened.len(), newest.len());
    }
}

fn schema(data_dir: &Path) -> Vec<(String, Option<String>)> {
    let connection = rusqlite::Connection::open(data_dir.join("keyrota.db")).unwrap();
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
