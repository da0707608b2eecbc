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
    /// The text is not YAML.
    ///
    /// The place is where it could not be read any further; the mistake is there or on the line
    /// before. Nothing else of the file is looked at until it is put right.
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
    /// A value needs quotes, because YAML reads it as something else.
    ///
    /// A leading `*`, `@`, `%` or backtick, a `: ` inside, `${{` between brackets: the help shows
    /// the line with its quotes.
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
    /// A line is indented with a tab.
    ///
    /// YAML takes spaces only. The help shows the line with as many as are likely meant.
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
    /// A quote or a bracket has no end.
    ///
    /// Shown are the place where it was opened and, if that is another, where it was noticed.
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
    /// A key is written twice in one map.
    ///
    /// Other readers of YAML let the last one win, in silence. Both places are shown.
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
    /// A key is not text.
    ///
    /// A list, a map or nothing cannot be a key.
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
    /// A value starts with `!`, which YAML reads as a tag.
    ///
    /// Entries that take something away, such as `!src/gen/**`, need quotes.
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
    /// An alias `*name` cannot be followed.
    ///
    /// There is no `&name` before it, or it stands inside of what it would repeat. A glob that
    /// starts with `*` needs quotes.
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
    /// A merge key `<<` is given something that is not a map.
    ///
    /// It takes a map, or a list of maps, mostly by way of aliases.
    #[error("`<<` merges maps, found {found}")]
    #[diagnostic(
        code(pipe::parse::merge),
        help("write `<<: *anchor` or `<<: [*one, *two]`, where the anchors are maps")
    )]
    Merge {
        /// What was found.
        found: &'static str,
        /// The `<<`.
        #[label("merged here")]
        key: Span,
        /// What was to be merged.
        #[label("not a map")]
        span: Span,
    },
    /// The file holds a second document.
    ///
    /// One file is one pipeline; `---` begins another one.
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
    /// The file starts with a `%` directive.
    ///
    /// Directives are of no use in a pipeline file and are not taken.
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
    /// The file is larger or deeper than any pipeline needs.
    ///
    /// Aliases that repeat aliases can make a few lines fill the memory; such files are refused
    /// instead of read.
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
    /// A key does not exist at this place.
    ///
    /// It is misspelt, belongs to another place, or is another tool's word for something; the help
    /// says which.
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
    /// A key of another system's build section is not read.
    ///
    /// What it asks for does not happen here. The build goes on without it.
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
    /// A value has the wrong shape.
    ///
    /// Text is wanted and a list found, or a number and text. Mostly a mistake in indentation, or
    /// quotes too many or too few.
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
    /// `null` removes an inherited entry, but nothing is inherited under this name.
    ///
    /// See `extends` in [targets and sharing](language/targets.md).
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
    /// The keys of a map do not make up a value.
    ///
    /// One is missing that the others need, or two exclude each other.
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
            | Self::Merge { key: span, .. }
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
