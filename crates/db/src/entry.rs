//! Reading the inventory as the planner wants it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    Acknowledgement, CredentialId, Delivery, Destination, Drift, FactSheet, Handle, Hold, Observed, Owner, Parent,
    Rotation, RotationId, SecretPath, Slots, Task, Timestamp, Trouble, Usage, Version, VersionNumber, Waiver, planted,
};

use crate::{
    Db, ReadError, Row, Snapshot, Value, values,
    words::{parse_ask, parse_cause, parse_drifted, parse_origin, parse_presence},
};

/// One credential with what only the database and the driver know of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: i64,
    /// The driver's own words for where it lives.
    pub locator: String,
    /// Its issuer's time at the reading.
    pub now: Timestamp,
    pub observed: Observed,
}

/// Facts and time of each configured issuer. Credentials of issuers that are not in it are left out of every reading:
/// they are no longer configured.
pub type Issuers = HashMap<String, IssuerView>;

#[derive(Debug, Clone)]
pub struct IssuerView {
    pub facts: FactSheet,
    /// Its time, by which its credentials are planned.
    pub now: Timestamp,
}

const COLUMNS: &str = "SELECT c.id, c.credential, c.issuer, c.name, c.title, c.locator, c.owner_name, c.owner_email,
    c.parent_enabled, c.stray, c.name_taken, c.hold_by, c.hold_reason, c.hold_since,
    c.request_cause, c.request_by, c.request_reason,
    c.rotation_id, c.rotation_cause, c.rotation_by, c.rotation_reason, c.rotation_started_at, c.rotation_from,
    c.rotation_to, c.attempts, c.retry_at, c.error, c.parked, c.kind, c.protected,
    v.number, v.handle, v.name, v.title, v.origin, v.created_at, v.presence, v.verified_at, v.revoked_at, v.dead_at,
    v.last_used_at, v.usage_known_through, v.usage_asked_at, v.sealed IS NOT NULL, v.expires_at, v.disabled_at,
    v.delivered_at, CASE WHEN c.rotation_id IS NOT NULL AND v.number IN (c.rotation_from, c.rotation_to) THEN (
        SELECT min(j.begun_at) FROM journal j WHERE j.credential_id = c.id AND j.version = v.number
            AND j.step IN ('disable', 'enable') AND j.phase = 'settled' AND j.id > coalesce((
                SELECT max(k.id) FROM journal k WHERE k.credential_id = c.id AND k.version = v.number
                    AND k.step IN ('disable', 'enable') AND k.phase = 'done'), 0)) END
    FROM credential c LEFT JOIN version v ON v.credential_id = c.id";
const VERSION_COLUMN: usize = 30;

const DELIVERIES: &str = "SELECT d.credential_id, d.store, d.path, d.written_at, d.promoted_at, d.confirmed_at,
    d.first_confirmed_at FROM delivery d JOIN credential c ON c.id = d.credential_id AND c.rotation_id = d.rotation_id
    AND c.rotation_to = d.version";

/// Words of people and consumers, and what inspections found, in one reading: most credentials have none of them.
const EVIDENCE: &str = "SELECT * FROM (
    SELECT t.credential_id AS id, 'task' AS kind, t.ask AS what, '' AS who, '' AS why, t.version AS version,
        t.asked_at AS at, t.due_at AS until FROM task t
        JOIN credential c ON c.id = t.credential_id AND c.rotation_id = t.rotation_id WHERE t.ended_at IS NULL
    UNION ALL SELECT credential_id, 'acknowledgement', consumer, '', '', version, at, at FROM acknowledgement
    UNION ALL SELECT credential_id, 'waiver', consumer, who, reason, NULL, until, until FROM waiver
    UNION ALL SELECT t.credential_id, 'told', t.consumer, '', '', NULL, t.at, t.at FROM told t
        JOIN credential c ON c.id = t.credential_id AND c.rotation_id = t.rotation_id
    UNION ALL SELECT credential_id, 'drift', store, path, what, NULL, seen_at, seen_at FROM drift) AS evidence";

