//! What is true of an issuer, as plain data. The planner reads facts and never asks which platform it is.

use jiff::SignedDuration;

/// Facts of one configured issuer. A driver declares them; configuration may override `propagation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFacts {
    pub overlap: Overlap,
    /// How long until a change holds everywhere: a new version may be refused, and a revoked one accepted, for so long.
    pub propagation: SignedDuration,
    /// Whether versions carry names that people know, so that the successor takes the original's name at the end.
    pub names: bool,
    /// Whether the platform can say who used a version, and when.
    pub usage: bool,
}

/// What happens to the old version when a new one is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Both live, up to `live_max` versions under one parent where the platform limits them.
    Concurrent { live_max: Option<u32> },
}

/// What a successor's name ends with while both versions live. People who rotate by hand use the same, so they know
/// what they see; and so a name with it that is not ours is a stray.
pub const SUCCESSOR_SUFFIX: &str = "_new";
