//! The deterministic world in which the engine is tortured. Tests only.
//!
//! The real planner, engine, journal and database walk credentials through their rotations, on one thread, against a
//! model of a platform and of secret stores. Every crossing between the engine and the world has a number, and a
//! [`Scenario`] says what happens at which number: a fault, a crash, a person who acts, a clock that jumps. Meanwhile
//! [`promises`](Promise) are watched from outside. The same scenario plays the same way, to the byte.
//!
//! What it deliberately does not do: it takes no time, opens no socket, and asks nothing of the engine's inside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "everything here is a test")]

mod abilities;
mod command;
mod consumers;
mod errands;
mod event;
mod gaps;
mod goal;
mod issuer;
mod kind;
mod matrix;
mod mistakes;
#[cfg(feature = "mutants")]
mod mutants;
mod people;
mod platform;
mod play;
mod policies;
mod ports;
mod promises;
mod real_driver;
mod scenario;
mod shelf;
mod shrink;
mod stage;
mod store;
mod survey;
mod terms;

pub use self::promises::{Breach, Promise};
pub use command::simulate;
pub use event::{Act, Event, Events, Fault, Verb};
pub use kind::{Family, Kind};
pub use matrix::matrix;
pub use mistakes::undocumented;
pub use play::{Played, play};
pub use real_driver::{Mishap, Outcome, RealFaults, play_real_driver, real_faults};
pub use scenario::Scenario;
pub use shrink::shrink;
pub use survey::{Broken, SingleFaults, single_faults};
pub use terms::Terms;
