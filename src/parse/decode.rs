//! From nodes to types: the trait, the macro that declares document types, and the containers.
//!
//! Decoding never stops at an error. A part that cannot be decoded is recorded in [`Cx`] and left
//! out, and its neighbours are decoded as if nothing had happened. This file does not know which
//! document types there are.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::ParseError;
use super::foreign;
use super::node::{Key, Node, NodeValue};
use super::shapes;
use super::traps;
use crate::source::{SourceMap, Span, Spanned};
use crate::suggest;

/// What decoding a file needs besides the nodes.
pub(super) struct Cx<'a> {
    /// The files that the nodes come from: the one that is read, and the templates it extends.
    pub(super) sources: &'a SourceMap,
    /// All that was found wrong so far.
    pub(super) errors: Vec<ParseError>,
    /// The key of a document that the node is, or is in.
    pub(super) field: &'static str,
}

impl<'a> Cx<'a> {
    pub(super) fn new(sources: &'a SourceMap, errors: Vec<ParseError>) -> Self {
        Self {
            sources,
            errors,
            field: "",
        }
    }

    /// Records that `node` is not what the place takes. Says nothing of a node that an error has
    /// been reported for already.
    pub(super) fn wrong_type(
        &mut self,
        wanted: &'static str,
        node: &Node<'_>,
        help: impl Into<Option<String>>,
    ) {
        if let Some(found) = node.found() {
            let help = help.into();
            self.errors.push(ParseError::WrongType {
                wanted,
                found,
                span: node.span,
                help,
            });
        }
    }

    /// Records that the keys of a map do not make up a value.
    pub(super) fn value(&mut self, what: impl Into<String>, span: Span, help: impl Into<String>) {
        self.errors.push(ParseError::Value {
            what: what.into(),
            span,
            help: help.into(),
        });
    }

    /// Whether a key is what a comma cut off from the value before it; records that.
    pub(super) fn is_rest_of_a_text(&mut self, key: &Key<'_>, value: &Node<'_>) -> bool {
        let file = self.sources.file(key.span);
        let file = file.filter(|_| matches!(value.value, NodeValue::Null));
        let Some(help) = file.and_then(|file| traps::comma_made_a_key(file, key.span)) else {
            return false;
        };
        let what = format!("`{}` is a key without a value", traps::short(&key.text));
        self.value(what, key.span, help);
        true
    }

    /// Records a key that `place` does not have.
    pub(super) fn unknown_key(
        &mut self,
        key: &str,
        span: Span,
        place: &'static str,
        keys: &[&str],
    ) {
        let file = self.sources.file(span);
        let comma = file.and_then(|file| traps::comma_made_a_key(file, span));
        let colon = || traps::colon_missing(file?, span, keys);
        let help = comma.or_else(colon).or_else(|| foreign::help(key, keys));
        self.errors.push(ParseError::UnknownKey {
            key: key.to_owned(),
            place,
            span,
            help,
        });
    }
}

/// What can be made from a node.
pub(super) trait Decode: Sized {
    /// In a map of these, names that begin with `x-` are left out.
    const IGNORES_X: bool = false;

    /// Makes the value; `None` after an error, which is then in `cx`. Takes the node, so that its
    /// texts move and are not copied.
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self>;
}

/// A type whose keys are fixed words. Declared with [`document!`].
pub(super) trait Document: Default {
    /// What a person calls it, with its article.
    const PLACE: &'static str;
    /// Its keys.
    const KEYS: &'static [&'static str];
    /// Nothing at all stands for a document without keys.
    const MAY_BE_EMPTY: bool = false;
    /// See [`Decode::IGNORES_X`].
    const IGNORES_X: bool = false;
    /// Other keys than its own are somebody else's.
    const OTHERS_IGNORED: bool = false;
    /// Other keys than its own get a warning.
    const OTHERS_WARNED: bool = false;
    /// With an error in it there is none: its keys say something only together.
    const WHOLE: bool = false;

    /// Decodes `node` into the field `key`; `false` if there is none.
    fn set(&mut self, key: &str, node: Node<'_>, cx: &mut Cx<'_>) -> bool;
}

