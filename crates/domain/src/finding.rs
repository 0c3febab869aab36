//! Trouble and open questions that the planner meets. They are answers, never errors.

use std::fmt;

use jiff::Timestamp;

use crate::Drifted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Protected,
    Held {
        by: String,
        reason: String,
    },
    Stray,
    NameTaken {
        name: String,
    },
    NoDestination,
    ParentDisabled,
    NoSlot {
        used: u32,
        live_max: u32,
    },
    Parked {
        attempts: u32,
        error: String,
    },
    /// Waiting for another attempt; it passes by itself.
    Retrying {
        attempts: u32,
        error: String,
    },
    VersionMissing {
        handle: String,
    },
    /// The version that consumers use is gone from the platform, and we did not remove it.
    CurrentGone {
        handle: String,
    },
    SuccessorRefused {
        since: Timestamp,
    },
    StillUsed {
        last_used: Timestamp,
    },
    NoUsageEvidence,
    Overdue {
        age_days: i64,
        limit_days: i64,
    },
    StillAccepted {
        revoked_at: Timestamp,
    },
    /// It should have ended by itself.
    AcceptedPastExpiry {
        expired_at: Timestamp,
    },
    /// Ours, its secret lost, and only a person can remove it.
    OrphanLeft {
        handle: String,
    },
    /// It lives beside the version that consumers read, and nobody retires it.
    LiveBeside {
        handle: String,
    },
    ClockWentBack {
        recorded: Timestamp,
    },
    /// These consumers have not said that they run the successor.
    NotAcknowledged {
        consumers: String,
    },
    /// A destination holds something else than what was delivered.
    Drifted {
        destination: String,
        what: Drifted,
    },
    /// A person's step is open; silence never proceeds.
    TaskWaiting {
        asked_at: Timestamp,
        due_at: Timestamp,
    },
    TaskOverdue {
        due_at: Timestamp,
    },
    /// A person was asked to remove the old version, and since then something speaks against it.
    TaskTooEarly {
        asked_at: Timestamp,
    },
    /// The old version was tried while it was switched off: somebody still needs it.
    UsedWhileDisabled {
        last_used: Timestamp,
    },
    ApprovalWanted,
    OwnerActs,
    OnlyObserved,
}

