//! Why the YAML parser stopped: from its place and kind of trouble to an error that names the trap
//! and shows the corrected line.
//!
//! The parser stops at a syntax error. What it says is true but about YAML's grammar;
//! what the person did is mostly one of a dozen things, found here by looking at the lines around.

use std::ops::Range;

use super::decode::Document;
use super::document::StepDoc;
use super::error::ParseError;
use super::traps::{self, Line};
use crate::source::SourceFile;

/// The kinds of trouble that differ in where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Collections nest too deep.
    Depth,
    /// A `%` directive.
    Directive,
    /// An alias without anchor.
    Alias,
    /// A tab.
    Tab,
    /// A quote without its end.
    OpenQuote,
    /// Something after a closing quote.
    AfterQuote,
    /// Something unexpected between brackets.
    Flow,
    /// A bracket without its end; the place is the bracket.
    OpenBracket,
    /// The wrong closing bracket; the place is the opening one.
    Mismatch(char),
    /// An unknown escape; the place is the opening quote.
    Escape,
    /// A `: ` where there can be no key.
    Colon,
    /// A character that can start nothing.
    Character(char),
    /// An indicator where a value starts.
    Start,
    /// A line that does not fit its neighbours.
    Line,
    /// Anything else.
    Other,
}

/// Where and why the parser stopped.
pub(super) struct Stop {
    /// Offset of the trouble.
    pub(super) at: usize,
    /// All before this offset was understood.
    pub(super) understood: usize,
    /// The innermost open bracket before that.
    pub(super) flow: Option<usize>,
    /// What kind of trouble.
    pub(super) trouble: Trouble,
    /// The parser's words.
    pub(super) what: String,
}

/// The error for `stop`.
pub(super) fn explain(file: &SourceFile, stop: &Stop) -> ParseError {
    tab(file, stop)
        .or_else(|| by_trouble(file, stop))
        .or_else(|| leading(file, stop))
        .unwrap_or_else(|| unknown(file, stop))
}

fn by_trouble(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let in_flow = matches!(
        stop.trouble,
        Trouble::Alias | Trouble::Flow | Trouble::OpenBracket | Trouble::Mismatch(_)
    );
    if let Some(value) = Some(Line::at(file, stop.at))
        .filter(|_| in_flow)
        .and_then(traps::bracket_inside)
    {
        return Some(ParseError::NeedsQuotes {
            what: "a bracket in a value between brackets".to_owned(),
            help: format!(
                "quote it: `{}`",
                Line::at(file, stop.at).quoting(file, &value)
            ),
            span: file.span(value),
        });
    }
    if let Some(error) = between_brackets(file, stop) {
        return Some(error);
    }
    match stop.trouble {
        Trouble::Directive => {
            let line = Line::at(file, stop.at);
            Some(ParseError::Directive {
                span: file.span(line.start..line.end()),
            })
        }
        Trouble::Alias => Some(traps::unknown_alias(file, value_at(file, stop.at))),
        Trouble::OpenQuote => open_quote(file, stop),
        Trouble::AfterQuote => after_quote(file, stop.at),
        Trouble::Escape => escape(file, stop.at),
        Trouble::Flow => flow(file, stop),
        Trouble::OpenBracket if is_bracket(file.text(), stop.at) => {
            Some(unclosed(file, stop.at, None))
        }
        Trouble::OpenBracket => flow(file, stop),
        Trouble::Mismatch(close) if is_bracket(file.text(), stop.at) => {
            Some(mismatch(file, stop.at, close))
        }
        Trouble::Colon => colon(file, stop),
        Trouble::Line => line_of_its_own(file, stop),
        _ => None,
    }
}

