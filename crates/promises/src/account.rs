//! What happened, in words that every world can speak.

use std::{collections::BTreeMap, fmt};

use domain::{Duration, Observed, Origin, Phase, Timestamp};

/// Everything that was seen, by the platform's clock. Lists are in the order in which things happened.
#[derive(Default)]
pub struct Account {
    /// Of each credential that somebody asked us to look after, what was asked for.
    pub policies: BTreeMap<String, Policy>,
    /// Every version that the platform has or had.
    pub versions: Vec<Version>,
    /// What we asked the platform to change.
    pub effects: Vec<Effect>,
    /// Calls of consumers.
    pub uses: Vec<Use>,
    /// What readers get now, place by place.
    pub served: Vec<Served>,
    pub journal: Vec<Line>,
    /// Our inventory.
    pub records: Vec<Record>,
    pub words: Vec<Word>,
    /// What was written or printed in clear, each with where.
    pub texts: Vec<(String, String)>,
    pub secrets: Vec<String>,
}

impl fmt::Debug for Account {
    /// Without the secrets, and without what they may stand in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (versions, effects, uses) = (self.versions.len(), self.effects.len(), self.uses.len());
        write!(f, "Account({versions} versions, {effects} effects, {uses} uses, {} steps)", self.journal.len())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Others with the same name prove it for each other.
    pub name: String,
    /// What shares the platform's limit with it.
    pub parent: String,
    pub live_max: Option<usize>,
    /// How long readers must have had the successor before the old version goes.
    pub overlap: Duration,
    /// How long the old version must have been silent. `None`: nobody can tell.
    pub quiet_for: Option<Duration>,
    /// Use that is younger than this cannot be known to us when we act.
    pub unseen: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Us,
    Person,
    /// The platform: it expired, or something else took its place.
    Itself,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub handle: String,
    pub credential: String,
    pub made: (Timestamp, Who),
    pub ended: Option<(Timestamp, Who)>,
    /// Whether a consumer that calls with it now gets in.
    pub accepted: bool,
    /// The platform's own, or somebody else's: never to be touched.
    pub untouchable: bool,
}

impl Version {
    pub fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    /// At a moment. What ended then no longer lived.
    pub fn lived(&self, at: Timestamp) -> bool {
        self.made.0 <= at && self.ended.is_none_or(|(ended, _)| ended > at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Issue,
    Revoke,
    Rename,
}

impl Verb {
    /// Steps of the journal that may have this effect.
    pub fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Issue => &["issue"],
            Self::Revoke => &["revoke", "prove_dead"],
            Self::Rename => &["rename"],
        }
    }
}

/// A request of ours that the platform may have carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub at: Timestamp,
    pub verb: Verb,
    /// `None` for one that makes a version.
    pub version: Option<String>,
    /// It was answered that nothing was done.
    pub refused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub at: Timestamp,
    /// Who calls, among those that read at this place.
    pub consumer: String,
    pub place: String,
    pub credential: String,
    /// The version that it called with. `None`: what it had is no version's secret.
    pub version: Option<String>,
    pub accepted: bool,
    /// It had just read it.
    pub fresh: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub place: String,
    pub credential: String,
    /// `None`: what is there is no version's secret.
    pub version: Option<String>,
}

/// One journaled step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub entry: i64,
    pub credential: String,
    pub step: String,
    pub version: Option<u32>,
    pub phase: Phase,
}

/// One version as our inventory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub credential: String,
    pub number: u32,
    pub handle: String,
    pub orphan: bool,
    pub secret_held: bool,
    pub revoked: bool,
    pub dead: bool,
}

impl Record {
    pub fn all(observed: &Observed) -> impl Iterator<Item = Self> {
        observed.versions.iter().map(|version| Self {
            credential: observed.credential.to_string(),
            number: version.number.0,
            handle: version.handle.to_string(),
            orphan: version.origin == Origin::Orphan,
            secret_held: version.secret_held,
            revoked: version.revoked_at.is_some(),
            dead: version.dead_at.is_some(),
        })
    }
}

/// What people said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Between these moments nothing of it is to change.
    Held { credential: String, since: Timestamp, until: Option<Timestamp> },
    /// Known to others: it goes as soon as its successor is everywhere.
    Compromised { credential: String },
    /// Evidence is done without, on somebody's word.
    Waived { credential: String },
}

impl Account {
    pub fn version(&self, handle: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.handle == handle)
    }

    pub fn record(&self, handle: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.handle == handle)
    }

    /// Somebody took the evidence for the end of the old version upon themselves.
    pub(crate) fn is_waived(&self, credential: &str) -> bool {
        self.words.iter().any(|word| match word {
            Word::Compromised { credential: said } | Word::Waived { credential: said } => said == credential,
            Word::Held { .. } => false,
        })
    }

    pub(crate) fn is_compromised(&self, credential: &str) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Compromised { credential: said } if said == credential))
    }
}
