//! Many patterns at once: asking costs only those whose prefix the path is in.
//!
//! Paths and folders are looked up by their bytes; globs hang on their prefix folder, and those of
//! one folder are compiled together when they are first asked. Knows no file system.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use foldhash::fast::RandomState;

use super::engine::Engine;
use super::pattern::Pattern;
use crate::path::RelPath;

/// Paths, folders and globs, indexed.
#[derive(Debug, Default)]
pub struct PatternSet {
    paths: HashSet<Box<[u8]>, RandomState>,
    folders: HashSet<Box<[u8]>, RandomState>,
    globs: HashMap<Box<[u8]>, Bucket, RandomState>,
}

/// The globs of one prefix folder.
#[derive(Debug, Default)]
struct Bucket {
    patterns: Vec<Pattern>,
    texts: HashSet<String>,
    engine: OnceLock<Engine>,
}

impl PatternSet {
    /// An empty set: it matches nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds exactly this path.
    pub fn insert_path(&mut self, path: &RelPath) {
        self.paths.insert(path.as_bytes().into());
    }

    /// Adds this folder and all below it.
    pub fn insert_folder(&mut self, folder: &RelPath) {
        self.folders.insert(folder.as_bytes().into());
    }

    /// Adds all that `pattern` matches.
    pub fn insert(&mut self, pattern: &Pattern) {
        if pattern.is_literal() {
            return self.insert_path(pattern.prefix());
        }
        let bucket = self
            .globs
            .entry(pattern.prefix().as_bytes().into())
            .or_default();
        if bucket.texts.insert(pattern.text().to_owned()) {
            bucket.patterns.push(pattern.clone());
            bucket.engine = OnceLock::new();
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.folders.is_empty() && self.globs.is_empty()
    }

    /// Whether something in the set matches `path`.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.matches_bytes(path.as_bytes())
    }

    /// Whether something in the set matches the path that these bytes are.
    pub fn matches_bytes(&self, path: &[u8]) -> bool {
        self.paths.contains(path) || self.holds_folder(path) || self.globs_match(path)
    }

    /// Whether `path` is, or is below, a folder that was added as a whole: no need to go there.
    pub fn holds_folder(&self, path: &[u8]) -> bool {
        !self.folders.is_empty()
            && (self.folders.contains(path)
                || ancestors(path).any(|(folder, _)| self.folders.contains(folder)))
    }

    fn globs_match(&self, path: &[u8]) -> bool {
        !self.globs.is_empty()
            && ancestors(path).any(|(folder, rest)| {
                self.globs
                    .get(folder)
                    .is_some_and(|bucket| bucket.engine().matches(rest))
            })
    }
}

impl Bucket {
    fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| {
            Engine::new(
                self.patterns
                    .iter()
                    .flat_map(|pattern| pattern.alternatives()),
            )
        })
    }
}

impl<'a> FromIterator<&'a Pattern> for PatternSet {
    fn from_iter<T: IntoIterator<Item = &'a Pattern>>(patterns: T) -> Self {
        let mut set = Self::new();
        patterns.into_iter().for_each(|pattern| set.insert(pattern));
        set
    }
}

/// The folders that `path` is in, the root first, each with the rest of the path.
fn ancestors(path: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let below = slashes.map(|(at, _)| (&path[..at], &path[at + 1..]));
    std::iter::once((&path[..0], path))
        .filter(|(_, rest)| !rest.is_empty())
        .chain(below)
}