/// Between brackets: a comma with nothing in front, or items with `- `.
fn between_brackets(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let line = Line::at(file, stop.at);
    let before = line.text.get(..stop.at - line.start)?.trim_end();
    if !before.ends_with(['[', '{', ',']) {
        return None;
    }
    let rest = file.text().get(stop.at..)?;
    let (what, corrected) = if rest.starts_with("- ") {
        let plain = line.text.replace("[- ", "[").replace(", - ", ", ");
        ("`- ` between brackets: there, commas part the items", plain)
    } else if rest.starts_with(',') {
        let gap = line.start + before.len()..stop.at + 1;
        ("nothing stands in front of this comma", line.with(&gap, ""))
    } else {
        return None;
    };
    Some(ParseError::Syntax {
        what: what.to_owned(),
        span: file.span(stop.at..stop.at + 1),
        help: Some(format!("write `{}`", traps::shown(corrected.trim()))),
    })
}

/// The value that starts at `at`, in a block or between brackets.
fn value_at(file: &SourceFile, at: usize) -> Range<usize> {
    match Line::at(file, at).value() {
        Some(value) if value.start == at => value,
        _ => traps::flow_item(file, at),
    }
}

/// A tab in the indentation of the line, or where the parser complains of a tab, of the next ones.
fn tab(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let first = Line::at(file, stop.at);
    let next = (stop.trouble == Trouble::Tab).then(|| Line::at(file, first.end() + 1));
    let line = std::iter::once(first)
        .chain(next)
        .find(|line| line.indentation().contains('\t'))?;
    let tab = line.start + line.indentation().find('\t')?;
    let spaces = " ".repeat(indented(file, line));
    let corrected = traps::shown(line.text.trim());
    Some(ParseError::Tab {
        span: file.span(tab..tab + 1),
        help: format!("with spaces: `{spaces}{corrected}`"),
    })
}

/// How many spaces may be meant by the tabs before a line. The lines above have none: the parser
/// stops at the first.
fn indented<'a>(file: &'a SourceFile, line: Line<'a>) -> usize {
    let Some(above) = line.before(file) else {
        return 0;
    };
    let width = |line: Line<'_>| line.indentation().len();
    let mut levels = vec![width(above)];
    let before = |line: &Line<'a>| line.before(file);
    for outer in std::iter::successors(Some(above), before) {
        if levels.last().is_some_and(|level| width(outer) < *level) {
            levels.push(width(outer));
        }
    }
    levels.reverse();
    if above.text.trim_end().ends_with(':') {
        levels.push(width(above) + 2);
    }
    let tabs = line.indentation().matches('\t').count();
    // Where other lines have tabs too, each is a level; one alone is as deep as it can be.
    let others = file.text()[line.end()..].contains("\n\t");
    let level = if others { tabs } else { levels.len() };
    levels[level.min(levels.len() - 1)]
}

fn open_quote(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let opened = openings(file.text(), stop.understood..stop.at)
        .into_iter()
        .rev()
        .find(|(_, open)| matches!(open, '"' | '\''));
    let at = opened.map_or(stop.at, |(at, _)| at);
    let open = file.text()[at..]
        .chars()
        .next()
        .filter(|open| matches!(open, '"' | '\''))?;
    let line = Line::at(file, at);
    let end = line.start + line.text.trim_end().len();
    let noticed = Line::at(file, stop.at);
    let elsewhere = noticed.start != line.start && !noticed.text.trim().is_empty();
    Some(ParseError::Unclosed {
        open,
        opened: file.span(at..at + 1),
        noticed: elsewhere.then(|| file.span(stop.at..noticed.end().max(stop.at))),
        help: format!("close it: `{}`", line.with(&(end..end), &open.to_string())),
    })
}

fn after_quote(file: &SourceFile, at: usize) -> Option<ParseError> {
    let line = Line::at(file, at);
    let starts_quoted = |value: &Range<usize>| {
        value.start < at && file.text()[value.start..].starts_with(['"', '\''])
    };
    let own = line.value().filter(starts_quoted);
    let value = own.or_else(|| Some(traps::flow_item(file, at)).filter(starts_quoted))?;
    let text = &file.text()[value.clone()];
    let quote = text.chars().next()?;
    // `'it's'`: the quotes are meant to go round the whole.
    let inner = text
        .strip_prefix(quote)
        .and_then(|inner| inner.strip_suffix(quote));
    let glued = file.text()[..at].ends_with(quote);
    let new = traps::quoted(inner.filter(|_| glued).unwrap_or(text));
    Some(ParseError::NeedsQuotes {
        what: "a value that starts with a quote ends with it".to_owned(),
        help: format!("quote all of it: `{}`", line.with(&value, &new)),
        span: file.span(value),
    })
}

