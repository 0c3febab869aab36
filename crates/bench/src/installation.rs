//! The binary as a user has it: a configuration, a root key and a database in a folder of their own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use db::{Access, Db};
use secret::{Keyring, RootKey, Secret};
use tempfile::TempDir;

/// The destination and the ages that most people begin with.
const POLICY: &str = r#"
[[store]]
name = "local"
driver = "embedded"

[[policy]]
name = "ninety-days"
match = "apic/**"
rotate_after = "90d"
overlap = "10d"
retire_when = "quiet"
quiet_for = "24h"
retire_after = "100d"
deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}" }]
"#;

#[derive(Debug)]
pub(crate) struct Installation {
    folder: TempDir,
    binary: PathBuf,
}

impl Installation {
    /// `issuer` is the `[[issuer]]` table.
    pub(crate) fn new(issuer: &str) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("keyrota");
        let made = Self { folder: folder()?, binary };
        made.keyrota(&["init", &made.folder.path().to_string_lossy()])?;
        std::fs::write(made.folder.path().join("keyrota.toml"), format!("{issuer}{POLICY}"))?;
        Ok(made)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("keyrota-data")
    }

    /// Makes the database with its data key, which no command that only reads does.
    pub(crate) async fn make_database(&self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.folder.path().join("root.key"))?;
        let (_, wrapped) = Keyring::create(&RootKey::parse(&Secret::from_text(text.trim()))?)?;
        Db::open(&self.data_dir(), Access::Engine)?.store_wrapped_key(&wrapped).await?;
        Ok(())
    }

    /// Runs a command to its end, as long as a user waits for it, and answers what it printed.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub(crate) fn keyrota(&self, words: &[&str]) -> anyhow::Result<(Duration, String)> {
        let config = self.folder.path().join("keyrota.toml");
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--config").arg(config).args(["--output", "json"]);
        let started = Instant::now();
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{} cannot be started; `cargo xtask bench` builds it", self.binary.display()))?;
        let took = started.elapsed();
        if !output.status.success() {
            bail!("keyrota {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok((took, String::from_utf8(output.stdout)?))
    }
}

/// A folder for a database, on the disk that holds the build: the system's folder for temporary files is often in
/// memory, where a sync costs nothing.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    let binary = std::env::current_exe()?;
    tempfile::tempdir_in(binary.parent().unwrap_or(Path::new("."))).context("no folder for a database")
}
