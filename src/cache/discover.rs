//! After a command: which files it has read that nobody declared, by its depfile. They become part of
//! the key (the strong one). Before a command: the sets of files that are remembered, as they stand
//! now. Changes nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::action::{ActionKey, sort_inputs};
use super::depfile::{Depfile, DepfileError};
use super::encode;
use super::entry::{Entry, EntryPath};
use super::made::Prepared;
use super::rebuilder::Cache;
use super::sets::PathSet;
use super::store::Store;
use super::tree::{Seq, Tick, TreeError};
use crate::path::RelPath;
use crate::plan::{DepfileAt, Plan, PlanStep, cover};
use crate::sys::fs::{FsError, open_regular};

/// The largest depfile that is read.
const MOST_BYTES: u64 = 64 << 20;

/// Why a depfile cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] FsError),
    /// It is too large to be one.
    #[error("has more than 64 MiB")]
    TooLarge,
    /// It is none.
    #[error(transparent)]
    Text(#[from] DepfileError),
    /// A name that no key can hold.
    #[error("lists `{0}`, which is outside of the workspace and not UTF-8")]
    Name(String),
    /// A folder: what is in it counts, and nobody knows which of it.
    #[error("lists the folder `{0}`: name in `sources` which files in it are read")]
    Folder(String),
    /// Something that cannot be read.
    #[error("lists what cannot be read: {0}")]
    Unreadable(TreeError),
    /// What another instance of the same step makes: nothing puts these in order.
    #[error(
        "lists `{path}`, which another instance of `{step}` makes: instances of one step cannot wait for each other, so let a step of its own make it, and name that in `needs`"
    )]
    OfOwnStep {
        /// The file.
        path: String,
        /// The step.
        step: String,
    },
    /// What another step makes, which may not have run yet.
    #[error(
        "lists `{path}`, which `{maker}` makes: add `needs: [{needs}]` (or `after: [{needs}]`, if only files that it lists are to count)"
    )]
    Made {
        /// The file.
        path: String,
        /// The step.
        maker: String,
        /// How `needs` names it.
        needs: String,
    },
}

/// What a depfile says.
#[derive(Debug)]
pub struct Discovered {
    /// The step with what was discovered in its key.
    pub prepared: Prepared,
    /// What may not be what the command has read.
    pub changed: Vec<EntryPath>,
}

impl Cache {
    /// Follows the depfile of a command that began at `began` and is over since `since`. Of a step that
    /// is not cached only the order counts.
    ///
    /// # Errors
    ///
    /// A depfile that is none, and what it lists and cannot be an input.
    pub fn discover(
        &self,
        plan: &Plan,
        step: &PlanStep,
        depfile: &DepfileAt,
        prepared: &Prepared,
        (began, since): (&Tick, Seq),
    ) -> Result<Discovered, DiscoverError> {
        let listed = Depfile::parse(&self.depfile(depfile)?)?;
        let paths = self.undeclared(step, prepared, &listed)?;
        let known: HashMap<&EntryPath, &Entry> = prepared
            .action
            .discovered
            .iter()
            .flatten()
            .map(|entry| (&entry.path, entry))
            .collect();
        let (mut entries, mut changed) = (Vec::with_capacity(paths.len()), Vec::new());
        for path in paths {
            if let EntryPath::In(path) = &path {
                self.check_maker(plan, step, path)?;
            }
            if !step.cache.is_cached() {
                continue;
            }
            let entry = self.tree.listed(&path, since).map_err(unreadable)?;
            let is_known = known.get(&path).is_some_and(|known| {
                known.digest == entry.digest
                    && self.tree.changed(std::slice::from_ref(known)).is_empty()
            });
            let as_read = is_known || self.tree.stood(&entry, began);
            changed.extend((!as_read).then_some(path));
            entries.push(entry);
        }
        Ok(Discovered {
            prepared: prepared.with_discovered(entries),
            changed,
        })
    }

