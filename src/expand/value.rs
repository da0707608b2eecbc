//! Values of expressions, as they are kept: what YAML wrote, and paths of the workspace.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::ValueKind;
use serde::{Deserialize, Serialize};

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
    /// Text; also numbers that would print otherwise than they were written.
    Text(String),
    /// A path; shown relative to the folder of whoever reads it.
    Path(RelPath),
    /// A list.
    List(Vec<Self>),
    /// A map, in the order written.
    Map(IndexMap<String, Self>),
}

impl Val {
    /// What a plain or quoted scalar means: a type of its own only where it prints as written.
    pub fn of_scalar(text: &Text) -> Self {
        match text.text.as_str() {
            "true" if text.plain => Self::Bool(true),
            "false" if text.plain => Self::Bool(false),
            written if text.plain => match written.parse::<i64>() {
                Ok(number) if number.to_string() == written => Self::Int(number),
                _ => Self::Text(written.to_owned()),
            },
            written => Self::Text(written.to_owned()),
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
            Self::Text(text) => text.clone(),
            Self::Path(path) => to_text(path.as_bytes()),
            Self::List(items) => items.iter().map(Self::label).collect::<Vec<_>>().join(" "),
            Self::Map(map) => map.get("name").map(Self::label).unwrap_or_default(),
        }
    }

    /// The value for the engine. Paths become text relative to `dir` that is marked as safe: that
    /// mark is how the engine's values tell paths from other text.
    pub fn to_engine(&self, dir: &RelPath) -> Value {
        match self {
            Self::Null => Value::from(()),
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Text(text) => Value::from(text.as_str()),
            Self::Path(path) => path_value(path, dir),
            Self::List(items) => Value::from(
                items
                    .iter()
                    .map(|item| item.to_engine(dir))
                    .collect::<Vec<_>>(),
            ),
            Self::Map(map) => map_value(
                map.iter()
                    .map(|(key, item)| (key.clone(), item.to_engine(dir))),
            ),
        }
    }

    /// What the engine gave, where paths in it are relative to `dir`.
    pub fn from_engine(value: &Value, dir: &RelPath) -> Self {
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
                .map_or_else(|_| Self::Text(value.to_string()), Self::Int),
            ValueKind::None | ValueKind::Undefined => Self::Null,
            _ => Self::from_text(value, dir),
        }
    }

    fn from_text(value: &Value, dir: &RelPath) -> Self {
        let text = value.to_string();
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
