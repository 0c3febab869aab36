//! What the planner answers.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};

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
    /// Choose a successor's secret ourselves and seal it.
    Prepare {
        from: Option<VersionNumber>,
    },
    /// Mint a successor and seal its secret, or have the platform take the one that was prepared.
    Issue {
        from: Option<VersionNumber>,
    },
    /// Ask a person for what no call does.
    AskPerson {
        ask: Ask,
    },
    /// Hand the secret to a destination as `pending`.
    Write {
        version: VersionNumber,
        destination: Destination,
    },
    /// Try the version against the platform.
    Verify {
        version: VersionNumber,
    },
    /// Make it `current` at a destination.
    Promote {
        version: VersionNumber,
        destination: Destination,
    },
    /// Read it back as a consumer would and compare.
    Confirm {
        version: VersionNumber,
        destination: Destination,
    },
    /// Tell a consumer that there is a new version.
    Tell {
        version: VersionNumber,
        consumer: Arc<str>,
    },
    /// Ask the issuer who used the old version.
    Watch {
        version: VersionNumber,
    },
    /// Switch the version off, so that it can be switched on again.
    Disable {
        version: VersionNumber,
    },
    Enable {
        version: VersionNumber,
    },
    /// End the version at the platform, for good.
    Revoke {
        version: VersionNumber,
    },
    /// Try the revoked version: it must be refused.
    ProveDead {
        version: VersionNumber,
    },
    /// Give the version the name and title that people know.
    Rename {
        version: VersionNumber,
        name: String,
        title: String,
    },
    /// Forget our sealed copies of a dead version.
    Purge {
        version: VersionNumber,
    },
    /// Nothing is left to do: the rotation is closed.
    Complete,
}

impl Step {
    /// The stable word for it, in the interface and in the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "prepare",
            Self::Issue { .. } => "issue",
            Self::AskPerson { .. } => "ask_person",
            Self::Disable { .. } => "disable",
            Self::Enable { .. } => "enable",
            Self::Write { .. } => "write",
            Self::Verify { .. } => "verify",
            Self::Promote { .. } => "promote",
            Self::Confirm { .. } => "confirm",
            Self::Tell { .. } => "tell",
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
            Self::Prepare { from } | Self::Issue { from } => *from,
            Self::AskPerson { ask } => ask.version(),
            Self::Complete => None,
            Self::Write { version, .. }
            | Self::Verify { version }
            | Self::Promote { version, .. }
            | Self::Confirm { version, .. }
            | Self::Tell { version, .. }
            | Self::Watch { version }
            | Self::Disable { version }
            | Self::Enable { version }
            | Self::Revoke { version }
            | Self::ProveDead { version }
            | Self::Rename { version, .. }
            | Self::Purge { version } => Some(*version),
        }
    }

    /// Whether a rotation opens with it, where none is under way.
    pub fn begins(&self) -> bool {
        matches!(self, Self::Prepare { .. } | Self::Issue { .. } | Self::AskPerson { ask: Ask::Issue { .. } })
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

/// What only a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Make a successor at the platform and hand it over.
    Issue { from: Option<VersionNumber> },
    /// Remove the version at the platform.
    Revoke { version: VersionNumber },
}

impl Ask {
    /// The stable word for it, in the interface and in the database.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Revoke { .. } => "revoke",
        }
    }

    /// The version that it is about: what is replaced, or what is removed.
    pub fn version(&self) -> Option<VersionNumber> {
        match self {
            Self::Issue { from } => *from,
            Self::Revoke { version } => Some(*version),
        }
    }
}

/// Why a step is planned. The word is stable; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    AgeReached {
        age: SignedDuration,
        limit: SignedDuration,
    },
    /// It was declared and never issued, or everything issued has expired.
    NoneLive,
    ExpiresSoon {
        at: Timestamp,
    },
    Expired {
        at: Timestamp,
    },
    ParentTurned,
    Compromised {
        by: String,
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
    /// A destination does not hold what consumers are to read: any more, or not yet.
    Drifted,
    /// Its value is chosen and sealed.
    Prepared,
    /// The old one dies with the issue, so the new one waits at every destination before it.
    ReplacedAtOnce,
    SuccessorGone,
    /// And nothing else serves: the old one died with the issue.
    SuccessorRefused {
        since: Timestamp,
    },
    /// It took so long that the successor's own time is over.
    SuccessorExpired {
        at: Timestamp,
    },
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
    /// A person answers for it that the old version is not needed.
    Waived {
        by: String,
    },
    /// Read back everywhere; the consumer does not look by itself.
    Confirmed,
    /// Switched off; whoever still needs it will be heard of before it goes for good.
    SwitchedOff,
    /// Somebody tried it while it was switched off.
    UsedWhileDisabled {
        last_used: Timestamp,
    },
    /// Consumers are to read it again.
    NeededAgain,
    Abandoned,
    AnswerLost,
    Revoked,
    /// Somebody else removed it at the platform.
    RemovedByHand,
    ProvedDead,
    NothingToRetire,
    /// Nothing can end the old version early; it expires by itself.
    ExpiresByItself,
}

