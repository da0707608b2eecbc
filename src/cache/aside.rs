//! Moves outputs out of a command's way and puts them back if it fails; keeps what nobody made.
//!
//! All moves are renames. A folder that is an output as a whole moves as a whole. Knows the
//! workspace and the state; no store.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::beneath::Folder;
use super::digest::Digest;
use super::entry::{Entry, EntryPath, Kind};
use super::journal::{Moved, Note, Place};
use super::kept::{below, exists, hash_file, move_to, remove};
use super::rebuilder::Cache;
use super::tree::TreeError;
use crate::glob::PatternSet;
use crate::path::RelPath;
use crate::plan::{Output, OutputKind, PlanStep};
use crate::sys::fs::{FsError, TEMP_PREFIX, rename_locked, unlock};

/// The outputs of a step, moved out of the way.
#[derive(Debug)]
#[must_use = "what was set aside must be put back or discarded"]
pub struct Aside {
    /// In the journal; `None` for a step without outputs, or whose outputs stay in place.
    number: Option<u64>,
    identity: String,
    outputs: Vec<Output>,
    moved: Vec<Moved>,
    /// What the last record said of these outputs.
    known: Vec<Entry>,
    /// Of what was moved, the files that no record knows.
    strangers: Vec<RelPath>,
}

impl Cache {
    /// Moves everything that the outputs of `step` cover out of the way (not for an incremental
    /// one), and makes the folders that they will be in.
    ///
    /// # Errors
    ///
    /// When something cannot be moved; then all is in its place again.
    pub fn set_aside(&self, step: &PlanStep) -> Result<Aside, FsError> {
        let identity = step.identity();
        let known = self
            .state
            .last(&identity)
            .map(|last| last.outputs)
            .unwrap_or_default();
        let (outputs, moved) = (step.outputs.clone(), Vec::new());
        let mut aside = Aside {
            number: None,
            identity,
            outputs,
            moved,
            known,
            strangers: Vec::new(),
        };
        if step.outputs.is_empty() {
            return Ok(aside);
        }
        if step.incremental {
            self.make_parents(step)?;
            return Ok(aside);
        }
        let mut units = self.units(&aside.outputs)?;
        units.extend(self.folders_for_files(&aside.known, &aside.outputs));
        units.retain(|path| !self.is_free(path));
        let ready = units.is_empty();
        let number =
            self.with_bench(|bench| bench.begin(&aside.identity, &aside.outputs, ready))?;
        aside.number = Some(number);
        let taken = self.take_outputs(number, &units, &mut aside);
        if let Err(error) = taken.and_then(|()| self.make_parents(step)) {
            self.bring_back(number, &aside.identity, &aside.moved)?;
            return Err(error);
        }
        Ok(aside)
    }

