//! What every issuer and every store must do, as checks that run over the lists of drivers. Tests only.
//!
//! A check is skipped by what a driver declares as fact, never by its name. Each check gets a world of its own, says
//! what it expects in its panic message, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "everything here is a test")]

pub mod issuer;
mod ports;
pub mod store;
mod twin_http;

pub use ports::{SeededEntropy, SimulatedClock};
pub use twin_http::TwinHttp;
