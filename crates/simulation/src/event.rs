//! What can happen, and where.

use std::{collections::BTreeMap, fmt};

use domain::Duration;

/// A way of crossing from the engine to the world. Each use of one is an I/O point with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    List,
    LookUp,
    Issue,
    Revoke,
    Disable,
    Enable,
    Rename,
    Verify,
    Usage,
    Inspect,
    Write,
    Promote,
    Discard,
    Commit,
}

impl Verb {
    /// Whether it changes the world outside our own database.
    pub fn has_effect(self) -> bool {
        matches!(
            self,
            Self::Issue
                | Self::Revoke
                | Self::Disable
                | Self::Enable
                | Self::Rename
                | Self::Write
                | Self::Promote
                | Self::Discard
        )
    }

    pub fn takes(self, fault: Fault) -> bool {
        match fault {
            Fault::FailsBefore | Fault::Late | Fault::CrashBefore | Fault::CrashAfter => {
                fault != Fault::FailsBefore && fault != Fault::Late || self != Self::Commit
            }
            Fault::Throttled | Fault::LoginRefused => !matches!(self, Self::Commit),
            Fault::LostBefore | Fault::AnswerLost | Fault::Twice | Fault::Delayed => self.has_effect(),
            Fault::Stale | Fault::Short => self == Self::List,
            Fault::Lies => self == Self::Revoke,
            Fault::DiskFull | Fault::SyncFailsBefore | Fault::SyncFailsAfter => self == Self::Commit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// An error, and certainly no effect.
    FailsBefore,
    /// No answer and no effect; the caller cannot know.
    LostBefore,
    /// The effect takes place, its answer is lost.
    AnswerLost,
    /// The effect takes place now, the answer comes much later.
    Late,
    /// No answer, and the effect takes place some minutes after the caller gave up.
    Delayed,
    /// Delivered twice.
    Twice,
    Throttled,
    LoginRefused,
    /// A listing as it was a while ago.
    Stale,
    /// A listing that silently lacks some.
    Short,
    /// Says done, and did nothing.
    Lies,
    CrashBefore,
    CrashAfter,
    DiskFull,
    /// The disk failed, and the unit is not on it.
    SyncFailsBefore,
    /// The disk failed, and the unit is on it all the same.
    SyncFailsAfter,
}

impl Fault {
    pub const ALL: [Self; 16] = [
        Self::FailsBefore,
        Self::LostBefore,
        Self::AnswerLost,
        Self::Late,
        Self::Delayed,
        Self::Twice,
        Self::Throttled,
        Self::LoginRefused,
        Self::Stale,
        Self::Short,
        Self::Lies,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::DiskFull,
        Self::SyncFailsBefore,
        Self::SyncFailsAfter,
    ];
}

/// What a person does. Numbers name credentials of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Hold(usize),
    Release(usize),
    /// `keyrota credential rotate`.
    Rotate(usize),
    /// `keyrota credential compromised`.
    Compromise(usize),
    /// `keyrota credential rollback`, at the next run.
    RollBack(usize),
    /// `keyrota credential import` of the secret that is in use, at the next run.
    Import(usize),
    /// The same with a secret that is another one's.
    ImportWrong(usize),
    /// Removes the newest live version at the platform.
    RemoveNewest(usize),
    RemoveOldest(usize),
    /// Takes the last removal by hand back.
    Restore(usize),
    /// Switches the application off, and on again.
    SwitchOff(usize),
    SwitchOn(usize),
    /// Makes a version by hand, with the name that a successor would have.
    MakeStray(usize),
    /// Renames the oldest live version at the platform.
    Rename(usize),
    /// Writes the value of the oldest live version into the first destination.
    WriteOld(usize),
    /// Writes something that was never a secret there.
    WriteJunk(usize),
}

impl Act {
    /// Those that mean something without another one before them.
    pub const ALONE: [Self; 12] = [
        Self::Hold(0),
        Self::Rotate(0),
        Self::Compromise(0),
        Self::RollBack(0),
        Self::Import(0),
        Self::RemoveNewest(0),
        Self::RemoveOldest(0),
        Self::SwitchOff(0),
        Self::MakeStray(0),
        Self::Rename(0),
        Self::WriteOld(0),
        Self::WriteJunk(0),
    ];

    pub fn credential(self) -> usize {
        match self {
            Self::Hold(one)
            | Self::Release(one)
            | Self::Rotate(one)
            | Self::Compromise(one)
            | Self::RollBack(one)
            | Self::Import(one)
            | Self::ImportWrong(one)
            | Self::Restore(one)
            | Self::SwitchOff(one)
            | Self::SwitchOn(one)
            | Self::RemoveNewest(one)
            | Self::RemoveOldest(one)
            | Self::MakeStray(one)
            | Self::Rename(one)
            | Self::WriteOld(one)
            | Self::WriteJunk(one) => one,
        }
    }
}

/// A change of one credential's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Observe,
    Automatic,
    /// One more destination.
    Widen,
    LongerOverlap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Fault(Fault),
    Person(Act),
    /// Our clock jumps against the true time, before the next run.
    Clock(Duration),
    /// It jumps at once.
    Jump(Duration),
    /// It jumps at once, and is set right before the next run.
    Glitch(Duration),
    /// From now on and for so long, listings show what there was now.
    Frozen(Duration),
    Policy(usize, Change),
}

impl Event {
    /// What is tried by itself at a point of a world with one credential: each fault, and each thing that a person may do.
    pub fn alone(verb: Verb) -> impl Iterator<Item = Self> {
        let faults = Fault::ALL.into_iter().filter(move |fault| verb.takes(*fault)).map(Self::Fault);
        faults.chain(Act::ALONE.into_iter().map(Self::Person))
    }

    /// One of those by its word: `AnswerLost`, `RemoveNewest`.
    pub(crate) fn by_word(word: &str) -> Option<Self> {
        let faults = Fault::ALL.into_iter().map(Self::Fault);
        faults.chain(Act::ALONE.into_iter().map(Self::Person)).find(|event| event.word() == word)
    }

    /// How a single fault or act is named on a command line.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Person(act) => format!("{act:?}").split('(').next().unwrap_or_default().to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{fault:?}"),
            Self::Person(act) => write!(f, "a person: {act:?}"),
            Self::Clock(by) => write!(f, "our clock jumps by {by} before the next run"),
            Self::Jump(by) => write!(f, "our clock jumps by {by}"),
            Self::Glitch(by) => write!(f, "our clock jumps by {by} until the next run"),
            Self::Frozen(by) => write!(f, "listings are frozen for {by}"),
            Self::Policy(credential, change) => write!(f, "policy of c{credential}: {change:?}"),
        }
    }
}

/// What happens at which crossing.
pub type Events = BTreeMap<usize, Vec<Event>>;