    fn depfile(&self, depfile: &DepfileAt) -> Result<Vec<u8>, DiscoverError> {
        let path = depfile.path.under(&self.root);
        let mut bytes = Vec::new();
        open_regular(&path)?
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| FsError::new("read", &path, error))?;
        match bytes.len() as u64 > MOST_BYTES {
            true => Err(DiscoverError::TooLarge),
            false => Ok(bytes),
        }
    }

    /// What is listed beside the step's inputs and outputs, each once.
    fn undeclared(
        &self,
        step: &PlanStep,
        prepared: &Prepared,
        listed: &Depfile,
    ) -> Result<Vec<EntryPath>, DiscoverError> {
        let mut seen: HashSet<EntryPath> = prepared
            .action
            .inputs
            .iter()
            .map(|entry| entry.path.clone())
            .collect();
        let mut folders = Folders::new(&self.root);
        let mut paths = Vec::new();
        for name in &listed.files {
            let path = folders.place(&step.dir, name)?;
            let is_own = match &path {
                EntryPath::In(path) => cover(&step.outputs, path),
                // Nothing is in it, for ever.
                EntryPath::Outside(path) => path == "/dev/null",
            };
            if !is_own && seen.insert(path.clone()) {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    /// What another step makes must come first; that it is listed once does not make it so.
    fn check_maker(
        &self,
        plan: &Plan,
        step: &PlanStep,
        path: &RelPath,
    ) -> Result<(), DiscoverError> {
        let mut before = step.needs.iter().chain(&step.after);
        if !self.tree.is_made(path) || before.any(|ix| cover(&plan.steps[*ix].outputs, path)) {
            return Ok(());
        }
        let maker = plan.owned.iter().find(|owned| cover(&owned.outputs, path));
        let Some(maker) = maker.map(|owned| owned.step.clone()) else {
            return Ok(()); // taken away from what covers it
        };
        if step.name.split('@').next() == Some(&maker) {
            let path = path.to_string();
            return Err(DiscoverError::OfOwnStep { path, step: maker });
        }
        let (pipeline, name) = maker.split_once(':').unwrap_or(("", &maker));
        let is_here = step
            .name
            .split_once(':')
            .is_some_and(|(of, _)| of == pipeline);
        Err(DiscoverError::Made {
            path: path.to_string(),
            needs: if is_here { name } else { &maker }.to_owned(),
            maker,
        })
    }

    /// What the last run of the step discovered, as it stands now; `None` where nothing is known.
    pub(super) fn last_discovered(&self, step: &PlanStep, since: Seq) -> Option<Vec<Entry>> {
        step.depfile.as_ref().filter(|_| step.cache.is_cached())?;
        let last = self.state.last(&step.identity())?;
        last.made.as_ref()?;
        Some(self.tree.fingerprints(&last.discovered, since))
    }

    /// All keys that a stored result of the step may stand under now, the likeliest first: for a step
    /// with a depfile one for each set of files that it is known to have read.
    pub(super) fn candidates<'a>(
        &'a self,
        store: &Store,
        step: &PlanStep,
        prepared: &'a Prepared,
        since: Seq,
    ) -> impl Iterator<Item = Prepared> + use<'a> {
        let has_depfile = step.depfile.is_some();
        let sets = match has_depfile {
            true => store.results().sets(prepared.action.weak_key()),
            false => Ok(Vec::new()),
        };
        let sets = sets.unwrap_or_else(|error| {
            self.note(store.trouble(&error));
            Vec::new()
        });
        let is_whole = !has_depfile || prepared.action.discovered.is_some();
        let known = prepared.discovered_paths();
        let others = sets
            .into_iter()
            .filter(move |set| !is_whole || *set != known);
        let others =
            others.map(move |set| prepared.with_discovered(self.tree.fingerprints(&set, since)));
        is_whole.then(|| prepared.clone()).into_iter().chain(others)
    }
}

impl Prepared {
    /// The same with what was discovered in the key.
    pub(super) fn with_discovered(&self, mut entries: Vec<Entry>) -> Self {
        sort_inputs(&mut entries);
        let mut prepared = self.clone();
        prepared.action.discovered = Some(entries);
        prepared.fields = prepared.action.encode();
        prepared.key = ActionKey(encode::key(&prepared.fields));
        prepared
    }

    /// The paths of what was discovered.
    pub fn discovered_paths(&self) -> PathSet {
        let entries = self.action.discovered.iter().flatten();
        entries.map(|entry| entry.path.clone()).collect()
    }
}

/// From the names in depfiles to paths.
struct Folders<'a> {
    root: &'a Path,
    real_root: Option<PathBuf>,
    /// Folders whose names go up, without links.
    real: HashMap<PathBuf, Option<PathBuf>>,
}

impl<'a> Folders<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            real_root: root.canonicalize().ok(),
            real: HashMap::new(),
        }
    }

    /// Where the file is that a command in `dir` calls `name`.
    fn place(&mut self, dir: &RelPath, name: &[u8]) -> Result<EntryPath, DiscoverError> {
        let path = dir.under(self.root).join(OsStr::from_bytes(name));
        let path = match name.split(|byte| *byte == b'/').any(|part| part == b"..") {
            true => self.without_ups(&path),
            false => path,
        };
        let roots = [Some(self.root), self.real_root.as_deref()];
        let inside = roots.into_iter().flatten();
        if let Some(path) = inside
            .into_iter()
            .find_map(|root| RelPath::below(root, &path))
        {
            return Ok(EntryPath::In(path));
        }
        // Without doubled slashes and dots.
        let path: PathBuf = path.components().collect();
        let text = path.into_os_string().into_string();
        text.map(EntryPath::Outside)
            .map_err(|path| DiscoverError::Name(path.to_string_lossy().into_owned()))
    }

    /// The path without `..`. What that leads to hangs on links on the way, so the system is asked;
    /// where there is no such folder, the parts are taken away by their names.
    fn without_ups(&mut self, path: &Path) -> PathBuf {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let real = self.real.entry(folder.to_path_buf());
            if let Some(real) = real.or_insert_with(|| folder.canonicalize().ok()) {
                return real.join(name);
            }
        }
        path.components().fold(PathBuf::new(), |mut path, part| {
            match part {
                Component::ParentDir => drop(path.pop()),
                part => path.push(part),
            }
            path
        })
    }
}

fn unreadable(error: TreeError) -> DiscoverError {
    match error {
        TreeError::Folder(path) | TreeError::FolderLink(path) => {
            DiscoverError::Folder(path.display())
        }
        error => DiscoverError::Unreadable(error),
    }
}
