//! What befalls the commits of a database that lives in memory: how a simulation lets the disk fail.

use std::{fmt::Debug, future};

use crate::{Fault, WriteError};

/// Asked once before each commit.
pub trait Fates: Send + Sync + Debug {
    fn next(&self) -> Fate;
}

/// One commit's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Commits,
    /// Nothing is applied, and the caller is told.
    Refused(Fault),
    /// All of it is applied, and the caller is told that it was not: a sync that failed after the disk had it.
    AppliedUnheard(Fault),
    /// The process dies before: nothing is applied, and nobody is told anything.
    DiesBefore,
    /// The process dies after: it is applied, and nobody is told.
    DiesAfter,
}

impl Fate {
    /// A caller who is never told waits for ever, until the simulation drops it.
    pub(crate) async fn befall(self, commit: impl FnOnce() -> Result<(), WriteError>) -> Result<(), WriteError> {
        match self {
            Self::Commits => commit(),
            Self::Refused(fault) => Err(fault.into()),
            Self::AppliedUnheard(fault) => commit().and(Err(fault.into())),
            Self::DiesBefore => future::pending().await,
            Self::DiesAfter => {
                drop(commit());
                future::pending().await
            }
        }
    }
}
