//! What a person decides about one credential: rotate, rollback, hold, release, import.

use std::collections::HashSet;

use db::{Access, Entry, Word, WriteError};
use domain::CredentialId;
use engine::{Engine, ImportError, RollbackError, RolledBack, RunRequest};

use super::{find, open_one};
use crate::{
    cli::WordArgs,
    commands::{handed_in::secret_from_person, run::report_run, signals::stop_on_signal},
    complaint::{Code, Complaint, Exit},
    progress::progress,
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn rotate(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let (opened, engine, entry) = open_one(shell, credential).await?;
    replaceable(&opened, &entry)?;
    let by = word.by();
    let at = opened.now_at(entry.observed.credential.issuer()).await?;
    opened.db.request_rotation(entry.id, Word { by: &by, reason: &word.reason, at }).await?;
    let id = &entry.observed.credential;
    if opened
        .config
        .policy_index(id)
        .and_then(|index| opened.config.policies.get(index))
        .is_some_and(|one| one.four_eyes)
        && entry.observed.rotation.is_none()
    {
        shell.voice.warn(&format!(
            "{id}: asked for by {by}, and waits for somebody else: `keyrota plan --out FILE`, their `keyrota plan \
             --approve FILE`, then `keyrota run --once --plan FILE`"
        ));
        return Ok(Exit::Attention);
    }
    go_on(shell, &engine, &entry.observed.credential).await
}

pub(crate) async fn rollback(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let (_opened, engine, entry) = open_one(shell, credential).await?;
    match engine.roll_back(&entry, &word.by(), &word.reason).await {
        Ok(RolledBack::Abandoned) => shell.voice.note("the successor was never handed out; it is given up"),
        Ok(RolledBack::TurnedAround) => {
            shell.voice.note("the older version is delivered again; the newer one is retired with the same care");
        }
        Err(error) => return Err(rollback_complaint(credential, &error)),
    }
    go_on(shell, &engine, &entry.observed.credential).await
}

fn rollback_complaint(credential: &str, error: &RollbackError) -> Complaint {
    let complaint = not_now(credential, &error.to_string());
    match error {
        RollbackError::AlreadyRevoked | RollbackError::NoRotation => {
            complaint.hint("what is revoked stays dead; `keyrota credential rotate` makes a new one")
        }
        RollbackError::NoOlderVersion => complaint.hint(
            "`keyrota credential hold` stops what is under way; `keyrota credential rotate` makes a new one afterwards",
        ),
        RollbackError::SecretUnknown => complaint.hint(
            "it was met without its secret and the successor is handed out already; both stay valid while it is held",
        ),
        RollbackError::Held => complaint.hint("`keyrota credential release` it first"),
        RollbackError::NotIssued => complaint.hint("`keyrota credential hold` stops it before it begins"),
        RollbackError::Moved(_) | RollbackError::Read(_) => complaint.hint("try again"),
    }
}

pub(crate) async fn hold(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let opened = Opened::open(shell, Access::Commands).await?;
    let (row, id) = find(&opened, credential).await?;
    let (by, at) = (word.by(), opened.now_at(id.issuer()).await?);
    match opened.db.hold(row, Word { by: &by, reason: &word.reason, at }).await {
        Ok(()) => shell.voice.note(&format!("{id} is held: nothing of it is issued, renamed or revoked")),
        Err(WriteError::GuardMissed { .. }) => shell.voice.note(&format!("{id} is held already")),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

pub(crate) async fn release(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let opened = Opened::open(shell, Access::Commands).await?;
    let (row, id) = find(&opened, credential).await?;
    let (by, at) = (word.by(), opened.now_at(id.issuer()).await?);
    match opened.db.release(row, Word { by: &by, reason: &word.reason, at }).await {
        Ok(()) => shell.voice.note(&format!("{id} is released")),
        Err(WriteError::GuardMissed { .. }) => shell.voice.note(&format!("{id} was not held")),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

pub(crate) async fn import(shell: &Shell, credential: &str, word: &WordArgs) -> Ended {
    let secret = secret_from_person().await?;
    let (_opened, engine, entry) = open_one(shell, credential).await?;
    engine.import(&entry, &secret, &word.by(), &word.reason).await.map_err(|error| match &error {
        ImportError::Trial(source) => {
            Complaint::issuer(format!("the secret of `{credential}` could not be tried"), source)
        }
        ImportError::Unheard(source) => {
            Complaint::issuer(format!("the platform of `{credential}` could not be asked for its time"), source)
        }
        ImportError::Held => not_now(credential, &error.to_string()).hint("`keyrota credential release` it first"),
        ImportError::Protected => not_now(credential, &error.to_string())
            .hint("leave it to whoever runs the platform's own integration: its secret stays with them"),
        ImportError::Stray => not_now(credential, &error.to_string())
            .hint("rename it at the platform, so that it becomes a credential of its own, and import it then"),
        _ => not_now(credential, &error.to_string()),
    })?;
    go_on(shell, &engine, &entry.observed.credential).await
}

/// Performs what is due on this one credential, and reports it as a run does. What somebody has asked for needs no other
/// approval; what is due by itself does, where the policy asks.
pub(crate) async fn go_on(shell: &Shell, engine: &Engine, credential: &CredentialId) -> Ended {
    let only = HashSet::from([credential.to_string()]);
    let request = RunRequest { only: Some(only), stop: stop_on_signal(shell), ..RunRequest::everything() };
    let report = engine.run_once(&request, &*progress(shell)).await?;
    report_run(shell, &report)
}

/// Refuses what nothing would be done for now: a request is kept, and would come true long after it was forgotten.
pub(super) fn replaceable(opened: &Opened, entry: &Entry) -> Result<(), Complaint> {
    let observed = &entry.observed;
    let id = observed.credential.as_str();
    let refused = |cause: &str, hint: &str| {
        let state = match observed.current() {
            Some(version) => format!("nothing was changed; version {} stays as it is", version.number),
            None => "nothing was changed".to_owned(),
        };
        Err(not_now(id, cause).state(state).hint(hint))
    };
    if observed.stray {
        return refused(
            "it is a stray: it was not made by Keyrota",
            "rename it at the platform, so that it becomes a credential of its own, or end it there",
        );
    }
    if observed.protected {
        return refused(
            "it is protected: the platform's own integration depends on it",
            "whoever runs that integration replaces it, or ends it, at the platform",
        );
    }
    if let Some(hold) = &observed.hold {
        let cause = format!("it is held by {}: {}", hold.by, hold.reason);
        return refused(&cause, &format!("`keyrota credential release {id}` first"));
    }
    if opened.config.policy_index(&observed.credential).is_none() {
        return refused(
            "no policy applies to it, so nothing says where its successor goes",
            "name it in a `[[policy]]`, or end it at the platform",
        );
    }
    Ok(())
}

pub(super) fn not_now(credential: &str, cause: &str) -> Complaint {
    Complaint::new(Code::NotPossibleNow, format!("this cannot be done to `{credential}` now"))
        .cause(cause)
        .state("nothing was changed")
}
