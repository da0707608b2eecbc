//! Every change of the disk: files written whole or not at all, folders, links, copies.
//!
//! A file appears under its name by renaming a temporary file in the same folder, so nobody ever
//! sees half of one. Temporary files have a name with [`TEMP_PREFIX`], which no glob matches: what
//! a kill leaves behind can be told and removed. Each error names what was tried and the path.
//! This file knows nothing of workspaces and stores.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink as link};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// How the names of temporary files begin.
pub const TEMP_PREFIX: &str = ".pipe-tmp-";

/// The operating system refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct FsError {
    /// What was tried: `read`, `write`, ...
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl FsError {
    /// That `action` on `path` ended with `source`.
    pub fn new(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            action,
            path: path.into(),
            source: source.into(),
        }
    }

    /// Whether nothing stood at the path.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether it says nothing of the path: no descriptors are left, or the disk fails.
    pub fn is_exhausted(&self) -> bool {
        let errno = self.source.raw_os_error();
        [Errno::MFILE, Errno::NFILE, Errno::IO, Errno::NOMEM]
            .iter()
            .any(|one| Some(one.raw_os_error()) == errno)
    }

    /// Whether there is no space, no quota or no right to write: a reason to go on without a store.
    pub fn is_full_or_read_only(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(
            self.source.kind(),
            PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
        )
    }
}

/// Says what was tried on which path.
trait Naming<T> {
    fn naming(self, action: &'static str, path: &Path) -> Result<T, FsError>;
}

impl<T, E: Into<io::Error>> Naming<T> for Result<T, E> {
    fn naming(self, action: &'static str, path: &Path) -> Result<T, FsError> {
        self.map_err(|source| FsError::new(action, path, source))
    }
}

/// A file on its way to `target`: removed again when it is dropped without [`TempFile::persist`].
#[derive(Debug)]
pub struct TempFile {
    file: NamedTempFile,
    target: PathBuf,
}

impl TempFile {
    /// A new file in the folder of `target`, with mode 0666 (0777 for `exec`) less the umask.
    pub fn beside(target: &Path, exec: bool) -> Result<Self, FsError> {
        let folder = target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Self::within(folder.unwrap_or(Path::new(".")), target, exec)
    }

    /// The same in another folder of the same file system.
    pub fn within(folder: &Path, target: &Path, exec: bool) -> Result<Self, FsError> {
        Self::with_mode(folder, target, if exec { 0o777 } else { 0o666 })
    }

    /// A new file in the folder of `target` that can be written only until it is closed.
    pub fn read_only(target: &Path) -> Result<Self, FsError> {
        Self::with_mode(target.parent().unwrap_or(Path::new("/")), target, 0o444)
    }

    fn with_mode(folder: &Path, target: &Path, mode: u32) -> Result<Self, FsError> {
        let file = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)
            .naming("create a file in", folder)?;
        Ok(Self {
            file,
            target: target.to_path_buf(),
        })
    }

    /// Where it lies as long as it is on its way.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.file.write_all(bytes).naming("write", &self.target)
    }

    /// Takes the contents of `from`: shared blocks where the file system can, else a copy.
    pub fn fill(&mut self, from: &mut File) -> Result<(), FsError> {
        if clone_blocks(self.file.as_file(), from) {
            return Ok(());
        }
        io::copy(from, self.file.as_file_mut())
            .naming("write", &self.target)
            .map(drop)
    }

    /// Sets the mode exactly, without regard to the umask.
    pub fn set_mode(&mut self, mode: u32) -> Result<(), FsError> {
        let permissions = Permissions::from_mode(mode);
        self.file
            .as_file()
            .set_permissions(permissions)
            .naming("set the mode of", &self.target)
    }

    /// Waits until the contents are on the disk itself.
    pub fn sync(&mut self) -> Result<(), FsError> {
        self.file.as_file().sync_all().naming("write", &self.target)
    }

    /// Gives the file its name; what stood there is replaced.
    pub fn persist(self) -> Result<File, FsError> {
        self.file
            .persist(&self.target)
            .map_err(|error| error.error)
            .naming("write", &self.target)
    }
}

/// Whether `to` now shares the blocks of `from`.
#[cfg(target_os = "linux")]
fn clone_blocks(to: &File, from: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// Not on this system.
#[cfg(not(target_os = "linux"))]
fn clone_blocks(_to: &File, _from: &File) -> bool {
    false
}

/// Writes `path` whole or not at all.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mut file = TempFile::beside(path, false)?;
    file.write(bytes)?;
    file.persist().map(drop)
}

/// Writes `path` whole, unless something is there: whether it did.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, FsError> {
    let mut file = TempFile::beside(path, false)?;
    file.write(bytes)?;
    match file.file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FsError::new("write", path, error.error)),
    }
}

/// Copies a regular file whole or not at all, with mode 0666 (0777 for `exec`) less the umask.
pub fn copy(from: &Path, to: &Path, exec: bool) -> Result<(), FsError> {
    let mut source = open_regular(from)?;
    let mut file = TempFile::beside(to, exec)?;
    file.fill(&mut source)?;
    file.persist().map(drop)
}

/// Opens a regular file for reading: a link is not followed, a FIFO neither waited for nor read.
pub fn open_regular(path: &Path) -> Result<File, FsError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .naming("read", path)?;
    if file.metadata().naming("read", path)?.is_file() {
        return Ok(file);
    }
    Err(FsError::new(
        "read",
        path,
        io::Error::other("is no regular file"),
    ))
}

