//! The store on this machine: one folder a user, shared by all checkouts.
//!
//! ```text
//! CACHE/CACHEDIR.TAG
//! CACHE/v1/cas/ab/REST     contents by digest, mode 0444
//! CACHE/v1/rec/a/KEY       results; KEY-ROOT where bound to a workspace (ROOT: digest of its path)
//! CACHE/v1/set/a/KEY       which files results of steps with a depfile hang on, by weak key
//! CACHE/v1/quarantine      what was found damaged
//! ```
//!
//! All files appear by a rename in their folder, a result after its contents. Results are many and
//! small, and to make a folder takes as long as to make a file: so they have few folders.
//!
//! Nothing is synced to the disk: contents are verified whenever they are used, results carry a
//! checksum, so what a power cut spoils is a miss. Knows no workspace.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::action::ActionKey;
use super::digest::Digest;
use super::result::{Record, RecordError};
use super::sets::{self, PathSet};
use super::store::{ActionCache, ContentStore, StoreError, copy_hashing};
use crate::sys::fs::{self, FsError, TempFile};

/// Says to backup programs that all here can be made again.
pub(super) const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder holds results that pipe can make again.\n";

/// A store in a folder.
pub(super) struct LocalStore {
    dir: PathBuf,
    /// Makes names in quarantine differ.
    count: AtomicU64,
}

impl LocalStore {
    /// Opens or makes the store in `cache`. The error says in words why it is not used.
    pub(super) fn open(cache: &Path) -> Result<Self, String> {
        let dir = cache.join("v1");
        let told = |error: FsError| format!("the store is not used: {error}: {}", error.source);
        if !dir.is_dir() {
            make(cache, &dir).map_err(told)?;
        }
        for folder in [cache, &dir] {
            is_ours(folder)?;
        }
        Ok(Self {
            dir,
            count: AtomicU64::new(0),
        })
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join("cas").join(&hex[..2]).join(&hex[2..])
    }

    fn record(&self, key: ActionKey, root: Option<&[u8]>) -> PathBuf {
        let hex = key.0.hex();
        let name = match root {
            Some(root) => format!("{hex}-{}", &Digest::of(root).hex()[..16]),
            None => hex.clone(),
        };
        self.dir.join("rec").join(&hex[..1]).join(name)
    }

    fn set_file(&self, weak: ActionKey) -> PathBuf {
        let hex = weak.0.hex();
        self.dir.join("set").join(&hex[..1]).join(hex)
    }

    /// Moves something damaged out of the way; what cannot be moved is overwritten later.
    fn quarantine(&self, path: &Path) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{count}", std::process::id()));
        let _moved = fs::rename(path, &self.dir.join("quarantine").join(name));
    }

    fn read_record(
        &self,
        key: ActionKey,
        root: Option<&[u8]>,
    ) -> Result<Option<Record>, StoreError> {
        let path = self.record(key, root);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match Record::decode(key, &bytes) {
            Ok(record) => Ok(Some(record)),
            Err(RecordError::Version) => Ok(None),
            Err(RecordError::Damaged) => {
                self.quarantine(&path);
                Err(StoreError::Damaged(key.0))
            }
        }
    }

    /// The files of all results under `key`.
    fn records(&self, key: ActionKey) -> Vec<PathBuf> {
        let hex = key.0.hex();
        let shard = self.dir.join("rec").join(&hex[..1]);
        let entries = std::fs::read_dir(shard).into_iter().flatten().flatten();
        let ours = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.as_bytes().starts_with(hex.as_bytes()))
        };
        entries.map(|entry| entry.path()).filter(ours).collect()
    }
}

/// A file on its way to `target`, whose folder is made where there is none.
fn on_the_way(target: &Path) -> Result<TempFile, FsError> {
    match TempFile::read_only(target) {
        Err(error) if error.is_not_found() => {
            target.parent().map_or(Ok(()), fs::create_dir_all)?;
            TempFile::read_only(target)
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
    let facts = std::fs::metadata(folder)
        .map_err(|error| format!("the store is not used: cannot read `{shown}`: {error}"))?;
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "the store is not used: `{shown}` belongs to another user; name one of your own with `--cache-dir`"
        ));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(format!(
            "the store is not used: others may write to `{shown}`; `chmod go-w {shown}` closes it, if you trust what is in it"
        ));
    }
    Ok(())
}

