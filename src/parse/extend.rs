//! `extends`: the keys of a template, and how a file's own keys are laid over them.
//!
//! Works on nodes, before anything is typed: where template and file both have a map, the maps are
//! merged key by key; all else is replaced as a whole, so a mistake in a template keeps its place.

use std::borrow::Cow;
use std::collections::HashMap;

use super::budget::Used;
use super::error::ParseError;
use super::node::{Entry, Key, Node, NodeValue};
use crate::source::{Span, Spanned};
use crate::suggest;

/// Keys of a file that those who extend it do not inherit.
pub(super) const OWN: [&str; 3] = ["name", "extends", "workspace"];

/// What can be extended: the keys of a file or of an entry of `workspace.templates`.
#[derive(Debug, Clone)]
pub struct Template {
    node: Node<'static>,
}

/// What all files of a workspace inherit together. It is limited: each of many small files can
/// extend one large template.
#[derive(Debug, Default)]
pub struct Inherited(Used);

/// What a file extends.
#[derive(Debug, Clone, Copy)]
pub enum Base<'t> {
    /// Nothing.
    None,
    /// Something that an error was reported for.
    Unknown,
    /// This, with all that it extends itself.
    Template(&'t Template),
}

/// The template in an empty file.
impl Default for Template {
    fn default() -> Self {
        let (span, value) = (Span::default(), NodeValue::Null);
        Self {
            node: Node { span, value },
        }
    }
}

impl Template {
    /// `node` as a template.
    pub(super) fn new(node: Node<'_>) -> Self {
        let node = node.into_owned();
        Self { node }
    }

    /// The keys.
    pub(super) fn node(&self) -> &Node<'static> {
        &self.node
    }

    /// What it extends itself, as written.
    pub fn extends(&self) -> Option<Spanned<String>> {
        extends(&self.node)
    }

    /// This template laid over `base`, with what is wrong with that.
    #[must_use]
    pub fn over(self, base: Base<'_>, inherited: &mut Inherited) -> (Self, Vec<ParseError>) {
        let mut errors = Vec::new();
        let node = lay_over(self.node, base, inherited, &mut errors);
        (Self { node }, errors)
    }
}

/// The value of the key `extends`, if it is text.
pub(super) fn extends(root: &Node<'_>) -> Option<Spanned<String>> {
    let node = root.get("extends")?;
    Some(Spanned::new(node.text()?.to_owned(), node.span))
}

/// Whether a file extends something, whatever it is.
pub(super) fn is_there(root: &Node<'_>) -> bool {
    root.get("extends").is_some()
}

/// The entries of `workspace.templates`.
pub(super) fn templates(root: &Node<'_>) -> Vec<(Spanned<String>, Template)> {
    let written = root.get("workspace").and_then(|node| node.get("templates"));
    let Some(NodeValue::Map(entries)) = written.map(|node| &node.value) else {
        return Vec::new();
    };
    let template = |(key, node): &Entry<'_>| {
        let name = key.clone().into_spanned();
        (name, Template::new(node.clone()))
    };
    entries.iter().map(template).collect()
}

/// `own` with all that it inherits.
pub(super) fn lay_over<'a>(
    own: Node<'a>,
    base: Base<'_>,
    inherited: &mut Inherited,
    errors: &mut Vec<ParseError>,
) -> Node<'a> {
    let below: &[Entry<'static>] = match base {
        Base::None => return own,
        Base::Unknown => &[],
        Base::Template(template) => match &template.node.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        },
    };
    let place = own.get("extends").map_or(own.span, |node| node.span);
    let NodeValue::Map(entries) = own.value else {
        return own;
    };
    let mut laying = Laying {
        inherited,
        known: matches!(base, Base::Template(_)),
        errors,
        place,
    };
    let value = NodeValue::Map(laying.merge(Kind::File, entries, below));
    Node {
        span: own.span,
        value,
    }
}

/// What the keys of a map are, as far as it matters for merging.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Keys of a pipeline file.
    File,
    /// Names of steps or profiles.
    Names,
    /// Keys of a step or profile.
    Step,
    /// Variables of the environment: replaced as a whole, and `null` is a mistake.
    Env,
    /// Values for expressions: `null` is a value, too.
    Values,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of the map at `key`.
    fn of(self, key: &str) -> Self {
        match (self, key) {
            (Self::File, "steps" | "profiles") => Self::Names,
            (Self::File, "defaults") | (Self::Names, _) => Self::Step,
            (Self::File | Self::Step, "env") => Self::Env,
            (Self::File | Self::Step, "vars") | (Self::Values, _) => Self::Values,
            _ => Self::Other,
        }
    }
}

/// Laying one file over its template.
struct Laying<'l> {
    inherited: &'l mut Inherited,
    /// Whether the template is known: for an unknown one, no `null` is a mistake.
    known: bool,
    errors: &'l mut Vec<ParseError>,
    /// The value of `extends`.
    place: Span,
}

