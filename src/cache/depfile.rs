//! Dependency files in the form of make, as compilers write them (`gcc -MMD`, `clang -MD`,
//! `protoc --dependency_out`): from bytes to the names of what was read. Knows no disk and not what a
//! name is relative to; takes time in proportion to its input, whatever that is.
//!
//! A rule is `targets: files`. How compilers write odd names is how make reads them, where both agree:
//!
//! | written | name |
//! |---|---|
//! | `\` before a line's end | nothing: the rule goes on |
//! | `\ `, `\` and a tab | a blank; 2n+1 backslashes before it are n of the name, 2n end the name |
//! | `\#`, `\:` | `#`, `:`; further backslashes before it stand for themselves |
//! | `$$` | `$` |
//! | any other `\` or `$` | itself |
//!
//! Rules without files (`-MP` writes one for each header) say nothing. A colon ends the targets where
//! a blank or the line's end follows it, or else at the first one of the line.

use std::collections::HashSet;

/// What a dependency file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depfile {
    /// The names behind the colons of all rules, in their order, each once.
    pub files: Vec<Vec<u8>>,
}

/// Why bytes are no dependency file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DepfileError {
    /// There is no rule in it.
    #[error("has no rule: at least `target:` is expected")]
    Empty,
    /// A line without a colon.
    #[error("has no rule in line {0}: `target: files` is expected")]
    NoRule(usize),
    /// No name has such a byte.
    #[error("has a zero byte in line {0}")]
    Zero(usize),
}

impl Depfile {
    /// Reads a dependency file.
    ///
    /// # Errors
    ///
    /// What is no list of rules.
    pub fn parse(text: &[u8]) -> Result<Self, DepfileError> {
        let mut reader = Reader {
            rest: text,
            line: 1,
        };
        let mut seen = HashSet::new();
        let (mut files, mut rules) = (Vec::new(), 0);
        while let Some(line) = reader.line()? {
            let (number, words) = line;
            rules += 1;
            let names = prerequisites(words).ok_or(DepfileError::NoRule(number))?;
            for name in names.into_iter().filter(|name| !name.is_empty()) {
                if seen.insert(name.clone()) {
                    files.push(name);
                }
            }
        }
        match rules {
            0 => Err(DepfileError::Empty),
            _ => Ok(Self { files }),
        }
    }
}

/// A word of a line, and where its bare colons are.
#[derive(Default)]
struct Word {
    name: Vec<u8>,
    /// The place of the first colon in `name`.
    colon: Option<usize>,
    /// Whether the last byte is a colon.
    ends: bool,
}

impl Word {
    fn plain(&mut self, byte: u8) {
        self.name.push(byte);
        self.ends = false;
    }

    fn colon(&mut self) {
        self.colon.get_or_insert(self.name.len());
        self.name.push(b':');
        self.ends = true;
    }
}

