//! What was found at the issuers: written page by page, read as a whole.

use domain::{CredentialId, Handle, Marker, Origin, Owner, Presence, RotationId, Timestamp, VersionNumber};

use crate::{
    Db, ReadError, Row, Rows, Unit, WriteError,
    entry::owner_at,
    values,
    words::{origin_word, parse_origin, parse_presence, presence_word},
};

/// Changes written in one unit: enough to share a sync, few enough that other writers are not kept waiting.
const CHANGES_PER_UNIT: usize = 200;

/// A credential as the inventory has it, for comparing with a listing.
#[derive(Debug, Clone)]
pub struct KnownCredential {
    pub id: i64,
    pub credential: CredentialId,
    pub name: String,
    pub title: String,
    pub locator: String,
    pub owner: Option<Owner>,
    pub parent_enabled: bool,
    pub stray: bool,
    pub name_taken: Option<String>,
    pub kind: String,
    pub minted_from: Option<CredentialId>,
    pub protected: bool,
    pub rotation: Option<RotationId>,
    /// An issue was begun whose effect nobody knows.
    pub issue_in_doubt: bool,
    pub versions: Vec<KnownVersion>,
}

#[derive(Debug, Clone)]
pub struct KnownVersion {
    pub number: VersionNumber,
    pub handle: Handle,
    pub name: String,
    pub title: String,
    pub origin: Origin,
    pub presence: Presence,
    pub revoked: bool,
}

/// One difference between a believed listing and the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A credential met for the first time, with its one version, if there is one.
    Met { credential: CredentialId, parent: String, facts: CredentialFacts, version: Option<NewVersion> },
    /// What the platform says of a known one has changed.
    Described { id: i64, facts: CredentialFacts },
    /// A version that we did not know, of a credential that we did.
    Appeared { id: i64, version: NewVersion },
    /// A known version, listed under these names.
    Seen { id: i64, number: VersionNumber, name: String, title: String },
    /// A known version that the listing did not show, or that the platform does not know any more.
    Absent { id: i64, number: VersionNumber, presence: Presence },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    pub name: String,
    pub title: String,
    pub locator: String,
    pub owner: Option<Owner>,
    pub parent_enabled: bool,
    pub stray: bool,
    pub name_taken: Option<String>,
    pub kind: String,
    pub minted_from: Option<CredentialId>,
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    pub number: VersionNumber,
    pub handle: Handle,
    pub name: String,
    pub title: String,
    pub origin: Origin,
    pub marker: Option<Marker>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// One issuer as it was last observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerState {
    pub issuer: String,
    /// By the issuer's own clock. `None`: never.
    pub observed_at: Option<Timestamp>,
    /// The issuer's clock less ours.
    pub clock_offset: domain::Duration,
    /// Versions in the last believed listing.
    pub listed: u32,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// What is in doubt is looked up once, by the index on what is open, and not in the journal of each credential.
const KNOWN: &str = "SELECT c.id, c.credential, c.name, c.title, c.locator, c.owner_name, c.owner_email,
    c.parent_enabled, c.stray, c.name_taken, c.rotation_id, c.kind, c.minted_from, c.protected,
    c.id IN (SELECT j.credential_id FROM journal j
        WHERE j.step = 'issue' AND j.phase = 'in_doubt' AND j.phase IN ('begun', 'in_doubt')),
    v.number, v.handle, v.name, v.title, v.origin, v.presence, v.revoked_at IS NOT NULL
    FROM credential c LEFT JOIN version v ON v.credential_id = c.id";
const VERSION_COLUMN: usize = 15;

/// What has a marker was issued, by us or by a person: the index on those steps is found by its own words only.
const OF_ROTATION: &str = "SELECT credential_id FROM journal
    WHERE rotation_id = $1 AND step IN ('issue', 'ask_person') ORDER BY id LIMIT 1";

