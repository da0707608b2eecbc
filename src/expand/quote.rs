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
    /// In Python code: paths and lists are literals.
    Python,
    /// In PowerShell code: paths and lists are literals.
    PowerShell,
    /// In code of a language that is not known: only plain text can go in.
    Unknown,
    /// As [`Place::Posix`], for text that the command line set: always one word.
    Typed(Context),
}

/// The text that `value` is at `place`.
///
/// # Errors
///
/// A sentence fragment, when a list or path cannot be written there.
pub(super) fn put(value: &Value, place: Place) -> Result<String, String> {
    match place {
        Place::Text => Ok(plain(value)),
        Place::Pattern if value.is_safe() => Ok(escaped(&value.to_string(), &['*', '?', '[', ']', '{', '}', '!', '\\'])),
        Place::Pattern => Ok(plain(value)),
        Place::Posix(context) => posix(value, context),
        Place::Typed(context) if is_list(value) => posix(value, context),
        Place::Typed(context) => posix_text(&shown(value), context),
        Place::Python => Ok(literal(value, &python_literal, ("[", "]"))),
        Place::PowerShell => Ok(literal(value, &powershell_literal, ("@(", ")"))),
        Place::Unknown if is_words(value) => {
            Err("the quoting rules of this shell are not known, so a path or list cannot stand here: pass it by `env`"
                .to_owned())
        }
        Place::Unknown => Ok(value.to_string()),
    }
}

/// Whether quoting matters: paths and lists. Other text goes in as it stands.
fn is_words(value: &Value) -> bool {
    value.is_safe() || is_list(value)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn items(value: &Value) -> impl Iterator<Item = Value> {
    value.try_iter().into_iter().flatten()
}

/// Lists with spaces between; maps by their name.
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

fn posix(value: &Value, context: Context) -> Result<String, String> {
    if !is_words(value) {
        return Ok(shown(value));
    }
    if context == Context::Comment {
        return Ok(plain(value).replace('\n', " "));
    }
    if !is_list(value) {
        return posix_text(&guarded(value.to_string().into()), context);
    }
    match context {
        Context::Word => Ok(items(value)
            .map(|item| posix_word(&if item.is_safe() { guarded(item.to_string().into()) } else { item.to_string().into() }))
            .collect::<Vec<_>>()
            .join(" ")),
        Context::Part => Err("a list cannot stand inside a word: put spaces around it, or use `join`".to_owned()),
        Context::Double | Context::Single => {
            Err("a list cannot stand inside quotes: take the quotes away, its elements are quoted where they need it"
                .to_owned())
        }
        Context::Comment | Context::Unclear => Err(unclear()),
    }
}

/// One text in a place of a shell script.
fn posix_text(text: &str, context: Context) -> Result<String, String> {
    match context {
        Context::Word | Context::Part => Ok(posix_word(text)),
        Context::Double => Ok(escaped(text, &['"', '$', '`', '\\'])),
        Context::Single => Ok(text.replace('\'', r"'\''")),
        Context::Comment => Ok(text.replace('\n', " ")),
        Context::Unclear => Err(unclear()),
    }
}

fn unclear() -> String {
    "how to quote it cannot be told here (a here-document, backticks or `${...}`): pass it by `env` and write `\"$NAME\"`"
        .to_owned()
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

/// Paths and lists as literals, other text as it stands.
fn literal(value: &Value, one: &dyn Fn(&str) -> String, brackets: (&str, &str)) -> String {
    if is_list(value) {
        let items: Vec<String> = items(value).map(|item| one(&item.to_string())).collect();
        return format!("{}{}{}", brackets.0, items.join(", "), brackets.1);
    }
    if value.is_safe() {
        one(&value.to_string())
    } else {
        value.to_string()
    }
}

fn python_literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn powershell_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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
        assert_eq!(put(&nasty, Place::Python).as_deref(), Ok(r#"'a "$x\''"#));
        assert_eq!(
            put(&nasty, Place::PowerShell).as_deref(),
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
            put(&list, Place::Python).as_deref(),
            Ok("['-ldflags=-s -w', '-trimpath']")
        );
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
