//! Brings a step's outputs from the store, or puts right what somebody did to them.
//!
//! First all contents are brought beside the workspace and verified, then everything is renamed
//! into place: a result that turns out to be damaged changes nothing. Links are never followed.
//! Files that already are as they should be are left alone. Knows no command.

use std::collections::HashSet;
use std::time::Duration;

use super::action::ActionKey;
use super::decide::made_before;
use super::entry::{EntryPath, Kind};
use super::made::{Made, Prepared, own_depfile};
use super::makers::files;
use super::miss::{FileState, MissReason, OutputChange};
use super::rebuilder::Cache;
use super::result::Record;
use super::state::{Ended, LastRun, Latest, nanos};
use super::store::{Store, StoreError};
use super::tree::{Seq, TreeError};
use crate::path::RelPath;
use crate::plan::{CacheMode, PlanStep};
use crate::sys::clock;
use crate::sys::fs::FsError;

/// Why a stored result cannot be brought.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    /// The store has not all of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the way cannot be looked at.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It cannot be written.
    #[error("not restored: {0}: {source}", source = .0.source)]
    Io(#[from] FsError),
}

impl Cache {
    /// Brings the outputs of `step`: from the store, or, where nothing is wrong with them but
    /// strangers among them, by moving these away. `None` when the command has to run.
    pub fn restore(&self, step: &PlanStep, prepared: &Prepared, since: Seq) -> Option<Made> {
        if !step.cache.is_cached() || !self.read_store {
            return None;
        }
        let last = self
            .state
            .last(&step.identity())
            .filter(|last| last.key == Some(prepared.key));
        let damage = last
            .as_ref()
            .map(|last| self.damage(step, last, since))
            .unwrap_or_default();
        let is_extra = |reason: &MissReason| {
            matches!(
                reason,
                MissReason::Output {
                    change: OutputChange::Extra,
                    ..
                }
            )
        };
        if let Some(last) = last.filter(|_| damage.iter().all(is_extra)) {
            return self.tidy(step, last);
        }
        let store = self
            .store
            .as_ref()
            .filter(|_| step.cache == CacheMode::Shared)?;
        let told = damage
            .iter()
            .filter(|reason| !self.is_another_instances(reason));
        let told: Vec<String> = told
            .map(|reason| format!("{}; it was restored", reason.text()))
            .collect();
        let told = first_of(told);
        match self.fetch_any(store, step, prepared, since) {
            Ok(made) => made.map(|made| Made {
                notes: [told, made.notes].concat(),
                ..made
            }),
            Err(error) => {
                let said = match &error {
                    RestoreError::Store(error) => store.trouble(error),
                    other => Some(other.to_string()),
                };
                self.note(said);
                None
            }
        }
    }

    /// The key under which the store has a result for the step, with all that it refers to. Looks at
    /// names and sizes alone, and changes nothing.
    pub fn stored(&self, step: &PlanStep, prepared: &Prepared, since: Seq) -> Option<ActionKey> {
        let usable = step.cache == CacheMode::Shared && self.read_store;
        let store = self.store.as_ref().filter(|_| usable)?;
        let is_whole = |key: &ActionKey| {
            let record = store.results().peek(*key, self.root_bytes());
            record.ok().flatten().is_some_and(|record| {
                let mut blobs = record.blobs();
                blobs.all(|(digest, size)| store.contents().has(digest, size))
            })
        };
        let keys = self.candidates(store, step, prepared, since);
        keys.map(|candidate| candidate.key).find(is_whole)
    }

    /// Moves away what does not belong among intact outputs.
    fn tidy(&self, step: &PlanStep, last: LastRun) -> Option<Made> {
        let extra = self.extra(step, &last.outputs).ok()?;
        let strangers = extra.iter().map(|(path, _)| path);
        if self.is_in_the_way(strangers) || self.makers.claim(step, files(&last.outputs)).is_err() {
            return None;
        }
        let empty = last
            .outputs
            .iter()
            .filter(|entry| entry.kind == Kind::EmptyFolder);
        let empty = empty.filter_map(|entry| match &entry.path {
            EntryPath::In(path) => Some(path),
            EntryPath::Outside(_) => None,
        });
        let empty: HashSet<&RelPath> = empty.collect();
        let moved = self.clear_away(step, extra.into_iter().map(|(path, _)| path), &empty);
        let mut made = made_before(step, last);
        match moved {
            Ok(notes) => made.notes = notes,
            Err(error) => {
                self.note(Some(RestoreError::from(error).to_string()));
                return None;
            }
        }
        Some(made)
    }

