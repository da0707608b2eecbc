//! Small print of names in expressions: where they stand, how values go under them, what is said
//! of one that does not exist. Knows no pipeline.

use std::ops::Range;

use indexmap::IndexSet;

use super::engine::Fault;
use super::error::ExpandError;
use super::quote::{Misfit, Place};
use super::resolved::Dialect;
use super::scope::{Expanded, Known, Reader, Typed};
use super::segments::{Expression, Segment};
use super::shell::Context;
use super::template::Piece;
use super::uses::{Use, is_quoted};
use super::value::Val;
use crate::parse::ValueDoc;
use crate::source::Span;
use crate::suggest::{closest, did_you_mean, listing};

impl Expression {
    pub(super) fn error(&self, fault: Fault) -> ExpandError {
        let Fault {
            message,
            help,
            is_syntax,
            range,
        } = fault;
        let span = range.map_or(self.span, |range| {
            self.part(&(range.start..range.end.max(range.start + 1)))
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

    /// What the command line set of its value, where it set `typed` of what `uses` name.
    pub(super) fn typed(&self, typed: Typed, uses: &[Use]) -> Typed {
        match typed {
            Typed::Nothing => Typed::Nothing,
            typed if matches!(uses, [one] if one.range == (0..self.text.len())) => typed,
            _ if is_quoted(&self.text, uses) => Typed::Words,
            _ => Typed::Text,
        }
    }

    /// Where a part of it stands.
    pub(super) fn part(&self, range: &Range<usize>) -> Span {
        match self.is_exact {
            true => self.span.part(range.start, range.len()),
            false => self.span,
        }
    }
}

/// Where in a value the rest of a name, from its part `at` on, leads.
pub(super) fn field(value: &Val, one: &Use, at: usize, span: Span) -> Expanded<Option<Val>> {
    let Some(part) = one.parts.get(at) else {
        return Ok(Some(value.clone()));
    };
    match value {
        Val::Map(map) => match map.get(&**part) {
            Some(inner) => field(inner, one, at + 1, span),
            None if one.defaulted => Ok(None),
            None => Err(undefined(
                &one.name(),
                part,
                map.keys().map(String::as_str),
                span,
            )),
        },
        _ => Err(ExpandError::Undefined {
            name: one.name(),
            span,
            help: format!(
                "`{}` is no map: it has no `{part}`",
                Use {
                    parts: one.parts[..at].to_vec(),
                    ..one.clone()
                }
                .name()
            ),
        }),
    }
}

pub(super) fn no_value_itself(write: &str, one: &Use, span: Span) -> ExpandError {
    ExpandError::value(
        format!("`{}` is no value by itself: write `{write}`", one.name()),
        span,
    )
}

/// A value that cannot be written where it stands, with the way out.
pub(super) fn misfit(fault: &Misfit, expression: &Expression) -> ExpandError {
    ExpandError::Value {
        message: fault.to_string(),
        span: expression.span,
        help: Some(fault.help(&expression.text)),
    }
}

/// A name of another tool's expressions, or of one of ours that no run has yet.
pub(super) fn foreign(one: &Use) -> Option<String> {
    let help = match (one.root(), one.member()) {
        ("trigger", _) => {
            "no trigger started this run; give it a value for such runs: `trigger.X | default('...')`"
        }
        ("github", Some("sha")) => "here it is `git.commit`",
        ("github", Some("ref_name" | "ref" | "head_ref")) => {
            "here it is `git.branch`, or `git.tag`"
        }
        ("github", _) => "the facts of the checkout are `git.commit`, `git.branch` and `git.tag`",
        ("runner", Some("arch")) => "here it is `host.arch`",
        ("runner", _) => "here it is `host.os`",
        ("inputs", _) => "values from the command line (`NAME=VALUE`) are written `vars.NAME`",
        ("steps" | "tasks" | "jobs", _) => "what another step made is `needs.STEP.outputs`",
        ("secrets", _) => {
            "a secret reaches a command as a variable of its environment: `\"$NAME\"`"
        }
        _ => return None,
    };
    Some(help.to_owned())
}

/// The help where a name with dots in it was written as several.
pub(super) fn dotted<'n>(one: &Use, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let is_written = |name: &&str| {
        let length = name.split('.').count();
        let written = one.parts.get(1..=length);
        length > 1
            && written.is_some_and(|parts| name.split('.').eq(parts.iter().map(|part| &**part)))
    };
    let name = known.filter(is_written).max_by_key(|name| name.len())?;
    let rest = one.parts.iter().skip(1 + name.split('.').count());
    let parts = [one.parts[0].clone(), name.into()];
    let whole = Use {
        parts: parts.into_iter().chain(rest.cloned()).collect(),
        ..one.clone()
    };
    Some(format!(
        "a name with dots stands in brackets: `{}`",
        whole.name()
    ))
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

/// The name `name` of `vars` or `env`, which anyone can add `part` to.
pub(super) fn undeclared<'n>(
    name: &str,
    section: &str,
    part: &str,
    known: impl Iterator<Item = &'n str>,
    span: Span,
) -> ExpandError {
    let known: Vec<&str> = known.collect::<IndexSet<_>>().into_iter().collect();
    let declare = format!("declare it: `{section}: {{ {part}: ... }}`");
    ExpandError::Undefined {
        name: name.to_owned(),
        span,
        help: match closest(part, known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None if known.is_empty() => declare,
            None => format!("{declare}; declared: {}", listing(&known)),
        },
    }
}

pub(super) fn refuse_outside(
    known: &Known,
    one: &Use,
    reader: Reader,
    expression: &Expression,
) -> Expanded<()> {
    match &known.outside {
        Some(name) if reader.runs_text() && !one.is_compared => Err(ExpandError::OutsideText {
            name: name.clone(),
            span: expression.part(&one.range),
        }),
        _ => Ok(()),
    }
}

/// The help where a value from the command line does not fit.
const KIND: &str = "a value on the command line is of the kind that is declared";

/// Why `text` from the command line cannot be the value of `var`: none of those that are `declared`
/// for it is of such a kind.
pub fn refused<'d>(
    text: &str,
    var: &str,
    declared: impl Iterator<Item = &'d ValueDoc>,
) -> Option<ExpandError> {
    let mut first = None;
    for doc in declared {
        let is_open = matches!(doc, ValueDoc::Text(written) if written.text.contains("${{"));
        match typed_value(text, &Val::of_doc(doc), var, doc.span()) {
            Err(error) if !is_open => first = first.or(Some(error)),
            _ => return None,
        }
    }
    first
}

