//! What the tests of this room share: a file that does not begin at position 0, and its errors.

use miette::Diagnostic;

use super::{Base, Inherited, ParseError, Parsed, read};
use crate::source::{SourceFile, SourceMap, Span};

/// A file with `text`, behind another one.
pub(super) fn source(text: &str) -> SourceMap {
    let mut map = SourceMap::default();
    map.add("other.yaml".into(), "name: é\n")
        .expect("room for a file");
    map.add("pipe.yaml".into(), text).expect("room for a file");
    map
}

/// The file of [`source`].
pub(super) fn file(map: &SourceMap) -> &SourceFile {
    map.file(Span::new(10, 10)).expect("the second file")
}

/// What is read of the file of [`source`].
pub(super) fn parse(map: &SourceMap) -> Parsed {
    read(file(map)).finish(Base::None, &mut Inherited::default(), map)
}

/// What is read of `text`.
pub(super) fn parsed(text: &str) -> Parsed {
    parse(&source(text))
}

/// The errors in `text`: message, first label's text, help.
pub(super) fn complaints(text: &str) -> Vec<String> {
    let map = source(text);
    parse(&map)
        .errors
        .iter()
        .map(|error| complaint(error, &map))
        .collect()
}

fn complaint(error: &ParseError, map: &SourceMap) -> String {
    let help = error
        .help()
        .map(|help| help.to_string())
        .unwrap_or_default();
    format!("{error} | {} | {help}", map.text(error.span()))
}
