//! In what quoting a hole of a script stands, whatever its language: for Python and PowerShell just
//! enough of theirs to tell whether it is in a text.
//!
//! As for shells, what cannot be told for sure is [`Context::Unclear`].

use super::resolved::Dialect;
use super::shell::{Context, ShellReader};

/// Reads a script piece by piece and tells where each hole stands.
pub(super) enum ScriptReader {
    Shell(ShellReader),
    Code(CodeReader),
}

impl ScriptReader {
    /// A reader of `dialect`; what is no script is read as a shell's, which does no harm.
    pub(super) fn new(dialect: Option<Dialect>) -> Self {
        let style = match dialect {
            Some(Dialect::Python) => &PYTHON,
            Some(Dialect::PowerShell) => &POWER_SHELL,
            Some(Dialect::Posix | Dialect::Other) | None => return Self::Shell(ShellReader::new()),
        };
        Self::Code(CodeReader {
            style,
            inside: Inside::Code,
            before: String::new(),
            escaped: false,
        })
    }

    /// Takes literal text.
    pub(super) fn read(&mut self, text: &str) {
        match self {
            Self::Shell(reader) => reader.read(text),
            Self::Code(reader) => reader.read(text),
        }
    }

    /// The context of a hole that stands here; `next` is the literal text after it.
    pub(super) fn context(&self, next: &str) -> Context {
        match self {
            Self::Shell(reader) => reader.context(next),
            Self::Code(reader) => reader.context(),
        }
    }

    /// Goes past a hole whose value changes nothing of what it stands in.
    pub(super) fn skip(&mut self) {
        match self {
            Self::Shell(reader) => reader.skip(),
            Self::Code(reader) => {
                reader.before.clear();
                reader.escaped = false;
            }
        }
    }
}

/// What a [`CodeReader`] is inside of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Inside {
    Code,
    Comment,
    /// A text that ends with this many of the quote that it began with.
    Text {
        quote: char,
        count: usize,
        /// Its rules are not those of common texts.
        special: bool,
    },
    /// From here on nothing can be told.
    Lost,
}

/// What tells the languages apart.
struct Style {
    escape: char,
    /// What a text that begins here with `quote` is, by what stands before it and from it on.
    text: fn(before: &str, quote: char, from: &str) -> Inside,
    /// What this character, with what stands before and after it, begins outside of texts.
    begins: fn(before: &str, c: char, after: &str) -> Option<Inside>,
    /// The quote that ends what `c` ends.
    quote: fn(c: char) -> Option<char>,
    /// Whether code begins within a text between quotes of this kind.
    nests: fn(quote: char, before: &str, c: char) -> bool,
    /// Whether a literal that follows `before` would mean something else.
    joins: fn(before: &str) -> bool,
    /// Whether the escape is one in a text between quotes of this kind.
    escapes: fn(quote: char) -> bool,
    /// Whether a text ends with the line.
    one_line: bool,
}

const PYTHON: Style = Style {
    escape: '\\',
    text: |before, quote, from| {
        let prefix = &before[before.trim_end_matches(is_word).len()..];
        let is_long = from.chars().take(3).filter(|c| *c == quote).count() == 3;
        Inside::Text {
            quote,
            count: if is_long { 3 } else { 1 },
            special: !matches!(prefix, "" | "u" | "U" | "b" | "B"),
        }
    },
    begins: |_, c, _| (c == '#').then_some(Inside::Comment),
    quote: |c| matches!(c, '\'' | '"').then_some(c),
    nests: |_, _, _| false,
    joins: |before| before.ends_with(is_word),
    escapes: |_| true,
    one_line: true,
};

const POWER_SHELL: Style = Style {
    escape: '`',
    text: |before, quote, _| match before.ends_with('@') {
        true => Inside::Lost, // a here-string
        false => Inside::Text {
            quote,
            count: 1,
            special: false,
        },
    },
    begins: |before, c, after| {
        let starts_token =
            before.is_empty() || before.ends_with(|c: char| " \t\r\n(){};,|&".contains(c));
        match c {
            '#' if starts_token => Some(Inside::Comment),
            '#' if !before.ends_with(char::is_alphanumeric) => Some(Inside::Lost),
            '<' if after.starts_with('#') => Some(Inside::Lost),
            '%' if before.ends_with("--") => Some(Inside::Lost),
            _ => None,
        }
    },
    quote: |c| match c {
        '\'' | '\u{2018}'..='\u{201b}' => Some('\''),
        '"' | '\u{201c}'..='\u{201e}' => Some('"'),
        _ => None,
    },
    nests: |quote, before, c| quote == '"' && c == '(' && before.ends_with('$'),
    joins: |before| before.ends_with('@'),
    escapes: |quote| quote == '"',
    one_line: false,
};

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// See [`ScriptReader`].
pub(super) struct CodeReader {
    style: &'static Style,
    inside: Inside,
    /// The line as far as it was read, since the last hole.
    before: String,
    escaped: bool,
}

