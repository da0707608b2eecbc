//! In what quoting a hole of a shell script stands: just enough of the language of `sh` to tell.
//!
//! What cannot be told for sure is [`Context::Unclear`], never guessed: a quote taken for the wrong
//! one would let a file name become a command.

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
    /// The script, a `(...)` or a `$(...)` in it.
    Script,
    Single,
    Double,
    Comment,
    /// `${...}`.
    Parameter,
    /// `$((...))`, with the number of parentheses open in it.
    Arithmetic(u32),
    Backticks,
    HereDocument,
}

/// A here-document that begins on the next line.
#[derive(Debug)]
struct Here {
    delimiter: String,
    /// `<<-`: tabs may stand before the delimiter.
    tabs: bool,
    /// A part of the delimiter was quoted, so a backslash is nothing special.
    literal: bool,
}

/// Reads a script piece by piece and tells where each hole stands.
#[derive(Debug)]
pub(super) struct ShellReader {
    levels: Vec<Inside>,
    /// The last character read, or `None` at the start and after a hole.
    last: Option<char>,
    after_hole: bool,
    escaped: bool,
    /// From here on no quoting can be told: the languages of shells differ in what was read.
    lost: bool,
    /// Here-documents that begin on the next line, and the line read so far.
    pending: Vec<Here>,
    line: String,
}

impl ShellReader {
    pub(super) fn new() -> Self {
        Self {
            levels: vec![Inside::Script],
            last: None,
            after_hole: false,
            escaped: false,
            lost: false,
            pending: Vec::new(),
            line: String::new(),
        }
    }