/// Reads a regular file.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .read_to_end(&mut bytes)
        .naming("read", path)?;
    Ok(bytes)
}

/// A new, empty file that is open for writing; what stood there is emptied. A link is not followed, a
/// FIFO not waited for.
pub fn create(path: &Path) -> Result<File, FsError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
        .open(path)
        .naming("create", path)
}

/// A file that is open for writing at its end; made where there is none. A link is not followed, a
/// FIFO not waited for.
pub fn append(path: &Path) -> Result<File, FsError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .naming("write", path)
}

/// A folder and those above it.
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    fs::create_dir_all(path).naming("create the folder", path)
}

/// Waits until the names in a folder are on the disk itself.
pub fn sync_folder(folder: &Path) -> Result<(), FsError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .naming("write the folder", folder)
}

/// Gives `from` the name `to`, in one file system.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    fs::rename(from, to).naming("move", from)
}

/// The same for a folder that may not be written: its owner may move it all the same.
pub fn rename_locked(from: &Path, to: &Path) -> Result<(), FsError> {
    let moved = rename(from, to);
    let Err(error) = &moved else { return moved };
    if error.source.kind() != io::ErrorKind::PermissionDenied {
        return moved;
    }
    let Ok(facts) = from.symlink_metadata() else {
        return moved;
    };
    if !facts.is_dir() || facts.permissions().mode() & 0o200 != 0 {
        return moved;
    }
    // To move a folder is to change what `..` in it is.
    let mode = facts.permissions().mode() & 0o7777;
    set_mode(from, mode | 0o200)?;
    let moved = rename(from, to);
    set_mode(if moved.is_ok() { to } else { from }, mode)?;
    moved
}

/// Lets the owner change what is in a folder, and in all that are in it.
pub fn unlock(folder: &Path) {
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(facts) = folder.symlink_metadata() else {
            continue;
        };
        let mode = facts.permissions().mode() & 0o7777;
        if facts.is_dir() && mode & 0o700 != 0o700 {
            // What somebody else owns stays as it is: whoever needs it is told then.
            let _changed = set_mode(&folder, mode | 0o700);
        }
        if facts.is_dir() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(folders.map(|entry| entry.path()));
        }
    }
}

/// Removes a file or link; links are not followed.
pub fn remove_file(path: &Path) -> Result<(), FsError> {
    fs::remove_file(path).naming("remove", path)
}

/// Removes an empty folder.
pub fn remove_dir(path: &Path) -> Result<(), FsError> {
    fs::remove_dir(path).naming("remove the folder", path)
}

/// Removes a folder and all in it, also what may not be written; links in it are removed, not
/// followed.
pub fn remove_dir_all(path: &Path) -> Result<(), FsError> {
    let removed = fs::remove_dir_all(path);
    let is_locked = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match removed {
        Err(error) if is_locked(&error) => {
            unlock(path);
            fs::remove_dir_all(path)
        }
        result => result,
    }
    .naming("remove the folder", path)
}

/// Makes a link at `path` that says `text`.
pub fn symlink(text: &Path, path: &Path) -> Result<(), FsError> {
    link(text, path).naming("create the link", path)
}

/// Sets the mode of what stands at `path`.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).naming("set the mode of", path)
}

/// Sets the modification time of a file, so that it counts as used then.
pub fn set_modified(path: &Path, time: SystemTime) -> Result<(), FsError> {
    let file = open_regular(path)?;
    file.set_modified(time).naming("set the time of", path)
}

/// Makes now the modification time of what stands at `path`, by the clock of its file system.
pub fn touch(path: &Path) -> Result<(), FsError> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: time(UTIME_OMIT),
        last_modification: time(UTIME_NOW),
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).naming("set the time of", path)
}

/// Asks a file system for its own time: a small file that is written again and again.
#[derive(Debug)]
pub struct Probe(File);

impl Probe {
    /// Makes the file.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(path)
            .map(Self)
            .naming("write", path)
    }

    /// The file, now with the present time as its modification time.
    pub fn touch(&mut self) -> io::Result<&File> {
        use std::os::unix::fs::FileExt;
        self.0.write_all_at(b"\n", 0)?;
        Ok(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn atomic_write_replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_dropped_temporary_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = TempFile::beside(&folder.path().join("a"), false).unwrap();
        file.write(b"half").unwrap();
        assert!(names(folder.path())[0].starts_with(TEMP_PREFIX));
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn copy_sets_only_the_exec_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, b"x").unwrap();
        set_mode(&from, 0o444).unwrap();
        copy(&from, &to, true).unwrap();
        let mode = fs::metadata(&to).unwrap().mode();
        assert_eq!(mode & 0o700, 0o700);
        assert_eq!(fs::read(&to).unwrap(), b"x");
        copy(&from, &to, false).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o111, 0);
    }

    #[test]
    fn links_and_folders_are_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        fs::write(folder.path().join("decoy"), "x").unwrap();
        symlink(Path::new("decoy"), &link).unwrap();
        assert!(copy(&link, &folder.path().join("to"), false).is_err());
        assert!(copy(folder.path(), &folder.path().join("to"), false).is_err());
        assert_eq!(names(folder.path()), ["decoy", "link"]);
    }

    #[test]
    fn errors_name_the_path() {
        let error = remove_file(Path::new("/nonexistent/x")).unwrap_err();
        assert_eq!(error.to_string(), "cannot remove `/nonexistent/x`");
        assert!(error.is_not_found());
    }
}