/// A value from the command line: it takes the declared value's type.
pub(super) fn typed_value(text: &str, declared: &Val, var: &str, span: Span) -> Expanded<Known> {
    let wrong = |message: &str, help: Option<&str>| ExpandError::Value {
        message: format!("`{text}` cannot be the value of `{var}`: {message}"),
        span,
        help: Some(help.unwrap_or(KIND).to_owned()),
    };
    let value = match (declared, text) {
        (Val::List(_), _) => {
            let words = shlex::split(text).ok_or_else(|| wrong("a quote is not closed", None))?;
            Val::List(words.into_iter().map(Val::Text).collect())
        }
        (Val::Map(_), _) => {
            return Err(wrong("a map cannot be set on the command line", None));
        }
        (Val::Bool(_), "true" | "false") => Val::Bool(text == "true"),
        (Val::Bool(_), _) => return Err(wrong("`true` or `false` is wanted", None)),
        (Val::Int(_) | Val::Number(_), _) => Val::number(text).ok_or_else(|| {
            let help = "the variable is declared as a number; in quotes it would be text";
            wrong("a number is wanted", Some(help))
        })?,
        _ => Val::Text(text.to_owned()),
    };
    let typed = match value {
        // These carry nobody's text.
        Val::Bool(_) | Val::Int(_) | Val::Number(_) => Typed::Nothing,
        _ => Typed::Text,
    };
    Ok(Known {
        typed,
        ..Known::of(value)
    })
}

pub(super) fn place(reader: Reader, context: Context, typed: Typed) -> Place {
    let is_quoted = matches!(context, Context::Word | Context::Part) && typed == Typed::Words;
    match (reader, reader.dialect()) {
        (Reader::Pattern, _) => Place::Pattern,
        (_, None) => Place::Text,
        (_, Some(Dialect::Posix)) if typed == Typed::Nothing || is_quoted => Place::Posix(context),
        (_, Some(Dialect::Posix)) => Place::Typed(context),
        (_, Some(Dialect::Python)) if typed == Typed::Nothing => Place::Python(context),
        (_, Some(Dialect::Python)) => Place::TypedPython(context),
        (_, Some(Dialect::PowerShell)) if typed == Typed::Nothing => Place::PowerShell(context),
        (_, Some(Dialect::PowerShell)) => Place::TypedPowerShell(context),
        (_, Some(Dialect::Other)) if typed == Typed::Nothing => Place::Unknown,
        (_, Some(Dialect::Other)) => Place::TypedUnknown,
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
