//! Lines of a file, values in them, and how they look when they are quoted: what the help of an
//! error about a YAML trap is made of.
//!
//! It looks at text only, one line at a time, and knows neither the parser nor the tree.

use std::ops::Range;

use super::decode::Document;
use super::document::StepDoc;
use super::error::ParseError;
use crate::source::{SourceFile, Span};

/// A corrected line longer than this is not shown.
const MAX_SHOWN: usize = 160;
/// Text in a message longer than this is cut.
const MAX_QUOTED: usize = 60;

/// A line of a file, without its line break.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Its text.
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// The line that the byte at `offset` is in.
    pub(super) fn at(file: &'a SourceFile, offset: usize) -> Self {
        let text = file.text();
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[offset..]
            .find('\n')
            .map_or(text.len(), |newline| offset + newline);
        Self {
            start,
            text: text[start..end].trim_end_matches('\r'),
        }
    }

    /// The line before this one that is not blank.
    pub(super) fn before(self, file: &'a SourceFile) -> Option<Self> {
        let end = file.text()[..self.start].trim_end().len();
        (end > 0).then(|| Self::at(file, end - 1))
    }

    /// Offset after its last byte.
    pub(super) fn end(self) -> usize {
        self.start + self.text.len()
    }

    /// Its spaces and tabs at the start.
    pub(super) fn indentation(self) -> &'a str {
        let content = self.text.trim_start_matches([' ', '\t']);
        &self.text[..self.text.len() - content.len()]
    }

    /// The line with `value` replaced by `new`, for a help: without indentation, and cut if long.
    pub(super) fn with(self, value: &Range<usize>, new: &str) -> String {
        let before = &self.text[..value.start - self.start];
        let after = &self.text[value.end - self.start..];
        shown(format!("{before}{new}{after}").trim())
    }

    /// The line with `value` in quotes.
    pub(super) fn quoting(self, file: &SourceFile, value: &Range<usize>) -> String {
        self.with(value, &quoted(&file.text()[value.clone()]))
    }

    /// The value on a line of a block: what follows `key: `, or the item after `- `. Without a
    /// comment and spaces at its end.
    pub(super) fn value(self) -> Option<Range<usize>> {
        let item = self.item();
        let rest = &self.text[item - self.start..];
        let start = match key_end(rest) {
            Some(end) => end + rest[end..].len() - rest[end..].trim_start().len(),
            // A list item that is no map.
            None if self.text[..item - self.start].trim_end().ends_with('-') => 0,
            None => return None,
        };
        let value = rest[start..]
            .find(" #")
            .map_or(&rest[start..], |end| &rest[start..start + end]);
        let start = item + start;
        Some(start..start + value.trim_end().len())
    }

    /// Offset of what comes after indentation and `- `.
    fn item(self) -> usize {
        let mut rest = self.text.trim_start();
        while let Some(item) = rest.strip_prefix("- ") {
            rest = item.trim_start();
        }
        self.start + self.text.len() - rest.len()
    }
}

/// Offset after the `:` of the key that `text` starts with.
fn key_end(text: &str) -> Option<usize> {
    let quote = text
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''));
    let after = match quote {
        Some(quote) => text[1..].find(quote)? + 2,
        None => 0,
    };
    if quote.is_some() && !text[after..].trim_start().starts_with(':') {
        return None;
    }
    let rest = &text[after..];
    let colon = rest
        .find(": ")
        .or_else(|| rest.ends_with(':').then(|| rest.len() - 1))?;
    Some(after + colon + 1)
}

/// The item of a flow collection around `at`: up to `,` or a bracket, expressions kept whole.
pub(super) fn flow_item(file: &SourceFile, at: usize) -> Range<usize> {
    let line = Line::at(file, at);
    let at = (at - line.start).min(line.text.len());
    let before = line.text[..at]
        .rfind(['[', '{', ','])
        .map_or(0, |bracket| bracket + 1);
    let lead = &line.text[before..];
    let start = before + lead.len() - lead.trim_start().len();
    let start = match line.text[start..].find(": ") {
        Some(colon) if start + colon < at => start + colon + 2,
        _ => start,
    };
    let start = start.min(at);
    let end = flow_item_end(&line.text[start..]);
    line.start + start..line.start + start + end
}

