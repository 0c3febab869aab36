//! The secret stores that applications read, one folder each.
//!
//! A driver too heavy for everybody lives in a crate of its own and offers the same [`StoreDriver`]; the binary adds
//! it to the list.

pub mod aws_secrets_manager;
pub mod embedded;
pub mod vault_kv2;
mod withheld;

use std::{fmt, sync::Arc};

use db::Db;
use domain::SecretPath;
use driver::{InvalidSettings, Ports, SecretStore, Settings};
use secret::Keyring;

/// In alphabetic order.
const STORES: &[StoreDriver] = &[aws_secrets_manager::DRIVER, embedded::DRIVER, vault_kv2::DRIVER];

/// One kind of secret store.
#[derive(Clone, Copy)]
pub struct StoreDriver {
    /// What `driver = "…"` says in the configuration.
    pub name: &'static str,
    /// One sentence for a person who chooses.
    pub about: &'static str,
    /// Makes the store with the given name from its own keys. Reads files named there; calls nothing.
    pub configure: fn(name: &str, settings: &Settings, ports: &StorePorts) -> Configured,
    /// The driver's own keys.
    pub schema: fn() -> schemars::Schema,
}

pub type Configured = Result<Arc<dyn SecretStore>, InvalidSettings>;

impl fmt::Debug for StoreDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreDriver({})", self.name)
    }
}

/// What a store may use: the world, and for the embedded one our own database.
#[derive(Debug, Clone)]
pub struct StorePorts {
    pub db: Arc<Db>,
    pub keyring: Arc<Keyring>,
    pub ports: Ports,
    pub asked: Asked,
}

/// What the rest of the configuration asks of a store, for its preflight.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// To which environment it is said to belong.
    pub environment: Option<String>,
    /// One place for each policy that delivers there, with [`Asked::NO_NAME`] for every name.
    pub written: Vec<SecretPath>,
    /// The same for policies that read back there what they delivered through another store.
    pub read: Vec<SecretPath>,
}

impl Asked {
    /// Stands for a name that is not known yet. Nothing is called so.
    pub const NO_NAME: &str = "keyrota-preflight";
}

pub fn all() -> &'static [StoreDriver] {
    STORES
}

pub fn find(name: &str) -> Option<&'static StoreDriver> {
    STORES.iter().find(|driver| driver.name == name)
}
