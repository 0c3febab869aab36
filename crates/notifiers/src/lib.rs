//! The ways to tell people, one folder each.
//!
//! A channel says what it is given and decides nothing: what is told, to whom, and when it is tried again, the engine
//! decides. Secrets of a channel (a password, an address that gives the right to post) are fetched anew for each use.

pub mod slack;
pub mod smtp;
pub mod webhook;

mod words;

use std::{fmt, path::PathBuf, sync::Arc};

use driver::{InvalidSettings, Notifier, Ports, Settings};
use url::{Host, Url};

/// In alphabetic order.
const NOTIFIERS: &[NotifierDriver] = &[slack::DRIVER, smtp::DRIVER, webhook::DRIVER];

/// One kind of channel.
#[derive(Clone, Copy)]
pub struct NotifierDriver {
    /// What `driver = "…"` says in the configuration.
    pub name: &'static str,
    /// One sentence for a person who chooses.
    pub about: &'static str,
    /// Makes the channel from its own keys. Calls nothing and reads no secret.
    pub configure: fn(settings: &Settings, ports: &NotifierPorts) -> Configured,
    /// The driver's own keys.
    pub schema: fn() -> schemars::Schema,
}

pub type Configured = Result<Arc<dyn Notifier>, InvalidSettings>;

impl fmt::Debug for NotifierDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotifierDriver({})", self.name)
    }
}

/// What a channel may use.
#[derive(Debug, Clone)]
pub struct NotifierPorts {
    pub ports: Ports,
    /// Authorities that are trusted beside those of the system; `ports.http` trusts them already.
    pub ca_file: Option<PathBuf>,
}

pub fn all() -> &'static [NotifierDriver] {
    NOTIFIERS
}

pub fn find(name: &str) -> Option<&'static NotifierDriver> {
    NOTIFIERS.iter().find(|driver| driver.name == name)
}

/// An address that notices may go to: https, or http on loopback.
fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no address")?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if url.host().is_some_and(|host| is_loopback(&host)) => Ok(url),
        "http" => Err("must be https (http is for loopback only)"),
        _ => Err("is not https"),
    }
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(domain) => domain.as_ref() == "localhost",
    }
}

/// One short line without control characters: it comes from a server.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(LONGEST).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
