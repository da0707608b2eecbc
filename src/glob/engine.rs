//! Matching: globset where it is right, parts compared one by one where it is not.
//!
//! globset counts bytes where the dialect counts characters (`?`), and lets classes match `/`. So
//! it gets the alternatives that have neither. It compiles an automaton, which costs more than it
//! gains where no `**` has to be tried at many depths; those are matched here too. Braces
//! never come here. All paths are relative to the stem of the pattern.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Glob, GlobBuilder, GlobSet};

use super::syntax::{Alternative, Class, Part, Token, escape};

/// Many alternatives, ready to be asked at once.
#[derive(Debug, Default)]
pub(super) struct Engine {
    set: GlobSet,
    exact: Vec<Alternative>,
}

impl Engine {
    /// Compiles `alternatives`.
    pub(super) fn new<'a>(alternatives: impl IntoIterator<Item = &'a Alternative>) -> Self {
        let mut globs = Vec::new();
        let mut exact = Vec::new();
        for alternative in alternatives {
            match alternative.as_glob() {
                Some(glob) => globs.push(glob),
                None => exact.push(alternative.clone()),
            }
        }
        let set = GlobSet::new(globs).unwrap_or_default();
        Self { set, exact }
    }

    /// Whether one of the alternatives matches `path`.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let in_set = || !self.set.is_empty() && self.set.is_match(OsStr::from_bytes(path));
        self.exact.iter().any(|one| one.matches(path)) || in_set()
    }
}

impl Alternative {
    /// As globset writes it; `None` where globset would get it wrong, or costs more than it gains.
    fn as_glob(&self) -> Option<Glob> {
        if !self.0.contains(&Part::AnyDepth) {
            return None;
        }
        let mut parts = &self.0[..];
        let star = Part::Wild(vec![Token::Star]);
        if let [rest @ .., Part::AnyDepth, last] = parts
            && *last == star
        {
            parts = &self.0[..=rest.len()];
        }
        let text: Option<Vec<String>> = parts.iter().map(Part::as_glob).collect();
        let text = text?.join("/");
        let mut builder = GlobBuilder::new(&text);
        builder
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .ok()
    }

    /// Whether `path` matches, part by part; `**` takes as few as it can and one more at each
    /// failure, which is enough: an earlier `**` never has to give up what a later one can take.
    fn matches(&self, path: &[u8]) -> bool {
        let (mut at, mut path) = (0, Some(path));
        let mut retry = None;
        loop {
            if self.0.get(at) == Some(&Part::AnyDepth) {
                at += 1;
                retry = Some((at, path));
                continue;
            }
            match (self.0.get(at), path) {
                (None, None) => return true,
                (Some(part), Some(rest)) if part.matches(split(rest).0) => {
                    at += 1;
                    path = split(rest).1;
                }
                _ => {
                    let Some((back, Some(rest))) = retry else {
                        return false;
                    };
                    (at, path) = (back, split(rest).1);
                    retry = Some((at, path));
                }
            }
        }
    }

    /// Whether something below `folder` could match.
    pub(super) fn reaches(&self, folder: &[u8]) -> bool {
        let mut parts = self.0.iter();
        for name in folder
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            match parts.next() {
                Some(Part::AnyDepth) => return true,
                Some(part) if part.matches(name) => {}
                _ => return false,
            }
        }
        parts.next().is_some()
    }
}

/// The first part of a path and the rest.
fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match path.iter().position(|byte| *byte == b'/') {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

impl Part {
    fn as_glob(&self) -> Option<String> {
        match self {
            Self::Literal(name) => Some(escape(name)),
            Self::AnyDepth => Some("**".to_owned()),
            Self::Wild(tokens) => tokens.iter().map(Token::as_glob).collect(),
        }
    }

    /// Whether the name of one file or folder fits.
    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => **literal == *name,
            Self::AnyDepth => true,
            Self::Wild(tokens) => fits(tokens, name),
        }
    }
}

/// Whether `name` fits `tokens`, character by character; `*` as `**` above.
fn fits(tokens: &[Token], mut name: &[u8]) -> bool {
    let mut at = 0;
    let mut retry = None;
    loop {
        if tokens.get(at) == Some(&Token::Star) {
            at += 1;
            retry = Some((at, name));
            continue;
        }
        match (tokens.get(at), unit(name)) {
            (None, None) => return true,
            (Some(token), Some((unit, rest))) if token.takes(unit) => {
                at += 1;
                name = rest;
            }
            _ => {
                let Some((back, (_, rest))) = retry.and_then(|(at, name)| Some((at, unit(name)?)))
                else {
                    return false;
                };
                (at, name) = (back, rest);
                retry = Some((at, name));
            }
        }
    }
}

/// What `?` takes: a character, or `None` for a byte that is not part of one.
type Unit = Option<char>;

/// The first unit of a name and the rest.
fn unit(name: &[u8]) -> Option<(Unit, &[u8])> {
    let first = *name.first()?;
    if first.is_ascii() {
        return Some((Some(char::from(first)), &name[1..]));
    }
    // A character takes at most four bytes; cutting the next one in half does no harm.
    let chunk = name[..name.len().min(4)].utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(char) => Some((Some(char), &name[char.len_utf8()..])),
        None => Some((None, &name[1..])),
    }
}

impl Token {
    fn as_glob(&self) -> Option<String> {
        match self {
            Self::Char(char) => Some(escape(char.encode_utf8(&mut [0; 4]).as_bytes())),
            Self::Star => Some("*".to_owned()),
            Self::One | Self::Class(_) => None,
        }
    }

    fn takes(&self, unit: Unit) -> bool {
        match self {
            Self::Char(char) => unit == Some(*char),
            Self::Star | Self::One => true,
            Self::Class(class) => class.takes(unit),
        }
    }
}

impl Class {
    fn takes(&self, unit: Unit) -> bool {
        let within = |char| {
            self.ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&char))
        };
        unit.is_some_and(within) != self.negated
    }
}
