//! The engine and what it is made of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use db::{Db, IssuerView, Issuers, Journal};
use domain::{CredentialId, Duration, FactSheet, RotationId, Timestamp, planted};
use driver::{Issuer, Ports, SecretStore};
use secret::{Context, Keyring};

use crate::Policies;

/// Clocks that differ by less are taken for equal: the platform's `Date` counts whole seconds and travels for a while,
/// and a jitter of that size must not move gates.
const CLOCK_DIFFERENCE_IGNORED: Duration = Duration::from_secs(90);

/// Steps rest on an answer of the issuer that is no older than this, as they do on proofs: what our clock did since
/// nobody has compared.
const HEARD_WITHIN: Duration = planner::PROOF_AGE_MAX;

/// What an engine is built from. Drivers come in as values: the engine cannot name one.
#[derive(Debug)]
pub struct Parts {
    pub db: Arc<Db>,
    pub journal: Journal,
    pub keyring: Arc<Keyring>,
    pub ports: Ports,
    pub issuers: Vec<ConfiguredIssuer>,
    pub stores: BTreeMap<String, Arc<dyn SecretStore>>,
    pub policies: Arc<dyn Policies>,
}

/// An issuer by its name in the configuration.
#[derive(Debug)]
pub struct ConfiguredIssuer {
    pub name: String,
    pub driver: Arc<dyn Issuer>,
    /// The driver's, with what the configuration overrides.
    pub facts: FactSheet,
}

#[derive(Debug)]
pub struct Engine {
    pub(crate) db: Arc<Db>,
    pub(crate) journal: Journal,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) ports: Ports,
    pub(crate) issuers: BTreeMap<String, IssuerHandle>,
    pub(crate) stores: BTreeMap<String, Arc<dyn SecretStore>>,
    pub(crate) policies: Arc<dyn Policies>,
}

/// One configured issuer with its facts and its clock.
#[derive(Debug)]
pub struct IssuerHandle {
    pub name: String,
    pub driver: Arc<dyn Issuer>,
    pub facts: FactSheet,
    /// Its clock less ours, in microseconds, as last seen.
    offset: AtomicI64,
    /// When it was last heard, by our clock, in microseconds.
    heard_at: AtomicI64,
}

impl IssuerHandle {
    pub(crate) fn offset(&self) -> Duration {
        Duration::from_micros(self.offset.load(Ordering::Relaxed))
    }

    /// Notes that it was asked and answered. An answer that took as long as a proof may be old, or that came before its
    /// question, says that our clock was moved meanwhile, or as little as that.
    pub(crate) fn heard(&self, (asked_at, told_at): (Timestamp, Timestamp)) {
        if is_within(HEARD_WITHIN, told_at.duration_since(asked_at)) {
            self.heard_at.store(told_at.as_microsecond(), Ordering::Relaxed);
        }
    }

    /// Whether the time that we take for its own rests on an answer of the last half hour. Our clock alone may have been
    /// set forward or back since.
    pub(crate) fn was_heard(&self, ours: Timestamp) -> bool {
        let heard_at = Timestamp::from_microsecond(self.heard_at.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
        is_within(HEARD_WITHIN, ours.duration_since(heard_at))
    }

    /// Takes the issuer's own clock as the time for everything about its credentials. It read `theirs` at some moment
    /// between our asking and its answer, so an answer that took long says little: what we believed stands as long as
    /// it can be true.
    pub(crate) fn set_clock(&self, theirs: Timestamp, (asked_at, told_at): (Timestamp, Timestamp)) {
        let (first, last) = (asked_at.min(told_at), asked_at.max(told_at));
        let believed = self.offset();
        let mut told = believed.clamp(theirs.duration_since(last), theirs.duration_since(first));
        if planted("slow_answer_believed") {
            told = theirs.duration_since(last);
        }
        let offset = if told.abs() < CLOCK_DIFFERENCE_IGNORED {
            Duration::ZERO
        } else if told.saturating_sub(believed).abs() < CLOCK_DIFFERENCE_IGNORED {
            believed
        } else {
            told
        };
        self.offset.store(i64::try_from(offset.as_micros()).unwrap_or_default(), Ordering::Relaxed);
    }
}

fn is_within(most: Duration, took: Duration) -> bool {
    (Duration::ZERO..=most).contains(&took)
}

impl Engine {
    /// # Errors
    /// Those of the database: what was observed earlier is read back.
    pub async fn new(parts: Parts) -> Result<Self, db::ReadError> {
        let states: HashMap<String, Duration> =
            parts.db.issuer_states().await?.into_iter().map(|state| (state.issuer, state.clock_offset)).collect();
        let handle = |configured: ConfiguredIssuer| {
            let ConfiguredIssuer { name, driver, facts } = configured;
            let offset = states.get(&name).copied().unwrap_or_default();
            let offset = AtomicI64::new(i64::try_from(offset.as_micros()).unwrap_or_default());
            let heard_at = AtomicI64::new(Timestamp::MIN.as_microsecond());
            (name.clone(), IssuerHandle { name, driver, facts, offset, heard_at })
        };
        Ok(Self {
            db: parts.db,
            journal: parts.journal,
            keyring: parts.keyring,
            ports: parts.ports,
            issuers: parts.issuers.into_iter().map(handle).collect(),
            stores: parts.stores,
            policies: parts.policies,
        })
    }

    pub fn issuers(&self) -> impl Iterator<Item = &IssuerHandle> {
        self.issuers.values()
    }

    /// One credential, fresh from the database; `None` when its issuer is not configured.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn entry(&self, id: i64) -> Result<Option<db::Entry>, db::ReadError> {
        self.db.entry(id, &self.views()).await
    }

    /// The time that counts for an issuer's credentials: its own.
    pub(crate) fn now(&self, issuer: &IssuerHandle) -> Timestamp {
        self.ports.clock.now().saturating_add(issuer.offset()).unwrap_or(Timestamp::MAX)
    }

    /// Facts of all configured issuers, for reading the inventory.
    pub(crate) fn views(&self) -> Issuers {
        self.issuers
            .values()
            .map(|issuer| {
                let view = IssuerView { facts: issuer.facts.clone(), now: self.now(issuer) };
                (issuer.name.clone(), view)
            })
            .collect()
    }

    /// A rotation id that sorts by time and is unlike any other.
    pub(crate) fn new_rotation(&self) -> RotationId {
        let millis = u64::try_from(self.ports.clock.now().as_millisecond()).unwrap_or_default();
        let mut random = [0; 10];
        let words = [self.ports.entropy.next().to_le_bytes(), self.ports.entropy.next().to_le_bytes()];
        for (slot, byte) in random.iter_mut().zip(words.as_flattened()) {
            *slot = *byte;
        }
        RotationId::new(&uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().simple().to_string())
    }
}

/// What a sealed version is bound to.
pub fn sealed_as(credential: &CredentialId, version: domain::VersionNumber) -> Context<'_> {
    Context { kind: "version", record: credential.as_str(), version: version.0 }
}
