//! What is on disk, looked at once a run.
//!
//! A folder is listed once, a file asked for and hashed once, however many steps name it; logical
//! time tells what is too old to be believed: a step that was executed may have changed anything.
//! Only what globs can reach is walked. The stat cache of the last run spares reading what has not
//! changed since.
//!
//! - `memo`: what was seen in this run, by one thread for all
//! - `look`: one path, on disk
//! - `clock`: when an identity is proof
//! - `discovered`: paths that a command turned out to read
//! - `pool`: many paths at once
//!
//! This file knows patterns, sources and outputs; it knows no keys, records or store.

mod clock;
mod discovered;
mod look;
mod memo;
mod outputs;
mod pool;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::digest::Digest;
use super::entry::{Entry, EntryPath, Identity, Kind};
use super::stat::{self, Content, Known};
use crate::glob::{FileKind, Ignore, Listing, Pattern, PatternSet, Visitor, walk};
use crate::path::RelPath;
use crate::plan::{Literal, Output, Sources};
use crate::sys::fs::{FsError, create_dir_all};
pub use clock::{Tick, margin};
pub(super) use look::identity_of_file;
use look::{End, Folder, Glance, Looker, Seen, Unread, What};
use memo::{Answer, Claim, Memo};
use pool::Pool;

/// Logical time of a run: it moves on when a step that was executed has finished.
pub type Seq = u64;

/// From so many paths on they are asked for by several threads.
const MANY_LOOKS: usize = 512;
/// From so many files on they are read by several threads ...
const MANY_FILES: usize = 64;
/// ... or from so many bytes on.
const MANY_BYTES: u64 = 8 << 20;

/// The files that a step's `sources` match.
#[derive(Clone, Default, Debug)]
pub struct SourceSet {
    /// The files, sorted bytewise by path, without duplicates.
    pub entries: Vec<Entry>,
    /// The globs that match nothing, as normalised text.
    pub empty_patterns: Vec<String>,
}

/// Why something on disk cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A path that was named literally, and nothing is there.
    #[error("`{}` does not exist", .0.display())]
    Missing(EntryPath),
    /// A folder where a file is wanted.
    #[error("`{path}` is a folder; write `{path}/` for all in it", path = .0.display())]
    Folder(EntryPath),
    /// A link that leads nowhere, or in a circle, and was named literally.
    #[error("`{}` is a link that leads nowhere", .0.display())]
    BrokenLink(EntryPath),
    /// A link to a folder that was named literally: folders behind links are not entered.
    #[error("`{}` is a link to a folder; name the folder itself", .0.display())]
    FolderLink(EntryPath),
    /// A FIFO, a socket or a device; it was not read.
    #[error("`{}` is no regular file but a FIFO, a socket or a device", .0.display())]
    Special(EntryPath),
    /// It changed three times while it was read.
    #[error("`{}` is being written", .0.display())]
    Busy(EntryPath),
    /// The operating system refused.
    #[error("{error}: {source}", error = .0, source = .0.source)]
    Io(#[from] FsError),
}

/// What is on disk, looked at once a run. All methods may be called from many threads at once.
#[derive(Debug)]
pub struct Tree {
    state_dir: PathBuf,
    ignore: Ignore,
    /// What some step declares to make: no source.
    owned: PatternSet,
    time: AtomicU64,
    looker: Arc<Looker>,
    pool: Pool,
    /// Files and links as inputs: links are followed.
    inputs: Memo<Seen>,
    /// Files and links as outputs: links are their text.
    made: Memo<Seen>,
    /// What is in folders; `None` where there is none.
    folders: Memo<Option<Folder>>,
    /// Whether a path is a folder, and no part of it a link.
    plain: Memo<bool>,
    /// What globs match, by their text.
    globs: Memo<Arc<[RelPath]>>,
}

