//! Folders of the workspace, opened part by part and never through a link, so that nothing is
//! written or removed outside, also when a folder is swapped for a link in between.
//!
//! An open folder is reached by its descriptor (`/proc/self/fd/N`), whatever its path names by
//! now. Where there is no such path the plain one is used. Knows nothing of outputs.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::path::RelPath;
use crate::sys::fs::{FsError, create_dir_all, set_mode};

/// Whether descriptors have paths here.
static HAS_PROC: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/self/fd").is_dir());

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    plain: PathBuf,
}

impl Folder {
    /// Opens the folder `path` below `root`. A link on the way is an error, whatever it leads to.
    pub(super) fn open(root: &Path, path: &RelPath) -> Result<Self, FsError> {
        let root = Self::root(root)?;
        match root.at_once(path) {
            Some(folder) => Ok(folder),
            None => path
                .parts()
                .try_fold(root, |folder, part| folder.child(part)),
        }
    }

    /// The same; makes the folders that are not there.
    pub(super) fn make(root: &Path, path: &RelPath) -> Result<Self, FsError> {
        let root = Self::root(root)?;
        if let Some(folder) = root.at_once(path) {
            return Ok(folder);
        }
        path.parts()
            .try_fold(root, |folder, part| match folder.child(part) {
                Err(error) if error.is_not_found() => {
                    create_dir_all(&folder.at(part)).map_err(|error| folder.told(part, error))?;
                    folder.child(part)
                }
                result => result,
            })
    }

    /// The folder that holds `path`, and the name of `path` in it.
    pub(super) fn of<'a>(root: &Path, path: &'a RelPath) -> Result<(Self, &'a [u8]), FsError> {
        Ok((
            Self::open(root, &path.parent().unwrap_or_default())?,
            path.file_name(),
        ))
    }

    /// The same where links are followed as long as they stay below `root`: for what a command
    /// writes, which follows them too.
    pub(super) fn of_real<'a>(root: &Path, path: &'a RelPath) -> Result<(Self, &'a [u8]), FsError> {
        let failed = match Self::of(root, path) {
            Err(error) if !error.is_not_found() => error,
            result => return result,
        };
        match real(root, &path.parent().unwrap_or_default()) {
            Some(real) => Ok((Self::open(root, &real)?, path.file_name())),
            None => Err(failed),
        }
    }

    /// Makes a folder and those above it; links are followed in the same way.
    pub(super) fn make_real(root: &Path, path: &RelPath) -> Result<(), FsError> {
        let Err(failed) = Self::make(root, path) else {
            return Ok(());
        };
        let Some(parent) = path.parent() else {
            return Err(failed);
        };
        if path.under(root).is_dir() && real(root, path).is_some() {
            return Ok(());
        }
        Self::make_real(root, &parent)?;
        let parent = real(root, &parent).ok_or(failed)?;
        Self::make(root, &parent.join(path.file_name())).map(drop)
    }

    fn root(root: &Path) -> Result<Self, FsError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, root, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Self {
                descriptor,
                plain: root.to_path_buf(),
            }),
            Err(error) => Err(FsError::new("open the folder", root, error)),
        }
    }

    /// A folder any number of parts below, opened in one call that no link can lead astray.
    /// `None` also where the system cannot do that: part by part it comes out what is wrong.
    #[cfg(target_os = "linux")]
    fn at_once(&self, path: &RelPath) -> Option<Self> {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let name = path.as_bytes();
        let opened = openat2(&self.descriptor, name, flags, Mode::empty(), resolve);
        opened.ok().map(|descriptor| Self {
            descriptor,
            plain: self.plain.join(OsStr::from_bytes(name)),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn at_once(&self, _: &RelPath) -> Option<Self> {
        None
    }

    fn child(&self, part: &[u8]) -> Result<Self, FsError> {
        let plain = self.plain.join(OsStr::from_bytes(part));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.descriptor, part, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Self { descriptor, plain }),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(no_folder(&plain)),
            Err(error) => Err(FsError::new("open the folder", plain, error)),
        }
    }

    /// The path of `name` in this folder, to be used while the folder is open.
    pub(super) fn at(&self, name: &[u8]) -> PathBuf {
        let name = OsStr::from_bytes(name);
        if *HAS_PROC {
            PathBuf::from(format!("/proc/self/fd/{}", self.descriptor.as_raw_fd())).join(name)
        } else {
            self.plain.join(name)
        }
    }

    /// Lets its owner change what is in it. Tools like to make read-only what they install.
    fn unlock(&self) -> Result<(), FsError> {
        let place = self.at(b".");
        let facts = place
            .metadata()
            .map_err(|error| FsError::new("look at", &self.plain, error))?;
        set_mode(&place, facts.permissions().mode() & 0o7777 | 0o200)
    }

    /// Does something in it that may not be possible before it is unlocked.
    pub(super) fn unlocking<T>(
        &self,
        mut act: impl FnMut() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        match act() {
            Err(error) if error.source.kind() == ErrorKind::PermissionDenied => {
                self.unlock().map_err(|_| error)?;
                act()
            }
            result => result,
        }
    }

    /// An error of an operation on `name`, told with the path that people know.
    pub(super) fn told(&self, name: &[u8], error: FsError) -> FsError {
        FsError {
            path: self.plain.join(OsStr::from_bytes(name)),
            ..error
        }
    }
}

/// Where a path leads, if that is below `root`.
fn real(root: &Path, path: &RelPath) -> Option<RelPath> {
    RelPath::below(
        &root.canonicalize().ok()?,
        &path.under(root).canonicalize().ok()?,
    )
}

/// The error for a link or a file where a folder is wanted.
fn no_folder(path: &Path) -> FsError {
    let is_link = path
        .symlink_metadata()
        .is_ok_and(|facts| facts.is_symlink());
    let reason = if is_link {
        "it is a link, and links are not followed"
    } else {
        "it is no folder"
    };
    FsError::new("go into", path, std::io::Error::other(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs::{rename, symlink, write_atomic};

    fn path(text: &str) -> RelPath {
        RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
    }

    #[test]
    fn links_are_not_followed() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), &inside.path().join("a")).unwrap();
        let error = Folder::make(inside.path(), &path("a/b")).unwrap_err();
        assert!(error.to_string().ends_with("/a`"), "{error}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn real_paths_stay_inside() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Folder::make(inside.path(), &path("real")).unwrap();
        symlink(Path::new("real"), &inside.path().join("in")).unwrap();
        symlink(outside.path(), &inside.path().join("out")).unwrap();
        Folder::make_real(inside.path(), &path("in/a/b")).unwrap();
        assert!(inside.path().join("real/a/b").is_dir());
        let name = path("in/a/file");
        let (folder, name) = Folder::of_real(inside.path(), &name).unwrap();
        write_atomic(&folder.at(name), b"x").unwrap();
        assert!(inside.path().join("real/a/file").is_file());
        assert!(Folder::make_real(inside.path(), &path("out/a")).is_err());
        assert!(Folder::of_real(inside.path(), &path("out/file")).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_swapped_for_a_link_is_still_the_folder() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = Folder::make(inside.path(), &path("a/b")).unwrap();
        rename(&inside.path().join("a/b"), &inside.path().join("moved")).unwrap();
        symlink(outside.path(), &inside.path().join("a/b")).unwrap();
        write_atomic(&folder.at(b"file"), b"x").unwrap();
        assert!(inside.path().join("moved/file").is_file());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
