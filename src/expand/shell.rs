//! In what quoting a hole of a shell script stands: just enough of the language of `sh` to tell.
//!
//! What cannot be told for sure is [`Context::Unclear`], never guessed.

use serde::{Deserialize, Serialize};

/// The quoting around a hole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Context {
    /// Unquoted, with blanks or operators on both sides.
    Word,
    /// Unquoted, a part of a longer word.
    Part,
    /// Inside `"..."`.
    Double,
    /// Inside `'...'`.
    Single,
    /// Behind a `#`: nothing runs there, as long as the line does not end.
    Comment,
    /// In a here-document, backticks, `${...}`, arithmetic, or a substitution inside quotes.
    Unclear,
}

/// What the reader is inside of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Inside {
    /// Plain script text; `$(` opens another such level.
    Script,
    Single,
    Double,
    Comment,
    /// Something whose end is this character, at which no quoting can be told.
    Opaque(char),
    HereDocument,
}

/// Reads a script piece by piece and tells where each hole stands.
#[derive(Debug)]
pub(super) struct ShellReader {
    levels: Vec<Inside>,
    /// The last character read, or `None` at the start and after a hole.
    last: Option<char>,
    after_hole: bool,
    escaped: bool,
    /// Delimiters of here-documents that begin on the next line, and the line read so far.
    pending: Vec<(String, bool)>,
    line: String,
}

impl ShellReader {
    pub(super) fn new() -> Self {
        Self {
            levels: vec![Inside::Script],
            last: None,
            after_hole: false,
            escaped: false,
            pending: Vec::new(),
            line: String::new(),
        }
    }

    /// Takes literal text.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            self.step(c, rest);
            self.last = Some(c);
            self.after_hole = false;
        }
    }

    /// The context of a hole that stands here; `next` is the literal text after it.
    pub(super) fn hole(&mut self, next: &str) -> Context {
        let context = match self.inside() {
            _ if self.escaped => Context::Unclear,
            Inside::Single => Context::Single,
            Inside::Double => Context::Double,
            Inside::Script if self.alone(next) => Context::Word,
            Inside::Script => Context::Part,
            Inside::Comment => Context::Comment,
            Inside::Opaque(_) | Inside::HereDocument => Context::Unclear,
        };
        self.line.push('\u{1}');
        self.after_hole = true;
        self.last = None;
        context
    }

    fn inside(&self) -> Inside {
        self.levels.last().copied().unwrap_or(Inside::Script)
    }

    /// Whether blanks or operators stand on both sides.
    fn alone(&self, next: &str) -> bool {
        let ends =
            |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')');
        !self.after_hole && self.last.is_none_or(ends) && next.chars().next().is_none_or(ends)
    }

    fn step(&mut self, c: char, rest: &str) {
        if c == '\n' {
            self.end_line();
            return;
        }
        self.line.push(c);
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match self.inside() {
            Inside::Script => self.in_script(c, rest),
            Inside::Double => self.in_double(c, rest),
            Inside::Single if c == '\'' => self.close(),
            Inside::Opaque(end) if c == '\\' && end != '\'' => self.escaped = true,
            Inside::Opaque(end) if c == end => self.close(),
            _ => {}
        }
    }

    fn in_script(&mut self, c: char, rest: &str) {
        match c {
            '\\' => self.escaped = true,
            '\'' => self.levels.push(Inside::Single),
            '"' => self.levels.push(Inside::Double),
            '`' => self.levels.push(Inside::Opaque('`')),
            '#' if self
                .last
                .is_none_or(|last| last.is_whitespace() || last == ';')
                && !self.after_hole =>
            {
                self.levels.push(Inside::Comment);
            }
            '$' if rest.starts_with('{') => self.levels.push(Inside::Opaque('}')),
            '(' if self.last == Some('$') && rest.starts_with('(') => {
                self.levels.push(Inside::Opaque(')'));
            }
            // Every parenthesis opens a level, so that the one that closes a `$(` is found.
            '(' => self.levels.push(Inside::Script),
            ')' if self.levels.len() > 1 => self.close(),
            '<' if self.last == Some('<')
                && !rest.starts_with('<')
                && !self.line.ends_with("<<<") =>
            {
                self.here(rest);
            }
            _ => {}
        }
    }

    fn in_double(&mut self, c: char, rest: &str) {
        match c {
            '\\' => self.escaped = true,
            '"' => self.close(),
            '`' => self.levels.push(Inside::Opaque('`')),
            '$' if rest.starts_with('{') => self.levels.push(Inside::Opaque('}')),
            '(' if self.last == Some('$') => self.levels.push(Inside::Opaque(')')),
            _ => {}
        }
    }

    fn close(&mut self) {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
    }

    /// `<<` was read: remembers the delimiter after it.
    fn here(&mut self, rest: &str) {
        let (rest, tabs) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let word = rest.trim_start_matches([' ', '\t']);
        let end = word
            .find(|c: char| c.is_whitespace() || ";&|<>()".contains(c))
            .unwrap_or(word.len());
        self.pending
            .push((word[..end].replace(['\'', '"', '\\'], ""), tabs));
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.escaped = false;
        match self.inside() {
            Inside::Comment => self.close(),
            Inside::HereDocument => {
                let ends = self.pending.first().is_some_and(|(delimiter, tabs)| {
                    (if *tabs {
                        line.trim_start_matches('\t')
                    } else {
                        &line
                    }) == delimiter
                });
                if ends {
                    self.pending.remove(0);
                    if self.pending.is_empty() {
                        self.close();
                    }
                }
                return;
            }
            _ => {}
        }
        if !self.pending.is_empty() {
            self.levels.push(Inside::HereDocument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contexts of the `@` in `script`.
    fn contexts(script: &str) -> Vec<Context> {
        let mut reader = ShellReader::new();
        let mut found = Vec::new();
        let mut parts = script.split('@').peekable();
        while let Some(part) = parts.next() {
            reader.read(part);
            if let Some(next) = parts.peek() {
                found.push(reader.hole(next));
            }
        }
        found
    }

    #[test]
    fn quoting_is_told() {
        use Context::{Comment, Double, Part, Single, Unclear, Word};
        for (script, want) in [
            ("cp @ @;x", vec![Word, Word]),
            ("-I@", vec![Part]),
            ("@@", vec![Word, Part]),
            ("@/x", vec![Part]),
            ("\"@\" '@' @", vec![Double, Single, Word]),
            ("\"\\\"@\"", vec![Double]),
            ("'\\' @", vec![Word]),
            ("x=$(cat @) y", vec![Word]),
            ("x=\"$(cat @)\" \"@\"", vec![Unclear, Double]),
            ("`cat @` @", vec![Unclear, Word]),
            ("${x:-@} @", vec![Unclear, Word]),
            ("$((1+@))", vec![Unclear]),
            ("cat <<E\n@\nE\ncp @ x", vec![Unclear, Word]),
            ("cat <<-'E'\n\t@\n\tE\n@", vec![Unclear, Word]),
            ("cat <<<x\n@", vec![Word]),
            ("# it's @\n@", vec![Comment, Word]),
            ("a#b'@'", vec![Single]),
            ("(cd x && cp @ y) @", vec![Word, Word]),
            ("\\@", vec![Unclear]),
            ("a>@", vec![Word]),
        ] {
            assert_eq!(contexts(script), want, "{script}");
        }
    }
}
