//! The error codes that the sources declare, with what is written about each, and their reports in
//! the cases.

use regex::Regex;

use super::{files_below, repository};

/// A code as an error type declares it.
pub(crate) struct Declared {
    /// `pipe::phase::what`.
    pub(crate) code: String,
    /// Whether it is a warning.
    pub(crate) is_warning: bool,
    /// The paragraphs of its documentation.
    pub(crate) documentation: Vec<String>,
}

impl Declared {
    /// The middle part of the code.
    pub(crate) fn phase(&self) -> &str {
        self.code.split("::").nth(1).unwrap()
    }
}

/// All codes that the sources declare, in the order of their declarations.
pub(crate) fn declared() -> Vec<Declared> {
    let variant = Regex::new(
        r"((?:    ///.*\n)+)    #\[error\([\s\S]*?\)\]\n    #\[diagnostic\(([\s\S]*?)\)\]\n",
    )
    .unwrap();
    let code = Regex::new(r"code\(\s*(pipe::[a-z0-9_:]+)\s*\)").unwrap();
    let mut all = Vec::new();
    for path in files_below(&repository().join("src"), ".rs") {
        let text = std::fs::read_to_string(path).unwrap();
        for found in variant.captures_iter(&text) {
            all.push(Declared {
                code: code.captures(&found[2]).unwrap()[1].to_owned(),
                is_warning: found[2].contains("severity(Warning)"),
                documentation: paragraphs(&found[1]),
            });
        }
        let written = code.find_iter(&text).count();
        let read = variant.find_iter(&text).count();
        assert_eq!(written, read, "an error type is not written as the others");
    }
    all
}

fn paragraphs(comment: &str) -> Vec<String> {
    let lines: Vec<&str> = comment
        .lines()
        .map(|line| line.trim().trim_start_matches("///").trim())
        .collect();
    let paragraphs = lines.split(|line| line.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect()
}

/// A report as a case shows it.
pub(crate) struct Report {
    /// Its code.
    pub(crate) code: String,
    /// The whole report, without blank lines around.
    pub(crate) text: String,
}

/// The reports in what a story must print.
pub(crate) fn reports(printed: &str) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    let mut open = false;
    for line in printed.lines() {
        if line.starts_with("pipe::") && !line.contains(' ') {
            open = true;
            reports.push(Report {
                code: line.to_owned(),
                text: String::new(),
            });
        } else if !line.starts_with(' ') && !line.is_empty() {
            open = false;
        }
        if let Some(report) = reports.last_mut().filter(|_| open) {
            report.text.push_str(&format!("{line}\n"));
        }
    }
    for report in &mut reports {
        report.text = report.text.trim().to_owned();
    }
    reports
}
