//! Dotenv files: lines of `NAME=value`, from text to variables with all mistakes at their places.
//!
//! ```text
//! line  := blank* ( '#' ... | ['export' blank+] NAME blank* '=' blank* value )
//! value := "'" ... "'"        as it stands, over several lines too
//!        | '"' ... '"'        the same, with the escapes \n \r \t \" \\ \$
//!        | ...                to the line's end, or to a blank and '#'; without blanks around it
//! ```
//!
//! Nothing is filled in and nothing is run: a `$` is a `$`. Pure, and for any text without a panic.

use std::ops::Range;

/// What a dotenv file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// Names and values in the order written; of two of one name the later counts.
    pub variables: Vec<(String, String)>,
    /// What is wrong or doubtful, in the order of the text.
    pub faults: Vec<DotenvFault>,
}

/// Something wrong or doubtful in a dotenv file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotenvFault {
    /// What it is.
    pub message: String,
    /// What to do.
    pub help: &'static str,
    /// Where, in bytes of the text.
    pub range: Range<usize>,
    /// It can be read all the same.
    pub is_warning: bool,
}

const LINE: &str = "a line is `NAME=value`, a comment `# ...`, or empty";
const NAMES: &str = "names are made of letters, digits and `_`, and do not begin with a digit";
const QUOTES: &str = "put the whole value in quotes, or a comment behind ` #`";
const LITERAL: &str = "variables are not filled in here: the value is what stands in the file; \
                       in single quotes it is meant so";

/// Reads a dotenv file.
pub fn dotenv(text: &str) -> Dotenv {
    let mut reader = Reader {
        text,
        at: 0,
        read: Dotenv::default(),
    };
    reader.skip(|c| c == '\u{feff}');
    while reader.at < text.len() {
        reader.line();
    }
    reader.read
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    read: Dotenv,
}

