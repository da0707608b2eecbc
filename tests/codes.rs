//! Every error code of the program has a case in `diagnostics/` whose report shows it.

use std::collections::BTreeSet;

use regex::Regex;

use crate::support::case::Case;
use crate::support::{files_below, repository};

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

#[test]
fn every_error_code_has_a_case() {
    let cases = files_below(&repository().join("tests/diagnostics"), ".txt");
    let shown: String = cases
        .iter()
        .map(|path| Case::read(path).expected())
        .collect();
    let shown = words(&shown);
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
    for (code, _) in WITHOUT_A_CASE {
        assert!(codes.contains(code), "{code} is not a code any more");
    }
}

/// All codes that the sources declare.
fn codes() -> BTreeSet<String> {
    let declared = Regex::new(r"code\(\s*(pipe::[a-z0-9_:]+)\s*\)").unwrap();
    let sources = files_below(&repository().join("src"), ".rs");
    sources
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            declared
                .captures_iter(&text)
                .map(|found| found[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
