//! Takes away from a store what was not used for longest, also while others use it.
//!
//! A file is first moved aside, then looked at: whoever uses a file makes that its time, and goes on
//! only if it was still there then. So either its user sees that it is gone, or it is seen here that it
//! was used, and it comes back. Knows no workspace.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::action::ActionKey;
use super::digest::Digest;
use super::kept;
use super::lease::{forget_the_dead, lease, others_since, paths};
use super::local::Limits;
use super::result::Record;
use super::shelves::Shelves;
use super::stock::{Item, What, stock};
use crate::sys::fs::{FsError, create_dir_all, read, remove_dir, remove_dir_all, rename};
use crate::sys::lock::{Claim, LockError};

/// What a collection did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// Files taken away.
    pub removed: u64,
    /// The space that they took.
    pub freed: u64,
    /// The space that what is left takes.
    pub left: u64,
    /// Files that would have gone, but are in use by a run.
    pub spared: u64,
}

/// Somebody who takes away.
pub(super) struct Collector<'a> {
    shelves: &'a Shelves,
    /// When it began; its file says to others that what is in its trash is its own.
    start: SystemTime,
    /// Since when others use the store.
    others: Option<SystemTime>,
    trash: PathBuf,
    count: AtomicU64,
    _own: Claim,
}

impl<'a> Collector<'a> {
    pub(super) fn new(shelves: &'a Shelves) -> Result<Self, FsError> {
        let own = lease(shelves)?;
        empty_trash(shelves);
        forget_the_dead(shelves);
        let trash = shelves
            .at("trash")
            .join(own.path().file_name().unwrap_or_default());
        create_dir_all(&trash)?;
        Ok(Self {
            shelves,
            start: own.since()?,
            others: others_since(shelves, &own),
            trash,
            count: AtomicU64::new(0),
            _own: own,
        })
    }

    /// When it began, by the clock of the store's file system.
    pub(super) fn start(&self) -> SystemTime {
        self.start
    }

    /// Takes away what is older than `limits` allow, and then the oldest, until the rest fits.
    pub(super) fn collect(&self, limits: &Limits) -> Result<Collected, FsError> {
        let mut items = stock(self.shelves)?;
        items.sort_by_key(|item| item.used);
        let mut done = Collected {
            left: items.iter().map(|item| item.size).sum(),
            ..Collected::default()
        };
        let mut results = Vec::new();
        for item in items {
            let age = self.start.duration_since(item.used).unwrap_or_default();
            let goes = age > limits.max_age
                || done.left > limits.max_size
                || item.what == What::Unfinished;
            if goes && self.take(&item, &mut done)? {
                continue;
            }
            if matches!(item.what, What::Result | What::Bound) {
                results.push(item);
            }
        }
        if done.removed > 0 {
            self.take_incomplete(&results, &mut done)?;
        }
        Ok(done)
    }

    /// Takes away the results whose contents are gone.
    fn take_incomplete(&self, results: &[Item], done: &mut Collected) -> Result<(), FsError> {
        for item in results {
            if is_incomplete(self.shelves, &item.path) {
                self.take(item, done)?;
            }
        }
        Ok(())
    }

    /// Takes one file away, unless it is in use; says whether it did.
    pub(super) fn take(&self, item: &Item, done: &mut Collected) -> Result<bool, FsError> {
        let is_gone = self.withdraw(item)?;
        if is_gone {
            done.removed += 1;
            done.freed += item.size;
            done.left = done.left.saturating_sub(item.size);
        } else {
            done.spared += 1;
        }
        Ok(is_gone)
    }

    fn withdraw(&self, item: &Item) -> Result<bool, FsError> {
        if self.is_in_use(&item.path, item) {
            return Ok(false);
        }
        let aside = self
            .trash
            .join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        match rename(&item.path, &aside) {
            Err(error) if error.is_not_found() => return Ok(true),
            result => result?,
        }
        if !self.is_in_use(&aside, item) {
            kept::remove(&aside)?;
            return Ok(true);
        }
        // Somebody may have written it anew meanwhile.
        match kept::exists(&item.path) {
            true => kept::remove(&aside)?,
            false => rename(&aside, &item.path)?,
        }
        Ok(false)
    }

    /// Whether a live run has used it, or anybody since it was found.
    fn is_in_use(&self, path: &Path, item: &Item) -> bool {
        let facts = path.symlink_metadata().and_then(|facts| facts.modified());
        facts.is_ok_and(|used| {
            used != item.used || used > self.start || self.others.is_some_and(|since| used >= since)
        })
    }
}

impl Drop for Collector<'_> {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next one.
        let _removed = remove_dir(&self.trash);
    }
}

/// Removes what collections that were killed had moved aside.
fn empty_trash(shelves: &Shelves) {
    for folder in paths(shelves, "trash") {
        let owner = shelves
            .at("live")
            .join(folder.file_name().unwrap_or_default());
        // Taken so that nobody of that name begins meanwhile.
        match Claim::take(&owner) {
            Err(LockError::Held(_)) => {}
            _claim => drop(remove_dir_all(&folder)),
        }
    }
}

/// Whether a result names contents that are not there.
pub(super) fn is_incomplete(shelves: &Shelves, path: &Path) -> bool {
    let record = key_of(path).zip(read(path).ok());
    let record = record.and_then(|(key, bytes)| Record::decode(key, &bytes).ok());
    let blobs: HashSet<(Digest, u64)> = record.iter().flat_map(Record::blobs).collect();
    blobs
        .iter()
        .any(|(digest, _)| !kept::exists(&shelves.blob(*digest)))
}

/// The key that a result's file is named for.
pub(super) fn key_of(path: &Path) -> Option<ActionKey> {
    let name = path.file_name()?.to_str()?;
    Digest::from_hex(name.get(..64)?).map(ActionKey)
}
