//! The store on this machine: one folder a user, shared by all checkouts (`shelves` says what lies
//! where).
//!
//! Unless it is to be durable nothing is synced to the disk: contents are verified whenever they are
//! used, results carry a checksum, so what a power cut spoils is a miss, whichever start of the machine
//! wrote it. Knows no workspace.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::action::ActionKey;
use super::census::tend;
use super::digest::Digest;
use super::lease::lease;
use super::result::{Record, RecordError};
use super::sets::{self, PathSet};
use super::shelves::{Shelves, in_folder};
use super::stock::space;
use super::store::{ActionCache, ContentStore, StoreError, copy_hashing};
use crate::sys::fs::{self, FsError, TempFile};
use crate::sys::lock::Claim;

/// Where a store is, and how it is kept.
#[derive(Clone, Debug)]
pub struct StoreAt {
    /// Its folder.
    pub dir: PathBuf,
    /// How much may stay in it.
    pub limits: Limits,
    /// Whether a result is stored only when it is on the disk itself.
    pub durable: bool,
}

/// How much may stay in a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// So many bytes.
    pub max_size: u64,
    /// What nobody used for so long goes.
    pub max_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_size: 20 << 30,
            max_age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl From<PathBuf> for StoreAt {
    fn from(dir: PathBuf) -> Self {
        Self {
            dir,
            limits: Limits::default(),
            durable: false,
        }
    }
}

/// A store in a folder.
pub(super) struct LocalStore {
    shelves: Shelves,
    limits: Limits,
    durable: bool,
    usage: Mutex<Usage>,
    /// How many bytes were put into it.
    added: AtomicU64,
    /// Where claims on keys are, once that folder is there.
    flights: OnceLock<Option<PathBuf>>,
}

/// Whether somebody may use the store without being told of.
enum Usage {
    /// Not used so far.
    Idle,
    /// In use, or nothing can be collected by anybody.
    Told(Option<Claim>),
}

impl LocalStore {
    /// Opens or makes the store. The error says in words why it is not used.
    pub(super) fn open(at: &StoreAt) -> Result<Self, String> {
        Ok(Self {
            shelves: Shelves::open(&at.dir)?,
            limits: at.limits,
            durable: at.durable,
            usage: Mutex::new(Usage::Idle),
            added: AtomicU64::new(0),
            flights: OnceLock::new(),
        })
    }

    /// From here on nothing that this process uses is collected by another one. A store that cannot
    /// be written to has no collection either.
    fn in_use(&self) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*usage, Usage::Idle) {
            *usage = Usage::Told(lease(&self.shelves).ok());
        }
    }

    /// What lies at `path` under `key`; damage goes to quarantine.
    fn read<T>(
        &self,
        key: ActionKey,
        path: &Path,
        decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    ) -> Result<Option<T>, StoreError> {
        let decoded = match fs::read(path) {
            Ok(bytes) => decode(&bytes),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(_) if is_no_file(path) => Err(RecordError::Damaged),
            Err(error) => return Err(error.into()),
        };
        match decoded {
            Ok(decoded) => Ok(Some(decoded)),
            Err(RecordError::Version) => Ok(None),
            Err(RecordError::Damaged) => {
                self.shelves.quarantine(path);
                Err(StoreError::Damaged(key.0))
            }
        }
    }

    /// The result under `key` that is good at `root`, and where it lies.
    fn find(&self, key: ActionKey, root: &[u8]) -> Result<Option<(Record, PathBuf)>, StoreError> {
        for to in [Some(root), None] {
            let path = self.shelves.record(key, to);
            let record = self.read(key, &path, |bytes| Record::decode(key, bytes))?;
            let is_good = |record: &Record| record.bound_to.as_ref().map(|root| &*root.0) == to;
            if let Some(record) = record.filter(is_good) {
                return Ok(Some((record, path)));
            }
        }
        Ok(None)
    }

    /// Gives a written file its name, once it is on the disk where that is wanted.
    fn persist(&self, mut file: TempFile, target: &Path) -> Result<(), FsError> {
        let size = file.file().metadata().map_or(0, |facts| space(facts.len()));
        self.added.fetch_add(size, Ordering::Relaxed);
        if self.durable {
            file.sync()?;
        }
        file.persist()?;
        match target.parent() {
            Some(folder) if self.durable => fs::sync_folder(folder),
            _ => Ok(()),
        }
    }
}

/// Whether a newer version of the program wrote what lies at `path`: it is left alone.
fn is_newer(path: &Path, tell: impl FnOnce(&[u8]) -> bool) -> bool {
    fs::read(path).is_ok_and(|bytes| tell(&bytes))
}

/// Whether something stands at `path` that is no regular file.
fn is_no_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|facts| !facts.is_file())
}

/// Counts something as used now. `None` where it is gone; that it cannot be written down in a store
/// which is only read is no matter.
fn renewed(path: &Path) -> Option<()> {
    match fs::touch(path) {
        Err(error) if error.is_not_found() => None,
        _ => Some(()),
    }
}

