//! On what it rests that a version is dead.

use std::fmt;

/// Weakest last. An account of a leak tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathEvidence {
    /// Gone by the platform's record where there is one, and refused when it was tried.
    Refused,
    /// Gone by the platform's record. Its secret was never held, so nothing could try it.
    Record,
    /// Past its end by the platform's own date, its secret never held.
    Expired,
    /// A named person says so; the platform keeps no record, and its secret was never held.
    Word,
}

impl DeathEvidence {
    pub const ALL: [Self; 4] = [Self::Refused, Self::Record, Self::Expired, Self::Word];

    /// For the database and for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Record => "record",
            Self::Expired => "expired",
            Self::Word => "word",
        }
    }
}

impl fmt::Display for DeathEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Record => "gone from the platform's record",
            Self::Expired => "past its end, by the platform's own date",
            Self::Word => "on a person's word alone: its secret was never held, and the platform keeps no record",
        })
    }
}
