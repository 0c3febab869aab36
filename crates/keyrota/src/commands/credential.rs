//! `keyrota credential …`: the objects of the estate.

mod act;
mod compromised;
mod evidence;
mod list;
mod show;

pub(crate) use act::go_on;
use db::{Access, Entry};
use domain::{CredentialId, Finding, Presence};
use engine::{Engine, Surveyed};

use crate::{
    cli::CredentialCommand,
    complaint::{Code, Complaint},
    config::nearest,
    shell::{Ended, Shell},
    wiring::Opened,
};

pub(crate) async fn credential(shell: &Shell, command: CredentialCommand) -> Ended {
    match command {
        CredentialCommand::List { selector, attention } => list::list(shell, selector.as_deref(), attention).await,
        CredentialCommand::Show { credential } => show::show(shell, &credential).await,
        CredentialCommand::History { credential } => show::history(shell, &credential).await,
        CredentialCommand::Rotate { credential, word } => act::rotate(shell, &credential, &word).await,
        CredentialCommand::Rollback { credential, word } => act::rollback(shell, &credential, &word).await,
        CredentialCommand::Hold { credential, word } => act::hold(shell, &credential, &word).await,
        CredentialCommand::Release { credential, word } => act::release(shell, &credential, &word).await,
        CredentialCommand::Compromised(args) => compromised::compromised(shell, &args).await,
        CredentialCommand::Acknowledge { credential, consumer, version, word } => {
            evidence::acknowledge(shell, &credential, (&consumer, version), &word).await
        }
        CredentialCommand::Waive { credential, consumer, within, answer } => {
            evidence::waive(shell, &credential, (consumer.as_deref(), &within), &answer).await
        }
        CredentialCommand::Import { credential, word } => act::import(shell, &credential, &word).await,
    }
}

/// Where a credential stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stand {
    Current,
    Due,
    Issuing,
    Delivering,
    Overlap,
    Retiring,
    Held,
    Protected,
    Parked,
    Stray,
    Unmanaged,
    Gone,
}

impl Stand {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Due => "due",
            Self::Issuing => "issuing",
            Self::Delivering => "delivering",
            Self::Overlap => "overlap",
            Self::Retiring => "retiring",
            Self::Held => "held",
            Self::Protected => "protected",
            Self::Parked => "parked",
            Self::Stray => "stray",
            Self::Unmanaged => "unmanaged",
            Self::Gone => "gone",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Current => "within the policy's limits",
            Self::Due => "a successor is due",
            Self::Issuing => "the successor is being issued",
            Self::Delivering => "the successor is on its way to its readers",
            Self::Overlap => "both versions are valid",
            Self::Retiring => "the old version is being ended and proved dead",
            Self::Held => "a person holds it as it is",
            Self::Protected => "the platform's own integration depends on it",
            Self::Parked => "nothing is tried until a person asks for it",
            Self::Stray => "not made by Keyrota, with a successor's name",
            Self::Unmanaged => "no policy applies",
            Self::Gone => "no longer at the platform",
        }
    }
}

pub(crate) fn stand(surveyed: &Surveyed) -> Stand {
    let observed = &surveyed.entry.observed;
    let gone = observed.versions.iter().all(|version| version.presence == Presence::Gone);
    if observed.stray {
        return if gone { Stand::Gone } else { Stand::Stray };
    }
    if observed.hold.is_some() {
        return Stand::Held;
    }
    if observed.protected {
        return if gone { Stand::Gone } else { Stand::Protected };
    }
    if observed.trouble.parked {
        return Stand::Parked;
    }
    let Some(rotation) = &observed.rotation else {
        let Some((plan, _)) = &surveyed.planned else { return if gone { Stand::Gone } else { Stand::Unmanaged } };
        let issues = plan.steps.iter().any(|planned| planned.step.begins());
        let other = |finding: &Finding| matches!(finding, Finding::CurrentGone { .. } | Finding::Drifted { .. });
        let blocked = plan.findings.iter().any(|finding| !other(finding));
        return match (issues || blocked, gone) {
            (true, _) => Stand::Due,
            (false, true) => Stand::Gone,
            (false, false) => Stand::Current,
        };
    };
    let from = rotation.from.and_then(|from| observed.version(from));
    match from {
        _ if rotation.to.is_none() => Stand::Issuing,
        Some(from) if !from.is_live() => Stand::Retiring,
        _ if rotation.deliveries.iter().any(|delivery| delivery.confirmed_at.is_some()) => Stand::Overlap,
        _ => Stand::Delivering,
    }
}

/// The one credential of this name, or an error that suggests what was meant.
pub(crate) async fn find(opened: &Opened, text: &str) -> Result<(i64, CredentialId), Complaint> {
    let id = CredentialId::parse(text).map_err(|error| {
        Complaint::new(Code::UnknownCredential, format!("`{text}` cannot be a credential"))
            .cause(error.to_string())
            .state("nothing was changed")
    })?;
    if let Some(row) = opened.db.entry_id(&id).await? {
        return Ok((row, id));
    }
    let known = opened.db.identifiers().await?;
    let complaint = Complaint::new(Code::UnknownCredential, format!("no credential is called `{text}`"))
        .state("nothing was changed");
    Err(match nearest(text, known.iter().map(CredentialId::as_str)) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint.hint("`keyrota credential list` names them all"),
    })
}

/// Opens everything for a command that acts on one credential, and reads it.
pub(crate) async fn open_one(shell: &Shell, text: &str) -> Result<(Opened, Engine, Entry), Complaint> {
    let opened = Opened::open(shell, Access::Engine).await?;
    let (row, id) = find(&opened, text).await?;
    let engine = opened.engine().await?;
    let entry = engine.entry(row).await?.ok_or_else(|| not_configured(&id))?;
    Ok((opened, engine, entry))
}

pub(crate) fn not_configured(id: &CredentialId) -> Complaint {
    Complaint::new(Code::UnknownCredential, format!("the issuer of `{id}` is not configured any more"))
        .state("nothing was changed")
        .hint("add its `[[issuer]]` table to the configuration")
}
