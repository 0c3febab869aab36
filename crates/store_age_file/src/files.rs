//! The files of one store, and what a failure of one means to it.

use std::{
    fs::{self, DirBuilder},
    io,
    path::Path,
};

use driver::{DriverError, Effect, Kind};
use whole_file::{Readers, ReplaceError, Room, sync_folder_of};

/// Puts content under a name for the owner alone, synced, in place of what was there.
///
/// # Errors
/// Up to the renaming nothing has changed; after it the new content may or may not survive a crash, and that is
/// [`Effect::Unknown`].
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), DriverError> {
    whole_file::replace(path, content, Readers::Owner).map_err(|error| match error {
        ReplaceError::NotWritten(cause) => failed(path, Effect::NotApplied, "written", &cause),
        ReplaceError::NotSettled(cause) => failed(path, Effect::Unknown, "put in place", &cause),
    })
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
        sync_folder_of(path).map_err(|error| failed(path, Effect::Unknown, "removed", &error))?;
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
            _ => sync_folder_of(folder).map_err(|error| failed(folder, Effect::NotApplied, "made", &error))?,
        }
    }
    Ok(())
}

/// Tries to write in the folder, or where it would have to be made, and leaves nothing behind.
pub(crate) fn check_writable(folder: &Path) -> Result<Room, DriverError> {
    whole_file::try_room(folder).map_err(|error| failed(&error.folder, Effect::NotApplied, "written to", &error.cause))
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

fn failed(path: &Path, effect: Effect, what: &str, error: &io::Error) -> DriverError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Forbidden,
        io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Kind::Invalid,
        _ => Kind::Unavailable,
    };
    DriverError::new(kind, effect, format!("{} cannot be {what}: {error}", path.display()))
}
