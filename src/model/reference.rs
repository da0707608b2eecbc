//! References: `pipeline:name@axis=value@...`, all but `name` optional.

use std::fmt;

use super::name::NameKind;

/// A reference as written.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reference {
    /// The pipeline; `None` is the one it is written in.
    pub pipeline: Option<String>,
    /// The step or target; empty (`api:`) is the pipeline's default.
    pub name: String,
    /// The axis values that instances must have; in a pipeline file they may hold expressions.
    pub cell: Vec<(String, String)>,
}

/// What is wrong with the text of a reference.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ReferenceError {
    /// The fault.
    pub message: String,
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    ///
    /// When a name has characters that names cannot have, or a value is not closed.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let (head, cell) = match text.split_once('@') {
            Some((head, cell)) => (head, parse_cell(cell)?),
            None => (text, Vec::new()),
        };
        let (pipeline, name) = match head.split_once(':') {
            Some((pipeline, name)) => (Some(pipeline), name),
            None => (None, head),
        };
        if let Some(pipeline) = pipeline.filter(|name| !NameKind::Pipeline.allows(name)) {
            return Err(error(format!("`{pipeline}` is no pipeline's name")));
        }
        if !(NameKind::Step.allows(name) || name.is_empty() && pipeline.is_some()) {
            return Err(error(format!("`{name}` is no name of a step or target")));
        }
        Ok(Self {
            pipeline: pipeline.map(str::to_owned),
            name: name.to_owned(),
            cell,
        })
    }
}

fn error(message: String) -> ReferenceError {
    ReferenceError { message }
}

/// Reads what follows the first `@`.
fn parse_cell(text: &str) -> Result<Vec<(String, String)>, ReferenceError> {
    let mut cell = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (axis, value) = text.split_once('=').ok_or_else(|| {
            error(format!(
                "`@{text}` is no axis and value: write `@axis=value`"
            ))
        })?;
        if !NameKind::Axis.allows(axis) {
            return Err(error(format!("`{axis}` is no axis' name")));
        }
        let (value, after) = parse_value(value)?;
        cell.push((axis.to_owned(), value));
        rest = after;
    }
    Ok(cell)
}

/// Reads a bare or a JSON-quoted value; what remains is behind the next `@`.
fn parse_value(text: &str) -> Result<(String, Option<&str>), ReferenceError> {
    if !text.starts_with('"') {
        let end = bare_length(text);
        return Ok((text[..end].to_owned(), text.get(end + 1..)));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let Some(Ok(value)) = values.next() else {
        return Err(error(format!("{text} is no closed quoted value")));
    };
    match &text[values.byte_offset()..] {
        "" => Ok((value, None)),
        rest => match rest.strip_prefix('@') {
            Some(rest) => Ok((value, Some(rest))),
            None => Err(error(format!("`{rest}` follows a quoted value"))),
        },
    }
}

/// The length of a bare value: up to the next `@` that is not inside an expression.
fn bare_length(text: &str) -> usize {
    let mut at = 0;
    while let Some(next) = text[at..].find(['@', '$']) {
        at += next;
        match text[at..].strip_prefix("${{") {
            Some(inner) => at += 3 + inner.find("}}").map_or(inner.len(), |end| end + 2),
            None if text[at..].starts_with('@') => return at,
            None => at += 1,
        }
    }
    text.len()
}

/// Writes `@axis=value` for each of `cell`, quoting values that need it.
pub fn display_cell<'a>(cell: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (axis, value) in cell {
        let special = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ']' | '=' | '"' | '\\')
        };
        if value.is_empty() || value.contains(special) {
            text.push_str(&format!("@{axis}={}", serde_json::Value::from(value)));
        } else {
            text.push_str(&format!("@{axis}={value}"));
        }
    }
    text
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pipeline) = &self.pipeline {
            write!(f, "{pipeline}:")?;
        }
        let cell = self
            .cell
            .iter()
            .map(|(axis, value)| (axis.as_str(), value.as_str()));
        write!(f, "{}{}", self.name, display_cell(cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_references_come_back() {
        for text in [
            "build",
            "api:build",
            "api:",
            "a/b:build@os=linux@arch=amd64",
            "build@src=\"a b.c\"@os=x",
            "build@src=\"a\\\"@b\"",
            "build@src=a/b.c",
            "build@os=${{vars.a}}@arch=x$y",
        ] {
            assert_eq!(
                Reference::parse(text).map(|r| r.to_string()).as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn expressions_are_parts_of_values() {
        let read = Reference::parse("build@os=${{ host.os ~ '@' }}@b=1").expect("reads");
        let value = |(axis, value): &(String, String)| format!("{axis}:{value}");
        let values: Vec<String> = read.cell.iter().map(value).collect();
        assert_eq!(values, ["os:${{ host.os ~ '@' }}", "b:1"]);
    }

    #[test]
    fn broken_references_are_refused() {
        for text in [
            "",
            ":",
            "a b",
            "-x",
            "x@",
            "x@os",
            "x@=1",
            "x@os=\"a",
            "x@os=\"a\"b",
            "a b:c",
            "x:y:z",
        ] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