impl<'a> Reader<'a> {
    /// What is left.
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, is_such: impl Fn(char) -> bool) {
        self.at += self.rest().len() - self.rest().trim_start_matches(is_such).len();
    }

    /// Where the line ends, without its line break.
    fn line_end(&self) -> usize {
        self.rest()
            .find(['\n', '\r'])
            .map_or(self.text.len(), |length| self.at + length)
    }

    fn fault(&mut self, message: impl Into<String>, range: Range<usize>, help: &'static str) {
        self.read.faults.push(DotenvFault {
            message: message.into(),
            help,
            range,
            is_warning: false,
        });
    }

    /// One line, and the lines that its quoted value goes on over.
    fn line(&mut self) {
        self.skip(char::is_whitespace);
        if !self.rest().is_empty() && !self.rest().starts_with('#') {
            self.variable();
        }
        self.at = self.line_end();
    }

    fn variable(&mut self) {
        self.skip_export();
        let (start, end) = (self.at, self.line_end());
        let Some(length) = self.text[start..end].find('=') else {
            return self.fault("there is no `=` in this line", start..end, LINE);
        };
        let name = self.text[start..start + length].trim_end();
        let is_name = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(fits)
        };
        if name.is_empty() {
            return self.fault("a value without a name", start..end, LINE);
        }
        if !is_name(name) {
            let message = format!("`{name}` is not the name of a variable");
            return self.fault(message, start..start + name.len(), NAMES);
        }
        self.at = start + length + 1;
        let after_sign = self.at;
        self.skip(is_blank);
        let from = self.at;
        let value = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => Some(self.unquoted(after_sign)),
        };
        let Some(value) = value else { return };
        if value.contains('\0') {
            self.fault("a variable cannot hold a NUL", from..self.at, LINE);
        } else {
            self.read.variables.push((name.to_owned(), value));
        }
    }

    fn skip_export(&mut self) {
        let Some(rest) = self.rest().strip_prefix("export") else {
            return;
        };
        // `export = 1` is a variable of that name.
        let name = rest.trim_start_matches(is_blank);
        if rest.starts_with(is_blank) && !name.starts_with('=') {
            self.at = self.text.len() - name.len();
        }
    }

    /// To the end of the line, or to a `#` behind a blank.
    fn unquoted(&mut self, after_sign: usize) -> String {
        let (start, end) = (self.at, self.line_end());
        let line = &self.text[after_sign..end];
        let is_comment = |at: &usize| line[..*at].ends_with(is_blank);
        let mut marks = line.match_indices('#').map(|(at, _)| at);
        let stop = marks.find(is_comment).unwrap_or(line.len());
        let value = &self.text[start..(after_sign + stop).max(start)];
        self.doubt(value, start);
        self.at = end;
        value.trim_end_matches(is_blank).to_owned()
    }

    /// To the closing quote; `None` where there is none, or something stands behind it.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let open = self.at;
        let body = &self.text[open + 1..];
        let Some(length) = closing(body, quote) else {
            let end = self.line_end();
            let help = "a quoted value ends with the quote that it began with";
            self.fault(format!("this `{quote}` is never closed"), open..end, help);
            self.at = end;
            return None;
        };
        let body = &body[..length];
        self.at = open + length + 2;
        let behind = self.at;
        self.skip(is_blank);
        let (next, end) = (self.at, self.line_end());
        if next < end && !(self.rest().starts_with('#') && next > behind) {
            self.fault("text behind the closing quote", next..end, QUOTES);
            return None;
        }
        self.at = behind;
        // A line break is one character, whatever system wrote the file.
        let body_text = body.replace("\r\n", "\n");
        if quote == '\'' {
            return Some(body_text);
        }
        self.doubt(body, open + 1);
        Some(unescaped(&body_text))
    }

    /// `${NAME}` is filled in by some other readers.
    fn doubt(&mut self, value: &str, start: usize) {
        let Some((at, length)) = reference(value) else {
            return;
        };
        let found = &value[at..at + length];
        self.read.faults.push(DotenvFault {
            message: format!("`{found}` stays as it is"),
            help: LITERAL,
            range: start + at..start + at + length,
            is_warning: true,
        });
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// How far it is to the `quote` that closes; in double quotes a `\` takes the next character along.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// What escapes stand for; a `\` before anything else stays.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(c @ ('"' | '\\' | '$')) => out.push(c),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}

/// The first `${NAME...}` without a `\` in front: where, and how long.
fn reference(value: &str) -> Option<(usize, usize)> {
    let mut found = value.match_indices("${").map(|(at, _)| at);
    found.find_map(|at| {
        let inner = &value[at + 2..];
        let length = inner.find('}')?;
        let is_named = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_escaped = value[..at].ends_with('\\');
        (is_named && !is_escaped && !inner[..length].contains('\n')).then_some((at, length + 3))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        let dotenv = dotenv(text);
        let values = dotenv.variables.iter();
        let values = values.map(|(name, value)| format!("{name}={value:?}"));
        let faults = dotenv.faults.iter();
        let faults =
            faults.map(|fault| format!("<{}@{}>", fault.message, &text[fault.range.clone()]));
        values.chain(faults).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_read() {
        for (text, want) in [
            ("", ""),
            ("\u{feff}A=1\r\nB=2\r\n", r#"A="1" B="2""#),
            ("# c\n\n  A = a b \n", r#"A="a b""#),
            (
                "export A=1\nexport\tB=2\nexport=3",
                r#"A="1" B="2" export="3""#,
            ),
            ("A=\nB=  \nC=''\nD=\"\"", r#"A="" B="" C="" D="""#),
            (
                "A=a#b # c\nB=#x\nC= #x\nD='a # b' # c",
                r##"A="a#b" B="#x" C="" D="a # b""##,
            ),
            (
                "A='a\\n$B'\nB=\"a\\n\\t\\\"\\\\\\$\\d\"",
                "A=\"a\\\\n$B\" B=\"a\\n\\t\\\"\\\\$\\\\d\"",
            ),
            ("A=\"x\r\n# no\ny\"\nB=1", r##"A="x\n# no\ny" B="1""##),
            (
                "A=it's\nB=a\"b\nC=`id` $(id)",
                r#"A="it's" B="a\"b" C="`id` $(id)""#,
            ),
            ("A=1\nA=2", r#"A="1" A="2""#),
            ("A=a=b==", r#"A="a=b==""#),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong() {
        for (text, want) in [
            ("A: 1\nB=2", "B=\"2\" <there is no `=` in this line@A: 1>"),
            ("=1", "<a value without a name@=1>"),
            ("A-B=1", "<`A-B` is not the name of a variable@A-B>"),
            ("1A=1", "<`1A` is not the name of a variable@1A>"),
            ("A=\"x\nB=1", "B=\"1\" <this `\"` is never closed@\"x>"),
            ("A='x' y\nB=1", "B=\"1\" <text behind the closing quote@y>"),
            ("A=a\0", "<a variable cannot hold a NUL@a\0>"),
            (
                "A=x${HOME}/b",
                "A=\"x${HOME}/b\" <`${HOME}` stays as it is@${HOME}>",
            ),
            (
                "A=\"${B:-1}\"",
                "A=\"${B:-1}\" <`${B:-1}` stays as it is@${B:-1}>",
            ),
            (
                "A=\"\\${B}\" # ${C}\nB='${C}'\nC=$D ${",
                "A=\"${B}\" B=\"${C}\" C=\"$D ${\"",
            ),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(A=|B =|export |[ '\"\\\\#$ {}\na\r\0ä=])*") {
            let read = dotenv(&text);
            for fault in read.faults {
                prop_assert!(text.get(fault.range).is_some());
            }
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^'\r\0]*") {
            let read = dotenv(&format!("A='{value}'\nB=1"));
            prop_assert_eq!(read.variables[0].1.as_str(), value.as_str());
            prop_assert_eq!(read.variables.len(), 2);
        }
    }
}
