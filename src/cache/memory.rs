//! A store in memory, for tests. Knows no disk.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use super::action::ActionKey;
use super::digest::Digest;
use super::result::Record;
use super::sets::{PathSet, with_newest};
use super::store::{ActionCache, ContentStore, StoreError, copy_hashing};
use crate::sys::fs::FsError;

/// A store in memory.
#[derive(Default)]
pub(super) struct MemoryStore {
    records: Mutex<HashMap<ActionKey, Record>>,
    blobs: Mutex<HashMap<Digest, Vec<u8>>>,
    sets: Mutex<HashMap<ActionKey, Vec<PathSet>>>,
}

impl ActionCache for MemoryStore {
    fn get(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError> {
        let record = self.records.lock().unwrap().get(&key).cloned();
        Ok(record.filter(|record| record.bound_to.as_ref().is_none_or(|to| to.0 == root)))
    }

    fn peek(&self, key: ActionKey, root: &[u8]) -> Result<Option<Record>, StoreError> {
        ActionCache::get(self, key, root)
    }

    fn bound_to(&self, _key: ActionKey) -> Vec<PathBuf> {
        Vec::new()
    }

    fn put(&self, record: &Record, _root: &[u8]) -> Result<(), StoreError> {
        self.records
            .lock()
            .unwrap()
            .insert(record.key, record.clone());
        Ok(())
    }

    fn sets(&self, weak: ActionKey) -> Result<Vec<PathSet>, StoreError> {
        let sets = self.sets.lock().unwrap();
        Ok(sets.get(&weak).cloned().unwrap_or_default())
    }

    fn put_set(&self, weak: ActionKey, set: &PathSet) -> Result<(), StoreError> {
        if let Some(sets) = with_newest(self.sets(weak)?, set) {
            self.sets.lock().unwrap().insert(weak, sets);
        }
        Ok(())
    }

    fn flight(&self, _key: ActionKey) -> Option<PathBuf> {
        None
    }

    fn damaged(&self) -> usize {
        0
    }

    fn leave(&self) {}

    fn forget(&self, key: ActionKey) -> Result<bool, FsError> {
        Ok(self.records.lock().unwrap().remove(&key).is_some())
    }
}

impl ContentStore for MemoryStore {
    fn has(&self, digest: Digest, _size: u64) -> bool {
        self.blobs.lock().unwrap().contains_key(&digest)
    }

    fn renew(&self, digest: Digest, size: u64) -> Result<(), StoreError> {
        let there = self.has(digest, size);
        there.then_some(()).ok_or(StoreError::Missing(digest))
    }

    fn put(&self, digest: Digest, size: u64, from: &mut dyn Read) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        let copied = copy_hashing(from, &mut bytes)
            .map_err(|error| FsError::new("read", "memory", error))?;
        if copied != (digest, size) {
            return Err(StoreError::Changed(PathBuf::from("memory")));
        }
        self.blobs.lock().unwrap().insert(digest, bytes);
        Ok(())
    }

    fn get(&self, digest: Digest, _size: u64, to: &mut dyn Write) -> Result<(), StoreError> {
        let blobs = self.blobs.lock().unwrap();
        let bytes = blobs.get(&digest).ok_or(StoreError::Missing(digest))?;
        to.write_all(bytes)
            .map_err(|error| FsError::new("write", "memory", error).into())
    }
}
