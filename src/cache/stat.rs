//! The stat cache on disk: what was known of files and folders at the end of the last run.
//!
//! One file: a header (magic, version, counts, checksum), records of fixed width sorted by the hash
//! of their path, and a heap of bytes that holds the paths and the folders' listings. Loading reads
//! it, checks it and builds a small index; nothing is unpacked until it is asked for. A file of
//! another version or a damaged one is an empty cache. This file knows no disk but its own file,
//! and nothing of when an entry may be trusted.

use std::cmp::Ordering;
use std::path::Path;

use super::digest::{Digest, Hasher};
use super::entry::Identity;
use crate::sys::fs::{FsError, read, write_atomic};

const MAGIC: &[u8; 8] = b"pipestat";
const VERSION: u32 = 1;
/// Magic, version, number of records, length of the heap, nothing, checksum.
const HEADER: usize = 24 + 32;
/// Where the checksum stands.
const CHECKSUM: usize = 24;
/// Hash, path, identity, flags, digest (of a folder: where its listing is).
const RECORD: usize = 96;
/// The digest was taken when the file had clearly come to rest.
const CLEAN: u32 = 1;
/// The record is of a folder.
const FOLDER: u32 = 2;
/// The index has at most so many bits.
const MAX_BITS: u32 = 20;

/// What is known of a path.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Known<'a> {
    /// By which it is known again.
    pub(super) identity: Identity,
    /// Whether the identity alone is proof.
    pub(super) clean: bool,
    /// What it is.
    pub(super) content: Content<'a>,
}

/// What a file or folder is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Content<'a> {
    /// A file (or a link as an input) with this digest.
    File(Digest),
    /// A folder with this listing, as [`crate::glob::Listing::as_bytes`] gives it.
    Folder(&'a [u8]),
}

/// The loaded file.
#[derive(Debug, Default)]
pub(super) struct StatCache {
    bytes: Vec<u8>,
    records: usize,
    /// For each value of the first `bits` bits of a hash, the first record that has it or more.
    index: Vec<u32>,
    bits: u32,
}

impl StatCache {
    /// Loads the file; whatever is wrong with it, the cache is empty.
    pub(super) fn load(path: &Path) -> Self {
        read(path)
            .ok()
            .and_then(Self::from_bytes)
            .unwrap_or_default()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let known = bytes.starts_with(MAGIC) && u32_at(&bytes, 8) == VERSION;
        let records = u32_at(&bytes, 12) as usize;
        let heap = u32_at(&bytes, 16) as usize;
        let length = records
            .checked_mul(RECORD)?
            .checked_add(heap)?
            .checked_add(HEADER)?;
        if !known || length != bytes.len() || bytes[CHECKSUM..HEADER] != checksum(&bytes).0 {
            return None;
        }
        let bits = usize::BITS
            .saturating_sub(records.leading_zeros())
            .clamp(1, MAX_BITS);
        let mut cache = Self {
            bytes,
            records,
            index: Vec::new(),
            bits,
        };
        cache.index = cache.build_index();
        Some(cache)
    }

