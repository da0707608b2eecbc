//! What lies in a store: every file with its size and the time of its last use. Changes nothing.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::shelves::Shelves;
use crate::sys::fs::{FsError, TEMP_PREFIX};

/// Disks give out space in pieces of this size, about.
const BLOCK: u64 = 4096;

/// A file in a store.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) what: What,
    /// The space that it takes.
    pub(super) size: u64,
    /// When it was last used.
    pub(super) used: SystemTime,
}

/// The space that so many bytes take.
pub(super) fn space(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// The bytes of an output or a log.
    Content,
    /// A result.
    Result,
    /// A result that is good in one workspace only.
    Bound,
    /// What results of steps with a depfile hang on.
    Sets,
    /// What was found damaged.
    Damaged,
    /// What a killed process was writing, or a live one is.
    Unfinished,
}

/// The folders that have files in them: `cas/ab`, `rec/a`, `set/a`, `quarantine`.
pub(super) fn folders(shelves: &Shelves) -> Result<Vec<PathBuf>, FsError> {
    let mut folders = vec![shelves.at("quarantine")];
    for top in ["cas", "rec", "set"] {
        let below = entries(&shelves.at(top))?;
        let below = below.into_iter().filter(|(_, facts)| facts.is_dir());
        folders.extend(below.map(|(path, _)| path));
    }
    folders.sort_unstable();
    Ok(folders)
}

/// The files of one of these folders. What is nothing of a store's is left out.
pub(super) fn items(folder: &Path) -> Result<Vec<Item>, FsError> {
    let found = entries(folder)?.into_iter();
    let item = |(path, facts): (PathBuf, Metadata)| {
        let what = what(&path, &facts)?;
        Some(Item {
            what,
            size: space(facts.len()),
            used: facts.modified().ok()?,
            path,
        })
    };
    Ok(found.filter_map(item).collect())
}

/// All files.
pub(super) fn stock(shelves: &Shelves) -> Result<Vec<Item>, FsError> {
    let mut all = Vec::new();
    for folder in folders(shelves)? {
        all.extend(items(&folder)?);
    }
    Ok(all)
}

fn what(path: &Path, facts: &Metadata) -> Option<What> {
    let parts: Vec<&[u8]> = path.iter().map(OsStrExt::as_bytes).collect();
    let [.., top, shard, name] = parts[..] else {
        return None;
    };
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match (top, shard) {
        (_, b"quarantine") => Some(What::Damaged),
        _ if !facts.is_file() => None,
        _ if name.starts_with(TEMP_PREFIX.as_bytes()) => Some(What::Unfinished),
        (b"cas", shard) if shard.len() + name.len() == 64 && is_hex(name) => Some(What::Content),
        (b"set", _) if name.len() == 64 && is_hex(name) => Some(What::Sets),
        (b"rec", _) if name.len() == 64 && is_hex(name) => Some(What::Result),
        (b"rec", _) if name.len() == 81 && is_hex(&name[..64]) => Some(What::Bound),
        _ => None,
    }
}

/// What is in a folder; nothing in one that is not there. What goes meanwhile is left out.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, FsError> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| FsError::new("list", folder, error))?,
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| FsError::new("list", folder, error))?;
        if let Ok(facts) = entry.metadata() {
            found.push((entry.path(), facts));
        }
    }
    Ok(found)
}