    /// Whether a damaged file is as another instance of a step left it (another profile): then
    /// nobody did anything to it.
    fn is_another_instances(&self, reason: &MissReason) -> bool {
        let MissReason::Output { path, change } = reason else {
            return false;
        };
        let Ok(path) = RelPath::resolve(&RelPath::root(), path.as_bytes()) else {
            return false;
        };
        let now = self.tree.look(&path, self.tree.now()).ok();
        let known = self.state.known(path.as_bytes());
        match change {
            OutputChange::Missing => false,
            OutputChange::Extra => true, // told by what was done with it
            OutputChange::Edited => now
                .zip(known)
                .is_some_and(|(now, known)| known.contains(&FileState::of(&now))),
        }
    }

    /// The first result that is there; a depfile leaves several keys to look under.
    fn fetch_any(
        &self,
        store: &Store,
        step: &PlanStep,
        prepared: &Prepared,
        since: Seq,
    ) -> Result<Option<Made>, RestoreError> {
        for candidate in self.candidates(store, step, prepared, since) {
            if let Some(made) = self.fetch(store, step, &candidate, since)? {
                if store.is_open()
                    && let Err(error) = self.share_set(store, &candidate)
                {
                    self.note(store.trouble(&error));
                }
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    fn fetch(
        &self,
        store: &Store,
        step: &PlanStep,
        prepared: &Prepared,
        since: Seq,
    ) -> Result<Option<Made>, RestoreError> {
        let Some(record) = store.results().get(prepared.key, self.root_bytes())? else {
            return Ok(None);
        };
        for (digest, size) in record.blobs() {
            match store.contents().renew(digest, size) {
                Err(StoreError::Missing(_)) => return Ok(None),
                result => result?,
            }
        }
        let here = self.tree.outputs(&step.outputs, since)?;
        let files = record.outputs.iter();
        let files = files.filter(|output| output.kind != Kind::EmptyFolder);
        if self
            .makers
            .claim(step, files.map(|output| &output.path))
            .is_err()
        {
            return Ok(None);
        }
        let wanted: HashSet<&RelPath> = record.outputs.iter().map(|output| &output.path).collect();
        let strangers = here.iter().filter_map(|entry| match &entry.path {
            EntryPath::In(path) if !wanted.contains(path) => Some(path),
            _ => None,
        });
        let in_the_way = self.in_the_place_of(&record.outputs);
        if self.is_in_the_way(strangers.chain(&in_the_way)) {
            return Ok(None);
        }
        let (entries, mut notes) = self.bring(store, step, &record.outputs, &here, in_the_way)?;
        let log = record.log.as_ref().and_then(|log| {
            let written = self.restore_log(store, &step.identity(), log);
            written
                .map_err(|error| notes.extend(store.trouble(&error)))
                .ok()
        });
        let made = Made {
            entries,
            depfile: own_depfile(step),
            log,
            notes,
            ..Made::default()
        };
        Ok(Some(self.restored(step, prepared, &record, made)))
    }

    /// Whether somebody's work is among files that are to be moved away: the command runs instead,
    /// and its failure tells which.
    fn is_in_the_way<'p>(&self, mut strangers: impl Iterator<Item = &'p RelPath>) -> bool {
        strangers.any(|path| {
            self.state.known(path.as_bytes()).is_none() && self.git.tracks(path.as_bytes())
        })
    }

    /// Remembers what was restored.
    fn restored(&self, step: &PlanStep, prepared: &Prepared, record: &Record, made: Made) -> Made {
        let duration = Duration::from_nanos(record.origin.duration);
        let latest = Latest {
            ending: Ended::Restored,
            run: self.run.clone(),
            started: nanos(clock::wall()),
            duration: record.origin.duration,
            log: made.log.clone(),
        };
        let last = LastRun {
            key: Some(prepared.key),
            outputs: made.entries.clone(),
            made: Some(record.origin.clone()),
            log: made.log.clone(),
            latest,
            discovered: prepared.discovered_paths(),
            fields: None,
        };
        let notes = [made.notes, self.remember(step, Some(prepared), last)].concat();
        Made {
            key: Some(prepared.key),
            notes,
            duration,
            ..made
        }
    }
}

/// The first notes, and how many there are besides: after `pipe clean` each output has one.
fn first_of(mut notes: Vec<String>) -> Vec<String> {
    const MOST: usize = 6;
    if notes.len() > MOST {
        let more = notes.len() - (MOST - 1);
        notes.truncate(MOST - 1);
        notes.push(format!("{more} more outputs were restored"));
    }
    notes
}