/// `"\d"`: in double quotes a backslash starts an escape.
fn escape(file: &SourceFile, at: usize) -> Option<ParseError> {
    let value = value_at(file, at);
    let text = &file.text()[value.clone()];
    let inner = text
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))?;
    let single = format!("'{}'", inner.replace('\'', "''"));
    let corrected = Line::at(file, at).with(&value, &single);
    Some(ParseError::Syntax {
        what: "an unknown escape: in double quotes `\\` starts one".to_owned(),
        span: file.span(value),
        help: Some(format!(
            "in single quotes it is only a backslash: `{corrected}`"
        )),
    })
}

fn flow(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let text = file.text();
    if text[..stop.at].ends_with('$') && text[stop.at..].starts_with("{{") {
        return Some(expression(file, stop.at - 1));
    }
    let opened = openings(text, stop.understood..stop.at);
    let opened = opened
        .into_iter()
        .rev()
        .map(|(at, _)| at)
        .find(|at| is_bracket(text, *at));
    let opened = opened.or(stop.flow)?;
    let line = Line::at(file, stop.at);
    if Line::at(file, opened).start != line.start || text[stop.at..].trim().is_empty() {
        let noticed = (!text[stop.at..].trim().is_empty()).then_some(stop.at);
        return Some(unclosed(file, opened, noticed));
    }
    text[stop.at..].starts_with(':').then(|| {
        let value = traps::flow_item(file, stop.at);
        colon_error(file, value)
    })
}

fn is_bracket(text: &str, at: usize) -> bool {
    text[at..].starts_with(['[', '{'])
}

/// `${{` between brackets, without quotes. The corrected line has all of them quoted.
fn expression(file: &SourceFile, at: usize) -> ParseError {
    let line = Line::at(file, at);
    let mut corrected = String::new();
    let mut copied = line.start;
    let mut from = at;
    while let Some(next) = file.text()[from..line.end()].find("${{") {
        let value = traps::flow_item(file, from + next);
        if value.start < copied || value.end <= from + next {
            break;
        }
        from = value.end;
        if file.text()[value.clone()].starts_with(['"', '\'']) {
            continue; // quoted already
        }
        corrected.push_str(&file.text()[copied..value.start]);
        corrected.push_str(&traps::quoted(&file.text()[value.clone()]));
        copied = value.end;
    }
    corrected.push_str(&file.text()[copied..line.end()]);
    ParseError::NeedsQuotes {
        what: "`${{` between brackets needs quotes: YAML reads `{` as the start of a map"
            .to_owned(),
        span: file.span(traps::flow_item(file, at)),
        help: format!("quote it: `{}`", traps::shown(corrected.trim())),
    }
}

fn unclosed(file: &SourceFile, opened: usize, noticed: Option<usize>) -> ParseError {
    let open = file.text()[opened..].chars().next().unwrap_or('[');
    let line = Line::at(file, opened);
    let rest = &line.text[opened - line.start..];
    let close = closing(open).unwrap_or(']');
    if let Some(hash) = rest.find(" #").filter(|hash| rest[*hash..].contains(close)) {
        let value = traps::flow_item(file, opened + hash);
        return ParseError::NeedsQuotes {
            what: "` #` in a value without quotes: YAML reads the rest of the line as a comment"
                .to_owned(),
            help: format!("quote it: `{}`", line.quoting(file, &value)),
            span: file.span(value),
        };
    }
    let content = rest.find(" #").map_or(rest, |end| &rest[..end]).trim_end();
    let end = opened + content.len();
    let closed: String = openings(file.text(), line.start..end)
        .into_iter()
        .rev()
        .filter_map(|(_, open)| closing(open))
        .collect();
    ParseError::Unclosed {
        open,
        opened: file.span(opened..opened + 1),
        noticed: noticed.map(|at| file.span(at..at + width(file, at))),
        help: format!("close it: `{}`", line.with(&(end..end), &closed)),
    }
}

