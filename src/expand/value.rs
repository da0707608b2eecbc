//! Values of expressions, as they are kept: what YAML wrote, and paths of the workspace.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Deserialize, Serialize};

use super::uses::Role;
use crate::parse::{Text, ValueDoc};
use crate::path::{RelPath, to_bytes, to_text};

/// A value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Val {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number, as it was written.
    Number(String),
    /// Text.
    Text(String),
    /// A path; shown relative to the folder of whoever reads it.
    Path(RelPath),
    /// An absolute path.
    Absolute(String),
    /// A list.
    List(Vec<Self>),
    /// A map, in the order written.
    Map(IndexMap<String, Self>),
}

impl Val {
    /// What a plain or quoted scalar means.
    pub fn of_scalar(text: &Text) -> Self {
        match text.text.as_str() {
            "true" | "True" | "TRUE" if text.plain => Self::Bool(true),
            "false" | "False" | "FALSE" if text.plain => Self::Bool(false),
            written if text.plain => {
                Self::number(written).unwrap_or_else(|| Self::Text(written.to_owned()))
            }
            written => Self::Text(written.to_owned()),
        }
    }

    /// A number as YAML reads it.
    pub fn number(written: &str) -> Option<Self> {
        match written.parse::<i64>() {
            Ok(whole) if whole.to_string() == written => Some(Self::Int(whole)),
            _ => number(written).map(|_| Self::Number(written.to_owned())),
        }
    }

    /// A value without expressions in it.
    pub fn of_doc(doc: &ValueDoc) -> Self {
        match doc {
            ValueDoc::Null(_) => Self::Null,
            ValueDoc::Text(text) => Self::of_scalar(text),
            ValueDoc::List(items, _) => Self::List(items.iter().map(Self::of_doc).collect()),
            ValueDoc::Map(entries, _) => Self::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.value.clone(), Self::of_doc(value)))
                    .collect(),
            ),
        }
    }

    /// How an instance's name shows it: a map by its `name`.
    pub fn label(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) | Self::Absolute(text) => text.clone(),
            Self::Path(path) => to_text(path.as_bytes()),
            Self::List(items) => items.iter().map(Self::label).collect::<Vec<_>>().join(" "),
            Self::Map(map) => map.get("name").map(Self::label).unwrap_or_default(),
        }
    }

    /// The value for the engine. Paths become text relative to `dir` that is marked as safe: that
    /// mark is how the engine's values tell paths from other text. `role` is what stands beside it.
    pub(super) fn to_engine(&self, dir: &RelPath, role: Role) -> Value {
        match self {
            Self::Null => Value::from(()),
            Self::Bool(_) | Self::Int(_) | Self::Number(_) if role == Role::Text => {
                Value::from(self.label())
            }
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Number(written) => number(written)
                .filter(|number| role == Role::Number || number.to_string() == *written)
                .unwrap_or_else(|| Value::from(written.as_str())),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Path(path) => path_value(path, dir),
            Self::Absolute(path) => Value::from_safe_string(path.clone()),
            Self::List(items) => Value::from(
                items
                    .iter()
                    .map(|item| item.to_engine(dir, Role::Free))
                    .collect::<Vec<_>>(),
            ),
            Self::Map(map) => map_value(
                map.iter()
                    .map(|(key, item)| (key.clone(), item.to_engine(dir, Role::Free))),
            ),
        }
    }

    /// What the engine gave, where paths in it are relative to `dir`.
    pub(super) fn from_engine(value: &Value, dir: &RelPath) -> Self {
        match value.kind() {
            ValueKind::Bool => Self::Bool(value.is_true()),
            ValueKind::Seq | ValueKind::Iterable => Self::List(
                value
                    .try_iter()
                    .into_iter()
                    .flatten()
                    .map(|item| Self::from_engine(&item, dir))
                    .collect(),
            ),
            ValueKind::Map => Self::Map(
                value
                    .try_iter()
                    .into_iter()
                    .flatten()
                    .map(|key| {
                        let item = value.get_item(&key).unwrap_or_default();
                        (key.to_string(), Self::from_engine(&item, dir))
                    })
                    .collect(),
            ),
            ValueKind::Number => i64::try_from(value.clone())
                .map_or_else(|_| Self::Number(value.to_string()), Self::Int),
            ValueKind::None | ValueKind::Undefined => Self::Null,
            _ => Self::from_text(value, dir),
        }
    }

    fn from_text(value: &Value, dir: &RelPath) -> Self {
        let text = value.to_string();
        if value.is_safe() && text.starts_with('/') {
            return Self::Absolute(text);
        }
        if value.is_safe()
            && let Ok(path) = RelPath::resolve(dir, &to_bytes(&text))
        {
            return Self::Path(path);
        }
        Self::Text(text)
    }
}

/// A map for the engine.
pub(super) fn map_value(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::from(entries.collect::<BTreeMap<String, Value>>())
}

/// A path for the engine, as seen from `dir`.
pub(super) fn path_value(path: &RelPath, dir: &RelPath) -> Value {
    Value::from_safe_string(to_text(&path.relative_to(dir)))
}

/// What a number of YAML counts: `1.10`, `0x1F`, `1e3`, `.5`.
fn number(written: &str) -> Option<Value> {
    let digits = written.strip_prefix(['-', '+']).unwrap_or(written);
    let radix = |prefix, radix| i64::from_str_radix(written.strip_prefix(prefix)?, radix).ok();
    if let Some(whole) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Value::from(whole));
    }
    // `inf` and `nan` are names to most people, and count nothing.
    let counts = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.chars().all(counts)
    {
        return None;
    }
    match written.parse::<i64>() {
        Ok(whole) => Some(Value::from(whole)),
        Err(_) => written.parse::<f64>().ok().map(Value::from),
    }
}
