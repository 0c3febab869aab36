//! Minting the successor.

use db::{NewlyIssued, Outcome};
use domain::{Marker, SUCCESSOR_SUFFIX, VersionNumber};
use driver::{DriverError, Effect, IssueRequest, Kind, Ticket};

use super::{StepEnd, Work};
use crate::{engine::sealed_as, observe::subject_of};

impl Work<'_> {
    /// The platform mints, and the secret is sealed the moment it arrives: it is shown only once. It becomes durable
    /// with the outcome; if that fails, the next look finds an orphan by its mark and it is revoked.
    pub(super) async fn issue(&self, _from: Option<VersionNumber>, ticket: &Ticket) -> Result<Outcome, StepEnd> {
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
}