impl ActionCache for LocalStore {
    fn get(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError> {
        self.in_use();
        let found = self.find(key, root)?;
        // A collection that has just taken it away sees that it was used, or it is gone here too.
        Ok(found.and_then(|(record, path)| renewed(&path).map(|()| record)))
    }

    fn peek(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError> {
        Ok(self.find(key, root)?.map(|(record, _)| record))
    }

    fn bound_to(&self, key: ActionKey) -> Vec<PathBuf> {
        let paths = self.shelves.records(key).into_iter();
        let bytes = paths.filter_map(|path| fs::read(&path).ok());
        let records = bytes.filter_map(|bytes| Record::decode(key, &bytes).ok());
        records
            .filter_map(|record| Some(PathBuf::from(OsString::from_vec(record.bound_to?.0))))
            .collect()
    }

    fn put(&self, record: &Record, root: &[u8]) -> Result<(), StoreError> {
        self.in_use();
        let bound = record.bound_to.as_ref().map(|root| root.0.as_slice());
        let target = self.shelves.record(record.key, bound);
        if is_newer(&target, Record::is_newer) {
            return Ok(());
        }
        let mut file = in_folder(&target, || TempFile::read_only(&target))?;
        file.write(&record.encode())?;
        self.persist(file, &target)?;
        if bound.is_some() {
            return Ok(());
        }
        // The newest result wins: a bound one would be found first.
        let bound = self.shelves.record(record.key, Some(root));
        if is_newer(&bound, Record::is_newer) {
            return Ok(());
        }
        match fs::remove_file(&bound) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn sets(&self, weak: ActionKey) -> Result<Vec<PathSet>, StoreError> {
        let sets = self.read(weak, &self.shelves.set_file(weak), sets::decode)?;
        Ok(sets.unwrap_or_default())
    }

    fn put_set(&self, weak: ActionKey, set: &PathSet) -> Result<(), StoreError> {
        self.in_use();
        let target = self.shelves.set_file(weak);
        if is_newer(&target, sets::is_newer) {
            return Ok(());
        }
        // Of two writers at once one is lost: that costs a run somewhere.
        let Some(sets) = sets::with_newest(self.sets(weak).unwrap_or_default(), set) else {
            let _used = renewed(&target);
            return Ok(());
        };
        let mut file = in_folder(&target, || TempFile::read_only(&target))?;
        file.write(&sets::encode(&sets))?;
        Ok(self.persist(file, &target)?)
    }

    fn flight(&self, key: ActionKey) -> Option<PathBuf> {
        let folder = self.flights.get_or_init(|| {
            let folder = self.shelves.at("flight");
            fs::create_dir_all(&folder).ok().map(|()| folder)
        });
        Some(folder.as_ref()?.join(key.0.hex()))
    }

    fn damaged(&self) -> usize {
        self.shelves.damaged()
    }

    fn leave(&self) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Usage::Told(_lease) = std::mem::replace(&mut *usage, Usage::Idle) {
            let added = self.added.swap(0, Ordering::Relaxed);
            // What is not done now is done by the next run, or somebody else is at it.
            let _done = tend(&self.shelves, &self.limits, added);
        }
    }

    fn forget(&self, key: ActionKey) -> Result<bool, FsError> {
        let mut was_there = false;
        for path in self.shelves.records(key) {
            match fs::remove_file(&path) {
                Err(error) if !error.is_not_found() => return Err(error),
                result => was_there |= result.is_ok(),
            }
        }
        Ok(was_there)
    }
}

impl ContentStore for LocalStore {
    fn has(&self, digest: Digest, size: u64) -> bool {
        let facts = std::fs::symlink_metadata(self.shelves.blob(digest));
        facts.is_ok_and(|facts| facts.is_file() && facts.len() == size)
    }

    fn renew(&self, digest: Digest, size: u64) -> Result<(), StoreError> {
        self.in_use();
        let path = self.shelves.blob(digest);
        let missing = StoreError::Missing(digest);
        if self.has(digest, size) {
            return renewed(&path).ok_or(missing);
        }
        if path.symlink_metadata().is_err() {
            return Err(missing);
        }
        self.shelves.quarantine(&path);
        Err(StoreError::Damaged(digest))
    }

    fn put(&self, digest: Digest, size: u64, from: &mut dyn Read) -> Result<(), StoreError> {
        if self.renew(digest, size).is_ok() {
            return Ok(());
        }
        let target = self.shelves.blob(digest);
        let mut file = in_folder(&target, || TempFile::read_only(&target))?;
        let copied = copy_hashing(from, file.file())
            .map_err(|error| FsError::new("write", &target, error))?;
        if copied != (digest, size) {
            return Err(StoreError::Changed(target));
        }
        Ok(self.persist(file, &target)?)
    }

    fn get(&self, digest: Digest, size: u64, to: &mut dyn Write) -> Result<(), StoreError> {
        let path = self.shelves.blob(digest);
        let mut file = match fs::open_regular(&path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Err(StoreError::Missing(digest)),
            Err(_) if is_no_file(&path) => {
                self.shelves.quarantine(&path);
                return Err(StoreError::Damaged(digest));
            }
            Err(error) => return Err(error.into()),
        };
        let copied =
            copy_hashing(&mut file, to).map_err(|error| FsError::new("copy", &path, error))?;
        if copied == (digest, size) {
            return Ok(());
        }
        self.shelves.quarantine(&path);
        Err(StoreError::Damaged(digest))
    }
}
