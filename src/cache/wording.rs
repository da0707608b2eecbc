//! Reasons in words, for people.

use super::encode::Field;
use super::entry::Kind;
use super::miss::{FileState, Variable};

/// The stable word for a field.
pub(super) fn word(field: Field) -> &'static str {
    match field {
        Field::Command => "command",
        Field::Args => "args",
        Field::Dir => "dir",
        Field::Env => "env",
        Field::PassEnv => "pass_env",
        Field::Platform => "platform",
        Field::Tools => "tool",
        Field::Discovered => "discovered",
        Field::Input => "input",
        Field::Output => "declared_output",
        Field::Shell => "shell",
        Field::EnvPolicy => "env_policy",
        Field::Path => "path",
        Field::Verify => "verify",
        Field::Salt => "salt",
        Field::Secrets => "secrets",
        Field::Incremental => "incremental",
        Field::Tty => "tty",
        Field::Depfile => "depfile",
    }
}

/// A field and a place in it, for people.
pub(super) fn title(field: Field, at: usize) -> String {
    match field {
        Field::Command if at == 0 => "the command".to_owned(),
        Field::Command => format!("command {}", at + 1),
        Field::Args => format!("argument {}", at + 1),
        Field::Output => "the declared outputs".to_owned(),
        Field::Verify => "what `verify` checks".to_owned(),
        Field::Platform => "the platform".to_owned(),
        Field::Shell => "the shell".to_owned(),
        Field::Dir => "the working folder".to_owned(),
        other => format!("`{}`", word(other)),
    }
}

/// What happened to a file.
pub(super) fn file_change(path: &str, old: Option<FileState>, new: Option<FileState>) -> String {
    let absent = |state: Option<FileState>| state.is_none_or(|state| state.kind == Kind::Absent);
    match (old, new) {
        (Some(old), Some(new))
            if old.digest == new.digest && old.kind == new.kind && old.exec != new.exec =>
        {
            format!(
                "`{path}` {} executable",
                if new.exec { "became" } else { "is no longer" }
            )
        }
        (old, _) if absent(old) => format!("`{path}` is new"),
        (_, new) if absent(new) => format!("`{path}` was removed"),
        _ => format!("`{path}` changed"),
    }
}

/// What happened to a variable.
pub(super) fn variable_change(
    name: &str,
    old: Option<&Variable>,
    new: Option<&Variable>,
) -> String {
    match (old, new) {
        (None, Some(new)) => format!("variable `{name}` is new: {}", new.text()),
        (Some(_), None) => format!("variable `{name}` was removed"),
        (Some(old), Some(new)) => {
            format!("variable `{name}` changed: {} → {}", old.text(), new.text())
        }
        (None, None) => format!("variable `{name}` changed"),
    }
}

/// What happened to what a tool prints.
pub(super) fn tool_change(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {
            format!("tool `{name}` prints something else after its first line")
        }
        (Some(old), Some(new)) => {
            format!("tool `{name}` changed: `{}` → `{}`", clip(old), clip(new))
        }
        (None, Some(new)) => format!("tool `{name}` is new: `{}`", clip(new)),
        (_, None) => format!("tool `{name}` was removed"),
    }
}

/// What happened at a place of a list.
pub(super) fn item_change(title: &str, old: Option<&str>, new: Option<&str>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => {
            let (old, new) = differing_line(old, new);
            let skipped = skippable(old, new);
            format!(
                "{title} changed: `{}` → `{}`",
                clip_from(old, skipped),
                clip_from(new, skipped)
            )
        }
        (Some(old), None) => format!("{title} changed: `{}` was removed", clip(old)),
        (None, Some(new)) => format!("{title} changed: `{}` is new", clip(new)),
        (None, None) => format!("{title} changed"),
    }
}

/// The first lines of two texts that are not the same.
fn differing_line<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let mut lines = (old.lines(), new.lines());
    loop {
        match (lines.0.next(), lines.1.next()) {
            (Some(one), Some(two)) if one == two => {}
            (None, None) => return (old, new),
            (one, two) => return (one.unwrap_or_default(), two.unwrap_or_default()),
        }
    }
}

/// How much of two long lines can be left out in front because it is the same; in bytes.
fn skippable(old: &str, new: &str) -> usize {
    const SHOWN_BEFORE: usize = 20;
    let pairs = old.char_indices().zip(new.chars());
    let same: Vec<usize> = pairs
        .take_while(|((_, one), two)| one == two)
        .map(|((at, _), _)| at)
        .collect();
    if old.len().max(new.len()) <= ROOM {
        return 0;
    }
    same.len()
        .checked_sub(SHOWN_BEFORE)
        .map_or(0, |at| same[at])
}

/// A text without its first `skipped` bytes, clipped.
fn clip_from(text: &str, skipped: usize) -> String {
    let mark = if skipped > 0 { "…" } else { "" };
    format!("{mark}{}", clip(&text[skipped..]))
}

/// So many characters of a text are shown.
const ROOM: usize = 60;

/// So much of a text as a line of a report has room for.
pub(super) fn clip(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= ROOM && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    line.chars().take(ROOM).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::digest::Digest;
    use super::super::miss::MissReason;
    use super::*;

    #[test]
    fn of_a_long_script_the_line_is_shown_that_differs() {
        let reason = MissReason::Item {
            field: Field::Command,
            at: 0,
            old: Some("set -x\ncc -O1 a.c\ndone".to_owned()),
            new: Some("set -x\ncc -O2 a.c\ndone".to_owned()),
        };
        assert_eq!(
            reason.text(),
            "the command changed: `cc -O1 a.c` → `cc -O2 a.c`"
        );
        assert_eq!(
            (reason.kind(), reason.name().as_deref()),
            ("command", Some("1"))
        );
    }

    #[test]
    fn of_a_long_line_the_part_is_shown_that_differs() {
        let line = |flag: &str| format!("{} {flag} x", "ö".repeat(90));
        let text = item_change("it", Some(&line("-a")), Some(&line("-b")));
        let before = "ö".repeat(18);
        assert_eq!(
            text,
            format!("it changed: `…{before} -a x` → `…{before} -b x`")
        );
        let text = item_change("it", Some(&"a".repeat(90)), Some(&"a".repeat(91)));
        assert!(text.contains('…'), "{text}");
    }

    #[test]
    fn unset_is_not_empty() {
        let reason = MissReason::Env {
            name: "CC".to_owned(),
            old: Some(Variable::Set(String::new())),
            new: Some(Variable::Unset),
        };
        assert_eq!(reason.text(), "variable `CC` changed: `` → unset");
        assert_eq!((reason.old(), reason.new()), (Some(String::new()), None));
    }

    #[test]
    fn a_mode_is_told_apart_from_a_content() {
        let state = |exec| {
            Some(FileState {
                kind: Kind::File,
                exec,
                digest: Digest::of(b"x"),
            })
        };
        let reason = MissReason::Source {
            path: "a".to_owned(),
            old: state(false),
            new: state(true),
        };
        assert_eq!(reason.text(), "source `a` became executable");
    }
}