impl Db {
    /// The inventory of one issuer, or of the siblings under one parent. Dead versions are included: a stale listing
    /// may show them again.
    ///
    /// # Errors
    /// Those of the database.
    pub fn known(&self, issuer: &str, parent: Option<&str>) -> Result<Vec<KnownCredential>, ReadError> {
        let mut found: Vec<KnownCredential> = Vec::new();
        let each = |row: &Row<'_>| {
            let id = row.get(0)?;
            if found.last().is_none_or(|last| last.id != id) {
                found.push(known_credential(id, row)?);
            }
            if let Some(last) = found.last_mut()
                && row.get::<Option<u32>>(VERSION_COLUMN)?.is_some()
            {
                last.versions.push(known_version(row)?);
            }
            Ok(())
        };
        match parent {
            None => {
                self.scan(&format!("{KNOWN} WHERE c.issuer = $1 ORDER BY c.id, v.number"), values![issuer], each)?
            }
            Some(parent) => {
                let sql = format!("{KNOWN} WHERE c.issuer = $1 AND c.parent = $2 ORDER BY c.id, v.number");
                self.scan(&sql, values![issuer, parent], each)?;
            }
        }
        Ok(found)
    }

    /// The credential for which a rotation issued something, also one long finished.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn credential_of_rotation(&self, rotation: &RotationId) -> Result<Option<i64>, ReadError> {
        self.row(OF_ROTATION, values![rotation.as_str()], |row| row.get(0)).await
    }

    /// The credential with which this one is minted, if it is minted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn minted_from(&self, id: i64) -> Result<Option<i64>, ReadError> {
        let sql = "SELECT p.id FROM credential c JOIN credential p ON p.credential = c.minted_from WHERE c.id = $1";
        self.row(sql, values![id], |row| row.get(0)).await
    }

    /// Writes the differences of a listing. Durable when it returns; on an error a part may have been written, which
    /// the next listing completes.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record(&self, issuer: &str, changes: &[Change], now: Timestamp) -> Result<(), WriteError> {
        for chunk in changes.chunks(CHANGES_PER_UNIT) {
            let unit = chunk.iter().fold(Unit::new(), |unit, change| add(unit, issuer, change, now));
            self.write(unit).await?;
        }
        Ok(())
    }

    /// Remembers how an observation went. `state.observed_at` of a failed one is left as it was.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record_issuer(&self, state: &IssuerState) -> Result<(), WriteError> {
        let sql = "INSERT INTO issuer_state (issuer, observed_at, clock_offset, listed, error)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer) DO UPDATE SET
            observed_at = coalesce(excluded.observed_at, issuer_state.observed_at),
            clock_offset = excluded.clock_offset,
            listed = CASE WHEN excluded.observed_at IS NULL THEN issuer_state.listed ELSE excluded.listed END,
            error = excluded.error";
        let offset = i64::try_from(state.clock_offset.as_micros()).unwrap_or_default();
        let values = values![state.issuer.as_str(), state.observed_at, offset, state.listed, state.error.as_deref()];
        self.write(Unit::new().run(sql, values, Rows::Exactly(1))).await
    }

    /// All issuers that were ever observed, or tried.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn issuer_states(&self) -> Result<Vec<IssuerState>, ReadError> {
        let sql = "SELECT issuer, observed_at, clock_offset, listed, error FROM issuer_state ORDER BY issuer";
        self.rows(sql, values![], |row| {
            Ok(IssuerState {
                issuer: row.get(0)?,
                observed_at: row.get(1)?,
                clock_offset: domain::Duration::from_micros(row.get(2)?),
                listed: row.get(3)?,
                error: row.get(4)?,
            })
        })
        .await
    }
}

fn known_credential(id: i64, row: &Row<'_>) -> Result<KnownCredential, ReadError> {
    Ok(KnownCredential {
        id,
        credential: row.parse(1, CredentialId::parse)?,
        name: row.get(2)?,
        title: row.get(3)?,
        locator: row.get(4)?,
        owner: owner_at(row, 5)?,
        parent_enabled: row.get(7)?,
        stray: row.get(8)?,
        name_taken: row.get(9)?,
        rotation: row.get::<Option<&str>>(10)?.map(RotationId::new),
        kind: row.get(11)?,
        minted_from: match row.get::<Option<&str>>(12)? {
            Some(_) => Some(row.parse(12, CredentialId::parse)?),
            None => None,
        },
        protected: row.get(13)?,
        issue_in_doubt: row.get(14)?,
        versions: Vec::with_capacity(1),
    })
}

fn known_version(row: &Row<'_>) -> Result<KnownVersion, ReadError> {
    let at = |column: usize| VERSION_COLUMN + column;
    Ok(KnownVersion {
        number: VersionNumber(row.get(at(0))?),
        handle: row.parse(at(1), Handle::parse)?,
        name: row.get(at(2))?,
        title: row.get(at(3))?,
        origin: row.parse(at(4), parse_origin)?,
        presence: row.parse(at(5), parse_presence)?,
        revoked: row.get(at(6))?,
    })
}

