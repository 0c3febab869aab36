//! The `age_file` store: one encrypted file a credential, for handing it over to people.
//!
//! It is a crate of its own because the library is heavy. There are no labels: a written file is what its reader
//! finds, at once and whole. Keyrota cannot open the files, so `inspect` answers what was recorded at the write, and
//! only while the file is still byte for byte the one that was written.

mod files;
mod names;
mod record;
mod sealing;
mod store;

use std::{fs, path::PathBuf, sync::Arc};

use driver::{InvalidSettings, Settings};
use schemars::JsonSchema;
use serde::Deserialize;
use stores::{Configured, StoreDriver, StorePorts};

use crate::{sealing::Recipients, store::AgeFileStore};

pub const DRIVER: StoreDriver = StoreDriver {
    name: "age_file",
    about: "one file a credential, encrypted for the people who are to have it; opened with `age --decrypt`",
    configure,
    schema: || schemars::schema_for!(AgeFileSettings),
};

/// The keys of an `age_file` store. At least one recipient must be named, in one place or the other.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AgeFileSettings {
    /// Where the files go. Made when it is missing, readable for the owner only.
    directory: PathBuf,
    /// Public keys, each beginning with `age1`. Everyone named can open every file.
    #[serde(default)]
    recipients: Vec<String>,
    /// A file with one public key a line; empty lines and lines that begin with `#` are skipped.
    recipients_file: Option<PathBuf>,
}

fn configure(_name: &str, settings: &Settings, _ports: &StorePorts) -> Configured {
    let own: AgeFileSettings = settings.read()?;
    let mut lines = own.recipients;
    if let Some(file) = own.recipients_file {
        let path = settings.base_dir.join(file);
        let text = fs::read_to_string(&path).map_err(|error| {
            InvalidSettings(format!("the `recipients_file` {} cannot be read: {error}", path.display()))
        })?;
        let named = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(named.map(str::to_owned));
    }
    let recipients = Recipients::parse(&lines).map_err(InvalidSettings)?;
    Ok(Arc::new(AgeFileStore::new(settings.base_dir.join(own.directory), recipients)))
}
