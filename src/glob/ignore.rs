//! What globs pass by: `workspace.ignore`, the built-in names, and what is never matched at all.
//!
//! A pattern without `/` is a name at any depth, one with `/` a path in the workspace. A glob whose
//! literal prefix goes into an ignored folder does see it. Knows no file system.

use std::collections::HashSet;

use super::pattern::Pattern;
use super::set::PatternSet;
use super::syntax::GlobError;
use crate::path::RelPath;

/// How the names of the program's own temporary files begin; the same as in `sys`.
pub const TEMP_PREFIX: &str = ".pipe-tmp-";

/// Names that are ignored in every workspace.
const DEFAULT: [&str; 5] = [".git", ".pipe", "node_modules", ".venv", "__pycache__"];

/// Names and patterns that globs skip.
#[derive(Debug)]
pub struct Ignore {
    names: HashSet<Box<[u8]>>,
    name_globs: Vec<Pattern>,
    paths: PatternSet,
}

impl Default for Ignore {
    /// The built-in names alone.
    fn default() -> Self {
        let names = DEFAULT.iter().map(|name| name.as_bytes().into()).collect();
        Self {
            names,
            ..Self::nothing()
        }
    }
}

impl Ignore {
    /// The built-in names and `entries`.
    ///
    /// # Errors
    ///
    /// When an entry is no pattern.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, GlobError> {
        let mut ignore = Self::default();
        entries
            .iter()
            .try_for_each(|entry| ignore.add(entry.as_ref()))?;
        Ok(ignore)
    }

    /// Skips only what is never matched at all: for outputs.
    pub fn nothing() -> Self {
        Self {
            names: HashSet::new(),
            name_globs: Vec::new(),
            paths: PatternSet::new(),
        }
    }

    fn add(&mut self, entry: &str) -> Result<(), GlobError> {
        // A folder that is skipped is never entered, so `build/` and `build/**` are `build`.
        let short = entry
            .strip_suffix("/**")
            .unwrap_or(entry)
            .trim_end_matches('/');
        let pattern = Pattern::parse(
            &RelPath::root(),
            if short.is_empty() { entry } else { short },
        )?;
        if short.contains('/') {
            self.paths.insert(&pattern);
        } else if pattern.is_literal() {
            self.names.insert(pattern.prefix().as_bytes().into());
        } else {
            self.name_globs.push(pattern);
        }
        Ok(())
    }

    /// Whether globs skip `path`, a file or a folder.
    pub fn skips(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        self.names.contains(name)
            || Self::never(name)
            || self
                .name_globs
                .iter()
                .any(|pattern| pattern.matches_bytes(name))
            || self.paths.matches_bytes(path)
    }

    /// Whether a file or folder of this name is never matched by any glob.
    pub fn never(name: &[u8]) -> bool {
        name == b".git" || name == b".pipe" || Self::is_temporary(name)
    }

    /// Whether a file of this name is a temporary file of the program.
    pub fn is_temporary(name: &[u8]) -> bool {
        name.starts_with(TEMP_PREFIX.as_bytes())
    }
}
