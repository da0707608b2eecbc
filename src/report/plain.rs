//! A run as plain lines: for files, pipes and CI, and what scrolls above the live view.
//!
//! A line and a block of output for each step that ran, failures last, the summary at the very
//! end. It decides what is said; the words are made elsewhere. It knows no terminal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::log::{deliver, is_worth_showing, tail};
use super::outlet::{Outlet, SharedOutlet, quietly};
use super::route::{Route, Routed};
use super::stream::Streamer;
use super::style::Paint;
use super::view::RunView;
use super::{Options, OutputMode, github, lines};
use crate::event::{
    Diagnostic, Event, Outcome, RunFinished, RunOutcome, Severity, Sink, StepFinished,
};

/// How many failures are told in full; of more there is a line each.
const FULL_REPORTS: usize = 10;

/// How many lines of a failed step's output are shown at the end, and how far back they may reach.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 64 * 1024;

/// Tells a run line by line.
pub(super) struct Plain {
    options: Arc<Options>,
    outlet: SharedOutlet,
    paint: Paint,
    view: RunView,
    streamer: Streamer,
}

impl Sink for Plain {
    fn take(&mut self, event: &Event) {
        self.tell(event);
        self.outlet.lock().flush();
    }
}

impl Plain {
    pub(super) fn new(options: Arc<Options>, outlet: SharedOutlet) -> Self {
        let paint = Paint {
            color: options.color,
        };
        Self {
            options,
            outlet,
            paint,
            view: RunView::default(),
            streamer: Streamer::default(),
        }
    }

    /// Whether there is something to say to an event.
    pub(super) fn speaks_of(&self, event: &Event) -> bool {
        match event {
            Event::Diagnostic(found) => self.tells_diagnostic(found),
            Event::RunStarted(_) | Event::StepStarted(_) | Event::StepRetried(_) => false,
            Event::StepWaiting(_) => self.options.verbose && !self.options.silent,
            Event::StepOutput(_) => self.options.output == OutputMode::Stream,
            Event::StepFinished(step) => self.has_line(step) || self.block(step).is_some(),
            Event::RunFinished(_) => true,
        }
    }

    /// Says what there is to say to an event, without flushing.
    pub(super) fn tell(&mut self, event: &Event) {
        // Nothing here shows elapsed time, so the view needs no clock.
        self.view.fold(event, Duration::ZERO);
        if !self.speaks_of(event) {
            return;
        }
        let outlet = self.outlet.clone();
        let outlet = &mut *outlet.lock();
        match event {
            Event::Diagnostic(found) => self.diagnostic(found, outlet),
            Event::RunStarted(_) | Event::StepStarted(_) | Event::StepRetried(_) => {}
            Event::StepWaiting(step) => outlet.say(&(lines::waiting(step, self.paint) + "\n")),
            Event::StepOutput(piece) => self.streamer.take(piece, &self.options, outlet),
            Event::StepFinished(step) => self.finished(step, outlet),
            Event::RunFinished(run) => self.end(run, outlet),
        }
    }

    fn tells_diagnostic(&self, found: &Diagnostic) -> bool {
        !self.options.silent || found.severity == Severity::Error
    }

    fn diagnostic(&self, found: &Diagnostic, outlet: &mut Outlet) {
        let text = match &found.rendered {
            Some(rendered) => rendered.trim_end().to_owned(),
            None => lines::diagnostic(found, self.paint),
        };
        outlet.say(&(text + "\n"));
        if self.options.github {
            outlet.say(&github::annotation(found));
        }
    }

    /// Whether a step's end gets a line.
    fn has_line(&self, step: &StepFinished) -> bool {
        let ran = match step.outcome {
            Outcome::Executed | Outcome::Failed => true,
            Outcome::Cancelled => step.duration_ms > 0,
            _ => false,
        };
        !self.options.silent && (ran || self.options.verbose || self.block(step).is_some())
    }

