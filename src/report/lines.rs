//! The single lines of a run: a step's end, a remark, the summary.
//!
//! Pure text from events; where it goes, and whether it is said at all, others decide.

use super::duration::human_ms;
use super::style::{DONE, ELLIPSIS, FAILED, LEFT, Paint, RESTORED, SAME};
use super::view::Remark;
use crate::event::{
    Diagnostic, FailureKind, Outcome, Reason, RunFinished, RunOutcome, Severity, StepFinished,
    StepWaiting,
};

/// How many names are listed before `and n more`.
const NAMES: usize = 10;

/// How a step ended, in a line without its end.
pub(super) fn finished(step: &StepFinished, verbose: bool, paint: Paint) -> String {
    let name = paint.name(&step.step);
    if let Some(other) = &step.same_as {
        return format!("{SAME} {name} is the same as {other}");
    }
    match step.outcome {
        Outcome::Executed => {
            let took = human_ms(step.duration_ms);
            let because = if verbose {
                because(&step.why)
            } else {
                String::new()
            };
            let attempts = attempts(step);
            format!("{} {name} in {took}{attempts}{because}", paint.good(DONE))
        }
        Outcome::Failed => failed(step, paint),
        Outcome::FromCache => format!("{} {name} from cache", paint.good(RESTORED)),
        Outcome::UpToDate => format!("{SAME} {name} up to date"),
        Outcome::Blocked => format!("{LEFT} {name} blocked{}", blocked_by(&step.why)),
        Outcome::Skipped => format!("{LEFT} {name} skipped"),
        Outcome::Cancelled => format!("{LEFT} {name} cancelled{}", after(step)),
    }
}

/// That a step waits for another process.
pub(super) fn waiting(step: &StepWaiting, paint: Paint) -> String {
    let (name, whom) = (paint.name(&step.step), waiting_for(step.pid));
    format!("{LEFT} {name} {whom}, which runs the same")
}

/// For whom a step waits.
pub(super) fn waiting_for(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("waiting for process {pid}"),
        None => "waiting for an equal step".to_owned(),
    }
}

/// What failed: the head of a failure's report too.
pub(super) fn failed(step: &StepFinished, paint: Paint) -> String {
    let words = format!("{FAILED} {} failed", step.step);
    let cause = cause(step);
    let first = cause.lines().next().unwrap_or_default();
    let allowed = if step.allowed { " (allowed)" } else { "" };
    format!("{}{}{allowed}: {first}", paint.bad(&words), after(step))
}

/// What failed in words, with exit code and signal.
pub(super) fn cause(step: &StepFinished) -> String {
    let message = step
        .message
        .as_deref()
        .filter(|text| !text.trim().is_empty());
    let mut cause = message.or(kind_words(step)).unwrap_or_default().to_owned();
    if let Some(code) = step.exit_code.filter(|code| *code != 0) {
        cause = joined(cause, &format!("exit code {code}"), "exit code");
    }
    if let Some(signal) = &step.signal {
        cause = joined(cause, &format!("signal {signal}"), signal);
    }
    if cause.is_empty() {
        "the command failed".to_owned()
    } else {
        cause
    }
}

/// `text` with `extra` at the end of its first line, unless it has the `mark` of it already.
fn joined(text: String, extra: &str, mark: &str) -> String {
    match text.split_once('\n') {
        _ if text.is_empty() => extra.to_owned(),
        _ if text.contains(mark) => text,
        Some((first, rest)) => format!("{first} ({extra})\n{rest}"),
        None => format!("{text} ({extra})"),
    }
}

/// The kind of failure, where exit code or signal do not say it all.
fn kind_words(step: &StepFinished) -> Option<&'static str> {
    Some(match step.failure? {
        _ if step.timed_out => "timed out",
        FailureKind::Timeout => "timed out",
        FailureKind::Requires => "a check of `requires` does not hold",
        FailureKind::Tools => "a tool could not be asked",
        FailureKind::Secrets => "a secret is missing",
        FailureKind::Verify => "a check of `verify` does not hold",
        FailureKind::Outputs => "a declared output is missing",
        FailureKind::Sources => "a declared source is missing",
        FailureKind::Spawn => "the command could not be started",
        FailureKind::Command | FailureKind::Signal => return None,
    })
}

fn after(step: &StepFinished) -> String {
    match step.duration_ms {
        0 => attempts(step),
        ms => format!(" after {}{}", human_ms(ms), attempts(step)),
    }
}

