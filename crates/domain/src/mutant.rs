//! Planted mistakes: the simulation switches one on to see that it is found. Only a build with the feature `mutants`
//! knows them; everywhere else [`planted`] is the constant `false`, and nothing of them is left in the program.

/// Whether this mistake is to be made on this thread.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn planted(_name: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod chosen {
    use std::cell::Cell;

    thread_local! {
        static CHOSEN: Cell<&'static str> = const { Cell::new("") };
    }

    /// Whether this mistake is to be made on this thread.
    pub fn planted(name: &str) -> bool {
        CHOSEN.get() == name
    }

    /// From now on this thread makes this mistake and no other; none, if the name is empty.
    pub fn plant(name: &'static str) {
        CHOSEN.set(name);
    }
}

#[cfg(feature = "mutants")]
pub use chosen::{plant, planted};
