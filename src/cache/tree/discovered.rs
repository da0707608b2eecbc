//! Files that a command turned out to read: what stands at their paths now, and whether that is what
//! stood there when the command began. Knows no depfile.

use super::clock::Tick;
use super::{Seq, Tree, TreeError, What, entry, key};
use crate::cache::entry::{Entry, EntryPath, Kind};
use crate::path::RelPath;

impl Tree {
    /// This moment, by the file system's clock.
    pub fn tick(&self) -> Tick {
        self.looker.clock.tick()
    }

    /// Whether some step declares to make `path`.
    pub fn is_made(&self, path: &RelPath) -> bool {
        self.owned.matches(path)
    }

    /// What stands at these paths as inputs. Nothing at all is `Absent`; where something stands that
    /// cannot be read as a file, it is given as `EmptyFolder`, which no such input ever was.
    pub fn fingerprints(&self, paths: &[EntryPath], since: Seq) -> Vec<Entry> {
        let keys: Vec<&[u8]> = paths.iter().map(key).collect();
        if let Ok(seen) = self.observe(&self.inputs, true, &keys, since) {
            let pairs = paths.iter().zip(&seen);
            return pairs
                .map(|(path, seen)| match seen.what {
                    What::Special => unreadable(path),
                    _ => entry(path.clone(), seen),
                })
                .collect();
        }
        match paths {
            [path] => vec![unreadable(path)],
            _ => paths
                .iter()
                .flat_map(|path| self.fingerprints(std::slice::from_ref(path), since))
                .collect(),
        }
    }

    /// What stands at a path that a command has listed; nothing is `Absent`.
    ///
    /// # Errors
    ///
    /// What is no file, and what cannot be read.
    pub fn listed(&self, path: &EntryPath, since: Seq) -> Result<Entry, TreeError> {
        let seen = self.observe_one(&self.inputs, true, key(path), since)?;
        match seen.what {
            What::Folder => Err(TreeError::Folder(path.clone())),
            What::Link(super::End::Folder) => Err(TreeError::FolderLink(path.clone())),
            What::Special => Err(TreeError::Special(path.clone())),
            What::Absent | What::File | What::Link(_) => Ok(entry(path.clone(), &seen)),
        }
    }

    /// Whether `entry` stood there before `began` and was not touched since. Where nothing stands, it
    /// is the folder around that must be that old: something may have been taken away.
    pub fn stood(&self, entry: &Entry, began: &Tick) -> bool {
        if entry.kind != Kind::Absent {
            return began.is_after(&entry.identity);
        }
        let mut path = key(&entry.path);
        loop {
            path = match path.iter().rposition(|byte| *byte == b'/') {
                Some(0) | None if path.starts_with(b"/") => b"/",
                Some(slash) => &path[..slash],
                None => b"",
            };
            if let Some((_, folder)) = self.looker.identities(path) {
                return began.is_after(&folder);
            }
            if path.len() <= 1 {
                return false;
            }
        }
    }
}

/// Something that is no file.
fn unreadable(path: &EntryPath) -> Entry {
    Entry {
        path: path.clone(),
        kind: Kind::EmptyFolder,
        exec: false,
        digest: Default::default(),
        identity: Default::default(),
    }
}
