//! What is told about another system's file beside its shape.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// An error in another system's file, or, by its severity, a warning: something in a build section
/// that does not do what it seems to.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum DialectError {
    /// An `app.json` is not JSON.
    ///
    /// Its `build` section is read as a pipeline, so the file must be one that a JSON parser takes.
    #[error("this is no JSON: {what}")]
    #[diagnostic(
        code(pipe::dialect::json),
        help("nothing is built until the file can be read")
    )]
    Json {
        /// What the parser says.
        what: String,
        /// Where it stopped.
        #[label("here")]
        span: Span,
    },
    /// `flags` stand beside a `command` and do nothing.
    ///
    /// They belong to the Go build that stands in for a missing `command`.
    #[error("`flags` are not used: there is a `command`")]
    #[diagnostic(
        code(pipe::dialect::flags),
        severity(Warning),
        help(
            "flags belong to the Go build that stands in for a missing `command`: write them into the command, or take one of the two away"
        )
    )]
    FlagsNotUsed {
        /// The flags.
        #[label("not used")]
        flags: Span,
        /// The command.
        #[label("because of this")]
        command: Span,
    },
    /// A file among the sources is not there.
    ///
    /// Other systems pass such entries by, so this is a warning, not an error.
    #[error("there is no file `{path}`")]
    #[diagnostic(code(pipe::dialect::no_file), severity(Warning))]
    NoFile {
        /// The file as written.
        path: String,
        /// Where.
        #[label("passed by")]
        span: Span,
        /// Where there is one.
        #[help]
        help: String,
    },
}
