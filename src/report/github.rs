//! Commands to the log viewer of GitHub Actions.
//!
//! Only their syntax; when they are said, others decide.

use crate::event::{Diagnostic, Severity};

/// Ends a group.
pub(super) const END_GROUP: &str = "::endgroup::\n";

/// Starts a group of lines that can be folded.
pub(super) fn group(title: &str) -> String {
    format!("::group::{}\n", data(title))
}

/// An annotation for something that failed.
pub(super) fn error(title: &str, message: &str) -> String {
    format!("::error title={}::{}\n", property(title), data(message))
}

/// An annotation at the place of a diagnostic.
pub(super) fn annotation(found: &Diagnostic) -> String {
    let command = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let number = |number: Option<usize>| number.map(|number| number.to_string());
    let properties: Vec<String> = [
        ("file", found.file.clone()),
        ("line", number(found.line)),
        ("col", number(found.column)),
        (
            "title",
            Some(found.code.clone()).filter(|code| !code.is_empty()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", property(&value?))))
    .collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!(
        "::{command}{space}{}::{}\n",
        properties.join(","),
        data(&found.message)
    )
}

/// Text after the last `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{annotation, error, group};
    use crate::event::Diagnostic;

    #[test]
    fn what_would_break_the_syntax_is_escaped() {
        assert_eq!(group("50%\n"), "::group::50%25%0A\n");
        assert_eq!(
            error("api:test, failed", "a: b\r\nc"),
            "::error title=api%3Atest%2C failed::a: b%0D%0Ac\n"
        );
    }

    #[test]
    fn annotations_have_a_place_where_there_is_one() {
        let mut found = Diagnostic {
            message: "bad".into(),
            ..Diagnostic::default()
        };
        assert_eq!(annotation(&found), "::error::bad\n");
        found.file = Some("a.yaml".into());
        found.line = Some(3);
        found.code = "pipe::parse::x".into();
        assert_eq!(
            annotation(&found),
            "::error file=a.yaml,line=3,title=pipe%3A%3Aparse%3A%3Ax::bad\n"
        );
    }
}