/// Length of the character at `at`.
fn width(file: &SourceFile, at: usize) -> usize {
    file.text()[at..].chars().next().map_or(0, char::len_utf8)
}

fn closing(open: char) -> Option<char> {
    match open {
        '[' => Some(']'),
        '{' => Some('}'),
        _ => None,
    }
}

fn opening(close: char) -> char {
    match close {
        ']' => '[',
        _ => '{',
    }
}

fn mismatch(file: &SourceFile, opened: usize, close: char) -> ParseError {
    let open = file.text()[opened..].chars().next().unwrap_or('[');
    let right = closing(open).unwrap_or(']');
    let line = Line::at(file, opened);
    let at = line.text[opened - line.start..]
        .rfind(close)
        .map(|at| opened + at);
    // The other bracket may close what was opened before this one.
    let count = |bracket| line.text.matches::<char>(bracket).count();
    let is_needed = count(opening(close)) >= count(close);
    let (instead, but_not) = match is_needed {
        true => (format!("{right}{close}"), String::new()),
        false => (right.to_string(), format!(", not `{close}`")),
    };
    let corrected = at.map(|at| line.with(&(at..at + 1), &instead));
    ParseError::Unclosed {
        open,
        opened: file.span(opened..opened + 1),
        noticed: at.map(|at| file.span(at..at + 1)),
        help: match corrected {
            Some(line) => format!("close it with `{right}`{but_not}: `{line}`"),
            None => format!("close it with `{right}`{but_not}"),
        },
    }
}

/// `: ` in a value, a key that is indented too deep, or no space after the `:` on the line above.
fn colon(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    let line = Line::at(file, stop.at);
    if let Some(value) = line.value().filter(|value| value.start < stop.at) {
        return leading(file, stop).or_else(|| Some(colon_error(file, value)));
    }
    let above = line.before(file)?;
    if let Some(error) = glued_colon(file, above).or_else(|| traps::no_colon(file, above, true)) {
        return Some(error);
    }
    if line.indentation().len() > above.indentation().len() && above.value().is_some() {
        return Some(ParseError::Syntax {
            what: "a key below a value: the line above has its value already".to_owned(),
            span: file.span(line.start + line.indentation().len()..stop.at),
            help: Some("indent it like the line above, or take the value above away".to_owned()),
        });
    }
    None
}

fn colon_error(file: &SourceFile, value: Range<usize>) -> ParseError {
    let line = Line::at(file, value.start);
    let text = &file.text()[value.clone()];
    let outer = line.text.split(':').next().unwrap_or_default();
    let outer = outer.trim_start_matches([' ', '-']);
    let is_key = |word: &str| StepDoc::KEYS.contains(&word);
    let nests = !is_key(outer) && text.split(": ").next().is_some_and(is_key);
    ParseError::NeedsQuotes {
        what: "`: ` in a value without quotes: YAML reads it as a key".to_owned(),
        help: match nests {
            true => format!(
                "a map in one line has braces: `{}`",
                line.with(&value, &format!("{{ {text} }}"))
            ),
            false => format!("quote it: `{}`", line.quoting(file, &value)),
        },
        span: file.span(value),
    }
}

/// `key:value`.
fn glued_colon(file: &SourceFile, line: Line<'_>) -> Option<ParseError> {
    let content = line.text.trim();
    let colon = content
        .find(':')
        .filter(|colon| *colon > 0 && line.value().is_none())?;
    let key = &content[..colon];
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !key.bytes().all(is_word) || content[colon + 1..].is_empty() {
        return None;
    }
    let at = line.start + line.indentation().len() + colon;
    Some(ParseError::Syntax {
        what: "a space is missing after `:`".to_owned(),
        span: file.span(at..at + 1),
        help: Some(format!("write `{}`", line.with(&(at..at + 1), ": "))),
    })
}

