//! Why a step runs: reasons with what was and what is, for people and for machines. Knows the
//! fields of the key, no event and no disk.

use std::path::PathBuf;

use super::digest::Digest;
use super::encode::Field;
use super::entry::{Entry, Kind};
use super::wording::{clip, file_change, item_change, title, tool_change, variable_change, word};

/// Why a step's earlier result could not be taken as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MissReason {
    /// No run of it is remembered here.
    NeverRan,
    /// It has run here, and failed.
    Failed,
    /// Its last result was not kept: something it reads changed while it ran.
    NotKept,
    /// It differs from last time, and how is no longer known.
    Forgotten,
    /// The step says so: `cache: off`.
    Off,
    /// The step does not say what it reads.
    Undeclared,
    /// It is interactive.
    Interactive,
    /// It has secrets and does not ask to be cached.
    Secrets,
    /// Everything is to run (`-B`).
    Forced,
    /// The result in the store names another workspace's path.
    Bound {
        /// That workspace.
        root: PathBuf,
    },
    /// An output is not what was recorded.
    Output {
        /// The file.
        path: String,
        /// In which way.
        change: OutputChange,
    },
    /// A source file is another one.
    Source {
        /// The file.
        path: String,
        /// What it was; `None` if it was no source.
        old: Option<FileState>,
        /// What it is; `None` if it is no source any more.
        new: Option<FileState>,
    },
    /// A file that its depfile listed is another one.
    Discovered {
        /// The file.
        path: String,
        /// What it was; `None` if it was not listed.
        old: Option<FileState>,
        /// What it is; `None` if it is not listed any more.
        new: Option<FileState>,
    },
    /// A file that a needed step made is another one.
    Dependency {
        /// The step, as a person would type it.
        step: String,
        /// The file.
        path: String,
        /// What it was; `None` if it was no input.
        old: Option<FileState>,
        /// What it is; `None` if it is no input any more.
        new: Option<FileState>,
    },
    /// A declared variable is another one.
    Env {
        /// The variable.
        name: String,
        /// What it was; `None` if it was not declared.
        old: Option<Variable>,
        /// What it is; `None` if it is not declared any more.
        new: Option<Variable>,
    },
    /// A tool prints something else.
    Tool {
        /// Its name.
        name: String,
        /// The first line that it printed; `None` if it was not declared.
        old: Option<String>,
        /// The first line that it prints; `None` if it is not declared any more.
        new: Option<String>,
    },
    /// A name was added to `pass_env` or taken out.
    PassEnv {
        /// The name.
        name: String,
        /// Whether it is there now.
        added: bool,
    },
    /// Another field differs at one place.
    Item {
        /// The field.
        field: Field,
        /// The place in its list, from 0.
        at: usize,
        /// What stood there.
        old: Option<String>,
        /// What stands there.
        new: Option<String>,
    },
}

/// In which way an output is not what was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputChange {
    /// It is gone.
    Missing,
    /// It is another one.
    Edited,
    /// It was not made by the step.
    Extra,
}

/// A file in a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileState {
    /// What it is.
    pub kind: Kind,
    /// Whether it can be executed.
    pub exec: bool,
    /// Its content.
    pub digest: Digest,
}

/// A declared variable in a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Variable {
    /// It has this value.
    Set(String),
    /// It is taken away.
    Unset,
}

