//! What comes from outside the pipeline files, handed on as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::glob::{Pattern, PatternSet};
use crate::path::RelPath;

/// Lists the files that match a pattern.
pub(super) type ListFiles = Box<dyn Fn(&Pattern) -> Vec<RelPath> + Send + Sync>;

/// The host, the caller, and what is asked only if something uses it.
pub struct Facts {
    /// The workspace root.
    pub root: PathBuf,
    /// `host.os` as Go spells it.
    pub os: String,
    /// `host.arch` as Go spells it.
    pub arch: String,
    /// `host.cpus`.
    pub cpus: usize,
    /// The caller's environment, as far as it is text.
    pub env: BTreeMap<String, String>,
    /// `NAME=VALUE` of the command line.
    pub assignments: BTreeMap<String, String>,
    /// `git.*`: commit, short, branch, tag, dirty.
    pub git: Box<dyn Fn() -> BTreeMap<String, String> + Send + Sync>,
    /// What steps make, as far as it can be told before axes are known: no axis has a value of it.
    pub made: OnceLock<PatternSet>,
    /// The files that match a pattern of a matrix axis, sorted.
    pub files: ListFiles,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
