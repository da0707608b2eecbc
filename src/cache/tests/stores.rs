//! What every store must do, and what only the local one can.

use std::path::{Path, PathBuf};

use super::fixture::{path, write};
use crate::cache::local::LocalStore;
use crate::cache::memory::MemoryStore;
use crate::cache::result::{Bytes, Content, Origin, Record, Stored};
use crate::cache::store::{ActionCache, ContentStore, Store, StoreError};
use crate::cache::{ActionKey, Digest, EntryPath, Kind};
use crate::sys::fs::{create_dir_all, remove_file, set_mode, symlink};

const ROOT: &[u8] = b"/some/place";

fn record(bound: Option<&[u8]>) -> Record {
    Record {
        key: ActionKey(Digest::of(b"key")),
        fields: Content::Inline(Bytes(b"fields".to_vec())),
        outputs: vec![Stored {
            path: path("dist/a"),
            kind: Kind::File,
            exec: false,
            digest: Digest::of(b"text"),
            content: Content::Blob {
                digest: Digest::of(b"text"),
                size: 4,
            },
        }],
        log: None,
        bound_to: bound.map(|root| Bytes(root.to_vec())),
        origin: Origin {
            step: bound.map_or("free", |_| "bound").to_owned(),
            ..Origin::default()
        },
        boot: None,
    }
}

fn holds_contents(store: &dyn ContentStore) {
    let (digest, mut to) = (Digest::of(b"text"), Vec::new());
    assert!(!store.has(digest, 4));
    assert!(matches!(
        store.get(digest, 4, &mut to),
        Err(StoreError::Missing(_))
    ));
    assert!(matches!(
        store.put(digest, 4, &mut &b"texx"[..]),
        Err(StoreError::Changed(_))
    ));
    assert!(!store.has(digest, 4));
    for _ in 0..2 {
        store.put(digest, 4, &mut &b"text"[..]).unwrap();
    }
    assert!(store.has(digest, 4));
    store.get(digest, 4, &mut to).unwrap();
    assert_eq!(to, b"text");
}

fn holds_results(store: &dyn ActionCache) {
    let record = record(None);
    assert!(store.get(record.key, ROOT).unwrap().is_none());
    store.put(&record, ROOT).unwrap();
    assert_eq!(
        store.get(record.key, b"/other").unwrap(),
        Some(record.clone())
    );
    store.forget(record.key).unwrap();
    assert!(store.get(record.key, ROOT).unwrap().is_none());
}

#[test]
fn every_store_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalStore::open(&folder.path().join("pipe").into()).unwrap();
    let memory = MemoryStore::default();
    holds_contents(&local);
    holds_contents(&memory);
    holds_results(&local);
    holds_results(&memory);
}

#[test]
fn the_local_store_is_laid_out_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    let local = LocalStore::open(&cache.clone().into()).unwrap();
    ContentStore::put(&local, Digest::of(b"text"), 4, &mut &b"text"[..]).unwrap();
    ActionCache::put(&local, &record(None), ROOT).unwrap();
    let hex = Digest::of(b"text").hex();
    let blob = cache.join("v1/cas").join(&hex[..2]).join(&hex[2..]);
    assert_eq!(mode(&blob), 0o444);
    assert_eq!(mode(&cache), 0o700);
    let key = record(None).key.0.hex();
    let shard = cache.join("v1/rec").join(&key[..1]);
    assert!(shard.join(&key).is_file());
    assert_eq!(std::fs::read_dir(shard).unwrap().count(), 1);
    assert!(cache.join("CACHEDIR.TAG").is_file());
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_bound_result_is_good_only_at_its_root() {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalStore::open(&folder.path().join("pipe").into()).unwrap();
    let (bound, free) = (record(Some(ROOT)), record(None));
    ActionCache::put(&local, &bound, ROOT).unwrap();
    assert_eq!(
        ActionCache::get(&local, bound.key, ROOT).unwrap(),
        Some(bound.clone())
    );
    assert_eq!(
        ActionCache::get(&local, bound.key, b"/other").unwrap(),
        None
    );
    assert_eq!(local.bound_to(bound.key), [Path::new("/some/place")]);
    ActionCache::put(&local, &free, ROOT).unwrap();
    assert_eq!(
        ActionCache::get(&local, bound.key, ROOT).unwrap(),
        Some(free)
    );
}

#[test]
fn a_store_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    drop(LocalStore::open(&cache.clone().into()).unwrap());
    set_mode(&cache, 0o777).unwrap();
    let said = LocalStore::open(&cache.clone().into()).err().unwrap();
    assert!(
        said.contains("others may write") && said.contains("chmod go-w"),
        "{said}"
    );
}

