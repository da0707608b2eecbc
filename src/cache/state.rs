//! What is remembered of each step's last run in this workspace: `.pipe/state`.
//!
//! One file of frames, read whole at the start; what is new is appended at once, so that a kill
//! costs nothing, and the file is written anew when most of it is out of date. A frame says what
//! outputs came of which key: that stays true whatever happened since, so an old frame in place of
//! a damaged new one can do no harm. Knows no store.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::action::{ActionKey, path_bytes};
use super::entry::Entry;
use super::fields::FieldsAt;
use super::frames::{Appender, Magic, body, frame, frames, unchecked};
use super::miss::FileState;
use super::result::Origin;
use super::sets::PathSet;
use crate::sys::fs::{FsError, read, write_atomic};

const MAGIC: &Magic = b"pipe-state    2\n";

/// What is remembered of a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastRun {
    /// The key that its outputs stand under; `None` where they stand under none.
    pub key: Option<ActionKey>,
    /// Its outputs as they were recorded.
    pub outputs: Vec<Entry>,
    /// Which run made them, and how long that took; `None` if it never succeeded.
    pub made: Option<Origin>,
    /// The log of that run.
    pub log: Option<PathBuf>,
    /// The latest run of it here.
    pub latest: Latest,
    /// What its depfile listed beside its inputs; what stands there decides whether the key is still
    /// the same.
    pub(super) discovered: PathSet,
    /// Where the field list of the key is.
    pub(super) fields: Option<FieldsAt>,
}

/// The latest run of a step in this workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Latest {
    /// How it ended.
    pub ending: Ended,
    /// The run's id.
    pub run: String,
    /// When the step started, in nanoseconds since 1970.
    pub started: u64,
    /// How long it took, in nanoseconds.
    pub duration: u64,
    /// Its log.
    pub log: Option<PathBuf>,
}

/// How the latest run of a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ended {
    /// It ran and succeeded.
    Executed,
    /// Its result came from the store.
    Restored,
    /// It failed.
    Failed,
}

impl LastRun {
    /// How long its command took when it last succeeded.
    pub fn duration(&self) -> Option<Duration> {
        self.made
            .as_ref()
            .map(|made| Duration::from_nanos(made.duration))
    }

    /// When the latest run started.
    pub fn when(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.latest.started)
    }
}

/// A time in nanoseconds since 1970; 0 for what was before.
pub(super) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

/// All that is remembered.
pub(super) struct State {
    path: PathBuf,
    file: Vec<u8>,
    inner: Mutex<Inner>,
    known: OnceLock<Known>,
}

struct Inner {
    slots: HashMap<String, Slot, RandomState>,
    appender: Option<Appender>,
    /// Bytes of frames that later ones replace.
    dead: usize,
    /// Whether the file must be written anew before anything is appended.
    damaged: bool,
    changed: bool,
}

/// What outputs may be, by path: one state for each record that knows the path.
type Known = HashMap<Vec<u8>, Vec<FileState>>;

/// The newest frame of a step.
enum Slot {
    Old(Range<usize>),
    New(Vec<u8>),
}

