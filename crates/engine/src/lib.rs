//! Observe, plan, journal, perform, settle. The only caller of drivers.
//!
//! A rotation is a fixed point that the engine walks towards, one journaled step at a time: it looks, asks the
//! planner, performs the first due step with an intent before it and an outcome after it, and looks again. Nothing
//! that matters is kept in memory between two steps, so a process may die at any moment.
//!
//! The engine knows issuers and stores only by their traits, and time and network only by ports.

mod approve;
mod crash;
mod engine;
mod import;
mod inspect;
mod notices;
mod observe;
mod outbox;
mod perform;
mod policies;
mod probe;
pub mod reconcile;
mod rollback;
mod run;
mod stop;
mod survey;
mod tasks;
mod walk;

pub use approve::{PlannedLine, estate_digest};
pub use engine::{ConfiguredIssuer, Engine, IssuerHandle, Parts, sealed_as};
pub use import::ImportError;
pub use inspect::InspectError;
pub use notices::{Audience, Circle};
pub use observe::{Observation, ObserveError};
pub use outbox::{Held, HeldBack, Outbox, Posted, SendError};
pub use policies::{Applied, FormTemplate, News, Place, Policies, Teller, Tellers};
pub use probe::ProbeTemplate;
pub use rollback::{RollbackError, RolledBack};
pub use run::{IssuerTrouble, RunReport, RunRequest};
pub use stop::Stop;
pub use survey::{HaltedPolicies, Surveyed, survey};
pub use tasks::TaskError;
pub use walk::{Progress, Silent};
