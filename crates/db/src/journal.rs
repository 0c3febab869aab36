//! The journal: an intent before every effect, an outcome after it.
//!
//! [`Journal::begin`] returns when the intent is synced, and only then is there a ticket for a driver. An intent
//! without an outcome is in doubt after a restart: the step is looked after, never guessed.

mod effect;
mod sentence;

pub(crate) use effect::insert_issued;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::{
    Ask, Cause, DeathEvidence, Destination, Drifted, Fingerprint, Handle, Marker, Phase, PhaseEvent, Reason,
    RotationId, Step, Timestamp, Usage, VersionNumber, planted,
};
use driver::Ticket;
use secret::Sealed;

use crate::{Db, ReadError, Rows, Unit, WriteError, entry::number, values, words::cause_columns};

/// The journal of one engine. Its epoch fences outcomes: what a later engine has taken over, an earlier one can no
/// longer finish.
#[derive(Debug)]
pub struct Journal {
    db: Arc<Db>,
    epoch: i64,
    next: AtomicI64,
}

/// What is about to be done, and what it rests on.
#[derive(Debug)]
pub struct Intent<'a> {
    pub credential_id: i64,
    /// The rotation that the plan was made for: if another one is under way by now, nothing begins.
    pub rotation: Option<&'a RotationId>,
    pub step: &'a Step,
    pub reason: &'a Reason,
    pub now: Timestamp,
    /// Opens a rotation together with the intent.
    pub opens: Option<(&'a RotationId, &'a Cause)>,
    /// Places that must belong to this credential and to no other.
    pub reserves: &'a [Destination],
    /// Versions that may live under one parent, for a step that makes another one. Siblings begin at the same time:
    /// what they have begun to issue counts, and what people were asked to make and have not handed over.
    pub live_max: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// Held this very moment, or the rotation has moved on. Plan again.
    #[error("the credential was held or has moved since it was planned")]
    Moved,
    #[error("the destination {0} belongs to another credential")]
    Taken(Destination),
    /// A sibling took the last slot since the plan was made.
    #[error("no slot is left at the platform")]
    NoSlot,
    #[error("the intent could not be written")]
    Database(#[from] WriteError),
}

/// How a step ended, with everything that has to be durable together.
#[derive(Debug)]
pub enum Outcome {
    /// A successor whose value we chose, before the platform is told.
    Prepared(Box<NewlyPrepared>),
    Issued(Box<NewlyIssued>),
    /// A person was asked.
    Asked {
        ask: Ask,
        due_at: Timestamp,
    },
    Written {
        version: VersionNumber,
        destination: Destination,
        store_version: String,
        replaced: Option<String>,
        /// Of the value in the form in which it went.
        fingerprint: Fingerprint,
    },
    Verified {
        version: VersionNumber,
    },
    /// `written` where the store has no labels: there the promotion is the write.
    Promoted {
        destination: Destination,
        written: Option<(String, Fingerprint)>,
    },
    Confirmed {
        destination: Destination,
    },
    /// Readers get something else than what they got when it was first read back.
    Drifted {
        destination: Destination,
        what: Drifted,
    },
    Told {
        consumer: Arc<str>,
    },
    Watched {
        version: VersionNumber,
        usage: Usage,
    },
    Disabled {
        version: VersionNumber,
    },
    Enabled {
        version: VersionNumber,
    },
    Revoked {
        version: VersionNumber,
        gone_already: bool,
    },
    /// It was recorded as revoked, and the platform has it: the record follows the platform.
    StillThere {
        version: VersionNumber,
    },
    ProvedDead {
        version: VersionNumber,
        evidence: DeathEvidence,
    },
    Renamed {
        version: VersionNumber,
        name: String,
        title: String,
    },
    Purged {
        version: VersionNumber,
    },
    Completed,
    /// Done, and the answer is: ask again later. Not a failure, and never parked.
    NotYet {
        why: String,
        retry_at: Timestamp,
    },
    /// `unknown`: the effect may have taken place.
    Failed {
        error: String,
        unknown: bool,
        retry_at: Timestamp,
        park: bool,
    },
}

/// A successor with its secret, chosen by us and sealed.
#[derive(Debug)]
pub struct NewlyPrepared {
    pub number: VersionNumber,
    pub name: String,
    pub title: String,
    pub fingerprint: Fingerprint,
    pub sealed: Sealed,
}

/// A successor with its secret, sealed on arrival or prepared before.
#[derive(Debug)]
pub struct NewlyIssued {
    pub number: VersionNumber,
    pub handle: Handle,
    pub name: String,
    pub title: String,
    pub marker: Marker,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub fingerprint: Fingerprint,
    pub sealed: Sealed,
    /// Everything older died with it.
    pub replaces_all: bool,
}

