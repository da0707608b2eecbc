//! How a value goes into text: as it stands, or as words of the language that reads it.

use std::borrow::Cow;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Deserialize, Serialize};

use super::shell::Context;
use crate::path::{RelPath, as_text};

/// Where a hole stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Place {
    /// In text that no shell reads: an environment value, a path.
    Text,
    /// In a glob: the characters of paths stand for themselves.
    Pattern,
    /// In a script of `sh` or a relative.
    Posix(Context),
    /// In Python code: paths and lists are literals, and paths parts of literals inside of quotes.
    Python(Context),
    /// In PowerShell code, likewise.
    PowerShell(Context),
    /// In code of a language that is not known: only plain text can go in.
    Unknown,
    /// As [`Place::Posix`], for text that the command line set: always one word.
    Typed(Context),
    /// As [`Place::Python`], for text that the command line set: a literal, or a part of one.
    TypedPython(Context),
    /// As [`Place::PowerShell`], likewise.
    TypedPowerShell(Context),
    /// As [`Place::Unknown`], for text that the command line set: nothing can go in.
    TypedUnknown,
}

/// Why a value cannot be written at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Misfit {
    /// A list as a part of a word.
    #[error("a list cannot stand inside a word")]
    ListInWord,
    /// A list inside quotes.
    #[error("a list cannot stand inside quotes")]
    ListInQuotes,
    /// Where a shell's rules of quoting cannot be told.
    #[error(
        "how to quote it cannot be told in a here-document, a substitution inside quotes, backticks, `${{...}}` or arithmetic"
    )]
    Unclear,
    /// A shell of unknown rules.
    #[error(
        "a path, a list, and text of the command line or of git cannot stand here: how this shell quotes is not known"
    )]
    UnknownShell,
    /// Code whose rules cannot be told here.
    #[error("how to write it as a part of this text cannot be told")]
    UnclearText,
    /// A map.
    #[error("a map cannot stand in text")]
    Map,
    /// A NUL, which no program can be given.
    #[error("there is a NUL character in this value")]
    Nul,
}

impl Misfit {
    /// What to write instead of `expression`.
    pub(super) fn help(self, expression: &str) -> String {
        match self {
            Self::ListInWord => {
                "put blanks around it, or make one text of it with `join`".to_owned()
            }
            Self::ListInQuotes => {
                "take the quotes away: its elements are quoted where they need it; or make one text of it with `join`"
                    .to_owned()
            }
            Self::UnknownShell => by_environment(expression, "let the script read `VALUE` from its environment"),
            Self::Nul => "it would end the text for every program: take `\\0` out".to_owned(),
            Self::UnclearText => format!(
                "texts with expressions in them, raw texts and here-strings have rules of their own; {}",
                by_environment(expression, "let the script read `VALUE` from its environment")
            ),
            Self::Unclear => format!(
                "here-documents, backticks, `${{...}}`, arithmetic, substitutions inside quotes and `$'...'` have rules of their own; {}",
                by_environment(expression, "write `\"$VALUE\"` in the script")
            ),
            Self::Map => format!("name one of its fields, `{expression}.NAME`, or write it as JSON: `{expression} | json`"),
        }
    }
}

fn by_environment(expression: &str, and: &str) -> String {
    format!(
        "pass it as a variable:\n  env: {{ VALUE: \"${{{{ {} }}}}\" }}\nand {and}",
        expression.replace('"', "'")
    )
}

/// The text that `value` is at `place`.
///
/// # Errors
///
/// When a list, path or map cannot be written there.
pub(super) fn put(value: &Value, place: Place) -> Result<String, Misfit> {
    if value.kind() == ValueKind::Map {
        return Err(Misfit::Map);
    }
    let text = written(value, place)?;
    match text.contains('\0') {
        true => Err(Misfit::Nul),
        false => Ok(text),
    }
}

fn written(value: &Value, place: Place) -> Result<String, Misfit> {
    match place {
        Place::Text => Ok(plain(value)),
        Place::Pattern if value.is_safe() => Ok(escaped(
            &value.to_string(),
            &['*', '?', '[', ']', '{', '}', '!', '\\'],
        )),
        Place::Pattern => Ok(plain(value)),
        Place::Posix(context) => posix(value, context),
        Place::Typed(context) if is_words(value) => posix(value, context),
        Place::Typed(context) => posix_text(&shown(value), context),
        Place::Python(_) | Place::PowerShell(_) if !is_words(value) => Ok(shown(value)),
        Place::Python(context) | Place::TypedPython(context) => literal_in(value, context, &PYTHON),
        Place::PowerShell(context) | Place::TypedPowerShell(context) => {
            literal_in(value, context, &POWER_SHELL)
        }
        Place::TypedUnknown => Err(Misfit::UnknownShell),
        Place::Unknown if is_words(value) => Err(Misfit::UnknownShell),
        Place::Unknown => Ok(shown(value)),
    }
}

