//! Workspaces, pipelines, targets and profiles as meant.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use indexmap::IndexMap;

use super::reference::Reference;
use super::step::{EnvFileText, EnvMap, Step};
use crate::parse::{Text, ValueDoc};
use crate::path::RelPath;
use crate::source::{Span, Spanned};

/// Values for expressions, in the order written.
pub type Vars = IndexMap<String, Spanned<ValueDoc>>;

/// The tree that one `pipe` works on.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// The root folder, absolute.
    pub root: PathBuf,
    /// What the root's `workspace:` key says.
    pub settings: Settings,
    /// All pipelines, in the order of discovery, by name.
    pub pipelines: IndexMap<String, Pipeline>,
    /// The pipelines' files in order, once they are asked for.
    files: OnceLock<BTreeSet<RelPath>>,
}

impl Workspace {
    /// The pipeline files in a folder and below, or the one that this is.
    pub fn files_in<'w>(&'w self, folder: &'w RelPath) -> impl Iterator<Item = &'w RelPath> {
        let files = self.files.get_or_init(|| {
            let pipelines = self.pipelines.values();
            pipelines.map(|pipeline| pipeline.file.clone()).collect()
        });
        files
            .range(folder..)
            .take_while(|file| file.as_bytes().starts_with(folder.as_bytes()))
            .filter(|file| file.is_in(folder))
    }

    /// The names of all profiles.
    pub fn profiles(&self) -> BTreeSet<String> {
        let pipelines = self.pipelines.values();
        pipelines
            .flat_map(|pipeline| pipeline.profiles.keys().cloned())
            .collect()
    }
}

/// The `workspace:` key.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Names and patterns that globs skip, beside the built-in ones.
    pub ignore: Vec<String>,
    /// Job slots.
    pub jobs: Option<usize>,
    /// At most so many steps of each pool run at once.
    pub pools: IndexMap<String, usize>,
    /// `-k` by default.
    pub keep_going: bool,
    /// `cache.dir`: where the store is.
    pub store: Option<PathBuf>,
    /// `cache.max_size`, in bytes.
    pub max_size: Option<u64>,
    /// `cache.max_age`.
    pub max_age: Option<Duration>,
    /// `cache.durability` is `fsync`.
    pub durable: bool,
    /// `cache.salt`.
    pub salt: Option<String>,
    /// Environment of every step.
    pub env: EnvMap,
    /// Variables of every pipeline.
    pub vars: Vars,
}

/// One pipeline file.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name and where it stands (the whole file's start where the name is not written).
    pub name: Spanned<String>,
    /// The file, workspace-relative.
    pub file: RelPath,
    /// The whole file, where it extends another: what stands elsewhere is inherited.
    pub own: Option<Span>,
    /// What `pipe list` shows.
    pub description: Option<String>,
    /// The folder that its paths are relative to.
    pub dir: RelPath,
    /// The folder of the member it belongs to: the scope of a bare name typed in there.
    pub member: Option<RelPath>,
    /// Variables.
    pub vars: Vars,
    /// Environment of every step.
    pub env: EnvMap,
    /// Dotenv files for every step, below `env`; later ones win.
    pub env_files: Vec<EnvFileText>,
    /// Profiles.
    pub profiles: IndexMap<String, Profile>,
    /// Targets.
    pub targets: IndexMap<String, Target>,
    /// Steps.
    pub steps: IndexMap<String, Step>,
}

impl Pipeline {
    /// The name of the profile that `requested` means here: itself, if this pipeline has it.
    pub fn effective_profile<'a>(&self, requested: Option<&'a str>) -> Option<&'a str> {
        requested.filter(|name| self.profiles.contains_key(*name))
    }

    /// Says at the end of `help` for a mistake at `span` that this pipeline has it, if the text is
    /// one that others may extend too.
    pub fn name_extender(&self, span: Span, help: &mut String) {
        let is_inherited = |own: Span| span.start < own.start || own.end < span.end;
        if self.own.is_some_and(is_inherited) {
            help.push_str(&format!(" (in `{}`, which extends this)", self.name.value));
        }
    }
}

/// A named overlay.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Where its name stands.
    pub span: Span,
    /// Variables.
    pub vars: Vars,
    /// Environment.
    pub env: EnvMap,
}

/// A name for some steps under a profile.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where its name stands.
    pub span: Span,
    /// References to steps and to other targets.
    pub steps: Vec<Spanned<Reference>>,
    /// The profile.
    pub profile: Option<Spanned<String>>,
    /// What `pipe list` shows.
    pub description: Option<Text>,
}
