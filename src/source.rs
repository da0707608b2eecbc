//! Where text came from: source files, spans in them, and values that know their place.
//!
//! All files of a run share one range of positions: each file gets a base when it is added, and a
//! [`Span`] is a pair of positions in that range (the way rustc does it). So a span is eight bytes,
//! names its file by itself, and one report can underline places in several files. The
//! [`SourceMap`] is what miette reads the text from. This room knows nobody.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A range of bytes in one of the files of a [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span {
    /// Position of the first byte.
    pub start: u32,
    /// Position after the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub fn new(start: u32, end: u32) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// The part of this span that starts `offset` bytes in and is `len` long, cut to this span.
    #[must_use]
    pub fn part(self, offset: usize, len: usize) -> Self {
        let start = (self.start as usize + offset).min(self.end as usize);
        let end = (start + len).min(self.end as usize);
        Self {
            start: start as u32,
            end: end as u32,
        }
    }
}

impl From<Span> for SourceSpan {
    fn from(span: Span) -> Self {
        (span.start as usize, (span.end - span.start) as usize).into()
    }
}

/// A value and the place where it was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value` as written at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One file's text.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    text: Arc<str>,
    base: u32,
    lines: OnceLock<Vec<u32>>,
}

impl SourceFile {
    /// The path as it is shown to people (relative to the workspace root where it can be).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The position of the file's first byte.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// The span of the bytes `range` of this file's text.
    pub fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.base + range.start as u32, self.base + range.end as u32)
    }

    /// Starts of lines, as offsets in the text.
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let newlines = self
                .text
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(newlines.map(|(at, _)| at as u32 + 1))
                .collect()
        })
    }

    /// The zero-based line of the byte at `offset`.
    fn line_of(&self, offset: u32) -> usize {
        self.lines().partition_point(|start| *start <= offset) - 1
    }

    /// Where a picture of `span` begins, which is in the line `first`: its line and offset.
    fn window_start(&self, span: Span, first: usize, lines_before: usize) -> (usize, usize) {
        let at = (span.start - self.base) as usize;
        let top = first.saturating_sub(lines_before);
        let tops = [top, first].map(|line| (line, self.lines()[line] as usize));
        let near = tops.into_iter().find(|(_, start)| at - start <= MARGIN);
        near.unwrap_or_else(|| (first, boundary(&self.text, at - MARGIN)))
    }

    /// Where a picture of `span` ends, which is in the line `last`: an offset.
    fn window_end(&self, span: Span, last: usize, lines_after: usize) -> usize {
        let at = (span.end - self.base) as usize;
        let bottom = (last + lines_after).min(self.lines().len() - 1);
        let ends = [bottom, last].map(|line| self.line_end(line));
        let near = ends.into_iter().find(|end| end - at.min(*end) <= MARGIN);
        near.unwrap_or_else(|| boundary(&self.text, at + MARGIN))
    }

    /// Offset after the last byte of `line`, its newline included.
    fn line_end(&self, line: usize) -> usize {
        self.lines()
            .get(line + 1)
            .map_or(self.text.len(), |start| *start as usize)
    }
}

/// The beginning of the character that the byte at `offset` belongs to.
fn boundary(text: &str, offset: usize) -> usize {
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    (0..=offset.min(text.len()))
        .rev()
        .find(is_boundary)
        .unwrap_or_default()
}

/// A place as people and editors write it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// More of a line than this on one side of a span is not shown.
const MARGIN: usize = 300;
/// What stands farther apart than this is shown in two pieces.
const WIDEST: u32 = 4_000;

/// All files that were read, in the order in which they were added.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<Arc<SourceFile>>,
    /// The position of the first file.
    first: u32,
}

impl SourceMap {
    /// Adds a file. Returns `None` when the range of positions (4 GiB in all) is used up.
    pub fn add(&mut self, path: PathBuf, text: impl Into<Arc<str>>) -> Option<Arc<SourceFile>> {
        let text = text.into();
        // One position more than the text, so that an empty span at the end belongs to one file.
        let base = self.end()?;
        base.checked_add(u32::try_from(text.len()).ok()?)?;
        let file = Arc::new(SourceFile {
            path,
            text,
            base,
            lines: OnceLock::new(),
        });
        self.files.push(Arc::clone(&file));
        Some(file)
    }

