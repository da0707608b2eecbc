//! Text to a tree of nodes that know their place. The only file that knows the YAML parser.
//!
//! Duplicate keys, tags, second documents and keys that are no text are refused while the tree is
//! built; merge keys and aliases are applied, within budgets. What comes out is plain data: this
//! file does not know what the keys mean.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::budget::{MAX_BYTES, Used};
use super::error::ParseError;
use super::node::{Entry, Key, Node, NodeValue, Scalar, Style};
use super::repair::Repair;
use super::stops;
use super::traps;
use crate::source::{SourceFile, Span};

/// Collections in collections, aliases expanded. Decoding and dropping recurse this deep.
const MAX_DEPTH: usize = 64;
/// Maps up to this size are searched for duplicate keys without a table.
const SMALL_MAP: usize = 16;

/// Reads the text of `file`. Without a node the file is empty or, if there are errors, could not be
/// read; with errors and a node, the node lacks what they are about.
pub(super) fn read(file: &SourceFile) -> (Option<Node<'_>>, Vec<ParseError>) {
    let mut builder = Builder::new(file, file.text(), &[]);
    match builder.build() {
        Ok(()) => (builder.root, builder.errors),
        Err(stop) => read_on(file, builder.errors, stop),
    }
}

/// The parser stopped: the rest of the file is read without what it stopped at, as often as that
/// can be told.
fn read_on(
    file: &SourceFile,
    mut errors: Vec<ParseError>,
    mut stop: ParseError,
) -> (Option<Node<'static>>, Vec<ParseError>) {
    let mut repair = Repair::new(file);
    let mut stops: Vec<ParseError> = Vec::new();
    loop {
        let is_new = stops.is_empty() || repair.is_new(&stop);
        let goes_on = is_new && repair.defuse(&stop);
        if is_new && !repair.is_answered(&stop, &stops) {
            stops.push(stop);
        }
        let mut root = None;
        if goes_on {
            let mut builder = Builder::new(file, repair.text(), repair.gone());
            let built = builder.build();
            errors = builder.errors;
            if let Err(next) = built {
                stop = next;
                continue;
            }
            root = builder.root.filter(|_| repair.is_sure());
        }
        // The same place can have been refused before the parser stopped at it.
        errors.retain(|error| {
            stops
                .iter()
                .all(|stop| stop.span().start != error.span().start)
        });
        errors.append(&mut stops);
        return (root.map(Node::into_owned), errors);
    }
}

/// A collection whose end has not come yet.
struct Open<'a> {
    content: Content<'a>,
    /// Where it starts, as an offset in the file.
    start: usize,
    flow: bool,
    /// Its tag was refused.
    broken: bool,
    anchor: usize,
    /// Levels of collections in it.
    height: usize,
    /// What was used up before it.
    before: Used,
}

/// What is in an open collection.
enum Content<'a> {
    /// A list: the builder's `items` from this index on.
    Seq(usize),
    /// A map: the builder's `entries` from this index on, and what the next node is.
    Map(usize, Pending<'a>),
}

/// What the next node of a map is.
enum Pending<'a> {
    /// The next key.
    NoKey,
    /// The value of this key.
    Value(Key<'a>),
    /// The value of a key that was refused.
    Refused,
}

/// An anchored node, for its aliases.
struct Anchored<'a> {
    node: Node<'a>,
    height: usize,
    used: Used,
}

/// Makes the tree from the parser's events, with a stack of its own instead of recursion.
struct Builder<'a> {
    file: &'a SourceFile,
    /// The file's text, or a copy in which it is overwritten at `gone`.
    text: &'a str,
    gone: &'a [Range<usize>],
    errors: Vec<ParseError>,
    root: Option<Node<'a>>,
    stack: Vec<Open<'a>>,
    /// Items of all open lists, the innermost last; so each list is allocated once, at its end.
    items: Vec<Node<'a>>,
    /// Entries of all open maps, likewise.
    entries: Vec<Entry<'a>>,
    anchors: HashMap<usize, Anchored<'a>>,
    used: Used,
    /// What the copies in `anchors` use.
    kept: Used,
    documents: usize,
    /// Offset after the last event: what lies before it was understood.
    understood: usize,
}

