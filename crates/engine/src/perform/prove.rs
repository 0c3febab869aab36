//! Trying versions: the successor must be accepted, the revoked one refused.

use db::{Entry, Outcome};
use domain::{DeathEvidence, Ending, Origin, Timestamp, VersionNumber, planted};
use driver::{DriverError, Lookup, Ticket, Trial};
use secret::SecretMap;

use super::{NOTHING_CAN_TRY, StepEnd, Work, retire::handle_of};
use crate::{Applied, Engine, IssuerHandle, observe::subject_of, probe};

impl Work<'_> {
    pub(super) async fn verify(&self, number: VersionNumber) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let since = self.entry.observed.rotation.as_ref().map_or(version.created_at, |rotation| rotation.started_at);
        let (secret, _) = self.secret(number).await?;
        match self.try_out(version, &secret).await? {
            Some(Trial::Accepted) => Ok(Outcome::Verified { version: number }),
            Some(Trial::Refused(why) | Trial::Unfit(why)) => {
                Err(StepEnd::NotYet { why, since: since.max(version.created_at) })
            }
            None => Err(StepEnd::Park(NOTHING_CAN_TRY.to_owned())),
        }
    }

    /// Right before something ends: what stays must be there by the platform's own record. Where no record can be asked,
    /// it is tried instead.
    pub(super) async fn successor_must_be_there(&self, goes: VersionNumber) -> Result<(), StepEnd> {
        let Some(stays) = self.entry.observed.rotation.as_ref().and_then(|rotation| rotation.to) else {
            return Err(StepEnd::NotAsPlanned(format!("nothing stays when version {goes} goes")));
        };
        let version = self.version(stays)?;
        let stop = |why: &str| StepEnd::NotAsPlanned(format!("version {stays} {why}, so version {goes} stays"));
        match self.issuer.driver.look_up(&subject_of(self.entry), &version.handle).await? {
            Lookup::There { .. } => Ok(()),
            Lookup::Gone => Err(stop("is gone from the platform")),
            Lookup::Untold => {
                let (secret, _) = self.secret(stays).await?;
                match self.try_out(version, &secret).await? {
                    Some(Trial::Accepted) => Ok(()),
                    Some(Trial::Refused(why)) => Err(stop(&format!("is refused ({why})"))),
                    Some(Trial::Unfit(why)) => Err(stop(&format!("is not what is wanted ({why})"))),
                    None => Err(StepEnd::Park(NOTHING_CAN_TRY.to_owned())),
                }
            }
        }
    }

    /// Dead by the platform's own record where there is one, and refused wherever we can try it. A record that is still
    /// there means that our revocation did not hold, and it is repeated; but what somebody else seemed to have removed
    /// and is there again is alive and perhaps in use: it is met anew, and nothing is revoked.
    pub(super) async fn prove_dead(&self, number: VersionNumber, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        let version = self.version(number)?;
        let now = self.engine.now(self.issuer);
        let since = version.revoked_at.unwrap_or(now);
        let subject = subject_of(self.entry);
        if planted("dead_unproved") {
            return Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Record });
        }
        let record = self.issuer.driver.look_up(&subject, &handle_of(version)).await?;
        if version.has_expired(now) && version.revoked_at.is_none() {
            // A record of what has come to its end by itself proves nothing either way.
            if !version.secret_held {
                return Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Expired });
            }
            return self.prove_dead_by_trial(version, version.expires_at.unwrap_or(now)).await;
        }
        if let Lookup::There { .. } = record {
            if version.revoked_at.is_none() && !planted("come_back_is_revoked") {
                return Err(StepEnd::NotAsPlanned(format!("version {number} is at the platform after all")));
            }
            return self.still_there(version, since, ticket).await;
        }
        if record == Lookup::Untold {
            return self.prove_dead_by_trial(version, since).await;
        }
        if !version.secret_held || version.origin == Origin::Orphan {
            return Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Record });
        }
        let (secret, _) = self.secret(number).await?;
        match self.try_out(version, &secret).await? {
            Some(Trial::Accepted | Trial::Unfit(_)) if !planted("accepted_is_dead") => {
                Err(StepEnd::NotYet { why: "it is still accepted".to_owned(), since })
            }
            Some(Trial::Refused(_) | Trial::Accepted | Trial::Unfit(_)) => {
                Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Refused })
            }
            None => Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Record }),
        }
    }

    /// What was revoked is on record after all. While the change may still spread, the call is repeated: it is the same
    /// decision. Later it is another one, since consumers may have come back meanwhile: the revocation is taken back, and
    /// the gate decides anew. What a person said to have removed is theirs to remove.
    async fn still_there(
        &self,
        version: &domain::Version,
        since: Timestamp,
        ticket: &Ticket,
    ) -> Result<Outcome, StepEnd> {
        let facts = &self.entry.observed.facts;
        let ours = facts.ending == Ending::Revoked;
        let now = self.engine.now(self.issuer);
        let spreads = if ours { facts.propagation.saturating_add(planner::PROOF_AGE_MAX) } else { facts.propagation };
        let retired = self.entry.observed.rotation.as_ref().and_then(|rotation| rotation.from) == Some(version.number);
        if retired && now.duration_since(since) > spreads {
            return Ok(Outcome::StillThere { version: version.number });
        }
        if !ours {
            return Err(StepEnd::NotYet { why: "the platform still has it".to_owned(), since });
        }
        if retired {
            self.successor_must_be_there(version.number).await?;
        }
        self.issuer.driver.revoke(&subject_of(self.entry), &version.handle, ticket).await?;
        Err(StepEnd::NotYet { why: "the platform still had it; revoked again".to_owned(), since })
    }

    /// No record can be asked, so the trial is all. Of a version whose secret we never had, there is nothing but the
    /// word of whoever removed it, which the evidence says.
    async fn prove_dead_by_trial(&self, version: &domain::Version, since: Timestamp) -> Result<Outcome, StepEnd> {
        let number = version.number;
        if !version.secret_held {
            return Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Word });
        }
        let (secret, _) = self.secret(number).await?;
        match self.try_out(version, &secret).await? {
            Some(Trial::Refused(_)) => Ok(Outcome::ProvedDead { version: number, evidence: DeathEvidence::Refused }),
            Some(Trial::Accepted | Trial::Unfit(_)) => {
                Err(StepEnd::NotYet { why: "it is still accepted".to_owned(), since })
            }
            None => Err(StepEnd::Park(NOTHING_CAN_TRY.to_owned())),
        }
    }

    async fn try_out(&self, version: &domain::Version, secret: &SecretMap) -> Result<Option<Trial>, StepEnd> {
        let tried = self.engine.try_out(self.issuer, self.entry, self.applied, version, secret).await;
        tried.map_err(if self.applied.probe.is_some() { StepEnd::Elsewhere } else { StepEnd::Error })
    }
}

impl Engine {
    /// Where the consumer would use it, if the policy says how; by the issuer's own check otherwise. `None`: neither.
    pub(crate) async fn try_out(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        applied: &Applied,
        version: &domain::Version,
        secret: &SecretMap,
    ) -> Result<Option<Trial>, DriverError> {
        if let Some(template) = &applied.probe {
            return Ok(Some(probe::try_out(&self.ports.http, &**template, secret).await?));
        }
        let Some(verifier) = issuer.driver.verifier() else { return Ok(None) };
        let tried = verifier.verify(&subject_of(entry), &version.handle, secret).await;
        tried.map(Some).map_err(probe::changed_nothing)
    }
}
