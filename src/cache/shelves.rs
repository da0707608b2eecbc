//! Where things lie in the store's folder, and whether that folder may be used.
//!
//! ```text
//! CACHE/CACHEDIR.TAG
//! CACHE/v1/cas/ab/REST     contents by digest, mode 0444
//! CACHE/v1/rec/a/KEY       results; KEY-ROOT where bound to a workspace (ROOT: digest of its path)
//! CACHE/v1/set/a/KEY       which files results of steps with a depfile hang on, by weak key
//! CACHE/v1/quarantine      what was found damaged
//! CACHE/v1/live/PID-N      claims of those who use the store just now
//! CACHE/v1/flight/KEY      claims of those who run a command whose result is not there yet
//! CACHE/v1/trash/PID-N/    what a collection takes away, before it is gone
//! ```
//!
//! All files appear by a rename in their folder, a result after its contents. Results are many and
//! small, and to make a folder takes as long as to make a file: so they have few folders. The
//! modification time of a file is when it was last used. Knows no workspace.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::action::ActionKey;
use super::digest::Digest;
use crate::sys::fs::{self, FsError};

/// Says to backup programs that all here can be made again.
pub(super) const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder holds results that pipe can make again.\n";

/// Makes names of this process differ.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The folder of a store.
#[derive(Debug)]
pub(super) struct Shelves {
    dir: PathBuf,
    damaged: AtomicUsize,
}

impl Shelves {
    /// The store in `cache`, made where there is none. The error says in words why it is not used.
    pub(super) fn open(cache: &Path) -> Result<Self, String> {
        let told = |error: FsError| format!("the store is not used: {error}: {}", error.source);
        let dir = version(cache);
        if !dir.is_dir() {
            make(cache, &dir).map_err(told)?;
        }
        Self::closed_to_others(cache, dir).map_err(|why| format!("the store is not used: {why}"))
    }

    /// The store in `cache`, if there is one. The error says why it is left alone.
    pub(super) fn find(cache: &Path) -> Result<Option<Self>, String> {
        let dir = version(cache);
        match dir.is_dir() {
            true => Self::closed_to_others(cache, dir).map(Some),
            false => Ok(None),
        }
    }

    fn closed_to_others(cache: &Path, dir: PathBuf) -> Result<Self, String> {
        for folder in [cache, &dir] {
            is_ours(folder)?;
        }
        let damaged = AtomicUsize::new(0);
        Ok(Self { dir, damaged })
    }

    /// Where a content lies.
    pub(super) fn blob(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join("cas").join(&hex[..2]).join(&hex[2..])
    }

    /// Where a result lies: one for all, or one that is bound to a root.
    pub(super) fn record(&self, key: ActionKey, root: Option<&[u8]>) -> PathBuf {
        let hex = key.0.hex();
        let name = match root {
            Some(root) => format!("{hex}-{}", &Digest::of(root).hex()[..16]),
            None => hex.clone(),
        };
        self.dir.join("rec").join(&hex[..1]).join(name)
    }

    /// Where it lies what results with this weak key hang on.
    pub(super) fn set_file(&self, weak: ActionKey) -> PathBuf {
        let hex = weak.0.hex();
        self.dir.join("set").join(&hex[..1]).join(hex)
    }

    /// The files of all results under `key`.
    pub(super) fn records(&self, key: ActionKey) -> Vec<PathBuf> {
        let hex = key.0.hex();
        let shard = self.dir.join("rec").join(&hex[..1]);
        let entries = std::fs::read_dir(shard).into_iter().flatten().flatten();
        let ours = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.as_bytes().starts_with(hex.as_bytes()))
        };
        entries.map(|entry| entry.path()).filter(ours).collect()
    }

    /// How many files were found damaged so far.
    pub(super) fn damaged(&self) -> usize {
        self.damaged.load(Ordering::Relaxed)
    }

    /// How a file is called in the store's folder.
    pub(super) fn name_of(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.dir).unwrap_or(path).to_path_buf()
    }

    /// Something in the store's folder.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Moves something damaged out of the way; what cannot be moved is overwritten later.
    pub(super) fn quarantine(&self, path: &Path) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", unique()));
        let target = self.at("quarantine").join(name);
        let _moved = in_folder(&target, || fs::rename(path, &target));
    }
}

fn version(cache: &Path) -> PathBuf {
    cache.join("v1")
}

/// A name that nobody else who is there now gives.
pub(super) fn unique() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{count}", std::process::id())
}

/// Does something at `target`, whose folder is made where there is none.
pub(super) fn in_folder<T>(
    target: &Path,
    act: impl Fn() -> Result<T, FsError>,
) -> Result<T, FsError> {
    match act() {
        Err(error) if error.is_not_found() => {
            target.parent().map_or(Ok(()), fs::create_dir_all)?;
            act()
        }
        result => result,
    }
}

/// Makes the folders of a store, closed to others.
fn make(cache: &Path, dir: &Path) -> Result<(), FsError> {
    let is_new = !cache.is_dir();
    fs::create_dir_all(cache)?;
    if is_new {
        fs::set_mode(cache, 0o700)?;
    }
    for part in ["cas", "rec", "quarantine"] {
        fs::create_dir_all(&dir.join(part))?;
    }
    fs::set_mode(dir, 0o700)?;
    fs::write_atomic(&cache.join("CACHEDIR.TAG"), CACHEDIR_TAG.as_bytes())
}

/// Whether nobody else could have put something in.
fn is_ours(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let facts =
        std::fs::metadata(folder).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "`{shown}` belongs to another user; name one of your own with `--cache-dir`"
        ));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(format!(
            "others may write to `{shown}`; `chmod go-w {shown}` closes it, if you trust what is in it"
        ));
    }
    Ok(())
}
