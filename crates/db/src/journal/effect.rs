//! What outcomes change: versions, deliveries, the rotation under way.

use domain::{Destination, Fingerprint, Reason, RotationId, Timestamp, VersionNumber};

use super::{Intent, NewlyIssued, NewlyPrepared, Outcome};
use crate::{Rows, Unit, Value, consumers, tasks, values};

/// Whoever went back had a reason, and the version that stays is as old as it was: without a hold it would be due again
/// in the same breath. What others know is due all the same.
const HOLD_AFTER_GOING_BACK: &str = "UPDATE credential SET hold_by = rotation_by, hold_since = $3,
    hold_reason = 'rolled back: ' || coalesce(rotation_reason, '')
    WHERE id = $1 AND rotation_id = $2 AND rotation_cause IN ('rollback', 'abandon') AND hold_since IS NULL
        AND request_cause IS DISTINCT FROM 'compromised'";

const WELL: &str = "UPDATE credential SET attempts = 0, retry_at = NULL, error = NULL WHERE id = $1";
/// A proof that is renewed says nothing about the step that it is for: failures of that one go on counting, or it would
/// be tried for ever, a few times after each renewal.
const RENEWED: &str = "UPDATE credential SET retry_at = NULL,
    attempts = CASE WHEN failed_step IS DISTINCT FROM $2 THEN attempts ELSE 0 END,
    error = CASE WHEN failed_step IS DISTINCT FROM $2 THEN error END WHERE id = $1";
const WRITTEN: &str = "INSERT INTO delivery (credential_id, rotation_id, version, store, path, store_version, replaced,
    written_at, fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (credential_id, rotation_id, store, path) DO UPDATE SET version = excluded.version,
    store_version = excluded.store_version, replaced = excluded.replaced, fingerprint = excluded.fingerprint,
    written_at = excluded.written_at, promoted_at = NULL, confirmed_at = NULL, first_confirmed_at = NULL";
const MARK_DELIVERY: &str = "WHERE credential_id = $1 AND rotation_id = $2 AND store = $3 AND path = $4";

impl Outcome {
    /// What the outcome changes beside the journal itself, in one unit with it.
    pub(super) fn effect(&self, intent: &Intent<'_>, rotation: &RotationId, now: Timestamp) -> Unit {
        let (id, one) = (intent.credential_id, Rows::Exactly(1));
        let renewed = *intent.reason == Reason::ProofTooOld && !matches!(self, Self::NotYet { .. });
        let well = match renewed {
            true => Unit::new().run(RENEWED, values![id, intent.step.word()], one),
            false => Unit::new().run(WELL, values![id], one),
        };
        match self {
            Self::Prepared(prepared) => well.and(insert_prepared(id, rotation, prepared, now)),
            Self::Issued(issued) => well.and(insert_issued(id, rotation, issued, now)),
            Self::Asked { ask, due_at } => well.and(tasks::open(id, rotation, *ask, (now, *due_at))),
            Self::Written { version, destination, store_version, replaced, fingerprint } => {
                let values = values![
                    id,
                    rotation.as_str(),
                    version.0,
                    &*destination.store,
                    destination.path.as_str(),
                    store_version,
                    replaced.as_deref(),
                    now,
                    *fingerprint
                ];
                well.run(WRITTEN, values, one)
            }
            Self::Promoted { destination, written } => {
                well.and(mark_promoted(id, rotation, destination, written.as_ref(), now))
            }
            Self::Confirmed { destination } => well.and(mark_confirmed(id, rotation, destination, now)),
            Self::Drifted { destination, what } => {
                well.and(consumers::found(id, destination, Some(rotation), *what, now))
            }
            Self::Told { consumer } => {
                let sql = "INSERT INTO told (credential_id, rotation_id, consumer, at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (credential_id, rotation_id, consumer) DO UPDATE SET at = excluded.at";
                well.run(sql, values![id, rotation.as_str(), &**consumer, now], one)
            }
            Self::Completed => well.and(close_rotation(id, rotation, now)),
            Self::NotYet { retry_at, .. } => {
                let sql = "UPDATE credential SET retry_at = $2 WHERE id = $1";
                well.run(sql, values![id, *retry_at], one)
            }
            Self::Failed { error, retry_at, park, .. } => {
                let sql = "UPDATE credential SET attempts = attempts + 1, retry_at = $2, error = $3, parked = $4,
                    failed_step = $5 WHERE id = $1";
                Unit::new().run(sql, values![id, *retry_at, error, *park, intent.step.word()], one)
            }
            Self::Disabled { version } => well.and(at_version(id, *version, "disabled_at = $3", values![now])),
            Self::Enabled { version } => well.and(at_version(id, *version, "disabled_at = NULL", values![])),
            Self::Verified { version } => {
                let verified = at_version(id, *version, "verified_at = $3", values![now]);
                well.and(verified).and(tasks::successor_serves(id, now))
            }
            Self::Watched { version, usage } => {
                let told = "last_used_at = coalesce($3, last_used_at), usage_known_through = $4, usage_asked_at = $5";
                well.and(at_version(id, *version, told, values![usage.last_used, usage.known_through, now]))
            }
            Self::Revoked { version, .. } => {
                well.and(at_version(id, *version, "revoked_at = $3, presence = 'gone'", values![now]))
            }
            Self::StillThere { version } => {
                well.and(at_version(id, *version, "revoked_at = NULL, presence = 'listed'", values![]))
            }
            Self::ProvedDead { version, evidence } => {
                well.and(at_version(id, *version, "dead_at = $3, dead_by = $4", values![now, evidence.word()]))
            }
            Self::Renamed { version, name, title } => {
                well.and(at_version(id, *version, "name = $3, title = $4", values![name, title]))
            }
            Self::Purged { version } => well.and(at_version(id, *version, "sealed = NULL", values![])),
        }
    }
}