/// Since when the credential from which another one is minted has had the version that it has: until its first promotion
/// a successor mints nothing. While it turns, its successor counts only once nothing else of it lives, nor does what a
/// person has made and not handed over.
const TURNS: &str = "SELECT c.id, coalesce(max(CASE WHEN v.number IS DISTINCT FROM p.rotation_to
        AND (p.rotation_id IS NULL OR v.number <= p.rotation_from) THEN v.since END), max(v.since))
    FROM credential c JOIN credential p ON p.credential = c.minted_from JOIN (
        SELECT *, coalesce((SELECT min(d.promoted_at) FROM delivery d
            WHERE d.credential_id = version.credential_id AND d.version = version.number), created_at) AS since
        FROM version
    ) v ON v.credential_id = p.id
    WHERE c.minted_from IS NOT NULL AND v.revoked_at IS NULL AND v.presence = 'listed' AND v.origin <> 'orphan'";

/// A mistake: both halves of a pair turn in one window.
const TURNS_AT_THE_ISSUE: &str = "SELECT c.id, max(v.created_at) FROM credential c
    JOIN credential p ON p.credential = c.minted_from JOIN version v ON v.credential_id = p.id
    WHERE c.minted_from IS NOT NULL AND v.revoked_at IS NULL AND v.presence = 'listed' AND v.origin <> 'orphan'";

impl Db {
    /// One credential by its row, fresh from the database.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn entry(&self, id: i64, issuers: &Issuers) -> Result<Option<Entry>, ReadError> {
        let mut assembler = Assembler::new(issuers);
        let deliveries = format!("{DELIVERIES} WHERE c.id = $1");
        self.rows(&deliveries, values![id], |row| assembler.delivery(row)).await?;
        self.rows(&format!("{EVIDENCE} WHERE id = $1"), values![id], |row| assembler.evidence(row)).await?;
        let turns = if planted("two_halves_in_one_window") { TURNS_AT_THE_ISSUE } else { TURNS };
        self.rows(&format!("{turns} AND c.id = $1 GROUP BY c.id"), values![id], |row| assembler.turn(row)).await?;
        let mut entries = Vec::new();
        let versions = format!("{COLUMNS} WHERE c.id = $1 ORDER BY c.id, v.number");
        self.rows(&versions, values![id], |row| {
            entries.extend(assembler.row(row)?);
            Ok(())
        })
        .await?;
        entries.extend(assembler.take());
        let mut entry = entries.pop();
        if let Some(entry) = &mut entry {
            entry.observed.slots = self.slots(id).await?;
        }
        Ok(entry)
    }

    /// The rows of all credentials with this identifier: one, or none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn entry_id(&self, credential: &CredentialId) -> Result<Option<i64>, ReadError> {
        let sql = "SELECT id FROM credential WHERE credential = $1";
        self.row(sql, values![credential.as_str()], |row| row.get(0)).await
    }

    /// Streams the whole inventory in the order of the rows, blocking the thread. Memory stays flat but for what is in
    /// rotation. `each` must not call the database.
    ///
    /// # Errors
    /// Those of the database.
    pub fn scan_entries(&self, issuers: &Issuers, mut each: impl FnMut(Entry)) -> Result<(), ReadError> {
        self.snapshot(|snapshot: &Snapshot<'_>| {
            let mut assembler = Assembler::new(issuers);
            snapshot.scan(DELIVERIES, values![], |row| assembler.delivery(row))?;
            snapshot.scan(EVIDENCE, values![], |row| assembler.evidence(row))?;
            let turns = if planted("two_halves_in_one_window") { TURNS_AT_THE_ISSUE } else { TURNS };
            snapshot.scan(&format!("{turns} GROUP BY c.id"), values![], |row| assembler.turn(row))?;
            if issuers.values().any(limits) {
                snapshot.scan(SLOTS_BY_PARENT, values![], |row| assembler.slots(row))?;
            }
            let sql = format!("{COLUMNS} ORDER BY c.id, v.number");
            snapshot.scan(&sql, values![], |row| {
                if let Some(entry) = assembler.row(row)? {
                    each(entry);
                }
                Ok(())
            })?;
            if let Some(entry) = assembler.take() {
                each(entry);
            }
            Ok(())
        })
    }

    async fn slots(&self, id: i64) -> Result<Slots, ReadError> {
        let used = self.row(SLOTS_OF_ONE, values![id], |row| row.get(0)).await?;
        Ok(Slots { used: used.unwrap_or(0) })
    }
}

const SLOTS_OF_ONE: &str = "SELECT count(*) FROM credential mine JOIN credential c ON c.parent = mine.parent
    JOIN version v ON v.credential_id = c.id
    WHERE mine.id = $1 AND v.revoked_at IS NULL AND v.presence NOT IN ('gone', 'prepared')";

