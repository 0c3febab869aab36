//! KV version 2 of HashiCorp Vault and OpenBao.
//!
//! It has no labels: readers get the newest version, at once. What it has is a compare-and-set on the number of the
//! newest version, so a write never covers what somebody else put there meanwhile. Everything else that we must know
//! later (which attempt became which version, with which fingerprint) is noted beside the value before it is written.

mod answer;
mod api;
mod auth;
mod client;
mod config;
mod fitness;
mod inspect;
mod marker;
mod place;
mod policies;
mod preflight;
mod values;
mod write;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::SecretPath;
use driver::{
    Budget, Calls, Delivery, Discarded, DriverError, PolicyHost, SecretStore, Settings, StoreFacts, StoreState,
    StoreVersion, Ticket,
};
use jiff::Timestamp;
use secret::Keyring;

use self::{client::Client, config::VaultSettings, fitness::Fit};
use crate::{Asked, Configured, StoreDriver, StorePorts};

pub const DRIVER: StoreDriver = StoreDriver {
    name: "vault_kv2",
    about: "KV version 2 of HashiCorp Vault or OpenBao; writes compare and set, versions are kept by the server",
    configure,
    schema: || schemars::schema_for!(VaultSettings),
};

fn configure(_name: &str, settings: &Settings, ports: &StorePorts) -> Configured {
    let checked = settings.read::<VaultSettings>()?.check(&settings.base_dir)?;
    let calls = Calls::ports(&ports.ports, Budget::default());
    Ok(Arc::new(VaultStore {
        client: Client::new(&calls, checked.address, checked.namespace, checked.mount, checked.account),
        keyring: ports.keyring.clone(),
        readable: checked.readable,
        check_path: checked.check_path,
        written: Mutex::default(),
        fit: Fit::default(),
        asked: ports.asked.clone(),
    }))
}

/// One mount.
#[derive(Debug)]
struct VaultStore {
    client: Client,
    keyring: Arc<Keyring>,
    readable: bool,
    check_path: Option<SecretPath>,
    /// The newest version that we wrote at each path, and when.
    written: Mutex<HashMap<SecretPath, (u64, Timestamp)>>,
    fit: Fit,
    asked: Asked,
}

#[async_trait]
impl SecretStore for VaultStore {
    fn facts(&self) -> StoreFacts {
        StoreFacts { readable: self.readable, compares: true, ..StoreFacts::default() }
    }

    async fn check(&self) -> Result<Vec<String>, DriverError> {
        self.preflight().await.map_err(|error| self.client.located(error))
    }

    async fn write(&self, request: &Delivery<'_>, _ticket: &Ticket) -> Result<StoreVersion, DriverError> {
        self.deliver(request).await.map(store_version).map_err(|error| self.client.located(error))
    }

    async fn inspect(&self, at: &SecretPath) -> Result<StoreState, DriverError> {
        self.state(at).await.map_err(|error| self.client.located(error))
    }

    async fn discard(
        &self,
        at: &SecretPath,
        version: &StoreVersion,
        _ticket: &Ticket,
    ) -> Result<Discarded, DriverError> {
        self.destroy(at, version).await.map_err(|error| self.client.located(error))
    }

    fn policy_host(&self) -> Option<&dyn PolicyHost> {
        Some(self)
    }
}

fn store_version(number: u64) -> StoreVersion {
    StoreVersion(number.to_string())
}
