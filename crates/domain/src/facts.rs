//! What is true of an issuer, as plain data. The planner reads facts and never asks which platform it is.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;

/// The facts of one configured issuer: of most of its credentials, and of the kinds that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactSheet {
    pub main: Arc<IssuerFacts>,
    /// Under the driver's word for the kind; the empty word is `main`.
    pub kinds: BTreeMap<&'static str, Arc<IssuerFacts>>,
}

impl FactSheet {
    pub fn new(main: IssuerFacts, kinds: impl IntoIterator<Item = (&'static str, IssuerFacts)>) -> Self {
        let kinds = kinds.into_iter().map(|(kind, facts)| (kind, Arc::new(facts))).collect();
        Self { main: Arc::new(main), kinds }
    }

    /// A kind that the driver knows no more is taken for the main one.
    pub fn of(&self, kind: &str) -> &Arc<IssuerFacts> {
        self.kinds.get(kind).unwrap_or(&self.main)
    }

    pub fn all(&self) -> impl Iterator<Item = &IssuerFacts> {
        self.kinds.values().chain([&self.main]).map(AsRef::as_ref)
    }

    /// As configuration overrides it.
    #[must_use]
    pub fn with_propagation(self, propagation: SignedDuration) -> Self {
        let with = |facts: &IssuerFacts| IssuerFacts { propagation, ..facts.clone() };
        Self::new(with(&self.main), self.kinds.iter().map(|(kind, facts)| (*kind, with(facts))))
    }
}

impl From<IssuerFacts> for FactSheet {
    fn from(main: IssuerFacts) -> Self {
        Self::new(main, [])
    }
}

/// Facts of one kind of credential at one configured issuer. A driver declares them; configuration may override
/// `propagation`. Start from [`IssuerFacts::overlapping`] and say what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFacts {
    pub minting: Minting,
    pub overlap: Overlap,
    pub idempotency: Idempotency,
    /// Who makes a version.
    pub issued_by: Performer,
    pub ending: Ending,
    /// How long until a change holds everywhere: a new version may be refused, and a revoked one accepted, for so long.
    pub propagation: SignedDuration,
    /// Whether versions carry names that people know, so that the successor takes the original's name at the end.
    pub names: bool,
    /// Whether the platform can say who used a version, and when.
    pub usage: bool,
    /// Whether a version can be switched off and on again.
    pub disable: bool,
    /// Whether a listing shows every version there is. Otherwise a version's absence says nothing.
    pub lists_versions: bool,
}

impl IssuerFacts {
    /// The usual platform: it mints on call, keeps the older version alive, carries our marker and revokes on call.
    pub const fn overlapping(propagation: SignedDuration) -> Self {
        Self {
            minting: Minting::ByIssuer,
            overlap: Overlap::Concurrent { live_max: None },
            idempotency: Idempotency::FindByMarker,
            issued_by: Performer::Machine,
            ending: Ending::Revoked,
            propagation,
            names: false,
            usage: false,
            disable: false,
            lists_versions: true,
        }
    }

    /// Whether repeating an issue whose answer was lost brings the same version again.
    pub fn repeats_itself(&self) -> bool {
        self.minting == Minting::ByUs || self.idempotency == Idempotency::ClientToken
    }

    /// How many versions may live under one parent, where the platform limits them.
    pub fn live_max(&self) -> Option<u32> {
        match self.overlap {
            Overlap::Concurrent { live_max } => live_max,
            Overlap::Replace => None,
        }
    }
}

/// Who chooses the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Minting {
    /// The platform, and it shows it once: a lost answer is a lost secret.
    ByIssuer,
    /// We do: it is sealed before the intent, and a lost answer is followed by the same call with the same value.
    ByUs,
}

/// What happens to the old version when a new one is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Both live, up to `live_max` versions under one parent where the platform limits them.
    Concurrent { live_max: Option<u32> },
    /// The old one dies at once: a password, a reset.
    Replace,
}

/// What settles an issue whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// The same request with the same token gets the same answer, secret included.
    ClientToken,
    /// The platform lists our marker with the version: it is found, revoked, and another one is issued.
    FindByMarker,
    /// Nothing does. What appeared meanwhile is not known to be ours, and is never touched.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performer {
    Machine,
    /// A console without an API: a person is asked, and the machine checks.
    Person,
}

/// How a version ends before its successor's turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The driver revokes it.
    Revoked,
    /// A person removes it at the platform.
    ByPerson,
    /// Nothing ends it early; it dies when it expires.
    Expires,
}

/// What a successor's name ends with while both versions live. People who rotate by hand use the same, so they know
/// what they see; and so a name with it that is not ours is a stray.
pub const SUCCESSOR_SUFFIX: &str = "_new";