/// A line that is no `key: value` and no `- item`.
fn line_of_its_own(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    if let Some(error) = leading(file, stop) {
        return Some(error);
    }
    let line = Line::at(file, stop.at);
    if let Some(error) =
        glued_colon(file, line).or_else(|| traps::no_colon(file, line, goes_on_below(file, line)))
    {
        return Some(error);
    }
    let content = line.text.trim();
    let start = line.start + line.indentation().len();
    let span = file.span(start..start + content.len());
    let dash = content
        .strip_prefix('-')
        .is_some_and(|rest| !rest.starts_with([' ', '-']));
    if dash {
        let help = Some(format!("write `{}`", line.with(&(start..start + 1), "- ")));
        return Some(ParseError::Syntax {
            what: "a space is missing after `-`".to_owned(),
            span,
            help,
        });
    }
    if line.value().is_some() {
        let what = "this line's indentation fits none of the lines above".to_owned();
        let help = Some("keys of one map start in the same column".to_owned());
        return Some(ParseError::Syntax { what, span, help });
    }
    let what = "neither `key: value` nor `- item`".to_owned();
    let help = "a text of several lines starts with `|` after its key, and all its lines are \
                indented deeper than the key";
    Some(ParseError::Syntax {
        what,
        span,
        help: Some(help.to_owned()),
    })
}

/// A value that starts with a character that means something to YAML, on this line or, where the
/// parser noticed late, on the line above.
fn leading(file: &SourceFile, stop: &Stop) -> Option<ParseError> {
    leading_on(file, Line::at(file, stop.at), stop).or_else(|| {
        let value = Line::at(file, stop.understood).value()?;
        let braces = file.text()[value.clone()].starts_with("{{");
        braces.then(|| traps::braces_error(file, value))
    })
}

fn leading_on(file: &SourceFile, line: Line<'_>, stop: &Stop) -> Option<ParseError> {
    let own = line.value().filter(|value| !value.is_empty());
    let here = (line.start..=line.end())
        .contains(&stop.at)
        .then_some(stop.at);
    let starts = here.filter(|_| matches!(stop.trouble, Trouble::Character(_) | Trouble::Start));
    let value = match (own, starts) {
        (Some(own), Some(at)) if own.start != at => value_at(file, at),
        (Some(own), _) => own,
        (None, Some(at)) => value_at(file, at),
        (None, None) => return None,
    };
    let text = &file.text()[value.clone()];
    if text.starts_with("{{") {
        return Some(traps::braces_error(file, value));
    }
    let what = reads_as(text, stop.trouble)?;
    let first = text.chars().next()?;
    Some(ParseError::NeedsQuotes {
        what: match first {
            '`' => format!("a value cannot start with a backtick: {what}"),
            _ => format!("a value cannot start with `{first}`: {what}"),
        },
        help: match first {
            '|' | '>' if goes_on_below(file, line) => {
                format!("a text of several lines begins on the line below the `{first}`")
            }
            _ => format!("quote it: `{}`", line.quoting(file, &value)),
        },
        span: file.span(value),
    })
}

/// Whether the next line is indented deeper than this one.
fn goes_on_below(file: &SourceFile, line: Line<'_>) -> bool {
    let next = Line::at(file, line.end() + 1);
    next.start > line.start && next.indentation().len() > line.indentation().len()
}

/// What YAML takes the first character of `text` for.
fn reads_as(text: &str, trouble: Trouble) -> Option<&'static str> {
    let first = text.chars().next()?;
    let start = matches!(trouble, Trouble::Start | Trouble::Character(_));
    match first {
        '@' | '`' => Some("YAML keeps it for later use"),
        '%' => Some("YAML reads it as a directive"),
        '*' if start => Some("YAML reads it as an alias"),
        '!' if start => Some("YAML reads it as a tag"),
        '>' | '|' if start => Some("YAML reads it as the start of a block of text"),
        '-' if start => Some("YAML reads `- ` as a list item"),
        '?' if start => Some("YAML reads `? ` as a key"),
        ',' | ']' | '}' if start => Some("YAML reads it as the rest of a list or map"),
        _ => None,
    }
}

