//! What the embedded store keeps: secrets by store and path, each with its versions and three labels.
//!
//! Values come and go sealed. A version's number is bound into its seal, so the caller asks for the next number, seals
//! for it and puts it; if somebody else took the number meanwhile, it asks again.

use domain::{Fingerprint, SecretPath};
use jiff::Timestamp;
use secret::Sealed;

use crate::{Db, ReadError, Row, Rows, Unit, WriteError, values};

const ATTEMPTED: &str = "
    SELECT number FROM kept_version WHERE store = $1 AND path = $2 AND attempt_key = $3";
const LABELS: &str = "
    SELECT latest, pending, current, previous FROM kept_secret WHERE store = $1 AND path = $2";
const VERSIONS: &str = "
    SELECT number, credential, sealed, fingerprint, created_at
    FROM kept_version WHERE store = $1 AND path = $2 ORDER BY number";
const CONTENT: &str = "
    SELECT v.number, v.sealed, s.latest, s.pending, s.current, s.previous
    FROM kept_secret s JOIN kept_version v ON v.store = s.store AND v.path = s.path
    WHERE s.store = $1 AND s.path = $2 AND v.number = coalesce($3, s.current) AND v.sealed IS NOT NULL";
const PATHS: &str = "
    SELECT path, latest, pending, current, previous FROM kept_secret WHERE store = $1 ORDER BY path";

const TAKE_NUMBER: &str = "
    INSERT INTO kept_secret (store, path, latest, pending, current, previous) VALUES ($1, $2, $3, $3, NULL, NULL)
    ON CONFLICT (store, path) DO UPDATE SET latest = $3, pending = $3 WHERE kept_secret.latest = $3 - 1";
const INSERT_VERSION: &str = "
    INSERT INTO kept_version (store, path, number, attempt_key, credential, sealed, fingerprint, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const PRUNE: &str = "
    DELETE FROM kept_version WHERE store = $1 AND path = $2 AND number <= $3 AND NOT EXISTS (
        SELECT 1 FROM kept_secret s WHERE s.store = $1 AND s.path = $2
            AND kept_version.number IN (s.pending, s.current, s.previous))";
const PROMOTE: &str = "
    UPDATE kept_secret
    SET previous = current, current = $3, pending = CASE WHEN pending = $3 THEN NULL ELSE pending END
    WHERE store = $1 AND path = $2 AND current IS NOT DISTINCT FROM $4 AND current IS DISTINCT FROM $3
        AND EXISTS (SELECT 1 FROM kept_version
            WHERE store = $1 AND path = $2 AND number = $3 AND sealed IS NOT NULL)";
const DISCARD: &str = "
    UPDATE kept_version SET sealed = NULL
    WHERE store = $1 AND path = $2 AND number = $3 AND sealed IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM kept_secret WHERE store = $1 AND path = $2 AND current = $3)";
const UNLABEL: &str = "
    UPDATE kept_secret
    SET pending = CASE WHEN pending = $3 THEN NULL ELSE pending END,
        previous = CASE WHEN previous = $3 THEN NULL ELSE previous END
    WHERE store = $1 AND path = $2";

/// So many of the newest versions of a path are kept, and older ones that have a label: as many as Vault's KV version 2 keeps
/// unless it is told otherwise.
const KEPT_VERSIONS_MAX: u32 = 10;

/// The secrets of one embedded store.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    db: &'a Db,
    store: &'a str,
}

/// Where the labels of one secret stand. Numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptLabels {
    /// The highest number ever given; 0 for a secret that was never written.
    pub latest: u32,
    pub pending: Option<u32>,
    pub current: Option<u32>,
    pub previous: Option<u32>,
}

/// A version to be put.
#[derive(Debug)]
pub struct NewKept<'a> {
    /// One more than [`KeptLabels::latest`]; `sealed` is bound to it.
    pub number: u32,
    pub attempt_key: &'a str,
    pub credential: &'a str,
    pub sealed: &'a Sealed,
    pub fingerprint: Fingerprint,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVersion {
    pub number: u32,
    pub credential: String,
    /// `None` after it was discarded.
    pub sealed: Option<Sealed>,
    /// As recorded when it was put.
    pub fingerprint: Fingerprint,
    pub created_at: Timestamp,
}

