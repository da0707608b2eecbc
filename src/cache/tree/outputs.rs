//! What declared outputs cover on disk: for capture, for strays, for setting aside.
//!
//! `workspace.ignore` does not apply; never covered are the root's `.git` and `.pipe`, the
//! program's temporary files, and what a negated output takes away. Folders are always asked anew:
//! a step or a restore may have changed them a moment ago. Nothing behind a link is covered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Seq, Tree, TreeError, What, entry};
use crate::cache::digest::Digest;
use crate::cache::entry::{Entry, EntryPath, Identity, Kind};
use crate::glob::{FileKind, Ignore, Listing, Pattern, PatternSet, Visitor, walk};
use crate::path::RelPath;
use crate::plan::{Output, OutputKind};

/// What is covered so far, sorted by path. A folder in it has nothing covered below it.
struct Cover<'a> {
    tree: &'a Tree,
    negated: PatternSet,
    found: BTreeMap<RelPath, FileKind>,
}

impl Tree {
    /// All files, links and empty folders that the outputs cover right now, sorted, with digests; a
    /// link counts by its text. A folder in the place of a declared file is left out
    /// ([`Tree::look`] tells), a file or link in the place of a declared folder is given.
    ///
    /// # Errors
    ///
    /// What is neither file, link nor folder, and what cannot be read.
    pub fn outputs(&self, outputs: &[Output], since: Seq) -> Result<Vec<Entry>, TreeError> {
        let mut found = self.cover(outputs)?;
        found.retain(|path, kind| *kind != FileKind::Folder || !is_declared_file(outputs, path));
        let files: Vec<&RelPath> = of_kind(&found, |kind| kind != FileKind::Folder).collect();
        let keys: Vec<&[u8]> = files.iter().map(|path| path.as_bytes()).collect();
        let seen = self.observe(&self.made, false, &keys, since)?;
        let mut entries: Vec<Entry> = of_kind(&found, |kind| kind == FileKind::Folder)
            .map(empty)
            .collect();
        for (path, seen) in files.into_iter().zip(seen) {
            let path = EntryPath::In(path.clone());
            match seen.what {
                What::Absent | What::Folder => {}
                What::Special => return Err(TreeError::Special(path)),
                What::File | What::Link(_) => entries.push(entry(path, &seen)),
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// The same without reading: paths and kinds only, for setting aside. Here a folder in the place
    /// of a declared file is given, as `EmptyFolder`, whatever is in it; a FIFO, socket or device is
    /// given as `File`. An `EmptyFolder` may hold what a negated output takes away.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn output_paths(&self, outputs: &[Output]) -> Result<Vec<(RelPath, Kind)>, TreeError> {
        let kind = |kind| match kind {
            FileKind::Folder => Kind::EmptyFolder,
            FileKind::Link => Kind::Link,
            FileKind::File | FileKind::Other => Kind::File,
        };
        Ok(self
            .cover(outputs)?
            .into_iter()
            .map(|(path, found)| (path, kind(found)))
            .collect())
    }

    fn cover(&self, outputs: &[Output]) -> Result<BTreeMap<RelPath, FileKind>, TreeError> {
        let negated = outputs.iter().filter(|output| output.negated).collect();
        let mut cover = Cover {
            tree: self,
            negated,
            found: BTreeMap::new(),
        };
        for output in outputs.iter().filter(|output| !output.negated) {
            match &output.kind {
                OutputKind::File(path) => cover.path(path)?,
                OutputKind::Folder(path) => cover.folder(path)?,
                OutputKind::Glob(pattern) => cover.glob(pattern)?,
            }
        }
        Ok(cover.found)
    }

    /// What stands at a path, links not followed.
    fn kind_at(&self, path: &RelPath) -> Result<Option<FileKind>, TreeError> {
        let seen = self.looker.kind(path.as_bytes())?;
        Ok(match seen {
            What::Absent => None,
            What::File => Some(FileKind::File),
            What::Folder => Some(FileKind::Folder),
            What::Link(_) => Some(FileKind::Link),
            What::Special => Some(FileKind::Other),
        })
    }
}

impl Cover<'_> {
    fn add(&mut self, path: RelPath, kind: FileKind) {
        if !self.negated.matches(&path) && !is_protected(&path) {
            self.found.insert(path, kind);
        }
    }

    fn path(&mut self, path: &RelPath) -> Result<(), TreeError> {
        if let Some(kind) = self.tree.kind_at(path)? {
            self.add(path.clone(), kind);
        }
        Ok(())
    }

    /// A folder and all in it; where something else stands in its place, that.
    fn folder(&mut self, top: &RelPath) -> Result<(), TreeError> {
        match self.tree.kind_at(top)? {
            None => return Ok(()),
            Some(FileKind::Folder) => {}
            Some(other) => {
                self.add(top.clone(), other);
                return Ok(());
            }
        }
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            let Some(listing) = self.tree.listing(&folder, Seq::MAX)? else {
                continue;
            };
            let mut empty = true;
            for (name, kind) in listing.iter() {
                let path = folder.join(name);
                if self.negated.matches(&path) || is_protected(&path) {
                    continue;
                }
                empty = false;
                match kind {
                    FileKind::Folder => folders.push(path),
                    other => self.add(path, other),
                }
            }
            if empty {
                self.add(folder, FileKind::Folder);
            }
        }
        Ok(())
    }

    fn glob(&mut self, pattern: &Pattern) -> Result<(), TreeError> {
        if pattern.is_literal() {
            return self.path(pattern.prefix());
        }
        if self.tree.is_plain_folder(pattern.prefix(), Seq::MAX)? {
            walk(pattern, &Ignore::nothing(), self)?;
        }
        Ok(())
    }
}

impl Visitor for Cover<'_> {
    type Error = TreeError;

    fn list(&mut self, folder: &RelPath) -> Result<Option<Arc<Listing>>, TreeError> {
        self.tree.listing(folder, Seq::MAX)
    }

    fn enters(&mut self, _folder: &[u8]) -> bool {
        true
    }

    fn found(&mut self, path: RelPath, kind: FileKind) {
        if kind != FileKind::Folder {
            self.add(path, kind);
        }
    }
}

/// What no output may cover: the checkout, the program's own folder, its temporary files.
fn is_protected(path: &RelPath) -> bool {
    let mut parts = path.parts();
    parts.next().is_some_and(Ignore::never) || parts.any(Ignore::is_temporary)
}

/// Whether `path` is declared as a file.
fn is_declared_file(outputs: &[Output], path: &RelPath) -> bool {
    outputs
        .iter()
        .any(|output| !output.negated && output.kind == OutputKind::File(path.clone()))
}

/// The paths of one kind.
fn of_kind(
    found: &BTreeMap<RelPath, FileKind>,
    wanted: impl Fn(FileKind) -> bool,
) -> impl Iterator<Item = &RelPath> {
    found
        .iter()
        .filter(move |(_, kind)| wanted(**kind))
        .map(|(path, _)| path)
}

/// The entry of a folder with nothing in it.
fn empty(path: &RelPath) -> Entry {
    Entry {
        path: EntryPath::In(path.clone()),
        kind: Kind::EmptyFolder,
        exec: false,
        digest: Digest::default(),
        identity: Identity::default(),
    }
}