    /// The log that is shown as a block when a step ends.
    fn block<'a>(&self, step: &'a StepFinished) -> Option<&'a Path> {
        let log = Path::new(step.log.as_deref()?);
        let ran = matches!(
            step.outcome,
            Outcome::Executed | Outcome::Failed | Outcome::Cancelled
        );
        let named = self.options.silent && self.options.to_stdout.contains(&step.step);
        let again = self.options.replay || named;
        let wanted = step.same_as.is_none()
            && match self.options.output {
                OutputMode::Auto | OutputMode::Group => ran || again,
                OutputMode::Stream => !ran && again,
                OutputMode::Errors => step.outcome == Outcome::Failed,
                OutputMode::None => false,
            };
        (wanted && is_worth_showing(log)).then_some(log)
    }

    fn finished(&mut self, step: &StepFinished, outlet: &mut Outlet) {
        self.streamer.finish(&step.step, outlet);
        let block = self.block(step);
        let folds = self.options.github && block.is_some();
        if self.has_line(step) {
            let line = lines::finished(step, self.options.verbose, self.paint);
            let line = if folds {
                github::group(&line)
            } else {
                line + "\n"
            };
            outlet.say(&line);
        }
        if let Some(log) = block {
            let route = Route::of(&self.options, &step.step, Some(log));
            quietly(deliver(
                log,
                route.delivery(),
                &mut Routed { outlet, route },
            ));
        }
        if folds && !self.options.silent {
            outlet.say(github::END_GROUP);
        }
    }

    fn end(&self, run: &RunFinished, outlet: &mut Outlet) {
        if self.options.silent && run.outcome == RunOutcome::Ok && self.view.failures.is_empty() {
            return;
        }
        for remark in &self.view.remarks {
            outlet.say(&(lines::remark(remark, self.paint) + "\n"));
        }
        self.failures(outlet);
        outlet.say(&(lines::summary(run, self.view.errors, self.paint) + "\n"));
    }

    fn failures(&self, outlet: &mut Outlet) {
        let failures = &self.view.failures;
        let (full, short) = failures.split_at(failures.len().min(FULL_REPORTS));
        for step in full {
            outlet.say(&format!("\n{}", self.report(step)));
        }
        if !failures.is_empty() {
            outlet.say("\n");
        }
        for step in short {
            outlet.say(&(lines::failed(step, self.paint) + "\n"));
        }
        if self.options.github {
            failures
                .iter()
                .for_each(|step| outlet.say(&annotation(step)));
        }
    }

    fn report(&self, step: &StepFinished) -> String {
        let log = step.log.as_deref().map(Path::new);
        let tail = log.and_then(|log| tail(log, TAIL_LINES, TAIL_BYTES, !self.paint.color).ok());
        let blocked = self.view.blocked_by(&step.step);
        Failure {
            step,
            tail,
            blocked,
            root: &self.options.workspace_root,
        }
        .render(self.paint)
    }
}

fn annotation(step: &StepFinished) -> String {
    github::error(&format!("{} failed", step.step), &lines::cause(step))
}

#[cfg(test)]
mod tests {
    use crate::event::{Diagnostic, Event, Outcome, Reason, RunOutcome, Severity, StepFinished};
    use crate::report::testing::{
        Logs, Page, blocked, end_of, executed, failure, finished, output, run, started,
    };
    use crate::report::{Options, OutputMode, sinks, text_file};

    /// What a run writes: everything in one, standard output, standard error.
    struct Shown {
        all: String,
        out: String,
        err: String,
    }

    fn shown(options: Options, logs: &Logs, events: &[Event], outcome: RunOutcome) -> Shown {
        let end = end_of(events, outcome);
        let written = |out: &Page, err: &Page| {
            let options = Options {
                workspace_root: "/w".into(),
                ..options.clone()
            };
            let mut sinks = sinks(options, Box::new(out.clone()), Box::new(err.clone()));
            for event in events.iter().chain([&end]) {
                sinks.iter_mut().for_each(|sink| sink.take(event));
            }
        };
        let [all, out, err] = [(); 3].map(|()| Page::default());
        written(&all, &all);
        written(&out, &err);
        let text = |page: &Page| {
            page.text()
                .replace(&logs.path().display().to_string(), "/logs")
        };
        Shown {
            all: text(&all),
            out: text(&out),
            err: text(&err),
        }
    }

    /// A run in which everything happens.
    fn eventful(logs: &Logs) -> Vec<Event> {
        let build = logs.write(
            "build.log",
            &[
                "compiled 14 files\n",
                "!warning: \x1b[33munused `x`\x1b[0m\n",
            ],
        );
        let test = logs.write(
            "test.log",
            &["--- FAIL: TestLogin (0.00s)\n", "!exit status 1"],
        );
        let mut gone = failure("api:test@os=linux");
        gone.log = Some(test.display().to_string());
        gone.command = Some("go vet ./...\ngo test ./... -count=1".into());
        gone.dir = Some("services/api".into());
        gone.hint = Some("start the database with `make db`".into());
        let Event::StepFinished(mut built) = executed("api:build", &build) else {
            unreachable!()
        };
        built.why = vec![Reason {
            text: "src/main.go changed".into(),
            ..Reason::default()
        }];
        built.tainted = vec!["src/gen.go".into()];
        vec![
            run(6, 4),
            finished("api:lint", Outcome::UpToDate),
            finished("api:gen", Outcome::FromCache),
            started("api:build", None),
            Event::StepFinished(built),
            started("api:test@os=linux", None),
            Event::StepFinished(gone.into()),
            blocked("api:package", "api:test@os=linux"),
            blocked("api:deploy", "api:package"),
        ]
    }

