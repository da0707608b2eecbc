//! The words of an expression, as far as names need it: what the engine will make of them is its
//! own affair.

use std::ops::Range;

/// One word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token<'e> {
    pub(super) kind: Kind,
    pub(super) text: &'e str,
    pub(super) at: usize,
}

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// A text, with its quotes.
    Quoted,
    /// An operator or bracket.
    Sign,
}

impl Token<'_> {
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// The text between quotes; `None` where it is no quoted text, or has escapes.
    pub(super) fn quoted(&self) -> Option<&str> {
        match (self.kind, self.text.len()) {
            (Kind::Quoted, length @ 2..) if !self.text.contains('\\') => {
                Some(&self.text[1..length - 1])
            }
            _ => None,
        }
    }
}

/// The words of `expression`, without the blanks between.
pub(super) fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = expression[at..].chars().next() {
        let rest = &expression[at..];
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            c if is_word(c) && !c.is_ascii_digit() => (Kind::Word, run(rest, is_word)),
            c if c.is_ascii_digit() => (Kind::Number, run(rest, |c| is_word(c) || c == '.')),
            '\'' | '"' => (Kind::Quoted, quoted(rest, first)),
            _ if SIGNS.iter().any(|sign| rest.starts_with(sign)) => (Kind::Sign, 2),
            c => (Kind::Sign, c.len_utf8()),
        };
        tokens.push(Token {
            kind,
            text: &rest[..length],
            at,
        });
        at += length;
    }
    tokens
}

/// Signs of two characters.
const SIGNS: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// The length of a quoted text; all of the rest where it is not closed.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_expression() {
        let texts = |expression| -> Vec<&str> {
            tokens(expression).iter().map(|token| token.text).collect()
        };
        assert_eq!(
            texts("a.b-c == 'x\\'y' | default(1.5)//2"),
            [
                "a", ".", "b", "-", "c", "==", "'x\\'y'", "|", "default", "(", "1.5", ")", "//",
                "2"
            ]
        );
        assert_eq!(texts("'open $é"), ["'open $é"]);
    }
}
