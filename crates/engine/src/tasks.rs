//! Steps that a person does: what they hand over is tried before it is believed.

use db::{Entry, NewlyIssued, TaskLine, Word};
use domain::{Ask, CredentialId, Fingerprint, Handle, Marker, Origin, Overlap, VersionNumber, planted};
use driver::{DriverError, HandedOver, Lookup, Trial};
use secret::{Sealed, Secret};

use crate::{Applied, Engine, IssuerHandle, engine::sealed_as, observe::subject_of, probe};

#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("the task has ended already")]
    Ended,
    #[error("the credential is configured no longer")]
    NotConfigured,
    #[error("its policy is gone, or names no destination")]
    NoPolicy,
    #[error("the credential is held")]
    Held,
    #[error("its issuer takes nothing over from people")]
    NotAssisted,
    #[error("this task hands over a secret, and none was given")]
    SecretWanted,
    #[error("what was handed over cannot be read: {0}")]
    Unreadable(String),
    #[error("{0} is on record already: it is an older version, not the new one")]
    KnownAlready(Handle),
    #[error("it is the secret of version {0}: nothing new was made at the platform")]
    Unchanged(VersionNumber),
    #[error("the platform does not have {handle} as one of {credential}: it was made in another place, or shows later")]
    Elsewhere { handle: Handle, credential: CredentialId },
    #[error("it is of {handed_over}, and the task is about {wanted}")]
    AnotherOne { handed_over: Handle, wanted: Handle },
    #[error("{handle} belongs to {other}")]
    OfAnother { handle: Handle, other: CredentialId },
    #[error("the platform refuses it: {0}")]
    Refused(String),
    #[error("the platform accepts it, but it is not what is wanted: {0}")]
    Unfit(String),
    #[error("nothing can try it: the issuer offers no check and the policy names no `verify` address")]
    Untried,
    #[error("it could not be tried")]
    Trial(#[source] DriverError),
    #[error("it is still accepted by the platform")]
    StillAccepted,
    #[error("the platform still has it on record")]
    StillThere,
    #[error("the secret could not be sealed")]
    Seal(#[from] secret::SealError),
    #[error("the inventory could not be read")]
    Read(#[from] db::ReadError),
    #[error("it moved in this very moment")]
    Moved(#[source] db::WriteError),
}

impl Engine {
    /// A person did what the task asks. A successor is read, tried against the platform and sealed; what is refused is
    /// not kept, and nothing moves. A removal is taken at their word only as far as that it is to be proved.
    ///
    /// # Errors
    /// See [`TaskError`]; nothing is changed.
    pub async fn complete_task(
        &self,
        task: &TaskLine,
        handed_over: Option<&Secret>,
        by: &str,
        reason: &str,
    ) -> Result<(), TaskError> {
        if task.ended_at.is_some() {
            return Err(TaskError::Ended);
        }
        let entry = self.entry(task.credential_id).await?.ok_or(TaskError::NotConfigured)?;
        if entry.observed.hold.is_some() {
            return Err(TaskError::Held);
        }
        let issuer = self.issuers.get(entry.observed.credential.issuer()).ok_or(TaskError::NotConfigured)?;
        let applied = self.policies.applied(&entry.observed.credential, self.now(issuer)).ok_or(TaskError::NoPolicy)?;
        self.hear(issuer, &entry).await.map_err(TaskError::Trial)?;
        let word = |issuer| Word { by, reason, at: self.now(issuer) };
        match task.ask {
            Ask::Issue { .. } => {
                if applied.policy.deliver.is_empty() {
                    return Err(TaskError::NoPolicy);
                }
                let content = handed_over.ok_or(TaskError::SecretWanted)?;
                let issued = self.take_over(issuer, &entry, &applied, task, content).await?;
                self.db.task_issued(task, &issued, word(issuer)).await.map_err(TaskError::Moved)
            }
            Ask::Revoke { version } => {
                self.must_be_refused(issuer, &entry, &applied, version).await?;
                let proof = match handed_over {
                    Some(content) => Some(self.proof_of_removal(issuer, &entry, version, content).await?),
                    None => None,
                };
                let proof = proof.as_ref().map(|(sealed, fingerprint)| (sealed, *fingerprint));
                self.db.task_revoked(task, version, proof, word(issuer)).await.map_err(TaskError::Moved)
            }
        }
    }

    async fn take_over(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        applied: &Applied,
        task: &TaskLine,
        content: &Secret,
    ) -> Result<NewlyIssued, TaskError> {
        let observed = &entry.observed;
        let assisted = issuer.driver.assisted().ok_or(TaskError::NotAssisted)?;
        let HandedOver { handle, secret, expires_at } =
            assisted.read(&subject_of(entry), content).map_err(|error| TaskError::Unreadable(error.message))?;
        let blind = planted("wrong_file_accepted");
        if let Some(other) = self.db.owner_of_handle(&issuer.name, &handle, entry.id).await?.filter(|_| !blind) {
            return Err(TaskError::OfAnother { handle, other });
        }
        // What a listing has shown meanwhile, and nobody knows the secret of, is what was made.
        let listed = observed.versions.iter().find(|version| version.handle == handle);
        let number = match listed {
            Some(version) if version.origin != Origin::Found || Some(version.number) == task.ask.version() => {
                return Err(TaskError::KnownAlready(handle));
            }
            Some(version) => version.number,
            None => VersionNumber(observed.versions.iter().map(|one| one.number.0).max().unwrap_or_default() + 1),
        };
        let fingerprint = self.keyring.fingerprint(&secret);
        if let Some(known) = self.db.version_of_value(entry.id, fingerprint).await?.filter(|_| !blind) {
            return Err(TaskError::Unchanged(known));
        }
        let looked = issuer.driver.look_up(&subject_of(entry), &handle).await.map_err(TaskError::Trial)?;
        if looked == Lookup::Gone && !blind {
            return Err(TaskError::Elsewhere { handle, credential: observed.credential.clone() });
        }
        let verifier = issuer.driver.verifier();
        if let Some(verifier) = verifier.filter(|_| !blind) {
            accepted(verifier.verify(&subject_of(entry), &handle, &secret).await)?;
        }
        if let Some(template) = &applied.probe {
            accepted(probe::try_out(&self.ports.http, &**template, &secret).await)?;
        }
        if verifier.is_none() && applied.probe.is_none() {
            return Err(TaskError::Untried);
        }
        Ok(NewlyIssued {
            number,
            handle,
            name: observed.name.clone(),
            title: observed.title.clone(),
            marker: Marker::new(&task.rotation, number.0),
            created_at: self.now(issuer),
            expires_at,
            fingerprint,
            sealed: self.keyring.seal(&secret, sealed_as(&observed.credential, number))?,
            replaces_all: observed.facts.overlap == Overlap::Replace,
        })
    }

    /// Whether nothing here could prove the removal that this task asks for: the platform keeps no record that could be
    /// asked, and the secret of the version was never held. Then whoever removed it hands over what they still have of it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn wants_proof_of_removal(&self, task: &TaskLine) -> Result<bool, db::ReadError> {
        let Ask::Revoke { version } = task.ask else { return Ok(false) };
        let Some(entry) = self.entry(task.credential_id).await? else { return Ok(false) };
        let unknown = entry.observed.version(version).is_some_and(|version| !version.secret_held);
        Ok(unknown && !entry.observed.facts.lists_versions)
    }

    /// What was handed over for a version that is said to be removed: it must be of that version, and be refused. It is
    /// kept until the version is proved dead.
    async fn proof_of_removal(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        number: VersionNumber,
        content: &Secret,
    ) -> Result<(Sealed, Fingerprint), TaskError> {
        let assisted = issuer.driver.assisted().ok_or(TaskError::NotAssisted)?;
        let read = assisted.read(&subject_of(entry), content);
        let handed_over = read.map_err(|error| TaskError::Unreadable(error.message))?;
        let wanted = entry.observed.version(number).map(|version| version.handle.clone());
        if let Some(wanted) = wanted.filter(|wanted| *wanted != handed_over.handle) {
            return Err(TaskError::AnotherOne { handed_over: handed_over.handle, wanted });
        }
        let verifier = issuer.driver.verifier().ok_or(TaskError::Untried)?;
        let tried = verifier.verify(&subject_of(entry), &handed_over.handle, &handed_over.secret).await;
        let sealed = self.keyring.seal(&handed_over.secret, sealed_as(&entry.observed.credential, number))?;
        let fingerprint = self.keyring.fingerprint(&handed_over.secret);
        match tried {
            Ok(Trial::Refused(_)) => Ok((sealed, fingerprint)),
            Ok(Trial::Accepted | Trial::Unfit(_)) => {
                // It is known to live now, and kept, so that nobody's word stands against it later.
                self.db.keep_secret(entry.id, number, &sealed, fingerprint).await.map_err(TaskError::Moved)?;
                Err(TaskError::StillAccepted)
            }
            Err(error) => Err(TaskError::Trial(error)),
        }
    }

    /// A claim that the platform contradicts is refused: they removed another one, or it has not spread yet.
    async fn must_be_refused(
        &self,
        issuer: &IssuerHandle,
        entry: &Entry,
        applied: &Applied,
        number: VersionNumber,
    ) -> Result<(), TaskError> {
        let Some(version) = entry.observed.version(number) else { return Ok(()) };
        // Switched off, or of unknown secret, it would be refused in any case: the record tells more, where there is one.
        let record = issuer.driver.look_up(&subject_of(entry), &version.handle).await.map_err(TaskError::Trial)?;
        if matches!(record, Lookup::There { .. }) {
            return Err(TaskError::StillThere);
        }
        if !version.secret_held {
            return Ok(());
        }
        let Some((sealed, _)) = self.db.sealed_secret(entry.id, number).await? else { return Ok(()) };
        let Ok(secret) = self.keyring.unseal(&sealed, sealed_as(&entry.observed.credential, number)) else {
            return Ok(());
        };
        match self.try_out(issuer, entry, applied, version, &secret).await {
            Ok(Some(Trial::Accepted | Trial::Unfit(_))) => Err(TaskError::StillAccepted),
            Ok(_) => Ok(()),
            Err(error) => Err(TaskError::Trial(error)),
        }
    }
}

fn accepted(trial: Result<Trial, DriverError>) -> Result<(), TaskError> {
    match trial {
        Ok(Trial::Accepted) => Ok(()),
        Ok(Trial::Refused(why)) => Err(TaskError::Refused(why)),
        Ok(Trial::Unfit(why)) => Err(TaskError::Unfit(why)),
        Err(error) => Err(TaskError::Trial(error)),
    }
}
