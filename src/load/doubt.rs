//! What the mistakes of some files leave in doubt: what seems to be missing may be in what could not
//! be read.

use crate::source::Span;

/// Where names may be missing only because of other mistakes.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    everywhere: bool,
    files: Vec<Span>,
}

impl Doubts {
    /// Anything may be missing, anywhere.
    pub(super) fn everywhere(&mut self) {
        self.everywhere = true;
    }

    /// The file with all of this text lost something.
    pub(super) fn of_file(&mut self, text: Span) {
        self.files.push(text);
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.everywhere || !self.files.is_empty()
    }

    /// Whether a name that is used at `span` may be one that its own file, or the root's, has lost.
    pub fn hold_at(&self, span: Span) -> bool {
        let is_in = |file: &Span| file.start <= span.start && span.end <= file.end;
        self.everywhere || self.files.iter().any(is_in)
    }
}
