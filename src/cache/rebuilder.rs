//! The cache of one workspace for one run: what it holds, how it is opened and written. What it
//! does is in the files beside this one, a file for each act.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::action::ActionKey;
use super::entry::EntryPath;
use super::fields::Fields;
use super::home::{make_state_dir, mark_state_dir};
use super::journal::Bench;
use super::local::{LocalStore, StoreAt};
use super::made::Prepared;
use super::makers::Makers;
use super::probes::Probes;
use super::state::{self, LastRun, State};
use super::store::Store;
use super::tree::Tree;
use crate::glob::{GlobError, Ignore};
use crate::plan::{Plan, StepIx};
use crate::sys::boot::boot_id;
use crate::sys::fs::FsError;
use crate::sys::git::Git;

/// Where the cache works and what of it is used.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// The workspace root, absolute.
    pub root: PathBuf,
    /// `.pipe` in it.
    pub state_dir: PathBuf,
    /// The store; `None` under `--no-cache`.
    pub store: Option<StoreAt>,
    /// Names and patterns that globs skip.
    pub ignore: Vec<String>,
    /// The run's id.
    pub run: String,
    /// Whether results may be taken at all: not under `-B` (nothing is up to date, nothing is
    /// restored; all is stored).
    pub read_store: bool,
}

