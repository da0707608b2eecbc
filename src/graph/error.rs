//! What can be wrong with references between steps.

use miette::{Diagnostic, LabeledSpan};
use thiserror::Error;

use crate::source::Span;

/// An error in how steps of the workspace refer to each other.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum GraphError {
    /// A reference to nothing.
    #[error("there is no {what} `{name}`")]
    #[diagnostic(code(pipe::graph::unknown_reference))]
    Unknown {
        /// `step`, `step or target` or `pipeline`.
        what: &'static str,
        /// The name.
        name: String,
        /// Where.
        #[label("no such {what}")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// A target where only a step can stand.
    #[error("`{name}` is a target, and steps can only need steps")]
    #[diagnostic(code(pipe::graph::needs_target))]
    Target {
        /// The name.
        name: String,
        /// Where.
        #[label("a target")]
        span: Span,
        /// The steps that it lists.
        #[help]
        help: String,
    },
    /// A reference that no instance fits.
    #[error("no instance of `{step}` fits `{wanted}`")]
    #[diagnostic(code(pipe::graph::no_instance))]
    NoInstance {
        /// The step.
        step: String,
        /// What was asked for.
        wanted: String,
        /// Where.
        #[label("fits none")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// A command that names what its step reaches only through another one.
    #[error(
        "`{step}` names `{path}`, which `{maker}` makes, and needs `{maker}` only by way of others"
    )]
    #[diagnostic(code(pipe::graph::indirect), severity(Warning))]
    Indirect {
        /// The step.
        step: String,
        /// What its command names.
        path: String,
        /// Who makes that.
        maker: String,
        /// The step's name.
        #[label("`{path}` is no input of this step")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// Steps that need each other.
    #[error("steps that need each other: {circle}")]
    #[diagnostic(
        code(pipe::graph::cycle),
        help("take one of these edges away, or split a step in two")
    )]
    Cycle {
        /// `api:a → api:b → api:a`.
        circle: String,
        /// Where each edge is written.
        #[label(collection, "needed here")]
        edges: Vec<LabeledSpan>,
    },
    /// Two instances that make one path.
    #[error("`{path}` is made twice: by `{first}` and by `{second}`")]
    #[diagnostic(code(pipe::graph::output_clash))]
    OutputClash {
        /// The path.
        path: String,
        /// One maker.
        first: String,
        /// The other.
        second: String,
        /// Where the first says so, and the second, if elsewhere.
        #[label(collection, "made here")]
        places: Vec<LabeledSpan>,
        /// What to do.
        #[help]
        help: String,
    },
}
