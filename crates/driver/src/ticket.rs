//! Proof that an intent is on disk.

/// Handed out when the intent of a step is durable, and asked for by every verb that changes the world: no ticket,
/// no driver call. Invariant, kept by `cargo xtask tidy`: only the journal and the contract suite make one.
#[derive(Debug)]
pub struct Ticket {
    journal_entry: i64,
}

impl Ticket {
    /// For the journal alone, after the intent was synced.
    pub fn for_journal_entry(journal_entry: i64) -> Self {
        Self { journal_entry }
    }

    pub fn journal_entry(&self) -> i64 {
        self.journal_entry
    }
}