fn add(unit: Unit, issuer: &str, change: &Change, now: Timestamp) -> Unit {
    match change {
        Change::Met { credential, parent, facts, version } => {
            let sql = "INSERT INTO credential (id, credential, issuer, parent, name, title, locator, owner_name,
                owner_email, parent_enabled, stray, name_taken, kind, minted_from, protected, first_seen_at, attempts,
                parked)
                VALUES ((SELECT coalesce(max(id), 0) + 1 FROM credential), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                $11, $12, $13, $14, $15, 0, 0)";
            let (owner, email) = owner(facts.owner.as_ref());
            let values = values![
                credential.as_str(),
                issuer,
                parent,
                &facts.name,
                &facts.title,
                &facts.locator,
                owner,
                email,
                facts.parent_enabled,
                facts.stray,
                facts.name_taken.as_deref(),
                &facts.kind,
                facts.minted_from.as_ref().map(CredentialId::as_str),
                facts.protected,
                now
            ];
            let unit = unit.run(sql, values, Rows::Exactly(1));
            let select = "(SELECT id FROM credential WHERE credential = $1)";
            match version {
                Some(version) => unit.and(insert_version(select, credential.as_str().into(), version)),
                None => unit,
            }
        }
        Change::Described { id, facts } => {
            let sql = "UPDATE credential SET name = $2, title = $3, locator = $4, owner_name = $5, owner_email = $6,
                parent_enabled = $7, stray = $8, name_taken = $9, kind = $10, minted_from = $11, protected = $12
                WHERE id = $1";
            let (owner, email) = owner(facts.owner.as_ref());
            let values = values![
                *id,
                &facts.name,
                &facts.title,
                &facts.locator,
                owner,
                email,
                facts.parent_enabled,
                facts.stray,
                facts.name_taken.as_deref(),
                &facts.kind,
                facts.minted_from.as_ref().map(CredentialId::as_str),
                facts.protected
            ];
            unit.run(sql, values, Rows::Exactly(1))
        }
        Change::Appeared { id, version } => unit.and(insert_version("$1", (*id).into(), version)),
        Change::Seen { id, number, name, title } => {
            // A successor that somebody took away and brought back is the successor: a person need not make another.
            let back = "UPDATE task SET ended_at = $3, outcome = 'no longer wanted'
                WHERE credential_id = $1 AND ask = 'issue' AND ended_at IS NULL AND EXISTS (
                    SELECT 1 FROM credential c JOIN version v ON v.credential_id = c.id AND v.number = c.rotation_to
                    WHERE c.id = $1 AND v.number = $2 AND v.presence = 'gone' AND v.revoked_at IS NULL)";
            let unit = unit.run(back, values![*id, number.0, now], Rows::Any);
            let sql = "UPDATE version SET name = $3, title = $4,
                presence = CASE WHEN revoked_at IS NULL THEN 'listed' ELSE presence END
                WHERE credential_id = $1 AND number = $2";
            unit.run(sql, values![*id, number.0, name, title], Rows::Exactly(1))
        }
        Change::Absent { id, number, presence } => {
            let sql = "UPDATE version SET presence = $3 WHERE credential_id = $1 AND number = $2";
            unit.run(sql, values![*id, number.0, presence_word(*presence)], Rows::Exactly(1))
        }
    }
}

fn owner(owner: Option<&Owner>) -> (Option<&str>, Option<&str>) {
    (owner.map(|owner| owner.name.as_str()), owner.and_then(|owner| owner.email.as_deref()))
}

fn insert_version(id_expression: &str, id: crate::Value, version: &NewVersion) -> Unit {
    let sql = format!(
        "INSERT INTO version (credential_id, number, handle, name, title, origin, marker, created_at, expires_at,
        presence) VALUES ({id_expression}, $2, $3, $4, $5, $6, $7, $8, $9, 'listed')"
    );
    let mut values = vec![id];
    values.extend(values![
        version.number.0,
        version.handle.as_str(),
        &version.name,
        &version.title,
        origin_word(version.origin),
        version.marker.as_ref().map(Marker::as_str),
        version.created_at,
        version.expires_at
    ]);
    Unit::new().run(sql, values, Rows::Exactly(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listing may show thousands of versions that bear our marks and that we do not know.
    #[test]
    fn the_credential_of_a_rotation_is_found_without_reading_the_journal() {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let db = Db::in_memory().unwrap();
            let plan = format!("EXPLAIN QUERY PLAN {OF_ROTATION}");
            let steps = db.rows(&plan, values!["r1"], |row| row.get::<String>(3)).await.unwrap();
            assert!(steps.iter().any(|step| step.contains("journal_rotation")), "{steps:?}");
        });
    }
}