impl CodeReader {
    fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = match std::mem::take(&mut self.escaped) {
                true => c.len_utf8(),
                false => self.step(c, rest),
            };
            match c {
                '\n' => self.before.clear(),
                c => self.before.push(c),
            }
            rest = &rest[taken..];
        }
    }

    /// Takes `c`, with which `from` begins; how many bytes it took.
    fn step(&mut self, c: char, from: &str) -> usize {
        let style = self.style;
        match self.inside {
            Inside::Lost => {}
            Inside::Comment if c == '\n' => self.inside = Inside::Code,
            Inside::Comment => {}
            Inside::Code => {
                if let Some(quote) = (style.quote)(c) {
                    self.inside = (style.text)(&self.before, quote, from);
                    if let Inside::Text { count, .. } = self.inside {
                        return c.len_utf8() * count;
                    }
                } else if let Some(inside) = (style.begins)(&self.before, c, &from[c.len_utf8()..])
                {
                    self.inside = inside;
                } else {
                    self.escaped = c == style.escape;
                }
            }
            Inside::Text { quote, .. } if c == style.escape && (style.escapes)(quote) => {
                self.escaped = true;
            }
            Inside::Text { quote, .. } if (style.nests)(quote, &self.before, c) => {
                self.inside = Inside::Lost;
            }
            Inside::Text { count: 1, .. } if c == '\n' && style.one_line => {
                self.inside = Inside::Code;
            }
            Inside::Text { quote, count, .. } => {
                let ends = |c: char| (style.quote)(c) == Some(quote);
                if from.chars().take_while(|c| ends(*c)).take(count).count() == count {
                    self.inside = Inside::Code;
                    return c.len_utf8() * count;
                }
            }
        }
        c.len_utf8()
    }

    fn context(&self) -> Context {
        match self.inside {
            _ if self.escaped => Context::Unclear,
            Inside::Code if (self.style.joins)(&self.before) => Context::Unclear,
            Inside::Code => Context::Word,
            Inside::Comment => Context::Comment,
            Inside::Text { special: true, .. } | Inside::Lost => Context::Unclear,
            Inside::Text { quote: '\'', .. } => Context::Single,
            Inside::Text { .. } => Context::Double,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(dialect: Dialect, text: &str) -> Context {
        let mut reader = ScriptReader::new(Some(dialect));
        reader.read(text);
        reader.context("")
    }

    #[test]
    fn texts_of_python() {
        for (text, want) in [
            ("print(", Context::Word),
            ("print('a', ", Context::Word),
            ("x = \"it's ", Context::Double),
            ("x = '", Context::Single),
            ("x = 'a\\' ", Context::Single),
            ("x = '' + ", Context::Word),
            ("x = ''' a ' \"\n", Context::Single),
            ("x = ''' a ''' + ", Context::Word),
            ("x = b'", Context::Single),
            ("x = f'", Context::Unclear),
            ("x = r\"", Context::Unclear),
            ("f", Context::Unclear),
            ("x = 1 # it's ", Context::Comment),
            ("x = 1 # it's\n", Context::Word),
            ("x = 'a # b", Context::Single),
            ("x = 'a\\", Context::Unclear),
        ] {
            assert_eq!(context(Dialect::Python, text), want, "{text}");
        }
    }

    #[test]
    fn texts_of_powershell() {
        for (text, want) in [
            ("echo ", Context::Word),
            ("echo 'a' ", Context::Word),
            ("echo 'a''", Context::Single),
            ("echo \"it's ", Context::Double),
            ("echo \"a`\" ", Context::Double),
            ("echo \"a\"\" ", Context::Double),
            ("echo \"$(", Context::Unclear),
            ("echo \u{201c}a", Context::Double),
            ("echo `", Context::Unclear),
            ("echo @'\na", Context::Unclear),
            ("echo @", Context::Unclear),
            ("echo 1 # it's ", Context::Comment),
            ("echo a#b ", Context::Word),
            ("<# it's #> ", Context::Unclear),
            ("cmd --% ", Context::Unclear),
        ] {
            assert_eq!(context(Dialect::PowerShell, text), want, "{text}");
        }
    }
}
