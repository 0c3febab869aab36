//! What the planner answers.

use std::fmt;

use jiff::Timestamp;

use crate::{Destination, Finding, VersionNumber};

/// The next steps for one credential, in order, with what was found on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The first is the next to perform, when its `not_before` has come.
    pub steps: Vec<Planned>,
    pub findings: Vec<Finding>,
    /// When to plan again although nothing is heard of the credential meanwhile.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    /// The step to perform now, if one is due.
    pub fn due(&self, now: Timestamp) -> Option<&Planned> {
        self.steps.first().filter(|planned| planned.not_before <= now)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub step: Step,
    pub reason: Reason,
    pub not_before: Timestamp,
}

/// One effect, or one look, on one thing. Performed by the engine, each with an intent and an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Mint a successor and seal its secret.
    Issue { from: Option<VersionNumber> },
    /// Hand the secret to a destination as `pending`.
    Write { version: VersionNumber, destination: Destination },
    /// Try the version against the platform.
    Verify { version: VersionNumber },
    /// Make it `current` at a destination.
    Promote { version: VersionNumber, destination: Destination },
    /// Read it back as a consumer would and compare.
    Confirm { version: VersionNumber, destination: Destination },
    /// Ask the issuer who used the old version.
    Watch { version: VersionNumber },
    /// End the version at the platform, for good.
    Revoke { version: VersionNumber },
    /// Try the revoked version: it must be refused.
    ProveDead { version: VersionNumber },
    /// Give the version the name and title that people know.
    Rename { version: VersionNumber, name: String, title: String },
    /// Forget our sealed copies of a dead version.
    Purge { version: VersionNumber },
    /// Nothing is left to do: the rotation is closed.
    Complete,
}

impl Step {
    /// The stable word for it, in the interface and in the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Write { .. } => "write",
            Self::Verify { .. } => "verify",
            Self::Promote { .. } => "promote",
            Self::Confirm { .. } => "confirm",
            Self::Watch { .. } => "watch",
            Self::Revoke { .. } => "revoke",
            Self::ProveDead { .. } => "prove_dead",
            Self::Rename { .. } => "rename",
            Self::Purge { .. } => "purge",
            Self::Complete => "complete",
        }
    }

    pub fn version(&self) -> Option<VersionNumber> {
        match self {
            Self::Issue { from } => *from,
            Self::Complete => None,
            Self::Write { version, .. }
            | Self::Verify { version }
            | Self::Promote { version, .. }
            | Self::Confirm { version, .. }
            | Self::Watch { version }
            | Self::Revoke { version }
            | Self::ProveDead { version }
            | Self::Rename { version, .. }
            | Self::Purge { version } => Some(*version),
        }
    }

    pub fn destination(&self) -> Option<&Destination> {
        match self {
            Self::Write { destination, .. } | Self::Promote { destination, .. } | Self::Confirm { destination, .. } => {
                Some(destination)
            }
            _ => None,
        }
    }
}

/// Why a step is planned. The word is stable; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    AgeReached {
        age_days: i64,
        limit_days: i64,
    },
    Requested {
        by: String,
    },
    RolledBack {
        by: String,
    },
    Imported {
        by: String,
    },
    SuccessorGone,
    SuccessorIssued,
    WrittenEverywhere,
    Verified,
    PromotedEverywhere,
    ProofTooOld,
    OverlapRuns,
    OverlapOver,
    /// The overlap is over, and the policy demands silence too.
    SilenceAwaited,
    QuietSince {
        last_used: Option<Timestamp>,
    },
    Abandoned,
    AnswerLost,
    Revoked,
    /// Somebody else removed it at the platform.
    RemovedByHand,
    ProvedDead,
    NothingToRetire,
}

impl Reason {
    pub fn word(&self) -> &'static str {
        match self {
            Self::AgeReached { .. } => "age_reached",
            Self::Requested { .. } => "requested",
            Self::RolledBack { .. } => "rolled_back",
            Self::Imported { .. } => "imported",
            Self::SuccessorGone => "successor_gone",
            Self::SuccessorIssued => "successor_issued",
            Self::WrittenEverywhere => "written_everywhere",
            Self::Verified => "verified",
            Self::PromotedEverywhere => "promoted_everywhere",
            Self::ProofTooOld => "proof_too_old",
            Self::OverlapRuns => "overlap_runs",
            Self::OverlapOver => "overlap_over",
            Self::SilenceAwaited => "silence_awaited",
            Self::QuietSince { .. } => "quiet",
            Self::Abandoned => "abandoned",
            Self::AnswerLost => "answer_lost",
            Self::Revoked => "revoked",
            Self::RemovedByHand => "removed_by_hand",
            Self::ProvedDead => "proved_dead",
            Self::NothingToRetire => "nothing_to_retire",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgeReached { age_days, limit_days } => {
                write!(f, "it is {age_days} days old, the policy replaces at {limit_days}")
            }
            Self::Requested { by } => write!(f, "{by} asked for it"),
            Self::RolledBack { by } => write!(f, "{by} asked to go back"),
            Self::Imported { by } => write!(f, "{by} handed over its secret"),
            Self::SuccessorGone => f.write_str("somebody removed the successor at the platform"),
            Self::SuccessorIssued => f.write_str("the successor is sealed and not yet everywhere"),
            Self::WrittenEverywhere => f.write_str("the successor waits at every destination"),
            Self::Verified => f.write_str("the platform accepts the successor"),
            Self::PromotedEverywhere => f.write_str("the successor is current, and not yet read back"),
            Self::ProofTooOld => f.write_str("the last proof is too old to retire anything on it"),
            Self::OverlapRuns => f.write_str("both versions are valid while the overlap runs"),
            Self::OverlapOver => f.write_str("the overlap is over and the policy retires on time alone"),
            Self::SilenceAwaited => f.write_str("the overlap is over, and the old version goes once nobody uses it"),
            Self::QuietSince { last_used: Some(at) } => write!(f, "nobody has used it since {at:.0}"),
            Self::QuietSince { last_used: None } => f.write_str("no use of it is on record"),
            Self::Abandoned => f.write_str("it was never handed out"),
            Self::AnswerLost => f.write_str("the answer that carried its secret was lost"),
            Self::Revoked => f.write_str("it was revoked and must now be refused"),
            Self::RemovedByHand => f.write_str("somebody removed it at the platform, and it must now be refused"),
            Self::ProvedDead => f.write_str("the old version is proved dead"),
            Self::NothingToRetire => f.write_str("no older version is to be retired"),
        }
    }
}
