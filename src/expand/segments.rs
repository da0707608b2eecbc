//! Splits a text into what stands as it is and the expressions in it.

use super::error::ExpandError;
use crate::parse::Text;
use crate::source::Span;

/// A part of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Segment {
    /// As it stands.
    Text(String),
    /// Between `${{` and `}}`.
    Expression(Expression),
}

/// An expression and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Expression {
    /// Without the braces and the blanks around it.
    pub(super) text: String,
    /// Where the text stands.
    pub(super) span: Span,
    /// Whether the file spells it as it is here, so that its parts have places too.
    pub(super) is_exact: bool,
}

/// The segments of `text`. `$${{` stands for a literal `${{`.
pub(super) fn segments(text: &Text) -> Result<Vec<Segment>, ExpandError> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut rest = text.text.as_str();
    let mut hole = 0;
    while let Some(at) = rest.find("${{") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${{");
            rest = &rest[at + 3..];
        } else {
            literal.push_str(&rest[..at]);
            let inner = &rest[at + 3..];
            let length = length(inner).ok_or_else(|| unclosed(text.hole_span(hole, 0, 3)))?;
            if !literal.is_empty() {
                segments.push(Segment::Text(std::mem::take(&mut literal)));
            }
            segments.push(Segment::Expression(expression(
                &inner[..length],
                text,
                hole,
            )?));
            rest = &inner[length + 2..];
        }
        hole += 1;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        segments.push(Segment::Text(literal));
    }
    Ok(segments)
}

/// A text that is an expression as a whole, with or without `${{ }}` around it.
pub(super) fn bare(text: &Text) -> Result<Expression, ExpandError> {
    if !text.text.contains("${{") {
        let trimmed = text.text.trim();
        let quote = usize::from(!text.plain);
        let length = (text.span.end - text.span.start) as usize;
        let is_exact = length == text.text.len() + 2 * quote;
        let lead = text.text.len() - text.text.trim_start().len();
        let part = text.span.part(quote + lead, trimmed.len());
        return Ok(Expression {
            text: trimmed.to_owned(),
            span: if is_exact { part } else { text.span },
            is_exact,
        });
    }
    match segments(text)?.as_slice() {
        [Segment::Expression(expression)] => Ok(expression.clone()),
        _ => Err(ExpandError::Syntax {
            message: "this takes one expression, without text around it".to_owned(),
            span: text.span,
            help: Some(
                "write it without `${{ }}`: `matrix.os == 'linux' and profile == 'prod'`"
                    .to_owned(),
            ),
        }),
    }
}

fn expression(inner: &str, text: &Text, hole: usize) -> Result<Expression, ExpandError> {
    let trimmed = inner.trim();
    let lead = inner.len() - inner.trim_start().len();
    let span = text.hole_span(hole, 3 + lead, trimmed.len().max(1));
    if trimmed.is_empty() {
        return Err(ExpandError::Syntax {
            message: "the expression is empty".to_owned(),
            span: text.hole_span(hole, 0, inner.len() + 5),
            help: Some("a literal `${{` is written `$${{`".to_owned()),
        });
    }
    Ok(Expression {
        text: trimmed.to_owned(),
        span,
        is_exact: text.has_place(hole),
    })
}

/// The length of an expression up to its `}}`, which may stand in quotes inside of it.
fn length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

fn unclosed(span: Span) -> ExpandError {
    ExpandError::Syntax {
        message: "`${{` is never closed".to_owned(),
        span,
        help: Some("an expression ends with `}}`; for a literal `${{` write `$${{`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let text = Text {
            text: text.to_owned(),
            span: Span::default(),
            plain: true,
            ..Text::default()
        };
        match segments(&text) {
            Err(error) => error.to_string(),
            Ok(segments) => segments
                .iter()
                .map(|segment| match segment {
                    Segment::Text(text) => format!("[{text}]"),
                    Segment::Expression(expression) => format!("<{}>", expression.text),
                })
                .collect(),
        }
    }

    #[test]
    fn texts_are_split() {
        for (text, want) in [
            ("a ${{ b }} c", "[a ]<b>[ c]"),
            ("${{a}}${{ b }}", "<a><b>"),
            ("$${{ a }} ${HOME} {{ x }}", "[${{ a }} ${HOME} {{ x }}]"),
            ("${{ '}}' ~ {'a': 1} }}", "<'}}' ~ {'a': 1}>"),
            ("${{ a", "`${{` is never closed"),
            ("${{ }}", "the expression is empty"),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }
}
