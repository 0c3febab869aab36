//! AWS Secrets Manager: versions under staging labels, promoted by compare-and-set.
//!
//! `store` reads like AWS's manual: which calls make a write, a promotion, a discard. Requests are signed by `sigv4`,
//! with credentials that `chain` found and `credentials` keeps fresh; docs/adr/0009 says why by hand.

mod answer;
mod api;
mod chain;
mod client;
mod config;
mod credentials;
mod metadata;
mod names;
mod profile;
mod sigv4;
mod store;
mod sts;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "twins"))]
pub mod twin;
mod value;
mod variables;
mod xml;

use std::sync::Arc;

use driver::Settings;

use self::{
    client::Client,
    config::{Checked, Config},
    credentials::Login,
    store::AwsStore,
    sts::Sts,
    variables::Variables,
};
use crate::{Configured, StoreDriver, StorePorts};

pub const DRIVER: StoreDriver = StoreDriver {
    name: "aws_secrets_manager",
    about: "AWS Secrets Manager: versions under AWSPENDING, AWSCURRENT and AWSPREVIOUS, credentials by the usual chain",
    configure,
    schema: || schemars::schema_for!(Config),
};

fn configure(_name: &str, settings: &Settings, ports: &StorePorts) -> Configured {
    configure_in(&Variables::of_process(), settings, ports)
}

/// With these environment variables instead of the process's own.
fn configure_in(variables: &Variables, settings: &Settings, ports: &StorePorts) -> Configured {
    let own: Config = settings.read()?;
    let Checked { region, endpoint, sts_endpoint, chain, options } = own.check(&settings.base_dir, variables)?;
    let sts = Sts::new(&ports.ports, sts_endpoint, region.clone());
    let login = Login::new(&ports.ports, sts, chain);
    let client = Client::new(&ports.ports, endpoint, region, login);
    Ok(Arc::new(AwsStore::new(client, ports.keyring.clone(), options)))
}
