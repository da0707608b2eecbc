//! Locks between processes: a locked file with the holder's process id in it.
//!
//! The lock is the kernel's (`flock`), not the file: it ends with its holder, however that ends,
//! and no child inherits it. Knows nothing of what is locked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::fs::FsError;

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
    #[error(transparent)]
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

    /// A lock that many may hold at once, while nobody holds it alone.
    pub fn share(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        retry(|| flock(&file, FlockOperation::LockShared))
            .map_err(|error| FsError::new("lock", path, error))?;
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

/// The file, made where there is none, its text kept.
fn open(path: &Path) -> Result<File, FsError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
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
    fn many_may_share() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let shared = [Lock::share(&path).unwrap(), Lock::share(&path).unwrap()];
        assert!(matches!(
            Lock::acquire(&path, false, |_| ()),
            Err(LockError::Held(None))
        ));
        drop(shared);
        Lock::acquire(&path, false, |_| ()).unwrap();
    }
}