    /// The position behind all files.
    fn end(&self) -> Option<u32> {
        let Some(last) = self.files.last() else {
            return Some(self.first);
        };
        let text_end = last.base.checked_add(last.text.len() as u32)?;
        text_end.checked_add(1)
    }

    /// A map for files that are read later: its positions begin behind those of this one.
    #[must_use]
    pub fn continued(&self) -> Self {
        Self {
            files: Vec::new(),
            first: self.end().unwrap_or(u32::MAX),
        }
    }

    /// Takes in the files of a map that continues this one; that one goes on behind them.
    pub fn take_in(&mut self, later: &mut Self) {
        self.files.append(&mut later.files);
        *later = self.continued();
    }

    /// The same files with other paths and texts, each text as long as the one it stands for.
    #[must_use]
    pub fn shown(
        &self,
        path: impl Fn(&Path) -> PathBuf,
        text: impl Fn(&Arc<str>) -> Arc<str>,
    ) -> Self {
        let file = |file: &Arc<SourceFile>| SourceFile {
            path: path(&file.path),
            text: text(&file.text),
            base: file.base,
            lines: OnceLock::new(),
        };
        Self {
            files: self.files.iter().map(|each| Arc::new(file(each))).collect(),
            first: self.first,
        }
    }

    /// The file that `span` lies in.
    pub fn file(&self, span: Span) -> Option<&SourceFile> {
        let index = self
            .files
            .partition_point(|file| file.base <= span.start)
            .checked_sub(1)?;
        let file = &self.files[index];
        (span.end as usize <= file.base as usize + file.text.len()).then_some(file)
    }

    /// `span` if it can be shown as a whole; of a longer one the beginning of its first line.
    pub fn showable(&self, span: Span) -> Span {
        if span.end - span.start <= MARGIN as u32 {
            return span;
        }
        let text = self.text(span);
        let line = text.find('\n').unwrap_or(text.len());
        let whole = text.len() <= WIDEST as usize && text.lines().all(|line| line.len() <= MARGIN);
        match whole {
            true => span,
            false => span.part(0, boundary(text, line.min(MARGIN))),
        }
    }

    /// The text of `span`; empty where the span is of no file.
    pub fn text(&self, span: Span) -> &str {
        self.file(span)
            .and_then(|file| {
                file.text
                    .get((span.start - file.base) as usize..(span.end - file.base) as usize)
            })
            .unwrap_or_default()
    }

    /// Whether one of the texts is such.
    pub fn any_text(&self, is_such: impl Fn(&str) -> bool) -> bool {
        self.files.iter().any(|file| is_such(&file.text))
    }

    /// File, line and column of the start of `span`.
    pub fn locate(&self, span: Span) -> Option<Location> {
        let file = self.file(span)?;
        let offset = span.start - file.base;
        let line = file.line_of(offset);
        let before = file
            .text
            .get(file.lines()[line] as usize..offset as usize)?;
        Some(Location {
            path: file.path.clone(),
            line: line + 1,
            column: before.chars().count() + 1,
        })
    }
}

impl SourceCode for SourceMap {
    /// Whole lines around `span`, or a window on lines that are very long. A span that reaches over
    /// two files, or is wider than can be shown, is out of bounds, which makes miette draw the two
    /// places one after the other.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let wanted = Span::new(span.offset() as u32, (span.offset() + span.len()) as u32);
        let file = self
            .file(wanted)
            .filter(|_| wanted.end - wanted.start <= WIDEST)
            .ok_or(MietteError::OutOfBounds)?;
        let first = file.line_of(wanted.start - file.base);
        let last = file.line_of((wanted.end - file.base).max(wanted.start - file.base));
        let (top, start) = file.window_start(wanted, first, lines_before);
        let end = file.window_end(wanted, last, lines_after);
        let column = (wanted.start - file.base) as usize - file.lines()[first] as usize;
        Ok(Box::new(MietteSpanContents::new_named(
            file.path.display().to_string(),
            &file.text.as_bytes()[start..end],
            (file.base as usize + start, end - start).into(),
            top,
            if lines_before == 0 { column } else { 0 },
            last - top + 1,
        )))
    }
}
