//! What the author of a simulated platform needs: calls, replies, faults and a clock.
//!
//! A twin is a pure state machine: it gets a [`Call`] with the time and answers a [`Reply`]. It opens no socket, so
//! the binary can serve it over HTTP and the simulation can call it directly. Faults that any platform can have
//! (an error, a lost answer, throttling) are done once, in [`World`]; those that need the platform's own knowledge
//! (a stale list, a change that shows late, a lie) reach the twin with the call.

mod call;
mod control;
mod duration;
mod fault;
mod random;
#[cfg(feature = "serve")]
mod serve;
mod stages;
mod world;

pub use call::{Call, Reply};
pub use duration::{InvalidDuration, parse_duration};
pub use fault::{Fault, FaultKind, InvalidFault, ROUTES};
pub use random::Random;
#[cfg(feature = "serve")]
pub use serve::{Addresses, Clock, Serving, serve};
pub use stages::{OptionSet, Stages};
pub use world::{Answer, LoggedCall, Side, World};

use jiff::Timestamp;
use serde_json::Value;

/// A simulated platform. Written from the platform's documentation; shares no types with the driver.
pub trait Twin: Send + std::fmt::Debug {
    fn driver(&self) -> &'static str;

    /// What stands between the host and the platform's own paths in its base address, for example `/api`.
    fn base_path(&self) -> &'static str {
        ""
    }

    /// Told once, before the first call: the addresses under which the twin is served, for absolute links.
    fn serve_at(&mut self, base_url: &str, gateway_url: &str);

    /// What a client logs in with, in the platform's own names.
    fn login(&self) -> Value;

    /// The name of the route that a call takes, for `--fault KIND@ROUTE`: `login`, `list`, `read`, `issue`, `revoke`,
    /// `rename`, `verify`, `usage`; `other` for the rest.
    fn route(&self, call: &Call) -> &'static str;

    /// The platform's own API. `fault` is a fault that needs the twin's knowledge, if one strikes this call.
    fn platform(&mut self, now: Timestamp, call: &Call, fault: Option<FaultKind>) -> Reply;

    /// The protected API that accepts the credentials.
    fn gateway(&mut self, now: Timestamp, call: &Call) -> Reply;

    /// An error in the platform's own envelope.
    fn error(&self, status: u16, message: &str) -> Reply;

    /// An error as the gateway words it, where it differs.
    fn gateway_error(&self, status: u16, message: &str) -> Reply {
        self.error(status, message)
    }

    /// Everything, secrets included. For tests.
    fn state(&self, now: Timestamp) -> Value;

    /// Acts as a person at the console would. The error is a sentence.
    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String>;
}
