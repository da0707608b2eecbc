//! What steps with a depfile read beside their inputs, as the store keeps it: for the key without
//! discovered inputs (the weak one) the few last sets of paths, newest first. What stands at these
//! paths now makes the key that a result stands under.
//!
//! A set is only where to look: one that is wrong or lost costs a look-up or a run.

use std::cmp::Ordering;

use super::entry::EntryPath;
use super::frames::{Magic, body, frame, frames, version};
use super::result::RecordError;
use crate::path::RelPath;

const MAGIC: &Magic = b"pipe-sets     1\n";

/// So many sets are kept for a key.
const MOST: usize = 8;

/// Paths, sorted bytewise.
pub(super) type PathSet = Vec<EntryPath>;

/// The bytes of a file of sets.
pub(super) fn encode(sets: &[PathSet]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for set in sets {
        bytes.extend(frame(&postcard::to_stdvec(set).unwrap_or_default()));
    }
    bytes
}

/// Reads a file of sets.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<PathSet>, RecordError> {
    match version(bytes, MAGIC) {
        Some(Ordering::Equal) => whole(bytes).ok_or(RecordError::Damaged),
        Some(_) => Err(RecordError::Version),
        None => Err(RecordError::Damaged),
    }
}

fn whole(bytes: &[u8]) -> Option<Vec<PathSet>> {
    let (ranges, all) = frames(bytes, MAGIC);
    let set = |range| {
        let set: PathSet = postcard::from_bytes(body(&bytes[range])?).ok()?;
        set.iter().all(is_normal).then_some(set)
    };
    all.then(|| ranges.into_iter().take(MOST).map(set).collect())?
}

/// Whether a newer version of the program wrote it.
pub(super) fn is_newer(bytes: &[u8]) -> bool {
    version(bytes, MAGIC) == Some(Ordering::Greater)
}

/// The sets with `set` as the newest one; `None` where it is that already.
pub(super) fn with_newest(mut sets: Vec<PathSet>, set: &PathSet) -> Option<Vec<PathSet>> {
    if sets.first() == Some(set) {
        return None;
    }
    sets.retain(|other| other != set);
    sets.insert(0, set.clone());
    sets.truncate(MOST);
    Some(sets)
}

/// Paths are normal by construction, but not when they come from a disk.
fn is_normal(path: &EntryPath) -> bool {
    match path {
        EntryPath::In(path) => {
            RelPath::resolve(&RelPath::root(), path.as_bytes()).as_ref() == Ok(path)
        }
        EntryPath::Outside(path) => path.starts_with('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> PathSet {
        let path = RelPath::resolve(&RelPath::root(), name.as_bytes()).unwrap();
        vec![
            EntryPath::Outside(format!("/usr/{name}")),
            EntryPath::In(path),
        ]
    }

    #[test]
    fn the_newest_sets_are_kept() {
        let mut sets = Vec::new();
        for name in 0..20 {
            sets = with_newest(sets, &set(&name.to_string())).unwrap();
        }
        assert_eq!(with_newest(sets.clone(), &set("19")), None);
        let sets = decode(&encode(&with_newest(sets, &set("15")).unwrap())).unwrap();
        let names = ["15", "19", "18", "17", "16", "14", "13", "12"];
        assert_eq!(sets, names.map(set));
    }

    #[test]
    fn damage_is_told_or_loses_sets_and_invents_none() {
        let sets = [set("a"), set("b"), set("c")];
        let bytes = encode(&sets);
        for at in 0..bytes.len() {
            // Where a frame ends nothing tells that there was another one.
            if let Ok(left) = decode(&bytes[..at]) {
                assert!(sets.starts_with(&left));
            }
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn no_set_leads_around_the_root() {
        let bytes = |path: &str| encode(&[vec![EntryPath::In(path_of(path))]]);
        assert_eq!(decode(&bytes("a/b")).unwrap().len(), 1);
        for path in ["../x", "a/../../x", "/etc/passwd"] {
            assert_eq!(decode(&bytes(path)), Err(RecordError::Damaged), "{path}");
        }
    }

    /// What a foreign program might have written.
    fn path_of(text: &str) -> RelPath {
        postcard::from_bytes(&postcard::to_stdvec(text).unwrap()).unwrap()
    }
}
