//! A step with everything filled in: plain, owned, serialisable data, what plans are made of.
//!
//! It knows no file contents, clock or process. What is known only at a step's turn (its sources,
//! the outputs of what it needs, stamps) stands in its commands as named holes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::template::{FillError, Late, Template};
use crate::glob::{Pattern, PatternSet};
pub use crate::model::Retries;
use crate::path::{RelPath, to_bytes};

/// The place of a step in the steps of a plan.
pub type StepIx = usize;

/// One instance, ready to be decided on and run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanStep {
    /// The reference as a person would type it: `api:build@os=linux`; with its profile behind where
    /// one run has the step under two.
    pub name: String,
    /// The profile that filled it in, where its pipeline has profiles.
    pub profile: Option<String>,
    /// What `pipe list` shows.
    pub description: Option<String>,
    /// The scripts, run in order, each in a fresh shell. Never empty (groups are dissolved).
    pub scripts: Vec<Template>,
    /// What runs the scripts.
    pub shell: Shell,
    /// What the scripts see as `"$@"`.
    pub args: Vec<String>,
    /// The working folder.
    pub dir: RelPath,
    /// Declared environment.
    pub env: BTreeMap<String, EnvSetting>,
    /// Folders put in front of `PATH`, in order.
    pub path: Vec<RelPath>,
    /// Names, or patterns with `*`, of variables handed through from the caller, not in the key.
    pub pass_env: Vec<String>,
    /// Names of variables that are taken from the caller and masked; the names are in the key.
    pub secrets: Vec<String>,
    /// Whether the caller's whole environment is handed through.
    pub env_policy: EnvPolicy,
    /// What it reads; `None` when the step does not say.
    pub sources: Option<Sources>,
    /// What it makes, in the order written.
    pub outputs: Vec<Output>,
    /// The dependency file that it writes; `outputs` cover it.
    pub depfile: Option<DepfileAt>,
    /// Steps whose outputs are inputs of this one.
    pub needs: Vec<StepIx>,
    /// Steps that only must come first.
    pub after: Vec<StepIx>,
    /// For `needs.NAME.outputs`: which of `needs` the name stands for.
    pub need_names: BTreeMap<String, Vec<StepIx>>,
    /// Whether and where results are kept.
    pub cache: CacheMode,
    /// `cache: { salt }` of workspace, pipeline and step.
    pub salt: Vec<String>,
    /// The time limit of one attempt.
    pub timeout: Option<Duration>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Job slots that it takes, at least one.
    pub weight: usize,
    /// What it takes a place of while it runs, beside its slots.
    pub limits: Vec<Limit>,
    /// Whether its failure fails nothing else.
    pub allow_failure: bool,
    /// How often it is tried again.
    pub retries: Retries,
    /// Scripts after the last failed attempt.
    pub on_failure: Vec<Template>,
    /// Whether what it leaves running is left alone.
    pub allow_background: bool,
    /// Whether its outputs go to a terminal of its own.
    pub tty: bool,
    /// Whether it runs alone, with the terminal.
    pub interactive: bool,
    /// Whether outputs of the previous run stay in place.
    pub incremental: bool,
    /// Commands whose output is in the key, by name.
    pub tools: BTreeMap<String, String>,
    /// Checks before the command.
    pub requires: Vec<Check>,
    /// Checks after it.
    pub verify: Vec<Check>,
    /// A step before this one that is equal to it in all that counts: what comes of that one comes
    /// of this one too.
    pub same_as: Option<StepIx>,
    /// Shown when the step fails.
    pub hint: Option<String>,
    /// Its `if` was false: nothing runs, and what needs it goes on.
    pub skip: bool,
}

impl PlanStep {
    /// The name under which `.pipe` remembers the step: profiles are remembered apart. It is the
    /// name itself where [`PlanStep::tell_apart`] has made it so; no other name ends like that.
    pub fn identity(&self) -> String {
        let suffix = self.profile.as_ref();
        let suffix = suffix.map(|profile| format!(" ({profile})"));
        match suffix.filter(|suffix| !self.name.ends_with(suffix)) {
            Some(suffix) => format!("{}{suffix}", self.name),
            None => self.name.clone(),
        }
    }

    /// Names the profile in the name, where another one of the same step is in the same run.
    pub fn tell_apart(&mut self) {
        self.name = self.identity();
    }
}

