//! What people are to be told: durable until a channel has taken it, at least once.
//!
//! What is noticed again while it still waits, or too soon after it was told, adds nothing.

#[cfg(test)]
mod tests;

use domain::{Duration, Notice, NoticeKind, RotationId, Timestamp, VersionNumber};

use crate::{Db, ReadError, Row, Rows, Unit, WriteError, values};

/// Rows written together; more would keep other writers waiting.
const CHUNK: usize = 500;
/// How long what was sent is kept as evidence, and to know it again. Rotations take less, even patient ones.
const KEPT_FOR: Duration = Duration::from_hours(120 * 24);

/// How long attempts at messages are counted: longer than any limit looks back.
const ATTEMPTS_KEPT_FOR: Duration = Duration::from_hours(48);

/// What was told further in the future than this was told by a clock that was wrong, and silences nothing.
const CLOCK_ERROR_MIN: Duration = Duration::from_hours(24);

/// A notice for one recipient of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub notifier: String,
    pub recipient: String,
    pub notice: Notice,
    /// The same thing is told again after this time, as long as it is still so. `None`: it is told once.
    pub again_after: Option<Duration>,
}

/// A notice that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub id: i64,
    pub notifier: String,
    pub recipient: String,
    pub notice: Notice,
    /// Its message went out, and nobody knows whether it arrived: it is repeated as it was.
    pub message: Option<String>,
    pub attempts: u32,
    pub retry_at: Option<Timestamp>,
    pub error: Option<String>,
}

/// How one attempt at a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent<'a> {
    Taken,
    /// Not taken. In doubt, now or after an earlier attempt, it is repeated as it is; else what came meanwhile goes with it
    /// the next time.
    Failed {
        error: &'a str,
        retry_at: Timestamp,
        in_doubt: bool,
    },
}

/// A rotation that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub credential_id: i64,
    pub rotation: RotationId,
    pub at: Timestamp,
    /// What it ended at the platform.
    pub retired: Option<VersionNumber>,
    /// The platform was seen to refuse it.
    pub proved_dead: bool,
}

const INSERT: &str = "INSERT INTO notice (id, notifier, recipient, kind, subject, about, at, what, state, advice,
        message, attempts, retry_at, error, sent_at)
    SELECT (SELECT coalesce(max(id), 0) + 1 FROM notice), $1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, 0, NULL, NULL, NULL
    WHERE NOT EXISTS (SELECT 1 FROM notice WHERE about = $5 AND notifier = $1 AND recipient = $2
        AND (sent_at IS NULL OR (at > $10 AND at < $11)))";

