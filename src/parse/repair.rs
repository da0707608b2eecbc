//! Reading on after the YAML parser stopped: a copy of the text in which the trap is defused, byte
//! for byte as long, so that all places stay what they are.
//!
//! What stood in the trap is lost: nodes that touch it are broken, and nobody says more of them.

use std::ops::Range;

use super::error::ParseError;
use super::traps::{self, Line};
use crate::source::{SourceFile, Span};

/// So often a file is read again.
const MOST_ROUNDS: usize = 50;
/// So many bytes are read again, in all rounds together.
const MOST_BYTES: usize = 16 << 20;

/// The text without the traps found so far.
pub(super) struct Repair<'a> {
    file: &'a SourceFile,
    text: String,
    /// What was overwritten.
    gone: Vec<Range<usize>>,
    /// Lines, or an end, were guessed at: what does not fit afterwards may follow from that.
    guessed: bool,
    /// Starts of lines that lost their end.
    cut: Vec<usize>,
    rounds: usize,
}

impl<'a> Repair<'a> {
    pub(super) fn new(file: &'a SourceFile) -> Self {
        Self {
            file,
            text: file.text().to_owned(),
            gone: Vec::new(),
            guessed: false,
            cut: Vec::new(),
            rounds: 0,
        }
    }

    /// The text to read next.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was overwritten in it.
    pub(super) fn gone(&self) -> &[Range<usize>] {
        &self.gone
    }

    /// Whether what is read now means what was meant, but for broken nodes.
    pub(super) fn is_sure(&self) -> bool {
        !self.guessed
    }

    /// Whether `stop` is a mistake of its own, and not one that the repairs so far have made.
    pub(super) fn is_new(&self, stop: &ParseError) -> bool {
        let span = self.range(stop.span());
        let touches = |gone: &Range<usize>| span.start < gone.end && gone.start < span.end;
        let names_a_trap = matches!(
            stop,
            ParseError::NeedsQuotes { .. } | ParseError::Unclosed { .. } | ParseError::Alias { .. }
        );
        let line = Line::at(self.file, span.start);
        let is_cut = self.cut.contains(&line.start);
        !self.gone.iter().any(touches) && !is_cut && (names_a_trap || self.is_sure())
    }

    /// Whether the line in the help of one of `told` has quotes round this value too.
    pub(super) fn is_answered(&self, stop: &ParseError, told: &[ParseError]) -> bool {
        let quotes = |error: &ParseError| match error {
            ParseError::NeedsQuotes { span, help, .. } => Some((self.range(*span), help.clone())),
            _ => None,
        };
        let Some((range, _)) = quotes(stop) else {
            return false;
        };
        let line = |at: usize| Line::at(self.file, at).start;
        let quoted = traps::quoted(&self.file.text()[range.clone()]);
        let mut told = told.iter().filter_map(quotes);
        told.any(|(other, help)| line(other.start) == line(range.start) && help.contains(&quoted))
    }

    /// Defuses the trap that `stop` names, if there is a way to.
    pub(super) fn defuse(&mut self, stop: &ParseError) -> bool {
        self.rounds += 1;
        if self.rounds > MOST_ROUNDS || self.rounds * self.text.len() > MOST_BYTES {
            return false;
        }
        let span = self.range(stop.span());
        match stop {
            ParseError::NeedsQuotes { .. } | ParseError::Alias { .. } => self.overwrite(span),
            ParseError::Unclosed { .. } => {
                let line = Line::at(self.file, span.start);
                self.guessed = true;
                self.cut.push(line.start);
                self.overwrite(span.start..line.end())
            }
            ParseError::Tab { .. } => {
                self.guessed = true;
                self.without_tabs();
                true
            }
            _ => false,
        }
    }

    /// Puts one plain word in the place of what cannot be read.
    fn overwrite(&mut self, range: Range<usize>) -> bool {
        let text = &self.file.text()[range.clone()];
        // Without an anchor the aliases after it would be mistakes too.
        if text.is_empty() || text.contains('&') {
            return false;
        }
        self.text
            .replace_range(range.clone(), &"x".repeat(text.len()));
        self.gone.push(range);
        true
    }

    /// Empties all lines that are indented with tabs: how deep they are meant to be is not known.
    fn without_tabs(&mut self) {
        let mut start = 0;
        for line in self.file.text().split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let indentation = content.len() - content.trim_start_matches([' ', '\t']).len();
            if content[..indentation].contains('\t') {
                let range = start..start + content.len();
                self.text
                    .replace_range(range.clone(), &" ".repeat(range.len()));
            }
            start += line.len();
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let base = self.file.base();
        (span.start - base) as usize..(span.end - base) as usize
    }
}
