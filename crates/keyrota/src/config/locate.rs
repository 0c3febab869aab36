//! Which file is the configuration.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::error::ConfigError;

/// Names the file when `--config` does not.
const VARIABLE: &str = "KEYROTA_CONFIG";

const FILE_NAME: &str = "keyrota.toml";
const SYSTEM_WIDE: &str = "/etc/keyrota/keyrota.toml";

/// `--config`, then `KEYROTA_CONFIG`, then the first that exists of `./keyrota.toml`,
/// `$XDG_CONFIG_HOME/keyrota/keyrota.toml` (`~/.config` when the variable is not set) and `/etc/keyrota/keyrota.toml`.
/// A file that was named is taken at its word: if it is missing, nothing else is looked for.
pub(crate) fn locate(
    named: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = named.map(Path::to_owned).or_else(|| set(VARIABLE)) {
        return Ok(file);
    }
    let user = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let mut looked_at = vec![PathBuf::from(FILE_NAME)];
    looked_at.extend(user.map(|folder| folder.join("keyrota").join(FILE_NAME)));
    looked_at.push(PathBuf::from(SYSTEM_WIDE));
    match looked_at.iter().find(|file| file.is_file()) {
        Some(file) => Ok(file.clone()),
        None => Err(ConfigError::NotFound { looked_at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let variable = |name: &str| (name == VARIABLE).then(|| "from-env.toml".into());
        assert_eq!(locate(Some(Path::new("named.toml")), variable).unwrap(), Path::new("named.toml"));
        assert_eq!(locate(None, variable).unwrap(), Path::new("from-env.toml"));
    }

    #[test]
    fn the_users_folder_is_searched() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("keyrota");
        std::fs::create_dir(&folder).unwrap();
        let variable = |name: &str| (name == "XDG_CONFIG_HOME").then(|| home.path().into());
        let ConfigError::NotFound { looked_at } = locate(None, variable).unwrap_err() else { panic!() };
        assert_eq!(looked_at, [Path::new("keyrota.toml"), &folder.join("keyrota.toml"), Path::new(SYSTEM_WIDE)]);
        std::fs::write(folder.join("keyrota.toml"), "").unwrap();
        assert_eq!(locate(None, variable).unwrap(), folder.join("keyrota.toml"));
    }
}