/// What stands behind the colon of a rule; `None` where there is none.
fn prerequisites(mut words: Vec<Word>) -> Option<Vec<Vec<u8>>> {
    let at = words.iter().position(|word| word.ends);
    let at = at.or_else(|| words.iter().position(|word| word.colon.is_some()))?;
    let files = words.split_off(at + 1);
    let joined = words.pop().filter(|word| !word.ends);
    let joined = joined.and_then(|word| Some(word.name[word.colon? + 1..].to_vec()));
    Some(
        joined
            .into_iter()
            .chain(files.into_iter().map(|word| word.name))
            .collect(),
    )
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Reader<'_> {
    /// The next line that has words, with its number; lines that are continued are one.
    fn line(&mut self) -> Result<Option<(usize, Vec<Word>)>, DepfileError> {
        let mut words = Vec::new();
        let mut number = self.line;
        loop {
            if self.end_of_line() {
                if !words.is_empty() {
                    return Ok(Some((number, words)));
                }
                continue;
            }
            match *self.rest {
                [] if words.is_empty() => return Ok(None),
                [] => return Ok(Some((number, words))),
                [b' ' | b'\t', ..] => self.skip(1),
                [b'#', ..] => self.comment(),
                _ => {
                    let start = self.line;
                    let word = self.word()?;
                    if words.is_empty() {
                        number = start;
                    }
                    // A backslash at a line's end is no word.
                    words.extend((!word.name.is_empty()).then_some(word));
                }
            }
        }
    }

    fn word(&mut self) -> Result<Word, DepfileError> {
        let mut word = Word::default();
        loop {
            match *self.rest {
                [] | [b' ' | b'\t' | b'\n' | b'#', ..] | [b'\r'] | [b'\r', b'\n', ..] => {
                    return Ok(word);
                }
                [0, ..] => return Err(DepfileError::Zero(self.line)),
                [b'\\', ..] => {
                    if self.backslashes(&mut word) {
                        return Ok(word);
                    }
                }
                [b'$', b'$', ..] => {
                    word.plain(b'$');
                    self.skip(2);
                }
                [b':', ..] => {
                    word.colon();
                    self.skip(1);
                }
                [byte, ..] => {
                    word.plain(byte);
                    self.skip(1);
                }
            }
        }
    }

    /// Backslashes, and what they stand before; whether the word ends here.
    fn backslashes(&mut self, word: &mut Word) -> bool {
        let count = self.rest.iter().take_while(|byte| **byte == b'\\').count();
        self.skip(count);
        let is_odd = count % 2 == 1;
        let (kept, escaped) = match *self.rest {
            [blank @ (b' ' | b'\t'), ..] => (count / 2, Some(blank).filter(|_| is_odd)),
            [sign @ (b'#' | b':'), ..] => (count - 1, Some(sign)),
            [] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..] if is_odd => (count - 1, None),
            _ => (count, None),
        };
        (0..kept).for_each(|_| word.plain(b'\\'));
        if let Some(byte) = escaped {
            word.plain(byte);
            self.skip(1);
            return false;
        }
        // The line goes on, but not the word.
        kept == count - 1 && is_odd && self.end_of_line()
    }

    /// Takes a line's end, if one is here.
    fn end_of_line(&mut self) -> bool {
        let length = match *self.rest {
            [b'\n', ..] | [b'\r'] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return false,
        };
        self.skip(length);
        self.line += 1;
        true
    }

    fn comment(&mut self) {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        self.skip(end.unwrap_or(self.rest.len()));
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(text: &str) -> Vec<String> {
        let depfile = Depfile::parse(text.as_bytes()).unwrap();
        let names = depfile.files.into_iter();
        names.map(|name| String::from_utf8(name).unwrap()).collect()
    }

    /// What is written, and the names that it means.
    const CASES: &[(&str, &[&str])] = &[
        ("a.o: a.c a.h\n", &["a.c", "a.h"]),
        ("a.o: a.c", &["a.c"]),
        ("a.o:\n", &[]),
        ("a.o:", &[]),
        ("a.o :a.c\n", &["a.c"]),
        ("a.o : a.c\n", &["a.c"]),
        ("a.o:a.c b.h\n", &["a.c", "b.h"]),
        ("a.o:: a.c\n", &["a.c"]),
        // Several targets, several rules, phony targets of -MP.
        ("a.o a.d: a.c\n", &["a.c"]),
        ("a.o: a.c a.h\n\na.h:\n", &["a.c", "a.h"]),
        ("a.o: a.c a.h\na.d: a.c b.h\n", &["a.c", "a.h", "b.h"]),
        ("a.o: a.c a.c\n", &["a.c"]),
        // Line continuations, also with CRLF, at the end, and right behind a name.
        ("a.o: a.c \\\n  a.h \\\n  b.h\n", &["a.c", "a.h", "b.h"]),
        (
            "a.o: a.c \\\r\n  a.h\r\nb.o: b.c\r\n",
            &["a.c", "a.h", "b.c"],
        ),
        ("a.o: a.c\\\na.h\n", &["a.c", "a.h"]),
        ("a.o: \\\n", &[]),
        ("a.o: a.c \\\n", &["a.c"]),
        ("a.o: a.c \\", &["a.c"]),
        ("\\\na.o: \\\n\\\n a.c\n", &["a.c"]),
        ("a.o: a.c\r", &["a.c"]),
        ("a.o: a\rb\n", &["a\rb"]),
        // Blanks, signs of make, backslashes.
        ("a.o: a\\ b.c\tc\\\td.h\n", &["a b.c", "c\td.h"]),
        ("a\\ b.o: x\n", &["x"]),
        ("a.o: a\\\\\\ b c\\\\ d\n", &["a\\ b", "c\\", "d"]),
        (
            "a.o: a\\b.c c\\\\d.h \\\\x\\y.h\n",
            &["a\\b.c", "c\\\\d.h", "\\\\x\\y.h"],
        ),
        ("a.o: a$$b.c $c $$$$ $\n", &["a$b.c", "$c", "$$", "$"]),
        ("a.o: a\\#b.c c\\\\#d\n", &["a#b.c", "c\\#d"]),
        (
            "a.o: a.c # said by somebody: x\nb.o: b.c\n",
            &["a.c", "b.c"],
        ),
        ("# a comment\na.o: a.c\n", &["a.c"]),
        ("a\\:b.o: c\\:d.c e:f.h\n", &["c:d.c", "e:f.h"]),
        ("c:/x/a.o: c:/x/a.c\n", &["c:/x/a.c"]),
        (
            "a.o: +=,;'\"`(){}[]*?!@%&|~<>^=.h\n",
            &["+=,;'\"`(){}[]*?!@%&|~<>^=.h"],
        ),
        (
            "a.o: ./a.c ../b.h /usr/include/stdio.h\n",
            &["./a.c", "../b.h", "/usr/include/stdio.h"],
        ),
        ("a.o: \u{e4}\u{f6}.h\n", &["\u{e4}\u{f6}.h"]),
    ];

    #[test]
    fn names_are_as_compilers_mean_them() {
        for (text, names) in CASES {
            assert_eq!(files(text), *names, "{text:?}");
        }
    }

    #[test]
    fn names_are_bytes() {
        let depfile = Depfile::parse(b"a.o: \xff\xfe.h\n").unwrap();
        assert_eq!(depfile.files, [b"\xff\xfe.h"]);
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let error = |text: &[u8]| Depfile::parse(text).unwrap_err();
        assert_eq!(error(b""), DepfileError::Empty);
        assert_eq!(error(b"\r\n \\\n# x: y\n"), DepfileError::Empty);
        assert_eq!(error(b"a.o: a.c\n\nb.c\n"), DepfileError::NoRule(3));
        assert_eq!(error(b"a.o: \\\n a.c\nb.c \\\n d"), DepfileError::NoRule(3));
        assert_eq!(error(b"a.o: a\0.c"), DepfileError::Zero(1));
        assert_eq!(error(b"\x7fELF"), DepfileError::NoRule(1));
    }

    /// As GCC and Clang write a name.
    fn written(name: &str) -> String {
        let mut text = String::new();
        for (at, letter) in name.char_indices() {
            match letter {
                ' ' | '\t' => {
                    let before = name[..at].bytes().rev().take_while(|byte| *byte == b'\\');
                    text.extend(before.map(|_| '\\'));
                    text.push('\\');
                }
                '#' => text.push('\\'),
                '$' => text.push('$'),
                _ => {}
            }
            text.push(letter);
        }
        text
    }

    proptest! {
        #[test]
        fn what_compilers_write_is_read_back(names in proptest::collection::btree_set("[a-c \\\\$#\t]{0,6}[a-c]", 0..5)) {
            let listed: Vec<String> = names.iter().map(|name| written(name)).collect();
            for between in [" ", " \\\n ", " \\\r\n  "] {
                let text = format!("x.o:{between}{}\n", listed.join(between));
                prop_assert_eq!(&files(&text), &names.iter().cloned().collect::<Vec<_>>());
            }
        }

        #[test]
        fn no_bytes_are_a_panic(text in proptest::collection::vec(prop::sample::select(b"\\\\\\:: \t\r\n#$a\0".to_vec()), 0..40)) {
            let _read = Depfile::parse(&text);
        }
    }
}
