//! One pattern: its text, the folder to walk from, and whether a path matches.
//!
//! A pattern is checked when it is read and compiled when it is first asked; clones share the
//! compiled form. Knows no file system.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::syntax::{self, Alternative, GlobError, Part, Token, escape};
use crate::path::RelPath;

/// A pattern of the dialect, relative to the workspace root.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Plain", into = "Plain")]
pub struct Pattern {
    stem: RelPath,
    glob: Box<str>,
    text: Box<str>,
    compiled: Arc<OnceLock<Compiled>>,
}

/// What is stored of a pattern.
#[derive(Serialize, Deserialize)]
struct Plain {
    stem: RelPath,
    glob: Box<str>,
}

/// What is needed to match.
#[derive(Debug)]
struct Compiled {
    alternatives: Vec<Alternative>,
    engine: OnceLock<Engine>,
}

impl Pattern {
    /// Reads `text` as people write it in a file of folder `base`: `//x` is relative to the root, a
    /// slash at the end means everything below.
    ///
    /// # Errors
    ///
    /// When it is no pattern, or leaves the workspace.
    pub fn parse(base: &RelPath, text: &str) -> Result<Self, GlobError> {
        let parsed = syntax::parse(base, text)?;
        let compiled = Compiled {
            alternatives: parsed.alternatives,
            engine: OnceLock::new(),
        };
        let plain = Plain {
            stem: parsed.stem,
            glob: parsed.glob.into(),
        };
        Ok(Self {
            compiled: Arc::new(OnceLock::from(compiled)),
            ..plain.into()
        })
    }

    /// The pattern that matches exactly `path`.
    pub fn of_path(path: &RelPath) -> Self {
        Plain {
            stem: path.clone(),
            glob: Box::default(),
        }
        .into()
    }

    /// The bytes that it takes up, about.
    pub fn weight(&self) -> usize {
        const PART: usize = 64;
        let of_part = |part: &Part| match part {
            Part::Literal(name) => PART + name.len(),
            Part::Wild(tokens) => PART + tokens.len() * size_of::<Token>(),
            Part::AnyDepth => PART,
        };
        let parts = self.alternatives().iter().flat_map(|one| &one.0);
        self.text.len() + parts.map(of_part).sum::<usize>()
    }

    /// Whether it has no wildcard: it names one path.
    pub fn is_literal(&self) -> bool {
        self.glob.is_empty()
    }

    /// The path that it names, if it has no wildcard.
    pub fn literal(&self) -> Option<RelPath> {
        self.is_literal().then(|| self.stem.clone())
    }

    /// The folder that all matches are in, as deep as it is known; of a literal the path itself.
    pub fn prefix(&self) -> &RelPath {
        &self.stem
    }

    /// The whole pattern as normal text, relative to the root; equal patterns have equal texts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches `path`.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.matches_bytes(path.as_bytes())
    }

    /// Whether it matches the path that these bytes are.
    pub fn matches_bytes(&self, path: &[u8]) -> bool {
        if self.is_literal() {
            return path == self.stem.as_bytes();
        }
        below(&self.stem, path).is_some_and(|rest| !rest.is_empty() && self.engine().matches(rest))
    }

    /// Whether it could match something below the folder that these bytes are.
    pub fn reaches(&self, folder: &[u8]) -> bool {
        match below(&self.stem, folder) {
            Some(rest) => self.alternatives().iter().any(|one| one.reaches(rest)),
            None => {
                let stem = self.stem.as_bytes();
                folder.is_empty()
                    || stem
                        .strip_prefix(folder)
                        .is_some_and(|rest| rest.starts_with(b"/"))
            }
        }
    }

    /// What it stands for once braces are written out, relative to the prefix.
    pub(super) fn alternatives(&self) -> &[Alternative] {
        &self.compiled().alternatives
    }

    fn engine(&self) -> &Engine {
        let compiled = self.compiled();
        compiled
            .engine
            .get_or_init(|| Engine::new(&compiled.alternatives))
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| Compiled {
            // Only a damaged plan file holds text that is no pattern: it matches nothing.
            alternatives: syntax::alternatives(&self.glob).unwrap_or_default(),
            engine: OnceLock::new(),
        })
    }
}

/// The part of `path` that is below `stem`; empty for `stem` itself.
pub(super) fn below<'a>(stem: &RelPath, path: &'a [u8]) -> Option<&'a [u8]> {
    if stem.is_root() {
        return Some(path);
    }
    match path.strip_prefix(stem.as_bytes())? {
        [] => Some(&[]),
        [b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}

impl From<Plain> for Pattern {
    fn from(Plain { stem, glob }: Plain) -> Self {
        let text = match (stem.is_root(), glob.is_empty()) {
            (true, _) => glob.to_string(),
            (false, true) => escape(stem.as_bytes()),
            (false, false) => format!("{}/{glob}", escape(stem.as_bytes())),
        };
        Self {
            stem,
            glob,
            text: text.into(),
            compiled: Arc::default(),
        }
    }
}

impl From<Pattern> for Plain {
    fn from(pattern: Pattern) -> Self {
        Self {
            stem: pattern.stem,
            glob: pattern.glob,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() {
            "."
        } else {
            &self.text
        })
    }
}