/// Length of the item that `text` starts with.
fn flow_item_end(text: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("${{") {
            at += rest.find("}}").map_or(rest.len(), |end| end + 2);
        } else if rest.starts_with([',', ']', '}']) {
            break;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text[..at].trim_end().len()
}

/// `text` in the quotes that need the fewest escapes.
pub(super) fn quoted(text: &str) -> String {
    if !text.contains(['"', '\\']) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// `line`, or a part of it if it is long.
pub(super) fn shown(line: &str) -> String {
    cut(line, MAX_SHOWN)
}

/// `text` as it can stand in a message: its first line, cut if long.
pub(super) fn short(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    if first.len() < text.trim_end().len() {
        cut(first, MAX_QUOTED) + " …"
    } else {
        cut(first, MAX_QUOTED)
    }
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// A value that starts with `!`.
pub(super) fn unknown_tag(file: &SourceFile, tag: String, range: Range<usize>) -> ParseError {
    let line = Line::at(file, range.start);
    let value = match line.value() {
        Some(value) if value.start == range.start => value,
        _ => flow_item(file, range.start),
    };
    let text = &file.text()[range.end..value.end.max(range.end)];
    let help = match text.trim_start() {
        rest if rest.starts_with(['{', '[']) => {
            let tag = range.start..value.end - rest.len();
            format!("leave it away: `{}`", line.with(&tag, ""))
        }
        _ => format!("as text it is quoted: `{}`", line.quoting(file, &value)),
    };
    ParseError::UnknownTag {
        tag: short(&tag),
        span: file.span(range),
        help,
    }
}

/// An alias that stands inside of what it repeats.
pub(super) fn alias_in_itself(file: &SourceFile, range: Range<usize>) -> ParseError {
    let alias = short(&file.text()[range.clone()]);
    let what = format!("alias `{alias}` stands inside its own anchor");
    ParseError::Alias {
        what,
        span: file.span(range),
        help: Some("an alias repeats what is complete before it: write the value out".to_owned()),
    }
}

/// An alias whose anchor does not exist: mostly a glob.
pub(super) fn unknown_alias(file: &SourceFile, value: Range<usize>) -> ParseError {
    let text = &file.text()[value.clone()];
    let corrected = Line::at(file, value.start).quoting(file, &value);
    let name = text.get(1..).unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_name) {
        let what = format!("no anchor `&{}` before this alias", short(name));
        let help = Some(format!("as text it is quoted: `{corrected}`"));
        return ParseError::Alias {
            what,
            span: file.span(value),
            help,
        };
    }
    ParseError::NeedsQuotes {
        what: "a value cannot start with `*`: YAML reads it as an alias".to_owned(),
        span: file.span(value),
        help: format!("quote it: `{corrected}`"),
    }
}

/// A key that is a map or list; a value that starts with `{{` looks like one to YAML.
pub(super) fn key_not_text(file: &SourceFile, found: &'static str, span: Span) -> ParseError {
    let start = (span.start - file.base()) as usize;
    let text = file.text();
    let braces = start > 0 && text.as_bytes()[start - 1..].starts_with(b"{{");
    if !braces {
        let help = match &text[start..(span.end - file.base()) as usize] {
            "~" => "as text it is quoted: `\"~\"`".to_owned(),
            "" => "write the key in front of the `:`".to_owned(),
            _ => "a list or map cannot be a key; as text it is quoted".to_owned(),
        };
        let help = Some(help);
        return ParseError::KeyNotText { found, span, help };
    }
    let start = start - 1;
    let line = Line::at(file, start);
    let end = text[start..line.end()]
        .find("}}")
        .map_or(line.end(), |end| start + end + 2);
    braces_error(file, start..end)
}

/// A value that starts with `{{`.
pub(super) fn braces_error(file: &SourceFile, value: Range<usize>) -> ParseError {
    let line = Line::at(file, value.start);
    let text = &file.text()[value.clone()];
    // A flow collection opened on this line needs the quotes even for an expression.
    let flow = line.value().is_none_or(|whole| whole.start != value.start);
    let expression = format!("${text}");
    let expression = if flow {
        quoted(&expression)
    } else {
        expression
    };
    ParseError::NeedsQuotes {
        what: "a value cannot start with `{{`: YAML reads `{` as the start of a map".to_owned(),
        help: format!(
            "an expression is written `{}`, plain text `{}`",
            line.with(&value, &expression),
            line.quoting(file, &value)
        ),
        span: file.span(value),
    }
}

/// The help for a map where text is wanted: `- echo a: b` is a map to YAML.
pub(super) fn colon_made_a_map(file: &SourceFile, key: Span) -> Option<String> {
    let start = (key.start - file.base()) as usize;
    let line = Line::at(file, start);
    let in_flow = line.text[..start - line.start].contains(['[', '{']);
    let end = match in_flow {
        true => start + flow_item_end(&file.text()[start..line.end()]),
        false => line.end(),
    };
    let value = start..end;
    let colon = file.text()[value.clone()].find(": ")?;
    // Only where the map was an accident: one word before a colon is a key.
    let words = file.text()[start..start + colon].contains(' ');
    words.then(|| {
        let line = line.quoting(file, &value);
        format!("`: ` makes this a map; as text it is quoted: `{line}`")
    })
}

/// The help for a map where text is wanted, in a list between brackets: `[a, b: c]`.
pub(super) fn colon_made_a_pair(file: &SourceFile, key: Span) -> Option<String> {
    let start = (key.start - file.base()) as usize;
    let line = Line::at(file, start);
    let before = line.text[..start - line.start].trim_end();
    let value = start..start + flow_item_end(&file.text()[start..line.end()]);
    let is_pair = before.ends_with(['[', ',']) && file.text()[value.clone()].contains(": ");
    is_pair.then(|| {
        let line = line.quoting(file, &value);
        format!("`: ` makes this a map; as text it is quoted: `{line}`")
    })
}

/// The help for text that begins with one of `keys`, with no `: ` behind it: `run:x` or `run x`.
pub(super) fn colon_missing(file: &SourceFile, text: Span, keys: &[&str]) -> Option<String> {
    let start = (text.start - file.base()) as usize;
    let line = Line::at(file, start);
    let rest = &line.text[start - line.start..];
    let key = keys.iter().find(|key| {
        let after = rest.strip_prefix(**key);
        after.is_some_and(|after| after.starts_with([':', ' ']) && after.len() > 1)
    })?;
    let end = start + key.len();
    let (what, gap) = match file.text()[end..].starts_with(':') {
        true => ("a space is missing after `:`", end..end + 1),
        false => ("a `:` is missing after the key", end..end + 1),
    };
    let line = line.with(&gap, ": ");
    Some(format!("{what}: `{line}`"))
}

/// `key` alone on its line, or a step's key with a value behind it: `run echo hi`. `is_key` where a
/// word alone can only be one.
pub(super) fn no_colon(file: &SourceFile, line: Line<'_>, is_key: bool) -> Option<ParseError> {
    let content = line.text.split(" #").next().unwrap_or_default().trim();
    let key = content.split(' ').next().filter(|key| !key.is_empty())?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_alone = is_key && key == content && key.bytes().all(is_word) && !key.starts_with('-');
    if !is_alone && !StepDoc::KEYS.contains(&key) {
        return None;
    }
    let end = line.start + line.indentation().len() + key.len();
    Some(ParseError::Syntax {
        what: format!("a `:` is missing after the key `{}`", short(key)),
        span: file.span(end - key.len()..end),
        help: Some(format!("write `{}`", line.with(&(end..end), ":"))),
    })
}

/// The item of a list or map in one line that has brackets of its own behind its first word, as
/// `echo {a,b}` in `[echo {a,b}, c]`.
pub(super) fn bracket_inside(line: Line<'_>) -> Option<Range<usize>> {
    let text = line.text;
    let mut item: Option<usize> = None;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let end = at + character.len_utf8();
        let written = item.map(|start| text[start..at].trim());
        match (character, written) {
            ('[' | '{', Some(written)) if !written.is_empty() => {
                let start = item? + text[item?..].len() - text[item?..].trim_start().len();
                let inner = text[at..].find(closing(character))? + at + 1;
                let value = start..inner + flow_item_end(&text[inner..]);
                return (!written.ends_with('$'))
                    .then(|| line.start + value.start..line.start + value.end);
            }
            ('[' | '{', None) if !text[..at].trim_end().ends_with([':', '-']) => return None,
            ('[' | '{', _) => item = Some(end),
            (',', Some(_)) => item = Some(end),
            (':', Some(_)) if text[end..].starts_with(' ') => item = Some(end),
            ('"' | '\'', Some("")) => at = end + text[end..].find(character)?,
            (']' | '}', Some(_)) => item = Some(end),
            _ => {}
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

/// The bracket that closes `open`.
fn closing(open: char) -> char {
    match open {
        '[' => ']',
        _ => '}',
    }
}

/// The help for a key that no `:` follows: `{ description: one, two }` has the key `two` to YAML.
pub(super) fn comma_made_a_key(file: &SourceFile, key: Span) -> Option<String> {
    let at = (key.start - file.base()) as usize;
    let line = Line::at(file, at);
    let mut value = flow_item(file, at);
    let is_alone = |item: &Range<usize>| !file.text()[item.clone()].contains(':');
    let follows_comma = |item: &Range<usize>| {
        let before = line.text[..item.start - line.start].trim_end();
        Some(line.start + before.strip_suffix(',')?.len())
    };
    if !is_alone(&value) {
        return None;
    }
    // All that stands between commas without a colon belongs to the value before.
    while let Some(comma) = follows_comma(&value) {
        value.start = flow_item(file, comma).start;
    }
    while file.text()[value.end..line.end()]
        .trim_start()
        .starts_with(',')
    {
        let rest = &line.text[value.end - line.start..];
        let next = value.end + rest.find(|c: char| !c.is_whitespace() && c != ',')?;
        let next = next..flow_item(file, next).end;
        if !is_alone(&next) || next.is_empty() {
            break;
        }
        value.end = next.end;
    }
    let first = file.text()[value.clone()].chars().next()?;
    let brackets = file.text()[value.clone()].contains(['[', ']', '{', '}']);
    if value.start == at || brackets || matches!(first, '"' | '\'') {
        return None;
    }
    let quoted = line.quoting(file, &value);
    Some(format!(
        "a comma ends a value between braces; as text it is quoted: `{quoted}`"
    ))
}

/// The help for nothing where text is wanted: `key: #x` is a comment to YAML.
pub(super) fn comment_took_the_value(file: &SourceFile, key: Span) -> Option<String> {
    let line = Line::at(file, (key.end - file.base()) as usize);
    let after = &line.text[(key.end - file.base()) as usize - line.start..];
    let hash = after.find(" #")? + 1;
    if after[..hash].trim() != ":" || after[hash..].starts_with("# ") {
        return None;
    }
    let start = (key.end - file.base()) as usize + hash;
    let value = start..start + after[hash..].trim_end().len();
    Some(format!(
        "`#` starts a comment; as text it is quoted: `{}`",
        line.quoting(file, &value)
    ))
}