/// Whether quoting matters: paths and lists. Other text goes in as it stands.
pub(super) fn is_words(value: &Value) -> bool {
    value.is_safe() || is_list(value)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn items(value: &Value) -> impl Iterator<Item = Value> {
    value.try_iter().into_iter().flatten()
}

/// Lists with spaces between.
fn plain(value: &Value) -> String {
    if is_list(value) {
        return items(value)
            .map(|item| plain(&item))
            .collect::<Vec<_>>()
            .join(" ");
    }
    shown(value)
}

/// A single value as YAML would write it.
fn shown(value: &Value) -> String {
    match value.kind() {
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::None | ValueKind::Undefined => String::new(),
        _ => value.to_string(),
    }
}

fn posix(value: &Value, context: Context) -> Result<String, Misfit> {
    if !is_words(value) {
        return Ok(shown(value));
    }
    if context == Context::Comment {
        return Ok(plain(value).replace('\n', " "));
    }
    if !is_list(value) {
        return posix_text(&guarded(value.to_string().into()), context);
    }
    let word = |item: Value| match item.is_safe() {
        true => posix_word(&guarded(item.to_string().into())),
        false => posix_word(&shown(&item)),
    };
    match context {
        Context::Word => Ok(items(value).map(word).collect::<Vec<_>>().join(" ")),
        Context::Part => Err(Misfit::ListInWord),
        Context::Double | Context::Single => Err(Misfit::ListInQuotes),
        Context::Comment | Context::Unclear => Err(Misfit::Unclear),
    }
}

/// One text in a place of a shell script.
fn posix_text(text: &str, context: Context) -> Result<String, Misfit> {
    match context {
        Context::Word | Context::Part => Ok(posix_word(text)),
        Context::Double => Ok(escaped(text, &['"', '$', '`', '\\'])),
        Context::Single => Ok(text.replace('\'', r"'\''")),
        Context::Comment => Ok(text.replace('\n', " ")),
        Context::Unclear => Err(Misfit::Unclear),
    }
}

/// A relative path that begins with `-` would be taken for an option.
fn guarded(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.starts_with('-') {
        format!("./{path}").into()
    } else {
        path
    }
}

/// Appends paths, as seen from `dir`, as words of `sh`: what [`put`] makes of a list of them.
pub(super) fn push_paths(out: &mut String, paths: &[RelPath], dir: &RelPath) {
    for (at, path) in paths.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        push_word(out, &guarded(as_text(&path.relative_to(dir))));
    }
}

fn escaped(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `text` as one word of `sh`, quoted only where it needs it.
pub(super) fn posix_word(text: &str) -> String {
    let mut word = String::new();
    push_word(&mut word, text);
    word
}

fn push_word(out: &mut String, text: &str) {
    let safe = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                '_' | '-' | '.' | '/' | ',' | ':' | '@' | '%' | '+' | '=' | '^'
            )
            || (!c.is_ascii() && c.is_alphanumeric())
    };
    // `~` and a word with `=` before a `~` expand; an assignment word in front would be one.
    if !text.is_empty() && text.chars().all(safe) && !text.starts_with('=') {
        return out.push_str(text);
    }
    out.push('\'');
    out.push_str(&text.replace('\'', r"'\''"));
    out.push('\'');
}

/// How a language writes values.
struct Literals {
    text: fn(&str) -> String,
    /// A part of a text in `"` or `'`.
    part: fn(&str, char) -> String,
    list: (&'static str, &'static str),
    words: [&'static str; 3],
}

const PYTHON: Literals = Literals {
    text: python_literal,
    part: |text, _| python_part(text),
    list: ("[", "]"),
    words: ["True", "False", "None"],
};
const POWER_SHELL: Literals = Literals {
    text: powershell_literal,
    part: powershell_part,
    list: ("@(", ")"),
    words: ["$true", "$false", "$null"],
};

/// A list as a literal.
fn list(value: &Value, of: &Literals) -> String {
    let items: Vec<String> = items(value).map(|item| element(&item, of)).collect();
    format!("{}{}{}", of.list.0, items.join(", "), of.list.1)
}

/// A value as a literal or as a part of one.
fn literal_in(value: &Value, context: Context, of: &Literals) -> Result<String, Misfit> {
    match context {
        Context::Word | Context::Part if is_list(value) => Ok(list(value, of)),
        Context::Word | Context::Part => Ok((of.text)(&shown(value))),
        Context::Comment => Ok(plain(value).replace(char::is_control, " ")),
        Context::Unclear => Err(Misfit::UnclearText),
        Context::Double | Context::Single if is_list(value) => Err(Misfit::ListInQuotes),
        Context::Double => Ok((of.part)(&shown(value), '"')),
        Context::Single => Ok((of.part)(&shown(value), '\'')),
    }
}

/// An element of a list.
fn element(value: &Value, of: &Literals) -> String {
    match value.kind() {
        ValueKind::Bool => of.words[usize::from(!value.is_true())].to_owned(),
        ValueKind::None | ValueKind::Undefined => of.words[2].to_owned(),
        ValueKind::Number => value.to_string(),
        ValueKind::Seq | ValueKind::Iterable => list(value, of),
        _ => (of.text)(&value.to_string()),
    }
}

fn python_literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '"' => out.push(c),
            c => push_python(&mut out, c),
        }
    }
    out.push('\'');
    out
}

