//! Switching a version off and on again: the reversible half of ending it.

use db::Outcome;
use domain::VersionNumber;
use driver::{Disabler, Ticket};

use super::{StepEnd, Work};
use crate::observe::subject_of;

impl Work<'_> {
    /// Right before it, the platform is asked whether the successor is really there, as before a revocation: consumers
    /// would notice a switch as much.
    pub(super) async fn disable(&self, number: VersionNumber, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let subject = subject_of(self.entry);
        self.successor_must_be_there(number).await?;
        self.disabler()?.disable(&subject, &version.handle, ticket).await?;
        Ok(Outcome::Disabled { version: number })
    }

    pub(super) async fn enable(&self, number: VersionNumber, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        self.disabler()?.enable(&subject_of(self.entry), &version.handle, ticket).await?;
        Ok(Outcome::Enabled { version: number })
    }

    fn disabler(&self) -> Result<&dyn Disabler, StepEnd> {
        self.issuer
            .driver
            .disabler()
            .ok_or_else(|| StepEnd::Park("its facts say that it can be switched off, and its driver cannot".to_owned()))
    }
}