impl Db {
    /// Posts notices, brings what still waits up to what is true now of its subject, and notes how far the journal has
    /// been told, in that order: what a crash leaves out is found again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn post(
        &self,
        notices: &[Addressed],
        states: &[(String, String)],
        entry: i64,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        for chunk in notices.chunks(CHUNK) {
            self.write(chunk.iter().fold(Unit::new(), insert)).await?;
        }
        for chunk in states.chunks(CHUNK) {
            let sql = "UPDATE notice SET state = $2 WHERE subject = $1 AND sent_at IS NULL AND message IS NULL";
            let unit = chunk
                .iter()
                .fold(Unit::new(), |unit, (subject, state)| unit.run(sql, values![subject, state], Rows::Any));
            self.write(unit).await?;
        }
        let mark = "INSERT INTO notice_mark (id, entry) VALUES (1, $1)
            ON CONFLICT (id) DO UPDATE SET entry = excluded.entry";
        let old = "DELETE FROM notice WHERE sent_at < $1";
        let attempts = "DELETE FROM notice_attempt WHERE at < $1
            AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.message = notice_attempt.message AND n.sent_at IS NULL)";
        let ago = |kept: Duration| values![now.saturating_sub(kept).unwrap_or(Timestamp::MIN)];
        let unit = Unit::new().run(mark, values![entry], Rows::Exactly(1)).run(old, ago(KEPT_FOR), Rows::Any).run(
            attempts,
            ago(ATTEMPTS_KEPT_FOR),
            Rows::Any,
        );
        self.write(unit).await
    }

    /// The entry of the journal up to which people have been told, if ever, and its last one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn notice_mark(&self) -> Result<(Option<i64>, i64), ReadError> {
        let sql = "SELECT (SELECT entry FROM notice_mark), (SELECT coalesce(max(id), 0) FROM journal)";
        Ok(self.row(sql, values![], |row| Ok((row.get(0)?, row.get(1)?))).await?.unwrap_or_default())
    }

    /// Rotations that came to their end after this entry of the journal.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ended_after(&self, entry: i64) -> Result<Vec<Ended>, ReadError> {
        let sql = "SELECT c.credential_id, c.rotation_id, c.ended_at,
                (SELECT max(r.version) FROM journal r WHERE r.credential_id = c.credential_id
                    AND r.rotation_id = c.rotation_id AND r.step IN ('revoke', 'prove_dead') AND r.phase = 'done'),
                EXISTS (SELECT 1 FROM journal p WHERE p.credential_id = c.credential_id
                    AND p.rotation_id = c.rotation_id AND p.step = 'prove_dead' AND p.phase = 'done')
            FROM journal c WHERE c.id > $1 AND c.step = 'complete' AND c.phase = 'done'
                AND c.rotation_id IS NOT NULL AND c.ended_at IS NOT NULL ORDER BY c.id";
        self.rows(sql, values![entry], |row| {
            Ok(Ended {
                credential_id: row.get(0)?,
                rotation: RotationId::new(row.get::<&str>(1)?),
                at: row.get(2)?,
                retired: row.get::<Option<u32>>(3)?.map(VersionNumber),
                proved_dead: row.get(4)?,
            })
        })
        .await
    }

    /// Everything that waits, by channel and recipient, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn waiting_notices(&self) -> Result<Vec<Waiting>, ReadError> {
        let sql = "SELECT id, notifier, recipient, kind, subject, about, at, what, state, advice, message, attempts,
                retry_at, error
            FROM notice WHERE sent_at IS NULL ORDER BY notifier, recipient, id";
        self.rows(sql, values![], waiting).await
    }

    /// How many messages went out to each recipient of each channel between two times: each repetition counts, since it may
    /// have arrived.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn messages_sent(
        &self,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(String, String, u32)>, ReadError> {
        let sql = "SELECT notifier, recipient, count(*) FROM notice_attempt
            WHERE at > $1 AND at <= $2 GROUP BY notifier, recipient";
        self.rows(sql, values![from, to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await
    }

    /// Everything that this recipient has waiting up to that row goes out as one message, to be noted before it does.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn bind_message(&self, first: &Waiting, last: i64, message: &str) -> Result<(), WriteError> {
        let sql = "UPDATE notice SET message = $4 WHERE notifier = $1 AND recipient = $2 AND id <= $3
            AND sent_at IS NULL AND message IS NULL";
        let values = values![&first.notifier, &first.recipient, last, message];
        self.write(Unit::new().run(sql, values, Rows::Any)).await
    }

    /// Notes that a message goes out, before it does: a process that dies while it sends has sent, as far as anybody knows.
    /// How often it went out before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_attempt(&self, message: &str, to: &Waiting, now: Timestamp) -> Result<u32, AttemptError> {
        let sql = "SELECT coalesce(max(number), 0) FROM notice_attempt WHERE message = $1";
        let before = self.row(sql, values![message], |row| row.get::<u32>(0)).await?.unwrap_or_default();
        let sql = "INSERT INTO notice_attempt (message, number, notifier, recipient, at) VALUES ($1, $2, $3, $4, $5)";
        let values = values![message, before + 1, &to.notifier, &to.recipient, now];
        self.write(Unit::new().run(sql, values, Rows::Exactly(1))).await?;
        Ok(before)
    }

    /// # Errors
    /// Those of the database. After one, a message that was taken is sent once more.
    pub async fn message_sent(&self, message: &str, sent: Sent<'_>, now: Timestamp) -> Result<(), WriteError> {
        let unit = match sent {
            Sent::Taken => {
                let sql = "UPDATE notice SET sent_at = $2, error = NULL, retry_at = NULL
                    WHERE message = $1 AND sent_at IS NULL";
                Unit::new().run(sql, values![message, now], Rows::Any)
            }
            Sent::Failed { error, retry_at, in_doubt } => {
                // What certainly did not arrive bothered nobody, and an attempt before it may have.
                let never = "DELETE FROM notice_attempt WHERE $2 = 0 AND message = $1
                    AND number = (SELECT max(a.number) FROM notice_attempt a WHERE a.message = $1)";
                let sql = "UPDATE notice SET attempts = attempts + 1, error = $2, retry_at = $3, message = CASE
                        WHEN EXISTS (SELECT 1 FROM notice_attempt a WHERE a.message = $1) THEN message END
                    WHERE message = $1 AND sent_at IS NULL";
                Unit::new().run(never, values![message, in_doubt], Rows::Any).run(
                    sql,
                    values![message, error, retry_at],
                    Rows::Any,
                )
            }
        };
        self.write(unit).await
    }

    /// A channel that took nothing: how often in a row, and until when it is left alone. `None`: it works.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record_channel(
        &self,
        notifier: &str,
        trouble: Option<(u32, Option<Timestamp>, &str)>,
    ) -> Result<(), WriteError> {
        let unit = match trouble {
            None => {
                let sql = "DELETE FROM notifier_trouble WHERE notifier = $1";
                Unit::new().run(sql, values![notifier], Rows::Any)
            }
            Some((attempts, retry_at, error)) => {
                let sql = "INSERT INTO notifier_trouble (notifier, attempts, retry_at, error) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (notifier) DO UPDATE SET attempts = excluded.attempts,
                    retry_at = excluded.retry_at, error = excluded.error";
                Unit::new().run(sql, values![notifier, attempts, retry_at, error], Rows::Exactly(1))
            }
        };
        self.write(unit).await
    }

    /// Channels in trouble: their names, failures in a row, and until when they are left alone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn channels_in_trouble(&self) -> Result<Vec<(String, u32, Option<Timestamp>, String)>, ReadError> {
        let sql = "SELECT notifier, attempts, retry_at, error FROM notifier_trouble ORDER BY notifier";
        self.rows(sql, values![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).await
    }
}

