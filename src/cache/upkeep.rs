//! Keeps a store in order, for `pipe cache`: figures, collection, verification, emptying. Knows no
//! workspace.

use std::path::Path;
use std::time::SystemTime;

use super::census::counted;
use super::collect::{Collected, Collector};
use super::kept;
use super::local::Limits;
use super::shelves::Shelves;
use super::stock::{What, stock};
use super::verify::{Verified, verify};
use crate::sys::clock;
use crate::sys::fs::FsError;
use crate::sys::lock::{Lock, LockError};

/// A store as those see it who keep it in order.
pub struct Upkeep {
    shelves: Shelves,
}

/// What is in a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Results.
    pub results: u64,
    /// How many of them are good in one workspace only.
    pub bound: u64,
    /// Contents of outputs and logs.
    pub contents: u64,
    /// Lists of discovered inputs, by which results of steps with a depfile are found.
    pub lists: u64,
    /// Files in quarantine.
    pub damaged: u64,
    /// The space that all takes.
    pub size: u64,
    /// When that was last used which was not used for longest.
    pub oldest: Option<SystemTime>,
}

impl Upkeep {
    /// The store in the folder `dir`; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Words on why it is left alone.
    pub fn find(dir: &Path) -> Result<Option<Self>, String> {
        let shelves = Shelves::find(dir)?;
        Ok(shelves.map(|shelves| Self { shelves }))
    }

    /// Counts what is there.
    ///
    /// # Errors
    ///
    /// When a folder cannot be listed.
    pub fn stats(&self) -> Result<Stats, FsError> {
        let mut stats = Stats::default();
        for item in stock(&self.shelves)? {
            stats.size += item.size;
            match item.what {
                What::Content => stats.contents += 1,
                What::Result => stats.results += 1,
                What::Bound => {
                    stats.results += 1;
                    stats.bound += 1;
                }
                What::Damaged => stats.damaged += 1,
                What::Sets => stats.lists += 1,
                What::Unfinished => {}
            }
            if !matches!(item.what, What::Damaged | What::Unfinished) {
                let oldest = stats.oldest.unwrap_or(item.used);
                stats.oldest = Some(oldest.min(item.used));
            }
        }
        Ok(stats)
    }

    /// Takes away what is beyond `limits` and nobody uses.
    ///
    /// # Errors
    ///
    /// When something cannot be listed or removed.
    pub fn collect(&self, limits: &Limits) -> Result<Collected, FsError> {
        let collector = Collector::new(&self.shelves)?;
        let done = collector.collect(limits)?;
        counted(&self.shelves, done.left, collector.start())?;
        Ok(done)
    }

    /// Reads everything; what is damaged goes to quarantine.
    ///
    /// # Errors
    ///
    /// When a folder cannot be listed.
    pub fn verify(&self) -> Result<Verified, FsError> {
        verify(&self.shelves)
    }

    /// Empties the store, also of what is in use: to a run that is a miss. One at a time does so:
    /// `on_wait` is told who else does when there is somebody.
    ///
    /// # Errors
    ///
    /// When something cannot be listed or removed.
    pub fn clear(&self, on_wait: impl FnOnce(Option<u32>)) -> Result<Collected, LockError> {
        let _lock = Lock::acquire(&self.shelves.at("lock"), true, on_wait)?;
        let mut done = Collected::default();
        for item in stock(&self.shelves)? {
            match kept::remove(&item.path) {
                Err(error) if error.is_not_found() => continue,
                result => result?,
            }
            done.removed += 1;
            done.freed += item.size;
        }
        counted(&self.shelves, 0, clock::wall())?;
        Ok(done)
    }
}
