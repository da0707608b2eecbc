//! Reads Rust sources as far as paths go: words and punctuation, without comments, texts and what
//! is compiled for tests only.

use std::path::Path;

/// A word or a punctuation mark, and the line that it is on.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// The tokens of a file.
pub(super) struct Code {
    tokens: Vec<Token>,
    /// Modules in files of their own that are compiled for tests only.
    test_modules: Vec<String>,
}

/// A place that names a room, and an item in it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Names {
    pub(super) room: String,
    pub(super) item: Option<String>,
    pub(super) line: usize,
}

impl Code {
    pub(super) fn read(text: &str) -> Self {
        let mut code = Self {
            tokens: tokens(text),
            test_modules: Vec::new(),
        };
        code.leave_out_tests();
        code
    }

    /// The paths, without ending, of the files and folders of this file's test modules.
    pub(super) fn test_files(&self, path: &Path) -> Vec<String> {
        let stem = path.with_extension("");
        let folder = match stem.file_name().and_then(|name| name.to_str()) {
            Some("mod" | "lib" | "main") => stem.parent().unwrap_or(Path::new("")).to_owned(),
            _ => stem,
        };
        self.test_modules
            .iter()
            .map(|name| folder.join(name).to_string_lossy().into_owned())
            .collect()
    }

    /// The first line that names this package in a path.
    pub(super) fn line_that_names(&self, package: &str) -> Option<usize> {
        let (texts, tokens) = (|at: usize| self.text(at), &self.tokens);
        (0..tokens.len())
            .find(|at| {
                let starts = *at == 0 || texts(at - 1) != "::" && texts(at - 1) != ".";
                texts(*at) == package
                    && starts
                    && (texts(at + 1) == "::" || is_used(texts(at.wrapping_sub(1))))
            })
            .map(|at| tokens[at].line)
    }

    /// All places that name a room, seen from the module `here`.
    pub(super) fn rooms_named(&self, here: &[String]) -> Vec<Names> {
        let mut named = Vec::new();
        for at in 0..self.tokens.len() {
            let start = match self.text(at) {
                "crate" if self.starts_a_path(at) => Some(at + 2),
                // The library, as the program sees it.
                "pipe" if here.is_empty() && self.starts_a_path(at) => Some(at + 2),
                "super" if self.starts_a_path(at) => self.after_supers(at, here.len()),
                _ => None,
            };
            if let Some(start) = start {
                self.tree(start, &[], &mut named);
            }
        }
        named
    }

    fn starts_a_path(&self, at: usize) -> bool {
        self.text(at + 1) == "::" && (at == 0 || self.text(at - 1) != "::")
    }

    /// Where a path of `super`s goes on, if it leads to the root of the crate.
    fn after_supers(&self, mut at: usize, depth: usize) -> Option<usize> {
        let depth = depth + self.inline_depth(at);
        let mut up = 0;
        while self.text(at) == "super" && self.text(at + 1) == "::" {
            up += 1;
            at += 2;
        }
        (up >= depth).then_some(at)
    }

    /// How many modules with a body are open at a token.
    fn inline_depth(&self, at: usize) -> usize {
        let mut open = Vec::new();
        for index in 0..at {
            match self.text(index) {
                "{" => open.push(index >= 2 && self.text(index - 2) == "mod"),
                "}" => drop(open.pop()),
                _ => {}
            }
        }
        open.into_iter().filter(|is_module| *is_module).count()
    }

    /// Reads the path or group of paths at `at`; gives the token after it.
    fn tree(&self, at: usize, before: &[&str], named: &mut Vec<Names>) -> usize {
        if self.text(at) == "{" {
            let mut next = at + 1;
            while !matches!(self.text(next), "}" | "") {
                next = self.tree(next, before, named);
                next += usize::from(self.text(next) == ",");
            }
            return next + 1;
        }
        let mut path = before.to_vec();
        let mut next = at;
        loop {
            path.push(self.text(next));
            next += 1;
            if self.text(next) != "::" {
                break;
            }
            next += 1;
            if self.text(next) == "{" {
                return self.tree(next, &path, named);
            }
        }
        if self.text(next) == "as" {
            next += 2;
        }
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        let item = path.get(1).map(|item| (*item).to_owned());
        named.push(Names {
            room: path[0].to_owned(),
            item,
            line,
        });
        next
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Takes away items behind `#[cfg(test)]`, and notes modules in files of their own.
    fn leave_out_tests(&mut self) {
        let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
        let mut kept = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if (0..mark.len()).all(|index| self.text(at + index) == mark[index]) {
                at = self.end_of_item(at + mark.len());
            } else {
                kept.push(self.tokens[at].clone());
                at += 1;
            }
        }
        self.tokens = kept;
    }