impl Tree {
    /// The tree below `root`; reads the stat cache in `state_dir`. What `owned` covers (negated
    /// outputs aside) is no source.
    pub fn open<'a>(
        root: PathBuf,
        state_dir: PathBuf,
        ignore: Ignore,
        owned: impl Iterator<Item = &'a Output>,
    ) -> Self {
        let declared = owned.filter(|output| !output.negated);
        Self {
            looker: Arc::new(Looker::new(root, &state_dir)),
            state_dir,
            ignore,
            owned: declared.collect(),
            time: AtomicU64::new(0),
            pool: Pool::default(),
            inputs: Memo::new(),
            made: Memo::new(),
            folders: Memo::new(),
            plain: Memo::new(),
            globs: Memo::new(),
        }
    }

    /// The present logical time.
    pub fn now(&self) -> Seq {
        self.time.load(Ordering::SeqCst)
    }

    /// Moves time on: what was seen up to now is older than the value returned.
    pub fn advance(&self) -> Seq {
        self.time.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Files that `sources` match now, with digests, looked at not before `since`.
    /// [`Literal::Made`] is left to the caller.
    ///
    /// # Errors
    ///
    /// A literal that is missing or no file, or anything that matches and cannot be read.
    pub fn sources(&self, sources: &Sources, since: Seq) -> Result<SourceSet, TreeError> {
        let excludes: PatternSet = sources.excludes.iter().collect();
        let mut found: Vec<RelPath> = Vec::new();
        let mut empty_patterns = Vec::new();
        for pattern in &sources.patterns {
            let matches = self.glob(pattern, since)?;
            if matches.is_empty() {
                empty_patterns.push(pattern.text().to_owned());
            }
            found.extend(
                matches
                    .iter()
                    .filter(|path| !excludes.matches(path))
                    .cloned(),
            );
        }
        found.sort_unstable();
        found.dedup();
        let mut entries = self.globbed(found, since)?;
        let globbed = entries.len();
        entries.extend(self.literals(&sources.literals, since)?);
        if entries.len() > globbed {
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            entries.dedup_by(|a, b| a.path == b.path);
        }
        Ok(SourceSet {
            entries,
            empty_patterns,
        })
    }

    /// The entries of paths that globs matched. What has gone in between is left out.
    fn globbed(&self, paths: Vec<RelPath>, since: Seq) -> Result<Vec<Entry>, TreeError> {
        let keys: Vec<&[u8]> = paths.iter().map(RelPath::as_bytes).collect();
        let seen = self.observe(&self.inputs, true, &keys, since)?;
        let mut entries = Vec::with_capacity(paths.len());
        for (path, seen) in paths.into_iter().zip(seen) {
            let path = EntryPath::In(path);
            match seen.what {
                What::Absent | What::Folder => {}
                What::Special => return Err(TreeError::Special(path)),
                What::File | What::Link(_) => entries.push(entry(path, &seen)),
            }
        }
        Ok(entries)
    }

    /// The entries of sources that were named one by one.
    fn literals(&self, literals: &[Literal], since: Seq) -> Result<Vec<Entry>, TreeError> {
        let paths = literals.iter().filter_map(|literal| match literal {
            Literal::File(path) => Some(EntryPath::In(path.clone())),
            Literal::Outside(path) => Some(EntryPath::Outside(path.clone())),
            Literal::Made { .. } => None,
        });
        let paths: Vec<EntryPath> = paths.collect();
        let keys: Vec<&[u8]> = paths.iter().map(key).collect();
        let seen = self.observe(&self.inputs, true, &keys, since)?;
        paths
            .iter()
            .zip(&seen)
            .map(|(path, seen)| {
                let path = path.clone();
                match seen.what {
                    What::Absent => Err(TreeError::Missing(path)),
                    What::Folder => Err(TreeError::Folder(path)),
                    What::Special => Err(TreeError::Special(path)),
                    What::Link(End::Nowhere) => Err(TreeError::BrokenLink(path)),
                    What::Link(End::Folder) => Err(TreeError::FolderLink(path)),
                    What::File | What::Link(_) => Ok(entry(path, seen)),
                }
            })
            .collect()
    }

    /// The time of what is put together from things that were seen at `since` or later.
    fn not_before(&self, since: Seq) -> Seq {
        since.min(self.now())
    }

    /// What a source glob matches: not what is ignored, not what steps make.
    fn glob(&self, pattern: &Pattern, since: Seq) -> Result<Arc<[RelPath]>, TreeError> {
        let seen_at = self.not_before(since);
        self.globs
            .get(pattern.text().as_bytes(), since, seen_at, |_| {
                let mut search = Search {
                    tree: self,
                    since,
                    found: Vec::new(),
                };
                if let Some(path) = pattern.literal() {
                    let there = self.looker.kind(path.as_bytes())? != What::Absent;
                    search.found.extend(there.then_some(path));
                } else if self.is_in_plain_folder(pattern.prefix(), since)? {
                    walk(pattern, &self.ignore, &mut search)?;
                }
                search.found.sort_unstable();
                Ok(search.found.into())
            })
    }

    /// Whether `path` is in a folder that is reached without going through a link. What stands at
    /// `path` itself shows when it is listed.
    fn is_in_plain_folder(&self, path: &RelPath, since: Seq) -> Result<bool, TreeError> {
        match path.parent() {
            Some(above) => self.is_plain_folder(&above, since),
            None => Ok(true),
        }
    }

    /// Whether `path` is a folder, reached without going through a link.
    fn is_plain_folder(&self, path: &RelPath, since: Seq) -> Result<bool, TreeError> {
        if path.is_root() {
            return Ok(true);
        }
        let seen_at = self.not_before(since);
        self.plain.get(path.as_bytes(), since, seen_at, |_| {
            Ok(self.is_in_plain_folder(path, since)?
                && self.looker.folder_identity(path.as_bytes())?.is_some())
        })
    }

    /// What is in a folder; `None` where there is none.
    fn listing(&self, folder: &RelPath, since: Seq) -> Result<Option<Arc<Listing>>, TreeError> {
        let path = folder.as_bytes();
        let found = self.folders.get(path, since, self.now(), |old| {
            self.looker.list(path, old.flatten())
        })?;
        Ok(found.map(|folder| folder.listing))
    }

    /// What stands at a path; a link counts by its text alone. An empty folder is `EmptyFolder`.
    ///
    /// # Errors
    ///
    /// A folder that is not empty, what is neither file, link nor folder, what cannot be read.
    pub fn look(&self, path: &RelPath, since: Seq) -> Result<Entry, TreeError> {
        let seen = self.observe_one(&self.made, false, path.as_bytes(), since)?;
        let at = EntryPath::In(path.clone());
        match seen.what {
            What::Special => Err(TreeError::Special(at)),
            // The listing is asked for anew: its memo may be from before this look.
            What::Folder
                if self
                    .listing(path, Seq::MAX)?
                    .is_some_and(|names| !names.is_empty()) =>
            {
                Err(TreeError::Folder(at))
            }
            _ => Ok(entry(at, &seen)),
        }
    }

    /// Whether the same kind, exec bit and content still stand at the path.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn still(&self, entry: &Entry, since: Seq) -> Result<bool, TreeError> {
        Ok(self
            .still_all(std::slice::from_ref(entry), since)?
            .pop()
            .unwrap_or(false))
    }

    /// The same for many at once, which is faster where they must be read.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn still_all(&self, entries: &[Entry], since: Seq) -> Result<Vec<bool>, TreeError> {
        let keys: Vec<&[u8]> = entries.iter().map(|entry| key(&entry.path)).collect();
        let seen = self.observe(&self.made, false, &keys, since)?;
        let pairs = entries.iter().zip(&seen);
        pairs
            .map(|(entry, seen)| Ok(is_same(entry, seen) || self.still_input(entry, since)?))
            .collect()
    }

    /// Whether an entry that is a link was taken as an input, text and content, and still is so.
    fn still_input(&self, entry: &Entry, since: Seq) -> Result<bool, TreeError> {
        if entry.kind != Kind::Link {
            return Ok(false);
        }
        Ok(is_same(
            entry,
            &self.observe_one(&self.inputs, true, key(&entry.path), since)?,
        ))
    }

    /// Told by who wrote the file: it has this digest. Takes a fresh identity. A link is looked at
    /// instead.
    ///
    /// # Errors
    ///
    /// When nothing is there.
    pub fn learn(&self, path: &RelPath, digest: Digest) -> Result<Entry, TreeError> {
        let bytes = path.as_bytes();
        let at = EntryPath::In(path.clone());
        self.inputs.forget(bytes);
        match self.looker.examine(bytes, false, None)? {
            Glance::Known(Seen {
                what: What::Absent, ..
            }) => Err(TreeError::Missing(at)),
            Glance::Known(seen) if seen.what != What::File => {
                self.made.put(bytes, self.now(), seen.clone());
                Ok(entry(at, &seen))
            }
            Glance::Known(Seen { identity, .. }) => Ok(self.learned(at, identity, digest)),
            Glance::Unread(unread) => Ok(self.learned(at, unread.identity(), digest)),
        }
    }

    fn learned(&self, path: EntryPath, identity: Identity, digest: Digest) -> Entry {
        let seen = Seen::written(identity, digest);
        self.looker.news.store(true, Ordering::Relaxed);
        self.made.put(key(&path), self.now(), seen.clone());
        entry(path, &seen)
    }

    /// Forgets what was seen at `path`, and below it if it was a folder: it was moved or removed.
    pub fn forget(&self, path: &RelPath) {
        let bytes = path.as_bytes();
        self.inputs.forget(bytes);
        self.made.forget(bytes);
        if self.folders.contains(bytes) {
            let below = |key: &[u8]| {
                key.strip_prefix(bytes)
                    .is_some_and(|rest| rest.starts_with(b"/"))
            };
            self.inputs.forget_all(below);
            self.made.forget_all(below);
            self.folders.forget_all(|key| key == bytes || below(key));
            self.plain.forget_all(|key| key == bytes || below(key));
        }
    }

    /// Of these entries, those whose identity is another one now. Nothing is read.
    pub fn changed(&self, entries: &[Entry]) -> Vec<EntryPath> {
        let looker = Arc::clone(&self.looker);
        let changed: Vec<bool> = if entries.len() < MANY_LOOKS {
            entries
                .iter()
                .map(|entry| is_changed(&looker, entry))
                .collect()
        } else {
            let shared: Arc<[Entry]> = entries.into();
            self.pool.map(entries.len(), MANY_LOOKS / 4, move |job| {
                is_changed(&looker, &shared[job])
            })
        };
        let changed = entries.iter().zip(changed).filter(|(_, changed)| *changed);
        changed.map(|(entry, _)| entry.path.clone()).collect()
    }

    /// Writes the stat cache, if anything in it is new.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), FsError> {
        if !self.looker.news.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        create_dir_all(&self.state_dir)?;
        let mut files = self.inputs.all();
        files.extend(self.made.all());
        let folders = self.folders.all();
        let old = self.older(files.len() + folders.len());
        let kept = files.iter().filter(|(_, seen)| seen.is_kept());
        let kept = kept.map(|(path, seen)| (&**path, seen.as_known()));
        let listed = folders
            .iter()
            .filter_map(|(path, folder)| Some((&**path, folder.as_ref()?)));
        let listed = listed.filter(|(_, folder)| folder.clean);
        let listed = listed.map(|(path, folder)| (path, folder.as_known()));
        stat::save(&self.state_dir.join("stat"), kept.chain(listed).chain(old))
    }

    /// What the stat cache knew and nobody looked at in this run. It is kept for other targets, but
    /// not without bound: files come and go.
    fn older(&self, used: usize) -> Vec<(&[u8], Known<'_>)> {
        let unseen = self
            .looker
            .stat
            .iter()
            .filter(|(path, known)| match known.content {
                Content::File(_) => !self.inputs.contains(path) && !self.made.contains(path),
                Content::Folder(_) => !self.folders.contains(path),
            });
        let unseen: Vec<_> = unseen.collect();
        if unseen.len() > 50_000 + 3 * used {
            Vec::new()
        } else {
            unseen
        }
    }

    /// Looks at one path.
    fn observe_one(
        &self,
        memo: &Memo<Seen>,
        follow: bool,
        path: &[u8],
        since: Seq,
    ) -> Result<Seen, TreeError> {
        memo.get(path, since, self.now(), |old| {
            match self.looker.examine(path, follow, old.as_ref())? {
                Glance::Known(seen) => Ok(seen),
                Glance::Unread(unread) => self.looker.read(path, follow, &unread),
            }
        })
    }

    /// Looks at many paths: those that nobody looked at since `since`, all at once.
    fn observe(
        &self,
        memo: &Memo<Seen>,
        follow: bool,
        paths: &[&[u8]],
        since: Seq,
    ) -> Result<Vec<Seen>, TreeError> {
        let now = self.now();
        let mut seen: Vec<Option<Seen>> = Vec::with_capacity(paths.len());
        let mut unread = Vec::new();
        let mut many = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            seen.push(match memo.ask(path, since, now) {
                Answer::Have(value) => Some(value),
                Answer::Wait => None,
                Answer::Make(claim, old) if paths.len() >= MANY_LOOKS => {
                    many.push((index, claim, old));
                    None
                }
                Answer::Make(claim, old) => {
                    let glance = self.looker.examine(path, follow, old.as_ref())?;
                    settle(index, claim, glance, &mut unread)
                }
            });
        }
        for (index, claim, glance) in self.examine_all(many, follow) {
            seen[index] = settle(index, claim, glance?, &mut unread);
        }
        self.read_all(unread, follow, &mut seen)?;
        // What others make comes last: by now nobody can be waiting for this thread.
        for (seen, path) in seen.iter_mut().zip(paths) {
            if seen.is_none() {
                *seen = Some(self.observe_one(memo, follow, path, since)?);
            }
        }
        Ok(seen.into_iter().flatten().collect())
    }

    /// Looks at many paths, by several threads.
    fn examine_all<'a>(
        &self,
        claims: Vec<(usize, Claim<'a, Seen>, Option<Seen>)>,
        follow: bool,
    ) -> Vec<(usize, Claim<'a, Seen>, Result<Glance, TreeError>)> {
        if claims.len() < MANY_LOOKS {
            let few = claims.into_iter().map(|(index, claim, old)| {
                let glance = self.looker.examine(claim.key(), follow, old.as_ref());
                (index, claim, glance)
            });
            return few.collect();
        }
        let split = claims.into_iter().map(|(index, claim, old)| {
            let path: Box<[u8]> = claim.key().into();
            ((index, claim), (path, old))
        });
        let (claims, jobs): (Vec<_>, Vec<_>) = split.unzip();
        let looker = Arc::clone(&self.looker);
        let glances = self
            .pool
            .map(jobs.len(), MANY_LOOKS / 4, move |job: usize| {
                let (path, old) = &jobs[job];
                looker.examine(path, follow, old.as_ref())
            });
        let pairs = claims.into_iter().zip(glances);
        pairs
            .map(|((index, claim), glance)| (index, claim, glance))
            .collect()
    }

    /// Reads files, many at once where it pays.
    fn read_all(
        &self,
        unread: Vec<(usize, Claim<'_, Seen>, Unread)>,
        follow: bool,
        all: &mut [Option<Seen>],
    ) -> Result<(), TreeError> {
        let count = unread.len();
        if count == 0 {
            return Ok(());
        }
        let bytes: u64 = unread.iter().map(|(_, _, file)| file.size()).sum();
        let many = count > MANY_FILES || (bytes > MANY_BYTES && count > 1);
        let split = unread.into_iter().map(|(index, claim, file)| {
            let path: Box<[u8]> = claim.key().into();
            ((index, claim), (path, file))
        });
        let (claims, files): (Vec<_>, Vec<_>) = split.unzip();
        let looker = Arc::clone(&self.looker);
        let read = move |job: usize| {
            let (path, file) = &files[job];
            looker.read(path, follow, file)
        };
        let results: Vec<_> = if many {
            self.pool.map(count, 8, read)
        } else {
            (0..count).map(read).collect()
        };
        for ((index, claim), seen) in claims.into_iter().zip(results) {
            all[index] = Some(claim.fulfil(seen?));
        }
        Ok(())
    }
}

