//! What all tests share: a folder to work in, transcripts, and texts without what differs from one
//! run to the next.

pub(crate) mod case;
pub(crate) mod codes;
pub(crate) mod marks;
mod sandbox;
mod text;

use std::path::{Path, PathBuf};

pub(crate) use sandbox::{Output, PIPE, Sandbox};

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose name ends with `ending`, sorted.
pub(crate) fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
