//! The bench of a run, `.pipe/aside/RUN-PID`: what is out of its place while a command runs, and a
//! journal of it, so that the next run can put all back after a kill.
//!
//! A run holds the lock of its bench; a bench whose lock is free belongs to nobody any more. What
//! is about to happen is written down first, and every note can be read twice without harm. Knows
//! no workspace.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::frames::{Appender, Magic, body, frames};
use crate::path::RelPath;
use crate::plan::Output;
use crate::sys::fs::{FsError, create_dir_all, read, remove_dir_all};
use crate::sys::lock::{Lock, LockError};

const MAGIC: &Magic = b"pipe-aside    2\n";

/// A line of the journal; the number tells which set of outputs it is about.
#[derive(Serialize, Deserialize)]
pub(super) enum Note {
    /// The outputs of a step will be moved.
    Begun {
        number: u64,
        identity: String,
        outputs: Vec<Output>,
    },
    /// This will be moved to that place.
    Moved { number: u64, moved: Moved },
    /// All is moved; from here on the command may write.
    Ready { number: u64 },
    /// The command failed, and what it left is out of the way: the places can be emptied.
    Cleared { number: u64 },
    /// The command succeeded, and its result is about to be remembered: once it is, what was set aside
    /// is not needed any more, but for files that nobody made.
    Taken {
        number: u64,
        strangers: Vec<RelPath>,
    },
    /// Nothing is left to do.
    Ended { number: u64 },
}

/// Something that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    /// From where.
    pub(super) from: RelPath,
    /// To where.
    pub(super) place: Place,
}

/// A place for something that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// In the bench, by name.
    Bench(String),
    /// In the workspace, where the bench is on another file system.
    Beside(RelPath),
}

/// How far a step got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Outputs were being moved; the command had not started.
    Moving,
    /// The command may have written something.
    Running,
    /// What it wrote is out of the way.
    Clear,
}

/// What a journal says of a step that was not ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) identity: String,
    pub(super) outputs: Vec<Output>,
    pub(super) moved: Vec<Moved>,
    pub(super) stage: Stage,
    /// Files among `moved` that are to be kept, should the result have been remembered.
    pub(super) strangers: Option<Vec<RelPath>>,
}

/// A bench; its lock is held as long as this lives.
#[derive(Debug)]
pub(super) struct Bench {
    dir: PathBuf,
    journal: Appender,
    next: u64,
    open: usize,
    _lock: Lock,
}

impl Bench {
    /// Makes a bench.
    pub(super) fn create(dir: PathBuf) -> Result<Self, FsError> {
        create_dir_all(&dir)?;
        let begun = lock(&dir).and_then(|lock| {
            // Last: a folder without a journal is left alone by other runs.
            Ok((lock, Appender::open(&journal(&dir), MAGIC)?))
        });
        let (lock, journal) = begun.inspect_err(|_| {
            // Nothing is on it yet.
            let _removed = remove_dir_all(&dir);
        })?;
        Ok(Self {
            dir,
            journal,
            next: 0,
            open: 0,
            _lock: lock,
        })
    }

    /// Takes over the bench of a dead run; `None` if its run is alive or nothing is in it.
    pub(super) fn adopt(dir: PathBuf) -> Option<(Self, Vec<Pending>)> {
        journal(&dir).is_file().then_some(())?;
        let lock = lock(&dir).ok()?;
        let bytes = read(&journal(&dir)).ok()?;
        let pending = pending(&bytes);
        let journal = Appender::open(&journal(&dir), MAGIC).ok()?;
        Some((
            Self {
                dir,
                journal,
                next: 0,
                open: pending.len(),
                _lock: lock,
            },
            pending,
        ))
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The id of the run that it was made for.
    pub(super) fn run(&self) -> Option<&str> {
        let name = self.dir.file_name()?.to_str()?;
        name.rsplit_once('-').map(|(run, _)| run)
    }

    /// Begins with a step; `ready` says that there is nothing to move.
    pub(super) fn begin(
        &mut self,
        identity: &str,
        outputs: &[Output],
        ready: bool,
    ) -> Result<u64, FsError> {
        let number = self.next;
        self.next += 1;
        let begun = Note::Begun {
            number,
            identity: identity.to_owned(),
            outputs: outputs.to_vec(),
        };
        let notes = [Some(begun), ready.then_some(Note::Ready { number })];
        let bodies = notes.iter().flatten().map(encoded);
        self.journal.push_all(bodies)?;
        self.open += 1;
        Ok(number)
    }

    /// Writes a note.
    pub(super) fn write(&mut self, note: &Note) -> Result<(), FsError> {
        self.journal.push(&encoded(note)).map(drop)
    }

    /// Nothing of this step is left.
    pub(super) fn end(&mut self, number: u64) -> Result<(), FsError> {
        self.open = self.open.saturating_sub(1);
        self.write(&Note::Ended { number })
    }

    /// Whether nothing is out of its place.
    pub(super) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// What is in the folder besides the journal, the lock and files on their way from the store.
    pub(super) fn unknown(&self) -> Vec<(Vec<u8>, PathBuf)> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let named = entries.map(|entry| (entry.file_name().into_encoded_bytes(), entry.path()));
        let is_unknown =
            |name: &[u8]| !matches!(name, b"journal" | b"lock" | [b'r', ..] | [b'.', ..]);
        named.filter(|(name, _)| is_unknown(name)).collect()
    }

