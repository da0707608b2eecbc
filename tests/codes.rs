//! What is promised of each error code: a case that shows it, with its places marked and a help; a
//! corrected line in a help is right; and the page that lists all of them.

mod corrected;
mod page;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::case::Case;
use crate::support::codes::{declared, reports};
use crate::support::marks::{Place, places};
use crate::support::{Sandbox, files_below, repository};

/// Codes that no file and no command line can bring about, and why.
const WITHOUT_A_CASE: [(&str, &str); 3] = [
    ("pipe::exec::threads", "the system must refuse threads"),
    (
        "pipe::exec::run_folder",
        "the disk must be full or read-only",
    ),
    (
        "pipe::exec::not_saved",
        "the disk must become full during a run",
    ),
];

/// Codes whose place no mark can show, and why.
const WITHOUT_A_MARK: [(&str, &str); 11] = [
    ("pipe::load::no_workspace", "there is no file"),
    ("pipe::load::unreadable", "there is no text"),
    ("pipe::load::two_spellings", "it is about names of files"),
    ("pipe::load::nested_root", "it is about folders"),
    ("pipe::load::not_a_member", "it is about folders"),
    (
        "pipe::load::not_utf8",
        "what is no text cannot stand in a case",
    ),
    ("pipe::select::unknown", "it is about the command line"),
    ("pipe::select::no_default", "it is about the command line"),
    (
        "pipe::select::bad_reference",
        "it is about the command line",
    ),
    ("pipe::select::internal", "it is about the command line"),
    (
        "pipe::expand::undeclared_variable",
        "the caller must have set the variable",
    ),
];

fn cases() -> Vec<Case> {
    let paths = files_below(&repository().join("tests/diagnostics"), ".txt");
    paths.iter().map(|path| Case::read(path)).collect()
}

fn codes() -> BTreeSet<String> {
    declared()
        .into_iter()
        .map(|declared| declared.code)
        .collect()
}

/// What `pipe check --json` says of a workspace.
fn check(sandbox: &Sandbox) -> Vec<Value> {
    let printed = sandbox.pipe(&["check", "--json"]).stdout;
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_error_code_has_a_case() {
    let shown: BTreeSet<String> = cases()
        .iter()
        .flat_map(|case| reports(&case.expected()))
        .map(|report| report.code)
        .collect();
    let excepted = |code: &String| WITHOUT_A_CASE.iter().any(|(other, _)| code == other);
    let missing: Vec<String> = codes()
        .into_iter()
        .filter(|code| !shown.contains(code) && !excepted(code))
        .collect();
    assert!(
        missing.is_empty(),
        "no case in tests/diagnostics shows {}",
        missing.join(", ")
    );
}

#[test]
fn the_exceptions_are_codes() {
    let codes = codes();
    for (code, _) in WITHOUT_A_CASE.iter().chain(&WITHOUT_A_MARK) {
        assert!(codes.contains(*code), "{code} is not a code any more");
    }
}

#[test]
fn every_report_has_a_help() {
    for case in cases() {
        for report in reports(&case.expected()) {
            assert!(
                report.text.contains("\nhelp: ") || report.text.contains("\n  help: "),
                "{}: what is one to do?\n{}",
                case.name(),
                report.text
            );
        }
    }
}

#[test]
fn what_is_underlined_is_what_is_marked() {
    let mut marked = BTreeSet::new();
    for case in cases().iter().filter(|case| !case.marks.is_empty()) {
        let told = check(&case.prepared());
        let underlined: BTreeSet<Place> = told.iter().flat_map(places).collect();
        assert_eq!(underlined, case.marks, "{}", case.name());
        let codes = told.iter().map(|event| event["code"].as_str().unwrap());
        marked.extend(codes.map(str::to_owned));
    }
    let excepted = WITHOUT_A_CASE.iter().chain(&WITHOUT_A_MARK);
    marked.extend(excepted.map(|(code, _)| (*code).to_owned()));
    let missing: Vec<String> = codes().difference(&marked).cloned().collect();
    assert!(
        missing.is_empty(),
        "no case in tests/diagnostics has marks for {}",
        missing.join(", ")
    );
}
