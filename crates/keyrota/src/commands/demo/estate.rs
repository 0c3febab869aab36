//! The estate of the demo: several organisations, mixed ages, and one of each thing that goes wrong elsewhere.

use std::{
    io,
    path::{Path, PathBuf},
};

use issuers::ibm_apic::twin::{ApiConnect, Options};
use jiff::{SignedDuration, Timestamp};
use secret::SecretMap;
use twin::Serving;

use super::pair;

pub(super) const SEED: u64 = 2025;
/// Its consumer reads the store before every call, at a path of the same words.
pub(super) const BUSY: &str = "apic/harbour-retail/web-shop/Checkout";
/// A person holds it.
pub(super) const HELD: &str = "apic/harbour-retail/payments/Acquirer-link";

const ORG: &str = "harbour-retail";

/// Secrets that somebody wrote down long ago.
pub(super) struct KnownPairs {
    pub(super) busy: SecretMap,
    /// Of the consumer that never looks again.
    pub(super) forgetful: SecretMap,
}

pub(super) fn platform(start: Timestamp) -> Result<ApiConnect, String> {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let options =
        Options { consumer_orgs: 6, apps: 4, age: days(20), age_spread: days(150), seed: SEED, ..Options::default() };
    ApiConnect::new(options, start)
        .with_consumer_org(ORG, "lena.holm@harbour-retail.example")?
        .with_app(ORG, "web-shop")?
        .with_credential(ORG, "web-shop", "Checkout", days(96))?
        .with_app(ORG, "payments")?
        .with_credential(ORG, "payments", "Acquirer link", days(210))?
        .with_app(ORG, "loyalty")?
        .with_credential(ORG, "loyalty", "Points", days(120))?
        // Left behind by somebody's script: nobody knows who uses it.
        .with_credential(ORG, "loyalty", "Points_new", days(118))?
        .with_app(ORG, "warehouse")?
        .with_credential(ORG, "warehouse", "Handhelds", days(300))?
        .with_credential(ORG, "warehouse", "Nightly export", days(300))?
        .with_credential(ORG, "warehouse", "Label printers", days(300))
}

pub(super) fn known_pairs(platform: &ApiConnect) -> KnownPairs {
    let known = |app: &str, credential: &str| {
        platform
            .pair(ORG, app, credential)
            .map_or_else(SecretMap::default, |found| pair(found.client_id, found.client_secret))
    };
    KnownPairs { busy: known("web-shop", "Checkout"), forgetful: known("warehouse", "Label-printers") }
}

/// A folder as `keyrota init` makes it, filled in for the simulated platform.
pub(super) fn write_configuration(folder: &Path, serving: &Serving) -> Result<PathBuf, io::Error> {
    let announced = serving.announcement();
    let login = announced.get("login").cloned().unwrap_or_default();
    let mut issuer = (issuers::ibm_apic::DRIVER.twin.settings)(&serving.base_url(), &login);
    issuer.insert("name".to_owned(), "apic".into());
    issuer.insert("driver".to_owned(), "ibm_apic".into());
    let gateway = serving.gateway_url();
    let text = format!(
        r#"data_dir = "keyrota-data"
root_key = {{ file = "root.key" }}

[[issuer]]
{issuer}
[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "ninety-days"
match = "apic/**"
rotate_after = "90d"
overlap = "5d"
quiet_for = "24h"
retire_after = "100d"
deliver = [{{ store = "local", path = "apic/{{consumer_org}}/{{app}}/{{credential}}" }}]
verify = {{ url = "{gateway}/ping", headers = {{ X-IBM-Client-Id = "{{client_id}}", X-IBM-Client-Secret = "{{client_secret}}" }} }}
"#
    );
    crate::init::init(folder).map_err(|complaint| io::Error::other(complaint.what))?;
    let file = folder.join("keyrota.toml");
    std::fs::write(&file, text)?;
    Ok(file)
}
