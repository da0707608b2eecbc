//! Locks between processes: a locked file with the holder's process id in it.
//!
//! The lock is the kernel's (`flock`), not the file: it ends with its holder, however that ends,
//! and no child inherits it. Knows nothing of what is locked.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::fs::{FsError, remove_file};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it, and this one was not to wait.
    #[error("another `pipe` is at work here{}", .0.map_or(String::new(), |pid| format!(" (process {pid})")))]
    Held(Option<u32>),
    /// The file cannot be made or locked.
    #[error("{0}: {source}", source = .0.source)]
    Io(#[from] FsError),
}

impl Lock {
    /// Takes the lock at `path`. When somebody else has it: an error, or, to `wait`, calls `on_wait`
    /// with the holder's process id, if that can be read, and waits.
    pub fn acquire(
        path: &Path,
        wait: bool,
        on_wait: impl FnOnce(Option<u32>),
    ) -> Result<Self, LockError> {
        let mut file = open(path)?;
        if !try_lock(&file, path)? {
            let holder = holder(&mut file);
            if !wait {
                return Err(LockError::Held(holder));
            }
            on_wait(holder);
            block(&file, path)?;
        }
        // Who holds it is only told; a full disk is no reason to have no lock.
        let _told = tell(&mut file);
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Takes the process id out and unlocks. Closing the file alone would not do: a child that is
    /// just being started has it open until it runs its program.
    fn drop(&mut self) {
        let _emptied = self.file.set_len(0);
        let _unlocked = flock(&self.file, FlockOperation::Unlock);
    }
}

/// A lock whose file is there only while somebody holds it, or was killed while holding it: for
/// things of which there are many. The time of the file is that of the claim.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    lock: Lock,
}

impl Claim {
    /// Takes the claim at `path` if nobody has it.
    ///
    /// # Errors
    ///
    /// When somebody has it, or the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        Self::acquire(path, || Lock::acquire(path, false, |_| ()))
    }

    /// Takes it when it is free.
    ///
    /// # Errors
    ///
    /// When the file cannot be made.
    pub fn wait(path: &Path) -> Result<Self, LockError> {
        Self::acquire(path, || Lock::acquire(path, true, |_| ()))
    }

    /// A lock on a file that its last holder has removed meanwhile is no claim.
    fn acquire(path: &Path, lock: impl Fn() -> Result<Lock, LockError>) -> Result<Self, LockError> {
        loop {
            let lock = lock()?;
            let is_there = lock.is_at(path);
            if is_there.map_err(|error| FsError::new("look at", path, error))? {
                let path = path.to_path_buf();
                return Ok(Self { path, lock });
            }
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was taken, by the clock of the file system.
    ///
    /// # Errors
    ///
    /// When the file cannot be looked at.
    pub fn since(&self) -> Result<SystemTime, FsError> {
        let facts = self.lock.file.metadata();
        facts
            .and_then(|facts| facts.modified())
            .map_err(|error| FsError::new("look at", &self.path, error))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A file that stays is taken over by whoever claims the same next.
        let _removed = remove_file(&self.path);
    }
}

impl Lock {
    /// Whether what is locked is what stands at `path`. Where that cannot be told trying again would
    /// never end.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match path.symlink_metadata() {
            Ok(other) => Ok((own.dev(), own.ino()) == (other.dev(), other.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The file, made where there is none, its text kept. What else stands there was put there by
/// somebody: a link is not followed, as its target would be overwritten, but goes, like a FIFO.
fn open(path: &Path) -> Result<File, FsError> {
    let is_special = |facts: &Metadata| facts.is_symlink() || !(facts.is_file() || facts.is_dir());
    if path
        .symlink_metadata()
        .is_ok_and(|facts| is_special(&facts))
    {
        remove_file(path)?;
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(|error| FsError::new("open the lock", path, error))
}

/// Whether the lock was free and is now ours.
fn try_lock(file: &File, path: &Path) -> Result<bool, FsError> {
    match retry(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(FsError::new("lock", path, error)),
    }
}

/// Waits for the lock.
fn block(file: &File, path: &Path) -> Result<(), FsError> {
    retry(|| flock(file, FlockOperation::LockExclusive))
        .map_err(|error| FsError::new("lock", path, error))
}

/// Tries again as long as a signal comes between.
fn retry(mut call: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// The process id in the file.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes this process's id into the file.
fn tell(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::acquire(&path, false, |_| ()).unwrap();
        let second = Lock::acquire(&path, false, |_| ()).unwrap_err();
        assert!(matches!(second, LockError::Held(Some(pid)) if pid == std::process::id()));
        drop(first);
        Lock::acquire(&path, false, |_| ()).unwrap();
    }

    #[test]
    fn waiting_ends_when_the_holder_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::acquire(&path, false, |_| ()).unwrap();
        let (told, seen) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| Lock::acquire(&path, true, |pid| told.send(pid).unwrap()).unwrap());
            assert_eq!(seen.recv().unwrap(), Some(std::process::id()));
            drop(first);
        });
    }

    #[test]
    fn a_claim_leaves_no_file_and_is_handed_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim");
        let first = Claim::take(&path).unwrap();
        assert!(matches!(Claim::take(&path), Err(LockError::Held(Some(_)))));
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| drop(Claim::wait(&path).unwrap())))
                .collect();
            drop(first);
            waiting
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
        });
        assert!(!path.exists());
    }

    #[test]
    fn what_a_link_leads_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("claim"), folder.path().join("other"));
        crate::sys::fs::write_atomic(&other, b"precious").unwrap();
        crate::sys::fs::symlink(&other, &path).unwrap();
        let claim = Claim::take(&path).unwrap();
        assert!(claim.lock.is_at(&path).unwrap());
        assert_eq!(std::fs::read(&other).unwrap(), b"precious");
    }

    #[test]
    fn what_a_killed_holder_left_is_no_claim() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claim");
        std::fs::File::create(&path).unwrap();
        let claim = Claim::take(&path).unwrap();
        assert!(claim.since().is_ok());
    }
}
