//! What a store can do, wherever it is: results by key, contents by digest.
//!
//! A store never fails a build. What goes wrong in it is a [`StoreError`] that its caller tells
//! once and goes on without. Knows no workspace.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::action::ActionKey;
use super::digest::{Digest, Hasher};
use super::result::{Bytes, Content, Record};
use super::sets::PathSet;
use crate::sys::fs::FsError;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// It is not there (any more).
    #[error("`{0}` is not in the store")]
    Missing(Digest),
    /// It was not what its digest says, and is in quarantine now.
    #[error("the store's copy of `{}` was damaged", .0.short())]
    Damaged(Digest),
    /// What was to be stored is not what it was when it was hashed.
    #[error("`{0}` changed while it was stored")]
    Changed(PathBuf),
    /// The operating system refused.
    #[error("{0}: {source}", source = .0.source)]
    Io(#[from] FsError),
}

/// Results by key.
pub(super) trait ActionCache: Send + Sync {
    /// The result under `key` that is good in the workspace at `root`; it counts as used now.
    fn get(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError>;

    /// The same for those who only look.
    fn peek(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError>;

    /// The workspaces that results under `key` are bound to.
    fn bound_to(&self, key: ActionKey) -> Vec<PathBuf>;

    /// Stores a result that was made at `root`; all that it refers to must have been stored before.
    fn put(&self, record: &Record, root: &[u8]) -> Result<(), StoreError>;

    /// The sets of paths that commands with this weak key have read, the newest first.
    fn sets(&self, weak: ActionKey) -> Result<Vec<PathSet>, StoreError>;

    /// Makes `set` the newest of them.
    fn put_set(&self, weak: ActionKey, set: &PathSet) -> Result<(), StoreError>;

    /// Who has the claim of this name runs the command for `key`; `None` where there is no such place.
    fn flight(&self, key: ActionKey) -> Option<PathBuf>;

    /// How many files of it were found damaged so far.
    fn damaged(&self) -> usize;

    /// The run is over: nothing is used any more, and there is a moment to keep the store small.
    fn leave(&self);

    /// Removes all results under `key`; says whether there were any.
    fn forget(&self, key: ActionKey) -> Result<bool, FsError>;
}

/// Contents by digest.
pub(super) trait ContentStore: Send + Sync {
    /// Whether it is there, by name and size alone.
    fn has(&self, digest: Digest, size: u64) -> bool;

    /// Makes it count as used now.
    fn renew(&self, digest: Digest, size: u64) -> Result<(), StoreError>;

    /// Stores all that `from` holds, if that is `digest`.
    fn put(&self, digest: Digest, size: u64, from: &mut dyn Read) -> Result<(), StoreError>;

    /// Writes the content to `to`, and only then says whether all of it was right.
    fn get(&self, digest: Digest, size: u64, to: &mut dyn Write) -> Result<(), StoreError>;
}

/// Copies all of `from` to `to`; the digest and the number of bytes.
pub(super) fn copy_hashing(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok((hasher.digest(), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        size += count as u64;
    }
}

/// The store of a run: where it is, and what was already said of its troubles.
pub(super) struct Store {
    results: Arc<dyn ActionCache>,
    contents: Arc<dyn ContentStore>,
    was_said: AtomicBool,
    is_closed: AtomicBool,
}

impl Store {
    /// A store in one place.
    pub(super) fn new<T: ActionCache + ContentStore + 'static>(store: T) -> Self {
        let store = Arc::new(store);
        Self {
            results: store.clone(),
            contents: store,
            was_said: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Results by key.
    pub(super) fn results(&self) -> &dyn ActionCache {
        &*self.results
    }

    /// Contents by digest.
    pub(super) fn contents(&self) -> &dyn ContentStore {
        &*self.contents
    }

    /// Whether anything may still be stored: not after a disk was full or read-only.
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    /// What to say of a trouble: damage always, a disk that refuses once.
    pub(super) fn trouble(&self, error: &StoreError) -> Option<String> {
        match error {
            StoreError::Missing(_) => None,
            StoreError::Damaged(_) => Some(format!("{error}; it was moved to quarantine")),
            StoreError::Changed(_) => Some(format!("not stored: {error}")),
            StoreError::Io(io) => {
                self.is_closed
                    .fetch_or(io.is_full_or_read_only(), Ordering::Relaxed);
                let first = !self.was_said.swap(true, Ordering::Relaxed);
                first.then(|| format!("the store is not used for all results: {error}"))
            }
        }
    }

    /// Keeps bytes: few in the record itself, many as a blob.
    pub(super) fn keep(&self, bytes: Vec<u8>, room: usize) -> Result<Content, StoreError> {
        if bytes.len() <= room {
            return Ok(Content::Inline(Bytes(bytes)));
        }
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        self.contents.put(digest, size, &mut &bytes[..])?;
        Ok(Content::Blob { digest, size })
    }

    /// Writes a content to `to`.
    pub(super) fn give(&self, content: &Content, to: &mut dyn Write) -> Result<(), StoreError> {
        match content {
            Content::Blob { digest, size } => self.contents.get(*digest, *size, to),
            Content::Inline(bytes) => to
                .write_all(&bytes.0)
                .map_err(|error| FsError::new("write", "a restored file", error).into()),
        }
    }

    /// A content as bytes in memory.
    pub(super) fn bytes(&self, content: &Content) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.give(content, &mut bytes).map(|()| bytes)
    }
}
