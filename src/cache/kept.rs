//! Files that no record knows are kept, never deleted: they go to `.pipe/kept/RUN`. And the small
//! steps on files that moving things about needs; none of them follows a link.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::rebuilder::Cache;
use super::store::copy_hashing;
use crate::path::RelPath;
use crate::sys::fs::{
    FsError, copy, create_dir_all, open_regular, remove_dir, remove_dir_all, remove_file,
    rename_locked, symlink,
};

impl Cache {
    /// Moves a file that was found at `path` to `.pipe/kept`; where it is now, as people are told.
    pub(super) fn keep(&self, file: &Path, path: &RelPath) -> Result<PathBuf, FsError> {
        let first = path.under(&self.state_dir.join("kept").join(&self.run));
        let mut target = first.clone();
        for count in 1.. {
            if !exists(&target) {
                break;
            }
            let mut name = first.clone().into_os_string();
            name.push(format!(".{count}"));
            target = name.into();
        }
        move_to(file, &target)?;
        Ok(target
            .strip_prefix(&self.root)
            .map_or(target.clone(), Path::to_path_buf))
    }
}

/// Names files that were kept: all of a few, the first of many.
pub(super) fn told(kept: &[(RelPath, PathBuf)]) -> Vec<String> {
    const SHOWN: usize = 5;
    let line = |(path, place): &(RelPath, PathBuf)| {
        format!(
            "`{path}`, which no step made, was moved to `{}`",
            place.display()
        )
    };
    let mut lines: Vec<String> = kept.iter().take(SHOWN).map(line).collect();
    if let Some(more) = kept.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!(
            "{more} more files, which no step made, were moved there too"
        ));
    }
    lines
}

/// Whether anything is there, be it a link that leads nowhere. What a failing disk cannot tell may be
/// there: nothing is given up for lost.
pub(super) fn exists(path: &Path) -> bool {
    let is_gone =
        |error: ErrorKind| matches!(error, ErrorKind::NotFound | ErrorKind::NotADirectory);
    let facts = path.symlink_metadata();
    !facts.is_err_and(|error| is_gone(error.kind()))
}

/// Removes whatever is there.
pub(super) fn remove(path: &Path) -> Result<(), FsError> {
    if path.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
        remove_dir_all(path)
    } else {
        remove_file(path)
    }
}

/// Moves to a place whose folder may not be there; also from one file system to another.
pub(super) fn move_to(from: &Path, to: &Path) -> Result<(), FsError> {
    if let Some(folder) = to.parent() {
        create_dir_all(folder)?;
    }
    match rename_locked(from, to) {
        Err(error) if error.source.kind() == ErrorKind::CrossesDevices => {
            carry(from, to)?;
            remove(from)
        }
        result => result,
    }
}

/// Copies a file, a link, or a folder with all in it.
fn carry(from: &Path, to: &Path) -> Result<(), FsError> {
    let read = |error| FsError::new("read", from, error);
    let facts = from.symlink_metadata().map_err(read)?;
    if facts.is_symlink() {
        return symlink(&std::fs::read_link(from).map_err(read)?, to);
    }
    if facts.is_file() {
        return copy(from, to, is_exec(&facts));
    }
    create_dir_all(to)?;
    for (path, file) in below(&RelPath::root(), from) {
        let target = path.under(to);
        create_dir_all(target.parent().unwrap_or(to))?;
        carry(&file, &target)?;
    }
    Ok(())
}

/// Whether the owner may execute it.
pub(super) fn is_exec(facts: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    facts.mode() & 0o100 != 0
}

/// All files and links in `place` (or it itself), with the paths that they have if `place` is `path`.
pub(super) fn below(path: &RelPath, place: &Path) -> Vec<(RelPath, PathBuf)> {
    let mut found = Vec::new();
    let mut open = VecDeque::from([(path.clone(), place.to_path_buf())]);
    while let Some((path, place)) = open.pop_front() {
        match place.symlink_metadata() {
            Ok(facts) if facts.is_dir() => open.extend(children(&path, &place)),
            Ok(_) => found.push((path, place)),
            Err(_) => {}
        }
    }
    found
}

fn children(path: &RelPath, place: &Path) -> Vec<(RelPath, PathBuf)> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .map(|entry| (path.join(entry.file_name().as_bytes()), entry.path()))
        .collect()
}

/// Removes the folders below `folder`, and it itself, that hold nothing and are not `wanted`.
pub(super) fn prune(folder: &Path, wanted: impl Fn(&Path) -> bool) {
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|facts| facts.is_dir());
    if !is_folder(folder) {
        return;
    }
    let mut all = vec![folder.to_path_buf()];
    let mut next = 0;
    while let Some(place) = all.get(next).cloned() {
        all.extend(
            children(&RelPath::root(), &place)
                .into_iter()
                .map(|(_, path)| path)
                .filter(|path| is_folder(path)),
        );
        next += 1;
    }
    for place in all.iter().rev().filter(|place| !wanted(place)) {
        // Most hold something: that is what stops this.
        let _removed = remove_dir(place);
    }
}

/// The digest of a regular file.
pub(super) fn hash_file(path: &Path) -> Option<Digest> {
    let mut file = open_regular(path).ok()?;
    copy_hashing(&mut file, &mut io::sink())
        .ok()
        .map(|(digest, _)| digest)
}
