//! The generated pages under docs/reference, printed by the binary itself.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::cargo;

const FOLDER: &str = "docs/reference";

/// File, and the words after `keyrota` that print it.
const PAGES: [(&str, &[&str]); 3] = [
    ("commands.md", &["reference", "commands"]),
    ("errors.md", &["reference", "errors"]),
    ("keyrota.schema.json", &["config", "schema"]),
];

pub(crate) fn docs(root: &Path) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (file, arguments) in PAGES {
        let mut words = vec!["run", "--quiet", "--package", "keyrota", "--"];
        words.extend(arguments);
        let page = cargo::output(root, &words)?;
        let file = folder.join(file);
        fs::write(&file, page).with_context(|| format!("{} cannot be written", file.display()))?;
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}