impl Laying<'_> {
    fn merge<'a>(
        &mut self,
        kind: Kind,
        own: Vec<Entry<'a>>,
        below: &[Entry<'static>],
    ) -> Vec<Entry<'a>> {
        let places: HashMap<Cow<'a, str>, usize> = own
            .iter()
            .enumerate()
            .map(|(at, (key, _))| (key.text.clone(), at))
            .collect();
        let mut own: Vec<Option<Entry<'a>>> = own.into_iter().map(Some).collect();
        let mut merged = Vec::with_capacity(below.len() + own.len());
        for (key, node) in below {
            if kind == Kind::File && is_own(&key.text) {
                continue;
            }
            match places.get(&*key.text).and_then(|at| own[*at].take()) {
                None => merged.push((key.clone(), self.inherit(node))),
                Some((_, null)) if removes(&null) && kind != Kind::Env => {}
                Some((key, node_above)) => {
                    let node = self.lay(kind, &key, node_above, node);
                    merged.push((key, node));
                }
            }
        }
        for (key, node) in own.into_iter().flatten() {
            let is_inherited = kind != Kind::File || !OWN.contains(&&*key.text);
            if removes(&node) && is_inherited && !matches!(kind, Kind::Env | Kind::Values) {
                if self.known {
                    self.nothing_to_remove(kind, &key, below);
                }
            } else if self.known {
                merged.push((key, node));
            } else {
                // What it removes is in the unknown template.
                let nothing = Node {
                    span: node.span,
                    value: NodeValue::Map(Vec::new()),
                };
                let node = self.lay(kind, &key, node, &nothing);
                merged.push((key, node));
            }
        }
        merged
    }

    /// `above` over `below`, both at `key`.
    fn lay<'a>(
        &mut self,
        kind: Kind,
        key: &Key<'_>,
        above: Node<'a>,
        below: &Node<'static>,
    ) -> Node<'a> {
        match (above.value, &below.value) {
            (NodeValue::Map(entries), NodeValue::Map(below)) if kind != Kind::Env => Node {
                span: above.span,
                value: NodeValue::Map(self.merge(kind.of(&key.text), entries, below)),
            },
            (value, _) => Node {
                span: above.span,
                value,
            },
        }
    }

    /// A copy of `node`, as long as that is not too much.
    fn inherit(&mut self, node: &Node<'static>) -> Node<'static> {
        let before = self.inherited.0.exceeded();
        self.inherited.0.add(Used::of(node));
        let Some(amount) = self.inherited.0.exceeded() else {
            return node.clone();
        };
        if before.is_none() {
            let what = format!("and others inherit more than {amount}");
            let span = self.place;
            self.errors.push(ParseError::Budget { what, span });
        }
        Node {
            span: node.span,
            value: NodeValue::Broken,
        }
    }

    fn nothing_to_remove(&mut self, kind: Kind, key: &Key<'_>, below: &[Entry<'_>]) {
        let known = below.iter().map(|(key, _)| &*key.text);
        let known = known.filter(|key| kind != Kind::File || !is_own(key));
        self.errors.push(ParseError::NothingToRemove {
            key: key.text.to_string(),
            span: key.span,
            help: format!(
                "`null` removes an inherited entry: {}",
                suggest::did_you_mean(&key.text, known)
            ),
        });
    }
}

/// Whether those who extend a file go without its `key`.
fn is_own(key: &str) -> bool {
    OWN.contains(&key) || key.starts_with("x-")
}

/// Whether a value removes what is inherited.
fn removes(node: &Node<'_>) -> bool {
    matches!(node.value, NodeValue::Null)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, source};
    use super::super::{check, read};
    use super::*;

    /// Many small files that extend a large template cost no more than one large file.
    #[test]
    fn what_is_inherited_is_limited_over_all_files() {
        let map = source("vars:\n  a: [1, 2, 3]\n  b: {}\n");
        let (template, _) = read(file(&map)).into_template();
        let template = template.expect("a template");
        // A map with two keys, a list of three and an empty map in it fits twice.
        let (nodes, bytes) = (4_000_000 - 2 * 8, 0);
        let mut inherited = Inherited(Used { nodes, bytes });
        let extending = source("extends: a\n");
        let mut errors = || {
            let base = Base::Template(&template);
            read(file(&extending))
                .finish(base, &mut inherited, &extending)
                .errors
        };
        assert_eq!((errors(), errors()), (Vec::new(), Vec::new()));
        let third = errors();
        assert!(
            matches!(third.as_slice(), [ParseError::Budget { .. }]),
            "{third:?}"
        );
        assert_eq!(errors(), Vec::new(), "it is said once");
        assert!(check(&template, &map).whole);
    }
}