/// The content of one version, with the labels as they stood at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptContent {
    pub number: u32,
    pub sealed: Sealed,
    pub labels: KeptLabels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The number or the attempt was taken meanwhile: nothing was put, ask again.
    Raced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promoted {
    Now,
    Already,
    /// `current` stands elsewhere than expected; nothing was changed.
    Conflict {
        current: Option<u32>,
    },
    /// There is no content under this number; nothing was changed.
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    Now,
    GoneAlready,
    /// What applications read is never discarded.
    IsCurrent,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Db {
    pub fn kept<'a>(&'a self, store: &'a str) -> Kept<'a> {
        Kept { db: self, store }
    }
}

impl Kept<'_> {
    /// The number that an attempt was given, also when its content was discarded since.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn attempted(&self, path: &SecretPath, attempt_key: &str) -> Result<Option<u32>, ReadError> {
        self.db.row(ATTEMPTED, values![self.store, path.as_str(), attempt_key], |row| row.get(0)).await
    }

    /// All zero and `None` for a secret that was never written.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn labels(&self, path: &SecretPath) -> Result<KeptLabels, ReadError> {
        let labels = self.db.row(LABELS, values![self.store, path.as_str()], |row| labels(row, 0)).await?;
        Ok(labels.unwrap_or_default())
    }

    /// Adds a version as `pending`, and forgets those that are too old, but none with a label. Durable on return.
    ///
    /// # Errors
    /// Those of the database; nothing was put then.
    pub async fn put(&self, path: &SecretPath, new: NewKept<'_>) -> Result<Put, WriteError> {
        let (store, at) = (self.store, path.as_str());
        let version = values![
            store,
            at,
            new.number,
            new.attempt_key,
            new.credential,
            new.sealed.0.as_slice(),
            new.fingerprint,
            new.created_at
        ];
        let too_old = i64::from(new.number) - i64::from(KEPT_VERSIONS_MAX);
        let unit = Unit::new()
            .run(TAKE_NUMBER, values![store, at, new.number], Rows::Exactly(1))
            .run(INSERT_VERSION, version, Rows::Exactly(1))
            .run(PRUNE, values![store, at, too_old], Rows::Any);
        match self.db.write(unit).await {
            Ok(()) => Ok(Put::Done),
            Err(WriteError::GuardMissed { .. } | WriteError::NotUnique { .. }) => Ok(Put::Raced),
            Err(other) => Err(other),
        }
    }

    /// Moves `current` from `expected` to a version, and `previous` to where `current` was. Durable on return.
    ///
    /// # Errors
    /// Those of the database; nothing was changed then.
    pub async fn promote(&self, path: &SecretPath, number: u32, expected: Option<u32>) -> Result<Promoted, KeptError> {
        let values = values![self.store, path.as_str(), number, expected];
        match self.db.write(Unit::new().run(PROMOTE, values, Rows::Exactly(1))).await {
            Ok(()) => return Ok(Promoted::Now),
            Err(WriteError::GuardMissed { .. }) => {}
            Err(other) => return Err(other.into()),
        }
        let current = self.labels(path).await?.current;
        Ok(match current {
            Some(current) if current == number => Promoted::Already,
            current if current != expected => Promoted::Conflict { current },
            _ => Promoted::Absent,
        })
    }

    /// Forgets the content of a version and its labels. Durable on return.
    ///
    /// # Errors
    /// Those of the database; nothing was changed then.
    pub async fn discard(&self, path: &SecretPath, number: u32) -> Result<Discard, KeptError> {
        let values = || values![self.store, path.as_str(), number];
        let unit = Unit::new().run(DISCARD, values(), Rows::Exactly(1)).run(UNLABEL, values(), Rows::Exactly(1));
        match self.db.write(unit).await {
            Ok(()) => return Ok(Discard::Now),
            Err(WriteError::GuardMissed { .. }) => {}
            Err(other) => return Err(other.into()),
        }
        let is_current = self.labels(path).await?.current == Some(number);
        Ok(if is_current { Discard::IsCurrent } else { Discard::GoneAlready })
    }

    /// The content of a version, or of the current one. `None`: there is no such content.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn content(&self, path: &SecretPath, number: Option<u32>) -> Result<Option<KeptContent>, ReadError> {
        let read = |row: &Row<'_>| {
            Ok(KeptContent { number: row.get(0)?, sealed: Sealed(row.get(1)?), labels: labels(row, 2)? })
        };
        self.db.row(CONTENT, values![self.store, path.as_str(), number], read).await
    }

    /// All versions in ascending order, discarded ones included, with the labels of the same moment.
    ///
    /// # Errors
    /// Those of the database.
    pub fn versions(&self, path: &SecretPath) -> Result<(KeptLabels, Vec<KeptVersion>), ReadError> {
        let values = || values![self.store, path.as_str()];
        self.db.snapshot(|snapshot| {
            let mut stand = KeptLabels::default();
            snapshot.scan(LABELS, values(), |row| {
                stand = labels(row, 0)?;
                Ok(())
            })?;
            let mut versions = Vec::new();
            snapshot.scan(VERSIONS, values(), |row| {
                versions.push(KeptVersion {
                    number: row.get(0)?,
                    credential: row.get(1)?,
                    sealed: row.get::<Option<_>>(2)?.map(Sealed),
                    fingerprint: row.get(3)?,
                    created_at: row.get(4)?,
                });
                Ok(())
            })?;
            Ok((stand, versions))
        })
    }

    /// Streams every path in ascending order, with its labels. Blocks as [`Db::scan`] does.
    ///
    /// # Errors
    /// Those of the database.
    pub fn paths(&self, mut each: impl FnMut(SecretPath, KeptLabels)) -> Result<(), ReadError> {
        self.db.scan(PATHS, values![self.store], |row| {
            each(row.parse(0, SecretPath::parse)?, labels(row, 1)?);
            Ok(())
        })
    }
}