impl State {
    /// Reads the file; what cannot be read is not there.
    pub(super) fn open(path: PathBuf) -> Self {
        let file = read(&path).unwrap_or_default();
        let (ranges, whole) = frames(&file, MAGIC);
        let mut inner = Inner {
            slots: HashMap::default(),
            appender: None,
            dead: 0,
            damaged: !whole,
            changed: false,
        };
        inner.slots.reserve(ranges.len());
        for range in ranges {
            if let Some(identity) = identity(&file[range.clone()]) {
                inner.put(identity.to_owned(), Slot::Old(range));
            }
        }
        Self {
            path,
            file,
            inner: Mutex::new(inner),
            known: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked held it only between whole changes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a step.
    pub(super) fn last(&self, identity: &str) -> Option<LastRun> {
        let new = match self.lock().slots.get(identity)? {
            Slot::Old(range) => return decode(identity, &self.file[range.clone()]),
            Slot::New(frame) => frame.clone(),
        };
        decode(identity, &new)
    }

    /// Remembers. A file that cannot be written loses nothing but time later.
    pub(super) fn put(&self, identity: &str, last: &LastRun) -> Result<(), FsError> {
        let body = postcard::to_stdvec(&(identity, last)).unwrap_or_default();
        let mut inner = self.lock();
        inner.put(identity.to_owned(), Slot::New(frame(&body)));
        inner.changed = true;
        if inner.damaged {
            return Ok(());
        }
        // What follows half a frame could not be read: then the whole file is written at the end.
        inner
            .append(&self.path, &body)
            .inspect_err(|_| inner.damaged = true)
    }

    /// Writes the file anew where that is needed.
    pub(super) fn save(&self) -> Result<(), FsError> {
        let mut inner = self.lock();
        let live: usize = inner.slots.values().map(Slot::len).sum();
        if !inner.changed || (!inner.damaged && inner.dead <= live + 4096) {
            return Ok(());
        }
        let mut bytes = MAGIC.to_vec();
        for slot in inner.slots.values() {
            match slot {
                Slot::Old(range) => bytes.extend_from_slice(&self.file[range.clone()]),
                Slot::New(frame) => bytes.extend_from_slice(frame),
            }
        }
        inner.appender = None;
        inner.damaged = true; // should the next line fail
        write_atomic(&self.path, &bytes)?;
        (inner.damaged, inner.changed, inner.dead) = (false, false, 0);
        Ok(())
    }

    /// The names of all steps of which something is remembered.
    pub(super) fn identities(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lock().slots.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// What any step's record says of `path`, as of the first time that this was asked. `None`
    /// where no record knows it.
    pub(super) fn known(&self, path: &[u8]) -> Option<&[FileState]> {
        self.known
            .get_or_init(|| self.gather_known())
            .get(path)
            .map(Vec::as_slice)
    }

    fn gather_known(&self) -> Known {
        let mut known = Known::new();
        for identity in self.identities() {
            for entry in self
                .last(&identity)
                .into_iter()
                .flat_map(|last| last.outputs)
            {
                known
                    .entry(path_bytes(&entry.path).to_vec())
                    .or_default()
                    .push(FileState::of(&entry));
            }
        }
        known
    }

    /// The files of field lists that are still referred to.
    pub(super) fn field_files(&self) -> HashSet<String> {
        let lasts = self
            .identities()
            .into_iter()
            .filter_map(|identity| self.last(&identity));
        lasts
            .filter_map(|last| last.fields.map(|fields| fields.file))
            .collect()
    }
}

impl Inner {
    fn put(&mut self, identity: String, slot: Slot) {
        self.dead += self.slots.insert(identity, slot).map_or(0, |old| old.len());
    }

    fn append(&mut self, path: &Path, body: &[u8]) -> Result<(), FsError> {
        let appender = match &mut self.appender {
            Some(appender) => appender,
            none => none.insert(Appender::open(path, MAGIC)?),
        };
        appender.push(body).map(drop)
    }
}

impl Slot {
    fn len(&self) -> usize {
        match self {
            Self::Old(range) => range.len(),
            Self::New(frame) => frame.len(),
        }
    }
}

/// The step that a frame is about, not yet checked.
fn identity(frame: &[u8]) -> Option<&str> {
    postcard::take_from_bytes::<&str>(unchecked(frame))
        .ok()
        .map(|(identity, _)| identity)
}

fn decode(identity: &str, frame: &[u8]) -> Option<LastRun> {
    let (found, last) = postcard::from_bytes::<(&str, LastRun)>(body(frame)?).ok()?;
    (found == identity).then_some(last)
}

/// Where the file of a workspace is.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("state")
}

#[cfg(test)]
mod tests {
    use super::super::digest::Digest;
    use super::super::entry::{EntryPath, Identity, Kind};
    use super::*;
    use crate::path::RelPath;

    fn run(text: &str) -> LastRun {
        let path = RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap();
        LastRun {
            key: Some(ActionKey(Digest::of(text.as_bytes()))),
            outputs: vec![Entry {
                path: EntryPath::In(path),
                kind: Kind::File,
                exec: false,
                digest: Digest::of(text.as_bytes()),
                identity: Identity {
                    mtime: -5,
                    ..Identity::default()
                },
            }],
            made: None,
            log: None,
            latest: Latest {
                ending: Ended::Executed,
                run: "r".to_owned(),
                started: 1,
                duration: 2,
                log: None,
            },
            discovered: vec![EntryPath::Outside("/usr/include/stdio.h".to_owned())],
            fields: None,
        }
    }

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        (folder, path)
    }

    #[test]
    fn what_was_put_is_there_after_a_kill() {
        let (_folder, path) = fresh();
        let state = State::open(path.clone());
        state.put("a", &run("one")).unwrap();
        state.put("b", &run("two")).unwrap();
        state.put("a", &run("three")).unwrap();
        // Not saved.
        let state = State::open(path);
        assert_eq!(state.last("a"), Some(run("three")));
        assert_eq!(state.last("b"), Some(run("two")));
        assert_eq!(state.last("c"), None);
        assert_eq!(
            state.known(b"two"),
            Some(&[FileState::of(&run("two").outputs[0])][..])
        );
        assert_eq!(state.known(b"one"), None);
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let (_folder, path) = fresh();
        for _ in 0..200 {
            let state = State::open(path.clone());
            state.put("a", &run("one")).unwrap();
            state.save().unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 16_384);
        assert_eq!(State::open(path).last("a"), Some(run("one")));
    }

    #[test]
    fn damage_costs_time_only() {
        let (_folder, path) = fresh();
        let state = State::open(path.clone());
        state.put("a", &run("one")).unwrap();
        state.put("b", &run("two")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let good = |state: &State| {
            for (name, text) in [("a", "one"), ("b", "two")] {
                assert!(state.last(name).is_none_or(|last| last == run(text)));
            }
        };
        for at in 0..whole.len() {
            write_atomic(&path, &whole[..at]).unwrap();
            good(&State::open(path.clone()));
            let mut flipped = whole.clone();
            flipped[at] ^= 0x41;
            write_atomic(&path, &flipped).unwrap();
            good(&State::open(path.clone()));
        }
    }

    #[test]
    fn a_damaged_file_is_written_anew() {
        let (_folder, path) = fresh();
        write_atomic(&path, b"pipe-state    7\nfrom the future").unwrap();
        let state = State::open(path.clone());
        state.put("a", &run("one")).unwrap();
        state.save().unwrap();
        assert_eq!(State::open(path).last("a"), Some(run("one")));
    }
}