/// Hands in what a look has told; what must be read is put aside.
fn settle<'a>(
    index: usize,
    claim: Claim<'a, Seen>,
    glance: Glance,
    unread: &mut Vec<(usize, Claim<'a, Seen>, Unread)>,
) -> Option<Seen> {
    match glance {
        Glance::Known(seen) => Some(claim.fulfil(seen)),
        Glance::Unread(file) => {
            unread.push((index, claim, file));
            None
        }
    }
}

/// A walk for source files.
struct Search<'a> {
    tree: &'a Tree,
    since: Seq,
    found: Vec<RelPath>,
}

impl Visitor for Search<'_> {
    type Error = TreeError;

    fn list(&mut self, folder: &RelPath) -> Result<Option<Arc<Listing>>, TreeError> {
        self.tree.listing(folder, self.since)
    }

    fn enters(&mut self, folder: &[u8]) -> bool {
        !self.tree.owned.holds_folder(folder)
    }

    fn found(&mut self, path: RelPath, kind: FileKind) {
        if kind != FileKind::Folder && !self.tree.owned.matches(&path) {
            self.found.push(path);
        }
    }
}

/// By which a path is remembered: absolute ones are outside of the workspace.
fn key(path: &EntryPath) -> &[u8] {
    match path {
        EntryPath::In(path) => path.as_bytes(),
        EntryPath::Outside(path) => path.as_bytes(),
    }
}