    /// The token after the item at `at`.
    fn end_of_item(&mut self, at: usize) -> usize {
        let mut depth = 0;
        for index in at..self.tokens.len() {
            match self.text(index) {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => {
                    depth -= 1;
                    if depth == 0 && self.text(index) == "}" {
                        return index + 1;
                    }
                }
                ";" if depth == 0 => {
                    if self.text(index - 2) == "mod" {
                        self.test_modules.push(self.text(index - 1).to_owned());
                    }
                    return index + 1;
                }
                _ => {}
            }
        }
        self.tokens.len()
    }
}

fn is_used(before: &str) -> bool {
    matches!(before, "use" | "crate")
}

/// The tokens of a text.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest).unwrap_or_else(|| token(rest, first));
        let taken = &rest[..length];
        if skipped(rest).is_none() {
            tokens.push(Token {
                text: taken.to_owned(),
                line,
            });
        }
        line += taken.matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of the blank, comment, text or character that `rest` begins with.
fn skipped(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some(first.len_utf8());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    let raw = rest.trim_start_matches(['b', 'c']);
    if let Some(hashes) = raw
        .strip_prefix('r')
        .map(|after| after.len() - after.trim_start_matches('#').len())
    {
        let opening = rest.len() - raw.len() + 1 + hashes + 1;
        if rest.as_bytes().get(opening - 1) == Some(&b'"') {
            let closing = format!("\"{}", "#".repeat(hashes));
            let end = rest[opening..]
                .find(&closing)
                .map_or(rest.len(), |end| opening + end + closing.len());
            return Some(end);
        }
    }
    let prefix = rest.len() - raw.len();
    if prefix <= 1 && raw.starts_with('"') {
        return Some(prefix + quoted(raw, '"'));
    }
    // A character; `'a` alone is a lifetime.
    let second = raw.chars().nth(2);
    let is_character = raw.starts_with("'\\") || raw.starts_with('\'') && second == Some('\'');
    (prefix <= 1 && is_character).then(|| prefix + quoted(raw, '\''))
}

/// The length of a text between quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the word or mark that `rest` begins with.
fn token(rest: &str, first: char) -> usize {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    if is_word(first) {
        return rest
            .find(|character| !is_word(character))
            .unwrap_or(rest.len());
    }
    if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, here: &[&str]) -> Vec<String> {
        let here: Vec<String> = here.iter().map(|part| (*part).to_owned()).collect();
        let shown = |names: Names| format!("{}/{}", names.room, names.item.unwrap_or_default());
        Code::read(text)
            .rooms_named(&here)
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn all_forms_of_paths_are_seen() {
        for (text, here, want) in [
            ("use crate::a::B;", &["x"][..], &["a/B"][..]),
            (
                "use crate::{a::{self, B as C}, d};",
                &["x"],
                &["a/self", "a/B", "d/"],
            ),
            (
                "fn f(x: crate::a::b::C<T>) { crate::d::e() }",
                &["x"],
                &["a/b", "d/e"],
            ),
            ("use super::a::B;", &["x"], &["a/B"]),
            ("use super::a::B;", &["x", "y"], &[]),
            ("use super::super::{a::B, c};", &["x", "y"], &["a/B", "c/"]),
            ("mod m { use super::super::a::B; }", &["x"], &["a/B"]),
            ("mod m { use super::a::B; }", &["x"], &[]),
            ("$crate::parse::x!()", &["parse"], &["parse/x"]),
            ("fn main() { pipe::cli::main() }", &[], &["cli/main"]),
        ] {
            assert_eq!(named(text, here), want, "{text}");
        }
    }

    #[test]
    fn comments_texts_and_tests_are_not_seen() {
        for text in [
            "/// [`crate::a::B`]\n// crate::a\n/* crate::a */ fn f() {}",
            r####"const A: &str = "crate::a"; const B: &str = r#"crate::a"#; const C: &[u8] = b"\"crate::a";"####,
            "#[cfg(test)]\nmod tests { use crate::a; fn f() { \"}\" } }",
            "#[cfg(test)]\nuse crate::a::B;",
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;",
        ] {
            assert_eq!(named(text, &["x"]), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            named(
                "fn f<'a>(x: &'a str) { ('\"', '\\'', crate::a::B) }",
                &["x"]
            ),
            ["a/B"]
        );
    }

    #[test]
    fn test_modules_are_found() {
        let code =
            Code::read("mod a;\n#[cfg(test)]\nmod fixture;\n#[cfg(test)]\nmod tests { fn f() {} }");
        assert_eq!(code.test_files(Path::new("exec/mod.rs")), ["exec/fixture"]);
        assert_eq!(
            code.test_files(Path::new("exec/checks.rs")),
            ["exec/checks/fixture"]
        );
        assert_eq!(code.test_files(Path::new("lib.rs")), ["fixture"]);
    }

    #[test]
    fn packages_are_found_in_paths_only() {
        for (text, want) in [
            ("use clap::Parser;", Some(1)),
            ("use clap;", Some(1)),
            ("fn f() {\n clap::parse() }", Some(2)),
            ("let clap = 1; x.clap(); a::clap::b()", None),
        ] {
            assert_eq!(Code::read(text).line_that_names("clap"), want, "{text}");
        }
    }
}
