//! An inventory of any size, written through the database's own functions.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use db::{Access, Change, CredentialFacts, Db, Intent, Journal, NewVersion, NewlyIssued, Outcome};
use domain::{
    Cause, CredentialId, Destination, Duration, Fingerprint, Handle, Marker, Origin, Owner, Reason, RotationId,
    SecretPath, Step, Timestamp, VersionNumber,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use secret::Sealed;

/// Steps that wait for the disk together.
pub(crate) const AT_ONCE: usize = 256;
/// Changes in memory at a time.
const CHUNK: usize = 100_000;
const OLD: VersionNumber = VersionNumber(1);
const NEW: VersionNumber = VersionNumber(2);

/// What a credential of the estate is doing, by its number: of a hundred, two are due, one is in rotation with its
/// successor delivered, and the others rest.
fn age_days(number: usize) -> i64 {
    match number % 100 {
        0 | 1 => 93,
        2 => 95,
        rest => i64::try_from(rest).unwrap_or_default() % 88,
    }
}

pub(crate) fn due(count: usize) -> usize {
    count / 50
}

pub(crate) fn in_rotation(count: usize) -> usize {
    count / 100
}

pub(crate) async fn fill(data_dir: &Path, count: usize, now: Timestamp) -> anyhow::Result<()> {
    let db = Arc::new(Db::open(data_dir, Access::Engine)?);
    for start in (0..count).step_by(CHUNK) {
        let numbers = start..count.min(start + CHUNK);
        let changes: Vec<Change> = numbers.map(|number| met(number, now)).collect::<anyhow::Result<_>>()?;
        db.record("apic", &changes, now).await?;
    }
    let journal = Journal::open(db.clone()).await?;
    stream::iter((2..count).step_by(100))
        .map(|number| rotate(&db, &journal, number, now))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

fn names(number: usize) -> [String; 3] {
    let app = ["billing", "payments", "reporting", "partner-portal"].get(number % 4).copied().unwrap_or_default();
    [format!("customer-{}", number / 50), format!("{app}-{number}"), format!("Credential-for-{app}")]
}

fn credential(number: usize) -> anyhow::Result<CredentialId> {
    Ok(CredentialId::new("apic", names(number).iter().map(String::as_str))?)
}

/// An id in the form that the platform uses, different for each number.
fn uuid(number: usize) -> String {
    let bits = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn met(number: usize, now: Timestamp) -> anyhow::Result<Change> {
    let [org, app, name] = names(number);
    let title = name.replace('-', " ");
    Ok(Change::Met {
        credential: credential(number)?,
        parent: format!("apic/{org}/{app}"),
        facts: CredentialFacts {
            name: name.clone(),
            title: title.clone(),
            locator: format!("{}/{}", uuid(number / 50), uuid(number)),
            owner: Some(Owner { name: "Maria Lind".to_owned(), email: Some(format!("maria.lind@{org}.example")) }),
            parent_enabled: true,
            stray: false,
            name_taken: None,
            kind: String::new(),
            minted_from: None,
            protected: false,
        },
        version: Some(NewVersion {
            number: OLD,
            handle: Handle::parse(&uuid(number + 1))?,
            name,
            title,
            origin: Origin::Found,
            marker: None,
            created_at: now.checked_sub(Duration::from_hours(24 * age_days(number)))?,
            expires_at: None,
        }),
    })
}

/// A rotation up to its overlap, through the journal as the engine goes.
async fn rotate(db: &Db, journal: &Journal, number: usize, now: Timestamp) -> anyhow::Result<()> {
    let [_, _, name] = names(number);
    let path = SecretPath::parse(&format!("apic/{}", credential(number)?.path()))?;
    let destination = Destination { store: "local".into(), path };
    let work = Work::on(db, journal, number, now.checked_sub(Duration::from_hours(48))?).await?;
    let issued = NewlyIssued {
        number: NEW,
        handle: Handle::parse(&uuid(number + 3))?,
        name: format!("{name}_new"),
        title: name,
        marker: Marker::new(&work.rotation, 1),
        created_at: work.at,
        fingerprint: Fingerprint([7; 32]),
        sealed: Sealed(vec![7; 180]),
        expires_at: None,
        replaces_all: false,
    };
    let to = || destination.clone();
    let fingerprint = Fingerprint([7; 32]);
    let store_version = "1".to_owned();
    let written = Outcome::Written { version: NEW, destination: to(), store_version, replaced: None, fingerprint };
    work.perform(&Step::Issue { from: Some(OLD) }, &Outcome::Issued(Box::new(issued))).await?;
    work.perform(&Step::Write { version: NEW, destination: to() }, &written).await?;
    work.verify().await?;
    let promoted = Outcome::Promoted { destination: to(), written: None };
    work.perform(&Step::Promote { version: NEW, destination: to() }, &promoted).await?;
    work.perform(&Step::Confirm { version: NEW, destination: to() }, &Outcome::Confirmed { destination: to() }).await
}

/// One rotation under way, and the journal that its steps go through.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    journal: &'a Journal,
    id: i64,
    rotation: RotationId,
    at: Timestamp,
}

impl<'a> Work<'a> {
    pub(crate) async fn on(db: &Db, journal: &'a Journal, number: usize, at: Timestamp) -> anyhow::Result<Self> {
        let id = db.entry_id(&credential(number)?).await?.context("no such credential")?;
        Ok(Self { journal, id, rotation: RotationId::new(&uuid(number + 2)), at })
    }

    /// One journaled step: an intent, synced, and an outcome, synced.
    async fn perform(&self, step: &Step, outcome: &Outcome) -> anyhow::Result<()> {
        let opens = matches!(step, Step::Issue { .. });
        let intent = Intent {
            credential_id: self.id,
            rotation: (!opens).then_some(&self.rotation),
            step,
            reason: &Reason::SuccessorIssued,
            now: self.at,
            opens: opens.then_some((&self.rotation, &Cause::Age)),
            reserves: step.destination().map(std::slice::from_ref).unwrap_or_default(),
            live_max: None,
        };
        let ticket = self.journal.begin(&intent).await?;
        Ok(self.journal.finish(&ticket, &intent, &self.rotation, outcome, self.at).await?)
    }

    /// A step that can be repeated for as long as one likes.
    pub(crate) async fn verify(&self) -> anyhow::Result<()> {
        self.perform(&Step::Verify { version: NEW }, &Outcome::Verified { version: NEW }).await
    }
}
