//! The right form for a value of the wrong one, in the words that were written: a list where a map is
//! wanted, a map where a list is.
//!
//! It looks at nodes and makes text; it decides nothing.

use super::node::{Entry, Node, NodeValue};
use super::traps;

/// So many entries are written out.
const MOST: usize = 3;
/// Keys under which other tools say what a list's item is.
const NAMES: [&str; 9] = [
    "name", "id", "step", "task", "job", "target", "path", "glob", "file",
];
/// Keys of lists of plain texts.
const LISTS: [&str; 6] = [
    "after", "exclude", "needs", "pass_env", "secrets", "sources",
];

/// What to write where the map `field` is wanted and `node` is none.
pub(super) fn map(field: &str, node: &Node<'_>) -> String {
    match &node.value {
        NodeValue::Null => "write `{}` for a map without keys, or remove the line".to_owned(),
        NodeValue::Seq(items) => {
            named(field, items).unwrap_or_else(|| "take the `-` away".to_owned())
        }
        _ => "a map has a line `key: value` for each of its entries".to_owned(),
    }
}

/// What to write where the keys of `place` are wanted and `node` is a list; `runs` if one is `run`.
pub(super) fn keys(place: &str, runs: bool, node: &Node<'_>) -> Option<String> {
    let NodeValue::Seq(items) = &node.value else {
        return None;
    };
    let texts: Vec<String> = items.iter().filter_map(Node::text).map(word).collect();
    if runs && !texts.is_empty() && texts.len() == items.len() {
        let run = traps::shown(&limited(&texts));
        return Some(format!("commands are written `{{ run: [{run}] }}`"));
    }
    Some(format!(
        "{place} is no list: write its keys below one another, without `-`"
    ))
}

/// What to write where `field` takes a list of texts and `entries` are a map.
pub(super) fn list(field: &str, entries: &[Entry<'_>]) -> Option<String> {
    if !LISTS.contains(&field) || entries.is_empty() {
        return None;
    }
    let item = NAMES.iter().find_map(|name| value_of(entries, name));
    let words: Vec<String> = match item {
        Some(item) => vec![word(item)],
        None => entries.iter().map(|(key, _)| word(&key.text)).collect(),
    };
    let form = format!("{field}: [{}]", limited(&words));
    Some(format!("write `{}`", traps::shown(&form)))
}

/// `field` as a map of what `items` name.
fn named(field: &str, items: &[Node<'_>]) -> Option<String> {
    if items.is_empty() {
        return Some(format!("an empty one is `{field}: {{}}`"));
    }
    let texts: Vec<String> = items.iter().filter_map(Node::text).map(word).collect();
    let form = match field {
        // Such a list says nothing of the name that all of it has.
        "targets" if texts.len() == items.len() => {
            format!("targets: {{ default: [{}] }}", limited(&texts))
        }
        "matrix" if texts.len() == items.len() => {
            format!("matrix: {{ axis: [{}] }}", limited(&texts))
        }
        _ => {
            let entries: Option<Vec<String>> =
                items.iter().map(|item| entry(field, item)).collect();
            format!("{field}: {{ {} }}", limited(&entries?))
        }
    };
    Some(format!("write `{}`", traps::shown(&form)))
}

/// `name: value` for an item of a list.
fn entry(field: &str, item: &Node<'_>) -> Option<String> {
    match &item.value {
        NodeValue::Scalar(scalar) => Some(match scalar.text.split_once('=') {
            Some((name, value)) => format!("{}: {}", word(name), word(value)),
            None => format!("{}: {}", word(&scalar.text), missing(field, &scalar.text)),
        }),
        NodeValue::Map(entries) => {
            let name = ["name", "id"]
                .iter()
                .find_map(|name| value_of(entries, name));
            match (name, entries.as_slice()) {
                (Some(name), _) => Some(format!("{}: {}", word(name), others(entries))),
                (None, [(key, value)]) => {
                    let value = value.text().map_or("...".to_owned(), word);
                    Some(format!("{}: {value}", word(&key.text)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// What stands under a name that was a key of its own: the value beside it, or the other keys.
fn others(entries: &[Entry<'_>]) -> String {
    if let Some(value) = value_of(entries, "value") {
        return word(value);
    }
    let other = entries
        .iter()
        .find(|(key, _)| !matches!(&*key.text, "name" | "id"));
    match other {
        Some((key, value)) => {
            let value = value.text().map_or("...".to_owned(), word);
            format!("{{ {}: {value} }}", key.text)
        }
        None => "{}".to_owned(),
    }
}

/// A value for a name that was written without.
fn missing(field: &str, name: &str) -> String {
    match field {
        "env" => "{ from: caller }".to_owned(),
        "pools" => "1".to_owned(),
        "profiles" => "{}".to_owned(),
        "steps" => "{ run: ... }".to_owned(),
        "tools" => word(&format!("{name} --version")),
        _ => "...".to_owned(),
    }
}

fn value_of<'n>(entries: &'n [Entry<'_>], name: &str) -> Option<&'n str> {
    let (_, value) = entries.iter().find(|(key, _)| key.text == name)?;
    value.text()
}

/// `text` as it can stand between brackets.
fn word(text: &str) -> String {
    let text = traps::short(text);
    let plain = |character: char| character.is_alphanumeric() || "_-./=+ ".contains(character);
    let starts = text.starts_with(|first: char| first.is_alphanumeric() || "_./".contains(first));
    match starts && text.chars().all(plain) && !text.ends_with(' ') {
        true => text,
        false => traps::quoted(&text),
    }
}

fn limited(words: &[String]) -> String {
    let more = if words.len() > MOST { ", ..." } else { "" };
    words[..words.len().min(MOST)].join(", ") + more
}
