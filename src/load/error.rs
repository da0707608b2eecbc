//! What can be wrong with files and folders before a file's text is looked at.

use miette::{Diagnostic, LabeledSpan};
use thiserror::Error;

use crate::source::Span;

/// What can be wrong before a file's text is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no pipeline file in this folder or any folder above it.
    ///
    /// A workspace begins where a `pipe.yaml` is. Change into its folder, name it with `-C`, or let
    /// `pipe init` write a first file.
    #[error("no pipeline file in `{folder}` or above it")]
    #[diagnostic(
        code(pipe::load::no_workspace),
        help("`pipe init` writes a first `pipe.yaml`; `-C DIR` names the folder that has one")
    )]
    NoWorkspace {
        /// Where the search began.
        folder: String,
    },
    /// A file or folder that should be read cannot be.
    ///
    /// Its name and place make it a pipeline file, but it is a folder, a link that leads nowhere,
    /// or not readable for you.
    #[error("cannot read `{path}`: {reason}")]
    #[diagnostic(
        code(pipe::load::unreadable),
        help("it is read as a pipeline for its name and place: put it right, or take it away")
    )]
    Unreadable {
        /// The path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The file is not UTF-8.
    ///
    /// Pipeline files are UTF-8 text. The place is the first byte that is not; an editor can save
    /// the file anew.
    #[error("this is not UTF-8")]
    #[diagnostic(code(pipe::load::not_utf8), help("save the file as UTF-8"))]
    NotUtf8 {
        /// The first byte that is wrong.
        #[label("from here on")]
        span: Span,
    },
    /// One file is there as `.yaml` and as `.yml`, or at two places that mean the same.
    ///
    /// It cannot be told which of them counts. Keep one.
    #[error("both `{first}` and `{second}` are there")]
    #[diagnostic(code(pipe::load::two_spellings), help("keep one of them"))]
    TwoSpellings {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A pipeline file around the caller is no part of the workspace above it.
    ///
    /// A folder above has a `workspace:` key, and neither its `members` nor its `pipelines/` take
    /// this file in.
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
    /// A member is the root of another workspace.
    ///
    /// It has a `pipelines/` of its own, so for those who stand in it, it would be another
    /// workspace than for all others.
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
    /// A pattern of `workspace.members` or `workspace.ignore` cannot be read.
    ///
    /// The patterns are those of `sources`; see [files](language/files.md).
    #[error("{message}")]
    #[diagnostic(code(pipe::load::bad_pattern))]
    BadPattern {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this pattern")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// `extends` names a template that is not there.
    ///
    /// A name is looked for in `workspace.templates` of the root's file; what holds a `/` or ends
    /// in `.yaml` is a file, relative to the one that extends it, or with `//` to the root.
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
    /// Templates extend each other in a circle.
    ///
    /// Each `extends` of the circle is shown. Take one away.
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
    /// Too many templates extend each other in a row.
    ///
    /// A chain this long is mostly a mistake of a program that writes pipeline files.
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