/// Decodes a map whose keys are fixed words.
pub(super) fn decode_document<D: Document>(node: Node<'_>, cx: &mut Cx<'_>) -> Option<D> {
    let (mut document, errors) = (D::default(), cx.errors.len());
    match node.value {
        NodeValue::Map(entries) => {
            for (key, value) in entries {
                if !key.text.starts_with("x-") && !document.set(&key.text, value, cx) {
                    other_key::<D>(&key, cx);
                }
            }
        }
        NodeValue::Null if D::MAY_BE_EMPTY => {}
        NodeValue::Seq(_) if !D::OTHERS_WARNED => {
            let help = shapes::keys(D::PLACE, D::KEYS.contains(&"run"), &node);
            cx.wrong_type("a map", &node, help);
        }
        NodeValue::Scalar(_) if D::KEYS.contains(&"run") && !D::OTHERS_WARNED => {
            let file = cx.sources.file(node.span);
            let colon = file.and_then(|file| traps::colon_missing(file, node.span, D::KEYS));
            let help = colon.unwrap_or_else(|| {
                let place = D::PLACE;
                format!("a command is written `{{ run: ... }}` where {place} stands")
            });
            cx.wrong_type("a map", &node, help);
        }
        _ => cx.wrong_type("a map", &node, shapes::map(cx.field, &node)),
    }
    // Mostly also after an error: the name exists, and what refers to it is not wrong as well.
    (!D::WHOLE || cx.errors.len() == errors).then_some(document)
}

/// Records a key that the document does not have, where it should have none.
fn other_key<D: Document>(key: &Key<'_>, cx: &mut Cx<'_>) {
    if D::OTHERS_WARNED {
        cx.errors.push(ParseError::KeyNotRead {
            key: key.text.to_string(),
            place: D::PLACE,
            span: key.span,
            help: suggest::did_you_mean(&key.text, D::KEYS.iter().copied()),
        });
    } else if !D::OTHERS_IGNORED {
        cx.unknown_key(&key.text, key.span, D::PLACE, D::KEYS);
    }
}

/// The key of a field: its name, or the word after `as`.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:tt) => {
        $key
    };
}
pub(super) use key;

/// Declares document types: a struct of `Option<Spanned<T>>` fields with its schema, and how it is
/// decoded. One declaration, so that reader and schema cannot drift apart.
///
/// After the type's name stands what people call it, then flags of [`Document`].
macro_rules! document {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident($place:literal $(, $flag:ident)*) {
            $( $(#[$field_meta:meta])* $field:ident $(as $key:tt)? : $type:ty, )*
        }
    )*) => {$(
        #[derive(Debug, Clone, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, extend("patternProperties" = { "^x-": true }))]
        $(#[$meta])*
        $vis struct $name {
            $(
                $(#[$field_meta])*
                $(#[schemars(rename = $key)])?
                pub $field: Option<$crate::source::Spanned<$type>>,
            )*
            /// Keys with mistakes in their values.
            #[schemars(skip)]
            pub unread: Vec<&'static str>,
        }

        impl $crate::parse::decode::Document for $name {
            const PLACE: &'static str = $place;
            const KEYS: &'static [&'static str] =
                &[$($crate::parse::decode::key!($field $($key)?)),*];
            $(const $flag: bool = true;)*

            fn set(
                &mut self,
                key: &str,
                node: $crate::parse::node::Node<'_>,
                cx: &mut $crate::parse::decode::Cx<'_>,
            ) -> bool {
                match key {
                    $($crate::parse::decode::key!($field $($key)?) => {
                        let key = $crate::parse::decode::key!($field $($key)?);
                        let errors = cx.errors.len();
                        let is_broken = errors > 0 && node.is_broken();
                        cx.field = key;
                        self.$field = $crate::parse::decode::Decode::decode(node, cx);
                        if is_broken || cx.errors.len() > errors {
                            self.unread.push(key);
                        }
                    })*
                    _ => return false,
                }
                true
            }
        }

        impl $crate::parse::decode::Decode for $name {
            const IGNORES_X: bool = <Self as $crate::parse::decode::Document>::IGNORES_X;

            fn decode(
                node: $crate::parse::node::Node<'_>,
                cx: &mut $crate::parse::decode::Cx<'_>,
            ) -> Option<Self> {
                $crate::parse::decode::decode_document(node, cx)
            }
        }
    )*};
}
pub(super) use document;

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let span = node.span;
        T::decode(node, cx).map(|value| Self::new(value, span))
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A list; where it was written as one item, a list of one. Items with errors are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for List<T> {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        match node.value {
            NodeValue::Seq(items) => Some(Self(
                items
                    .into_iter()
                    .filter_map(|item| T::decode(item, cx))
                    .collect(),
            )),
            NodeValue::Null => {
                let help = "remove the line, or give it a value; an empty list is `[]`".to_owned();
                cx.wrong_type("a list", &node, help);
                None
            }
            _ => T::decode(node, cx).map(|item| Self(vec![item])),
        }
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "array", "items": item }, item] })
    }
}