type Step = Result<(), ParseError>;

impl<'a> Builder<'a> {
    fn new(file: &'a SourceFile, text: &'a str, gone: &'a [Range<usize>]) -> Self {
        Self {
            file,
            text,
            gone,
            errors: Vec::new(),
            root: None,
            stack: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            anchors: HashMap::new(),
            used: Used::default(),
            kept: Used::default(),
            documents: 0,
            understood: 0,
        }
    }

    fn build(&mut self) -> Step {
        let text = self.text;
        if text.len() > MAX_BYTES {
            let what = format!("is larger than {} MiB", MAX_BYTES >> 20);
            return Err(ParseError::Budget {
                what,
                span: self.file.span(0..0),
            });
        }
        let mut options = granit_parser::options! {
            disallow_directives: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(text, options) {
            match event {
                Ok((event, place)) => self.take(event, &place)?,
                Err(error) => return Err(self.explain(&error)),
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'a>, place: &granit_parser::Span) -> Step {
        let range = place.byte_range().unwrap_or_default();
        self.understood = self.understood.max(range.end);
        match event {
            Event::DocumentStart(..) => self.document(range),
            Event::Scalar(text, style, anchor, tag) => {
                let refused = self.refuse_tag(tag.as_deref(), place);
                self.scalar(
                    text,
                    style,
                    anchor,
                    tag.as_deref().filter(|_| !refused),
                    range,
                    refused,
                )
            }
            Event::SequenceStart(style, anchor, tag) => {
                let broken = self.refuse_tag(tag.as_deref(), place);
                self.open(Content::Seq(self.items.len()), style, anchor, broken, range)
            }
            Event::MappingStart(style, anchor, tag) => {
                let broken = self.refuse_tag(tag.as_deref(), place);
                let map = Content::Map(self.entries.len(), Pending::NoKey);
                self.open(map, style, anchor, broken, range)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            Event::Alias(id) => self.alias(id, range),
            _ => Ok(()),
        }
    }

    fn document(&mut self, range: Range<usize>) -> Step {
        self.documents += 1;
        if self.documents > 1 {
            return Err(ParseError::Documents {
                span: self.file.span(range),
            });
        }
        Ok(())
    }

    /// Records an error and says `true` if `tag` is not of YAML's core schema.
    fn refuse_tag(&mut self, tag: Option<&Tag>, place: &granit_parser::Span) -> bool {
        let Some(tag) = tag.filter(|tag| tag.is_custom() && !is_non_specific(tag)) else {
            return false;
        };
        let range = place
            .tag_span()
            .unwrap_or(*place)
            .byte_range()
            .unwrap_or_default();
        let error = traps::unknown_tag(self.file, tag.original(), range);
        self.errors.push(error);
        true
    }

    fn scalar(
        &mut self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        range: Range<usize>,
        refused: bool,
    ) -> Step {
        let used = Used {
            nodes: 1,
            bytes: text.len(),
        };
        self.use_up(used, range.start)?;
        let gone = |gone: &Range<usize>| range.start <= gone.end && gone.start <= range.end;
        let refused = refused || self.gone.iter().any(gone);
        let span = self.file.span(self.trimmed(range, style));
        let value = if refused {
            NodeValue::Broken
        } else {
            scalar_value(text, style, tag)
        };
        self.finish(Node { span, value }, anchor, 0, used)
    }

    /// The range of a scalar without the line breaks and indentation after a block.
    fn trimmed(&self, range: Range<usize>, style: ScalarStyle) -> Range<usize> {
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return range;
        }
        let text = self.file.text().get(range.clone()).unwrap_or_default();
        range.start..range.start + text.trim_end().len()
    }

    fn open(
        &mut self,
        content: Content<'a>,
        style: StructureStyle,
        anchor: usize,
        broken: bool,
        range: Range<usize>,
    ) -> Step {
        let before = self.used;
        self.use_up(Used { nodes: 1, bytes: 0 }, range.start)?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(range));
        }
        let flow = style == StructureStyle::Flow;
        self.stack.push(Open {
            content,
            start: range.start,
            flow,
            broken,
            anchor,
            height: 0,
            before,
        });
        Ok(())
    }

    fn close(&mut self, end: usize) -> Step {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        // A block collection has no brackets to underline: it gets its key's span later.
        let range = if open.flow {
            open.start..end
        } else {
            open.start..open.start
        };
        let value = match open.content {
            Content::Seq(from) => NodeValue::Seq(self.items.drain(from..).collect()),
            Content::Map(from, _) => {
                let entries = self.entries.drain(from..).collect();
                self.map(entries, &range)
            }
        };
        let value = if open.broken {
            NodeValue::Broken
        } else {
            value
        };
        let node = Node {
            span: self.file.span(range),
            value,
        };
        self.finish(
            node,
            open.anchor,
            open.height + 1,
            self.used.since(open.before),
        )
    }

    /// A map with each key once and `<<` applied.
    fn map(&mut self, mut entries: Vec<Entry<'a>>, range: &Range<usize>) -> NodeValue<'a> {
        if entries.is_empty() && self.file.text()[range.clone()].starts_with("{{") {
            // `{{ x }}`: its only key was refused, with an error that names the trap.
            return NodeValue::Broken;
        }
        self.refuse_duplicates(&mut entries);
        if let Some(at) = entries.iter().position(|(key, _)| key.merges) {
            let (key, node) = entries.remove(at);
            self.merge(&mut entries, key.span, node);
        }
        NodeValue::Map(entries)
    }

    fn refuse_duplicates(&mut self, entries: &mut Vec<Entry<'a>>) {
        let again = duplicates(entries);
        if again.is_empty() {
            return;
        }
        for (first, second) in &again {
            let (key, _) = &entries[*second];
            let (key, second) = (key.text.to_string(), key.span);
            let first = entries[*first].0.span;
            self.errors
                .push(ParseError::DuplicateKey { key, first, second });
        }
        let again: HashSet<usize> = again.into_iter().map(|(_, second)| second).collect();
        let mut index = 0..;
        entries.retain(|_| index.next().is_some_and(|index| !again.contains(&index)));
    }

    /// Adds the entries of the maps in `node` whose keys are not there yet.
    fn merge(&mut self, entries: &mut Vec<Entry<'a>>, key: Span, node: Node<'a>) {
        // Through an alias: one mistake, however many items the list at its anchor has.
        let mut told = false;
        let is_alias = node.span.start < key.start;
        let maps = match node.value {
            NodeValue::Seq(items) => items,
            _ => vec![node],
        };
        let mut seen: HashSet<_> = entries.iter().map(|(key, _)| key.text.clone()).collect();
        for map in maps {
            match map.value {
                NodeValue::Map(more) => {
                    entries.extend(
                        more.into_iter()
                            .filter(|(key, _)| seen.insert(key.text.clone())),
                    );
                }
                NodeValue::Broken => {}
                _ if told && is_alias => {}
                other => {
                    told = true;
                    self.errors.push(ParseError::Merge {
                        found: kind(&other),
                        key,
                        span: map.span,
                    });
                }
            }
        }
    }

    fn alias(&mut self, id: usize, range: Range<usize>) -> Step {
        let Some(anchored) = self.anchors.get(&id) else {
            let error = traps::alias_in_itself(self.file, range.clone());
            self.errors.push(error);
            return self.deliver(self.broken(range), 0);
        };
        let (used, height) = (anchored.used, anchored.height);
        if self.stack.len() + height > MAX_DEPTH {
            return Err(self.too_deep(range));
        }
        // Before the copy: the budget is what keeps the copy small.
        self.use_up(used, range.start)?;
        let node = self.anchors.get(&id).map(|anchored| anchored.node.clone());
        self.deliver(node.unwrap_or_else(|| self.broken(range)), height)
    }

    fn broken(&self, range: Range<usize>) -> Node<'a> {
        Node {
            span: self.file.span(range),
            value: NodeValue::Broken,
        }
    }

    /// Keeps a copy of an anchored node, and hands it on.
    fn finish(&mut self, node: Node<'a>, anchor: usize, height: usize, used: Used) -> Step {
        if anchor != 0 {
            self.kept.add(used);
            self.check(self.kept, node.span)?;
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    height,
                    used,
                },
            );
        }
        self.deliver(node, height)
    }

    /// Puts a node where it belongs: into the innermost open collection.
    fn deliver(&mut self, node: Node<'a>, height: usize) -> Step {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(self.widened(node, None));
            return Ok(());
        };
        open.height = open.height.max(height);
        let pending = match &mut open.content {
            Content::Seq(_) => None,
            Content::Map(_, pending) => Some(std::mem::replace(pending, Pending::NoKey)),
        };
        match pending {
            None => {
                let node = self.widened(node, None);
                self.items.push(node);
            }
            Some(Pending::NoKey) => {
                let key = self.key(node).map_or(Pending::Refused, Pending::Value);
                self.expect(key);
            }
            Some(Pending::Value(key)) => {
                let node = self.widened(node, Some(key.span));
                self.entries.push((key, node));
            }
            Some(Pending::Refused) => {}
        }
        Ok(())
    }

    /// The next node of the innermost map is the value of `key`.
    fn expect(&mut self, key: Pending<'a>) {
        if let Some(Open {
            content: Content::Map(_, pending),
            ..
        }) = self.stack.last_mut()
        {
            *pending = key;
        }
    }

    /// Gives a node without width something that can be underlined.
    fn widened(&self, mut node: Node<'a>, key: Option<Span>) -> Node<'a> {
        if node.span.start == node.span.end {
            let child = match &node.value {
                NodeValue::Seq(items) => items.first().map(|item| item.span),
                NodeValue::Map(entries) => entries.first().map(|(key, _)| key.span),
                _ => self.dash(node.span),
            };
            node.span = key.or(child).unwrap_or(node.span);
        }
        node
    }

    /// The `-` in front of an item that is not there.
    fn dash(&self, span: Span) -> Option<Span> {
        let before = self
            .file
            .text()
            .get(..(span.start - self.file.base()) as usize)?
            .trim_end();
        before
            .ends_with('-')
            .then(|| self.file.span(before.len() - 1..before.len()))
    }

    /// The key that `node` is; `None` after an error.
    fn key(&mut self, node: Node<'a>) -> Option<Key<'a>> {
        let range = node.span.start - self.file.base()..node.span.end - self.file.base();
        let written = &self.file.text()[range.start as usize..range.end as usize];
        let (text, merges) = match node.value {
            NodeValue::Scalar(scalar) => {
                let merges = scalar.style == Style::Plain && scalar.text == "<<";
                (scalar.text, merges)
            }
            NodeValue::Null if !written.is_empty() && written != "~" => {
                (Cow::Borrowed(written), false)
            }
            NodeValue::Broken => return None,
            value => {
                let error = traps::key_not_text(self.file, kind(&value), node.span);
                self.errors.push(error);
                return None;
            }
        };
        Some(Key {
            text,
            span: node.span,
            merges,
        })
    }

    fn use_up(&mut self, used: Used, at: usize) -> Step {
        self.used.add(used);
        self.check(self.used, self.file.span(at..at))
    }

    fn check(&self, used: Used, span: Span) -> Step {
        match used.exceeded() {
            Some(amount) => {
                let what = format!("holds more than {amount}, aliases expanded");
                Err(ParseError::Budget { what, span })
            }
            None => Ok(()),
        }
    }

    fn too_deep(&self, range: Range<usize>) -> ParseError {
        let what = format!("nests deeper than {MAX_DEPTH} levels");
        ParseError::Budget {
            what,
            span: self.file.span(range),
        }
    }

    fn innermost_bracket(&self) -> Option<usize> {
        let text = self.file.text();
        // The map in `[a: b]` is a flow collection without brackets of its own.
        let bracket = |open: &&Open<'_>| open.flow && text[open.start..].starts_with(['[', '{']);
        self.stack.iter().rev().find(bracket).map(|open| open.start)
    }

    /// The parser's error as ours.
    fn explain(&self, error: &ScanError) -> ParseError {
        let end = self.file.text().len();
        let at = error.marker().byte_offset().unwrap_or(end).min(end);
        let stop = stops::Stop {
            at,
            understood: self.understood.min(at),
            flow: self.innermost_bracket(),
            trouble: trouble(error),
            what: error.kind().to_string(),
        };
        match stop.trouble {
            stops::Trouble::Depth => self.too_deep(at..at),
            _ => stops::explain(self.file, &stop),
        }
    }
}

/// Pairs of indices of equal keys: the first one, and each that comes again.
fn duplicates(entries: &[Entry<'_>]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if entries.len() <= SMALL_MAP {
        for (second, (key, _)) in entries.iter().enumerate() {
            let first = entries[..second]
                .iter()
                .position(|(other, _)| other.text == key.text);
            found.extend(first.map(|first| (first, second)));
        }
        return found;
    }
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    for (second, (key, _)) in entries.iter().enumerate() {
        let first = *seen.entry(&key.text).or_insert(second);
        if first != second {
            found.push((first, second));
        }
    }
    found
}

fn scalar_value<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> NodeValue<'a> {
    let written = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    let style = match tag.and_then(Tag::core_suffix) {
        Some("null") => return NodeValue::Null,
        Some("str") if written == Style::Plain => Style::Quoted,
        Some("int" | "float" | "bool") => Style::Plain,
        None if tag.is_some() => Style::Quoted,
        _ => written,
    };
    if style == Style::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
        return NodeValue::Null;
    }
    NodeValue::Scalar(Scalar { text, style })
}

/// `!` alone: "whatever this looks like, it is text".
fn is_non_specific(tag: &Tag) -> bool {
    tag.parts() == ("", "!")
}

fn kind(value: &NodeValue<'_>) -> &'static str {
    match value {
        NodeValue::Null | NodeValue::Broken => "nothing",
        NodeValue::Scalar(_) => "text",
        NodeValue::Seq(_) => "a list",
        NodeValue::Map(_) => "a map",
    }
}

/// What kind of trouble the parser is in, in our words.
fn trouble(error: &ScanError) -> stops::Trouble {
    use granit_parser::ErrorKind as E;
    use stops::Trouble as T;
    match error.kind() {
        E::RecursionLimitExceeded => T::Depth,
        E::DirectiveDisallowed => T::Directive,
        E::UnknownAnchor | E::MissingAnchorOrAliasName => T::Alias,
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabAtBlockScalarStart
        | E::TabInIndentation
        | E::TabInPlainScalar => T::Tab,
        E::InvalidQuotedScalarIndent
        | E::UnclosedQuotedScalar
        | E::DocumentIndicatorInQuotedScalar => T::OpenQuote,
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => {
            T::AfterQuote
        }
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator
        | E::InvalidColonPlacement
        | E::BlockEntryInFlowCollection
        | E::InvalidFlowScalarIndent => T::Flow,
        E::UnclosedFlowCollection { .. } => T::OpenBracket,
        E::MismatchedFlowCollectionEnd { close, .. } => T::Mismatch(*close),
        E::MappingValueNotAllowed => T::Colon,
        E::UnknownQuotedScalarEscape => T::Escape,
        E::UnexpectedCharacter { character } => T::Character(*character),
        E::MappingKeyNotAllowed
        | E::BlockSequenceEntryNotAllowed
        | E::InvalidBlockScalarHeader
        | E::ZeroBlockScalarIndent
        | E::MisplacedFlowCollectionEnd
        | E::UnexpectedEofBlockMapping
        | E::InvalidTagTerminator
        | E::PlainScalarStartsWithDashFlowIndicator => T::Start,
        E::SimpleKeyExpected | E::ExpectedBlockMappingKey | E::InvalidIndentation => T::Line,
        _ => T::Other,
    }
}

#[cfg(test)]
mod tests;