const SLOTS_BY_PARENT: &str = "SELECT c.id, siblings.used FROM credential c JOIN (
        SELECT p.parent AS parent, count(*) AS used FROM credential p JOIN version v ON v.credential_id = p.id
        WHERE v.revoked_at IS NULL AND v.presence NOT IN ('gone', 'prepared') GROUP BY p.parent
    ) siblings ON siblings.parent = c.parent";

fn limits(view: &IssuerView) -> bool {
    view.facts.all().any(|facts| facts.live_max().is_some())
}

#[derive(Default)]
struct Evidence {
    task: Option<Task>,
    acknowledged: Vec<Acknowledgement>,
    waivers: Vec<Waiver>,
    told: Vec<Arc<str>>,
    drift: Vec<Drift>,
}

/// Joins rows of credential × version, in their order, into entries.
struct Assembler<'a> {
    issuers: &'a Issuers,
    deliveries: BTreeMap<i64, Vec<Delivery>>,
    used_slots: BTreeMap<i64, u32>,
    evidence: BTreeMap<i64, Evidence>,
    turns: BTreeMap<i64, Timestamp>,
    /// The issuer of the row before: whole stretches of rows have the same.
    issuer: Option<(&'a str, &'a IssuerView)>,
    open: Option<Entry>,
}

impl<'a> Assembler<'a> {
    fn new(issuers: &'a Issuers) -> Self {
        Self {
            issuers,
            deliveries: BTreeMap::new(),
            used_slots: BTreeMap::new(),
            evidence: BTreeMap::new(),
            turns: BTreeMap::new(),
            issuer: None,
            open: None,
        }
    }

    fn delivery(&mut self, row: &Row<'_>) -> Result<(), ReadError> {
        let destination = Destination { store: row.get::<&str>(1)?.into(), path: row.parse(2, SecretPath::parse)? };
        self.deliveries.entry(row.get(0)?).or_default().push(Delivery {
            destination,
            written_at: row.get(3)?,
            promoted_at: row.get(4)?,
            confirmed_at: row.get(5)?,
            first_confirmed_at: row.get(6)?,
        });
        Ok(())
    }

    fn slots(&mut self, row: &Row<'_>) -> Result<(), ReadError> {
        self.used_slots.insert(row.get(0)?, row.get(1)?);
        Ok(())
    }

    fn evidence(&mut self, row: &Row<'_>) -> Result<(), ReadError> {
        let of = self.evidence.entry(row.get(0)?).or_default();
        let name: &str = row.get(2)?;
        let version = row.get::<Option<u32>>(5)?.map(VersionNumber);
        match row.get(1)? {
            "task" => {
                let ask = row.parse(2, |word| parse_ask(word, version))?;
                of.task = Some(Task { ask, asked_at: row.get(6)?, due_at: row.get(7)? });
            }
            "acknowledgement" => of.acknowledged.push(Acknowledgement {
                consumer: name.into(),
                version: version.unwrap_or(VersionNumber(0)),
                at: row.get(6)?,
            }),
            "waiver" => of.waivers.push(Waiver {
                consumer: (!name.is_empty()).then(|| name.into()),
                by: row.get(3)?,
                reason: row.get(4)?,
                until: row.get(6)?,
            }),
            "told" => of.told.push(name.into()),
            _ => of.drift.push(Drift {
                destination: Destination { store: name.into(), path: row.parse(3, SecretPath::parse)? },
                what: row.parse(4, parse_drifted)?,
                seen_at: row.get(6)?,
            }),
        }
        Ok(())
    }

    fn turn(&mut self, row: &Row<'_>) -> Result<(), ReadError> {
        if let Some(at) = row.get(1)? {
            self.turns.insert(row.get(0)?, at);
        }
        Ok(())
    }

    /// Takes one row; answers the entry before it when the row begins another one.
    fn row(&mut self, row: &Row<'_>) -> Result<Option<Entry>, ReadError> {
        let id: i64 = row.get(0)?;
        let mut finished = None;
        if self.open.as_ref().is_none_or(|open| open.id != id) {
            finished = self.open.take();
            self.open = self.credential(id, row)?;
        }
        if let Some(open) = &mut self.open
            && row.get::<Option<u32>>(VERSION_COLUMN)?.is_some()
        {
            open.observed.versions.push(version(row)?);
        }
        Ok(finished)
    }

    fn take(&mut self) -> Option<Entry> {
        self.open.take()
    }

