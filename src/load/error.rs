//! What can be wrong with files and folders before a file's text is looked at.

use miette::{Diagnostic, LabeledSpan};
use thiserror::Error;

use crate::source::Span;

/// What can be wrong before a file's text is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum LoadError {
    /// No workspace here.
    #[error("no pipeline file in `{folder}` or above it")]
    #[diagnostic(
        code(pipe::load::no_workspace),
        help("`pipe init` writes a first `pipe.yaml`; `-C DIR` names the folder that has one")
    )]
    NoWorkspace {
        /// Where the search began.
        folder: String,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    #[diagnostic(code(pipe::load::unreadable))]
    Unreadable {
        /// The path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Text that is not UTF-8.
    #[error("this is not UTF-8")]
    #[diagnostic(code(pipe::load::not_utf8), help("save the file as UTF-8"))]
    NotUtf8 {
        /// The first byte that is wrong.
        #[label("from here on")]
        span: Span,
    },
    /// `x.yaml` beside `x.yml`.
    #[error("both `{first}` and `{second}` are there")]
    #[diagnostic(code(pipe::load::two_spellings), help("keep one of them"))]
    TwoSpellings {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A pipeline file around the caller that is no part of the workspace.
    #[error("`{file}` is no part of the workspace around it")]
    #[diagnostic(
        code(pipe::load::not_a_member),
        help(
            "add `{folder}` to `workspace.members` of the root's `pipe.yaml` (or `!{folder}`, to pass it by), or use it alone with `-f`"
        )
    )]
    NotAMember {
        /// The file.
        file: String,
        /// Its folder.
        folder: String,
    },
    /// A member that is a workspace of its own for those who stand in it.
    #[error(
        "the member `{folder}` is the root of another workspace: it has `pipelines/` of its own"
    )]
    #[diagnostic(
        code(pipe::load::nested_root),
        help(
            "leave it out with `!{folder}` in `workspace.members`, or move its pipelines to this root's `pipelines/`"
        )
    )]
    NestedRoot {
        /// The member.
        folder: String,
    },
    /// A pattern of `members` or `ignore` that cannot be read.
    #[error("{message}")]
    #[diagnostic(code(pipe::load::bad_pattern))]
    BadPattern {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this pattern")]
        span: Span,
    },
    /// `extends` names something that is not there.
    #[error("{message}")]
    #[diagnostic(code(pipe::load::unknown_template))]
    UnknownTemplate {
        /// What is not there.
        message: String,
        /// The value of `extends`.
        #[label("no such template")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// Templates that extend each other.
    #[error("templates that extend each other: {circle}")]
    #[diagnostic(
        code(pipe::load::extends_circle),
        help("take one of these `extends` away")
    )]
    ExtendsCircle {
        /// `a → b → a`.
        circle: String,
        /// Where each `extends` is written.
        #[label(collection, "extended here")]
        places: Vec<LabeledSpan>,
    },
    /// A chain of templates that is too long.
    #[error("more than {most} templates extend each other in a row")]
    #[diagnostic(
        code(pipe::load::extends_chain),
        help("put what they share into fewer templates")
    )]
    ExtendsChain {
        /// The longest chain.
        most: usize,
        /// Where it goes on.
        #[label("one too many")]
        span: Span,
    },
}
