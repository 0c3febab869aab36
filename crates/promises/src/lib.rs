//! The promises of the design, written once, as checks over an [`Account`] of what happened. Tests only.
//!
//! An account is told from outside: by the platform's own records, by consumers, by the journal as it lies on the disk.
//! Whoever plays a world fills in what it can see, and leaves the rest empty; a check says nothing of what it was not
//! told. So the same checks serve the simulated world, the real drivers on their twins, the binary that is killed, and
//! the contract suite. They ask nothing of any of them: data in, breaches out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "everything here is a test")]

mod account;
mod always;
mod at_rest;
#[cfg(test)]
mod tests;
mod twin;

use std::fmt;

pub use account::{Account, Effect, Line, Policy, Record, Served, Use, Verb, Version, Who, Word};
pub use always::always;
pub use at_rest::{at_rest, quiet_at_rest};
pub use twin::{Reading, use_path};

/// Named and numbered as the design names them, and two that make the others worth something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    NeverWithoutAWorkingCredential,
    NothingLost,
    NeverTheWrongPlace,
    NeverRemovedInUse,
    NeverTouched,
    NeverMoreThanTheIssuerAllows,
    DeadMeansProvedDead,
    SmallBlastRadius,
    PeoplesSteps,
    Evidence,
    SecretsStaySecret,
    /// Once faults end, everything reaches its goal within a bound.
    Liveness,
    /// At its goal, the engine changes nothing.
    QuietAtRest,
}

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub promise: Promise,
    pub words: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.words)
    }
}

/// What a check found, in one place.
#[derive(Debug, Default)]
struct Breaches(Vec<Breach>);

impl Breaches {
    fn push(&mut self, promise: Promise, words: String) {
        self.0.push(Breach { promise, words });
    }

    fn unless(&mut self, holds: bool, promise: Promise, words: impl FnOnce() -> String) {
        if !holds {
            self.push(promise, words());
        }
    }
}