impl MissReason {
    /// A stable word for the kind of reason: `source`, `dependency`, `env`, `command`, ...
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NeverRan => "never_ran",
            Self::Failed => "failed",
            Self::NotKept => "not_kept",
            Self::Forgotten => "forgotten",
            Self::Off => "cache_off",
            Self::Undeclared => "undeclared",
            Self::Interactive => "interactive",
            Self::Secrets => "secrets",
            Self::Forced => "forced",
            Self::Bound { .. } => "bound",
            Self::Output { .. } => "output",
            Self::Source { .. } => "source",
            Self::Discovered { .. } => "discovered",
            Self::Dependency { .. } => "dependency",
            Self::Env { .. } => "env",
            Self::Tool { .. } => "tool",
            Self::PassEnv { .. } => "pass_env",
            Self::Item { field, .. } => word(*field),
        }
    }

    /// What it is about: a path, a variable, a step, a place in a list.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Output { path, .. }
            | Self::Source { path, .. }
            | Self::Discovered { path, .. }
            | Self::Dependency { path, .. } => Some(path.clone()),
            Self::Env { name, .. } | Self::Tool { name, .. } | Self::PassEnv { name, .. } => {
                Some(name.clone())
            }
            Self::Item { at, .. } => Some((at + 1).to_string()),
            Self::Bound { root } => Some(root.display().to_string()),
            Self::NeverRan
            | Self::Failed
            | Self::NotKept
            | Self::Forgotten
            | Self::Off
            | Self::Undeclared
            | Self::Interactive
            | Self::Secrets
            | Self::Forced => None,
        }
    }

    /// What it was.
    pub fn old(&self) -> Option<String> {
        match self {
            Self::Source { old, .. }
            | Self::Discovered { old, .. }
            | Self::Dependency { old, .. } => old.as_ref().map(FileState::text),
            Self::Env { old, .. } => old.as_ref().and_then(Variable::value),
            Self::Item { old, .. } | Self::Tool { old, .. } => old.clone(),
            _ => None,
        }
    }

    /// What it is.
    #[expect(
        clippy::new_ret_no_self,
        reason = "the counterpart of `old`, as events name it"
    )]
    pub fn new(&self) -> Option<String> {
        match self {
            Self::Source { new, .. }
            | Self::Discovered { new, .. }
            | Self::Dependency { new, .. } => new.as_ref().map(FileState::text),
            Self::Env { new, .. } => new.as_ref().and_then(Variable::value),
            Self::Item { new, .. } | Self::Tool { new, .. } => new.clone(),
            _ => None,
        }
    }

    /// The reason as a sentence fragment for people.
    pub fn text(&self) -> String {
        match self {
            Self::NeverRan => "it has not run here yet".to_owned(),
            Self::Failed => "its last run here failed".to_owned(),
            Self::NotKept => "its last result was not kept".to_owned(),
            Self::Forgotten => {
                "it is not what ran last time, and how it differs is no longer known".to_owned()
            }
            Self::Off => "`cache: off`: it always runs".to_owned(),
            Self::Undeclared => "it does not declare `sources`: it always runs".to_owned(),
            Self::Interactive => "it is `interactive`: it always runs".to_owned(),
            Self::Secrets => "it has `secrets` and no `cache`: it always runs".to_owned(),
            Self::Forced => "everything was asked to run again".to_owned(),
            Self::Bound { root } => {
                format!("the stored result holds the path `{}`", root.display())
            }
            Self::Output { path, change } => format!("output {}", change.text(path)),
            Self::Source { path, old, new } => format!("source {}", file_change(path, *old, *new)),
            Self::Discovered { path, old, new } => {
                format!("discovered input {}", file_change(path, *old, *new))
            }
            Self::Dependency {
                step,
                path,
                old,
                new,
            } => {
                format!("{} (made by `{step}`)", file_change(path, *old, *new))
            }
            Self::Env { name, old, new } => variable_change(name, old.as_ref(), new.as_ref()),
            Self::Tool { name, old, new } => tool_change(name, old.as_deref(), new.as_deref()),
            Self::PassEnv { name, added: true } => format!("`{name}` was added to `pass_env`"),
            Self::PassEnv { name, added: false } => format!("`{name}` was taken out of `pass_env`"),
            Self::Item {
                field,
                at,
                old,
                new,
            } => item_change(&title(*field, *at), old.as_deref(), new.as_deref()),
        }
    }
}

impl OutputChange {
    fn text(self, path: &str) -> String {
        match self {
            Self::Missing => format!("`{path}` is missing"),
            Self::Edited => format!("`{path}` was changed"),
            Self::Extra => format!("`{path}` was not made by it"),
        }
    }
}

impl FileState {
    /// What `entry` is.
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            kind: entry.kind,
            exec: entry.exec,
            digest: entry.digest,
        }
    }

    /// The content's digest in short, or what else it is.
    fn text(&self) -> String {
        let what = match self.kind {
            Kind::Absent => return "absent".to_owned(),
            Kind::EmptyFolder => return "empty folder".to_owned(),
            Kind::File => "",
            Kind::Link => "link ",
        };
        format!(
            "{what}{}{}",
            self.digest.short(),
            if self.exec { " executable" } else { "" }
        )
    }
}

impl Variable {
    fn value(&self) -> Option<String> {
        match self {
            Self::Set(value) => Some(value.clone()),
            Self::Unset => None,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Set(value) => format!("`{}`", clip(value)),
            Self::Unset => "unset".to_owned(),
        }
    }
}
