//! `keyrota init`: a commented configuration and a new root key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use secret::RootKey;

use crate::complaint::{Code, Complaint};

const CONFIG: &str = "keyrota.toml";
const ROOT_KEY: &str = "root.key";
/// The root key is for its owner alone; the configuration may be read by whoever runs commands.
const ROOT_KEY_MODE: u32 = 0o600;
const CONFIG_MODE: u32 = 0o644;

/// Prose begins with `# `, a line that is meant to be uncommented with `#`.
pub(crate) const TEMPLATE: &str = include_str!("init/keyrota.toml");

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Initialised {
    pub(crate) config: PathBuf,
    pub(crate) root_key: PathBuf,
}

impl Initialised {
    /// For standard error: what to know before the first secret is sealed.
    pub(crate) fn warning(&self) -> String {
        format!(
            "keep a copy of {} in a safe place: whoever loses the root key loses every sealed secret, and nobody can \
             bring them back",
            self.root_key.display()
        )
    }

    pub(crate) fn next_step(&self) -> String {
        format!("fill in the tables in {}, then run `keyrota check`", self.config.display())
    }
}

/// Writes both files into `folder`, which is made if need be. Overwrites nothing: if either is there, neither is
/// written.
pub(crate) fn init(folder: &Path) -> Result<Initialised, Complaint> {
    let files = Initialised { config: folder.join(CONFIG), root_key: folder.join(ROOT_KEY) };
    for file in [&files.config, &files.root_key] {
        // A dangling link counts as there.
        if fs::symlink_metadata(file).is_ok() {
            return Err(exists(file));
        }
    }
    let root_key = RootKey::generate().map_err(|error| {
        Complaint::new(Code::FileUnwritable, "no root key could be made").because(&error).state("nothing was written")
    })?;
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    write_new(&files.root_key, root_key.to_line().expose(), ROOT_KEY_MODE)?;
    write_new(&files.config, TEMPLATE.as_bytes(), CONFIG_MODE).inspect_err(|_| {
        // Nothing was sealed with it yet, and left behind it would stop the next attempt.
        fs::remove_file(&files.root_key).ok();
    })?;
    let sync = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(sync).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error))?;
    Ok(files)
}

/// Durable when it returns.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), Complaint> {
    let written = || -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
        open.write_all(bytes)?;
        open.sync_all()
    };
    written().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(file),
        _ => {
            fs::remove_file(file).ok();
            unwritable(file, &error)
        }
    })
}

fn exists(file: &Path) -> Complaint {
    Complaint::new(Code::FileExists, format!("{} is there already", file.display()))
        .state("nothing was written")
        .hint("name another folder, as in `keyrota init DIR`, or move the file away")
}

fn unwritable(file: &Path, error: &io::Error) -> Complaint {
    let code = if error.kind() == io::ErrorKind::StorageFull { Code::DiskFull } else { Code::FileUnwritable };
    Complaint::new(code, format!("{} cannot be written", file.display())).because(error).state("nothing was written")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{config::Config, wiring::with_drivers};

    fn load(file: &Path, text: &str) -> Config {
        with_drivers(|drivers| Config::parse(file, text, drivers)).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_is_written_loads_and_the_key_is_private() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new/estate");
        let written = init(&folder).unwrap();
        let config = load(&written.config, &fs::read_to_string(&written.config).unwrap());
        config.read_root_key().unwrap();
        assert!(config.issuers.is_empty() && config.policies.is_empty());
        assert_eq!(config.stores.len(), 1);
        let mode = fs::metadata(&written.root_key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, ROOT_KEY_MODE);
    }

    #[test]
    fn the_commented_tables_load_once_they_are_uncommented() {
        let uncommented: String = TEMPLATE
            .lines()
            .map(|line| {
                line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(line)
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = load(Path::new("keyrota.toml"), &uncommented);
        assert_eq!(config.issuers.len(), 1);
        assert_eq!(config.policies.len(), 1);
        assert!(config.notes.is_empty());
    }

    #[test]
    fn nothing_is_overwritten() {
        for taken in [CONFIG, ROOT_KEY] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(taken), "mine").unwrap();
            let complaint = init(folder.path()).unwrap_err();
            assert_eq!(complaint.code, Code::FileExists);
            assert_eq!(fs::read_to_string(folder.path().join(taken)).unwrap(), "mine");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn two_root_keys_differ() {
        let folder = tempfile::tempdir().unwrap();
        let key = |name| fs::read(init(&folder.path().join(name)).unwrap().root_key).unwrap();
        assert_ne!(key("one"), key("two"));
    }
}
