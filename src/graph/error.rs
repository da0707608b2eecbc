//! What can be wrong with references between steps.

use miette::{Diagnostic, LabeledSpan};
use thiserror::Error;

use crate::source::Span;

/// An error in how steps of the workspace refer to each other.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum GraphError {
    /// A reference leads to nothing.
    ///
    /// There is no such step, target or pipeline; the help names what is close.
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
    /// A step needs a target.
    ///
    /// Targets are for people; steps need steps. The help lists those of the target.
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
    /// No instance of a step fits what is asked for.
    ///
    /// A value that no axis has, an axis that the step does not have, or two steps whose shared
    /// axes never meet.
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
    /// A command names a file that its step reaches only through another step.
    ///
    /// The file is no input of the step: when it changes, the step may not run again. Name its
    /// maker in `needs`.
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
    /// Steps need each other in a circle.
    ///
    /// Every edge of the circle is shown at the place where it is written: a `needs`, an `after`,
    /// or a source that another step makes.
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
    /// A graph has more edges than it may have.
    ///
    /// Where very many instances each need very many others, a few lines mean millions of edges. A step with a `run` in
    /// between, which needs all of the one side and is needed by all of the other, needs only one edge for each.
    #[error("`{step}` needs {partners} instances here, which makes more than {most} edges in all")]
    #[diagnostic(
        code(pipe::graph::too_many_edges),
        help(
            "let one step with a `run` need all of them, and the others need that one; or give both steps an axis in common"
        )
    )]
    TooMany {
        /// The instance that needs.
        step: String,
        /// How many it needs here.
        partners: usize,
        /// How many edges there may be.
        most: usize,
        /// Where.
        #[label("needed here")]
        span: Span,
    },
    /// One path has two makers.
    ///
    /// Two steps of one target, or two instances of a step, write the same file. Both places are
    /// shown.
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
