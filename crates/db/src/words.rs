//! The words under which domain values stand in columns. A row keeps its meaning when code is renamed.

use domain::{Ask, Cause, DeathEvidence, Drifted, Origin, Phase, Presence, VersionNumber};

/// A word that this program does not know: written by a newer one, or by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown word `{0}`")]
pub(crate) struct UnknownWord(String);

pub(crate) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Found => "found",
        Origin::Issued => "issued",
        Origin::Orphan => "orphan",
    }
}

pub(crate) fn parse_origin(word: &str) -> Result<Origin, UnknownWord> {
    match word {
        "found" => Ok(Origin::Found),
        "issued" => Ok(Origin::Issued),
        "orphan" => Ok(Origin::Orphan),
        other => Err(UnknownWord(other.to_owned())),
    }
}

pub(crate) fn presence_word(presence: Presence) -> &'static str {
    match presence {
        Presence::Prepared => "prepared",
        Presence::Listed => "listed",
        Presence::Missing => "missing",
        Presence::Gone => "gone",
    }
}

pub(crate) fn parse_presence(word: &str) -> Result<Presence, UnknownWord> {
    match word {
        "prepared" => Ok(Presence::Prepared),
        "listed" => Ok(Presence::Listed),
        "missing" => Ok(Presence::Missing),
        "gone" => Ok(Presence::Gone),
        other => Err(UnknownWord(other.to_owned())),
    }
}

pub(crate) fn parse_evidence(word: &str) -> Result<DeathEvidence, UnknownWord> {
    let known = DeathEvidence::ALL.into_iter().find(|evidence| evidence.word() == word);
    known.ok_or_else(|| UnknownWord(word.to_owned()))
}

pub(crate) fn parse_phase(word: &str) -> Result<Phase, UnknownWord> {
    [Phase::Begun, Phase::Done, Phase::Failed, Phase::InDoubt, Phase::Settled]
        .into_iter()
        .find(|phase| phase.word() == word)
        .ok_or_else(|| UnknownWord(word.to_owned()))
}

pub(crate) fn parse_ask(word: &str, version: Option<VersionNumber>) -> Result<Ask, UnknownWord> {
    match (word, version) {
        ("issue", from) => Ok(Ask::Issue { from }),
        ("revoke", Some(version)) => Ok(Ask::Revoke { version }),
        (other, _) => Err(UnknownWord(other.to_owned())),
    }
}

pub(crate) fn drifted_word(what: Drifted) -> &'static str {
    match what {
        Drifted::ValueChanged => "value_changed",
        Drifted::LabelMoved => "label_moved",
        Drifted::Gone => "gone",
        Drifted::Undelivered => "undelivered",
    }
}

pub(crate) fn parse_drifted(word: &str) -> Result<Drifted, UnknownWord> {
    [Drifted::ValueChanged, Drifted::LabelMoved, Drifted::Gone, Drifted::Undelivered]
        .into_iter()
        .find(|what| drifted_word(*what) == word)
        .ok_or_else(|| UnknownWord(word.to_owned()))
}

/// Cause, who asked, and why, as their three columns.
pub(crate) fn cause_columns(cause: &Cause) -> (&'static str, Option<&str>, Option<&str>) {
    match cause {
        Cause::Age => ("age", None, None),
        Cause::Requested { by, reason } => ("requested", Some(by), Some(reason)),
        Cause::Rollback { by, reason } => ("rollback", Some(by), Some(reason)),
        Cause::Abandon { by, reason } => ("abandon", Some(by), Some(reason)),
        Cause::Compromised { by, reason } => ("compromised", Some(by), Some(reason)),
        Cause::ParentTurned => ("parent_turned", None, None),
        Cause::Repair => ("repair", None, None),
        Cause::Import { by } => ("import", Some(by), None),
    }
}

pub(crate) fn parse_cause(word: &str, by: Option<String>, reason: Option<String>) -> Result<Cause, UnknownWord> {
    let by = by.unwrap_or_default();
    let reason = reason.unwrap_or_default();
    match word {
        "age" => Ok(Cause::Age),
        "requested" => Ok(Cause::Requested { by, reason }),
        "rollback" => Ok(Cause::Rollback { by, reason }),
        "abandon" => Ok(Cause::Abandon { by, reason }),
        "compromised" => Ok(Cause::Compromised { by, reason }),
        "parent_turned" => Ok(Cause::ParentTurned),
        "repair" => Ok(Cause::Repair),
        "import" => Ok(Cause::Import { by }),
        other => Err(UnknownWord(other.to_owned())),
    }
}
