//! The embedded store: secrets in our own database, sealed, with versions and labels.
//!
//! A value is sealed for its store, path and number, so that a row copied elsewhere does not open. What `inspect`
//! answers is computed from the content as it stands, by opening it: the same thing a reader does.

mod by_hand;
mod reader;
mod store;

pub use by_hand::PutError;
pub use reader::{EmbeddedReader, PathLine, ReadSecret, SecretError, VersionLine};
pub use store::EmbeddedStore;

use std::sync::Arc;

use driver::Settings;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Configured, StoreDriver, StorePorts};

pub const DRIVER: StoreDriver = StoreDriver {
    name: "embedded",
    about: "versions and labels in Keyrota's own database, sealed; read with `keyrota secret get`",
    configure,
    schema: || schemars::schema_for!(EmbeddedSettings),
};

/// The embedded store has no keys of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EmbeddedSettings {}

fn configure(name: &str, settings: &Settings, ports: &StorePorts) -> Configured {
    let EmbeddedSettings {} = settings.read()?;
    let reader = EmbeddedReader::new(name, ports.db.clone(), ports.keyring.clone());
    Ok(Arc::new(EmbeddedStore::new(reader, ports.ports.clock.clone())))
}
