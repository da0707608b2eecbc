//! What can be wrong with expressions, matrices and what they expand to.

use miette::Diagnostic;
use thiserror::Error;

use crate::parse::DotenvFault;
use crate::source::Span;

/// An error (or, by its severity, a warning) found while pipelines are expanded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Diagnostic)]
#[non_exhaustive]
pub enum ExpandError {
    /// An expression `${{ … }}` cannot be read.
    ///
    /// It is not closed, empty, or not written in the language of expressions.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::syntax))]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this expression")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// An expression uses a name that does not exist here.
    ///
    /// The help names what is close to it, or what there is.
    #[error("`{name}` is not defined")]
    #[diagnostic(code(pipe::expand::undefined))]
    Undefined {
        /// The name.
        name: String,
        /// Where.
        #[label("not defined")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// A step asks for a pool that the workspace does not have.
    ///
    /// Pools are declared in `workspace.pools` of the root's file.
    #[error("there is no pool `{name}`")]
    #[diagnostic(code(pipe::expand::unknown_pool))]
    Pool {
        /// The name.
        name: String,
        /// Where.
        #[label("no such pool")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// Values need each other in a circle.
    ///
    /// A variable is made of another one that is made of the first.
    #[error("values that need each other: {circle}")]
    #[diagnostic(
        code(pipe::expand::circle),
        help("give one of them a value of its own")
    )]
    Circle {
        /// `vars.a → vars.b → vars.a`.
        circle: String,
        /// Where one of them is used.
        #[label("used here")]
        span: Span,
    },
    /// A name is used in a place that is read before its value is known.
    ///
    /// `stamp.*`, `sources` and `needs.*.outputs` are known at the step's turn: they can stand in
    /// `run`, `env` and `verify`.
    #[error("`{name}` is known only when the step runs")]
    #[diagnostic(
        code(pipe::expand::too_early),
        help("it can stand in `run`, `env` and `verify`")
    )]
    TooEarly {
        /// The name.
        name: String,
        /// Where.
        #[label("not known yet")]
        span: Span,
    },
    /// `env.X` stands in a script.
    ///
    /// There the environment is the shell's own; the value is in `$X`.
    #[error("in a script, the environment is the shell's own")]
    #[diagnostic(code(pipe::expand::env_in_run), help("write `\"${name}\"`"))]
    EnvInRun {
        /// The variable.
        name: String,
        /// Where.
        #[label("not here")]
        span: Span,
    },
    /// Text from outside of the repository would become part of a script.
    ///
    /// A branch may be called `$(rm -rf ~)`. Whatever way such text takes, it reaches a script only
    /// as a variable of the environment.
    #[error("`{name}` comes from outside the repository and cannot stand in a script")]
    #[diagnostic(
        code(pipe::expand::outside_text),
        help(
            "a shell would run what is in it; pass it as a variable instead:\n  env: {{ VALUE: \"${{{{ {name} }}}}\" }}\nand write `\"$VALUE\"` in the script"
        )
    )]
    OutsideText {
        /// The name.
        name: String,
        /// Where.
        #[label("outside text")]
        span: Span,
    },
    /// An expression has a value that cannot stand where it is, or none at all.
    ///
    /// A list inside of a word or in quotes, a condition that is neither true nor false, a filter
    /// on the wrong kind of value.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::value))]
    Value {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A path leads out of the workspace, is absolute, or cannot be what it is used as.
    ///
    /// Paths are relative to the pipeline's folder; `//x` is relative to the root.
    #[error("the path `{path}` {reason}")]
    #[diagnostic(
        code(pipe::expand::path),
        help(
            "paths are relative to the pipeline's folder; `//x` is relative to the workspace root; none may leave the workspace"
        )
    )]
    Path {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
        /// Where.
        #[label("this path")]
        span: Span,
    },
    /// An output is something that no step may make.
    ///
    /// What belongs to git or to `pipe`, pipeline files, and the whole workspace: a step's outputs are taken away before it runs.
    #[error("the path `{path}` {reason} and cannot be an output")]
    #[diagnostic(
        code(pipe::expand::no_output),
        help(
            "outputs are taken away before the step runs again: name files or a folder that it alone makes, such as `dist/`; a step that changes other files goes without `outputs`"
        )
    )]
    NoOutput {
        /// The path.
        path: String,
        /// What is wrong.
        reason: String,
        /// Where.
        #[label("this path")]
        span: Span,
    },
    /// A pattern cannot be read.
    ///
    /// See [files](language/files.md) for what patterns can say.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::glob))]
    Glob {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("in this pattern")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// A dotenv file is not there, cannot be read, or would come too late.
    ///
    /// Such files are read before the first step runs, so no step can make one for another.
    #[error("the dotenv file `{path}` {reason}")]
    #[diagnostic(code(pipe::expand::env_file))]
    EnvFile {
        /// Its path from the root.
        path: String,
        /// What is wrong.
        reason: String,
        /// The entry of `env_files`.
        #[label("to be read here")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// A line of a dotenv file cannot be read.
    ///
    /// The place is in that file.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::dotenv))]
    Dotenv {
        /// What is wrong.
        message: String,
        /// The place in the dotenv file.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: &'static str,
    },
    /// A value in a dotenv file looks as if something should be filled in.
    ///
    /// Other readers fill in `$NAME`; here the value is what stands in the file.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::dotenv_reference), severity(Warning))]
    DotenvReference {
        /// What it is about.
        message: String,
        /// The place in the dotenv file.
        #[label("as it stands")]
        span: Span,
        /// What to do.
        #[help]
        help: &'static str,
    },
    /// A variable that a script reads, the caller has set, and the step does not see.
    #[error("`${name}` is set by the caller, but this step does not see it")]
    #[diagnostic(
        code(pipe::expand::undeclared_variable),
        severity(Warning),
        help(
            "take the caller's value, and run again when it changes: `env: {{ {name}: {{ from: caller }} }}`; or hand it through without that: `pass_env: [{name}]`"
        )
    )]
    UndeclaredVariable {
        /// The variable.
        name: String,
        /// Where a script reads it.
        #[label("not declared")]
        span: Span,
    },
    /// A cached step that sees the caller's whole environment.
    #[error(
        "this step is cached and sees the caller's whole environment, of which its key knows nothing"
    )]
    #[diagnostic(
        code(pipe::expand::inherited_env),
        severity(Warning),
        help(
            "declare what it needs, `env: {{ CC: {{ from: caller }} }}` or `pass_env: [NAME]`, and leave `env_policy` out; or do not cache it: `cache: off`"
        )
    )]
    InheritedEnv {
        /// The policy.
        #[label("everything is handed through")]
        span: Span,
    },
    /// A matrix has more combinations than are allowed.
    ///
    /// They are counted before any is made. Where so many are meant, `max_instances` says so.
    #[error("the matrix of `{step}` has {count} combinations; more than {most} are refused")]
    #[diagnostic(code(pipe::expand::too_many))]
    TooMany {
        /// The step.
        step: String,
        /// How many.
        count: u64,
        /// How many there may be.
        most: u64,
        /// The matrix' first axis.
        #[label("multiplied with the other axes")]
        span: Span,
        /// What to do.
        #[help]
        help: String,
    },
    /// Two values of an axis have one name.
    ///
    /// A value's name is its text, or the `name` of a map. Both places are shown.
    #[error("two values of the axis `{axis}` are named `{name}`")]
    #[diagnostic(
        code(pipe::expand::same_name),
        help("instances are told apart by these names: give each its own")
    )]
    SameName {
        /// The axis.
        axis: String,
        /// The name.
        name: String,
        /// The first value, unless one expression makes both.
        #[label("one is here")]
        first: Option<Span>,
        /// The second.
        #[label("named `{name}` too")]
        second: Span,
    },
    /// The steps expand to more than fits into memory.
    ///
    /// A few lines can make very much: long values that many instances share, the environment of very many steps,
    /// large axis values. What all instances of a run hold together has a limit.
    #[error("the steps expand to more than fits into memory")]
    #[diagnostic(
        code(pipe::expand::too_much),
        help(
            "long values, environments or lists that many instances share make them large: give each only what it uses"
        )
    )]
    TooMuch {
        /// Where that showed.
        #[label("too much with this one")]
        span: Span,
    },
    /// A glob of `sources` matches no file.
    ///
    /// It is misspelt, or means files that are no sources: what is ignored, and what steps make, is never
    /// matched.
    #[error("`{pattern}` matches no file")]
    #[diagnostic(code(pipe::expand::no_file), severity(Warning))]
    NoFile {
        /// The glob, relative to the root.
        pattern: String,
        /// Where.
        #[label("no file")]
        span: Span,
        /// What could be done.
        #[help]
        help: String,
    },
    /// The glob of an axis matches no file, so the step has no instance.
    ///
    /// Globs see files that are there when the run starts, and nothing that a step makes.
    #[error("the axis `{axis}` matches no file, so `{step}` has no instance")]
    #[diagnostic(
        code(pipe::expand::empty_axis),
        severity(Warning),
        help("globs of axes are looked at when the run starts, and never match what a step makes")
    )]
    EmptyAxis {
        /// The axis.
        axis: String,
        /// The step.
        step: String,
        /// The glob.
        #[label("no file")]
        span: Span,
    },
    /// `exclude` leaves no instance of a step.
    ///
    /// A step that should not always run says so with `if`.
    #[error("`exclude` takes every instance of `{step}` away")]
    #[diagnostic(
        code(pipe::expand::empty_matrix),
        help(
            "leave one instance, or take the step out; a step that is to be skipped says so with `if`"
        )
    )]
    EmptyMatrix {
        /// The step.
        step: String,
        /// The last entry of `exclude`.
        #[label("with this, nothing is left")]
        span: Span,
    },
    /// `exclude` names something that is no axis.
    ///
    /// It can only name axes of its matrix.
    #[error("`{name}` is no axis of this matrix")]
    #[diagnostic(code(pipe::expand::unknown_axis))]
    UnknownAxis {
        /// The name.
        name: String,
        /// Where.
        #[label("no such axis")]
        span: Span,
        /// What there is.
        #[help]
        help: String,
    },
    /// One key rules another out.
    ///
    /// Such as an `output` that is a pattern, which a script cannot write to, or a variable that is
    /// a secret and declared in `env` too.
    #[error("{message}")]
    #[diagnostic(code(pipe::expand::bad_key))]
    BadKey {
        /// What is wrong.
        message: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What to do.
        #[help]
        help: Option<String>,
    },
}

impl ExpandError {
    /// What is wrong or doubtful in a dotenv file whose text is at `file`.
    pub(super) fn of_dotenv(fault: &DotenvFault, file: Span) -> Self {
        let (message, help) = (fault.message.clone(), fault.help);
        let span = file.part(fault.range.start, fault.range.len());
        match fault.is_warning {
            true => Self::DotenvReference {
                message,
                span,
                help,
            },
            false => Self::Dotenv {
                message,
                span,
                help,
            },
        }
    }

    /// Whether what it is about can run all the same.
    pub fn is_warning(&self) -> bool {
        self.severity() == Some(miette::Severity::Warning)
    }

    /// All together is more than can be expanded; `span` is where that showed.
    pub(super) fn too_much(span: Span) -> Self {
        Self::TooMuch { span }
    }

    /// A value that is wrong: `message` is `what is wrong: what to do`.
    pub(super) fn value(message: String, span: Span) -> Self {
        let (message, help) = match message.rsplit_once(": ") {
            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
            None => (message, None),
        };
        Self::Value {
            message,
            span,
            help,
        }
    }
}
