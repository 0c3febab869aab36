//! A simulated IBM API Connect, served on loopback with the latency of a real one.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use issuers::IssuerDriver;
use jiff::Timestamp;
use serde_json::Value;
use twin::{Addresses, Serving, Side, World, serve};

/// The latency of every call, as issue trackers and vendors' own figures have it for a platform in the same region.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Platform {
    driver: &'static IssuerDriver,
    serving: Serving,
}

impl Platform {
    /// An estate of `orgs` × `apps` applications, each with one credential of 95 days. `flags` are further options
    /// of the twin.
    pub(crate) async fn serve(orgs: usize, apps: usize, flags: &[&str]) -> anyhow::Result<Self> {
        let driver = issuers::find("ibm_apic").context("no such driver")?;
        let options = [("consumer-orgs", orgs.to_string()), ("apps", apps.to_string()), ("age", "95d".to_owned())];
        let options = options.into_iter().chain(flags.iter().map(|flag| (*flag, String::new())));
        let options: Vec<(String, String)> = options.map(|(name, value)| (name.to_owned(), value)).collect();
        let twin = (driver.twin.build)(&options, 1, Timestamp::now()).map_err(|why| anyhow!(why))?;
        let serving = serve(World::new(twin, 1), Addresses::loopback(), LATENCY, Timestamp::now).await?;
        Ok(Self { driver, serving })
    }

    /// The `[[issuer]]` table with which an installation reaches it.
    pub(crate) fn issuer(&self, in_flight: usize) -> String {
        let login = self.serving.announcement().get("login").cloned().unwrap_or(Value::Null);
        let mut table = (self.driver.twin.settings)(&self.serving.base_url(), &login);
        table.insert("name".to_owned(), "apic".into());
        table.insert("driver".to_owned(), self.driver.name.into());
        format!("[[issuer]]\n{table}budget = {{ in_flight = {in_flight} }}\n")
    }

    pub(crate) fn base_url(&self) -> String {
        self.serving.base_url()
    }

    /// Calls to the platform so far, logins included.
    pub(crate) fn calls(&self) -> usize {
        self.serving.lock().calls().filter(|call| call.side == Side::Platform).count()
    }
}
