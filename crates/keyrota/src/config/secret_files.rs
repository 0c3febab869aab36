//! Files from which secrets are read, as far as the configuration names them.

use std::path::PathBuf;

use driver::{SecretSource, SourceTable};

use super::{Config, TellConfig};

/// A file that holds a secret, and the table that names it, for example `issuer apic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretFile {
    pub(crate) named_by: String,
    pub(crate) file: PathBuf,
}

impl Config {
    /// Which keys of a driver are secret, the driver knows; what is written `{ file = "…" }` is one of them.
    pub(crate) fn secret_files(&self) -> Vec<SecretFile> {
        let mut files = Vec::new();
        let mut add = |named_by: String, file: &str| {
            files.push(SecretFile { named_by, file: self.base_dir.join(file) });
        };
        if let SecretSource::From(SourceTable::File(file)) = &self.root_key {
            add("root key".to_owned(), &file.to_string_lossy());
        }
        let issuers = self.issuers.iter().map(|one| ("issuer", &one.name, &one.keys));
        let stores = self.stores.iter().map(|one| ("store", &one.name, &one.keys));
        let notifiers = self.notifiers.iter().map(|one| ("notifier", &one.name, &one.keys));
        for (kind, name, keys) in issuers.chain(stores).chain(notifiers) {
            for value in keys.settings.table.values() {
                each_file(value, &mut |file| add(format!("{kind} {name}"), file));
            }
        }
        for policy in &self.policies {
            for (consumer, told) in &policy.told {
                if let TellConfig::Webhook { secret: SecretSource::From(SourceTable::File(file)), .. } = told {
                    add(format!("consumer {consumer}"), &file.to_string_lossy());
                }
            }
        }
        files
    }
}

fn each_file(value: &toml::Value, found: &mut dyn FnMut(&str)) {
    match value {
        toml::Value::Table(table) => match table.get("file").and_then(toml::Value::as_str) {
            Some(file) if table.len() == 1 => found(file),
            _ => table.values().for_each(|value| each_file(value, found)),
        },
        toml::Value::Array(values) => values.iter().for_each(|value| each_file(value, found)),
        _ => {}
    }
}