    fn build_index(&self) -> Vec<u32> {
        let mut index = vec![0; (1 << self.bits) + 1];
        for record in self.records() {
            index[self.bucket(u64_at(record, 0)) + 1] += 1;
        }
        let mut sum = 0;
        for count in &mut index {
            sum += *count;
            *count = sum;
        }
        index
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.bits)) as usize
    }

    fn records(&self) -> std::slice::ChunksExact<'_, u8> {
        let all = self.bytes.get(HEADER..HEADER + self.records * RECORD);
        all.unwrap_or_default().chunks_exact(RECORD)
    }

    /// What is known of the file at `path`.
    pub(super) fn file(&self, path: &[u8]) -> Option<Known<'_>> {
        self.find(path, 0)
    }

    /// What is known of the folder at `path`.
    pub(super) fn folder(&self, path: &[u8]) -> Option<Known<'_>> {
        self.find(path, FOLDER)
    }

    fn find(&self, path: &[u8], kind: u32) -> Option<Known<'_>> {
        let hash = hash(kind, path);
        let bucket = self.index.get(self.bucket_checked(hash)?..)?;
        let (start, end) = (*bucket.first()? as usize, *bucket.get(1)? as usize);
        let mut records = self.records().skip(start).take(end - start);
        let found = records.find(|record| {
            u64_at(record, 0) == hash
                && u32_at(record, 60) & FOLDER == kind
                && self.path(record) == path
        })?;
        Some(self.known(found))
    }

    /// The bucket, where there is an index at all.
    fn bucket_checked(&self, hash: u64) -> Option<usize> {
        (self.bits > 0).then(|| self.bucket(hash))
    }

    /// Everything that is known.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Known<'_>)> {
        self.records()
            .map(|record| (self.path(record), self.known(record)))
    }

    fn heap(&self, at: u32, len: u32) -> &[u8] {
        let start = HEADER + self.records * RECORD + at as usize;
        self.bytes
            .get(start..start + len as usize)
            .unwrap_or_default()
    }

    fn path(&self, record: &[u8]) -> &[u8] {
        self.heap(u32_at(record, 8), u32_at(record, 12))
    }

    fn known(&self, record: &[u8]) -> Known<'_> {
        let flags = u32_at(record, 60);
        let content = if flags & FOLDER == 0 {
            Content::File(Digest(
                record[64..].first_chunk().copied().unwrap_or_default(),
            ))
        } else {
            Content::Folder(self.heap(u32_at(record, 64), u32_at(record, 68)))
        };
        let identity = Identity {
            size: u64_at(record, 16),
            mtime: u64_at(record, 24).cast_signed().into(),
            ctime: u64_at(record, 32).cast_signed().into(),
            inode: u64_at(record, 40),
            device: u64_at(record, 48),
            mode: u32_at(record, 56),
        };
        Known {
            identity,
            clean: flags & CLEAN != 0,
            content,
        }
    }
}

/// Writes the file anew from `entries`; of several for one path the first one counts.
pub(super) fn save<'a>(
    path: &Path,
    entries: impl Iterator<Item = (&'a [u8], Known<'a>)>,
) -> Result<(), FsError> {
    match to_bytes(entries) {
        Some(bytes) => write_atomic(path, &bytes),
        // More than the format can hold: next time costs more, nothing else.
        None => write_atomic(path, b""),
    }
}

fn to_bytes<'a>(entries: impl Iterator<Item = (&'a [u8], Known<'a>)>) -> Option<Vec<u8>> {
    let mut sorted: Vec<_> = entries
        .map(|(path, known)| (hash(known.kind(), path), path, known))
        .collect();
    let order = |a: &(u64, &[u8], Known<'_>), b: &(u64, &[u8], Known<'_>)| -> Ordering {
        (a.0, a.2.kind(), a.1).cmp(&(b.0, b.2.kind(), b.1))
    };
    sorted.sort_by(order);
    sorted.dedup_by(|a, b| order(a, b).is_eq());
    let mut records = Vec::with_capacity(sorted.len() * RECORD);
    let mut heap = Vec::new();
    for (hash, path, known) in &sorted {
        known.write(*hash, path, &mut records, &mut heap)?;
    }
    let mut bytes = Vec::with_capacity(HEADER + records.len() + heap.len());
    bytes.extend_from_slice(MAGIC);
    let counts = [
        VERSION,
        u32::try_from(sorted.len()).ok()?,
        u32::try_from(heap.len()).ok()?,
        0,
    ];
    counts
        .iter()
        .for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
    bytes.resize(HEADER, 0);
    bytes.append(&mut records);
    bytes.append(&mut heap);
    let sum = checksum(&bytes).0;
    bytes[CHECKSUM..HEADER].copy_from_slice(&sum);
    Some(bytes)
}