#[test]
fn damage_is_a_miss_and_goes_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    let local = LocalStore::open(&cache.clone().into()).unwrap();
    let digest = Digest::of(b"text");
    let hex = digest.hex();
    let blob = cache.join("v1/cas").join(&hex[..2]).join(&hex[2..]);
    let decoy = folder.path().join("decoy");
    write(&decoy, "other");
    let damages: [&dyn Fn(); 6] = [
        &|| write(&blob, "tex"),
        &|| write(&blob, "texT"),
        &|| write(&blob, ""),
        &|| write(&blob, "text and more"),
        &|| create_dir_all(&blob.join("x")).unwrap(),
        &|| symlink(&decoy, &blob).unwrap(),
    ];
    for (count, damage) in damages.iter().enumerate() {
        ContentStore::put(&local, digest, 4, &mut &b"text"[..]).unwrap();
        remove_file(&blob).unwrap();
        damage();
        let error = ContentStore::get(&local, digest, 4, &mut Vec::new()).unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged(_)),
            "damage {count}: {error}"
        );
        assert_eq!(
            std::fs::read_dir(cache.join("v1/quarantine"))
                .unwrap()
                .count(),
            count + 1
        );
        assert!(matches!(
            ContentStore::get(&local, digest, 4, &mut Vec::new()),
            Err(StoreError::Missing(_))
        ));
    }
}

#[test]
fn damaged_records_are_a_miss_and_unknown_versions_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    let local = LocalStore::open(&cache.clone().into()).unwrap();
    let record = record(None);
    ActionCache::put(&local, &record, ROOT).unwrap();
    let hex = record.key.0.hex();
    let file = cache.join("v1/rec").join(&hex[..1]).join(&hex);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8] = 7;
    crate::sys::fs::write_atomic(&file, &bytes).unwrap();
    assert_eq!(ActionCache::get(&local, record.key, ROOT).unwrap(), None);
    assert!(file.is_file());
    write(&file, "garbage");
    assert!(matches!(
        ActionCache::get(&local, record.key, ROOT),
        Err(StoreError::Damaged(_))
    ));
    assert!(!file.exists());
}

/// Gives a file of the store a newer version, whose number is at `at`.
fn make_newer(file: &Path, at: usize) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] += 1;
    crate::sys::fs::write_atomic(file, &bytes).unwrap();
    bytes
}

#[test]
fn what_a_newer_version_has_written_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    let local = LocalStore::open(&cache.clone().into()).unwrap();
    let (free, bound) = (record(None), record(Some(ROOT)));
    let (key, hex) = (free.key, free.key.0.hex());
    let set = |name: &str| vec![EntryPath::In(path(name))];
    ActionCache::put(&local, &free, ROOT).unwrap();
    ActionCache::put(&local, &bound, ROOT).unwrap();
    local.put_set(key, &set("a.h")).unwrap();
    let sets = cache.join("v1/set").join(&hex[..1]).join(&hex);
    let mut newer: Vec<_> = local_records(&cache, &hex)
        .into_iter()
        .map(|file| (make_newer(&file, 8), file))
        .collect();
    assert_eq!(newer.len(), 2);
    newer.push((make_newer(&sets, 14), sets));
    for record in [&free, &bound, &free] {
        ActionCache::put(&local, record, ROOT).unwrap();
        local.put_set(key, &set("b.h")).unwrap();
        assert_eq!(ActionCache::get(&local, key, ROOT).unwrap(), None);
        assert!(matches!(local.sets(key), Ok(sets) if sets.is_empty()));
    }
    for (bytes, file) in newer {
        assert_eq!(std::fs::read(file).unwrap(), bytes);
    }
    assert_eq!(local.damaged(), 0);
}

/// The files of results under a key.
fn local_records(cache: &Path, hex: &str) -> Vec<PathBuf> {
    let shard = std::fs::read_dir(cache.join("v1/rec").join(&hex[..1]));
    shard.unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn damaged_lists_go_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("pipe");
    let local = LocalStore::open(&cache.clone().into()).unwrap();
    let key = ActionKey(Digest::of(b"weak"));
    let hex = key.0.hex();
    let file = cache.join("v1/set").join(&hex[..1]).join(&hex);
    let set = vec![EntryPath::In(path("a.h"))];
    for damage in ["", "garbage", "pipe-sets     1\nabc"] {
        local.put_set(key, &set).unwrap();
        assert_eq!(local.sets(key).unwrap(), std::slice::from_ref(&set));
        crate::sys::fs::write_atomic(&file, damage.as_bytes()).unwrap();
        assert!(matches!(local.sets(key), Err(StoreError::Damaged(_))));
        assert!(!file.exists());
    }
    assert_eq!(local.damaged(), 3);
}

#[test]
fn troubles_with_the_disk_are_said_once_and_close_the_store() {
    let store = Store::new(MemoryStore::default());
    let full = || {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        StoreError::Io(crate::sys::fs::FsError::new("write", "/store", full))
    };
    assert!(store.is_open());
    assert!(store.trouble(&full()).is_some());
    assert!(store.trouble(&full()).is_none());
    assert!(!store.is_open());
    assert!(
        store
            .trouble(&StoreError::Damaged(Digest::of(b"x")))
            .is_some()
    );
}
