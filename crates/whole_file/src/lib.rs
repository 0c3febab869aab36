//! Files that are there whole or not at all, also after a crash and where somebody else may write beside them.
//!
//! Content is made under a name that nobody can guess, in a file that was not there before, and then takes its place:
//! a link that was planted under either name is never followed. Neither what is written nor for whom is decided here.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// Who may read the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone, whatever the file before it allowed.
    Owner,
    /// Whoever may read what this user writes, by the process's own mask: for what is not secret.
    Anybody,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// What was there before is there still.
    #[error("the new content could not be written")]
    NotWritten(#[source] io::Error),
    /// Readers may find the old content or the new one, each whole; which of them a crash leaves is not known.
    #[error("the new content could not be put in place for good")]
    NotSettled(#[source] io::Error),
}

/// Where files will go, as far as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    There,
    /// The folder is still to be made, within one that can be written.
    ToBeMade {
        within: PathBuf,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("no file can be made in {}", .folder.display())]
pub struct NoRoom {
    /// The nearest that is there.
    pub folder: PathBuf,
    #[source]
    pub cause: io::Error,
}

impl ReplaceError {
    pub fn cause(&self) -> &io::Error {
        match self {
            Self::NotWritten(cause) | Self::NotSettled(cause) => cause,
        }
    }
}

/// Puts content under a name, in place of what was there. On return it is on disk, and so is its name; whoever reads
/// meanwhile finds the old content or the new one. A link under the name is replaced, not followed. The folder must
/// be there. A process that is killed on the way may leave a file `.NAME.….new` behind, which nobody reads.
///
/// # Errors
/// See [`ReplaceError`], which tells whether anything has changed.
pub fn replace(path: &Path, content: &[u8], readers: Readers) -> Result<(), ReplaceError> {
    let mut new = new_beside(path, readers).map_err(ReplaceError::NotWritten)?;
    new.write_all(content).and_then(|()| new.as_file().sync_all()).map_err(ReplaceError::NotWritten)?;
    new.persist(path).map_err(|error| error.error).and_then(|_| sync_folder_of(path)).map_err(ReplaceError::NotSettled)
}

/// Makes what came to a name, or went from it, durable: a name is on disk only when its folder is.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

/// Whether files can be made in this folder, or where it would have to be made. Leaves nothing behind.
///
/// # Errors
/// What a write there would meet.
pub fn try_room(folder: &Path) -> Result<Room, NoRoom> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let tried = fs::metadata(there).and_then(|found| match found.is_dir() {
        true => Builder::new().prefix(".keyrota-check.").tempfile_in(there)?.close(),
        false => Err(io::ErrorKind::NotADirectory.into()),
    });
    match tried {
        Ok(()) if there == folder => Ok(Room::There),
        Ok(()) => Ok(Room::ToBeMade { within: there.to_owned() }),
        Err(cause) => Err(NoRoom { folder: there.to_owned(), cause }),
    }
}

fn new_beside(path: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(match readers {
        Readers::Owner => 0o600,
        // What the mask of the process takes away is taken away.
        Readers::Anybody => 0o666,
    }));
    builder.tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_takes_the_place_of_the_old_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        for content in ["one", "another, longer", ""] {
            replace(&file, content.as_bytes(), Readers::Owner).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["told"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_is_replaced_and_what_it_points_at_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (file, precious) = (folder.path().join("told"), folder.path().join("precious"));
        fs::write(&precious, "mine").unwrap();
        for planted in ["told", "told.new", ".keyrota-check"] {
            std::os::unix::fs::symlink(&precious, folder.path().join(planted)).unwrap();
        }
        assert_eq!(try_room(folder.path()).unwrap(), Room::There);
        replace(&file, b"new", Readers::Anybody).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        assert_eq!(names(folder.path()), [".keyrota-check", "precious", "told", "told.new"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_for_its_owner_is_so_whatever_was_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&file, b"new", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // Elsewhere the mask of the process decides, as for every other file of its.
        let (usual, ours) = (folder.path().join("usual"), folder.path().join("ours"));
        fs::write(&usual, "").unwrap();
        replace(&ours, b"", Readers::Anybody).unwrap();
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = replace(&taken, b"new", Readers::Owner).unwrap_err();
        assert!(matches!(error, ReplaceError::NotSettled(_)), "{error:?}");
        assert_eq!(names(folder.path()), ["taken"]);
        let error = replace(&folder.path().join("none/file"), b"new", Readers::Owner).unwrap_err();
        assert!(matches!(&error, ReplaceError::NotWritten(cause) if cause.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().to_owned();
        assert_eq!(try_room(&within.join("a/b")).unwrap(), Room::ToBeMade { within: within.clone() });
        assert!(names(&within).is_empty());
        fs::write(within.join("a"), "in the way").unwrap();
        let error = try_room(&within.join("a/b")).unwrap_err();
        assert_eq!((error.folder, error.cause.kind()), (within.join("a"), io::ErrorKind::NotADirectory));
    }
}
