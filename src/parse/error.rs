//! What can be wrong with a pipeline file before its meaning is looked at.
//!
//! Each error names its places and carries its help; this file does not know how they are found.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// An error (or, by its severity, a warning) in the text or the shape of a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Diagnostic)]
#[non_exhaustive]
pub enum ParseError {
    /// The text is no YAML.
    #[error("{what}")]
    #[diagnostic(code(pipe::parse::syntax))]
    Syntax {
        /// What the parser says.
        what: String,
        /// Where it stopped.
        #[label("here")]
        span: Span,
        /// What could be done.
        #[help]
        help: Option<String>,
    },
    /// A value that YAML reads as something else unless it is quoted.
    #[error("{what}")]
    #[diagnostic(code(pipe::parse::quote))]
    NeedsQuotes {
        /// The trap, by name.
        what: String,
        /// The value.
        #[label("this needs quotes")]
        span: Span,
        /// The corrected line.
        #[help]
        help: String,
    },
    /// A tab where YAML takes spaces only.
    #[error("a tab in the indentation: YAML takes spaces only")]
    #[diagnostic(code(pipe::parse::tab))]
    Tab {
        /// The tab.
        #[label("a tab")]
        span: Span,
        /// The corrected line.
        #[help]
        help: String,
    },
    /// A quote or bracket without its end.
    #[error("`{open}` is never closed")]
    #[diagnostic(code(pipe::parse::unclosed))]
    Unclosed {
        /// What was opened.
        open: char,
        /// Where.
        #[label("opened here")]
        opened: Span,
        /// Where the parser saw that something is wrong; none at the end of the file.
        #[label("noticed here")]
        noticed: Option<Span>,
        /// The corrected line.
        #[help]
        help: String,
    },
    /// One key twice in one map.
    #[error("key `{key}` is written twice")]
    #[diagnostic(
        code(pipe::parse::duplicate_key),
        help("a map has each key once: remove or rename one of the two")
    )]
    DuplicateKey {
        /// The key.
        key: String,
        /// Its first place.
        #[label("first here")]
        first: Span,
        /// Its second place.
        #[label("again here")]
        second: Span,
    },
    /// A key that is a map or a list, or nothing.
    #[error("a key must be text, found {found}")]
    #[diagnostic(code(pipe::parse::key))]
    KeyNotText {
        /// What was found.
        found: &'static str,
        /// Where.
        #[label("not text")]
        span: Span,
        /// What could be done.
        #[help]
        help: Option<String>,
    },
    /// A tag outside YAML's core schema.
    #[error("unknown tag `{tag}`")]
    #[diagnostic(code(pipe::parse::tag))]
    UnknownTag {
        /// The tag as written.
        tag: String,
        /// Where.
        #[label("YAML reads a leading `!` as a tag")]
        span: Span,
        /// The line with the value quoted.
        #[help]
        help: String,
    },
    /// An alias that cannot be followed.
    #[error("{what}")]
    #[diagnostic(code(pipe::parse::alias))]
    Alias {
        /// What is wrong with it.
        what: String,
        /// Where it stands.
        #[label("this alias")]
        span: Span,
        /// What could be done.
        #[help]
        help: Option<String>,
    },
    /// A merge key with something that cannot be merged.
    #[error("`<<` merges maps, found {found}")]
    #[diagnostic(
        code(pipe::parse::merge),
        help("write `<<: *anchor` or `<<: [*one, *two]`, where the anchors are maps")
    )]
    Merge {
        /// What was found.
        found: &'static str,
        /// Where.
        #[label("not a map")]
        span: Span,
    },
    /// A second document in the file.
    #[error("a second document: one file is one pipeline")]
    #[diagnostic(
        code(pipe::parse::documents),
        help("put what follows `---` into a file of its own")
    )]
    Documents {
        /// Where it starts.
        #[label("the second document starts here")]
        span: Span,
    },
    /// A `%` directive.
    #[error("YAML directives are not taken")]
    #[diagnostic(
        code(pipe::parse::directive),
        help("remove the line that starts with `%`")
    )]
    Directive {
        /// The directive.
        #[label("a directive")]
        span: Span,
    },
    /// A budget is used up.
    #[error("the file {what}")]
    #[diagnostic(
        code(pipe::parse::budget),
        help(
            "no pipeline needs that much: look for aliases that repeat each other, or split the file"
        )
    )]
    Budget {
        /// Which budget.
        what: String,
        /// Where it was used up.
        #[label("here")]
        span: Span,
    },
    /// A key that does not exist at this place.
    #[error("unknown key `{key}` in {place}")]
    #[diagnostic(code(pipe::parse::unknown_key))]
    UnknownKey {
        /// The key.
        key: String,
        /// In what.
        place: &'static str,
        /// Where.
        #[label("not a key here")]
        span: Span,
        /// What may have been meant.
        #[help]
        help: Option<String>,
    },
    /// A key of another system's file that nothing is made of.
    #[error("`{key}` in {place} is not read")]
    #[diagnostic(code(pipe::parse::key_not_read), severity(Warning))]
    KeyNotRead {
        /// The key.
        key: String,
        /// In what.
        place: &'static str,
        /// Where.
        #[label("passed by")]
        span: Span,
        /// What may have been meant.
        #[help]
        help: String,
    },
    /// A value of the wrong shape.
    #[error("{wanted} wanted, found {found}")]
    #[diagnostic(code(pipe::parse::wrong_type))]
    WrongType {
        /// What the place takes.
        wanted: &'static str,
        /// What was found.
        found: String,
        /// Where.
        #[label("{wanted} wanted")]
        span: Span,
        /// What could be written.
        #[help]
        help: Option<String>,
    },
    /// A `null` that removes nothing.
    #[error("`{key}` is not inherited, so there is nothing to remove")]
    #[diagnostic(code(pipe::parse::nothing_to_remove))]
    NothingToRemove {
        /// The key.
        key: String,
        /// Where.
        #[label("the template has no such entry")]
        span: Span,
        /// What it has.
        #[help]
        help: String,
    },
    /// Keys that do not make up a value: one too few, or two that exclude each other.
    #[error("{what}")]
    #[diagnostic(code(pipe::parse::value))]
    Value {
        /// What is wrong.
        what: String,
        /// Where.
        #[label("here")]
        span: Span,
        /// What could be written.
        #[help]
        help: String,
    },
}

impl ParseError {
    /// Where a person looks first.
    pub fn span(&self) -> Span {
        match self {
            Self::Syntax { span, .. }
            | Self::NeedsQuotes { span, .. }
            | Self::Tab { span, .. }
            | Self::Unclosed { opened: span, .. }
            | Self::DuplicateKey { second: span, .. }
            | Self::KeyNotText { span, .. }
            | Self::UnknownTag { span, .. }
            | Self::Alias { span, .. }
            | Self::Merge { span, .. }
            | Self::Documents { span }
            | Self::Directive { span }
            | Self::Budget { span, .. }
            | Self::UnknownKey { span, .. }
            | Self::KeyNotRead { span, .. }
            | Self::WrongType { span, .. }
            | Self::NothingToRemove { span, .. }
            | Self::Value { span, .. } => *span,
        }
    }
}