impl Reason {
    pub fn word(&self) -> &'static str {
        match self {
            Self::AgeReached { .. } => "age_reached",
            Self::NoneLive => "none_live",
            Self::ExpiresSoon { .. } => "expires_soon",
            Self::Expired { .. } => "expired",
            Self::ParentTurned => "parent_turned",
            Self::Compromised { .. } => "compromised",
            Self::Requested { .. } => "requested",
            Self::RolledBack { .. } => "rolled_back",
            Self::Imported { .. } => "imported",
            Self::Drifted => "drifted",
            Self::Prepared => "prepared",
            Self::ReplacedAtOnce => "replaced_at_once",
            Self::SuccessorGone => "successor_gone",
            Self::SuccessorRefused { .. } => "successor_refused",
            Self::SuccessorExpired { .. } => "successor_expired",
            Self::SuccessorIssued => "successor_issued",
            Self::WrittenEverywhere => "written_everywhere",
            Self::Verified => "verified",
            Self::PromotedEverywhere => "promoted_everywhere",
            Self::ProofTooOld => "proof_too_old",
            Self::OverlapRuns => "overlap_runs",
            Self::OverlapOver => "overlap_over",
            Self::SilenceAwaited => "silence_awaited",
            Self::QuietSince { .. } => "quiet",
            Self::Waived { .. } => "waived",
            Self::Confirmed => "confirmed",
            Self::SwitchedOff => "switched_off",
            Self::UsedWhileDisabled { .. } => "used_while_disabled",
            Self::NeededAgain => "needed_again",
            Self::Abandoned => "abandoned",
            Self::AnswerLost => "answer_lost",
            Self::Revoked => "revoked",
            Self::RemovedByHand => "removed_by_hand",
            Self::ProvedDead => "proved_dead",
            Self::NothingToRetire => "nothing_to_retire",
            Self::ExpiresByItself => "expires_by_itself",
        }
    }
}

/// From two days on, ages are told in days.
const HOURS_TOLD_MAX: i64 = 48;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgeReached { age, limit } => {
                let (hours, limit_hours) = (age.as_hours(), limit.as_hours());
                if limit_hours >= HOURS_TOLD_MAX {
                    let (days, limit_days) = (hours.div_euclid(24), limit_hours / 24);
                    write!(f, "it is {days} days old, the policy replaces at {limit_days}")
                } else {
                    write!(f, "it is {hours} hours old, the policy replaces at {limit_hours}")
                }
            }
            Self::NoneLive => f.write_str("no version of it is live"),
            Self::ExpiresSoon { at } => write!(f, "it expires {at:.0}"),
            Self::Expired { at } => write!(f, "it expired {at:.0} and must now be refused"),
            Self::ParentTurned => f.write_str("what it is minted from has turned"),
            Self::Compromised { by } => write!(f, "{by} says that others know it"),
            Self::Requested { by } => write!(f, "{by} asked for it"),
            Self::RolledBack { by } => write!(f, "{by} asked to go back"),
            Self::Drifted => f.write_str("a destination did not hold what consumers are to read"),
            Self::Imported { by } => write!(f, "{by} handed over its secret"),
            Self::Prepared => f.write_str("the successor's value is chosen and sealed"),
            Self::ReplacedAtOnce => f.write_str("the old one dies with the issue, so the new one goes ahead to wait"),
            Self::SuccessorRefused { since } => {
                write!(f, "the platform refuses the successor since {since:.0}, and nothing else is left to serve")
            }
            Self::SuccessorGone => f.write_str("somebody removed the successor at the platform"),
            Self::SuccessorExpired { at } => write!(f, "the successor expired {at:.0}, before all was done"),
            Self::SuccessorIssued => f.write_str("the successor is sealed and not yet everywhere"),
            Self::WrittenEverywhere => f.write_str("the successor waits at every destination"),
            Self::Verified => f.write_str("the platform accepts the successor"),
            Self::PromotedEverywhere => f.write_str("the successor is current, and not yet read back"),
            Self::ProofTooOld => f.write_str("the last proof is too old to retire anything on it"),
            Self::OverlapRuns => f.write_str("both versions are valid while the overlap runs"),
            Self::OverlapOver => f.write_str("the overlap is over and the policy retires on time alone"),
            Self::SilenceAwaited => f.write_str("the overlap is over, and the old version goes once nobody uses it"),
            Self::QuietSince { last_used: Some(at) } => write!(f, "nobody has used it since {at:.0}"),
            Self::Waived { by } => write!(f, "{by} answers for it that nobody needs the old version"),
            Self::Confirmed => f.write_str("the successor is read back everywhere, and the consumer waits to be told"),
            Self::QuietSince { last_used: None } => f.write_str("no use of it is on record"),
            Self::SwitchedOff => f.write_str("it is switched off, and whoever misses it is listened for"),
            Self::UsedWhileDisabled { last_used } => write!(f, "it was tried {last_used:.0}, while switched off"),
            Self::NeededAgain => f.write_str("consumers are to read it again"),
            Self::Abandoned => f.write_str("it was never handed out"),
            Self::AnswerLost => f.write_str("the answer that carried its secret was lost"),
            Self::Revoked => f.write_str("it was revoked and must now be refused"),
            Self::RemovedByHand => f.write_str("somebody removed it at the platform, and it must now be refused"),
            Self::ProvedDead => f.write_str("the old version is proved dead"),
            Self::NothingToRetire => f.write_str("no older version is to be retired"),
            Self::ExpiresByItself => f.write_str("the successor is everywhere, and the old version expires by itself"),
        }
    }
}