impl PlanStep {
    /// All texts in which holes may be.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let env = self.env.values().filter_map(|setting| match setting {
            EnvSetting::Set(value) => Some(value),
            EnvSetting::Unset => None,
        });
        let checks = self.requires.iter().chain(&self.verify);
        let checks = checks.flat_map(|check| {
            check
                .kind
                .script()
                .into_iter()
                .chain(check.late.texts.values())
        });
        let scripts = self.scripts.iter().chain(&self.on_failure);
        scripts.chain(env).chain(checks)
    }
}

/// Something of which only so many steps may have a place at once: a pool, or the instances of a
/// step with `max_parallel`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// What tells it apart from others.
    pub name: String,
    /// How many places there are.
    pub places: usize,
}

/// What runs a script.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shell {
    /// Program and arguments before the script: its text after an option that takes it (`sh`,
    /// `-e`, `-c`), otherwise its path. Then come, after a text for a shell of the POSIX family, one
    /// word for `$0`, and [`PlanStep::args`].
    pub words: Vec<String>,
    /// How words are quoted in its language.
    pub dialect: Dialect,
}

/// How words are quoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Dialect {
    /// `sh`, `bash` and their relatives.
    Posix,
    /// Python literals.
    Python,
    /// PowerShell literals.
    PowerShell,
    /// Unknown: lists and paths cannot be put in.
    Other,
}

/// A declared variable.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum EnvSetting {
    /// It has this value.
    Set(Template),
    /// It is taken away.
    Unset,
}

/// What a step sees of the caller's environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EnvPolicy {
    /// The documented list and `pass_env`.
    Strict,
    /// Everything.
    Inherit,
}

/// The files that a step reads and that no step makes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Sources {
    /// Globs.
    pub patterns: Vec<Pattern>,
    /// Paths named literally.
    pub literals: Vec<Literal>,
    /// Taken away from what the globs match, whatever the order.
    pub excludes: Vec<Pattern>,
}

/// A source named literally.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Literal {
    /// A source file in the workspace.
    File(RelPath),
    /// A file outside of it, by its absolute path.
    Outside(String),
    /// A file that another step makes: an edge to that step.
    Made {
        /// The file.
        path: RelPath,
        /// Who makes it; also in [`PlanStep::after`].
        by: StepIx,
    },
}

/// What a step declares to make.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Output {
    /// What is made.
    pub kind: OutputKind,
    /// Whether it may be missing.
    pub optional: bool,
    /// A leading `!`: taken away from the others.
    pub negated: bool,
}

/// A dependency file that a command writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DepfileAt {
    /// Where.
    pub path: RelPath,
    /// Whether `outputs` as written cover it. Otherwise what needs the step does not see it.
    pub is_declared: bool,
}

/// What one step declares to make.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Owned {
    /// The step, as `pipeline:step`.
    pub step: String,
    /// All of its instances' outputs, under all profiles.
    pub outputs: Vec<Output>,
}

/// Whether outputs take in a file at `path`.
pub fn cover(outputs: &[Output], path: &RelPath) -> bool {
    let covering = |negated| {
        let mut covering = outputs.iter().filter(|output| output.negated == negated);
        covering.any(|output| output.kind.covers(path))
    };
    covering(false) && !covering(true)
}

/// The three forms of an output.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum OutputKind {
    /// One file.
    File(RelPath),
    /// A folder and all in it (written with a trailing `/`).
    Folder(RelPath),
    /// Every file that matches.
    Glob(Pattern),
}

impl OutputKind {
    /// Whether a file at `path` is what this names, or in it.
    pub fn covers(&self, path: &RelPath) -> bool {
        match self {
            Self::File(file) => file == path,
            Self::Folder(folder) => path.is_in(folder),
            Self::Glob(pattern) => pattern.matches(path),
        }
    }
}

/// Takes in whatever the outputs cover; their flags do not count.
impl<'a> Extend<&'a Output> for PatternSet {
    fn extend<T: IntoIterator<Item = &'a Output>>(&mut self, outputs: T) {
        for output in outputs {
            match &output.kind {
                OutputKind::File(path) => self.insert_path(path),
                OutputKind::Folder(path) => self.insert_folder(path),
                OutputKind::Glob(pattern) => self.insert(pattern),
            }
        }
    }
}

impl<'a> FromIterator<&'a Output> for PatternSet {
    fn from_iter<T: IntoIterator<Item = &'a Output>>(outputs: T) -> Self {
        let mut set = Self::new();
        set.extend(outputs);
        set
    }
}

/// Whether and where results are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CacheMode {
    /// In the store; restored from it.
    Shared,
    /// Up to date when nothing changed since the last run here; never stored.
    Local,
    /// Always runs, because the step says so.
    Off,
    /// Always runs, because the step does not say what it reads.
    Undeclared,
    /// Always runs, because it is interactive.
    Interactive,
    /// Always runs, because it has secrets and does not ask to be cached.
    Secrets,
}

