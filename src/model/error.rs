//! What can be wrong with a document whose shape is right.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// An error in the meaning of one pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Diagnostic)]
#[non_exhaustive]
pub enum ModelError {
    /// A name with characters that names cannot have.
    #[error("`{name}` cannot be the name of {what}")]
    #[diagnostic(
        code(pipe::model::bad_name),
        help("names are made of letters, digits, `_`, `-` and `.`, and do not begin with `-`")
    )]
    BadName {
        /// The name.
        name: String,
        /// What is named.
        what: &'static str,
        /// Where.
        #[label("this name")]
        span: Span,
    },
    /// A file without `name:`, whose place does not make a name.
    #[error("`{name}` cannot be the name of a pipeline")]
    #[diagnostic(
        code(pipe::model::bad_place_name),
        help(
            "without `name:` a pipeline is called as its file or folder is: add a `name:` of letters, digits, `_`, `-`, `.` and `/`"
        )
    )]
    BadPlaceName {
        /// The name of the file or folder.
        name: String,
        /// The start of the file.
        #[label("this file has no `name:`")]
        span: Span,
    },
    /// A duration, size, number or word that cannot be read.
    #[error("{message}")]
    #[diagnostic(code(pipe::model::bad_value))]
    BadValue {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A reference that cannot be read.
    #[error("{message}")]
    #[diagnostic(
        code(pipe::model::bad_reference),
        help("a reference is `pipeline:name@axis=value`, all but the name optional")
    )]
    BadReference {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this reference")]
        span: Span,
    },
    /// One name for a step and a target.
    #[error("`{name}` is both a step and a target")]
    #[diagnostic(
        code(pipe::model::step_and_target),
        help("steps and targets of a pipeline share one name space: rename one of them")
    )]
    StepAndTarget {
        /// The name.
        name: String,
        /// The target.
        #[label("the target")]
        target: Span,
        /// The step.
        #[label("the step")]
        step: Span,
    },
    /// Two pipelines of one name.
    #[error("two pipelines are called `{name}`")]
    #[diagnostic(
        code(pipe::model::duplicate_pipeline),
        help("give one of them another `name:`")
    )]
    DuplicatePipeline {
        /// The name.
        name: String,
        /// The first.
        #[label("one is here")]
        first: Span,
        /// The second.
        #[label("the other is here")]
        second: Span,
    },
    /// A `workspace:` key elsewhere than in the root's file.
    #[error("`workspace` can only stand in the root's `pipe.yaml`")]
    #[diagnostic(
        code(pipe::model::workspace_in_member),
        help(
            "this folder belongs to a workspace already: move the key to its root, or leave the folder out of `workspace.members`"
        )
    )]
    WorkspaceInMember {
        /// The key.
        #[label("not here")]
        span: Span,
    },
    /// A profile that a target names and its pipeline lacks.
    #[error("this pipeline has no profile `{name}`")]
    #[diagnostic(code(pipe::model::unknown_profile))]
    UnknownProfile {
        /// The name.
        name: String,
        /// Where.
        #[label("no such profile")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// A check that does not say what is looked at, or says two things.
    #[error("{message}")]
    #[diagnostic(
        code(pipe::model::bad_check),
        help(
            "a check has one of `file`, `run`, `http`, `tcp`, `env`, `tool`: `- {{ file: bin/app, executable: true }}`"
        )
    )]
    BadCheck {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this check")]
        span: Span,
    },
    /// Axis or step keys that clash with each other.
    #[error("{message}")]
    #[diagnostic(code(pipe::model::bad_step))]
    BadStep {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
}
