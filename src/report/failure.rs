//! The report of a failed step: all that somebody needs who was not there.
//!
//! Pure text; the end of the log was read by others.

use std::path::Path;

use super::lines::{cause, cut, failed, list, number_of};
use super::log::Tail;
use super::style::{ELLIPSIS, Paint, RESET};
use crate::event::StepFinished;

/// How many lines of a command are shown.
const COMMAND_LINES: usize = 20;

/// How many characters of a line of output are shown.
const LINE: usize = 1000;

/// What is told of one failure.
pub(super) struct Failure<'a> {
    /// The step.
    pub(super) step: &'a StepFinished,
    /// The end of its log, where it can be read.
    pub(super) tail: Option<Tail>,
    /// What it blocked.
    pub(super) blocked: Vec<&'a str>,
    /// The folder that the step's folder is relative to.
    pub(super) root: &'a Path,
}

impl Failure<'_> {
    /// The report, in whole lines.
    pub(super) fn render(&self, paint: Paint) -> String {
        let mut text = failed(self.step, paint) + "\n";
        for line in cause(self.step).lines().skip(1) {
            text.push_str(&format!("  {line}\n"));
        }
        let [folder, command, log, hint, blocked] = self.fields();
        let field = |name, value: Option<String>| {
            value
                .map(|value| field(name, &value, paint))
                .unwrap_or_default()
        };
        text + &field("folder", folder)
            + &field("command", command)
            + &self.output(paint)
            + &field("log", log)
            + &field("hint", hint)
            + &field("blocked", blocked)
    }

    fn fields(&self) -> [Option<String>; 5] {
        let step = self.step;
        [
            step.dir.as_deref().map(|dir| self.folder(dir)),
            step.command.as_deref().map(shortened),
            step.log.clone(),
            step.hint.clone(),
            Some(list(&self.blocked)).filter(|names| !names.is_empty()),
        ]
    }

    /// The folder as one can go to it from anywhere.
    fn folder(&self, dir: &str) -> String {
        match dir {
            "" | "." => self.root.display().to_string(),
            dir => self.root.join(dir).display().to_string(),
        }
    }

    fn output(&self, paint: Paint) -> String {
        let Some(tail) = &self.tail else {
            return String::new();
        };
        let head = match (tail.lines.len(), tail.whole) {
            (0, _) => return field("output", "none", paint),
            (_, true) => field("output", "", paint),
            (1, false) => field("output", "the last line:", paint),
            (count, false) => field(
                "output",
                &format!("the last {}:", number_of(count, "line")),
                paint,
            ),
        };
        let line = |line: &String| format!("    {}", shown(line)).trim_end().to_owned() + "\n";
        head + &tail.lines.iter().map(line).collect::<String>()
    }
}

/// A line of output: not endless, and without colours that run over its end.
fn shown(line: &str) -> String {
    let line = cut(line, LINE);
    if line.contains('\x1b') {
        line + RESET
    } else {
        line
    }
}

fn shortened(command: &str) -> String {
    let lines: Vec<&str> = command.trim_end().lines().collect();
    match lines.len().saturating_sub(COMMAND_LINES) {
        0 => lines.join("\n"),
        more => format!(
            "{}\n{ELLIPSIS} and {}",
            lines[..COMMAND_LINES].join("\n"),
            number_of(more, "more line")
        ),
    }
}

/// A name and its value, the lines of the value one below the other.
fn field(name: &str, value: &str, paint: Paint) -> String {
    let name = paint.dim(&format!("{name:<8}"));
    let value = value.trim_end().replace('\n', "\n           ");
    format!("  {name} {value}").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Failure;
    use crate::event::{FailureKind, StepFinished};
    use crate::report::log::Tail;
    use crate::report::style::Paint;
    use crate::report::testing::failure;

    fn rendered(step: &StepFinished, tail: Option<Tail>) -> String {
        Failure {
            step,
            tail,
            blocked: Vec::new(),
            root: Path::new("/w"),
        }
        .render(Paint::default())
    }

    fn tail(lines: &[&str], whole: bool) -> Tail {
        Tail {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            whole,
        }
    }

    #[test]
    fn a_check_that_does_not_hold_is_told_in_its_own_words() {
        let mut step = failure("api:serve");
        step.exit_code = Some(0);
        step.failure = Some(FailureKind::Verify);
        step.message = Some("check of http://localhost:80/ failed\nexpected 200, got 503".into());
        step.dir = Some(".".into());
        insta::assert_snapshot!(rendered(&step, Some(tail(&[], true))), @r"
        ✗ api:serve failed after 3.1s: check of http://localhost:80/ failed
          expected 200, got 503
          folder   /w
          output   none
        ");
    }

    #[test]
    fn the_output_is_said_to_be_cut() {
        let step = failure("a:x");
        insta::assert_snapshot!(rendered(&step, Some(tail(&["a", "", "c"], false))), @r"
        ✗ a:x failed after 3.1s: exit code 1
          output   the last 3 lines:
            a

            c
        ");
    }

    #[test]
    fn endless_commands_and_lines_are_cut() {
        let mut step = failure("a:x");
        step.command = Some("make\n".repeat(30));
        let text = rendered(&step, Some(tail(&[&"x".repeat(5000)], true)));
        assert_eq!(text.matches("make").count(), 20);
        assert!(text.contains("\n           … and 10 more lines\n"));
        assert!(text.lines().all(|line| line.chars().count() <= 1004));
    }

    #[test]
    fn colours_end_with_their_line() {
        let text = rendered(&failure("a:x"), Some(tail(&["\x1b[31mred"], true)));
        assert!(text.ends_with("    \x1b[31mred\x1b[0m\n"));
    }
}
