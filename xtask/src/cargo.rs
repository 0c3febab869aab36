//! Calls of cargo.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// The cargo that runs this program, so that a chosen toolchain stays chosen.
fn command(root: &Path, words: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root).args(words);
    command
}

/// Runs cargo with its output shown. The error names the command.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let shown = format!("cargo {}", words.join(" "));
    eprintln!("» {shown}");
    let status = command(root, words).status().with_context(|| format!("{shown} cannot be started"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// What cargo prints to standard output.
pub(crate) fn output(root: &Path, words: &[&str]) -> anyhow::Result<String> {
    let shown = format!("cargo {}", words.join(" "));
    eprintln!("» {shown}");
    let output =
        command(root, words).stderr(Stdio::inherit()).output().with_context(|| format!("{shown} cannot be started"))?;
    if !output.status.success() {
        bail!("{shown} failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} printed something that is not text"))
}

/// Whether a subcommand is installed.
pub(crate) fn has(root: &Path, subcommand: &str) -> bool {
    let probe = command(root, &[subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}