/// A step that was begun and whose effect nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    pub entry: i64,
    pub credential_id: i64,
    pub step: String,
}

impl Journal {
    /// Takes the journal over: everything that an earlier engine began and did not finish is in doubt from now on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open(db: Arc<Db>) -> Result<Self, JournalError> {
        let take_over = "INSERT INTO engine_epoch (id, epoch) VALUES (1, 1)
            ON CONFLICT (id) DO UPDATE SET epoch = engine_epoch.epoch + 1";
        // Said twice, here and below, since the index on what is open is found by its own words only.
        let doubt = "UPDATE journal SET phase = 'in_doubt'
            WHERE phase = 'begun' AND phase IN ('begun', 'in_doubt')";
        db.write(Unit::new().run(take_over, values![], Rows::Exactly(1)).run(doubt, values![], Rows::Any)).await?;
        if planted("parked_forgotten") {
            let sql = "UPDATE credential SET rotation_id = NULL, rotation_cause = NULL, rotation_by = NULL,
                rotation_reason = NULL, rotation_started_at = NULL, rotation_from = NULL, rotation_to = NULL,
                parked = 0 WHERE parked = 1";
            db.write(Unit::new().run(sql, values![], Rows::Any)).await?;
        }
        if planted("secret_only_in_memory") {
            let sql = "UPDATE version SET sealed = NULL WHERE origin = 'issued' AND number NOT IN
                (SELECT d.version FROM delivery d WHERE d.credential_id = version.credential_id)";
            db.write(Unit::new().run(sql, values![], Rows::Any)).await?;
        }
        let epoch = db.row("SELECT epoch FROM engine_epoch", values![], |row| row.get(0)).await?;
        let next = AtomicI64::new(db.last_journal_entry().await? + 1);
        Ok(Self { db, epoch: epoch.unwrap_or_default(), next })
    }

    /// What is in doubt, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn in_doubt(&self) -> Result<Vec<InDoubt>, ReadError> {
        if planted("doubt_forgotten") {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, credential_id, step FROM journal
            WHERE phase = 'in_doubt' AND phase IN ('begun', 'in_doubt') ORDER BY id";
        self.db
            .rows(sql, values![], |row| {
                Ok(InDoubt { entry: row.get(0)?, credential_id: row.get(1)?, step: row.get(2)? })
            })
            .await
    }

    /// Writes the intent. When it returns, the intent is on disk, and the ticket opens one driver call.
    ///
    /// Invariant: this is the single place through which every effect goes, and a held credential gets no ticket
    /// here, whatever was planned.
    ///
    /// # Errors
    /// [`BeginError::Moved`] when the plan is no longer true: nothing was written.
    pub async fn begin(&self, intent: &Intent<'_>) -> Result<Ticket, BeginError> {
        let entry = self.next.fetch_add(1, Ordering::Relaxed);
        let guard = "UPDATE credential SET attempts = attempts
            WHERE id = $1 AND hold_since IS NULL AND protected = 0 AND rotation_id IS NOT DISTINCT FROM $2";
        let planned = "UPDATE credential SET attempts = attempts WHERE id = $1 AND rotation_id IS NOT DISTINCT FROM $2";
        let guard = if planted("hold_only_planned") || planted("protected_touched") { planned } else { guard };
        let expected = intent.rotation.map(RotationId::as_str);
        let mut unit = Unit::new().run(guard, values![intent.credential_id, expected], Rows::Exactly(1));
        for destination in intent.reserves {
            let sql = "INSERT INTO destination (store, path, credential_id) VALUES ($1, $2, $3)
                ON CONFLICT (store, path) DO UPDATE SET credential_id = excluded.credential_id
                WHERE destination.credential_id = excluded.credential_id";
            let values = values![&*destination.store, destination.path.as_str(), intent.credential_id];
            unit = unit.run(sql, values, Rows::Exactly(1));
        }
        let slot_guard = unit.statements.len();
        if let Some(live_max) = intent.live_max.filter(|_| !planted("slots_not_guarded")) {
            unit = unit.run(SLOT_LEFT, values![intent.credential_id, live_max], Rows::Exactly(1));
        }
        let rotation = intent.opens.map_or(intent.rotation, |(id, _)| Some(id));
        if let Some((id, cause)) = intent.opens {
            unit = unit.and(open_rotation(intent, id, cause));
        }
        let sql = "INSERT INTO journal (id, credential_id, rotation_id, step, version, destination, reason, phase,
            epoch, begun_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'begun', $8, $9)";
        let values = values![
            entry,
            intent.credential_id,
            rotation.map(RotationId::as_str),
            intent.step.word(),
            number(intent.step.version()),
            intent.step.destination().map(ToString::to_string),
            intent.reason.to_string(),
            self.epoch,
            intent.now
        ];
        unit = unit.run(sql, values, Rows::Exactly(1));
        match self.db.write(unit).await {
            Ok(()) => Ok(Ticket::for_journal_entry(entry)),
            Err(WriteError::GuardMissed { statement: 0, .. }) => Err(BeginError::Moved),
            Err(WriteError::GuardMissed { statement, .. }) if statement == slot_guard && intent.live_max.is_some() => {
                Err(BeginError::NoSlot)
            }
            Err(WriteError::GuardMissed { statement, wanted, touched }) => match intent.reserves.get(statement - 1) {
                Some(taken) => Err(BeginError::Taken(taken.clone())),
                None => Err(WriteError::GuardMissed { statement, wanted, touched }.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the outcome, and everything that it changes, in one unit. Durable when it returns.
    ///
    /// # Errors
    /// A missed guard when another engine has taken over: the outcome is refused and nothing is changed.
    pub async fn finish(
        &self,
        ticket: &Ticket,
        intent: &Intent<'_>,
        rotation: &RotationId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let event = match outcome {
            Outcome::Failed { unknown: true, .. } => PhaseEvent::AnswerLost,
            Outcome::Failed { unknown: false, .. } => PhaseEvent::NotApplied,
            _ => PhaseEvent::Succeeded,
        };
        let phase = Phase::Begun.next(event).map_or(Phase::InDoubt.word(), Phase::word);
        let sql = "UPDATE journal SET phase = $3, ended_at = $4, outcome = $5
            WHERE id = $1 AND epoch = $2 AND phase = 'begun'";
        let values = values![ticket.journal_entry(), self.epoch, phase, now, outcome.sentence()];
        let unit = Unit::new().run(sql, values, Rows::Exactly(1));
        self.db.write(unit.and(outcome.effect(intent, rotation, now))).await
    }

    /// After a fresh look at the credential: what was in doubt about it is settled. A revocation whose version is gone
    /// now did take effect: it was ours, and its time counts from here.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(&self, credential_id: i64, found: &str, now: Timestamp) -> Result<(), WriteError> {
        let sql = "UPDATE journal SET phase = 'settled', ended_at = coalesce(ended_at, $2),
            outcome = coalesce(outcome || '; ', '') || $3
            WHERE credential_id = $1 AND phase = 'in_doubt'";
        let revoked = "UPDATE version SET revoked_at = $2 WHERE credential_id = $1 AND revoked_at IS NULL
            AND presence = 'gone' AND number IN (SELECT j.version FROM journal j
                WHERE j.credential_id = $1 AND j.phase = 'in_doubt' AND j.step = 'revoke')";
        self.db
            .write(Unit::new().run(revoked, values![credential_id, now], Rows::Any).run(
                sql,
                values![credential_id, now, found],
                Rows::Any,
            ))
            .await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal could not be written")]
    Write(#[from] WriteError),
    #[error("the journal could not be read")]
    Read(#[from] ReadError),
}

fn open_rotation(intent: &Intent<'_>, id: &RotationId, cause: &Cause) -> Unit {
    let (word, by, reason) = cause_columns(cause);
    let from = match intent.step {
        Step::Prepare { from } | Step::Issue { from } | Step::AskPerson { ask: Ask::Issue { from } } => *from,
        _ => None,
    };
    let sql = "UPDATE credential SET rotation_id = $2, rotation_cause = $3, rotation_by = $4, rotation_reason = $5,
        rotation_started_at = $6, rotation_from = $7, rotation_to = NULL, request_cause = NULL, request_by = NULL,
        request_reason = NULL WHERE id = $1 AND rotation_id IS NULL";
    let values = values![intent.credential_id, id.as_str(), word, by, reason, intent.now, number(from)];
    Unit::new().run(sql, values, Rows::Exactly(1))
}

const SLOT_LEFT: &str = "UPDATE credential SET attempts = attempts WHERE id = $1 AND $2 > (
        SELECT count(*) FROM credential c JOIN version v ON v.credential_id = c.id
        WHERE c.parent = credential.parent AND v.revoked_at IS NULL AND v.presence NOT IN ('gone', 'prepared')
    ) + (
        SELECT count(*) FROM credential c JOIN journal j ON j.credential_id = c.id
        WHERE c.parent = credential.parent AND j.step IN ('issue', 'ask_person') AND j.phase IN ('begun', 'in_doubt')
    ) + (
        SELECT count(*) FROM credential c JOIN task t ON t.credential_id = c.id
        WHERE c.parent = credential.parent AND c.id <> credential.id AND t.ask = 'issue' AND t.ended_at IS NULL
    )";