    /// Takes literal text.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let before = self.last;
            self.last = Some(c);
            if c == '\n' && std::mem::take(&mut self.escaped) {
                // The line goes on.
                self.last = before;
                self.line.pop();
                continue;
            }
            self.step(c, before, rest);
            self.after_hole &= self.escaped;
        }
    }

    /// The context of a hole that stands here; `next` is the literal text after it.
    pub(super) fn context(&self, next: &str) -> Context {
        match self.inside() {
            _ if self.escaped || self.lost || self.is_nested() => Context::Unclear,
            Inside::Single => Context::Single,
            Inside::Double => Context::Double,
            Inside::Script if self.alone(next) => Context::Word,
            Inside::Script => Context::Part,
            Inside::Comment => Context::Comment,
            Inside::Parameter
            | Inside::Arithmetic(_)
            | Inside::Backticks
            | Inside::HereDocument => Context::Unclear,
        }
    }

    /// Goes past a hole whose value is complete words, or complete parts of what it stands in.
    pub(super) fn skip(&mut self) {
        self.line.push('\u{1}');
        self.after_hole = true;
        self.last = None;
        self.escaped = false;
    }

    /// Whether a `$` that comes next begins something that the shell fills in; not where that
    /// cannot be told.
    pub(super) fn expands(&self) -> bool {
        let fills_in = match self.inside() {
            Inside::Script | Inside::Double | Inside::Parameter | Inside::Arithmetic(_) => true,
            Inside::HereDocument => self.pending.first().is_some_and(|here| !here.literal),
            Inside::Single | Inside::Comment | Inside::Backticks => false,
        };
        fills_in && !self.escaped && !self.lost
    }

    fn inside(&self) -> Inside {
        self.levels.last().copied().unwrap_or(Inside::Script)
    }

    /// Whether this is inside of something that stands in quotes, or in anything unclear.
    fn is_nested(&self) -> bool {
        let around = &self.levels[..self.levels.len() - 1];
        around.iter().any(|level| *level != Inside::Script)
    }

    /// Whether blanks or operators stand on both sides.
    fn alone(&self, next: &str) -> bool {
        let ends =
            |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')');
        !self.after_hole && self.last.is_none_or(ends) && next.chars().next().is_none_or(ends)
    }

    fn step(&mut self, c: char, before: Option<char>, rest: &str) {
        if c == '\n' {
            self.end_line();
            return;
        }
        self.line.push(c);
        if std::mem::take(&mut self.escaped) {
            // Whatever it is, it is a plain character of a word.
            self.last = Some('\\');
            return;
        }
        match (self.inside(), c) {
            (Inside::Single, '\'') => self.close(),
            (Inside::Single | Inside::Comment | Inside::HereDocument, _) => {}
            (_, '\\') => {
                self.escaped = true;
                self.last = before;
            }
            (Inside::Backticks, '`') => self.close(),
            (Inside::Backticks, _) => {}
            (_, '`') => self.levels.push(Inside::Backticks),
            (_, '{') if before == Some('$') => self.levels.push(Inside::Parameter),
            (_, '(') if before == Some('$') && rest.starts_with('(') => {
                self.levels.push(Inside::Arithmetic(0));
            }
            (Inside::Arithmetic(open), _) => self.in_arithmetic(c, before, open),
            (_, '(') if before == Some('$') => self.levels.push(Inside::Script),
            (Inside::Double, '"') | (Inside::Parameter, '}') => self.close(),
            (Inside::Double, _) => {}
            (_, '"') => self.levels.push(Inside::Double),
            (Inside::Parameter, '\'') => self.quote_in_parameter(),
            (Inside::Parameter, _) => {}
            (Inside::Script, _) => self.in_script(c, before, rest),
        }
    }

    fn in_script(&mut self, c: char, before: Option<char>, rest: &str) {
        let begins = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')');
        match c {
            '\'' => {
                // `$'...'` has escapes in some shells and none in others.
                self.lost |= before == Some('$');
                self.levels.push(Inside::Single);
            }
            '#' if before.is_none_or(begins) && !self.after_hole => {
                self.levels.push(Inside::Comment);
            }
            // Every parenthesis opens a level, so that the one that closes a `$(` is found.
            '(' => self.levels.push(Inside::Script),
            // A pattern of `case` is closed, but not opened: of no matter, but in quotes.
            ')' if self.levels.len() > 1 => self.close(),
            'e' if self.is_nested() && self.line.ends_with("case") => self.lost = true,
            '<' if before == Some('<') && !rest.starts_with('<') && !self.line.ends_with("<<<") => {
                self.here(rest);
            }
            _ => {}
        }
    }

    /// Of the two parentheses that open it, the first is read when the level is opened.
    fn in_arithmetic(&mut self, c: char, before: Option<char>, open: u32) {
        match (c, open) {
            (')', 0) => self.close(),
            ('(', 0) if before != Some('(') => self.lost = true,
            ('(', _) => self.set(Inside::Arithmetic(open + 1)),
            // It is a substitution that begins with a group.
            (_, 0) => self.lost = true,
            (')', _) => self.set(Inside::Arithmetic(open - 1)),
            _ => {}
        }
    }

    fn set(&mut self, inside: Inside) {
        if let Some(level) = self.levels.last_mut() {
            *level = inside;
        }
    }

    /// Inside `"${x...}"` a single quote is one in some forms and a plain character in others.
    fn quote_in_parameter(&mut self) {
        self.lost |= self.levels.contains(&Inside::Double);
        self.levels.push(Inside::Single);
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
        let delimiter = word[..end].replace(['\'', '"', '\\'], "");
        self.pending.push(Here {
            literal: delimiter.len() < end,
            delimiter,
            tabs,
        });
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match self.inside() {
            Inside::Comment => self.close(),
            Inside::HereDocument => return self.end_line_of_here(&line),
            _ => {}
        }
        if !self.pending.is_empty() && self.inside() == Inside::Script {
            self.levels.push(Inside::HereDocument);
        }
    }

    fn end_line_of_here(&mut self, line: &str) {
        let Some(here) = self.pending.first() else {
            return self.close();
        };
        let text = match here.tabs {
            true => line.trim_start_matches('\t'),
            false => line,
        };
        // A line that goes on could hide the delimiter.
        self.lost |= !here.literal && line.ends_with('\\');
        if text == here.delimiter {
            self.pending.remove(0);
            if self.pending.is_empty() {
                self.close();
            }
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
                found.push(reader.context(next));
                reader.skip();
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
            ("a \\\n@ b\\\n@", vec![Word, Part]),
            ("x=\"$(f \"$(g)\" b)\"; cp @ \"@\"", vec![Word, Double]),
            ("x=\"$(f ')' '\"') @\" @", vec![Double, Word]),
            ("x=\"$(f \"@\")\" @", vec![Unclear, Word]),
            ("\"$(case x in a) f;; esac)@\"", vec![Unclear]),
            ("case x in a) f @;; esac; \"@\"", vec![Word, Double]),
            ("${x:-\"a}b\"} '@' @", vec![Single, Word]),
            ("\"${x:-'a}\" @", vec![Unclear]),
            ("${x:-${y}} \"${z%%\"}\"}\" @", vec![Word]),
            ("$(( (1+2) << 2 )) @ $((@))", vec![Word, Unclear]),
            ("\"$((1+2)) @\" @", vec![Double, Word]),
            ("echo $'it\\'s' @", vec![Unclear]),
            ("(#'\n@)", vec![Word]),
            ("f |#'\n@ $# '@'", vec![Word, Single]),
            ("cat <<E \"a\nb\" @\n@\nE\n@", vec![Word, Unclear, Word]),
            ("cat <<E\na\\\nE\n@", vec![Unclear]),
            ("cat <<A <<'B'\n@\nA\n@\nB\n@", vec![Unclear, Unclear, Word]),
            ("`echo \\`x\\` @` @", vec![Unclear, Word]),
        ] {
            assert_eq!(contexts(script), want, "{script}");
        }
    }
}
