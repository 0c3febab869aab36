//! Minting the successor.

use db::{NewlyIssued, Outcome};
use domain::{Marker, SUCCESSOR_SUFFIX, VersionNumber};
use driver::{DriverError, Effect, IssueRequest, Kind, Ticket};

use super::{NOTHING_CAN_TRY, StepEnd, Work};
use crate::{engine::sealed_as, observe::subject_of};

impl Work<'_> {
    /// The platform mints, and the secret is sealed the moment it arrives: it is shown only once. It becomes durable
    /// with the outcome; if that fails, the next look finds an orphan by its mark and it is revoked.
    pub(super) async fn issue(&self, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        self.preflight().await?;
        let observed = &self.entry.observed;
        let attempt = u32::try_from(ticket.journal_entry()).unwrap_or(u32::MAX);
        let marker = Marker::new(&self.rotation, attempt);
        let suffix = if observed.facts.names { SUCCESSOR_SUFFIX } else { "" };
        let request = IssueRequest {
            subject: subject_of(self.entry),
            name: format!("{}{suffix}", observed.name),
            title: format!("{}{suffix}", observed.title),
            marker: marker.clone(),
        };
        let issued = self.issuer.driver.issue(&request, ticket).await?;
        let last = observed.versions.iter().map(|version| version.number.0).max().unwrap_or_default();
        let number = VersionNumber(last + 1);
        let keyring = &self.engine.keyring;
        let sealed = keyring
            .seal(&issued.secret, sealed_as(&observed.credential, number))
            .map_err(|error| DriverError::new(Kind::Unavailable, Effect::Unknown, format!("issued, but {error}")))?;
        Ok(Outcome::Issued(Box::new(NewlyIssued {
            number,
            handle: issued.handle,
            name: issued.name,
            title: issued.title,
            marker,
            created_at: issued.created_at,
            fingerprint: keyring.fingerprint(&issued.secret),
            sealed,
        })))
    }

    /// What can be known before the first effect: every destination answers, and something can try the successor.
    /// A successor that could not be delivered or verified would only be one more live credential.
    async fn preflight(&self) -> Result<(), StepEnd> {
        if self.applied.probe.is_none() && self.issuer.driver.verifier().is_none() {
            return Err(StepEnd::Park(NOTHING_CAN_TRY.to_owned()));
        }
        for destination in &self.applied.policy.deliver {
            self.store(destination)?.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
        }
        Ok(())
    }
}
