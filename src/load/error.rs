//! What can be wrong with files and folders before a file's text is looked at.

use miette::Diagnostic;
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
}