/// What was seen as an entry; a folder stands as an empty one.
fn entry(path: EntryPath, seen: &Seen) -> Entry {
    let kind = match seen.what {
        What::Absent => Kind::Absent,
        What::Folder => Kind::EmptyFolder,
        What::Link(_) => Kind::Link,
        What::File | What::Special => Kind::File,
    };
    Entry {
        path,
        kind,
        exec: seen.exec,
        digest: seen.digest,
        identity: seen.identity,
    }
}

/// Whether the entry's identity is another one now. A link may have been taken as an input or as
/// an output.
fn is_changed(looker: &Looker, entry: &Entry) -> bool {
    let path = key(&entry.path);
    match entry.kind {
        Kind::Absent => looker.identities(path).is_some(),
        Kind::EmptyFolder => !matches!(looker.folder_identity(path), Ok(Some(_))),
        Kind::File | Kind::Link => {
            let now = looker.identities(path);
            now.is_none_or(|(own, both)| own != entry.identity && both != entry.identity)
        }
    }
}

/// Whether what was seen is what the entry says. An empty folder may have got names since: which of
/// them matter is not known here.
fn is_same(entry: &Entry, seen: &Seen) -> bool {
    match entry.kind {
        Kind::Absent => seen.what == What::Absent,
        Kind::EmptyFolder => seen.what == What::Folder,
        Kind::File => {
            seen.what == What::File && seen.exec == entry.exec && seen.digest == entry.digest
        }
        Kind::Link => matches!(seen.what, What::Link(_)) && seen.digest == entry.digest,
    }
}
