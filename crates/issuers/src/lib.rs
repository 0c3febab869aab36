//! The API platforms that mint credentials, one folder each.
//!
//! A new platform is a folder here and a line in the list below. Nothing else in the workspace names it, and the
//! contract suite runs over this list, so no driver can skip it.

pub mod apigee;
pub mod apisec;
pub mod http;
pub mod ibm_apic;
pub mod securid;

use std::sync::Arc;

use domain::FactSheet;
use driver::{InvalidSettings, Issuer, Ports, Settings};
use jiff::Timestamp;
use serde_json::Value;
use twin::{Stages, Twin};

/// Builds an issuer from the driver's own keys. Fetches secrets, calls nobody.
pub type Configure = fn(&Settings, &Ports) -> Result<Arc<dyn Issuer>, InvalidSettings>;

/// Builds the twin as it stands at `now`. Options come by name and value; a flag has an empty value. The seed decides
/// everything generated. The error is a sentence that names the option.
pub type BuildTwin = fn(options: &[(String, String)], seed: u64, now: Timestamp) -> Result<Box<dyn Twin>, String>;

/// A platform that Keyrota can work with.
#[derive(Debug, Clone, Copy)]
pub struct IssuerDriver {
    /// The value of `driver` in an `[[issuer]]` table.
    pub name: &'static str,
    /// The platform, for people.
    pub about: &'static str,
    /// What each part of a credential's path is called, from the outermost to the credential itself. These are the
    /// placeholders of a delivery path: `{consumer_org}/{app}/{credential}`.
    pub levels: &'static [&'static str],
    /// The headers in which a gateway of this platform expects a secret, the public fields first: by header a field, or
    /// a text around one like `Bearer {token}`. `{signed}` stands for what the driver's signer makes of the secret.
    pub gateway: &'static [(&'static str, &'static str)],
    pub configure: Configure,
    /// What is true of an issuer with these keys. Fetches no secret, calls nobody.
    pub facts: fn(&Settings) -> Result<FactSheet, InvalidSettings>,
    /// Schema of the driver's own keys.
    pub schema: fn() -> schemars::Schema,
    pub twin: TwinDriver,
}

/// The platform, simulated.
#[derive(Debug, Clone, Copy)]
pub struct TwinDriver {
    pub options: &'static [TwinOption],
    pub build: BuildTwin,
    /// The driver's own keys with which an issuer reaches the twin, from its address and what it says of its login.
    pub settings: fn(base_url: &str, login: &Value) -> toml::Table,
    /// How the contract suite sets the twin up.
    pub stages: Stages,
}

/// One option of a twin, as in `--NAME VALUE`.
#[derive(Debug, Clone, Copy)]
pub struct TwinOption {
    pub name: &'static str,
    /// What stands for the value in help; empty for a flag.
    pub value: &'static str,
    pub about: &'static str,
}

/// Every driver, in alphabetical order.
pub fn all() -> &'static [IssuerDriver] {
    ALL
}

pub fn find(name: &str) -> Option<&'static IssuerDriver> {
    ALL.iter().find(|driver| driver.name == name)
}

static ALL: &[IssuerDriver] = &[apigee::DRIVER, apisec::DRIVER, http::DRIVER, ibm_apic::DRIVER, securid::DRIVER];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_every_driver_is_found() {
        assert!(ALL.is_sorted_by(|one, other| one.name < other.name));
        for driver in ALL {
            assert_eq!(find(driver.name).map(|found| found.about), Some(driver.about));
            assert!(!driver.levels.is_empty());
        }
        assert!(find("no_such_driver").is_none());
    }
}
