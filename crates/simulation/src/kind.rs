//! Synthetic issuers: what is true of one credential's platform, and nothing but facts.

use domain::{Duration, Ending, Idempotency, IssuerFacts, Minting, Overlap, Performer};
use twin::Random;

/// The driver's word for the kind of each credential: every one has facts of its own.
pub(crate) const KINDS: [&str; 6] = ["k0", "k1", "k2", "k3", "k4", "k5"];

/// The facts of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    pub facts: IssuerFacts,
    /// How long a version lives before the platform ends it by itself.
    pub life: Option<Duration>,
    /// The credential with which this one is minted.
    pub minted_from: Option<usize>,
    /// An integration of the platform's own depends on it.
    pub protected: bool,
    /// Whether a listing shows our marker although it is not needed for settling.
    pub shows_marks: bool,
}

/// The four kinds of platform, in the order of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Overlap,
    Replace,
    Mint,
    Assisted,
}

impl Kind {
    pub fn new(facts: IssuerFacts) -> Self {
        Self { facts, life: None, minted_from: None, protected: false, shows_marks: false }
    }

    pub(crate) fn shows_marks(&self) -> bool {
        self.shows_marks || self.facts.idempotency == Idempotency::FindByMarker
    }

    pub(crate) fn replaces(&self) -> bool {
        self.facts.overlap == Overlap::Replace
    }

    pub(crate) fn by_us(&self) -> bool {
        self.facts.minting == Minting::ByUs
    }

    pub(crate) fn expires(&self) -> bool {
        self.facts.ending == Ending::Expires
    }

    /// Whether people have to do a part of it.
    pub(crate) fn is_assisted(&self) -> bool {
        self.facts.issued_by == Performer::Person || self.facts.ending == Ending::ByPerson
    }

    /// What a family is like where nothing else is said: the others' choices lie in [`Kind::random`].
    pub fn plain(family: Family, propagation: Duration) -> Self {
        let facts = IssuerFacts::overlapping(propagation);
        match family {
            Family::Overlap => Self::new(facts),
            Family::Replace => Self::new(IssuerFacts {
                minting: Minting::ByUs,
                overlap: Overlap::Replace,
                idempotency: Idempotency::None,
                ..facts
            }),
            Family::Mint => {
                let life = Some(Duration::from_hours(24 * 10));
                Self { life, ..Self::new(IssuerFacts { ending: Ending::Expires, ..facts }) }
            }
            Family::Assisted => Self::new(IssuerFacts {
                issued_by: Performer::Person,
                ending: Ending::ByPerson,
                idempotency: Idempotency::None,
                ..facts
            }),
        }
    }

    /// One of a family, with everything that may differ within it.
    pub(crate) fn random(random: &mut Random, family: Family, pause: Duration) -> Self {
        let propagation = Duration::from_secs([0, 5, 300, 3600][random.below(4) as usize]);
        let mut kind = Self::plain(family, propagation);
        let one_in = |random: &mut Random, of: u64| random.below(of) == 0;
        let facts = &mut kind.facts;
        facts.usage = one_in(random, 2);
        kind.shows_marks = one_in(random, 2);
        let idempotency = [Idempotency::ClientToken, Idempotency::FindByMarker, Idempotency::None];
        match family {
            Family::Overlap => {
                facts.idempotency = idempotency[random.below(3) as usize];
                facts.minting = if one_in(random, 3) { Minting::ByUs } else { Minting::ByIssuer };
                facts.disable = one_in(random, 2);
                facts.names = facts.idempotency == Idempotency::FindByMarker && one_in(random, 2);
                kind.life = one_in(random, 5).then(|| (pause * 12).max(Duration::from_hours(24 * 15)));
            }
            Family::Replace => {
                facts.minting = if one_in(random, 4) { Minting::ByIssuer } else { Minting::ByUs };
                facts.idempotency = idempotency[random.below(3) as usize];
                facts.lists_versions = one_in(random, 2);
            }
            Family::Mint => {
                facts.idempotency = idempotency[random.below(3) as usize];
                facts.lists_versions = one_in(random, 2);
                // Tokens that live for hours work at once, or nobody could live with them.
                facts.propagation = propagation.min(Duration::from_mins(5));
                let hours = [12, 24, 24 * 10][random.below(3) as usize];
                kind.life = Some(Duration::from_hours(hours).max(pause * 12));
            }
            Family::Assisted => {
                match random.below(4) {
                    0 => facts.issued_by = Performer::Machine,
                    1 => facts.ending = Ending::Revoked,
                    _ => {}
                }
                if facts.issued_by == Performer::Machine {
                    facts.idempotency = idempotency[random.below(2) as usize];
                }
                if facts.issued_by == Performer::Person && facts.ending == Ending::ByPerson && one_in(random, 4) {
                    facts.overlap = Overlap::Replace;
                    facts.ending = Ending::Revoked;
                }
                facts.disable = one_in(random, 4) && facts.overlap != Overlap::Replace;
            }
        }
        if facts.overlap == Overlap::Replace {
            facts.usage = false;
        }
        kind
    }
}
