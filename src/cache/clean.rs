//! Removes what a step made: what its record says, as long as it still is that.

use std::collections::BTreeSet;

use super::beneath::Folder;
use super::entry::{Entry, EntryPath, Kind};
use super::kept;
use super::rebuilder::Cache;
use crate::path::RelPath;
use crate::sys::fs::{FsError, remove_dir};

/// What was removed, or would be.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// Files and links.
    pub removed: Vec<RelPath>,
    /// What stands at a recorded path and is not what the step made.
    pub kept: Vec<RelPath>,
}

impl Cache {
    /// The names under which steps are remembered here.
    pub fn identities(&self) -> Vec<String> {
        self.state.identities()
    }

    /// Removes the outputs of a step's last run, and the folders that become empty by it. With
    /// `dry_run` only says what would be removed.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub fn clean(&self, identity: &str, dry_run: bool) -> Result<Cleaned, FsError> {
        let mut cleaned = Cleaned::default();
        let Some(last) = self.state.last(identity) else {
            return Ok(cleaned);
        };
        let mut folders = BTreeSet::new();
        for entry in &last.outputs {
            let EntryPath::In(path) = &entry.path else {
                continue;
            };
            if entry.kind == Kind::EmptyFolder {
                folders.insert(path.clone());
            } else if !self.is_there(path) {
            } else if !self.is_what_was_made(entry) {
                cleaned.kept.push(path.clone());
            } else {
                if !dry_run {
                    self.remove(path)?;
                }
                folders.extend(path.parent());
                cleaned.removed.push(path.clone());
            }
        }
        if !dry_run {
            folders
                .into_iter()
                .rev()
                .for_each(|folder| self.remove_empty(folder));
        }
        Ok(cleaned)
    }

    fn is_there(&self, path: &RelPath) -> bool {
        kept::exists(&path.under(&self.root))
    }

    fn is_what_was_made(&self, entry: &Entry) -> bool {
        self.tree.still(entry, self.tree.now()).unwrap_or(false)
    }

    fn remove(&self, path: &RelPath) -> Result<(), FsError> {
        let (folder, name) = Folder::of(&self.root, path)?;
        folder
            .unlocking(|| kept::remove(&folder.at(name)))
            .map_err(|error| folder.told(name, error))?;
        self.tree.forget(path);
        Ok(())
    }

    /// Removes a folder and those around it as long as they are empty.
    fn remove_empty(&self, folder: RelPath) {
        let mut next = Some(folder).filter(|folder| !folder.is_root());
        while let Some(folder) = next.take() {
            if remove_dir(&folder.under(&self.root)).is_ok() {
                next = folder.parent().filter(|parent| !parent.is_root());
            }
        }
    }
}
