//! Who uses a store just now. As long as a run lives, nothing that was used since it began is
//! collected: not what it restores at the moment, and not what it stored a while ago and a later step
//! of it needs. Knows no workspace.

use std::path::PathBuf;
use std::time::SystemTime;

use super::shelves::{Shelves, unique};
use crate::sys::fs::{FsError, create_dir_all};
use crate::sys::lock::{Claim, LockError};

/// Says that somebody uses the store from now on, until the claim is dropped or its holder is dead.
pub(super) fn lease(shelves: &Shelves) -> Result<Claim, FsError> {
    let folder = shelves.at("live");
    create_dir_all(&folder)?;
    loop {
        match Claim::take(&folder.join(unique())) {
            Ok(claim) => return Ok(claim),
            // Somebody of the same number, on another machine or in another container.
            Err(LockError::Held(_)) => {}
            Err(LockError::Io(error)) => return Err(error),
        }
    }
}

/// Since when there are others than `own` who use the store. What the dead have left is removed.
pub(super) fn others_since(shelves: &Shelves, own: &Claim) -> Option<SystemTime> {
    let live = paths(shelves, "live");
    let others = live.filter(|path| path != own.path());
    let since = |path: PathBuf| path.symlink_metadata().ok()?.modified().ok();
    let alive = others.filter(|path| matches!(Claim::take(path), Err(LockError::Held(_))));
    alive.filter_map(since).min()
}

/// Removes the claims on keys that the dead have left: one that can be taken is nobody's, and its file
/// goes with it.
pub(super) fn forget_the_dead(shelves: &Shelves) {
    paths(shelves, "flight").for_each(|path| drop(Claim::take(&path)));
}

/// What is in a folder of the store.
pub(super) fn paths(shelves: &Shelves, folder: &str) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(shelves.at(folder)).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}