fn python_part(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| push_python(&mut out, c));
    out
}

fn push_python(out: &mut String, c: char) {
    match c {
        '\'' | '"' | '\\' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
        c => out.push(c),
    }
}

fn powershell_literal(text: &str) -> String {
    format!("'{}'", powershell_part(text, '\''))
}

fn powershell_part(text: &str, quote: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        // Typographic quotes end a text as well as the plain one.
        match c {
            '\'' | '\u{2018}'..='\u{201b}' if quote == '\'' => out.push(c),
            '"' | '`' | '$' | '\u{201c}'..='\u{201e}' if quote == '"' => out.push('`'),
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Value {
        Value::from_safe_string(text.to_owned())
    }

    #[test]
    fn one_word() {
        for (text, want) in [
            ("a/b.c", "a/b.c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$x", "'$x'"),
            ("~", "'~'"),
            ("-ldflags=-s -w", "'-ldflags=-s -w'"),
            ("\u{fc}", "\u{fc}"),
        ] {
            assert_eq!(posix_word(text), want);
        }
    }

    #[test]
    fn paths_by_context() {
        let nasty = path("a \"$x'");
        assert_eq!(
            put(&nasty, Place::Posix(Context::Word)).as_deref(),
            Ok(r#"'a "$x'\'''"#)
        );
        assert_eq!(
            put(&nasty, Place::Posix(Context::Double)).as_deref(),
            Ok(r#"a \"\$x'"#)
        );
        assert_eq!(
            put(&nasty, Place::Posix(Context::Single)).as_deref(),
            Ok(r#"a "$x'\''"#)
        );
        assert!(put(&nasty, Place::Posix(Context::Unclear)).is_err());
        assert_eq!(
            put(&path("-rf"), Place::Posix(Context::Word)).as_deref(),
            Ok("./-rf")
        );
        assert_eq!(
            put(&nasty, Place::Python(Context::Word)).as_deref(),
            Ok(r#"'a "$x\''"#)
        );
        assert_eq!(
            put(&nasty, Place::PowerShell(Context::Word)).as_deref(),
            Ok(r#"'a "$x'''"#)
        );
        assert_eq!(put(&nasty, Place::Text).as_deref(), Ok("a \"$x'"));
    }

    #[test]
    fn lists_are_words_of_their_own() {
        let list = Value::from(vec!["-ldflags=-s -w", "-trimpath"]);
        assert_eq!(
            put(&list, Place::Posix(Context::Word)).as_deref(),
            Ok("'-ldflags=-s -w' -trimpath")
        );
        for context in [
            Context::Part,
            Context::Double,
            Context::Single,
            Context::Unclear,
        ] {
            assert!(put(&list, Place::Posix(context)).is_err(), "{context:?}");
        }
        assert_eq!(
            put(&list, Place::Python(Context::Word)).as_deref(),
            Ok("['-ldflags=-s -w', '-trimpath']")
        );
        let mixed = Value::from(vec![Value::from(1), Value::from(true), Value::from("it's")]);
        assert_eq!(
            put(&mixed, Place::Python(Context::Word)).as_deref(),
            Ok(r"[1, True, 'it\'s']")
        );
        assert_eq!(
            put(&mixed, Place::PowerShell(Context::Word)).as_deref(),
            Ok("@(1, $true, 'it''s')")
        );
    }

    #[test]
    fn typed_text_in_code() {
        let text = Value::from("it's \"$x`\\");
        for (place, want) in [
            (Place::TypedPython(Context::Word), r#"'it\'s "$x`\\'"#),
            (Place::TypedPython(Context::Double), r#"it\'s \"$x`\\"#),
            (Place::TypedPowerShell(Context::Word), r#"'it''s "$x`\'"#),
            (Place::TypedPowerShell(Context::Single), r#"it''s "$x`\"#),
            (Place::TypedPowerShell(Context::Double), r#"it's `"`$x``\"#),
        ] {
            assert_eq!(put(&text, place).as_deref(), Ok(want), "{place:?}");
        }
        assert!(put(&text, Place::TypedPython(Context::Unclear)).is_err());
        assert!(put(&text, Place::TypedUnknown).is_err());
    }

    #[test]
    fn other_text_stands_as_it_is_but_typed_text_is_a_word() {
        let text = Value::from("a; b");
        assert_eq!(
            put(&text, Place::Posix(Context::Word)).as_deref(),
            Ok("a; b")
        );
        assert_eq!(
            put(&text, Place::Typed(Context::Word)).as_deref(),
            Ok("'a; b'")
        );
        assert_eq!(
            put(&text, Place::Typed(Context::Double)).as_deref(),
            Ok("a; b")
        );
    }
}
