//! Outcomes in words, as histories tell them.

use domain::Drifted;

use super::Outcome;

impl Outcome {
    /// For the history: what happened, in words.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Prepared(prepared) => format!("version {} chosen and sealed", prepared.number),
            Self::Issued(issued) => format!("version {} issued as {}", issued.number, issued.name),
            Self::Asked { due_at, .. } => format!("a person has time until {due_at:.0}"),
            Self::Disabled { .. } => "switched off".to_owned(),
            Self::Enabled { .. } => "switched on again".to_owned(),
            // Where readers would get at once what is written, the promotion writes.
            Self::Written { store_version, .. } if store_version.is_empty() => {
                "ready: it is written when it becomes current".to_owned()
            }
            Self::Written { store_version, .. } => format!("written as version {store_version} there"),
            Self::Verified { .. } => "accepted by the platform".to_owned(),
            Self::Promoted { written: Some((version, _)), .. } => format!("current, as version {version} there"),
            Self::Promoted { .. } => "current".to_owned(),
            Self::Confirmed { .. } => "read back and equal".to_owned(),
            Self::Drifted { what: Drifted::Gone, .. } => "readers get nothing any more".to_owned(),
            Self::Drifted { what: Drifted::LabelMoved, .. } => "readers are back at what it replaced".to_owned(),
            Self::Drifted { .. } => "readers get a value that somebody else wrote".to_owned(),
            Self::Told { consumer } => format!("{consumer} was told"),
            Self::Watched { usage, .. } => match (usage.known_through, usage.last_used) {
                (None, _) => "the issuer does not tell".to_owned(),
                (Some(through), Some(last)) => format!("last used {last:.0}, known through {through:.0}"),
                (Some(through), None) => format!("no use on record, known through {through:.0}"),
            },
            Self::Revoked { gone_already: true, .. } => "was gone already".to_owned(),
            Self::Revoked { .. } => "revoked".to_owned(),
            Self::StillThere { .. } => "the platform still has it; the revocation is taken back".to_owned(),
            Self::ProvedDead { evidence, .. } => format!("proved dead: {evidence}"),
            Self::Renamed { name, .. } => format!("named {name}"),
            Self::Purged { .. } => "our copies are gone".to_owned(),
            Self::Completed => "complete".to_owned(),
            Self::NotYet { why, .. } => format!("not yet: {why}"),
            Self::Failed { error, .. } => error.clone(),
        }
    }
}