/// The parser's own words.
fn unknown(file: &SourceFile, stop: &Stop) -> ParseError {
    let line = Line::at(file, stop.at);
    let end = if stop.at < line.end() {
        line.end()
    } else {
        stop.at
    };
    let what = match stop.trouble {
        Trouble::Character(character) if character.is_control() => {
            format!(
                "a control character ({}) in the text",
                character.escape_unicode()
            )
        }
        _ => fragment(&stop.what),
    };
    let help = match what.starts_with("a control") {
        true => "in double quotes it can be written as an escape, such as `\\t` or `\\x1b`",
        false => "the file cannot be read any further: look at this line and the one above it",
    };
    ParseError::Syntax {
        what,
        span: file.span(stop.at..end),
        help: Some(help.to_owned()),
    }
}

/// `message` as a fragment: lower case first letter, no period.
fn fragment(message: &str) -> String {
    let message = match message.split_once(", ") {
        Some((place, message)) if place.starts_with("while ") => message,
        _ => message,
    };
    let message = message.trim_end_matches('.');
    let mut rest = message.chars();
    match rest.next() {
        Some(first) => first.to_lowercase().chain(rest).collect(),
        None => "the text is no YAML".to_owned(),
    }
}

/// Quotes and brackets that are open at the end of `range`, outermost first.
fn openings(text: &str, range: Range<usize>) -> Vec<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut fresh = true;
    let mut escaped = false;
    for (at, character) in text[range.clone()].char_indices() {
        let at = range.start + at;
        let inside = open
            .last()
            .map(|(_, open)| *open)
            .filter(|open| matches!(open, '"' | '\''));
        if let Some(quote) = inside {
            if character == quote && !escaped {
                open.pop();
            }
            escaped = quote == '"' && character == '\\' && !escaped;
            continue;
        }
        match character {
            '"' | '\'' if fresh => open.push((at, character)),
            '[' | '{' if fresh || !open.is_empty() => open.push((at, character)),
            ']' | '}' => drop(open.pop()),
            _ => {}
        }
        fresh = character.is_whitespace() || matches!(character, '[' | '{' | ',');
    }
    open
}

#[cfg(test)]
mod tests {
    use super::super::testing::complaints;

