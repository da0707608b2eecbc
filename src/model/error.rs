//! What can be wrong with a document whose shape is right.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// Why a text cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl Complaint {
    /// `message`, and `help` against it.
    pub(super) fn new(message: String, help: impl Into<String>) -> Self {
        let help = help.into();
        Self { message, help }
    }
}

/// An error in the meaning of one pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Diagnostic)]
#[non_exhaustive]
pub enum ModelError {
    /// A name has characters that names cannot have.
    ///
    /// Names stand on the command line and in references, where `:`, `@`, `=` and spaces have a
    /// meaning.
    #[error("`{name}` cannot be the name of {what}")]
    #[diagnostic(
        code(pipe::model::bad_name),
        help(
            "names are made of letters, digits, {signs}, and do not begin with `-`",
            signs = match *what {
                "a pipeline" => "`_`, `-`, `.` and `/`",
                _ => "`_`, `-` and `.`",
            }
        )
    )]
    BadName {
        /// The name.
        name: String,
        /// What is named, with its article.
        what: &'static str,
        /// Where.
        #[label("this name")]
        span: Span,
    },
    /// A file without `name:` stands at a place that makes no name.
    ///
    /// Without `name:` a pipeline is called as its file or folder is.
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
    /// A duration, size, number, word or pattern cannot be read.
    ///
    /// The help shows how it is written.
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
        help: String,
    },
    /// A reference to a step or target cannot be read.
    ///
    /// `build` is a step of this pipeline, `api:build` of another, `build@os=linux` one instance,
    /// `api:` the default target of a pipeline.
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
    /// A step and a target of one pipeline have one name.
    ///
    /// `pipe run NAME` could mean both. Both places are shown.
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
    /// Two pipelines have one name.
    ///
    /// A name comes from `name:` or from the folder or file. Both places are shown.
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
    /// The key `workspace` stands in a file that is not the root's.
    ///
    /// A folder of its own root cannot be a member of another workspace at the same time.
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
    /// A target asks for a profile that its pipeline does not have.
    ///
    /// Profiles belong to pipelines: each has those under its own `profiles:`.
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
    /// A check of `requires` or `verify` does not say what is looked at, or says two things.
    ///
    /// Exactly one of its keys is the subject; the others say what must be true of it.
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
    /// Keys of a step do not go together.
    ///
    /// Such as `outputs` without `run`, or an axis without values.
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
    /// A step without a command, or a target, that stands for no steps.
    ///
    /// Often a line is missing, or stands in the wrong place: it could only ever do nothing.
    #[error("the {what} `{name}` has nothing to do")]
    #[diagnostic(code(pipe::model::nothing_to_do))]
    NothingToDo {
        /// Step or target.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it stands.
        #[label("nothing comes of it")]
        span: Span,
        /// What to do.
        #[help]
        help: &'static str,
    },
}
