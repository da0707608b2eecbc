//! A step as meant; its texts may still hold expressions.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::pipeline::Vars;
use super::reference::Reference;
use crate::parse::{Text, ValueDoc};
use crate::source::{Span, Spanned};

/// The most instances of one step, whatever its `max_instances` allows.
pub const MOST_INSTANCES: u64 = 100_000;

/// Declared environment, in the order written.
pub type EnvMap = IndexMap<String, Spanned<EnvText>>;

/// A variable as written.
#[derive(Clone, Debug)]
pub enum EnvText {
    /// A value.
    Value(Text),
    /// Taken from the caller.
    FromCaller {
        /// Its value where the caller has not set it.
        default: Option<Text>,
    },
    /// Taken away.
    Unset,
}

/// A dotenv file as written.
#[derive(Clone, Debug)]
pub struct EnvFileText {
    /// Its path.
    pub path: Text,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A value that is written out, or an expression that gives its text.
#[derive(Clone, Debug)]
pub enum Written<T> {
    /// The value.
    Known(T),
    /// Text with expressions in it.
    Expression(Text),
}

/// A unit of work.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub name: Spanned<String>,
    /// Scripts; none makes it a group.
    pub run: Vec<Text>,
    /// `shell` as words; none is `sh`.
    pub shell: Vec<Text>,
    /// Steps whose outputs are inputs.
    pub needs: Vec<Spanned<Reference>>,
    /// Steps that only must come first.
    pub after: Vec<Spanned<Reference>>,
    /// Globs of files it reads, without those that a leading `!` takes away; `None`: it does not say.
    pub sources: Option<Vec<Text>>,
    /// What is taken away from `sources`.
    pub exclude: Vec<Text>,
    /// What it makes.
    pub outputs: Vec<OutputText>,
    /// The dependency file that it writes.
    pub depfile: Option<Text>,
    /// Environment.
    pub env: EnvMap,
    /// Dotenv files, below `env`; later ones win.
    pub env_files: Vec<EnvFileText>,
    /// Variables taken from the caller and masked.
    pub secrets: Vec<Spanned<String>>,
    /// Folders in front of `PATH`.
    pub path: Vec<Text>,
    /// Variables handed through.
    pub pass_env: Vec<Text>,
    /// Whether it sees the caller's whole environment; `None` follows from `cache`.
    pub inherits_env: Option<Spanned<bool>>,
    /// Working folder.
    pub dir: Option<Text>,
    /// Variables.
    pub vars: Vars,
    /// Its instances.
    pub matrix: Option<Matrix>,
    /// `if`.
    pub condition: Option<Text>,
    /// Time limit.
    pub timeout: Option<Written<Duration>>,
    /// Time between TERM and KILL.
    pub grace: Option<Written<Duration>>,
    /// Whether its failure fails nothing else.
    pub allow_failure: bool,
    /// The name of its pool.
    pub pool: Option<Text>,
    /// Job slots that it takes.
    pub weight: u64,
    /// The most of its instances that run at once.
    pub max_parallel: Option<u64>,
    /// How often it is tried again.
    pub retries: Retries,
    /// Scripts after the last failed attempt.
    pub on_failure: Vec<Text>,
    /// Whether what it leaves running is left alone.
    pub allow_background: bool,
    /// Whether its outputs go to a terminal of its own.
    pub tty: bool,
    /// Whether it runs alone, with the terminal.
    pub interactive: bool,
    /// Whether outputs of the previous run stay in place.
    pub incremental: bool,
    /// `cache` as written.
    pub cache: Option<CacheWord>,
    /// `cache.salt`.
    pub salt: Option<String>,
    /// The most instances that the matrix may make.
    pub max_instances: u64,
    /// Commands whose output is part of the key, by name.
    pub tools: IndexMap<String, Text>,
    /// Checks before.
    pub requires: Vec<CheckText>,
    /// Checks after.
    pub verify: Vec<CheckText>,
    /// Shown when it fails.
    pub hint: Option<Text>,
    /// What `pipe list` shows.
    pub description: Option<Text>,
    /// Not listed, not addressable.
    pub internal: bool,
    /// Keys with mistakes in their values: what is missing may stand there.
    pub unread: Vec<&'static str>,
}

impl Step {
    /// Whether it only groups what it needs.
    pub fn is_group(&self) -> bool {
        self.run.is_empty()
    }
}

/// How often a step that failed is tried again, and after which wait.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Retries {
    /// So many times after the first attempt.
    pub max: u64,
    /// The wait before the first of them.
    pub delay: Duration,
    /// The factor by which each wait is longer than the one before; at least 1.
    pub backoff: f64,
}

impl Retries {
    /// It is not tried again.
    pub const NONE: Self = Self {
        max: 0,
        delay: Duration::ZERO,
        backoff: 1.0,
    };
}

/// The words that `cache` takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheWord {
    /// `shared`.
    Shared,
    /// `local`.
    Local,
    /// `off`.
    Off,
}

/// An output as written.
#[derive(Clone, Debug)]
pub struct OutputText {
    /// Path or pattern, with its trailing `/`, without its leading `!`.
    pub path: Text,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether it had a leading `!`.
    pub negated: bool,
}

/// A matrix as written.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// Axes, in the order written.
    pub axes: IndexMap<String, Spanned<Axis>>,
    /// `include`.
    pub include: Vec<Combination>,
    /// `exclude`.
    pub exclude: Vec<Combination>,
}

/// The values of an axis.
#[derive(Clone, Debug)]
pub enum Axis {
    /// As listed.
    Values(Vec<ValueDoc>),
    /// The files that match.
    Glob(Text),
}

/// An entry of `include` or `exclude`.
#[derive(Clone, Debug)]
pub struct Combination {
    /// Where it stands.
    pub span: Span,
    /// Axis and value.
    pub values: Vec<(Spanned<String>, ValueDoc)>,
}

/// A check as written.
#[derive(Clone, Debug)]
pub struct CheckText {
    /// Where it stands.
    pub span: Span,
    /// What is looked at: `file`, `run`, `http`, `tcp`, `env`, `tool`.
    pub kind: &'static str,
    /// The text of that key.
    pub subject: Text,
    /// Limits of a file's size.
    pub sizes: (Option<Written<u64>>, Option<Written<u64>>),
    /// Whether a file must be executable.
    pub executable: Option<bool>,
    /// The statuses that are good; none means all from 200 to 299.
    pub status: Vec<u16>,
    /// A regular expression.
    pub matches: Option<Text>,
    /// A regular expression that must not match.
    pub not_matches: Option<Text>,
    /// A semver requirement.
    pub version: Option<Written<String>>,
    /// The command that names the version.
    pub command: Option<Text>,
    /// Tried until then.
    pub within: Option<Written<Duration>>,
    /// The limit of one try.
    pub timeout: Option<Written<Duration>>,
    /// `if`.
    pub condition: Option<Text>,
    /// What to say.
    pub message: Option<Text>,
}