fn mark_promoted(
    id: i64,
    rotation: &RotationId,
    destination: &Destination,
    written: Option<&(String, Fingerprint)>,
    now: Timestamp,
) -> Unit {
    let sql = format!(
        "UPDATE delivery SET promoted_at = $5, store_version = coalesce($6, store_version),
        fingerprint = coalesce($7, fingerprint) {MARK_DELIVERY}"
    );
    let mut values = mark(id, rotation, destination, now);
    values.push(written.map(|(version, _)| version.as_str()).into());
    values.push(written.map(|(_, fingerprint)| *fingerprint).into());
    let served = "UPDATE version SET delivered_at = $3 WHERE credential_id = $1
        AND number = (SELECT rotation_to FROM credential WHERE id = $1 AND rotation_id = $2)";
    let version = values![id, rotation.as_str(), now];
    Unit::new().run(sql, values, Rows::Exactly(1)).run(served, version, Rows::Exactly(1))
}

/// What an inspection once found there is of the past.
fn mark_confirmed(id: i64, rotation: &RotationId, destination: &Destination, now: Timestamp) -> Unit {
    let sql = format!(
        "UPDATE delivery SET confirmed_at = $5, first_confirmed_at = coalesce(first_confirmed_at, $5) {MARK_DELIVERY}"
    );
    let drift = "DELETE FROM drift WHERE credential_id = $1 AND store = $2 AND path = $3";
    let found = values![id, &*destination.store, destination.path.as_str()];
    Unit::new().run(sql, mark(id, rotation, destination, now), Rows::Exactly(1)).run(drift, found, Rows::Any)
}

fn close_rotation(id: i64, rotation: &RotationId, now: Timestamp) -> Unit {
    let sql = "UPDATE credential SET rotation_id = NULL, rotation_cause = NULL, rotation_by = NULL,
        rotation_reason = NULL, rotation_started_at = NULL, rotation_from = NULL, rotation_to = NULL
        WHERE id = $1 AND rotation_id = $2";
    let gone_back = Unit::new().run(HOLD_AFTER_GOING_BACK, values![id, rotation.as_str(), now], Rows::Any);
    gone_back.run(sql, values![id, rotation.as_str()], Rows::Exactly(1)).and(tasks::overtaken(id, now))
}

/// Sets columns of one version, from `$3` on. `columns` are words of ours, never input.
fn at_version(id: i64, number: VersionNumber, columns: &'static str, more: Vec<Value>) -> Unit {
    let sql = format!("UPDATE version SET {columns} WHERE credential_id = $1 AND number = $2");
    let values = values![id, number.0].into_iter().chain(more).collect::<Vec<_>>();
    Unit::new().run(sql, values, Rows::Exactly(1))
}

fn mark(id: i64, rotation: &RotationId, destination: &Destination, now: Timestamp) -> Vec<Value> {
    values![id, rotation.as_str(), &*destination.store, destination.path.as_str(), now]
}