impl ActionCache for LocalStore {
    fn get(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError> {
        let bound = self.read_record(key, Some(root))?;
        let bound = bound.filter(|record| record.bound_to.as_ref().is_some_and(|to| to.0 == root));
        if bound.is_some() {
            return Ok(bound);
        }
        Ok(self
            .read_record(key, None)?
            .filter(|record| record.bound_to.is_none()))
    }

    fn bound_to(&self, key: ActionKey) -> Vec<PathBuf> {
        let bytes = self
            .records(key)
            .into_iter()
            .filter_map(|path| fs::read(&path).ok());
        let records = bytes.filter_map(|bytes| Record::decode(key, &bytes).ok());
        records
            .filter_map(|record| Some(PathBuf::from(OsString::from_vec(record.bound_to?.0))))
            .collect()
    }

    fn put(&self, record: &Record, root: &[u8]) -> Result<(), StoreError> {
        let bound = record.bound_to.as_ref().map(|root| root.0.as_slice());
        let target = self.record(record.key, bound);
        let mut file = on_the_way(&target)?;
        file.write(&record.encode())?;
        file.persist()?;
        if bound.is_some() {
            return Ok(());
        }
        // The newest result wins: a bound one would be found first.
        match fs::remove_file(&self.record(record.key, Some(root))) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn sets(&self, weak: ActionKey) -> Vec<PathSet> {
        let bytes = fs::read(&self.set_file(weak));
        bytes.map_or_else(|_| Vec::new(), |bytes| sets::decode(&bytes))
    }

    fn put_set(&self, weak: ActionKey, set: &PathSet) -> Result<(), StoreError> {
        // Of two writers at once one is lost: that costs a run somewhere.
        let Some(sets) = sets::with_newest(self.sets(weak), set) else {
            return Ok(());
        };
        let mut file = on_the_way(&self.set_file(weak))?;
        file.write(&sets::encode(&sets))?;
        file.persist()?;
        Ok(())
    }

    fn forget(&self, key: ActionKey) -> Result<(), StoreError> {
        for path in self.records(key) {
            fs::remove_file(&path)?;
        }
        Ok(())
    }
}

impl ContentStore for LocalStore {
    fn has(&self, digest: Digest, size: u64) -> bool {
        let facts = std::fs::symlink_metadata(self.blob(digest));
        facts.is_ok_and(|facts| facts.is_file() && facts.len() == size)
    }

    fn put(&self, digest: Digest, size: u64, from: &mut dyn Read) -> Result<(), StoreError> {
        if self.has(digest, size) {
            return Ok(());
        }
        let target = self.blob(digest);
        let mut file = on_the_way(&target)?;
        let copied = copy_hashing(from, file.file())
            .map_err(|error| FsError::new("write", &target, error))?;
        if copied != (digest, size) {
            return Err(StoreError::Changed(target));
        }
        // Something else under its name (a folder, a link) would stop the rename.
        if target.is_dir() {
            self.quarantine(&target);
        }
        file.persist()?;
        Ok(())
    }

    fn get(&self, digest: Digest, size: u64, to: &mut dyn Write) -> Result<(), StoreError> {
        let path = self.blob(digest);
        let mut file = match fs::open_regular(&path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Err(StoreError::Missing(digest)),
            Err(_) if path.symlink_metadata().is_ok_and(|facts| !facts.is_file()) => {
                self.quarantine(&path);
                return Err(StoreError::Damaged(digest));
            }
            Err(error) => return Err(error.into()),
        };
        let copied =
            copy_hashing(&mut file, to).map_err(|error| FsError::new("copy", &path, error))?;
        if copied == (digest, size) {
            return Ok(());
        }
        self.quarantine(&path);
        Err(StoreError::Damaged(digest))
    }
}
