//! Cases as data: a text file that holds a workspace and a story of commands with what they must
//! print. `tests/README.md` describes the format; this file reads, runs and rewrites it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Sandbox;
use super::marks::{Place, unmarked};

/// The marker after which the story begins.
const STORY: &str = "story";

/// A case file.
pub(crate) struct Case {
    path: PathBuf,
    /// Everything up to and including the line that begins the story.
    head: String,
    /// Files of the workspace.
    pub(crate) files: Vec<(String, String)>,
    /// The places in them that are marked.
    pub(crate) marks: BTreeSet<Place>,
    /// The story.
    parts: Vec<Part>,
}

/// A part of a story.
enum Part {
    /// A line for people.
    Prose(String),
    /// A command, and what it must print; the last line is `[code]` where it does not exit with 0.
    Command { line: String, expected: String },
}

impl Case {
    /// Reads a case file.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut head, mut files) = (String::new(), Vec::<(String, String)>::new());
        let mut lines = text.lines();
        for line in lines.by_ref() {
            head.push_str(line);
            head.push('\n');
            match line
                .strip_prefix("-- ")
                .and_then(|rest| rest.strip_suffix(" --"))
            {
                Some(STORY) => break,
                Some(name) => files.push((name.to_owned(), String::new())),
                None => {
                    if let Some((_, text)) = files.last_mut() {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
            }
        }
        let mut marks = BTreeSet::new();
        for (path, text) in &mut files {
            // The blank line before the next marker is for people.
            text.truncate(text.trim_end_matches('\n').len());
            text.push('\n');
            *text = unmarked(path, text, &mut marks);
        }
        Self {
            path: path.to_owned(),
            head,
            files,
            marks,
            parts: parts(lines),
        }
    }

    /// What the commands of the story must print, all together.
    pub(crate) fn expected(&self) -> String {
        let expected = |part: &Part| match part {
            Part::Prose(_) => String::new(),
            Part::Command { expected, .. } => expected.clone(),
        };
        self.parts.iter().map(expected).collect()
    }

    /// What the case is called in a message.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The workspace as the first `pipe` of the story finds it.
    pub(crate) fn prepared(&self) -> Sandbox {
        let sandbox = self.sandbox();
        for part in &self.parts {
            match part {
                Part::Command { line, .. } if line.contains("pipe ") => break,
                Part::Command { line, .. } => drop(sandbox.shell(line)),
                Part::Prose(_) => {}
            }
        }
        sandbox
    }

    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        for (path, text) in &self.files {
            sandbox.write(path, text);
        }
        sandbox
    }

    /// Runs the story. With `update` the file is rewritten to what happened; without it, what
    /// differs is an error.
    pub(crate) fn run(&mut self, update: bool) -> Result<(), String> {
        let sandbox = self.sandbox();
        let mut differences = String::new();
        for part in &mut self.parts {
            let Part::Command { line, expected } = part else {
                continue;
            };
            let actual = transcript(&sandbox, line);
            if actual != *expected {
                let name = self.path.display();
                differences.push_str(&format!(
                    "\n{name}: $ {line}\n----- expected\n{expected}----- came out\n{actual}-----\n"
                ));
                *expected = actual;
            }
        }
        if update && !differences.is_empty() {
            std::fs::write(&self.path, self.render()).unwrap();
        } else if !differences.is_empty() {
            return Err(differences);
        }
        Ok(())
    }

    /// The text of the file.
    fn render(&self) -> String {
        let mut text = self.head.clone();
        for part in &self.parts {
            match part {
                Part::Prose(line) => text.push_str(&format!("{line}\n")),
                Part::Command { line, expected } => {
                    text.push_str(&format!("  $ {}\n", line.replace('\n', "\n  > ")));
                    for line in expected.lines() {
                        text.push_str(format!("  {}", masked(line)).trim_end());
                        text.push('\n');
                    }
                }
            }
        }
        text
    }
}

/// What a command printed, and its exit code.
fn transcript(sandbox: &Sandbox, line: &str) -> String {
    let output = sandbox.shell(line);
    match output.code {
        Some(0) => output.stdout,
        Some(code) => format!("{}[{code}]\n", output.stdout),
        None => format!("{}[signal]\n", output.stdout),
    }
}

fn parts<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Part> {
    let mut parts = Vec::new();
    // Blank lines belong to what a command prints only if more of it follows.
    let mut blank = 0;
    for text in lines {
        if text.is_empty() {
            blank += 1;
            continue;
        }
        let printed = text
            .strip_prefix("  ")
            .filter(|text| !text.starts_with("$ "));
        if let (Some(printed), Some(Part::Command { line, expected })) = (printed, parts.last_mut())
        {
            match printed.strip_prefix("> ") {
                Some(more) if expected.is_empty() => line.push_str(&format!("\n{more}")),
                _ => expected.push_str(&format!("{}{}\n", "\n".repeat(blank), unmasked(printed))),
            }
            blank = 0;
            continue;
        }
        parts.extend((0..std::mem::take(&mut blank)).map(|_| Part::Prose(String::new())));
        parts.push(match text.strip_prefix("  $ ") {
            Some(line) => Part::Command {
                line: line.to_owned(),
                expected: String::new(),
            },
            None => Part::Prose(text.to_owned()),
        });
    }
    parts
}

/// A printed line that looks like a command gets a backslash in front.
fn masked(line: &str) -> String {
    let looks_like_one = line.starts_with("$ ") || line.starts_with("> ") || line.starts_with('\\');
    if looks_like_one {
        format!("\\{line}")
    } else {
        line.to_owned()
    }
}

fn unmasked(line: &str) -> &str {
    line.strip_prefix('\\').unwrap_or(line)
}
