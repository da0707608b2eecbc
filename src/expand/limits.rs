//! What keeps expansion small: no file can make it use up memory, time or the stack, while a
//! generated file of 100 000 steps stays far below. The numbers are the smallest round ones that
//! no real file comes near.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::template::Piece;
use super::value::Val;

/// Bytes of one value, and of what a filter gives.
pub(super) const MAX_VALUE: usize = 16 << 20;
/// Lists and maps in values.
const MAX_DEPTH: usize = 64;
/// Variables that are worked out for one another.
pub(super) const MAX_CHAIN: usize = 100;
/// Bytes of an expression.
const MAX_EXPRESSION: usize = 8 << 10;
/// Operators in an expression; the engine recurses this deep.
const MAX_OPERATORS: usize = 300;
/// Bytes of all texts of a graph's instances, and of all values worked out for them.
const MAX_TEXTS: usize = 256 << 20;
/// What a text takes up beside its bytes.
const TEXT: usize = 96;
/// Bytes of all else that a graph's instances hold.
const MAX_INSTANCES: usize = 512 << 20;
/// Bytes of the values of one matrix.
pub(super) const MAX_MATRIX: usize = 64 << 20;

/// What the expansion of one graph has used up.
#[derive(Debug, Default)]
pub struct Spent {
    texts: AtomicUsize,
    instances: AtomicUsize,
}

impl Spent {
    /// Begins anew, with another graph.
    pub(crate) fn reset(&self) {
        self.texts.store(0, Ordering::Relaxed);
        self.instances.store(0, Ordering::Relaxed);
    }

    /// Uses up `bytes` of text; false where that was too much.
    pub(super) fn text(&self, bytes: usize) -> bool {
        spend(&self.texts, bytes + TEXT, MAX_TEXTS)
    }

    /// Uses up `bytes` for an instance, beside its texts; false where that was too much.
    pub(super) fn instance(&self, bytes: usize) -> bool {
        spend(&self.instances, bytes, MAX_INSTANCES)
    }

    /// Whether there is something left.
    pub(super) fn is_left(&self) -> bool {
        self.texts.load(Ordering::Relaxed) <= MAX_TEXTS
            && self.instances.load(Ordering::Relaxed) <= MAX_INSTANCES
    }
}

fn spend(spent: &AtomicUsize, bytes: usize, most: usize) -> bool {
    let before = spent.fetch_add(bytes.min(most), Ordering::Relaxed);
    before.saturating_add(bytes) <= most
}

/// The bytes of a value, about; an error where it is larger or deeper than values may be.
pub(super) fn weigh(value: &Val) -> Result<usize, String> {
    let bytes = weight(value, 0).ok_or("the value nests too deep: give it fewer levels")?;
    match bytes <= MAX_VALUE {
        true => Ok(bytes),
        false => Err(too_large()),
    }
}

/// The bytes of a piece of a text, about.
pub(super) fn piece_weight(piece: &Piece) -> usize {
    const HOLE: usize = 100;
    match piece {
        Piece::Text(text) => text.len(),
        Piece::Hole {
            expression, early, ..
        } => {
            let values = early.values().filter_map(|value| weight(value, 0));
            HOLE + expression.len() + values.sum::<usize>()
        }
    }
}

/// The complaint about a value.
pub(super) fn too_large() -> String {
    format!(
        "the value is larger than {} MiB: what is so large belongs into a file",
        MAX_VALUE >> 20
    )
}

fn weight(value: &Val, depth: usize) -> Option<usize> {
    const ITEM: usize = 96;
    let inner = match value {
        Val::Null | Val::Bool(_) | Val::Int(_) => 0,
        Val::Text(text) | Val::Number(text) | Val::Absolute(text) => text.len(),
        Val::Path(path) => path.as_bytes().len(),
        Val::List(_) | Val::Map(_) if depth >= MAX_DEPTH => return None,
        Val::List(items) => {
            let mut weights = items.iter().map(|item| weight(item, depth + 1));
            weights.try_fold(0, |sum: usize, one| Some(sum + one?))?
        }
        Val::Map(entries) => {
            let mut weights = entries
                .iter()
                .map(|(key, item)| Some(key.len() + weight(item, depth + 1)?));
            weights.try_fold(0, |sum: usize, one| Some(sum + one?))?
        }
    };
    Some(inner + ITEM)
}

