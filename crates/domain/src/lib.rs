//! The words of Keyrota as types.
//!
//! Everything the planner reads and writes lives here, and nothing else: no I/O, no async, no secret bytes, no
//! serialization. Crates at the edge (database, console, command line) make their own counterparts.

mod death;
mod facts;
mod finding;
mod id;
mod mutant;
mod notice;
mod observed;
mod phase;
mod plan;
mod policy;
mod selector;

pub use death::DeathEvidence;
pub use facts::{Ending, FactSheet, Idempotency, IssuerFacts, Minting, Overlap, Performer, SUCCESSOR_SUFFIX};
pub use finding::Finding;
pub use id::{
    CredentialId, Destination, Fingerprint, Handle, InvalidId, Marker, RotationId, SecretPath, VersionNumber,
};
pub use jiff::{SignedDuration as Duration, Timestamp};
#[cfg(feature = "mutants")]
pub use mutant::plant;
pub use mutant::planted;
pub use notice::{Notice, NoticeKind};
pub use observed::{
    Acknowledgement, Cause, Delivery, Drift, Drifted, Hold, Observed, Origin, Owner, Parent, Presence, Rotation, Slots,
    Task, Trouble, Usage, Version, Waiver,
};
pub use phase::{IllegalPhase, Phase, PhaseEvent};
pub use plan::{Ask, Plan, Planned, Reason, Step};
pub use policy::{Consumer, Mode, Policy, RetireWhen};
pub use selector::{InvalidSelector, Selector};