    /// Whether nothing is at `path`, also not behind links: then there is nothing to move.
    fn is_free(&self, path: &RelPath) -> bool {
        let facts = path.under(&self.root).symlink_metadata();
        facts.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    fn take_outputs(
        &self,
        number: u64,
        units: &[RelPath],
        aside: &mut Aside,
    ) -> Result<(), FsError> {
        for path in units {
            aside
                .moved
                .extend(self.take(number, aside.moved.len(), path, &aside.outputs)?);
        }
        self.prune(&aside.outputs);
        if !units.is_empty() {
            self.write(&Note::Ready { number })?;
        }
        Ok(())
    }

    /// Makes the folders that outputs will be in. That of a depfile may be an output itself.
    fn make_parents(&self, step: &PlanStep) -> Result<(), FsError> {
        let mut made = step.outputs.iter().filter(|output| !output.negated);
        made.try_for_each(|output| self.make_parent(output))?;
        let depfile = step.depfile.as_ref().and_then(|at| at.path.parent());
        depfile.map_or(Ok(()), |parent| Folder::make_real(&self.root, &parent))
    }

    /// Moves one path out of the way, if something is there.
    fn take(
        &self,
        number: u64,
        count: usize,
        path: &RelPath,
        outputs: &[Output],
    ) -> Result<Option<Moved>, FsError> {
        let (folder, name) = match Folder::of_real(&self.root, path) {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let from = folder.at(name);
        if !exists(&from) {
            return Ok(None);
        }
        self.tree.forget(path);
        let place = format!("{number}-{count}");
        let beside = path
            .parent()
            .unwrap_or_default()
            .join(format!("{TEMP_PREFIX}{}-{place}", self.bench_name).as_bytes());
        for place in [Place::Bench(place), Place::Beside(beside)] {
            let moved = Moved {
                from: path.clone(),
                place,
            };
            self.write(&Note::Moved {
                number,
                moved: moved.clone(),
            })?;
            let to = self.place(&moved.place)?;
            // Only folders that are outputs themselves are the command's to lock.
            let result = match in_output_folder(outputs, path) {
                true => folder.unlocking(|| rename_locked(&from, &to)),
                false => rename_locked(&from, &to),
            };
            match result {
                Ok(()) => return Ok(Some(moved)),
                Err(error) if error.source.kind() == ErrorKind::CrossesDevices => {}
                Err(error) => return Err(folder.told(name, error)),
            }
        }
        Err(FsError::new(
            "move",
            path.under(&self.root),
            ErrorKind::CrossesDevices,
        ))
    }

    /// Puts back what was set aside, after the command failed. What it left of its outputs goes to
    /// the folder returned, in place of what an earlier failure left there.
    ///
    /// # Errors
    ///
    /// When something cannot be moved; then it stays in `.pipe/aside`, and the next run tries again.
    pub fn put_back(&self, aside: Aside) -> Result<Option<PathBuf>, FsError> {
        let Some(number) = aside.number else {
            return Ok(None);
        };
        let left = self.clear(&aside.identity, &aside.outputs)?;
        self.write(&Note::Cleared { number })?;
        self.bring_back(number, &aside.identity, &aside.moved)?;
        Ok(left)
    }

    /// Moves what lies where the outputs go to `.pipe/left/STEP`.
    pub(super) fn clear(
        &self,
        identity: &str,
        outputs: &[Output],
    ) -> Result<Option<PathBuf>, FsError> {
        let left = self.left(identity);
        if exists(&left) {
            remove(&left)?;
        }
        for path in self.units(outputs)? {
            let (folder, name) = match Folder::of_real(&self.root, &path) {
                Ok(found) => found,
                // It leads out of the workspace: not ours to clear.
                Err(error) if !error.is_exhausted() => continue,
                Err(error) => return Err(error),
            };
            if exists(&folder.at(name)) {
                move_to(&folder.at(name), &path.under(&left))?;
                self.tree.forget(&path);
            }
        }
        Ok(left.is_dir().then_some(left))
    }

    /// Where what a failed command made is left.
    fn left(&self, identity: &str) -> PathBuf {
        self.state_dir.join("left").join(folder_name(identity))
    }

    /// Puts everything back to where it came from.
    pub(super) fn bring_back(
        &self,
        number: u64,
        identity: &str,
        moved: &[Moved],
    ) -> Result<(), FsError> {
        for Moved { from, place } in moved.iter().rev() {
            let place = self.place(place)?;
            if exists(&place) {
                Folder::make_real(&self.root, &from.parent().unwrap_or_default())?;
                let (folder, name) = Folder::of_real(&self.root, from)?;
                // Something that could not be cleared.
                if exists(&folder.at(name)) {
                    let left = from.under(&self.left(identity));
                    if exists(&left) {
                        remove(&left)?;
                    }
                    move_to(&folder.at(name), &left)?;
                }
                rename_locked(&place, &folder.at(name))
                    .map_err(|error| folder.told(name, error))?;
                self.tree.forget(from);
            }
        }
        self.with_bench(|bench| bench.end(number))
    }

    /// Files that git tracks, were set aside, and were not made again, though no record says that a
    /// step ever made them: they are somebody's work, and the outputs cover too much.
    pub fn not_made_again(&self, aside: &Aside) -> Vec<RelPath> {
        let known = by_path(&aside.known);
        let is_gone = |path: &RelPath| {
            !known.contains_key(path)
                && self.state.known(path.as_bytes()).is_none()
                && !exists(&path.under(&self.root))
        };
        let moved = aside.moved.iter().filter_map(|Moved { from, place }| {
            let place = self.place(place).ok()?;
            Some(below(from, &place))
        });
        let gone = moved.flatten().map(|(path, _)| path).filter(is_gone);
        self.tracked(gone)
    }

    /// Those of `paths` that git tracks; it is asked only if there are any.
    pub(super) fn tracked(&self, paths: impl Iterator<Item = RelPath>) -> Vec<RelPath> {
        paths
            .filter(|path| self.git.tracks(path.as_bytes()))
            .collect()
    }

    /// Notes that `made` is the step's new result, before it is remembered: a kill after that finds in
    /// the journal what only the record before knew.
    pub(super) fn taken(&self, aside: &mut Aside, made: &[Entry]) -> Result<(), FsError> {
        let Some(number) = aside.number.filter(|_| !aside.moved.is_empty()) else {
            return Ok(());
        };
        aside.strangers = self.strangers(&aside.moved, &aside.known, made)?;
        let strangers = aside.strangers.clone();
        self.write(&Note::Taken { number, strangers })
    }

    /// The files among what was moved that neither a record knows nor the command made again.
    pub(super) fn strangers(
        &self,
        moved: &[Moved],
        known: &[Entry],
        made: &[Entry],
    ) -> Result<Vec<RelPath>, FsError> {
        let (known, made) = (by_path(known), by_path(made));
        let is_ours = |path: &RelPath, file: &Path| {
            let is_made = |entry: &&Entry| same_content(file, entry);
            known.contains_key(path)
                || made.get(path).is_some_and(is_made)
                || self.state.known(path.as_bytes()).is_some()
        };
        let mut strangers = Vec::new();
        for Moved { from, place } in moved {
            let files = below(from, &self.place(place)?).into_iter();
            let others = files.filter(|(path, file)| !is_ours(path, file));
            strangers.extend(others.map(|(path, _)| path));
        }
        Ok(strangers)
    }

    /// Removes what was set aside, after the step's result was remembered. What no record knows goes
    /// to `.pipe/kept`; returned are the words to tell it with.
    pub fn discard(&self, aside: Aside) -> Vec<String> {
        let Some(number) = aside.number else {
            return Vec::new();
        };
        match self.settle(number, &aside.moved, &aside.strangers) {
            Ok(kept) => super::kept::told(&kept),
            Err(error) => vec![in_full(&error)],
        }
    }

    /// Removes what was set aside but for strangers; which these are, and where they are now.
    pub(super) fn settle(
        &self,
        number: u64,
        moved: &[Moved],
        strangers: &[RelPath],
    ) -> Result<Vec<(RelPath, PathBuf)>, FsError> {
        let strangers: HashSet<&RelPath> = strangers.iter().collect();
        let mut kept = Vec::new();
        for Moved { from, place } in moved {
            let place = self.place(place)?;
            for (path, file) in below(from, &place) {
                if strangers.contains(&path) {
                    let there = self.keep(&file, &path).or_else(|_| {
                        unlock(&place);
                        self.keep(&file, &path)
                    })?;
                    kept.push((path, there));
                }
            }
            if exists(&place) {
                remove(&place)?;
            }
        }
        self.with_bench(|bench| bench.end(number))?;
        Ok(kept)
    }

    /// The paths to move: outputs as a whole where nothing is taken away from them.
    fn units(&self, outputs: &[Output]) -> Result<Vec<RelPath>, FsError> {
        let whole = |output: &Output| match &output.kind {
            OutputKind::File(path) | OutputKind::Folder(path) => Some(path.clone()),
            OutputKind::Glob(_) => None,
        };
        let has_negated = outputs.iter().any(|output| output.negated);
        let single = |output: &&Output| has_negated || whole(output).is_none();
        let (single, others): (Vec<_>, Vec<_>) = outputs.iter().partition(single);
        let mut units: Vec<RelPath> = others.into_iter().filter_map(whole).collect();
        if !single.is_empty() {
            let single: Vec<Output> = single.into_iter().cloned().collect();
            let found = self
                .tree
                .output_paths(&single)
                .map_err(|error| self.as_fs_error(error))?;
            // A folder may hold what a negated output takes away; empty ones go when all is moved.
            let is_file = |path: &RelPath| {
                outputs
                    .iter()
                    .any(|output| output.kind == OutputKind::File(path.clone()))
            };
            let moved = found
                .into_iter()
                .filter(|(path, kind)| *kind != Kind::EmptyFolder || is_file(path));
            units.extend(moved.map(|(path, _)| path));
        }
        units.sort_unstable();
        units.dedup_by(|path, before| path.is_in(before));
        Ok(units)
    }

    /// Folders where the last run made files that a glob matches: it matches no folders, and the
    /// command would trip over them.
    fn folders_for_files(&self, known: &[Entry], outputs: &[Output]) -> Vec<RelPath> {
        let is_glob =
            |output: &&Output| !output.negated && matches!(output.kind, OutputKind::Glob(_));
        let globs: PatternSet = outputs.iter().filter(is_glob).collect();
        let negated: PatternSet = outputs.iter().filter(|output| output.negated).collect();
        let paths = known.iter().filter_map(|entry| match &entry.path {
            EntryPath::In(path) if entry.kind != Kind::EmptyFolder => Some(path),
            _ => None,
        });
        let is_folder = |path: &RelPath| {
            let facts = path.under(&self.root).symlink_metadata();
            facts.is_ok_and(|facts| facts.is_dir())
        };
        paths
            .filter(|path| globs.matches(path) && !negated.matches(path) && is_folder(path))
            .cloned()
            .collect()
    }

    /// Removes folders in output folders that hold nothing any more, where files were moved one by one.
    fn prune(&self, outputs: &[Output]) {
        if !outputs.iter().any(|output| output.negated) {
            return;
        }
        for output in outputs.iter().filter(|output| !output.negated) {
            if let OutputKind::Folder(path) = &output.kind {
                super::kept::prune(&path.under(&self.root), |_| false);
                self.tree.forget(path);
            }
        }
    }

    /// Makes the folder that an output will be in.
    fn make_parent(&self, output: &Output) -> Result<(), FsError> {
        let parent = match &output.kind {
            OutputKind::File(path) | OutputKind::Folder(path) => path.parent().unwrap_or_default(),
            OutputKind::Glob(pattern) => match pattern.literal() {
                Some(path) => path.parent().unwrap_or_default(),
                None => pattern.prefix().clone(),
            },
        };
        Folder::make_real(&self.root, &parent)
    }

    fn as_fs_error(&self, error: TreeError) -> FsError {
        match error {
            TreeError::Io(error) => error,
            other => FsError::new(
                "look at the outputs in",
                &self.root,
                std::io::Error::other(other.to_string()),
            ),
        }
    }
}

fn in_full(error: &FsError) -> String {
    format!("{error}: {}", error.source)
}

/// Outputs by where they are.
type ByPath<'a> = HashMap<&'a RelPath, &'a Entry>;

fn by_path(entries: &[Entry]) -> ByPath<'_> {
    let mut found = ByPath::new();
    for entry in entries {
        if let EntryPath::In(path) = &entry.path {
            found.insert(path, entry);
        }
    }
    found
}

/// Whether `path` lies in a folder that is an output as a whole.
fn in_output_folder(outputs: &[Output], path: &RelPath) -> bool {
    outputs.iter().any(|output| {
        let folder = match &output.kind {
            OutputKind::Folder(folder) if !output.negated => folder,
            _ => return false,
        };
        path != folder && path.is_in(folder)
    })
}

/// Whether a file or link holds what `entry` says.
fn same_content(file: &Path, entry: &Entry) -> bool {
    match entry.kind {
        Kind::File => hash_file(file) == Some(entry.digest),
        Kind::Link => std::fs::read_link(file)
            .is_ok_and(|text| Digest::of(text.as_os_str().as_bytes()) == entry.digest),
        Kind::EmptyFolder | Kind::Absent => false,
    }
}

/// A folder name for a step: readable, and no two the same.
pub(super) fn folder_name(identity: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || "._-".contains(letter) {
            letter
        } else {
            '_'
        }
    };
    let name: String = identity.chars().map(plain).take(60).collect();
    format!("{name}-{}", Digest::of(identity.as_bytes()).short())
}
