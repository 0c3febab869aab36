//! The real world behind the drivers' ports: HTTP with verified TLS, the wall clock, the system's randomness.
//!
//! The only place in the shipped program that opens a connection as a client, or reads a clock.

mod clock;
mod entropy;
mod failure;
mod http;
mod tls;

pub(crate) use clock::{SystemClock, now};
pub(crate) use entropy::SystemEntropy;
pub(crate) use failure::SIGNS_ITSELF;
pub(crate) use http::{ClientError, SystemHttp};

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use driver::Ports;

/// Ports to the real world. `ca_file` names authorities that are trusted beside those of the system.
pub(crate) fn system_ports(ca_file: Option<&Path>) -> Result<Ports, ClientError> {
    Ok(Ports {
        http: Arc::new(SystemHttp::new(ca_file)?),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    })
}
