//! Going back: possible until the old version is revoked.

use db::{Entry, Word};
use domain::{Cause, Presence};

use crate::Engine;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolledBack {
    /// The successor was promoted nowhere; it is given up.
    Abandoned,
    /// The older version is delivered again, and the newer one is retired with the same care.
    TurnedAround,
}

#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error("no rotation is under way")]
    NoRotation,
    #[error("its successor is not issued yet")]
    NotIssued,
    #[error("no older version takes part in the rotation under way, so there is none to go back to")]
    NoOlderVersion,
    #[error("the older version is revoked already")]
    AlreadyRevoked,
    #[error("the secret of the older version was never known to Keyrota")]
    SecretUnknown,
    #[error("it is held")]
    Held,
    #[error("the journal could not be read")]
    Read(#[from] db::ReadError),
    #[error("it moved in this very moment")]
    Moved(#[source] db::WriteError),
}

impl Engine {
    /// Turns the rotation under way around. The next steps follow from the plan.
    ///
    /// # Errors
    /// See [`RollbackError`]; nothing is changed.
    pub async fn roll_back(&self, entry: &Entry, by: &str, reason: &str) -> Result<RolledBack, RollbackError> {
        let observed = &entry.observed;
        let rotation = observed.rotation.as_ref().ok_or(RollbackError::NoRotation)?;
        if observed.hold.is_some() {
            return Err(RollbackError::Held);
        }
        // Of a successor that is only prepared, nobody knows whether the platform has taken it.
        let issued = |to: &domain::VersionNumber| observed.version(*to).is_none_or(|version| !version.is_prepared());
        let to = rotation.to.filter(issued).ok_or(RollbackError::NotIssued)?;
        let from = rotation.from.ok_or(RollbackError::NoOlderVersion)?;
        let from = observed.version(from).ok_or(RollbackError::AlreadyRevoked)?;
        if from.revoked_at.is_some() || from.presence == Presence::Gone {
            return Err(RollbackError::AlreadyRevoked);
        }
        let cause = if self.db.may_be_promoted(entry.id, &rotation.id).await? {
            Cause::Rollback { by: by.to_owned(), reason: reason.to_owned() }
        } else {
            rotation.way_back(by.to_owned(), reason.to_owned())
        };
        let done =
            if matches!(cause, Cause::Abandon { .. }) { RolledBack::Abandoned } else { RolledBack::TurnedAround };
        if done == RolledBack::TurnedAround && !from.secret_held {
            return Err(RollbackError::SecretUnknown);
        }
        let issuer = self.issuers.get(observed.credential.issuer());
        if let Some(issuer) = issuer {
            // Going back does not wait for a platform that is away: then our own clock has to do.
            drop(self.hear(issuer, entry).await);
        }
        let at = issuer.map_or_else(|| self.ports.clock.now(), |issuer| self.now(issuer));
        let word = Word { by, reason, at };
        let new = self.new_rotation();
        self.db
            .turn_around(entry.id, &rotation.id, (&new, &cause), to, from.number, word)
            .await
            .map_err(RollbackError::Moved)?;
        Ok(done)
    }
}
