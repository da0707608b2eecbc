//! Small print of names in expressions: where they stand, how values go under them, what is said
//! of one that does not exist. Knows no pipeline.

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::engine::{self, Fault};
use super::error::ExpandError;
use super::quote::Place;
use super::resolved::Dialect;
use super::scope::{Expanded, Known, Reader};
use super::segments::{Expression, Segment};
use super::template::Piece;
use super::value::Val;
use crate::parse::ValueDoc;
use crate::source::Span;
use crate::suggest::did_you_mean;

impl Expression {
    pub(super) fn names(&self) -> Expanded<Vec<Cow<'_, str>>> {
        engine::names(&self.text).map_err(|fault| self.error(fault))
    }

    pub(super) fn error(&self, fault: Fault) -> ExpandError {
        let Fault {
            message,
            help,
            is_syntax,
            range,
        } = fault;
        let span = range.map_or(self.span, |range| {
            self.span.part(range.start, range.len().max(1))
        });
        match is_syntax {
            true => ExpandError::Syntax {
                message,
                span,
                help,
            },
            false => ExpandError::Value {
                message,
                span,
                help,
            },
        }
    }

    pub(super) fn has_default(&self) -> bool {
        self.text.contains("default")
    }

    /// Where the dotted `name` stands in the expression.
    pub(super) fn span_of(&self, name: &str) -> Span {
        match self.text.find(name) {
            Some(at) => self.span.part(at, name.len()),
            None => self.span,
        }
    }
}

/// Whether an expression is a name of at most two parts: its value is the name's.
pub(super) fn is_whole_name(expression: &str) -> bool {
    engine::is_plain(expression) && expression.matches('.').count() <= 1
}

pub(super) fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

pub(super) fn undefined<'n>(
    name: &str,
    part: &str,
    known: impl Iterator<Item = &'n str>,
    span: Span,
) -> ExpandError {
    ExpandError::Undefined {
        name: name.to_owned(),
        span,
        help: did_you_mean(part, known),
    }
}

pub(super) fn refuse_outside(
    known: &Known,
    reader: Reader,
    expression: &Expression,
) -> Expanded<()> {
    match (&known.outside, reader) {
        (Some(name), Reader::Script(_)) => Err(ExpandError::OutsideText {
            name: name.clone(),
            span: expression.span,
        }),
        _ => Ok(()),
    }
}

/// Puts `value` where the dotted `name` will find it: `a.b` becomes `{a: {b: value}}`.
pub(super) fn insert(context: &mut BTreeMap<String, Val>, name: &str, value: Val) {
    let mut parts = name.split('.');
    let root = parts.next().unwrap_or_default();
    match parts.next() {
        // Deeper parts are members of the value itself.
        Some(member) if is_namespace(root) => {
            let entry = context
                .entry(root.to_owned())
                .or_insert_with(|| Val::Map(IndexMap::new()));
            if let Val::Map(map) = entry {
                map.insert(member.to_owned(), value);
            }
        }
        _ => {
            context.insert(root.to_owned(), value);
        }
    }
}

/// Makes `a` of an undefined `a.b` a map, so that only `b` is missing.
pub(super) fn insert_parents(context: &mut BTreeMap<String, Val>, name: &str) {
    let (root, dotted) = (root(name), name.contains('.'));
    if dotted && is_namespace(root) {
        context
            .entry(root.to_owned())
            .or_insert_with(|| Val::Map(IndexMap::new()));
    }
}

pub(super) fn is_namespace(root: &str) -> bool {
    matches!(
        root,
        "vars" | "matrix" | "env" | "git" | "host" | "step" | "pipeline" | "workspace"
    )
}

/// A value from the command line: it takes the declared value's type.
pub(super) fn typed_value(
    text: &str,
    declared: &ValueDoc,
    var: &str,
    span: Span,
) -> Expanded<Known> {
    let wrong = |message: String| ExpandError::value(format!("{var}={text}: {message}"), span);
    let value = match declared {
        ValueDoc::List(..) => {
            let words =
                shlex::split(text).ok_or_else(|| wrong("a quote is not closed".to_owned()))?;
            Val::List(words.into_iter().map(Val::Text).collect())
        }
        ValueDoc::Map(..) => {
            return Err(wrong("a map cannot be set on the command line".to_owned()));
        }
        doc => match (Val::of_doc(doc), text) {
            (Val::Bool(_), "true" | "false") => Val::Bool(text == "true"),
            (Val::Bool(_), _) => return Err(wrong("`true` or `false` is wanted".to_owned())),
            (Val::Int(_), text) => Val::Int(
                text.parse()
                    .map_err(|_| wrong("a whole number is wanted".to_owned()))?,
            ),
            _ => Val::Text(text.to_owned()),
        },
    };
    Ok(Known {
        value,
        outside: None,
        typed: true,
    })
}

pub(super) fn place(reader: Reader, context: super::shell::Context, typed: bool) -> Place {
    match reader {
        Reader::Early | Reader::Late => Place::Text,
        Reader::Pattern => Place::Pattern,
        Reader::Script(Dialect::Posix) if typed => Place::Typed(context),
        Reader::Script(Dialect::Posix) => Place::Posix(context),
        Reader::Script(Dialect::Python) => Place::Python,
        Reader::Script(Dialect::PowerShell) => Place::PowerShell,
        Reader::Script(Dialect::Other) => Place::Unknown,
    }
}

pub(super) fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// The literal text after a hole; another hole counts as a part of the same word.
pub(super) fn following(segments: &[Segment], index: usize) -> &str {
    match segments.get(index + 1) {
        Some(Segment::Text(text)) => text,
        Some(Segment::Expression(_)) => "x",
        None => "",
    }
}
