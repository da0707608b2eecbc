//! The folder `.pipe`, in which a workspace's own things are kept: made where there is none, and
//! refused where writing to it could change what is not `pipe`'s. A repository can bring `.pipe`, or
//! folders in it, as links to wherever it likes.

use std::io::{Error, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::shelves::CACHEDIR_TAG;
use crate::sys::fs::{FsError, TEMP_PREFIX, create_dir_all, write_atomic, write_new};
use crate::sys::git::Git;

/// Marks a folder of `pipe`'s.
const TAG: &str = "CACHEDIR.TAG";

/// Makes `.pipe`, an empty folder: what is in it belongs to whoever holds its lock.
///
/// # Errors
///
/// When it cannot be made, or is a link that is not followed.
pub fn make_state_dir(state_dir: &Path) -> Result<(), FsError> {
    let refused = |why: String| FsError::new("use", state_dir, Error::other(why));
    if state_dir.is_symlink() {
        check_link(state_dir).map_err(refused)?;
    }
    check_inside(state_dir).map_err(refused)?;
    create_dir_all(state_dir)
}

/// Has git and backups leave `.pipe` alone.
///
/// # Errors
///
/// When it cannot be written to.
pub fn mark_state_dir(state_dir: &Path) -> Result<(), FsError> {
    let tag = state_dir.join(TAG);
    if tag.is_file() {
        return Ok(());
    }
    write_new(&state_dir.join(".gitignore"), b"*\n")?;
    write_atomic(&tag, CACHEDIR_TAG.as_bytes())
}

/// Whoever wants `.pipe` on another disk may link it: to a folder of their own with nothing of theirs
/// in it, by a link that did not come with the repository.
fn check_link(link: &Path) -> Result<(), String> {
    let leads = link.read_link().unwrap_or_default();
    let it = format!("it is a link to `{}`", leads.display());
    let facts = match link.metadata() {
        Ok(facts) if facts.is_dir() => facts,
        _ => {
            return Err(format!(
                "{it}, and no folder is there: make it, or remove the link"
            ));
        }
    };
    let user = rustix::process::geteuid().as_raw();
    let owner = link.symlink_metadata().map(|facts| facts.uid());
    if facts.uid() != user || !owner.is_ok_and(|owner| owner == user) {
        return Err(format!("{it} and not your own: remove the link"));
    }
    let (root, name) = (link.parent(), link.file_name());
    if let (Some(root), Some(name)) = (root, name)
        && Git::new(root).tracks(name.as_encoded_bytes())
    {
        return Err(format!(
            "{it} that git tracks, so it came with the repository: remove it (`git rm --cached .pipe`, then `rm .pipe`)"
        ));
    }
    match link.join(TAG).is_file() || holds_nothing(link) {
        true => Ok(()),
        false => Err(format!(
            "{it}, where other things are: link it to an empty folder, or remove the link"
        )),
    }
}

/// Nothing but what a kill leaves of a folder that was just being made.
fn holds_nothing(folder: &Path) -> bool {
    let ours = |name: &str| [".gitignore", "lock"].contains(&name) || name.starts_with(TEMP_PREFIX);
    std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(ours)))
    })
}

/// What lies in a folder of `.pipe` is removed when it is old, so none may be somewhere else.
fn check_inside(state_dir: &Path) -> Result<(), String> {
    let entries = match std::fs::read_dir(state_dir) {
        // What else is wrong comes out when something is written.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.into_iter().flatten().flatten(),
    };
    for entry in entries {
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if is_link && entry.path().is_dir() {
            let name = entry.file_name();
            return Err(format!(
                "`{}` in it is a link to a folder: remove it",
                name.display()
            ));
        }
    }
    Ok(())
}