/// Why the cache cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The operating system refused.
    #[error("{0}: {source}", source = .0.source)]
    Io(#[from] FsError),
    /// An ignored name is no pattern.
    #[error("`ignore`: {0}")]
    Ignore(#[from] GlobError),
}

/// The rebuilder. All methods may be called from many threads at once.
pub struct Cache {
    pub(super) root: PathBuf,
    pub(super) state_dir: PathBuf,
    pub(super) run: String,
    pub(super) tree: Tree,
    pub(super) state: State,
    pub(super) fields: Fields,
    pub(super) probes: Probes,
    pub(super) store: Option<Store>,
    pub(super) read_store: bool,
    pub(super) boot: Option<String>,
    /// This run's folder in `.pipe/aside`, made when something is first set aside.
    pub(super) bench: Mutex<Option<Bench>>,
    pub(super) bench_name: String,
    /// Asked only where files that no record knows are in the way.
    pub(super) git: Git,
    /// Which step made which file in this run.
    pub(super) makers: Makers,
    names: Vec<String>,
    notes: Mutex<Vec<String>>,
    was_said: AtomicBool,
}

impl Cache {
    /// Opens the cache of a workspace for the steps of `plan`, and puts back what a killed run left
    /// out of its place.
    ///
    /// # Errors
    ///
    /// When `.pipe` cannot be made. A store that cannot be used is no error: see [`Cache::notes`].
    pub fn open(options: CacheOptions, plan: &Plan) -> Result<Self, CacheError> {
        let CacheOptions {
            root,
            state_dir,
            store,
            ignore,
            run,
            read_store,
        } = options;
        make_state_dir(&state_dir)?;
        mark_state_dir(&state_dir)?;
        let tree = Tree::open(
            root.clone(),
            state_dir.clone(),
            Ignore::new(&ignore)?,
            plan.owned.iter().flat_map(|owned| &owned.outputs),
        );
        let (store, trouble) = match store.as_ref().map(LocalStore::open) {
            Some(Ok(store)) => (Some(Store::new(store)), None),
            Some(Err(trouble)) => (None, Some(trouble)),
            None => (None, None),
        };
        let cache = Self {
            tree,
            state: State::open(state::path(&state_dir)),
            fields: Fields::new(state_dir.join("fields"), &run),
            probes: Probes::new(state_dir.join("tools")),
            store,
            read_store,
            boot: boot_id(),
            bench: Mutex::new(None),
            bench_name: format!("{run}-{}", std::process::id()),
            git: Git::new(&root),
            makers: Makers::default(),
            names: plan.steps.iter().map(|step| step.name.clone()).collect(),
            notes: Mutex::new(trouble.into_iter().collect()),
            was_said: AtomicBool::new(false),
            root,
            state_dir,
            run,
        };
        let recovered = cache.recover();
        cache.lock_notes().extend(recovered);
        Ok(cache)
    }

    /// What is on disk.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Things to tell that belong to no step, such as a store that cannot be used; empties the list.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.lock_notes())
    }

    /// What is remembered of a step, by [`crate::plan::PlanStep::identity`].
    pub fn last(&self, identity: &str) -> Option<LastRun> {
        self.state.last(identity)
    }

    /// Forgets under which key the outputs of a step stand, and all results under that key. Which files
    /// it made stays known. Says whether there was a key.
    ///
    /// # Errors
    ///
    /// When that cannot be written down.
    pub fn forget(&self, identity: &str) -> Result<bool, FsError> {
        let Some(last) = self.state.last(identity) else {
            return Ok(false);
        };
        let Some(key) = last.key else {
            return Ok(false);
        };
        self.state.put(identity, &LastRun { key: None, ..last })?;
        self.forget_key(key).map(|_| true)
    }

    /// Forgets all results under a key, in the store only. Says whether there were any.
    ///
    /// # Errors
    ///
    /// When the store cannot be changed.
    pub fn forget_key(&self, key: ActionKey) -> Result<bool, FsError> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        store.results().forget(key)
    }

    /// The inputs that changed since `prepared` was made. Of sources any change of identity counts:
    /// the command may have read other bytes, also when the old ones are back. Of what other steps
    /// made only another content does.
    pub fn tainted(&self, prepared: &Prepared) -> Vec<EntryPath> {
        let mut changed = self.tree.changed(&prepared.sources);
        let upstream: Vec<_> = prepared
            .upstream
            .iter()
            .map(|(_, entry)| entry.clone())
            .collect();
        let doubtful = self.tree.changed(&upstream);
        if doubtful.is_empty() {
            return changed;
        }
        let now = self.tree.advance();
        let is_other = |path: &EntryPath| {
            let entry = upstream.iter().find(|entry| entry.path == *path);
            entry.is_some_and(|entry| !self.tree.still(entry, now).unwrap_or(false))
        };
        changed.extend(doubtful.into_iter().filter(is_other));
        changed
    }

    /// Whether anything changed since `prepared` was made that would make it worth nothing.
    pub fn is_stale(&self, prepared: &Prepared) -> bool {
        let discovered = prepared.action.discovered.as_deref().unwrap_or_default();
        !self.tainted(prepared).is_empty() || !self.tree.changed(discovered).is_empty()
    }

    /// Writes what is remembered, and the stat cache. To be called at the end of a run, however it
    /// ended.
    ///
    /// # Errors
    ///
    /// When a file cannot be written: the next run has more to do.
    pub fn save(&self) -> Result<(), FsError> {
        if let Some(bench) = self.lock_bench().take_if(|bench| bench.is_empty()) {
            bench.remove()?;
        }
        self.state.save()?;
        self.probes.save()?;
        if self.fields.wrote() {
            self.fields.tidy(|| self.state.field_files());
        }
        self.tree.save()
    }

    /// How many files of the store were found damaged so far.
    pub fn damaged(&self) -> usize {
        let store = self.store.as_ref();
        store.map_or(0, |store| store.results().damaged())
    }

    /// Says that nothing of the store is used any more, and takes a moment to keep it small. To be called
    /// when all is told.
    pub fn leave_store(&self) {
        if let Some(store) = &self.store {
            store.results().leave();
        }
    }

    /// A step's name.
    pub(super) fn name(&self, step: StepIx) -> String {
        self.names.get(step).cloned().unwrap_or_default()
    }

    /// The root's path as bytes, by which results are bound.
    pub(super) fn root_bytes(&self) -> &[u8] {
        self.root.as_os_str().as_bytes()
    }

    /// Something to tell that belongs to no step.
    pub(super) fn note(&self, said: impl IntoIterator<Item = String>) {
        self.lock_notes().extend(said);
    }

    /// The words for a trouble with `.pipe`, the first time only.
    pub(super) fn say_once(&self, error: &FsError) -> Option<String> {
        let first = !self.was_said.swap(true, Ordering::Relaxed);
        first.then(|| format!("what was done is not remembered: {error}: {}", error.source))
    }

    fn lock_notes(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
