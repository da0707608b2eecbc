//! From the text of a pattern to what it means: lexemes, braces written out, parts.
//!
//! The text is read once from left to right. Leading parts without wildcards are folded into a
//! path (`./` and `..` are understood there only); what follows is a list of alternatives, each a
//! list of parts. This file knows no file system and no matching.

use crate::path::{PathError, RelPath, to_bytes};

/// Braces in braces: deeper than this is an error.
const MAX_DEPTH: usize = 16;
/// All alternatives of a pattern together may have so many lexemes.
const MAX_EXPANDED: usize = 1 << 16;

/// Why a text is no pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct GlobError {
    /// What is wrong.
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What to write instead.
    pub help: String,
}

impl GlobError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset,
            help:
                "`*` is any name, `**` any depth, `{a,b}` one of two; `\\` makes a character plain"
                    .to_owned(),
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

/// A pattern taken apart.
#[derive(PartialEq, Debug)]
pub(super) struct Parsed {
    /// The leading parts without wildcards.
    pub(super) stem: RelPath,
    /// The rest as normal text; empty for a literal.
    pub(super) glob: String,
    /// What the rest stands for.
    pub(super) alternatives: Vec<Alternative>,
}

/// One of the things that a pattern stands for: no braces any more.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Alternative(pub(super) Vec<Part>);

/// What stands between two slashes.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Part {
    /// Exactly this name.
    Literal(Box<[u8]>),
    /// Names that fit.
    Wild(Vec<Token>),
    /// `**`: any number of names, also none.
    AnyDepth,
}

/// A piece of a name.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// This character.
    Char(char),
    /// `*`
    Star,
    /// `?`
    One,
    /// `[...]`
    Class(Class),
}

/// A class of characters.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Class {
    /// Whether it is all but these.
    pub(super) negated: bool,
    /// First and last character of each range.
    pub(super) ranges: Vec<(char, char)>,
}

/// What the text is made of, before braces are written out.
#[derive(Clone, PartialEq, Debug)]
enum Lexeme {
    Token(Token),
    AnyDepth,
    Slash,
    Open,
    Comma,
    Close,
}

/// A lexeme and where it begins.
type Placed = (usize, Lexeme);

/// Takes apart `text` as written in a file of folder `base`.
pub(super) fn parse(base: &RelPath, text: &str) -> Result<Parsed, GlobError> {
    if text.is_empty() {
        return Err(GlobError::new(0, "is empty"));
    }
    let (start, skip) = match text.as_bytes() {
        // The second slash stays, so that `//` alone is all below the root.
        [b'/', b'/', ..] => (RelPath::root(), 1),
        [b'/', ..] => return Err(absolute()),
        _ => (base.clone(), 0),
    };
    let (start, skip) = match plain_lead(base, text) {
        Some((stem, at)) if at == text.len() => {
            return Ok(Parsed {
                stem,
                glob: String::new(),
                alternatives: Vec::new(),
            });
        }
        Some(found) => found,
        None => (start, skip),
    };
    let lexemes = lex(text, skip)?;
    let (stem, rest) = fold(start, &lexemes)?;
    Ok(Parsed {
        stem,
        alternatives: alternatives_of(rest)?,
        glob: normal(text, rest),
    })
}

/// Most patterns begin with a path: its folder, and where the rest of `text` begins. `None` where
/// something is to be told about it, or where it is more than names.
fn plain_lead(base: &RelPath, text: &str) -> Option<(RelPath, usize)> {
    let special = |byte: u8| matches!(byte, b'*' | b'?' | b'[' | b'{' | b'}' | b'\\' | 0);
    let end = match text.bytes().position(special) {
        Some(at) => text[..at].rfind('/')? + 1,
        // A slash at the end means everything below.
        None if text.ends_with('/') => return None,
        None => text.len(),
    };
    let stem = RelPath::resolve(base, &to_bytes(&text[..end])).ok()?;
    Some((stem, end))
}

/// The alternatives of normal text, as [`parse`] left it; none for a literal.
pub(super) fn alternatives(glob: &str) -> Result<Vec<Alternative>, GlobError> {
    alternatives_of(&lex(glob, 0)?)
}

