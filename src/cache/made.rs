//! The words that `exec` and the cache speak with each other.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::action::{Action, ActionKey};
use super::entry::{Entry, EntryPath};
use super::tree::{Seq, TreeError};
use crate::expand::{FillError, Late};
use crate::path::RelPath;
use crate::plan::{PlanStep, StepIx};

/// What a step made (or what was found or restored), as its dependants and the report see it.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Its outputs, sorted by path.
    pub entries: Vec<Entry>,
    /// The depfile, where no output names it: it is no input of what needs the step.
    pub depfile: Option<RelPath>,
    /// Its key, where the result stands under one.
    pub key: Option<ActionKey>,
    /// Its log, where there is one.
    pub log: Option<PathBuf>,
    /// What was put right, moved aside or could not be done, in words.
    pub notes: Vec<String>,
    /// How long the command took when it really ran.
    pub duration: Duration,
}

impl Made {
    /// What is an input of the steps that need this one.
    pub(super) fn handed_on(&self) -> impl Iterator<Item = &Entry> {
        let is_depfile = |entry: &&Entry| match (&entry.path, &self.depfile) {
            (EntryPath::In(path), Some(depfile)) => path == depfile,
            _ => false,
        };
        self.entries.iter().filter(move |entry| !is_depfile(entry))
    }
}

/// The depfile of `step`, where its outputs as written do not cover it.
pub(super) fn own_depfile(step: &PlanStep) -> Option<RelPath> {
    let depfile = step.depfile.as_ref();
    depfile
        .filter(|depfile| !depfile.is_declared)
        .map(|depfile| depfile.path.clone())
}

/// What the steps that a step needs have made.
#[derive(Clone, Debug, Default)]
pub struct Upstream<'a> {
    made: Vec<(StepIx, &'a Made)>,
}

impl<'a> Upstream<'a> {
    /// Takes what was made, by step: of all that the step needs or whose outputs it names as
    /// sources. Skipped steps, and failed ones that may fail, are left out.
    pub fn new(made: impl IntoIterator<Item = (StepIx, &'a Made)>) -> Self {
        let mut made: Vec<_> = made.into_iter().collect();
        made.sort_unstable_by_key(|(step, _)| *step);
        Self { made }
    }

    /// What `step` made.
    pub fn get(&self, step: StepIx) -> Option<&'a Made> {
        let at = self
            .made
            .binary_search_by_key(&step, |(step, _)| *step)
            .ok()?;
        Some(self.made[at].1)
    }
}

/// All that decides on a step at its turn.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What the key is over.
    pub action: Action,
    /// The key.
    pub key: ActionKey,
    /// The late values for the step's templates. Stamps and the job count are placeholders here:
    /// put in the real ones before a command is filled in.
    pub late: Late,
    /// The files that its `sources` name and no step makes, sorted.
    pub sources: Vec<Entry>,
    /// Things to tell: globs that match nothing.
    pub warnings: Vec<String>,
    /// Its other inputs, and which steps made them.
    pub(super) upstream: Vec<(StepIx, Entry)>,
    /// The encoding that the key is over.
    pub(super) fields: Vec<u8>,
}

/// A command that has run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// When it started.
    pub started: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// Its log on disk; the stream split stands beside it under the same name and `.streams`.
    pub log: PathBuf,
    /// What its depfile lists beside its inputs.
    pub discovered: Vec<EntryPath>,
    /// Nothing seen before this moment counts: from [`super::Tree::advance`] after the command's end.
    pub since: Seq,
}

/// Why a step cannot be decided on.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A source is missing or cannot be taken.
    #[error("source {0}")]
    Source(TreeError),
    /// An expression fails on this turn's values.
    #[error("{place}: {error}")]
    Fill {
        /// Which part of the step: `run`, `env.X`, `verify`.
        place: String,
        /// What is wrong.
        error: FillError,
    },
}
