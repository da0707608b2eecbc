//! Where a help shows a corrected line, the file is right with it.

use serde_json::Value;

use super::{cases, check};
use crate::support::Sandbox;

/// Codes whose help always shows a corrected line.
const ALWAYS: [&str; 4] = [
    "pipe::parse::quote",
    "pipe::parse::tab",
    "pipe::parse::tag",
    "pipe::parse::unclosed",
];

/// Cases with other mistakes than those that a line can put right.
const OTHER_MISTAKES: [&str; 5] = [
    "dialect/tqserver.txt",
    "parse/list-for-a-map.txt",
    "parse/several-traps-and-a-tab.txt",
    "parse/several-traps.txt",
    "several/many-files.txt",
];

#[test]
fn with_the_corrected_line_the_file_is_right() {
    let (mut corrected, mut wrong) = (0, Vec::new());
    for case in cases() {
        let sandbox = case.prepared();
        let mut left = check(&sandbox);
        let mut applied = 0;
        while let Some((event, line)) = left.iter().find_map(|event| {
            let line = correction(&sandbox, event);
            let wanted = ALWAYS.contains(&event["code"].as_str().unwrap());
            assert!(line.is_some() || !wanted, "{}: {event}", case.name());
            Some((event, line?))
        }) {
            apply(&sandbox, event, &line);
            applied += 1;
            assert!(applied < 20, "{}: {event}: no end", case.name());
            left = check(&sandbox);
        }
        // The files that a line names are no part of it.
        left.retain(|event| event["code"] != "pipe::expand::no_file");
        let others = OTHER_MISTAKES
            .iter()
            .any(|name| case.name().ends_with(name));
        if applied > 0 && !others && !left.is_empty() {
            wrong.push(format!("{}: {left:?}", case.name()));
        }
        corrected += applied;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(corrected > 20, "{corrected} lines were corrected");
}

/// The text in backticks in the help that is the line at fault but for spaces and signs.
fn correction(sandbox: &Sandbox, event: &Value) -> Option<String> {
    let (help, (_, line)) = (event["help"].as_str()?, faulty(sandbox, event)?);
    let ticks: Vec<usize> = help.match_indices('`').map(|(at, _)| at).collect();
    let texts = ticks.iter().flat_map(|start| {
        let ends = ticks.iter().rev().filter(move |end| *end > start);
        ends.map(move |end| &help[start + 1..*end])
    });
    let mut lines =
        texts.filter(|text| **text != *line.trim_start_matches(' ') && is_like(text, &line));
    lines.next().map(str::to_owned)
}

/// Whether a text is the line but for spaces and signs, and no name in it.
fn is_like(text: &str, line: &str) -> bool {
    let first = |text: &str| text.trim_start().chars().next();
    first(text) == first(line)
        && text.contains(':') == line.contains(':')
        && letters(text) == letters(line)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The file and the line that an event is about.
fn faulty(sandbox: &Sandbox, event: &Value) -> Option<(String, String)> {
    let file = event["file"].as_str()?;
    let text = std::fs::read_to_string(sandbox.root().join(file)).ok()?;
    let line = text.lines().nth(line_of(event) - 1)?;
    Some((file.to_owned(), line.to_owned()))
}

fn line_of(event: &Value) -> usize {
    event["line"].as_u64().unwrap() as usize
}

/// Puts `new` in the place of the line: as it is where tabs stood before it, else indented as it was.
fn apply(sandbox: &Sandbox, event: &Value, new: &str) {
    let (file, old) = faulty(sandbox, event).unwrap();
    let indentation = &old[..old.len() - old.trim_start().len()];
    let new = match indentation.contains('\t') {
        true => new.to_owned(),
        false => format!("{indentation}{new}"),
    };
    let text = sandbox.read(&file);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[line_of(event) - 1] = &new;
    sandbox.write(&file, lines.join("\n") + "\n");
}
