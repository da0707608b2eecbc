//! Looking for what patterns match: listings of folders, and which folders a pattern needs.
//!
//! Only folders that a pattern can reach are listed, and no folder behind a link. The walk is told
//! how to list a folder, so that a cache can stand in between. Matches come in the order of the
//! walk; [`list`] sorts them bytewise.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use super::ignore::Ignore;
use super::pattern::Pattern;
use crate::path::RelPath;

/// What stands at a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it leads to.
    Link,
    /// A FIFO, a socket or a device.
    Other,
}

impl FileKind {
    /// The kind of what `file_type` describes.
    pub fn of(file_type: std::fs::FileType) -> Self {
        if file_type.is_file() {
            Self::File
        } else if file_type.is_dir() {
            Self::Folder
        } else if file_type.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::File => b'f',
            Self::Folder => b'd',
            Self::Link => b'l',
            Self::Other => b'o',
        }
    }

    fn from_letter(letter: u8) -> Self {
        match letter {
            b'f' => Self::File,
            b'd' => Self::Folder,
            b'l' => Self::Link,
            _ => Self::Other,
        }
    }
}

/// The names in one folder, sorted bytewise.
///
/// Kept as one run of bytes (a letter for the kind, the name, a NUL), which is also how it is
/// stored: no allocation for each name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Listing(Box<[u8]>);

impl Listing {
    /// From the bytes of [`Listing::as_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The names and what stands there.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], FileKind)> {
        let entries = self.0.split(|byte| *byte == 0);
        entries
            .filter_map(|entry| entry.split_first())
            .map(|(letter, name)| (name, FileKind::from_letter(*letter)))
    }

    /// Whether there is nothing in the folder.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lists one folder. A link to a folder lists as empty: it is not entered.
///
/// # Errors
///
/// What the operating system says.
pub fn folder(path: &Path) -> io::Result<Listing> {
    let entries = WalkDir::new(path)
        .min_depth(1)
        .max_depth(1)
        .follow_root_links(false);
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error)?;
        names.push((
            entry.file_name().to_owned(),
            FileKind::of(entry.file_type()),
        ));
    }
    names.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut bytes = Vec::with_capacity(names.iter().map(|(name, _)| name.len() + 2).sum());
    for (name, kind) in names {
        bytes.push(kind.letter());
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
    }
    Ok(Listing(bytes.into()))
}

/// The operating system's part of walkdir's error; there is another only where links are followed.
fn io_error(error: walkdir::Error) -> io::Error {
    error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other("the folder holds itself"))
}

/// What a walk asks of its caller.
pub trait Visitor {
    /// Why a folder cannot be listed.
    type Error;

    /// What is in `folder`; `None` where there is no such folder (or only a link to one).
    fn list(&mut self, folder: &RelPath) -> Result<Option<Arc<Listing>>, Self::Error>;

    /// Whether the walk goes into this folder, which the pattern reaches.
    fn enters(&mut self, folder: &[u8]) -> bool;

    /// A name that matches.
    fn found(&mut self, path: RelPath, kind: FileKind);
}

/// Finds all that `pattern`, which is no literal, matches: files, links, folders, anything.
///
/// # Errors
///
/// The first one that the visitor's `list` gives.
pub fn walk<V: Visitor>(
    pattern: &Pattern,
    ignore: &Ignore,
    visitor: &mut V,
) -> Result<(), V::Error> {
    if pattern.prefix().parts().any(Ignore::never) {
        return Ok(());
    }
    let mut folders = vec![pattern.prefix().clone()];
    let mut path = Vec::new();
    while let Some(folder) = folders.pop() {
        let Some(listing) = visitor.list(&folder)? else {
            continue;
        };
        for (name, kind) in listing.iter() {
            join(&mut path, &folder, name);
            let enter = kind == FileKind::Folder && pattern.reaches(&path) && visitor.enters(&path);
            let found = pattern.matches_bytes(&path);
            if (!enter && !found) || ignore.skips(&path) {
                continue;
            }
            if enter {
                folders.push(folder.join(name));
            }
            if found {
                visitor.found(folder.join(name), kind);
            }
        }
    }
    Ok(())
}

