//! The tree between text and types: nodes that know their place, as plain data.
//!
//! It knows neither the parser that makes it nor the types that are made from it.

use std::borrow::Cow;

use super::traps;
use crate::source::{Span, Spanned};

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As `|` or `>` block.
    Block,
}

/// Text as it is after quotes, escapes and folding.
#[derive(Debug, Clone)]
pub(super) struct Scalar<'a> {
    /// The text.
    pub(super) text: Cow<'a, str>,
    /// How it was written.
    pub(super) style: Style,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    /// The scalar or flow collection; for a block collection or nothing at all, the key that it
    /// belongs to, or its first child.
    pub(super) span: Span,
    /// What was written.
    pub(super) value: NodeValue<'a>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum NodeValue<'a> {
    /// `null`, `~` or nothing at all.
    Null,
    /// Text, number or boolean.
    Scalar(Scalar<'a>),
    /// A list.
    Seq(Vec<Node<'a>>),
    /// A map, in the order written, each key once.
    Map(Vec<Entry<'a>>),
    /// Something that an error has been reported for: whoever meets it stays silent.
    Broken,
}

/// A key with its value.
pub(super) type Entry<'a> = (Key<'a>, Node<'a>);

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key<'a> {
    /// Its text.
    pub(super) text: Cow<'a, str>,
    /// Its place.
    pub(super) span: Span,
    /// It is the merge key `<<`, without quotes.
    pub(super) merges: bool,
}

impl Key<'_> {
    /// The key as the document keeps it.
    pub(super) fn into_spanned(self) -> Spanned<String> {
        Spanned::new(self.text.into_owned(), self.span)
    }
}

impl Node<'_> {
    /// The same, without the file's text.
    pub(super) fn into_owned(self) -> Node<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let value = match self.value {
            NodeValue::Null => NodeValue::Null,
            NodeValue::Broken => NodeValue::Broken,
            NodeValue::Scalar(scalar) => NodeValue::Scalar(Scalar {
                text: owned(scalar.text),
                style: scalar.style,
            }),
            NodeValue::Seq(items) => {
                NodeValue::Seq(items.into_iter().map(Node::into_owned).collect())
            }
            NodeValue::Map(entries) => {
                let entry = |(key, value): Entry<'_>| {
                    let key = Key {
                        text: owned(key.text),
                        span: key.span,
                        merges: key.merges,
                    };
                    (key, value.into_owned())
                };
                NodeValue::Map(entries.into_iter().map(entry).collect())
            }
        };
        Node {
            span: self.span,
            value,
        }
    }

    /// Whether something in a file is broken that may hold a name that others use.
    pub(super) fn loses_names(&self) -> bool {
        let NodeValue::Map(entries) = &self.value else {
            return self.is_broken();
        };
        entries.iter().any(|(key, value)| match &value.value {
            NodeValue::Map(steps) if key.text == "steps" => {
                steps.iter().any(|(_, step)| step.step_loses_names())
            }
            _ => value.is_broken(),
        })
    }

    /// Of a step others use the name, and its instances.
    fn step_loses_names(&self) -> bool {
        match &self.value {
            NodeValue::Map(entries) => entries
                .iter()
                .any(|(key, value)| key.text == "matrix" && value.is_broken()),
            _ => self.is_broken(),
        }
    }

    /// Whether it, or something in it, is broken.
    pub(super) fn is_broken(&self) -> bool {
        match &self.value {
            NodeValue::Broken => true,
            NodeValue::Null | NodeValue::Scalar(_) => false,
            NodeValue::Seq(items) => items.iter().any(Self::is_broken),
            NodeValue::Map(entries) => entries.iter().any(|(_, value)| value.is_broken()),
        }
    }

    /// The value of `key`, if it is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let NodeValue::Map(entries) = &self.value else {
            return None;
        };
        let (_, value) = entries.iter().find(|(other, _)| other.text == key)?;
        Some(value)
    }

    /// The text, if it is a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text, if it is a scalar without quotes.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar(scalar) if scalar.style == Style::Plain => Some(&scalar.text),
            _ => None,
        }
    }

    /// What the node is, for `found ...` in an error; `None` where an error was reported already.
    pub(super) fn found(&self) -> Option<String> {
        Some(match &self.value {
            NodeValue::Null => "null".to_owned(),
            NodeValue::Scalar(scalar) => format!("`{}`", traps::short(&scalar.text)),
            NodeValue::Seq(_) => "a list".to_owned(),
            NodeValue::Map(_) => "a map".to_owned(),
            NodeValue::Broken => return None,
        })
    }
}
