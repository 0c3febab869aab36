//! What a way to tell people must do.

use std::fmt::Debug;

use async_trait::async_trait;
use domain::{Notice, Timestamp};

use crate::DriverError;

/// A channel to people, or to a program of theirs.
///
/// It repeats nothing: whether and when a message is sent again is the engine's to decide, and
/// [`Effect::NotApplied`](crate::Effect::NotApplied) says that nobody can have seen it.
#[async_trait]
pub trait Notifier: Send + Sync + Debug {
    fn facts(&self) -> NotifierFacts;

    /// Whether it could tell somebody now, as far as that shows without telling anybody: one sentence for each thing
    /// that was tried.
    async fn check(&self) -> Result<Vec<String>, DriverError>;

    /// Hands one message over, to one recipient. MUST carry `message.id` in such a form that the recipient's programs can
    /// drop a second copy. `Ok` means that the other side has taken it upon itself.
    async fn send(&self, message: &Message) -> Result<(), DriverError>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierFacts {
    /// A recipient is a person's e-mail address, and it reaches any such person.
    pub addresses_people: bool,
    /// Whom it tells where a policy names it. A channel that leads to a single place has one recipient, whose name is
    /// only for people to read.
    pub tells: Vec<String>,
}

/// Everything that one recipient is told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt.
    pub id: String,
    pub to: String,
    pub at: Timestamp,
    /// At least one. What cannot wait comes first.
    pub notices: Vec<Notice>,
    /// Further ones that are not told one by one.
    pub left_out: usize,
}
