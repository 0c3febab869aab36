//! Who may do what, in Vault's own policy language.
//!
//! The same text works in the embedded store, in Vault and in OpenBao. [`Policy::parse`] reads one, [`lint`] says what
//! in it surely means something else than it looks like, [`Access`] decides by Vault's own rules of priority, and
//! [`ReadyMade`] are the policies that an installation begins with.
//!
//! Vault speaks the first version of HCL; libraries read the second, which refuses some of Vault's own examples (quoted
//! names in blocks) and reads others differently (`${`). So the reader is our own, and small. It is stricter than
//! Vault's where that one accepts what nobody means: a key given twice, a block without a pattern, a number for a word.

mod capability;
mod compiled;
mod lint;
mod pattern;
mod place;
mod policy;
mod print;
mod problem;
mod read;
mod ready_made;
mod syntax;
mod template;
mod token;

pub use capability::{Capabilities, Capability};
pub use compiled::{Access, Decision, InvalidAccess, Source, Winner};
pub use lint::{Finding, Severity, lint};
pub use pattern::Pattern;
pub use place::Place;
pub use policy::{Condition, Policy, Rule, Value, ValueEntry};
pub use problem::{InvalidPolicy, Problem};
pub use ready_made::{InvalidPlace, ReadyMade, Where};
pub use template::Identity;