    /// Text, and all of its one error: message, first label, help.
    const TRAPS: &[(&str, &str)] = &[
        (
            "dir: {{ x }} # c\n",
            "a value cannot start with `{{`: YAML reads `{` as the start of a map | {{ x }} | an \
             expression is written `dir: ${{ x }} # c`, plain text `dir: \"{{ x }}\" # c`",
        ),
        (
            "dir: {{ x }}/y\n",
            "a value cannot start with `{{`: YAML reads `{` as the start of a map | {{ x }}/y | an \
             expression is written `dir: ${{ x }}/y`, plain text `dir: \"{{ x }}/y\"`",
        ),
        (
            "steps:\n  é:\n    sources:\n      - *.go # all\n",
            "a value cannot start with `*`: YAML reads it as an alias | *.go | quote it: `- \"*.go\" \
             # all`",
        ),
        (
            "steps: {a: {sources: [*.go, b]}}\n",
            "a value cannot start with `*`: YAML reads it as an alias | *.go | quote it: `steps: {a: \
             {sources: [\"*.go\", b]}}`",
        ),
        (
            "name: *nope\n",
            "no anchor `&nope` before this alias | *nope | as text it is quoted: `name: \"*nope\"`",
        ),
        (
            "steps: {a: {sources: [!x/**, b]}}\n",
            "unknown tag `!x/**` | !x/** | as text it is quoted: `steps: {a: {sources: [\"!x/**\", \
             b]}}`",
        ),
        (
            "name: @x\ndir: y\n",
            "a value cannot start with `@`: YAML keeps it for later use | @x | quote it: `name: \
             \"@x\"`",
        ),
        (
            "name: `ls`\r\n",
            "a value cannot start with a backtick: YAML keeps it for later use | `ls` | quote it: \
             `name: \"`ls`\"`",
        ),
        (
            "name: %x\n",
            "a value cannot start with `%`: YAML reads it as a directive | %x | quote it: `name: \
             \"%x\"`",
        ),
        (
            "name: >=1.2\n",
            "a value cannot start with `>`: YAML reads it as the start of a block of text | >=1.2 | \
             quote it: `name: \">=1.2\"`",
        ),
        (
            "name: echo \"é: b\"\n",
            "`: ` in a value without quotes: YAML reads it as a key | echo \"é: b\" | quote it: \
             `name: 'echo \"é: b\"'`",
        ),
        (
            "env: {b: c: d}\n",
            "`: ` in a value without quotes: YAML reads it as a key | c: d | quote it: `env: {b: \
             \"c: d\"}`",
        ),
        (
            "steps:\n  a:\n    run:\n      - echo hi: there\n",
            "text wanted, found a map | echo hi | `: ` makes this a map; as text it is quoted: `- \
             \"echo hi: there\"`",
        ),
        (
            "steps:\n\ta: {}\n",
            "a tab in the indentation: YAML takes spaces only | \t | with spaces: `  a: {}`",
        ),
        (
            "steps:\n  a:\n    dir: x\n\trun: y\n",
            "a tab in the indentation: YAML takes spaces only | \t | with spaces: `    run: y`",
        ),
        (
            "env: { A: ${{ x }}, B: \"b\", C: c${{ d[\"e\"] }} }\n",
            "`${{` between brackets needs quotes: YAML reads `{` as the start of a map | ${{ x }} | \
             quote it: `env: { A: \"${{ x }}\", B: \"b\", C: 'c${{ d[\"e\"] }}' }`",
        ),
        (
            "steps:\n  a:\n    needs: [b, c # d\n    run: x\n",
            "`[` is never closed | [ | close it: `needs: [b, c] # d`",
        ),
        (
            "env: [b, {c: d\n",
            "`{` is never closed | { | close it: `env: [b, {c: d}]`",
        ),
        (
            "name: \"abc\ndir: x\n",
            "`\"` is never closed | \" | close it: `name: \"abc\"`",
        ),
        (
            "env: [b, c}\n",
            "`[` is never closed | [ | close it with `]`, not `}`: `env: [b, c]`",
        ),
        (
            "name: \"$X\" foo\n",
            "a value that starts with a quote ends with it | \"$X\" foo | quote all of it: `name: \
             '\"$X\" foo'`",
        ),
        (
            "name: 'it's'\n",
            "a value that starts with a quote ends with it | 'it's' | quote all of it: `name: \
             \"it's\"`",
        ),
        (
            "name: \"v\\d\"\n",
            "an unknown escape: in double quotes `\\` starts one | \"v\\d\" | in single quotes it is \
             only a backslash: `name: 'v\\d'`",
        ),
        (
            "name:value\ndir: x\n",
            "a space is missing after `:` | : | write `name: value`",
        ),
        (
            "env:\n- b\n-c\n",
            "a space is missing after `-` | -c | write `- c`",
        ),
        (
            "name: x\n  dir: y\n",
            "a key below a value: the line above has its value already | dir | indent it like the \
             line above, or take the value above away",
        ),
        (
            "env:\n   b: x\n  c: y\n",
            "this line's indentation fits none of the lines above | c: y | keys of one map start in \
             the same column",
        ),
        (
            "name: #x\n",
            "text wanted, found null | name | `#` starts a comment; as text it is quoted: `name: \
             \"#x\"`",
        ),
    ];

    #[test]
    fn traps_are_named_and_corrected() {
        for (text, expected) in TRAPS {
            assert_eq!(complaints(text), [*expected], "{text:?}");
        }
    }

    #[test]
    fn the_corrected_line_is_right() {
        for (text, _) in TRAPS {
            let complaint = complaints(text).remove(0);
            let Some((_, line)) = complaint.split_once("quote it: `") else {
                continue;
            };
            let line = line.trim_end_matches('`').replace("\"`ls", "\"`ls`");
            let errors = complaints(&line);
            assert!(
                !errors.iter().any(|error| error.contains("quote")),
                "{line}: {errors:?}"
            );
        }
    }
}