/// From four columns, the first at `column`.
fn labels(row: &Row<'_>, column: usize) -> Result<KeptLabels, ReadError> {
    Ok(KeptLabels {
        latest: row.get(column)?,
        pending: row.get(column + 1)?,
        current: row.get(column + 2)?,
        previous: row.get(column + 3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "local";

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn path() -> SecretPath {
        SecretPath::parse("apic/acme/shop").unwrap()
    }

    async fn put(db: &Db, number: u32, attempt_key: &str) -> Put {
        let sealed = Sealed(vec![number as u8; 4]);
        let new = NewKept {
            number,
            attempt_key,
            credential: "apic/acme/shop/key",
            sealed: &sealed,
            fingerprint: Fingerprint([number as u8; 32]),
            created_at: Timestamp::UNIX_EPOCH,
        };
        db.kept(STORE).put(&path(), new).await.unwrap()
    }

    /// Two versions, the first current, the second pending.
    async fn two(db: &Db) {
        assert_eq!(put(db, 1, "a").await, Put::Done);
        assert_eq!(db.kept(STORE).promote(&path(), 1, None).await, Ok(Promoted::Now));
        assert_eq!(put(db, 2, "b").await, Put::Done);
    }

    #[test]
    fn a_number_and_an_attempt_are_taken_once() {
        wait(async {
            let db = Db::in_memory().unwrap();
            assert_eq!(put(&db, 1, "a").await, Put::Done);
            assert_eq!(put(&db, 1, "b").await, Put::Raced, "the number is taken");
            assert_eq!(put(&db, 2, "a").await, Put::Raced, "the attempt is known");
            assert_eq!(put(&db, 4, "b").await, Put::Raced, "a number is left out");
            assert_eq!(db.kept(STORE).attempted(&path(), "a").await, Ok(Some(1)));
            assert_eq!(db.kept("other").attempted(&path(), "a").await, Ok(None));
            let stand = db.kept(STORE).labels(&path()).await.unwrap();
            assert_eq!(stand, KeptLabels { latest: 1, pending: Some(1), current: None, previous: None });
        });
    }

    #[test]
    fn promotion_compares_before_it_sets() {
        wait(async {
            let db = Db::in_memory().unwrap();
            two(&db).await;
            let kept = db.kept(STORE);
            assert_eq!(kept.promote(&path(), 2, None).await, Ok(Promoted::Conflict { current: Some(1) }));
            assert_eq!(kept.promote(&path(), 2, Some(1)).await, Ok(Promoted::Now));
            assert_eq!(kept.promote(&path(), 2, Some(1)).await, Ok(Promoted::Already));
            assert_eq!(kept.promote(&path(), 9, Some(2)).await, Ok(Promoted::Absent));
            let stand = KeptLabels { latest: 2, pending: None, current: Some(2), previous: Some(1) };
            assert_eq!(kept.labels(&path()).await, Ok(stand));
            // Going back is a promotion too.
            assert_eq!(kept.promote(&path(), 1, Some(2)).await, Ok(Promoted::Now));
            let stand = KeptLabels { current: Some(1), previous: Some(2), ..stand };
            assert_eq!(kept.labels(&path()).await, Ok(stand));
        });
    }

    #[test]
    fn only_one_of_two_promotions_at_a_time_wins() {
        let dir = tempfile::TempDir::new().unwrap();
        let db = Db::open(dir.path(), crate::Access::Engine).unwrap();
        wait(async {
            two(&db).await;
            assert_eq!(put(&db, 3, "c").await, Put::Done);
            let kept = db.kept(STORE);
            let at = path();
            let both = futures_util::future::join(kept.promote(&at, 2, Some(1)), kept.promote(&at, 3, Some(1))).await;
            assert_eq!(both, (Ok(Promoted::Now), Ok(Promoted::Conflict { current: Some(2) })));
        });
    }

    #[test]
    fn what_is_current_is_never_discarded() {
        wait(async {
            let db = Db::in_memory().unwrap();
            two(&db).await;
            let kept = db.kept(STORE);
            assert_eq!(kept.discard(&path(), 1).await, Ok(Discard::IsCurrent));
            assert_eq!(kept.content(&path(), None).await.unwrap().unwrap().sealed, Sealed(vec![1; 4]));
            assert_eq!(kept.discard(&path(), 2).await, Ok(Discard::Now));
            assert_eq!(kept.discard(&path(), 2).await, Ok(Discard::GoneAlready));
            assert_eq!(kept.discard(&path(), 7).await, Ok(Discard::GoneAlready));
            assert_eq!(kept.content(&path(), Some(2)).await, Ok(None));
            assert_eq!(kept.labels(&path()).await.unwrap().pending, None);
            assert_eq!(kept.promote(&path(), 2, Some(1)).await, Ok(Promoted::Absent));
            // The row stays: the attempt is still known, and its number is not given again.
            assert_eq!(kept.attempted(&path(), "b").await, Ok(Some(2)));
            assert_eq!(put(&db, 2, "c").await, Put::Raced);
        });
    }

    #[test]
    fn the_newest_versions_are_kept_and_those_with_a_label() {
        wait(async {
            let db = Db::in_memory().unwrap();
            two(&db).await;
            let kept = db.kept(STORE);
            assert_eq!(kept.promote(&path(), 2, Some(1)).await, Ok(Promoted::Now));
            for number in 3..=30 {
                assert_eq!(put(&db, number, &format!("{number}")).await, Put::Done);
            }
            let numbers = |db: &Db| -> Vec<u32> {
                let (_, versions) = db.kept(STORE).versions(&path()).unwrap();
                versions.iter().map(|version| version.number).collect()
            };
            let newest = 31 - KEPT_VERSIONS_MAX..=30;
            assert_eq!(numbers(&db), [1, 2].into_iter().chain(newest).collect::<Vec<_>>());
            assert_eq!(kept.promote(&path(), 30, Some(2)).await, Ok(Promoted::Now));
            assert_eq!(put(&db, 31, "31").await, Put::Done);
            assert_eq!(numbers(&db), [2].into_iter().chain(32 - KEPT_VERSIONS_MAX..=31).collect::<Vec<_>>());
        });
    }

    #[test]
    fn paths_and_versions_are_listed_in_order() {
        wait(async {
            let db = Db::in_memory().unwrap();
            two(&db).await;
            let kept = db.kept(STORE);
            kept.discard(&path(), 2).await.unwrap();
            let (stand, versions) = kept.versions(&path()).unwrap();
            assert_eq!(stand.current, Some(1));
            let seen: Vec<_> = versions.iter().map(|version| (version.number, version.sealed.is_some())).collect();
            assert_eq!(seen, [(1, true), (2, false)]);

            let mut paths = Vec::new();
            kept.paths(|path, labels| paths.push((path.as_str().to_owned(), labels.current))).unwrap();
            assert_eq!(paths, [("apic/acme/shop".to_owned(), Some(1))]);
            db.kept("other").paths(|path, _| panic!("{path}")).unwrap();
        });
    }
}