impl CacheMode {
    /// Whether an unchanged step is left alone.
    pub fn is_cached(self) -> bool {
        matches!(self, Self::Shared | Self::Local)
    }
}

/// Something that must hold before or after a command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What is looked at.
    pub kind: CheckKind,
    /// Tried again until this time is over.
    pub within: Option<Duration>,
    /// The time limit of one try.
    pub timeout: Duration,
    /// Said instead of the built-in words.
    pub message: Option<String>,
    /// Texts that are known only at the step's turn, in place of the empty ones above.
    pub late: LateTexts,
}

/// Texts of a check, beside its scripts, that are known only at a step's turn.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LateTexts {
    /// What paths in them are relative to.
    pub dir: RelPath,
    /// Which they are.
    pub texts: BTreeMap<CheckPart, Template>,
}

/// A text of a [`Check`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum CheckPart {
    /// The path, URL or address that is looked at.
    Subject,
    /// `matches`.
    Matches,
    /// `not_matches`.
    NotMatches,
    /// `message`.
    Message,
}

impl Check {
    /// The check with all texts but its scripts filled in.
    ///
    /// # Errors
    ///
    /// When an expression fails on the values of this turn, or its value leads nowhere.
    pub fn filled(&self, late: &Late) -> Result<Self, FillError> {
        let mut check = self.clone();
        let LateTexts { dir, texts } = std::mem::take(&mut check.late);
        if texts.is_empty() {
            return Ok(check);
        }
        let late = Late {
            dir,
            ..late.clone()
        };
        for (part, template) in texts {
            let text = template.fill(&late)?;
            let set = check.put(part, text, &late.dir);
            set.map_err(|reason| template.fault(reason))?;
        }
        Ok(check)
    }

    fn put(&mut self, part: CheckPart, text: String, dir: &RelPath) -> Result<(), String> {
        let place = match (part, &mut self.kind) {
            (CheckPart::Message, _) => self.message.as_mut(),
            (CheckPart::Subject, CheckKind::File { path, .. }) => {
                let found = RelPath::resolve(dir, &to_bytes(&text));
                *path = found.map_err(|error| format!("the path `{text}` {error}"))?;
                None
            }
            (
                CheckPart::Subject,
                CheckKind::Http { url: text, .. } | CheckKind::Tcp { address: text },
            ) => Some(text),
            (
                CheckPart::Matches,
                CheckKind::File { matches, .. }
                | CheckKind::Run { matches, .. }
                | CheckKind::Http { matches, .. },
            ) => matches.as_mut(),
            (CheckPart::NotMatches, CheckKind::Run { not_matches, .. }) => not_matches.as_mut(),
            // Other kinds have no such text.
            _ => None,
        };
        if let Some(place) = place {
            *place = text;
        }
        Ok(())
    }
}

/// The kinds of checks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum CheckKind {
    /// A file exists, with all that is said of it.
    File {
        /// Its path.
        path: RelPath,
        /// At least so many bytes.
        min_size: Option<u64>,
        /// At most so many bytes.
        max_size: Option<u64>,
        /// Whether the exec bit must be set (`true`) or unset (`false`).
        executable: Option<bool>,
        /// A regular expression on its contents.
        matches: Option<String>,
    },
    /// A command exits 0.
    Run {
        /// The script, in the step's shell, folder and environment.
        script: Template,
        /// A regular expression on what it prints.
        matches: Option<String>,
        /// The same, which must not match.
        not_matches: Option<String>,
    },
    /// A variable is set in the caller's environment or the step's own.
    Env {
        /// Its name.
        name: String,
    },
    /// A program is on the step's `PATH`.
    Tool {
        /// Its name.
        name: String,
        /// A semver requirement on the first version-like word of `NAME --version`.
        version: Option<String>,
        /// The script that prints the version instead.
        command: Option<Template>,
    },
    /// A URL answers.
    Http {
        /// Where.
        url: String,
        /// Good statuses; none means all from 200 to 299.
        status: Vec<u16>,
        /// A regular expression on what it answers.
        matches: Option<String>,
    },
    /// Something listens there.
    Tcp {
        /// `host:port`.
        address: String,
    },
}

impl CheckKind {
    /// The script that the check runs.
    pub fn script(&self) -> Option<&Template> {
        match self {
            Self::Run { script, .. } => Some(script),
            Self::Tool { command, .. } => command.as_ref(),
            Self::File { .. } | Self::Env { .. } | Self::Http { .. } | Self::Tcp { .. } => None,
        }
    }
}
