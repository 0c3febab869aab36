//! Making the successor: chosen by us, minted by the platform, or asked for from a person.

use db::{NewlyIssued, NewlyPrepared, Outcome};
use domain::{Ask, Fingerprint, Marker, Origin, Overlap, Reason, SUCCESSOR_SUFFIX, VersionNumber, planted};
use driver::{AttemptKey, DriverError, Effect, IssueRequest, Kind, Ticket};
use secret::{Sealed, SecretMap};

use super::{NOTHING_CAN_TRY, StepEnd, Work};
use crate::{engine::sealed_as, observe::subject_of};

impl Work<'_> {
    /// Chooses the successor's value. It is durable before the platform hears of it, so that a lost answer is followed
    /// by the same call with the same value.
    pub(super) async fn prepare(&self) -> Result<Outcome, StepEnd> {
        self.preflight().await?;
        let Some(minter) = self.issuer.driver.minter() else {
            return Err(StepEnd::Park("its facts say that we choose the secret, and its driver cannot".to_owned()));
        };
        let number = self.next_number();
        let marker = Marker::new(&self.rotation, number.0);
        let secret = minter
            .choose(&subject_of(self.entry), &marker, &*self.engine.ports.entropy)
            .map_err(|error| DriverError::refused(Kind::Unavailable, error.to_string()))?;
        let (sealed, fingerprint) = self.seal(number, &secret)?;
        let (name, title) = self.names();
        Ok(Outcome::Prepared(Box::new(NewlyPrepared { number, name, title, fingerprint, sealed })))
    }

    /// The platform mints, and the secret is sealed the moment it arrives: it is shown only once. It becomes durable
    /// with the outcome; if that fails, the next look finds an orphan by its mark and it is revoked. Where the value is
    /// ours, or the platform honours our token, the next attempt gets the same version instead.
    pub(super) async fn issue(&self, from: Option<VersionNumber>, ticket: &Ticket) -> Result<Outcome, StepEnd> {
        self.preflight().await?;
        let observed = &self.entry.observed;
        let prepared = self.prepared();
        let number = prepared.unwrap_or_else(|| self.next_number());
        let chosen = match prepared {
            Some(_) if planted("prepared_chosen_anew") => {
                let marker = Marker::new(&self.rotation, number.0);
                let minter = self.issuer.driver.minter();
                minter.and_then(|minter| {
                    minter.choose(&subject_of(self.entry), &marker, &*self.engine.ports.entropy).ok()
                })
            }
            Some(number) => Some(self.secret(number).await?.0),
            None => None,
        };
        let minted_from = self.secret_minted_from().await?;
        let current = self.secret_replaced().await?;
        let marker = Marker::new(&self.rotation, self.attempt(ticket, number));
        let (name, title) = self.names();
        let request = IssueRequest {
            subject: subject_of(self.entry),
            name,
            title,
            marker: marker.clone(),
            replaces: from.and_then(|from| observed.version(from)).map(|version| version.handle.clone()),
            token: self.token(),
            chosen: chosen.as_ref(),
            minted_from: minted_from.as_ref(),
            current: current.as_ref(),
        };
        let issued = self.issuer.driver.issue(&request, ticket).await?;
        let (sealed, fingerprint) = self.seal(number, &issued.secret)?;
        Ok(Outcome::Issued(Box::new(NewlyIssued {
            number,
            handle: issued.handle,
            name: issued.name,
            title: issued.title,
            marker,
            created_at: issued.created_at,
            expires_at: issued.expires_at,
            fingerprint,
            sealed,
            replaces_all: observed.facts.overlap == Overlap::Replace,
        })))
    }

    /// Asks; nothing else. What the person did comes back through [`crate::Engine::complete_task`].
    /// Whoever is asked to remove something relies on us as much as a revocation of our own does.
    pub(super) async fn ask_person(&self, ask: Ask, reason: &Reason) -> Result<Outcome, StepEnd> {
        match ask {
            Ask::Issue { .. } => self.preflight().await?,
            Ask::Revoke { .. } if matches!(reason, Reason::AnswerLost) => {}
            Ask::Revoke { version } => self.successor_must_be_there(version).await?,
        }
        let now = self.engine.now(self.issuer);
        let due_at = now.saturating_add(self.applied.policy.task_within).unwrap_or(domain::Timestamp::MAX);
        Ok(Outcome::Asked { ask, due_at })
    }

    /// A marker names the attempt. Where repeating it brings the same version, the attempts at one version are one.
    fn attempt(&self, ticket: &Ticket, number: VersionNumber) -> u32 {
        if self.entry.observed.facts.repeats_itself() {
            return number.0;
        }
        u32::try_from(ticket.journal_entry()).unwrap_or(u32::MAX)
    }

    /// Counts what we issued, and not what a listing has shown meanwhile: that may be what this very call made before its
    /// answer was lost.
    fn token(&self) -> AttemptKey {
        let ours = |version: &&domain::Version| version.origin == Origin::Issued && !version.is_prepared();
        let issued = self.entry.observed.versions.iter().filter(ours).count();
        AttemptKey(format!("{}:{}", self.rotation.as_str(), issued + 1))
    }

    /// The successor whose value is sealed and of which the platform does not know yet.
    fn prepared(&self) -> Option<VersionNumber> {
        let observed = &self.entry.observed;
        let to = observed.version(observed.rotation.as_ref()?.to?)?;
        to.is_prepared().then_some(to.number)
    }

    fn next_number(&self) -> VersionNumber {
        let last = self.entry.observed.versions.iter().map(|version| version.number.0).max().unwrap_or_default();
        VersionNumber(last + 1)
    }

    fn names(&self) -> (String, String) {
        let observed = &self.entry.observed;
        let suffix = if observed.facts.names { SUCCESSOR_SUFFIX } else { "" };
        (format!("{}{suffix}", observed.name), format!("{}{suffix}", observed.title))
    }

    fn seal(&self, number: VersionNumber, secret: &SecretMap) -> Result<(Sealed, Fingerprint), DriverError> {
        let keyring = &self.engine.keyring;
        let sealed = keyring
            .seal(secret, sealed_as(&self.entry.observed.credential, number))
            .map_err(|error| DriverError::new(Kind::Unavailable, Effect::Unknown, format!("issued, but {error}")))?;
        Ok((sealed, keyring.fingerprint(secret)))
    }

    /// The secret with which this credential is minted, where it is one of ours. `None`: the driver has its own.
    async fn secret_minted_from(&self) -> Result<Option<SecretMap>, StepEnd> {
        let read = |error: db::ReadError| {
            StepEnd::Elsewhere(DriverError::refused(Kind::Unavailable, format!("our own database: {error}")))
        };
        let Some(parent) = self.engine.db.minted_from(self.entry.id).await.map_err(read)? else { return Ok(None) };
        let Some(parent) = self.engine.entry(parent).await.map_err(read)? else { return Ok(None) };
        let Some(current) = parent.observed.current().filter(|version| version.secret_held) else { return Ok(None) };
        let sealed = self.engine.db.sealed_secret(parent.id, current.number).await.map_err(read)?;
        let Some((sealed, _)) = sealed else { return Ok(None) };
        let context = sealed_as(&parent.observed.credential, current.number);
        self.engine.keyring.unseal(&sealed, context).map(Some).map_err(|error| StepEnd::Park(error.to_string()))
    }

    /// The secret that dies with the issue, where we hold it.
    async fn secret_replaced(&self) -> Result<Option<SecretMap>, StepEnd> {
        let observed = &self.entry.observed;
        let held = |version: &&domain::Version| version.secret_held && version.is_live();
        match observed.versions.iter().rev().find(held) {
            Some(version) if observed.facts.overlap == Overlap::Replace => {
                Ok(Some(self.secret(version.number).await?.0))
            }
            _ => Ok(None),
        }
    }

    /// What can be known before the first effect: every destination answers and belongs to nobody else, its form can be
    /// filled in, and something can try the successor.
    /// A successor that could not be delivered or verified would only be one more live credential.
    async fn preflight(&self) -> Result<(), StepEnd> {
        if self.applied.probe.is_none() && self.issuer.driver.verifier().is_none() {
            return Err(StepEnd::Park(NOTHING_CAN_TRY.to_owned()));
        }
        for destination in &self.applied.policy.deliver {
            let store = self.store(destination)?;
            let state = store.inspect(&destination.path).await.map_err(StepEnd::Elsewhere)?;
            self.is_the_right_place(destination, &state)?;
            self.is_nobody_elses(store, destination, &state)?;
        }
        self.forms_fit().await
    }
}