    #[test]
    fn a_run_that_fails() {
        let logs = Logs::new();
        let shown = shown(
            Options::default(),
            &logs,
            &eventful(&logs),
            RunOutcome::Failed,
        );
        insta::assert_snapshot!(shown.all, @r"
        ✓ api:build in 1.2s
        compiled 14 files
        warning: unused `x`
        ✗ api:test@os=linux failed after 3.1s: exit code 1
        --- FAIL: TestLogin (0.00s)
        exit status 1
        warning: api:build: src/gen.go changed while it ran; its result was not kept

        ✗ api:test@os=linux failed after 3.1s: exit code 1
          folder   /w/services/api
          command  go vet ./...
                   go test ./... -count=1
          output
            --- FAIL: TestLogin (0.00s)
            exit status 1
          log      /logs/test.log
          hint     start the database with `make db`
          blocked  api:package, api:deploy

        1 executed, 1 from cache, 1 up to date, 1 failed, 2 blocked in 4.6s
        ");
        assert_eq!(
            shown.out,
            "compiled 14 files\n--- FAIL: TestLogin (0.00s)\n"
        );
    }

    #[test]
    fn a_verbose_run() {
        let logs = Logs::new();
        let options = Options {
            verbose: true,
            output: OutputMode::None,
            ..Options::default()
        };
        let events = &eventful(&logs)[..5];
        insta::assert_snapshot!(shown(options, &logs, events, RunOutcome::Ok).all, @r"
        = api:lint up to date
        ↓ api:gen from cache
        ✓ api:build in 1.2s, because src/main.go changed
        warning: api:build: src/gen.go changed while it ran; its result was not kept
        1 executed, 1 from cache, 1 up to date in 4.6s
        ");
    }

    #[test]
    fn only_failures_show_their_output() {
        let logs = Logs::new();
        let options = Options {
            output: OutputMode::Errors,
            ..Options::default()
        };
        let shown = shown(options, &logs, &eventful(&logs), RunOutcome::Failed);
        assert_eq!(shown.out, "--- FAIL: TestLogin (0.00s)\n");
        assert!(
            shown
                .all
                .starts_with("✓ api:build in 1.2s\n✗ api:test@os=linux failed after 3.1s")
        );
    }

    #[test]
    fn nothing_to_do() {
        let logs = Logs::new();
        let none = |events: &[Event]| shown(Options::default(), &logs, events, RunOutcome::Ok).all;
        assert_eq!(none(&[run(0, 4)]), "nothing to do in 4.6s\n");
        assert_eq!(
            none(&[finished("a:x", Outcome::UpToDate)]),
            "1 up to date in 4.6s\n"
        );
    }

    #[test]
    fn colours_only_where_they_may_be() {
        let logs = Logs::new();
        let options = Options {
            color: true,
            ..Options::default()
        };
        let shown = shown(options, &logs, &eventful(&logs)[..5], RunOutcome::Ok);
        assert!(
            shown.err.contains("warning: \x1b[33munused `x`\x1b[0m\n"),
            "{}",
            shown.err
        );
        assert!(!shown.out.contains('\x1b'));
    }

    fn silent() -> Options {
        let to_stdout = ["app:version".to_owned()].into();
        Options {
            silent: true,
            to_stdout,
            ..Options::default()
        }
    }

    #[test]
    fn a_silent_run_says_what_was_asked_for() {
        let logs = Logs::new();
        let version = logs.write("version.log", &["\x1b[1m1.2.3\x1b[0m", "!checking\n"]);
        let other = logs.write("other.log", &["building\n"]);
        let Event::StepFinished(step) = executed("app:version", &version) else {
            unreachable!()
        };
        let cached = StepFinished {
            outcome: Outcome::UpToDate,
            ..*step.clone()
        };
        for step in [
            Event::StepFinished(step),
            Event::StepFinished(cached.into()),
        ] {
            let events = [run(2, 4), executed("app:build", &other), step];
            let shown = shown(silent(), &logs, &events, RunOutcome::Ok);
            assert_eq!(shown.out, "1.2.3");
            assert_eq!(shown.err, "building\nchecking\n");
        }
    }

    #[test]
    fn a_log_file_has_both_streams_as_plain_text() {
        let (logs, page) = (Logs::new(), Page::default());
        let options = Options {
            color: true,
            terminal: true,
            ..Options::default()
        };
        let mut sink = text_file(&options, Box::new(page.clone()));
        eventful(&logs).iter().for_each(|event| sink.take(event));
        assert!(
            page.text()
                .starts_with("✓ api:build in 1.2s\ncompiled 14 files\nwarning: unused `x`\n")
        );
    }

    #[test]
    fn binary_data_is_not_touched() {
        let logs = Logs::new();
        let tar = logs.write("tar.log", &["\x1f\0\r\x1b[1m\x07"]);
        let shown = shown(
            silent(),
            &logs,
            &[executed("app:version", &tar)],
            RunOutcome::Ok,
        );
        assert_eq!(shown.out, "\x1f\0\r\x1b[1m\x07");
    }

    #[test]
    fn a_silent_run_speaks_when_something_fails() {
        let logs = Logs::new();
        let shown = shown(silent(), &logs, &eventful(&logs), RunOutcome::Failed);
        assert_eq!(shown.out, "");
        assert!(!shown.err.contains("✓ api:build"), "{}", shown.err);
        assert!(
            shown
                .err
                .contains("\n✗ api:test@os=linux failed after 3.1s: exit code 1\n")
        );
        assert!(shown.err.ends_with("2 blocked in 4.6s\n"));
    }

    #[test]
    fn stored_output_is_shown_when_wished() {
        let logs = Logs::new();
        let log = logs.write("log", &["stored\n"]);
        let Event::StepFinished(mut step) = executed("a:x", &log) else {
            unreachable!()
        };
        step.outcome = Outcome::FromCache;
        let events = [Event::StepFinished(step)];
        let options = Options {
            replay: true,
            ..Options::default()
        };
        let with = shown(options, &logs, &events, RunOutcome::Ok);
        assert_eq!(with.all, "↓ a:x from cache\nstored\n1 from cache in 4.6s\n");
        let without = shown(Options::default(), &logs, &events, RunOutcome::Ok);
        assert_eq!(without.all, "1 from cache in 4.6s\n");
    }

    #[test]
    fn a_stream_names_the_step_on_every_line() {
        let logs = Logs::new();
        let log = logs.write("log", &["one\ntwo\nthree\nrest"]);
        let events = [
            started("a:x", None),
            output("a:x", "one\ntw"),
            output("b:y", "!50%\r"),
            output("a:x", "o\nthree\nrest"),
            output("b:y", "!100%\n"),
            executed("a:x", &log),
        ];
        let options = Options {
            output: OutputMode::Stream,
            ..Options::default()
        };
        let shown = shown(options, &logs, &events, RunOutcome::Ok);
        insta::assert_snapshot!(shown.all, @r"
        a:x | one
        a:x | two
        a:x | three
        b:y | 100%
        a:x | rest
        ✓ a:x in 1.2s
        1 executed in 4.6s
        ");
        assert_eq!(shown.out, "a:x | one\na:x | two\na:x | three\na:x | rest\n");
    }

    #[test]
    fn with_json_the_text_is_on_standard_error() {
        let logs = Logs::new();
        let options = Options {
            json: true,
            ..Options::default()
        };
        let shown = shown(options, &logs, &eventful(&logs), RunOutcome::Failed);
        assert!(
            shown
                .out
                .lines()
                .all(|line| line.starts_with("{\"event\":\"")),
            "{}",
            shown.out
        );
        assert!(shown.err.contains("compiled 14 files\n"));
    }

    #[test]
    fn github_gets_groups_and_annotations() {
        let logs = Logs::new();
        let options = Options {
            github: true,
            ..Options::default()
        };
        let shown = shown(options, &logs, &eventful(&logs), RunOutcome::Failed);
        assert!(
            shown
                .all
                .starts_with("::group::✓ api:build in 1.2s\ncompiled 14 files\n")
        );
        assert_eq!(shown.all.matches("::endgroup::\n").count(), 2);
        assert!(
            shown
                .err
                .contains("::error title=api%3Atest@os=linux failed::exit code 1\n")
        );
    }

    #[test]
    fn diagnostics_are_shown_as_drawn() {
        let logs = Logs::new();
        let found = Diagnostic {
            rendered: Some("× drawn\n\n".into()),
            ..Diagnostic::default()
        };
        let warning = Diagnostic {
            severity: Severity::Warning,
            message: "odd".into(),
            ..Diagnostic::default()
        };
        let events = [Event::Diagnostic(found), Event::Diagnostic(warning)];
        let text = |options| shown(options, &logs, &events, RunOutcome::Invalid).err;
        assert_eq!(
            text(Options::default()),
            "× drawn\nwarning: odd\nnothing ran: 1 error\n"
        );
        assert_eq!(text(silent()), "× drawn\nnothing ran: 1 error\n");
    }

    #[test]
    fn of_many_failures_the_first_are_told_in_full() {
        let logs = Logs::new();
        let events: Vec<Event> = (0..12)
            .map(|number| Event::StepFinished(failure(&format!("a:{number}")).into()))
            .collect();
        let text = shown(silent(), &logs, &events, RunOutcome::Failed).err;
        assert_eq!(text.matches("✗ a:").count(), 12);
        assert!(text.ends_with("\n\n✗ a:10 failed after 3.1s: exit code 1\n✗ a:11 failed after 3.1s: exit code 1\n12 failed in 4.6s\n"));
    }
}
