//! What comes from outside the pipeline files, handed on as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::limits::Spent;
use crate::glob::{Pattern, PatternSet};
use crate::parse::Dotenv;
use crate::path::RelPath;
use crate::source::Span;

/// Lists the files that match a pattern.
pub(super) type ListFiles = Box<dyn Fn(&Pattern) -> Vec<RelPath> + Send + Sync>;

/// Reads a dotenv file, once.
pub(super) type ReadEnvFile = Box<dyn Fn(&RelPath) -> Arc<EnvFile> + Send + Sync>;

/// What was found where a dotenv file was looked for.
#[derive(Debug)]
pub enum EnvFile {
    /// Nothing.
    Missing,
    /// Something that cannot be read, and why.
    Unreadable(String),
    /// Whatever a name asks of it: what it says is no matter.
    Unknown,
    /// What it says.
    Read {
        /// Its variables, and what is wrong with it.
        dotenv: Dotenv,
        /// The whole text.
        span: Span,
    },
}

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
    /// The variables of the caller that it was asked of whether they are set, not what they are.
    pub asked: Mutex<BTreeSet<String>>,
    /// `NAME=VALUE` of the command line.
    pub assignments: BTreeMap<String, String>,
    /// `git.*`: commit, short, branch, tag, dirty.
    pub git: Box<dyn Fn() -> BTreeMap<String, String> + Send + Sync>,
    /// What steps make, as far as it can be told before axes are known: no axis
    /// has a value of it, and no dotenv file is among it.
    pub made: OnceLock<PatternSet>,
    /// What expanding used up so far.
    pub spent: Spent,
    /// The files that match a pattern of a matrix axis, sorted.
    pub files: ListFiles,
    /// The dotenv file at a path.
    pub env_file: ReadEnvFile,
}

impl Facts {
    /// Whether the caller has set a variable. What was asked is remembered: a plan that is kept
    /// depends on the answer.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
        self.env.contains_key(name)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
