//! Bringing a known secret under a credential that was met without one.

use db::{Entry, Word};
use domain::{Cause, Version};
use driver::{DriverError, Trial};
use secret::SecretMap;

use crate::{Applied, Engine, IssuerHandle, engine::sealed_as, observe::subject_of, probe};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("a rotation is under way")]
    InRotation,
    #[error("it is held")]
    Held,
    #[error("it is protected at the platform: nothing of it is replaced or removed")]
    Protected,
    #[error("it is a stray: it was not made by Keyrota")]
    Stray,
    #[error("it has no live version")]
    NoVersion,
    #[error("no policy applies to it")]
    NoPolicy,
    #[error("its policy names no destination")]
    NoDestination,
    #[error("the platform refuses this secret: {0}")]
    Refused(String),
    #[error("the platform accepts this secret, but it is not what is wanted: {0}")]
    Unfit(String),
    #[error("nothing can try the secret: the issuer offers no check and the policy names no `verify` address")]
    Untried,
    #[error("the secret could not be tried")]
    Trial(#[source] DriverError),
    #[error("the platform could not be asked for its time")]
    Unheard(#[source] DriverError),
    #[error("the secret could not be sealed")]
    Seal(#[from] secret::SealError),
    #[error("it moved in this very moment")]
    Moved(#[source] db::WriteError),
}

impl Engine {
    /// Takes over the secret of the newest version: what a person made beside ours is what they bring. It is tried first; what is refused is not kept.
    /// Delivery follows from the plan.
    ///
    /// # Errors
    /// See [`ImportError`]; nothing is changed.
    pub async fn import(&self, entry: &Entry, secret: &SecretMap, by: &str, reason: &str) -> Result<(), ImportError> {
        let observed = &entry.observed;
        if observed.rotation.is_some() {
            return Err(ImportError::InRotation);
        }
        if observed.hold.is_some() {
            return Err(ImportError::Held);
        }
        // No step of theirs is ever performed, so the rotation that delivers the secret would never end.
        if observed.protected {
            return Err(ImportError::Protected);
        }
        if observed.stray {
            return Err(ImportError::Stray);
        }
        let version = observed.newest().ok_or(ImportError::NoVersion)?;
        let issuer = self.issuers.get(observed.credential.issuer()).ok_or(ImportError::NoPolicy)?;
        self.hear(issuer, entry).await.map_err(ImportError::Unheard)?;
        let now = self.now(issuer);
        let applied = self.policies.applied(&observed.credential, now).ok_or(ImportError::NoPolicy)?;
        if applied.policy.deliver.is_empty() {
            return Err(ImportError::NoDestination);
        }
        self.try_stranger(issuer, entry, &applied, version, secret).await?;
        let sealed = self.keyring.seal(secret, sealed_as(&observed.credential, version.number))?;
        let fingerprint = self.keyring.fingerprint(secret);
        let rotation = self.new_rotation();
        let cause = Cause::Import { by: by.to_owned() };
        let word = Word { by, reason, at: now };
        self.db
            .import_secret(entry.id, (&rotation, &cause), version.number, (&sealed, fingerprint), word)
            .await
            .map_err(ImportError::Moved)
    }

    /// A secret from outside may be that of another credential, and a gateway accepts any live one: the issuer's own
    /// check, which knows whose it is, comes before the one of the policy.
    async fn try_stranger(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        applied: &Applied,
        version: &Version,
        secret: &SecretMap,
    ) -> Result<(), ImportError> {
        let accepted = |trial: Result<Trial, DriverError>| match trial {
            Ok(Trial::Accepted) => Ok(()),
            Ok(Trial::Refused(why)) => Err(ImportError::Refused(why)),
            Ok(Trial::Unfit(why)) => Err(ImportError::Unfit(why)),
            Err(error) => Err(ImportError::Trial(error)),
        };
        let verifier = issuer.driver.verifier();
        if let Some(verifier) = verifier {
            accepted(verifier.verify(&subject_of(entry), &version.handle, secret).await)?;
        }
        if let Some(template) = &applied.probe {
            accepted(probe::try_out(&self.ports.http, &**template, secret).await)?;
        }
        if verifier.is_none() && applied.probe.is_none() { Err(ImportError::Untried) } else { Ok(()) }
    }
}
