//! What people are told.

use jiff::Timestamp;

/// One thing that a person should know: what happened, what is true now, what to do. Carries no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    /// A credential, or an issuer.
    pub subject: String,
    /// What it is about, the same for each time that the same thing is noticed.
    pub about: String,
    pub at: Timestamp,
    pub what: String,
    pub state: String,
    pub advice: String,
}

/// In the order in which a person reads them: what cannot wait comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    Overdue,
    Stuck,
    Failed,
    Drift,
    TaskWaiting,
    DueSoon,
    Retired,
    Promoted,
    Started,
}

impl NoticeKind {
    pub const ALL: [Self; 9] = [
        Self::Overdue,
        Self::Stuck,
        Self::Failed,
        Self::Drift,
        Self::TaskWaiting,
        Self::DueSoon,
        Self::Retired,
        Self::Promoted,
        Self::Started,
    ];

    /// The stable word for it, in messages and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
            Self::Drift => "drift",
            Self::TaskWaiting => "task_waiting",
            Self::DueSoon => "due_soon",
            Self::Retired => "retired",
            Self::Promoted => "promoted",
            Self::Started => "started",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::TaskWaiting => "waiting for a person",
            Self::DueSoon => "due soon",
            other => other.word(),
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Tells nothing but how far a credential has come: of several, the last one says it all.
    pub fn is_progress(self) -> bool {
        matches!(self, Self::DueSoon | Self::Started | Self::Promoted | Self::Retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_trouble_comes_first() {
        assert!(NoticeKind::ALL.is_sorted());
        assert!(NoticeKind::ALL.into_iter().all(|kind| NoticeKind::parse(kind.word()) == Some(kind)));
        assert_eq!(NoticeKind::parse("other"), None);
    }
}