/// A map from names to values, in the order written. Entries with errors are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map<T>(pub Vec<(Spanned<String>, Spanned<T>)>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for Map<T> {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let NodeValue::Map(entries) = node.value else {
            cx.wrong_type("a map", &node, shapes::map(cx.field, &node));
            return None;
        };
        let mut map = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if T::IGNORES_X && key.text.starts_with("x-") {
                continue;
            }
            if cx.is_rest_of_a_text(&key, &value) {
                continue;
            }
            if let Some(value) = Decode::decode(value, cx) {
                map.push((key.into_spanned(), value));
            }
        }
        Some(Self(map))
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl Decode for bool {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        match node.plain() {
            Some("true" | "True" | "TRUE") => return Some(true),
            Some("false" | "False" | "FALSE") => return Some(false),
            _ => {}
        }
        let help = match node.text() {
            Some("true" | "yes" | "on" | "y") => Some("write `true`, without quotes".to_owned()),
            Some("false" | "no" | "off" | "n") => Some("write `false`, without quotes".to_owned()),
            _ => Some("write one of the two".to_owned()),
        };
        cx.wrong_type("`true` or `false`", &node, help);
        None
    }
}

impl Decode for u64 {
    fn decode(node: Node<'_>, cx: &mut Cx<'_>) -> Option<Self> {
        let digits = node
            .plain()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits
            .and_then(|text| text.parse().ok())
            .filter(|number| *number > 0);
        if number.is_none() {
            let help = number_help(node.text().unwrap_or_default());
            cx.wrong_type("a positive whole number", &node, help);
        }
        number
    }
}

/// The number that `text` is but for its quotes or `_` between its digits.
fn number_help(text: &str) -> String {
    let digits: String = text.chars().filter(|character| *character != '_').collect();
    match digits.parse::<u64>() {
        Ok(number) if number > 0 => format!("write `{number}`"),
        _ => "write digits alone, such as `4`".to_owned(),
    }
}

/// Records that `node` is no text. Where it became something else by a colon or a `#`, the help
/// shows the line with quotes.
pub(super) fn wrong_text(node: &Node<'_>, cx: &mut Cx<'_>) {
    let help = match &node.value {
        NodeValue::Map(entries) => entries
            .first()
            .and_then(|(key, _)| traps::colon_made_a_map(cx.sources.file(key.span)?, key.span))
            .or_else(|| shapes::list(cx.field, entries))
            .or_else(|| {
                let (key, _) = entries.first()?;
                traps::colon_made_a_pair(cx.sources.file(key.span)?, key.span)
            })
            .or_else(|| Some("one value stands here, without keys of its own".to_owned())),
        NodeValue::Seq(_) => Some("one value stands here, without brackets or `-`".to_owned()),
        NodeValue::Null => (cx.sources.file(node.span))
            .and_then(|file| traps::comment_took_the_value(file, node.span))
            .or_else(|| Some("write `\"\"` for empty text, or remove the line".to_owned())),
        _ => None,
    };
    cx.wrong_type("text", node, help);
}
