//! Files that are there whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use driver::{DriverError, Effect, Kind};

/// Puts content under a name, synced, in place of what was there.
///
/// # Errors
/// Up to the renaming nothing has changed; after it the new content may or may not survive a crash, and that is
/// [`Effect::Unknown`].
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), DriverError> {
    let new = not_yet(path);
    let unchanged = |error| failed(path, Effect::NotApplied, "written", &error);
    // What an earlier crash left.
    remove_if_there(&new).map_err(unchanged)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // The name is ours alone, and the next write removes it first.
        fs::remove_file(&new).ok();
        return Err(unchanged(error));
    }
    fs::rename(&new, path)
        .and_then(|()| sync_parent(path))
        .map_err(|error| failed(path, Effect::Unknown, "put in place", &error))
}

/// # Errors
/// `Effect::NotApplied`: reading changes nothing.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, DriverError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(failed(path, Effect::NotApplied, "read", &error)),
    }
}

/// Removes a file, synced. `false`: it was not there.
pub(crate) fn remove(path: &Path) -> Result<bool, DriverError> {
    let removed = remove_if_there(path).map_err(|error| failed(path, Effect::NotApplied, "removed", &error))?;
    if removed {
        sync_parent(path).map_err(|error| failed(path, Effect::Unknown, "removed", &error))?;
    }
    Ok(removed)
}

/// Makes the folders above a file, for the owner only, each synced into its parent.
pub(crate) fn make_folders(path: &Path) -> Result<(), DriverError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(folder, Effect::NotApplied, "made", &error));
            }
            _ => sync_parent(folder).map_err(|error| failed(folder, Effect::NotApplied, "made", &error))?,
        }
    }
    Ok(())
}

/// Tries to write in the nearest folder that is there, and leaves nothing behind.
pub(crate) fn check_writable(directory: &Path) -> Result<PathBuf, DriverError> {
    let there = directory.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        let message = format!("{} is not a folder", there.display());
        return Err(DriverError::refused(Kind::Invalid, message));
    }
    let probe = there.join(".keyrota-check");
    File::create(&probe)
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| failed(there, Effect::NotApplied, "written to", &error))?;
    Ok(there.to_owned())
}

fn not_yet(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Nothing under this name, or a folder above it is missing.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// A name in a folder is durable only when the folder is synced.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}

fn failed(path: &Path, effect: Effect, what: &str, error: &io::Error) -> DriverError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Forbidden,
        io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    DriverError::new(kind, effect, format!("{} cannot be {what}: {error}", path.display()))
}
