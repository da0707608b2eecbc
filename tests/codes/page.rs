//! `docs/errors.md` is made of the documentation of the error types and of the cases.
//! `UPDATE=1 cargo test codes` writes it.

use crate::mutations::SEMANTIC;
use crate::support::case::Case;
use crate::support::codes::{Declared, declared, reports};
use crate::support::repository;

use super::cases;

/// The phases in the order in which they come, with what each looks at.
const PHASES: [(&str, &str); 8] = [
    ("load", "Files and folders"),
    ("dialect", "Files of other systems"),
    ("parse", "Text and shape of a file"),
    ("model", "Meaning of a file"),
    ("expand", "Expressions, matrices, paths"),
    ("graph", "How steps refer to each other"),
    ("select", "What is asked for"),
    ("exec", "The run itself"),
];

/// Files with more lines than this are not shown: the report shows the place.
const LINES: usize = 24;

const HEAD: &str = "\
# Errors

Every error and every warning has a code. Codes stay as they are; sentences may get better. `pipe check` tells all that is
wrong in all files at once, in the order of files and lines, and runs nothing; `pipe check --json` tells it as one event a line, however many there are
(`schema/events.schema.json`), with the place where each begins and ends. An error anywhere means that nothing runs, with exit
code 2. A warning does not stop a run unless `--strict` is given.

A step that fails is none of these: see [running](running.md).

This page is made from the program's sources and its tests.
";

const SCHEMA: &str = "
## What an editor does not see

The schema of pipeline files (`pipe schema`) takes all that `pipe check` takes, and refuses every mistake in the structure of a
file: keys, kinds of values, fixed words, names, lists that may not be empty. What words mean is for `pipe check` to say. So a file that
an editor finds nothing wrong with can still have errors with these codes, and with all codes of the phases after them,
which look at more than one file:

| code | what it is about |
|---|---|
";

const SCHEMA_END: &str = "
A schema is told the values of a file, not how they are written. Whole numbers in other words than digits (`1.0`, `0x10`),
duplicate keys and other mistakes in the text itself are found by the editor's YAML reader, or by `pipe check` alone.
";

#[test]
fn the_page_of_errors_is_up_to_date() {
    let path = repository().join("docs/errors.md");
    let page = page(&declared(), &cases());
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/errors.md is not what the sources and cases say: UPDATE=1 cargo test codes"
    );
}

fn page(declared: &[Declared], cases: &[Case]) -> String {
    let (mut index, mut entries) = (String::new(), String::new());
    for (phase, title) in PHASES {
        index.push_str(&format!("\n**{title}**\n\n| code | |\n|---|---|\n"));
        entries.push_str(&format!("\n## {title}\n"));
        for each in declared.iter().filter(|each| each.phase() == phase) {
            let (first, _) = each.documentation[0]
                .split_once(". ")
                .unwrap_or((each.documentation[0].trim_end_matches('.'), ""));
            let (code, first) = (&each.code, first.replace('|', "\\|"));
            let anchor = code.replace(':', "");
            index.push_str(&format!("| [`{code}`](#{anchor}) | {first} |\n"));
            entries.push_str(&entry(each, cases));
        }
    }
    let known = |each: &Declared| PHASES.iter().any(|(phase, _)| each.phase() == *phase);
    assert!(declared.iter().all(known), "a phase is not on the page");
    let row = |(code, about): &(&str, &str)| {
        let anchor = code.replace(':', "");
        format!("| [`{code}`](#{anchor}) | {about} |\n")
    };
    let semantic: String = SEMANTIC.iter().map(row).collect();
    let is_code = |(code, _): &(&str, &str)| declared.iter().any(|each| each.code == *code);
    assert!(
        SEMANTIC.iter().all(is_code),
        "SEMANTIC has a code that is none"
    );
    format!("{HEAD}{index}{SCHEMA}{semantic}{SCHEMA_END}{entries}")
}

fn entry(declared: &Declared, cases: &[Case]) -> String {
    let mut text = format!("\n### `{}`\n", declared.code);
    if declared.is_warning {
        text.push_str("\nA warning.\n");
    }
    for paragraph in &declared.documentation {
        text.push_str(&format!("\n{paragraph}\n"));
    }
    if let Some((case, report)) = example(declared, cases) {
        for (path, content) in &case.files {
            if report.contains(path.as_str()) && content.lines().count() <= LINES {
                let language = path.rsplit('.').next().unwrap_or_default();
                text.push_str(&format!("\n`{path}`:\n\n```{language}\n{content}```\n"));
            }
        }
        text.push_str(&format!("\n```text\n{report}\n```\n"));
    }
    text
}

/// The smallest case that shows the code; one with marks, if there is one.
fn example<'a>(declared: &Declared, cases: &'a [Case]) -> Option<(&'a Case, String)> {
    let showing = cases.iter().filter_map(|case| {
        let mut reports = reports(&case.expected()).into_iter();
        let report = reports.find(|report| report.code == declared.code)?;
        Some((case, report.text))
    });
    showing.min_by_key(|(case, _)| {
        let size: usize = case.files.iter().map(|(_, text)| text.len()).sum();
        (case.marks.is_empty(), size)
    })
}