/// An attempt at a message could not be noted: it must not go out.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error("the outbox could not be read")]
    Read(#[from] ReadError),
    #[error("the outbox could not be written")]
    Write(#[from] WriteError),
}

fn insert(unit: Unit, one: &Addressed) -> Unit {
    let Notice { kind, subject, about, at, what, state, advice } = &one.notice;
    // Told once: any that was ever posted counts.
    let since = one.again_after.map_or(Timestamp::MIN, |after| at.saturating_sub(after).unwrap_or(Timestamp::MIN));
    let heard_by = at.saturating_add(CLOCK_ERROR_MIN).unwrap_or(Timestamp::MAX);
    let values =
        values![&one.notifier, &one.recipient, kind.word(), subject, about, *at, what, state, advice, since, heard_by];
    unit.run(INSERT, values, Rows::Any)
}

fn waiting(row: &Row<'_>) -> Result<Waiting, ReadError> {
    Ok(Waiting {
        id: row.get(0)?,
        notifier: row.get(1)?,
        recipient: row.get(2)?,
        notice: Notice {
            kind: row.parse(3, |word| NoticeKind::parse(word).ok_or("unknown kind of notice"))?,
            subject: row.get(4)?,
            about: row.get(5)?,
            at: row.get(6)?,
            what: row.get(7)?,
            state: row.get(8)?,
            advice: row.get(9)?,
        },
        message: row.get(10)?,
        attempts: row.get(11)?,
        retry_at: row.get(12)?,
        error: row.get(13)?,
    })
}
