//! Finds and reads pipeline files: from a folder to a workspace, with all that is wrong with it.
//!
//! The only room that reads pipeline files: `root` finds the workspace, `discover` its files,
//! `templates` what they extend, and `foreign` the files of other systems where there are none. It
//! also gathers what expressions may ask of the world (`facts`), dotenv files among it (`env_files`).

mod discover;
mod doubt;
mod env_files;
mod error;
mod facts;
mod foreign;
mod root;
mod templates;

use std::collections::HashSet;
use std::path::PathBuf;

pub use discover::{load, load_file};
pub use doubt::Doubts;
pub use env_files::EnvFiles;
pub use error::LoadError;
pub use facts::{facts, stamps};
pub use foreign::{Imported, import};
pub use root::{find_root, has_own, looked_at_for_root, pipe_file};

use crate::dialect::DialectError;
use crate::glob::Pattern;
use crate::model::{ModelError, Workspace};
use crate::parse::ParseError;
use crate::path::RelPath;
use crate::source::SourceMap;

/// The two spellings of a pipeline file's ending.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// A workspace and all that is wrong with its files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The workspace, without what could not be read.
    pub workspace: Workspace,
    /// The texts, for reports.
    pub sources: SourceMap,
    /// What is wrong with files and folders.
    pub load: Vec<LoadError>,
    /// What is wrong with texts.
    pub parse: Vec<ParseError>,
    /// What is wrong with what they say.
    pub model: Vec<ModelError>,
    /// What is wrong with other systems' files.
    pub dialect: Vec<DialectError>,
    /// Files and folders that the workspace depends on, there or not there; `None` where they
    /// cannot be listed.
    pub looked_at: Option<Vec<PathBuf>>,
    /// All pipeline files.
    pub files: HashSet<RelPath>,
    /// Where `workspace.members` says that there is no member.
    pub left_out: Vec<Pattern>,
    /// Where something may be missing only for the mistakes of a file.
    pub doubts: Doubts,
}
