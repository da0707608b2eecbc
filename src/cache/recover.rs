//! This run's bench, and the benches of runs that were killed: what is on them is put back.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use super::entry::Entry;
use super::journal::{Bench, Note, Pending, Place, Stage, is_blank};
use super::kept::told;
use super::rebuilder::Cache;
use super::state::Ended;
use crate::path::RelPath;
use crate::sys::fs::{FsError, TEMP_PREFIX, remove_dir_all, remove_file};

/// Removes what runs left half-made in `.pipe` that were killed, or had a disk that failed: files on
/// their way to their names, benches on which nothing was put yet. For whoever holds the
/// workspace's lock; what cannot be removed harms nobody.
pub fn sweep(state_dir: &Path) {
    for folder in [state_dir, &state_dir.join("plans")] {
        let is_temporary = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str);
            name.is_some_and(|name| name.starts_with(TEMP_PREFIX))
        };
        for file in children(folder).filter(is_temporary) {
            let _removed = remove_file(&file);
        }
    }
    for bench in children(&state_dir.join("aside")).filter(|dir| is_blank(dir)) {
        let _removed = remove_dir_all(&bench);
    }
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

impl Cache {
    /// Puts back what killed runs left; the words to tell it with.
    pub(super) fn recover(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for dir in children(&self.state_dir.join("aside")) {
            let Some((bench, pending)) = Bench::adopt(dir) else {
                continue;
            };
            *self.lock_bench() = Some(bench);
            for step in pending {
                notes.extend(
                    self.resume(&step)
                        .unwrap_or_else(|error| vec![format!("{error}: {}", error.source)]),
                );
            }
            let bench = self.lock_bench().take();
            if let Some(bench) = bench.filter(|bench| self.rescue(bench, &mut notes)) {
                // What cannot be removed is looked at again by the next run.
                let _removed = bench.remove();
            }
        }
        notes
    }

    /// Whether nothing is left in a bench that its journal knows. What the journal does not know,
    /// because somebody damaged it, is kept.
    fn rescue(&self, bench: &Bench, notes: &mut Vec<String>) -> bool {
        let unknown = if bench.is_empty() {
            bench.unknown()
        } else {
            return false;
        };
        for (name, file) in unknown {
            let path = RelPath::root().join(b"aside").join(&name);
            match self.keep(&file, &path) {
                Ok(place) => notes.extend(told(&[(path, place)])),
                Err(_) => return false,
            }
        }
        true
    }

    fn resume(&self, step: &Pending) -> Result<Vec<String>, FsError> {
        if let Some(made) = self.remembered(step) {
            let strangers = match &step.strangers {
                Some(strangers) => strangers.clone(),
                None => self.strangers(&step.moved, &[], &made)?,
            };
            let kept = self.settle(step.number, &step.moved, &strangers)?;
            return Ok(told(&kept));
        }
        if step.stage == Stage::Running {
            self.clear(&step.identity, &step.outputs)?;
            self.write(&Note::Cleared {
                number: step.number,
            })?;
        }
        self.bring_back(step.number, &step.identity, &step.moved)?;
        Ok(Vec::new())
    }

    /// The step's new outputs, if the killed run got so far as to remember them. Or if a later run
    /// did, which could not put back what was set aside: the ids of runs are in the order of time.
    fn remembered(&self, step: &Pending) -> Option<Vec<Entry>> {
        let bench = self.lock_bench();
        let run = bench.as_ref()?.run()?;
        let last = self.state.last(&step.identity)?;
        let is_new = last.latest.ending != Ended::Failed && last.latest.run.as_str() >= run;
        is_new.then_some(last.outputs)
    }

    /// Where something that was set aside is.
    pub(super) fn place(&self, place: &Place) -> Result<PathBuf, FsError> {
        Ok(match place {
            Place::Bench(name) => self.bench_dir()?.join(name),
            Place::Beside(path) => path.under(&self.root),
        })
    }

    pub(super) fn write(&self, note: &Note) -> Result<(), FsError> {
        self.with_bench(|bench| bench.write(note))
    }

    /// Does something with this run's bench, which is made when it is first needed.
    pub(super) fn with_bench<T>(
        &self,
        act: impl FnOnce(&mut Bench) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let mut bench = self.lock_bench();
        match &mut *bench {
            Some(bench) => act(bench),
            none => act(none.insert(Bench::create(
                self.state_dir.join("aside").join(&self.bench_name),
            )?)),
        }
    }

    /// The folder of this run's bench.
    pub(super) fn bench_dir(&self) -> Result<PathBuf, FsError> {
        self.with_bench(|bench| Ok(bench.dir().to_path_buf()))
    }

    pub(super) fn lock_bench(&self) -> MutexGuard<'_, Option<Bench>> {
        // A thread that panicked held it only between whole changes.
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