    /// Removes the folder.
    pub(super) fn remove(self) -> Result<(), FsError> {
        remove_dir_all(&self.dir)
    }
}

fn encoded(note: &Note) -> Vec<u8> {
    postcard::to_stdvec(note).unwrap_or_default()
}

/// Whether this is a bench whose run was killed before it could put anything on it.
pub(super) fn is_blank(dir: &Path) -> bool {
    let facts = journal(dir).symlink_metadata();
    dir.is_dir() && facts.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}

fn lock(dir: &Path) -> Result<Lock, FsError> {
    let path = dir.join("lock");
    Lock::acquire(&path, false, |_| ()).map_err(|error| match error {
        LockError::Io(error) => error,
        LockError::Held(_) => FsError::new("lock", path, std::io::Error::other("it is in use")),
    })
}

/// The steps of a journal that were not ended. A note that cannot be read is the last one.
fn pending(bytes: &[u8]) -> Vec<Pending> {
    let mut steps = BTreeMap::new();
    for range in frames(bytes, MAGIC).0 {
        let note = body(&bytes[range]).and_then(|body| postcard::from_bytes(body).ok());
        match note {
            Some(note) => follow(&mut steps, note),
            None => break,
        }
    }
    steps.into_values().collect()
}

fn follow(steps: &mut BTreeMap<u64, Pending>, note: Note) {
    let mut reach = |number, stage| {
        steps
            .entry(number)
            .and_modify(|step: &mut Pending| step.stage = stage);
    };
    match note {
        Note::Begun {
            number,
            identity,
            outputs,
        } => {
            let step = Pending {
                number,
                identity,
                outputs,
                moved: Vec::new(),
                stage: Stage::Moving,
                strangers: None,
            };
            steps.insert(number, step);
        }
        Note::Moved { number, moved } => {
            steps
                .entry(number)
                .and_modify(|step| step.moved.push(moved));
        }
        Note::Ready { number } => reach(number, Stage::Running),
        Note::Cleared { number } => reach(number, Stage::Clear),
        Note::Taken { number, strangers } => {
            steps
                .entry(number)
                .and_modify(|step| step.strangers = Some(strangers));
        }
        Note::Ended { number } => {
            steps.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(name: &str) -> Moved {
        let from = RelPath::resolve(&RelPath::root(), name.as_bytes()).unwrap();
        Moved {
            from,
            place: Place::Bench("0-0".to_owned()),
        }
    }

    #[test]
    fn a_journal_tells_what_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run-1");
        let mut bench = Bench::create(dir.clone()).unwrap();
        let (one, two) = (
            bench.begin("one", &[], true).unwrap(),
            bench.begin("two", &[], false).unwrap(),
        );
        bench
            .write(&Note::Moved {
                number: two,
                moved: moved("b"),
            })
            .unwrap();
        bench.write(&Note::Ready { number: two }).unwrap();
        bench.end(one).unwrap();
        assert!(Bench::adopt(dir.clone()).is_none(), "its run is alive");
        drop(bench);
        let (_bench, pending) = Bench::adopt(dir).unwrap();
        assert_eq!(pending.len(), 1);
        assert_eq!(
            (pending[0].identity.as_str(), pending[0].stage),
            ("two", Stage::Running)
        );
        assert_eq!(pending[0].moved, [moved("b")]);
    }

    #[test]
    fn a_bench_that_cannot_be_made_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run-1");
        create_dir_all(&journal(&dir)).unwrap();
        assert!(Bench::create(dir.clone()).is_err());
        assert!(!dir.exists());
    }

    #[test]
    fn a_cut_journal_is_read_up_to_the_cut() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run-1");
        let mut bench = Bench::create(dir.clone()).unwrap();
        bench.begin("one", &[], true).unwrap();
        drop(bench);
        let bytes = std::fs::read(journal(&dir)).unwrap();
        for length in 0..bytes.len() {
            assert!(
                pending(&bytes[..length])
                    .iter()
                    .all(|step| step.stage == Stage::Moving)
            );
        }
        assert_eq!(pending(&bytes)[0].stage, Stage::Running);
    }
}
