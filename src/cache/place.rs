//! Brings outputs to their places: contents wait beside the workspace until all of them are there
//! and verified, strangers are taken out of the way, then everything is renamed into place. No
//! link is followed. Knows no record.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::beneath::Folder;
use super::entry::{Entry, EntryPath, Identity, Kind};
use super::kept::{below, exists, prune, told};
use super::rebuilder::Cache;
use super::restore::RestoreError;
use super::result::{Bytes, Content, Stored};
use super::store::Store;
use crate::path::RelPath;
use crate::plan::{OutputKind, PlanStep};
use crate::sys::fs::{
    FsError, TEMP_PREFIX, TempFile, copy, remove_dir, remove_file, rename, symlink,
};

/// Makes the names of files on their way differ.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Cache {
    /// Makes what the outputs of `step` cover, which is `here`, the same as `wanted`; files that are
    /// `in_the_way` go too. What was made, and the words to tell of strangers with.
    pub(super) fn bring(
        &self,
        store: &Store,
        step: &PlanStep,
        wanted: &[Stored],
        here: &[Entry],
        in_the_way: BTreeSet<RelPath>,
    ) -> Result<(Vec<Entry>, Vec<String>), RestoreError> {
        let mut here: BTreeMap<&RelPath, &Entry> = here.iter().filter_map(inside).collect();
        let intact: Vec<Option<&Entry>> = wanted
            .iter()
            .map(|wanted| {
                here.remove(&wanted.path)
                    .filter(|entry| is_same(entry, wanted))
            })
            .collect();
        let pairs = || wanted.iter().zip(&intact);
        let mut staging = Staging::default();
        for (wanted, _) in pairs().filter(|(_, intact)| intact.is_none()) {
            self.stage(store, wanted, &mut staging)?;
        }
        let strangers = here.into_keys().cloned().chain(in_the_way);
        let strangers: BTreeSet<RelPath> = strangers.collect();
        let empty = wanted
            .iter()
            .filter(|wanted| wanted.kind == Kind::EmptyFolder);
        let empty: HashSet<&RelPath> = empty.map(|wanted| &wanted.path).collect();
        let notes = self.clear_away(step, strangers.into_iter(), &empty)?;
        let entries = pairs().map(|(wanted, intact)| match intact {
            Some(entry) => Ok((*entry).clone()),
            None => self.place_output(wanted, &staging),
        });
        Ok((entries.collect::<Result<_, RestoreError>>()?, notes))
    }

    /// Brings the content of one output beside the workspace, verified.
    fn stage(
        &self,
        store: &Store,
        wanted: &Stored,
        staging: &mut Staging,
    ) -> Result<(), RestoreError> {
        if wanted.kind != Kind::File {
            return Ok(());
        }
        let folder = self.bench_dir()?;
        let place = folder.join(format!("r{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut file = TempFile::within(&folder, &place, wanted.exec)?;
        store.give(&wanted.content, file.file())?;
        file.persist()?;
        staging.places.insert(wanted.path.clone(), place);
        Ok(())
    }

    /// Puts one output in its place.
    fn place_output(&self, wanted: &Stored, staging: &Staging) -> Result<Entry, RestoreError> {
        let path = &wanted.path;
        let parent = path.parent().unwrap_or_default();
        match (wanted.kind, staging.places.get(path)) {
            (Kind::File, Some(staged)) => {
                let folder = Folder::make(&self.root, &parent)?;
                place_file(&folder, path.file_name(), staged, wanted.exec)?;
            }
            (Kind::Link, _) => {
                let folder = Folder::make(&self.root, &parent)?;
                let bench = self.bench_dir()?;
                place_link(&folder, path.file_name(), &bench, &wanted.content)?;
            }
            (Kind::EmptyFolder, _) => drop(Folder::make(&self.root, path)?),
            (Kind::File | Kind::Absent, _) => {}
        }
        Ok(match wanted.kind {
            Kind::File | Kind::Link => self.tree.learn(path, wanted.digest)?,
            Kind::EmptyFolder | Kind::Absent => Entry {
                path: EntryPath::In(path.clone()),
                kind: wanted.kind,
                exec: false,
                digest: wanted.digest,
                identity: Identity::default(),
            },
        })
    }

    /// What lies in folders that stand in the place of files.
    pub(super) fn in_the_place_of(&self, wanted: &[Stored]) -> BTreeSet<RelPath> {
        let files = wanted
            .iter()
            .filter(|wanted| wanted.kind != Kind::EmptyFolder);
        let found = files.flat_map(|wanted| {
            let place = wanted.path.under(&self.root);
            let is_folder = place.symlink_metadata().is_ok_and(|facts| facts.is_dir());
            let below = is_folder.then(|| below(&wanted.path, &place));
            below.into_iter().flatten()
        });
        found.map(|(path, _)| path).collect()
    }

    /// Takes strangers out of output folders: what some record knows is removed, all else kept. Of the
    /// folders that hold nothing then those in `empty` stay.
    pub(super) fn clear_away(
        &self,
        step: &PlanStep,
        paths: impl Iterator<Item = RelPath>,
        empty: &HashSet<&RelPath>,
    ) -> Result<Vec<String>, FsError> {
        let mut kept = Vec::new();
        let mut count = 0;
        for path in paths {
            let (folder, name) = Folder::of(&self.root, &path)?;
            let place = folder.at(name);
            let facts = place.symlink_metadata();
            let is_folder = facts.is_ok_and(|facts| facts.is_dir());
            if is_folder {
                // Of a folder that holds what a negated output takes away nothing is to be removed.
                let _removed = remove_dir(&place);
            } else if self.state.known(path.as_bytes()).is_some() {
                remove_file(&place).map_err(|error| folder.told(name, error))?;
            } else {
                kept.push((path.clone(), self.keep(&place, &path)?));
            }
            self.tree.forget(&path);
            count += 1;
        }
        if count > 0 {
            self.prune_folders(step, empty);
        }
        Ok(told(&kept))
    }

    /// Removes the folders in output folders that hold nothing any more, and should not be there.
    fn prune_folders(&self, step: &PlanStep, empty: &HashSet<&RelPath>) {
        let is_wanted = |place: &Path| {
            RelPath::below(&self.root, place).is_some_and(|path| empty.contains(&path))
        };
        for output in step.outputs.iter().filter(|output| !output.negated) {
            if let OutputKind::Folder(path) = &output.kind {
                prune(&path.under(&self.root), is_wanted);
                self.tree.forget(path);
            }
        }
    }
}

/// Contents that were brought, and where they wait. What is left is removed.
#[derive(Default)]
struct Staging {
    places: HashMap<RelPath, PathBuf>,
}

impl Drop for Staging {
    fn drop(&mut self) {
        for place in self.places.values().filter(|place| exists(place)) {
            // The folder that it is in goes at the end of the run.
            let _removed = remove_file(place);
        }
    }
}

/// Gives a file that waits its name. Over what is there, be it a link or a folder without files.
fn place_file(folder: &Folder, name: &[u8], staged: &Path, exec: bool) -> Result<(), FsError> {
    let target = folder.at(name);
    let moved = match rename(staged, &target) {
        Err(error) if error.source.kind() == ErrorKind::IsADirectory => {
            prune(&target, |_| false);
            rename(staged, &target)
        }
        result => result,
    };
    match moved {
        Err(error) if error.source.kind() == ErrorKind::CrossesDevices => {
            copy(staged, &target, exec)
        }
        result => result,
    }
    .map_err(|error| folder.told(name, error))
}

/// Makes a link under its name, over what is there. It is made on the bench, where a kill may leave it.
fn place_link(
    folder: &Folder,
    name: &[u8],
    bench: &Path,
    content: &Content,
) -> Result<(), FsError> {
    let Content::Inline(Bytes(text)) = content else {
        return Ok(());
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.at(format!("{TEMP_PREFIX}{}-{count}", std::process::id()).as_bytes());
    let target = folder.at(name);
    if target.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
        prune(&target, |_| false);
    }
    let by_way_of = |waiting: &Path| {
        symlink(&link_text(text), waiting)?;
        rename(waiting, &target).inspect_err(|_| {
            // On the bench it would go at the end of the run.
            let _removed = remove_file(waiting);
        })
    };
    match by_way_of(&bench.join(format!("r{count}"))) {
        Err(error) if error.source.kind() == ErrorKind::CrossesDevices => by_way_of(&beside),
        result => result,
    }
    .map_err(|error| folder.told(name, error))
}

/// The text of a stored link.
fn link_text(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Whether what is there is what is wanted.
fn is_same(entry: &Entry, wanted: &Stored) -> bool {
    entry.kind == wanted.kind && entry.exec == wanted.exec && entry.digest == wanted.digest
}

fn inside(entry: &Entry) -> Option<(&RelPath, &Entry)> {
    match &entry.path {
        EntryPath::In(path) => Some((path, entry)),
        EntryPath::Outside(_) => None,
    }
}