/// Whether the engine may read `expression`: it recurses once for each operator.
pub(super) fn check_size(expression: &str) -> Result<(), String> {
    if expression.len() > MAX_EXPRESSION {
        return Err(format!("it is longer than {} KiB", MAX_EXPRESSION >> 10));
    }
    let words = expression.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let named = words.filter(|word| matches!(*word, "not" | "and" | "or" | "if" | "is" | "in"));
    let signs =
        plain(expression).filter(|(_, c)| c.is_ascii_punctuation() && !matches!(c, '_' | ','));
    match named.count() + signs.count() > MAX_OPERATORS {
        true => Err(format!("it has more than {MAX_OPERATORS} operators")),
        false => Ok(()),
    }
}

/// Whether every `*` of `expression` stands between numbers: the engine would also repeat texts and
/// lists, a few characters as gigabytes. `is_number` tells of a name.
pub(super) fn check_products(
    expression: &str,
    is_number: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let is_product = |text: &str| {
        let mut words =
            text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        !text.contains(['\'', '"', '[', '{', '|', '~', ','])
            && !text.trim().is_empty()
            && words.all(|word| {
                !word.starts_with(|c: char| c.is_alphabetic() || c == '_') || is_number(word)
            })
    };
    let stars = plain(expression)
        .filter(|(_, c)| *c == '*')
        .map(|(at, _)| at);
    for at in stars {
        let (before, after) = (&expression[..at], &expression[at + 1..]);
        let before = before.strip_suffix('*').unwrap_or(before);
        let after = after.strip_prefix('*').unwrap_or(after);
        if !is_product(left_operand(before)) || !is_product(right_operand(after)) {
            return Err("`*` multiplies numbers only".to_owned());
        }
    }
    Ok(())
}

/// The characters of an expression that are not in quotes, with their places.
fn plain(expression: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    expression.char_indices().filter(move |(_, c)| {
        match quote {
            Some(_) if std::mem::take(&mut escaped) => {}
            Some(_) if *c == '\\' => escaped = true,
            Some(open) if open == *c => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(*c),
            None => return true,
        }
        false
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// What stands in front of an operator: a word, or something in parentheses. Anything else comes
/// back with the sign that tells.
fn left_operand(text: &str) -> &str {
    let text = text.trim_end();
    if !text.ends_with(')') {
        let word = text.trim_end_matches(is_word);
        return if word.len() == text.len() {
            text
        } else {
            &text[word.len()..]
        };
    }
    let mut depth = 0_usize;
    let open = text.char_indices().rev().find(|(_, c)| {
        depth = match c {
            ')' => depth + 1,
            '(' => depth - 1,
            _ => depth,
        };
        depth == 0
    });
    let open = open.map_or(0, |(at, _)| at);
    let name = text[..open].trim_end().trim_end_matches(is_word).len();
    // A filter or a call: with its name, which is no number's.
    &text[if text[..open].trim_end().len() > name {
        name
    } else {
        open
    }..]
}

/// What stands behind an operator, likewise.
fn right_operand(text: &str) -> &str {
    let text = text.trim_start().trim_start_matches('-').trim_start();
    let mut depth = 0_usize;
    let end = text.char_indices().find(|(_, c)| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth > 0 => {
            depth -= 1;
            false
        }
        c => depth == 0 && !is_word(*c),
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    let tail = text[end..].trim_start();
    // `2 * "a"` and `2 * [1]`: with the sign; `2 * x[0]` as well.
    let sign = usize::from(tail.starts_with(['"', '\'', '[', '{']));
    &text[..text.len() - tail.len() + sign]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_multiplied() {
        let good = |text: &str| check_products(text, |name| name == "host.cpus").is_ok();
        for text in [
            "2 * 3",
            "host.cpus * 2",
            "'-j' ~ host.cpus * 2",
            "(host.cpus + 1) * -2",
            "2 ** 10",
            "'**' ~ vars.x",
            "2 * (host.cpus - 1) if vars.x == '*' else 1",
        ] {
            assert!(good(text), "{text}");
        }
        for text in [
            "'a' * 3",
            "3 * 'a'",
            "3 * [1]",
            "[1] * 3",
            "vars.x * 3",
            "3 * vars.x",
            "('a') * 3",
            "('a' | upper) * 3",
            "2 | default('a') * 3",
            "'a' | upper * 3",
            "3 * (vars.x)",
            "3 * x[0]",
            "'\\'' * 3 ~ ''",
        ] {
            assert!(!good(text), "{text}");
        }
    }

    #[test]
    fn values_have_a_size() {
        let deep = (0..100).fold(Val::Null, |value, _| Val::List(vec![value]));
        assert!(weigh(&deep).is_err());
        assert!(weigh(&Val::Text("x".repeat(MAX_VALUE))).is_err());
        assert!(weigh(&Val::List(vec![Val::Null; 1000])).is_ok());
    }
}