    fn credential(&mut self, id: i64, row: &Row<'_>) -> Result<Option<Entry>, ReadError> {
        let Some(view) = self.view(row.get(2)?) else { return Ok(None) };
        let evidence = self.evidence.remove(&id).unwrap_or_default();
        let observed = Observed {
            credential: row.parse(1, CredentialId::parse)?,
            facts: view.facts.of(row.get(28)?).clone(),
            name: row.get(3)?,
            title: row.get(4)?,
            owner: owner_at(row, 6)?,
            parent: if row.get(8)? { Parent::Enabled } else { Parent::Disabled },
            stray: row.get(9)?,
            name_taken: row.get(10)?,
            protected: row.get(29)?,
            hold: hold(row)?,
            requested: cause(row, 14)?,
            rotation: self.rotation(id, row)?,
            task: evidence.task,
            acknowledged: evidence.acknowledged,
            waivers: evidence.waivers,
            told: evidence.told,
            drift: evidence.drift,
            parent_turned_at: self.turns.remove(&id),
            slots: Slots { used: self.used_slots.get(&id).copied().unwrap_or_default() },
            trouble: Trouble {
                attempts: row.get(24)?,
                retry_at: row.get(25)?,
                last_error: row.get(26)?,
                parked: row.get(27)?,
            },
            versions: Vec::with_capacity(1),
        };
        Ok(Some(Entry { id, locator: row.get(5)?, now: view.now, observed }))
    }

    fn view(&mut self, issuer: &str) -> Option<&'a IssuerView> {
        if let Some((_, view)) = self.issuer.filter(|(name, _)| *name == issuer) {
            return Some(view);
        }
        let (name, view) = self.issuers.get_key_value(issuer)?;
        self.issuer = Some((name, view));
        Some(view)
    }

    fn rotation(&mut self, id: i64, row: &Row<'_>) -> Result<Option<Rotation>, ReadError> {
        let Some(rotation) = row.get::<Option<&str>>(17)?.map(RotationId::new) else { return Ok(None) };
        let Some(cause) = cause(row, 18)? else { return Ok(None) };
        Ok(Some(Rotation {
            id: rotation,
            cause,
            started_at: row.get(21)?,
            from: row.get::<Option<u32>>(22)?.map(VersionNumber),
            to: row.get::<Option<u32>>(23)?.map(VersionNumber),
            deliveries: self.deliveries.remove(&id).unwrap_or_default(),
        }))
    }
}

/// Name and e-mail of the owner, in two neighbouring columns.
pub(crate) fn owner_at(row: &Row<'_>, column: usize) -> Result<Option<Owner>, ReadError> {
    let Some(name) = row.get(column)? else { return Ok(None) };
    Ok(Some(Owner { name, email: row.get(column + 1)? }))
}

fn hold(row: &Row<'_>) -> Result<Option<Hold>, ReadError> {
    let Some(since) = row.get(13)? else { return Ok(None) };
    let (by, reason): (Option<String>, Option<String>) = (row.get(11)?, row.get(12)?);
    Ok(Some(Hold { by: by.unwrap_or_default(), reason: reason.unwrap_or_default(), since }))
}

fn cause(row: &Row<'_>, column: usize) -> Result<Option<domain::Cause>, ReadError> {
    if row.get::<Option<&str>>(column)?.is_none() {
        return Ok(None);
    }
    let (by, reason) = (row.get(column + 1)?, row.get(column + 2)?);
    row.parse(column, |word| parse_cause(word, by, reason)).map(Some)
}

fn version(row: &Row<'_>) -> Result<Version, ReadError> {
    let at = |column: usize| VERSION_COLUMN + column;
    Ok(Version {
        number: VersionNumber(row.get(at(0))?),
        handle: row.parse(at(1), Handle::parse)?,
        name: row.get(at(2))?,
        title: row.get(at(3))?,
        origin: row.parse(at(4), parse_origin)?,
        created_at: row.get(at(5))?,
        presence: row.parse(at(6), parse_presence)?,
        verified_at: row.get(at(7))?,
        revoked_at: row.get(at(8))?,
        dead_at: row.get(at(9))?,
        usage: Usage { last_used: row.get(at(10))?, known_through: row.get(at(11))?, asked_at: row.get(at(12))? },
        secret_held: row.get(at(13))?,
        expires_at: row.get(at(14))?,
        disabled_at: row.get(at(15))?,
        delivered_at: row.get(at(16))?,
        switch_in_doubt: row.get(at(17))?,
    })
}

/// For the parameters of statements that take an optional version.
pub(crate) fn number(version: Option<VersionNumber>) -> Value {
    version.map(|version| version.0).into()
}
