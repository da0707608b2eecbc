//! Texts without what differs from one run, or one machine, to the next.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, and by what.
static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // Said only of what took a millisecond or more.
        (
            r"\b(failed|cancelled) after (\d+(\.\d)?s|\d+m \d\ds|\d+h \d\dm)\b",
            "$1",
        ),
        // How long something took; not the durations that people write in pipeline files.
        (
            r"\b(in|after) (\d+(\.\d)?s|\d+m \d\ds|\d+h \d\dm)\b",
            "$1 [TIME]",
        ),
        (r#""(duration_ms|cpu_ms|max_rss)":( ?)\d+"#, r#""$1":${2}0"#),
        (r"\b\d{8}T\d{6,9}-\d+\b", "[RUN]"),
        (r"\bprocess \d+\b", "process [PID]"),
        (r"\b[0-9a-f]{16,128}\b", "[DIGEST]"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[WHEN]"),
    ]
    .map(|(pattern, new)| (Regex::new(pattern).unwrap(), new))
    .into()
});

/// `text` with the workspace folder as `[ROOT]`, the folder around it as `[BASE]`, and without
/// durations, run ids, digests and spaces at the ends of lines.
pub(crate) fn normal(text: &str, base: &Path) -> String {
    let root = base.join("ws");
    let mut text = text
        .replace(&root.display().to_string(), "[ROOT]")
        .replace(&base.display().to_string(), "[BASE]");
    for (pattern, new) in CHANGING.iter() {
        text = pattern.replace_all(&text, *new).into_owned();
    }
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_replaced() {
        let base = Path::new("/tmp/x");
        for (text, want) in [
            (
                "at /tmp/x/ws/a and /tmp/x/home",
                "at [ROOT]/a and [BASE]/home",
            ),
            (
                "✓ a in 0.4s, b after 1m 03s",
                "✓ a in [TIME], b after [TIME]",
            ),
            ("timeout: 60s   ", "timeout: 60s"),
            ("20251121T132231123-99", "[RUN]"),
            (
                r#"{"duration_ms": 5,"cpu_ms":7}"#,
                r#"{"duration_ms": 0,"cpu_ms":0}"#,
            ),
        ] {
            assert_eq!(normal(text, base), format!("{want}\n"));
        }
    }
}