impl Finding {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Held { .. } => "held",
            Self::Stray => "stray",
            Self::NameTaken { .. } => "name_taken",
            Self::NoDestination => "no_destination",
            Self::ParentDisabled => "parent_disabled",
            Self::NoSlot { .. } => "no_slot",
            Self::Parked { .. } => "parked",
            Self::Retrying { .. } => "retrying",
            Self::VersionMissing { .. } => "version_missing",
            Self::CurrentGone { .. } => "current_gone",
            Self::SuccessorRefused { .. } => "successor_refused",
            Self::StillUsed { .. } => "still_used",
            Self::NoUsageEvidence => "no_usage_evidence",
            Self::Overdue { .. } => "overdue",
            Self::StillAccepted { .. } => "still_accepted",
            Self::AcceptedPastExpiry { .. } => "accepted_past_expiry",
            Self::OrphanLeft { .. } => "orphan_left",
            Self::LiveBeside { .. } => "live_beside",
            Self::ClockWentBack { .. } => "clock_went_back",
            Self::NotAcknowledged { .. } => "not_acknowledged",
            Self::Drifted { .. } => "drifted",
            Self::TaskWaiting { .. } => "task_waiting",
            Self::TaskOverdue { .. } => "task_overdue",
            Self::TaskTooEarly { .. } => "task_too_early",
            Self::UsedWhileDisabled { .. } => "used_while_disabled",
            Self::ApprovalWanted => "approval_wanted",
            Self::OwnerActs => "owner_acts",
            Self::OnlyObserved => "only_observed",
        }
    }

    /// Whether a person has to look. What passes by itself, or was decided by a person, does not count.
    pub fn wants_attention(&self) -> bool {
        match self {
            Self::Protected
            | Self::Held { .. }
            | Self::Retrying { .. }
            | Self::OnlyObserved
            | Self::StillUsed { .. }
            | Self::ParentDisabled => false,
            Self::Stray
            | Self::NameTaken { .. }
            | Self::NoDestination
            | Self::NoSlot { .. }
            | Self::Parked { .. }
            | Self::VersionMissing { .. }
            | Self::CurrentGone { .. }
            | Self::SuccessorRefused { .. }
            | Self::NoUsageEvidence
            | Self::Overdue { .. }
            | Self::StillAccepted { .. }
            | Self::AcceptedPastExpiry { .. }
            | Self::OrphanLeft { .. }
            | Self::LiveBeside { .. }
            | Self::ClockWentBack { .. }
            | Self::NotAcknowledged { .. }
            | Self::Drifted { .. }
            | Self::TaskWaiting { .. }
            | Self::TaskOverdue { .. }
            | Self::TaskTooEarly { .. }
            | Self::UsedWhileDisabled { .. }
            | Self::ApprovalWanted
            | Self::OwnerActs => true,
        }
    }

    /// Whether a run calls it out, and ends with that: what wants a person, and what fails so far and is tried again by a
    /// later run.
    pub fn is_called_out(&self) -> bool {
        self.wants_attention() || matches!(self, Self::Retrying { .. })
    }

    /// What a person can do about it; `CREDENTIAL` stands for the identifier.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Protected => "leave it: the platform's own integration depends on it",
            Self::Held { .. } => "run `keyrota credential release CREDENTIAL` when it may move again",
            Self::Stray => "ask its owner; rename it or remove it at the platform",
            Self::NameTaken { .. } => "rename or remove the one that is not ours, at the platform",
            Self::NoDestination => "name a `deliver` destination in its policy",
            Self::ParentDisabled => "enable the application, or leave it: nothing of it is in use",
            Self::NoSlot { .. } => {
                "free a slot at the platform; where a rotation beside it is under way, wait: its end frees one"
            }
            Self::Parked { .. } => "mend the cause, then run `keyrota credential rotate CREDENTIAL`",
            Self::Retrying { .. } => {
                "a later run tries again; where the cause names a login or a setting, mend it first"
            }
            Self::VersionMissing { .. } => "wait for the next listing, or look at the platform",
            Self::CurrentGone { .. } => {
                "run `keyrota credential rotate CREDENTIAL` for a new one, or restore it at the platform"
            }
            Self::SuccessorRefused { .. } => {
                "look at the `verify` address; then `keyrota credential rollback CREDENTIAL` abandons the successor"
            }
            Self::StillUsed { .. } => "tell the consumer that still uses the old version",
            Self::NoUsageEvidence => {
                "grant the service account analytics rights, or set `retire_when = \"overlap_over\"`"
            }
            Self::Overdue { .. } => "tell the owner: the old version is kept alive until nobody uses it",
            Self::StillAccepted { .. } => "the platform says deleted and still accepts it: call its support",
            Self::AcceptedPastExpiry { .. } => "the platform accepts it past its end: call its support",
            Self::OrphanLeft { .. } => "remove it at the platform: it is live, and nobody has its secret",
            Self::LiveBeside { .. } => {
                "remove it at the platform, or bring its secret by `keyrota credential import CREDENTIAL` if it is to serve"
            }
            Self::ClockWentBack { .. } => "set the clock right; nothing is retired until it passes the recorded time",
            Self::NotAcknowledged { .. } => {
                "run `keyrota credential acknowledge CREDENTIAL --consumer NAME` once it runs the new version, or \
                 `keyrota credential waive`"
            }
            Self::Drifted { what: Drifted::Undelivered, .. } => {
                "run `keyrota credential rotate CREDENTIAL`; `drift = \"repair\"` in the policy delivers there what is \
                 current, by itself"
            }
            Self::Drifted { .. } => {
                "find who writes there, and put the value right or run `keyrota credential rotate CREDENTIAL`; \
                 `drift = \"repair\"` in the policy does it by itself, three times a day at most"
            }
            Self::TaskWaiting { .. } | Self::TaskOverdue { .. } => {
                "run `keyrota task list`, do what it says, then `keyrota task complete`"
            }
            Self::TaskTooEarly { .. } => "leave the old version at the platform until this is said no more",
            Self::UsedWhileDisabled { .. } => "find the consumer that still uses the old version; it is on again",
            Self::ApprovalWanted => {
                "run `keyrota plan --out FILE`, read it, then `keyrota run --once --plan FILE`; where the policy wants \
                 four eyes, somebody else runs `keyrota plan --approve FILE --by NAME` in between"
            }
            Self::OwnerActs => "tell the owner; the policy leaves the replacement to them",
            Self::OnlyObserved => "set `mode` in its policy when Keyrota may act",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protected => f.write_str("protected at the platform; never replaced, never removed"),
            Self::Held { by, reason } => write!(f, "held by {by}: {reason}"),
            Self::Stray => f.write_str("carries a successor's name but was not made by Keyrota"),
            Self::NameTaken { name } => write!(f, "the successor's name `{name}` is taken by one that is not ours"),
            Self::NoDestination => f.write_str("due, but its policy names no destination"),
            Self::ParentDisabled => f.write_str("due, but its application is disabled"),
            Self::NoSlot { used, live_max } => write!(f, "due, but {used} of {live_max} slots are taken"),
            Self::Parked { attempts: 1, error } => write!(f, "parked at the first attempt: {error}"),
            Self::Parked { attempts, error } => write!(f, "parked after {attempts} attempts: {error}"),
            Self::Retrying { attempts, error } => write!(f, "attempt {attempts} failed, trying again: {error}"),
            Self::VersionMissing { handle } => write!(f, "the listing no longer shows {handle}"),
            Self::CurrentGone { handle } => write!(f, "{handle} was removed at the platform by somebody else"),
            Self::SuccessorRefused { since } => write!(f, "the platform refuses the successor since {since:.0}"),
            Self::StillUsed { last_used } => write!(f, "the old version was last used {last_used:.0}"),
            Self::NoUsageEvidence => f.write_str("the issuer does not tell who uses the old version"),
            Self::Overdue { age_days, limit_days } => {
                write!(f, "it is {age_days} days old, past {limit_days}, and cannot be retired yet")
            }
            Self::StillAccepted { revoked_at } => write!(f, "revoked {revoked_at:.0} and still accepted"),
            Self::AcceptedPastExpiry { expired_at } => write!(f, "expired {expired_at:.0} and still accepted"),
            Self::OrphanLeft { handle } => {
                write!(f, "the answer that carried the secret of {handle} was lost, and it lives")
            }
            Self::LiveBeside { handle } => {
                write!(f, "{handle} lives beside what consumers read, and nobody retires it")
            }
            Self::ClockWentBack { recorded } => {
                write!(f, "the clock is before {recorded:.0}, which is already on record")
            }
            Self::NotAcknowledged { consumers } => {
                write!(f, "not retired: no word yet that the successor runs at {consumers}")
            }
            Self::Drifted { destination, what: Drifted::ValueChanged } => {
                write!(f, "{destination} holds a value that was not delivered by Keyrota")
            }
            Self::Drifted { destination, what: Drifted::LabelMoved } => {
                write!(f, "readers of {destination} get an older version than the one delivered")
            }
            Self::Drifted { destination, what: Drifted::Gone } => {
                write!(f, "readers of {destination} get nothing: the secret is gone")
            }
            Self::Drifted { destination, what: Drifted::Undelivered } => {
                write!(f, "{destination} was named since the last delivery, and has nothing of it yet")
            }
            Self::TaskWaiting { asked_at, due_at } => {
                write!(f, "waits since {asked_at:.0} for a person, who has time until {due_at:.0}")
            }
            Self::TaskOverdue { due_at } => write!(f, "a person's step was due {due_at:.0} and is not done"),
            Self::TaskTooEarly { asked_at } => {
                write!(f, "the removal asked for {asked_at:.0} is to wait: the old version may be needed")
            }
            Self::UsedWhileDisabled { last_used } => {
                write!(f, "the old version was tried {last_used:.0} while it was switched off")
            }
            Self::ApprovalWanted => f.write_str("due, and waits for a person to approve the plan"),
            Self::OwnerActs => f.write_str("due, and its owner replaces it"),
            Self::OnlyObserved => f.write_str("due, but its policy only observes"),
        }
    }
}
