//! The life of one journaled step.

/// Phase of a journal entry. Only [`Phase::next`] moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The intent is durable; the effect may or may not have happened.
    Begun,
    Done,
    /// Known to have changed nothing.
    Failed,
    /// Begun, and nobody can say whether the effect took place.
    InDoubt,
    /// Was in doubt; we looked.
    Settled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseEvent {
    Succeeded,
    /// The effect certainly did not take place.
    NotApplied,
    /// The answer was lost, or the process died.
    AnswerLost,
    /// A fresh look told what is true.
    Looked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a step that is {from:?} cannot take {event:?}")]
pub struct IllegalPhase {
    pub from: Phase,
    pub event: PhaseEvent,
}

impl Phase {
    /// The only legal moves; everything else is refused.
    pub fn next(self, event: PhaseEvent) -> Result<Self, IllegalPhase> {
        match (self, event) {
            (Self::Begun, PhaseEvent::Succeeded) => Ok(Self::Done),
            (Self::Begun, PhaseEvent::NotApplied) => Ok(Self::Failed),
            (Self::Begun, PhaseEvent::AnswerLost) => Ok(Self::InDoubt),
            (Self::InDoubt, PhaseEvent::Looked) => Ok(Self::Settled),
            (from, event) => Err(IllegalPhase { from, event }),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Settled => "settled",
        }
    }
}