fn absolute() -> GlobError {
    GlobError::new(0, "is absolute").help("`//x` is `x` in the workspace root")
}

/// Reads `text` from `at` on.
fn lex(text: &str, at: usize) -> Result<Vec<Placed>, GlobError> {
    let mut lexer = Lexer {
        text,
        at,
        open: Vec::new(),
    };
    let mut lexemes = Vec::with_capacity(text.len() - at);
    while lexer.at < text.len() {
        let start = lexer.at;
        lexemes.push((start, lexer.next(start)?));
    }
    match lexer.open.pop() {
        Some(at) => Err(GlobError::new(at, "`{` is never closed").help("a plain `{` is `\\{`")),
        None => Ok(lexemes),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the braces begin that are open now.
    open: Vec<usize>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// Goes over `char`, if it comes now.
    fn eat(&mut self, char: char) -> bool {
        let here = self.peek() == Some(char);
        if here {
            self.at += char.len_utf8();
        }
        here
    }

    fn next(&mut self, start: usize) -> Result<Lexeme, GlobError> {
        let in_braces = !self.open.is_empty();
        Ok(match self.bump() {
            Some('/') => Lexeme::Slash,
            Some('?') => Lexeme::Token(Token::One),
            Some('*') => self.stars(start)?,
            Some('[') => Lexeme::Token(Token::Class(self.class(start)?)),
            Some('{') => self.open(start)?,
            Some(',') if in_braces => Lexeme::Comma,
            Some('}') => self.close(start)?,
            Some('\\') => self.escaped(start)?,
            Some('\0') => return Err(GlobError::new(start, "holds a NUL byte")),
            other => Lexeme::Token(Token::Char(other.unwrap_or_default())),
        })
    }

    fn stars(&mut self, start: usize) -> Result<Lexeme, GlobError> {
        if !self.eat('*') {
            return Ok(Lexeme::Token(Token::Star));
        }
        if self.peek() == Some('*') {
            return Err(not_alone(start));
        }
        Ok(Lexeme::AnyDepth)
    }

    fn open(&mut self, start: usize) -> Result<Lexeme, GlobError> {
        self.open.push(start);
        if self.open.len() > MAX_DEPTH {
            return Err(GlobError::new(
                start,
                format!("has braces more than {MAX_DEPTH} deep"),
            ));
        }
        Ok(Lexeme::Open)
    }

    fn close(&mut self, start: usize) -> Result<Lexeme, GlobError> {
        match self.open.pop() {
            Some(_) => Ok(Lexeme::Close),
            None => Err(GlobError::new(start, "`}` closes nothing").help("a plain `}` is `\\}`")),
        }
    }

    fn escaped(&mut self, start: usize) -> Result<Lexeme, GlobError> {
        match self.bump() {
            None => Err(GlobError::new(start, "ends in `\\`").help("a plain `\\` is `\\\\`")),
            Some('/') => Err(GlobError::new(start, "has `\\/`: a slash is never escaped")),
            Some('\0') => Err(GlobError::new(start, "holds a NUL byte")),
            Some(char) => Ok(Lexeme::Token(Token::Char(char))),
        }
    }

    /// What follows a `[`. A `]` that comes first is a member.
    fn class(&mut self, start: usize) -> Result<Class, GlobError> {
        let negated = self.eat('!') || self.eat('^');
        let mut ranges = Vec::new();
        loop {
            if !ranges.is_empty() && self.eat(']') {
                return Ok(Class { negated, ranges });
            }
            ranges.push(self.range(start)?);
        }
    }

    /// One character of a class, or two with `-` between.
    fn range(&mut self, start: usize) -> Result<(char, char), GlobError> {
        let at = self.at;
        let first = self.member(start)?;
        let rest = &self.text[self.at..];
        if !rest.starts_with('-') || rest.starts_with("-]") {
            return Ok((first, first));
        }
        self.at += 1;
        let last = self.member(start)?;
        if first > last {
            return Err(GlobError::new(
                at,
                format!("the range `{first}-{last}` is empty"),
            ));
        }
        Ok((first, last))
    }

    fn member(&mut self, start: usize) -> Result<char, GlobError> {
        let at = self.at;
        if self.text[at..].starts_with("[:") {
            return Err(
                GlobError::new(at, "has a named class").help("write `[a-z]` for `[[:lower:]]`")
            );
        }
        let char = match self.bump() {
            Some('\\') => self.bump(),
            other => other,
        };
        match char {
            None => Err(GlobError::new(start, "`[` is never closed").help("a plain `[` is `\\[`")),
            Some('/') => {
                Err(GlobError::new(at, "has `/` in a class").help("a class never matches `/`"))
            }
            Some('\0') => Err(GlobError::new(at, "holds a NUL byte")),
            Some(char) => Ok(char),
        }
    }
}

fn not_alone(at: usize) -> GlobError {
    GlobError::new(at, "`**` does not stand alone between slashes")
        .help("`*` stays in one folder; `a/**/b` is any depth")
}

/// The stretches between slashes that are outside of braces, each with the slash that ends it.
fn stretches(lexemes: &[Placed]) -> impl Iterator<Item = &[Placed]> {
    let mut depth = 0_usize;
    lexemes.split_inclusive(move |(_, lexeme)| {
        match lexeme {
            Lexeme::Open => depth += 1,
            Lexeme::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *lexeme == Lexeme::Slash
    })
}

/// A stretch without the slash at its end.
fn without_slash(stretch: &[Placed]) -> &[Placed] {
    match stretch {
        [inner @ .., (_, Lexeme::Slash)] => inner,
        all => all,
    }
}

/// The name that `lexemes` are, if they have no wildcard.
fn literal(lexemes: &[Placed]) -> Option<String> {
    let chars = lexemes.iter().map(|(_, lexeme)| match lexeme {
        Lexeme::Token(Token::Char(char)) => Some(*char),
        _ => None,
    });
    chars.collect()
}

/// Folds the leading literal parts into a path, and hands back what is left.
fn fold(mut stem: RelPath, lexemes: &[Placed]) -> Result<(RelPath, &[Placed]), GlobError> {
    let mut rest = lexemes;
    for stretch in stretches(lexemes) {
        let Some(name) = literal(without_slash(stretch)) else {
            break;
        };
        stem = RelPath::resolve(&stem, &to_bytes(&name))
            .map_err(|error| GlobError::new(stretch[0].0, PathError::to_string(&error)))?;
        rest = &rest[stretch.len()..];
        if rest.is_empty() && without_slash(stretch).len() < stretch.len() {
            // The slash at the end stays: it means everything below.
            rest = &stretch[stretch.len() - 1..];
        }
    }
    Ok((stem, rest))
}

/// The text of `rest` with `//`, `/./` and a slash at the end written out.
fn normal(text: &str, rest: &[Placed]) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for stretch in stretches(rest) {
        let (inner, end) = match stretch {
            [inner @ .., (at, Lexeme::Slash)] => (inner, *at),
            all => (all, text.len()),
        };
        if !matches!(literal(inner).as_deref(), Some("" | ".")) {
            parts.push(&text[stretch[0].0..end]);
        }
    }
    if matches!(rest.last(), Some((_, Lexeme::Slash))) {
        parts.push("**");
    }
    parts.dedup_by(|a, b| a == b && *a == "**");
    parts.join("/")
}

/// Braces written out, each alternative split at its slashes.
fn alternatives_of(lexemes: &[Placed]) -> Result<Vec<Alternative>, GlobError> {
    let Some((start, _)) = lexemes.first() else {
        return Ok(Vec::new());
    };
    let alternative = |lexemes: &[Placed]| match parts(lexemes)? {
        parts if parts.is_empty() => Err(GlobError::new(
            *start,
            "is empty in one of its alternatives",
        )),
        parts => Ok(Alternative(parts)),
    };
    if !lexemes.iter().any(|(_, lexeme)| *lexeme == Lexeme::Open) {
        return Ok(vec![alternative(lexemes)?]);
    }
    let expanded = expand(lexemes)?;
    expanded
        .iter()
        .map(|lexemes| alternative(lexemes))
        .collect()
}

/// All combinations of what stands in the braces.
fn expand(lexemes: &[Placed]) -> Result<Vec<Vec<Placed>>, GlobError> {
    let mut done: Vec<Vec<Placed>> = vec![Vec::new()];
    let mut rest = lexemes;
    while let Some((first, tail)) = rest.split_first() {
        if first.1 != Lexeme::Open {
            done.iter_mut().for_each(|one| one.push(first.clone()));
            rest = tail;
            continue;
        }
        let (choices, after) = choices(tail);
        let mut ways = Vec::new();
        for choice in choices {
            ways.extend(expand(choice)?);
        }
        done = product(&done, &ways, first.0)?;
        rest = after;
    }
    Ok(done)
}

/// Every one of `heads` with every one of `ways` after it.
fn product(
    heads: &[Vec<Placed>],
    ways: &[Vec<Placed>],
    at: usize,
) -> Result<Vec<Vec<Placed>>, GlobError> {
    let sum = |list: &[Vec<Placed>]| list.iter().map(|one| one.len() + 1).sum::<usize>();
    if sum(heads) * ways.len() + sum(ways) * heads.len() > MAX_EXPANDED {
        return Err(GlobError::new(at, "stands for too many patterns"));
    }
    let joined = heads
        .iter()
        .flat_map(|head| ways.iter().map(|way| [&head[..], &way[..]].concat()));
    Ok(joined.collect())
}

/// What stands between the commas up to the brace that closes, and what comes after it.
fn choices(lexemes: &[Placed]) -> (Vec<&[Placed]>, &[Placed]) {
    let mut depth = 0_usize;
    let mut from = 0;
    let mut found = Vec::new();
    for (index, (_, lexeme)) in lexemes.iter().enumerate() {
        match lexeme {
            Lexeme::Open => depth += 1,
            Lexeme::Close if depth > 0 => depth -= 1,
            Lexeme::Close => {
                found.push(&lexemes[from..index]);
                return (found, &lexemes[index + 1..]);
            }
            Lexeme::Comma if depth == 0 => {
                found.push(&lexemes[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    (found, &[]) // not reached: the lexer saw that all braces are closed
}

/// Splits at slashes; a slash at the end is `**`, and `**` at the end wants a name after it.
fn parts(lexemes: &[Placed]) -> Result<Vec<Part>, GlobError> {
    let mut parts: Vec<Part> = Vec::new();
    for stretch in lexemes.split(|(_, lexeme)| *lexeme == Lexeme::Slash) {
        if let Some(part) = part(stretch)?
            && !(part == Part::AnyDepth && parts.last() == Some(&Part::AnyDepth))
        {
            parts.push(part);
        }
    }
    let below = matches!(lexemes.last(), Some((_, Lexeme::Slash)));
    if below && parts.last() != Some(&Part::AnyDepth) {
        parts.push(Part::AnyDepth);
    }
    if parts.last() == Some(&Part::AnyDepth) {
        parts.push(Part::Wild(vec![Token::Star]));
    }
    Ok(parts)
}

/// One part; `None` for an empty one and for `.`.
fn part(stretch: &[Placed]) -> Result<Option<Part>, GlobError> {
    if let Some(name) = literal(stretch) {
        return match name.as_str() {
            "" | "." => Ok(None),
            ".." => Err(GlobError::new(
                stretch[0].0,
                "`..` stands after or in a wildcard",
            )),
            _ => Ok(Some(Part::Literal(to_bytes(&name).into()))),
        };
    }
    if let [(_, Lexeme::AnyDepth)] = stretch {
        return Ok(Some(Part::AnyDepth));
    }
    let tokens = stretch.iter().map(|(at, lexeme)| match lexeme {
        Lexeme::Token(token) => Ok(token.clone()),
        _ => Err(not_alone(*at)),
    });
    let mut tokens: Vec<Token> = tokens.collect::<Result<_, _>>()?;
    // Stars that meet when braces are written out are still one star.
    tokens.dedup_by(|a, b| *a == Token::Star && *b == Token::Star);
    Ok(Some(Part::Wild(tokens)))
}

/// `bytes` as text that means exactly them. Bytes that are no UTF-8 are written `\xFF`: such text
/// is only shown, never read.
pub fn escape(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    if let (true, Ok(text)) = (bytes.iter().all(is_plain), std::str::from_utf8(bytes)) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if matches!(char, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
                text.push('\\');
            }
            text.push(char);
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}
