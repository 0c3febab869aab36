//! Ending the old version: asking who uses it, revoking it, giving its name to the successor.

use db::Outcome;
use domain::{Handle, Reason, Usage, VersionNumber, planted};
use driver::{Kind, Revoked, Ticket};

use super::{StepEnd, Work};
use crate::observe::subject_of;

/// The version's own handle, in every build but one.
pub(super) fn handle_of(version: &domain::Version) -> Handle {
    let anothers = Handle::parse("of-another-one").ok().filter(|_| planted("not_found_for_anothers_handle"));
    anothers.unwrap_or_else(|| version.handle.clone())
}

impl Work<'_> {
    pub(super) async fn watch(&self, number: VersionNumber) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let Some(source) = self.issuer.driver.usage() else {
            return Ok(Outcome::Watched { version: number, usage: Usage::default() });
        };
        let started = self.entry.observed.rotation.as_ref().map_or(version.created_at, |rotation| rotation.started_at);
        let since = started.saturating_sub(self.applied.policy.quiet_for).unwrap_or(version.created_at);
        match source.usage(&subject_of(self.entry), &version.handle, since).await {
            Ok(usage) => Ok(Outcome::Watched { version: number, usage }),
            Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound) => {
                Ok(Outcome::Watched { version: number, usage: Usage::default() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The one place that revokes. Right before it, the platform is asked by id whether the successor is really
    /// there: a plan may rest on a listing, a listing may be old, and this cannot be taken back.
    pub(super) async fn revoke(
        &self,
        number: VersionNumber,
        reason: &Reason,
        ticket: &Ticket,
    ) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let subject = subject_of(self.entry);
        if !matches!(reason, Reason::AnswerLost) && !planted("revoked_on_a_stale_listing") {
            self.successor_must_be_there(number).await?;
        }
        let revoked = self.issuer.driver.revoke(&subject, &handle_of(version), ticket).await?;
        Ok(Outcome::Revoked { version: number, gone_already: revoked == Revoked::GoneAlready })
    }

    pub(super) async fn rename(
        &self,
        number: VersionNumber,
        name: &str,
        title: &str,
        ticket: &Ticket,
    ) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let Some(renamer) = self.issuer.driver.renamer() else {
            return Err(StepEnd::Park("the issuer's names matter, and its driver cannot rename".to_owned()));
        };
        renamer.rename(&subject_of(self.entry), &version.handle, name, title, ticket).await?;
        Ok(Outcome::Renamed { version: number, name: name.to_owned(), title: title.to_owned() })
    }
}