/// How many attempts it took, where it was tried again.
fn attempts(step: &StepFinished) -> String {
    match step.attempts {
        0 | 1 => String::new(),
        number => format!(" ({number} attempts)"),
    }
}

/// The first reason, and how many more there are.
fn because(why: &[Reason]) -> String {
    match why {
        [] => String::new(),
        [reason] => format!(", because {}", reason.text),
        [first, rest @ ..] => {
            let more = number_of(rest.len(), "more reason");
            format!(", because {} (and {more})", first.text)
        }
    }
}

fn blocked_by(why: &[Reason]) -> String {
    let names: Vec<&str> = why
        .iter()
        .filter_map(|reason| reason.name.as_deref())
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" by {}", list(&names))
    }
}

/// Names in a row; long rows are cut.
pub(super) fn list(names: &[&str]) -> String {
    let shown = names[..names.len().min(NAMES)].join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A remark, in a line without its end.
pub(super) fn remark(remark: &Remark, paint: Paint) -> String {
    match remark {
        Remark::Tainted(step, files) => {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let head = paint.warn("warning:");
            format!(
                "{head} {step}: {} changed while it ran; its result was not kept",
                list(&files)
            )
        }
        Remark::Note(step, note) => format!("{} {step}: {note}", paint.dim("note:")),
    }
}

/// A diagnostic without a report of its own, in lines without the last end.
pub(super) fn diagnostic(found: &Diagnostic, paint: Paint) -> String {
    let head = match found.severity {
        Severity::Error => paint.bad("error:"),
        Severity::Warning => paint.warn("warning:"),
    };
    let mut text = format!("{head} {}", found.message);
    if let Some(place) = place(found) {
        text.push_str(&format!("\n  at {place}"));
    }
    if let Some(help) = &found.help {
        text.push_str(&format!("\n  help: {help}"));
    }
    text
}

fn place(found: &Diagnostic) -> Option<String> {
    let numbers = [found.line, found.column].into_iter().flatten();
    Some(numbers.fold(found.file.clone()?, |place, number| {
        format!("{place}:{number}")
    }))
}

/// The last line of a run, without its end.
pub(super) fn summary(run: &RunFinished, errors: usize, paint: Paint) -> String {
    let damaged = match run.damaged {
        0 => String::new(),
        damaged => format!("; {damaged} damaged in the store"),
    };
    let took = human_ms(run.duration_ms) + &damaged;
    let counts: Vec<String> = Outcome::ALL
        .into_iter()
        .filter(|outcome| run.counts.of(*outcome) > 0)
        .map(|outcome| count(outcome, run, paint))
        .collect();
    match run.outcome {
        _ if !counts.is_empty() => format!("{} in {took}", counts.join(", ")),
        RunOutcome::Invalid => format!("nothing ran: {}", number_of(errors, "error")),
        RunOutcome::Cancelled => format!("cancelled in {took}"),
        RunOutcome::Failed => format!("failed in {took}"),
        RunOutcome::Ok => format!("nothing to do in {took}"),
    }
}

fn count(outcome: Outcome, run: &RunFinished, paint: Paint) -> String {
    let count = run.counts.of(outcome);
    let text = format!("{count} {}", outcome.words());
    match outcome {
        Outcome::Failed if run.allowed == count => paint.warn(&format!("{text} (allowed)")),
        Outcome::Failed if run.allowed > 0 => {
            paint.bad(&format!("{text} ({} allowed)", run.allowed))
        }
        Outcome::Executed | Outcome::FromCache => paint.good(&text),
        Outcome::Failed => paint.bad(&text),
        Outcome::Blocked | Outcome::Cancelled => paint.warn(&text),
        Outcome::UpToDate | Outcome::Skipped => text,
    }
}

/// `1 error`, `2 errors`.
pub(super) fn number_of(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `text` cut to `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let head: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { head } else { head + ELLIPSIS }
}

#[cfg(test)]
mod tests {
    use super::{cause, cut, diagnostic, finished, list, summary};
    use crate::event::{
        Counts, Diagnostic, FailureKind, Outcome, Reason, RunFinished, RunOutcome, StepFinished,
    };
    use crate::report::style::Paint;

    const PLAIN: Paint = Paint { color: false };

    fn step(outcome: Outcome) -> StepFinished {
        StepFinished {
            duration_ms: 1200,
            ..StepFinished::new("api:build", outcome)
        }
    }

    fn reasons(texts: &[&str]) -> Vec<Reason> {
        let reason = |text: &&str| Reason {
            text: (*text).to_owned(),
            ..Reason::default()
        };
        texts.iter().map(reason).collect()
    }

    #[test]
    fn a_line_for_each_outcome() {
        let lines: Vec<String> = Outcome::ALL
            .into_iter()
            .map(|outcome| finished(&step(outcome), false, PLAIN))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        ✓ api:build in 1.2s
        ↓ api:build from cache
        = api:build up to date
        ✗ api:build failed after 1.2s: the command failed
        - api:build blocked
        - api:build skipped
        - api:build cancelled after 1.2s
        ");
    }

    #[test]
    fn verbose_tells_why() {
        let line = |why: &[&str]| {
            let step = StepFinished {
                why: reasons(why),
                ..step(Outcome::Executed)
            };
            finished(&step, true, PLAIN)
        };
        assert_eq!(line(&[]), "✓ api:build in 1.2s");
        assert_eq!(
            line(&["a.c changed"]),
            "✓ api:build in 1.2s, because a.c changed"
        );
        assert_eq!(
            line(&["a", "b", "c"]),
            "✓ api:build in 1.2s, because a (and 2 more reasons)"
        );
    }

    #[test]
    fn the_cause_has_code_and_signal_once() {
        let mut failed = step(Outcome::Failed);
        failed.failure = Some(FailureKind::Timeout);
        failed.signal = Some("SIGKILL".into());
        assert_eq!(cause(&failed), "timed out (signal SIGKILL)");
        failed.signal = None;
        failed.failure = Some(FailureKind::Command);
        failed.exit_code = Some(2);
        assert_eq!(cause(&failed), "exit code 2");
        failed.message = Some("exit code 2".into());
        assert_eq!(cause(&failed), "exit code 2");
        failed.message = Some("check `smoke` failed\nexpected 200".into());
        assert_eq!(
            cause(&failed),
            "check `smoke` failed (exit code 2)\nexpected 200"
        );
        failed.exit_code = None;
        failed.signal = Some("SIGSEGV".into());
        failed.message = None;
        assert_eq!(cause(&failed), "signal SIGSEGV");
        failed.message = Some("ended by SIGSEGV".into());
        assert_eq!(cause(&failed), "ended by SIGSEGV");
    }

    #[test]
    fn the_summary_leaves_zeroes_out() {
        let counts = Counts {
            executed: 3,
            from_cache: 2,
            up_to_date: 10,
            failed: 1,
            blocked: 4,
            ..Counts::default()
        };
        let mut run = RunFinished {
            outcome: RunOutcome::Failed,
            counts,
            allowed: 0,
            damaged: 0,
            duration_ms: 1200,
        };
        let text = |run: &RunFinished| summary(run, 2, PLAIN);
        assert_eq!(
            text(&run),
            "3 executed, 2 from cache, 10 up to date, 1 failed, 4 blocked in 1.2s"
        );
        run.counts = Counts::default();
        assert_eq!(text(&run), "failed in 1.2s");
        run.outcome = RunOutcome::Invalid;
        assert_eq!(text(&run), "nothing ran: 2 errors");
        assert_eq!(text(&RunFinished::default()), "nothing to do in 0.0s");
        (run.counts.failed, run.allowed) = (3, 1);
        assert_eq!(text(&run), "3 failed (1 allowed) in 1.2s");
        run.allowed = 3;
        assert_eq!(text(&run), "3 failed (allowed) in 1.2s");
    }

    #[test]
    fn long_lists_and_texts_are_cut() {
        assert_eq!(list(&["x"; 12]), "x, x, x, x, x, x, x, x, x, x and 2 more");
        assert_eq!(cut("grüße", 5), "grüße");
        assert_eq!(cut("grüße!", 5), "grüß…");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn a_diagnostic_has_its_place_and_help() {
        let found = Diagnostic {
            message: "unknown key `comand`".into(),
            file: Some("api/pipeline.yaml".into()),
            line: Some(3),
            help: Some("did you mean `command`?".into()),
            ..Diagnostic::default()
        };
        insta::assert_snapshot!(diagnostic(&found, PLAIN), @r"
        error: unknown key `comand`
          at api/pipeline.yaml:3
          help: did you mean `command`?
        ");
    }
}