impl Known<'_> {
    fn kind(&self) -> u32 {
        match self.content {
            Content::File(_) => 0,
            Content::Folder(_) => FOLDER,
        }
    }

    fn write(
        &self,
        hash: u64,
        path: &[u8],
        records: &mut Vec<u8>,
        heap: &mut Vec<u8>,
    ) -> Option<()> {
        let end = records.len() + RECORD;
        let mut number = |value: u64| records.extend_from_slice(&value.to_le_bytes());
        number(hash);
        number(push(heap, path)?);
        number(self.identity.size);
        number(i64::try_from(self.identity.mtime).ok()?.cast_unsigned());
        number(i64::try_from(self.identity.ctime).ok()?.cast_unsigned());
        number(self.identity.inode);
        number(self.identity.device);
        let flags = self.kind() | if self.clean { CLEAN } else { 0 };
        number(u64::from(self.identity.mode) | u64::from(flags) << 32);
        match self.content {
            Content::File(digest) => records.extend_from_slice(&digest.0),
            Content::Folder(listing) => number(push(heap, listing)?),
        }
        records.resize(end, 0);
        Some(())
    }
}

/// Puts `bytes` on the heap: where they begin, and in the upper half how many they are.
fn push(heap: &mut Vec<u8>, bytes: &[u8]) -> Option<u64> {
    let start = u32::try_from(heap.len()).ok()?;
    let len = u32::try_from(bytes.len()).ok()?;
    heap.extend_from_slice(bytes);
    Some(u64::from(start) | u64::from(len) << 32)
}

/// FNV-1a: the same in every version of every compiler, and fast on short text.
fn hash(kind: u32, path: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ u64::from(kind);
    let mixed = path.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The index goes by the upper bits, which FNV mixes least.
    (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Of all but the checksum itself.
fn checksum(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes.get(..CHECKSUM).unwrap_or_default());
    hasher.update(bytes.get(HEADER..).unwrap_or_default());
    hasher.digest()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u64) -> Identity {
        Identity {
            size: number,
            mtime: -1_000_000_007,
            ctime: i128::from(number) * 1_000_000_007,
            inode: u64::MAX - number,
            device: 7,
            mode: 0o100_100,
        }
    }

    fn known(number: u64) -> Known<'static> {
        let content = if number.is_multiple_of(3) {
            Content::Folder(b"fa\0db\0")
        } else {
            Content::File(Digest::of(&number.to_le_bytes()))
        };
        Known {
            identity: identity(number),
            clean: number.is_multiple_of(2),
            content,
        }
    }

    fn sample(count: u64) -> Vec<(Vec<u8>, Known<'static>)> {
        (0..count)
            .map(|number| (format!("a/\u{e9}{number}\n").into_bytes(), known(number)))
            .collect()
    }

    fn bytes(entries: &[(Vec<u8>, Known<'static>)]) -> Vec<u8> {
        to_bytes(entries.iter().map(|(path, known)| (&path[..], *known))).unwrap()
    }

    #[test]
    fn what_is_saved_is_found() {
        for count in [0, 1, 2, 1_000] {
            let entries = sample(count);
            let cache = StatCache::from_bytes(bytes(&entries)).unwrap();
            for (path, known) in &entries {
                let folder = matches!(known.content, Content::Folder(_));
                let found = if folder {
                    cache.folder(path)
                } else {
                    cache.file(path)
                };
                assert_eq!(found, Some(*known));
                assert_eq!(
                    if folder {
                        cache.file(path)
                    } else {
                        cache.folder(path)
                    },
                    None
                );
            }
            assert_eq!(cache.file(b"nothing"), None);
            assert_eq!(cache.iter().count() as u64, count);
        }
        assert_eq!(StatCache::default().file(b"a"), None);
    }

    #[test]
    fn the_first_of_two_counts() {
        let path = b"a".to_vec();
        let cache =
            StatCache::from_bytes(bytes(&[(path.clone(), known(1)), (path, known(2))])).unwrap();
        assert_eq!(cache.file(b"a"), Some(known(1)));
    }

    #[test]
    fn damage_of_any_kind_is_an_empty_cache() {
        let whole = bytes(&sample(5));
        for length in 0..whole.len() {
            assert!(
                StatCache::from_bytes(whole[..length].to_vec()).is_none(),
                "cut at {length}"
            );
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert!(StatCache::from_bytes(damaged).is_none(), "changed at {at}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(StatCache::from_bytes(longer).is_none());
    }

    #[test]
    fn a_file_that_is_not_there_is_an_empty_cache() {
        assert_eq!(
            StatCache::load(Path::new("/nonexistent/stat"))
                .iter()
                .count(),
            0
        );
    }
}