/// Makes `path` the path of `name` in `folder`.
fn join(path: &mut Vec<u8>, folder: &RelPath, name: &[u8]) {
    path.clear();
    if !folder.is_root() {
        path.extend_from_slice(folder.as_bytes());
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// What [`list`] is to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Files and links.
    Files,
    /// Folders too.
    FilesAndFolders,
}

/// A folder that a pattern reaches cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder `{}`", path.display())]
pub struct WalkError {
    /// The folder.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// All that the patterns match below `root`, sorted bytewise, each once. A literal is found where
/// it exists, even if it is ignored.
///
/// # Errors
///
/// When a folder that a pattern reaches cannot be read.
pub fn list<'a>(
    root: &Path,
    patterns: impl IntoIterator<Item = &'a Pattern>,
    ignore: &Ignore,
    want: Want,
) -> Result<Vec<RelPath>, WalkError> {
    let mut lister = Lister {
        root,
        want,
        folders: HashMap::new(),
        listings: HashMap::new(),
        found: Vec::new(),
    };
    for pattern in patterns {
        match pattern.literal() {
            Some(path) => lister.literal(path)?,
            None => walk(pattern, ignore, &mut lister)?,
        }
    }
    let mut found = lister.found;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Looks at each folder once.
struct Lister<'a> {
    root: &'a Path,
    want: Want,
    /// Whether there may be a folder that is reached without a link.
    folders: HashMap<RelPath, bool>,
    listings: HashMap<RelPath, Option<Arc<Listing>>>,
    found: Vec<RelPath>,
}

impl Lister<'_> {
    fn literal(&mut self, path: RelPath) -> Result<(), WalkError> {
        let full = path.under(self.root);
        match full.symlink_metadata() {
            Ok(found) => self.found(path, FileKind::of(found.file_type())),
            Err(source) if is_absent(&source) => {}
            Err(source) => return Err(WalkError { path: full, source }),
        }
        Ok(())
    }

    fn read(&mut self, path: &RelPath) -> Result<Option<Arc<Listing>>, WalkError> {
        if !self.may_be_folder(path) {
            return Ok(None);
        }
        let full = path.under(self.root);
        match folder(&full) {
            Ok(listing) => Ok(Some(Arc::new(listing))),
            Err(source) if is_absent(&source) => Ok(None),
            Err(source) => Err(WalkError { path: full, source }),
        }
    }

    fn may_be_folder(&mut self, path: &RelPath) -> bool {
        let mut unknown = Vec::new();
        let mut may_be = true;
        let around = std::iter::successors(Some(path.clone()), RelPath::parent);
        for folder in around.take_while(|folder| !folder.is_root()) {
            if let Some(known) = self.folders.get(&folder) {
                may_be = *known;
                break;
            }
            unknown.push(folder);
        }
        for folder in unknown.into_iter().rev() {
            may_be = may_be && may_list(&folder.under(self.root));
            self.folders.insert(folder, may_be);
        }
        may_be
    }
}

/// Whether a folder is there, or why it cannot be read is told by listing it.
fn may_list(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(facts) => facts.is_dir(),
        Err(error) => !is_absent(&error),
    }
}

/// Whether the error says that nothing is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl Visitor for Lister<'_> {
    type Error = WalkError;

    fn list(&mut self, folder: &RelPath) -> Result<Option<Arc<Listing>>, WalkError> {
        if let Some(known) = self.listings.get(folder) {
            return Ok(known.clone());
        }
        let listing = self.read(folder)?;
        self.listings.insert(folder.clone(), listing.clone());
        Ok(listing)
    }

    fn enters(&mut self, _folder: &[u8]) -> bool {
        true
    }

    fn found(&mut self, path: RelPath, kind: FileKind) {
        match (kind, self.want) {
            (FileKind::File | FileKind::Link, _) | (FileKind::Folder, Want::FilesAndFolders) => {
                self.found.push(path);
            }
            _ => {}
        }
    }
}