fn insert_prepared(id: i64, rotation: &RotationId, prepared: &NewlyPrepared, now: Timestamp) -> Unit {
    let version = "INSERT INTO version (credential_id, number, handle, name, title, origin, created_at, presence,
        fingerprint, sealed) VALUES ($1, $2, $3, $4, $5, 'issued', $6, 'prepared', $7, $8)";
    let values = values![
        id,
        prepared.number.0,
        format!("prepared-{}", prepared.number),
        &prepared.name,
        &prepared.title,
        now,
        prepared.fingerprint,
        prepared.sealed.0.as_slice()
    ];
    begins_unknown(id, rotation, prepared.number).run(version, values, Rows::Exactly(1)).and(becomes_successor(
        id,
        rotation,
        prepared.number,
    ))
}

/// Takes the place of what was prepared, if it was, or of what a listing has shown of a person's work. Where everything
/// older died with it, that is recorded here too: nothing may be revoked, or believed alive, that the platform has ended.
pub(crate) fn insert_issued(id: i64, rotation: &RotationId, issued: &NewlyIssued, now: Timestamp) -> Unit {
    let version = "INSERT INTO version (credential_id, number, handle, name, title, origin, marker, created_at,
        expires_at, presence, fingerprint, sealed)
        VALUES ($1, $2, $3, $4, $5, 'issued', $6, $7, $8, 'listed', $9, $10)
        ON CONFLICT (credential_id, number) DO UPDATE SET handle = excluded.handle, name = excluded.name,
        title = excluded.title, marker = excluded.marker, created_at = excluded.created_at,
        expires_at = excluded.expires_at, presence = 'listed', fingerprint = excluded.fingerprint,
        origin = 'issued', sealed = excluded.sealed
        WHERE version.presence = 'prepared' OR (version.origin = 'found' AND version.sealed IS NULL)";
    let values = values![
        id,
        issued.number.0,
        issued.handle.as_str(),
        &issued.name,
        &issued.title,
        issued.marker.as_str(),
        issued.created_at,
        issued.expires_at,
        issued.fingerprint,
        issued.sealed.0.as_slice()
    ];
    // A listing may have shown it while the answer was lost, and nobody could know that it is ours.
    let met = "DELETE FROM version WHERE credential_id = $1 AND handle = $3 AND number <> $2 AND origin = 'found'
        AND sealed IS NULL AND number NOT IN (SELECT d.version FROM delivery d WHERE d.credential_id = $1)";
    let unit = Unit::new()
        .run(met, values![id, issued.number.0, issued.handle.as_str()], Rows::Any)
        .and(begins_unknown(id, rotation, issued.number))
        .run(version, values, Rows::Exactly(1))
        .and(becomes_successor(id, rotation, issued.number));
    if !issued.replaces_all {
        return unit;
    }
    let others = "UPDATE version SET revoked_at = $3, presence = 'gone'
        WHERE credential_id = $1 AND number <> $2 AND revoked_at IS NULL";
    unit.run(others, values![id, issued.number.0, now], Rows::Any)
}

/// Others know what was there when it was said. What is made or chosen from then on they do not, so this rotation is the one
/// that was asked for. A value that was chosen before may have waited at a destination: it is known as well.
fn begins_unknown(id: i64, rotation: &RotationId, number: VersionNumber) -> Unit {
    let sql = "UPDATE credential SET rotation_cause = request_cause, rotation_by = request_by,
        rotation_reason = request_reason, request_cause = NULL, request_by = NULL, request_reason = NULL
        WHERE id = $1 AND rotation_id = $2 AND request_cause = 'compromised' AND NOT EXISTS (
            SELECT 1 FROM version WHERE credential_id = $1 AND number = $3 AND presence = 'prepared')";
    Unit::new().run(sql, values![id, rotation.as_str(), number.0], Rows::Any)
}

fn becomes_successor(id: i64, rotation: &RotationId, number: VersionNumber) -> Unit {
    let to = "UPDATE credential SET rotation_to = $3 WHERE id = $1 AND rotation_id = $2";
    // Consumers may have been told of the one that it takes the place of.
    let told = "DELETE FROM told WHERE credential_id = $1 AND rotation_id = $2";
    let unit = Unit::new().run(to, values![id, rotation.as_str(), number.0], Rows::Exactly(1));
    unit.run(told, values![id, rotation.as_str()], Rows::Any)
}
