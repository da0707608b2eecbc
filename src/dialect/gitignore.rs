//! What a `.gitignore` names, as patterns to take away.
//!
//! It knows the two languages of patterns, not what they are for.

use crate::glob::Pattern;
use crate::path::RelPath;

/// Patterns, relative to the file's folder, of what the lines of a `.gitignore` name.
///
/// What is taken away cannot be brought back here as a later `!` line does there. So a line that
/// such a one may touch is left out: rather one file too many than one too few.
pub(super) fn patterns(text: &str) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines() {
        match Line::read(line) {
            Some(line) if line.brings_back => lines.retain(|other| !line.may_touch(other)),
            Some(line) => lines.push(line),
            None => {}
        }
    }
    lines.iter().flat_map(Line::patterns).collect()
}

struct Line {
    /// The glob, without what stands around it.
    glob: String,
    brings_back: bool,
    /// It names folders only.
    is_folder: bool,
    /// It names what is directly here, not at any depth.
    is_here: bool,
}

impl Line {
    /// `None` for a comment, an empty line, and what is no pattern in our language either.
    fn read(line: &str) -> Option<Self> {
        let text = without_trailing_spaces(line.trim_end_matches('\r'));
        if text.starts_with('#') {
            return None;
        }
        let positive = text.strip_prefix('!');
        let text = positive.unwrap_or(text);
        let inner = text.trim_end_matches('/');
        let glob = inner.strip_prefix("**/").unwrap_or(inner);
        let here = glob.trim_start_matches('/');
        let line = Self {
            glob: without_braces(here),
            brings_back: positive.is_some(),
            is_folder: inner.len() < text.len(),
            is_here: here.contains('/') && glob.len() == inner.len() || here.len() < glob.len(),
        };
        let fits = !here.is_empty() && Pattern::parse(&RelPath::root(), &line.glob).is_ok();
        fits.then_some(line)
    }

    fn pattern(&self) -> String {
        let depth = if self.is_here { "" } else { "**/" };
        format!("{depth}{}", self.glob).replace("${{", "$${{")
    }

    fn patterns(&self) -> Vec<String> {
        let pattern = self.pattern();
        let below = format!("{pattern}/**");
        if self.is_folder {
            vec![below]
        } else {
            vec![pattern, below]
        }
    }

    /// Whether this line may bring back something that `other` takes away.
    fn may_touch(&self, other: &Self) -> bool {
        let parse = |text: &str| Pattern::parse(&RelPath::root(), text).ok();
        let literal = |line: &Self| parse(&line.glob).and_then(|glob| glob.literal());
        let meets = |line: &Self, path: &Option<RelPath>| {
            let pattern = parse(&line.pattern());
            pattern
                .zip(path.as_ref())
                .is_some_and(|(pattern, path)| pattern.matches(path))
        };
        let (mine, others) = (literal(self), literal(other));
        if meets(self, &others) || meets(other, &mine) {
            return true;
        }
        // Whether they meet further down, or at all, nobody knows.
        match (mine, others) {
            (Some(_), Some(_)) => false,
            (None, Some(_)) => self.is_here && !other.is_here,
            (Some(_), None) => other.is_here && !self.is_here,
            (None, None) => true,
        }
    }
}

/// Spaces at the end do not count, but for one behind a `\`.
fn without_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    if trimmed.ends_with('\\') && trimmed.len() < line.len() {
        &line[..=trimmed.len()]
    } else {
        trimmed
    }
}

/// Braces are characters like others there.
fn without_braces(glob: &str) -> String {
    let mut text = String::with_capacity(glob.len());
    let mut is_escaped = false;
    for character in glob.chars() {
        if !is_escaped && matches!(character, '{' | '}') {
            text.push('\\');
        }
        is_escaped = character == '\\' && !is_escaped;
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(text: &str, expected: &[&str]) {
        assert_eq!(patterns(text), expected);
    }

    #[test]
    fn lines_name_files_and_folders_at_any_depth() {
        named("# logs\r\n\r\n*.log  \r\n", &["**/*.log", "**/*.log/**"]);
        named("logs/", &["**/logs/**"]);
        named("**/tmp", &["**/tmp", "**/tmp/**"]);
        named(
            "\\#a\na{b}c\n\\{\nb\\ ",
            &[
                "**/\\#a",
                "**/\\#a/**",
                "**/a\\{b\\}c",
                "**/a\\{b\\}c/**",
                "**/\\{",
                "**/\\{/**",
                "**/b\\ ",
                "**/b\\ /**",
            ],
        );
    }

    #[test]
    fn a_slash_keeps_a_line_here() {
        named("/dist", &["dist", "dist/**"]);
        named("a/b/", &["a/b/**"]);
        named("/", &[]);
        named("[z-a]", &[]);
    }

    #[test]
    fn what_may_come_back_stays() {
        named(".vscode/*\n!.vscode/extensions.json", &[]);
        named("*.log\nlogs\n!keep.log", &["**/logs", "**/logs/**"]);
        named("*.log\nlogs\n!*.keep", &["**/logs", "**/logs/**"]);
        named("*.log\n/logs\n!log?", &[]);
        named("x\n!a/x", &[]);
        named("logs/*.log\n!keep.log", &[]);
        named("/*.log\n!/keep.txt", &["*.log", "*.log/**"]);
        named("!a\na", &["**/a", "**/a/**"]);
    }
}
