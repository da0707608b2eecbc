//! A run on a terminal: what runs, a bar, and the plain lines scrolling above.
//!
//! Events are only collected as they come; at most ten times a second what they have to say is
//! told by [`Plain`] above the view, and the view is drawn anew, all in one write. Nothing is drawn
//! before the first command starts, so a run that has nothing to do shows its summary only. What
//! the view shows is a pure function of [`RunView`]; indicatif places it on the screen.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::duration::human;
use super::lines;
use super::lines::cut;
use super::outlet::SharedOutlet;
use super::plain::Plain;
use super::style::{BAR_DONE, BAR_REST, Paint};
use super::view::{RunView, Running};
use super::{Options, Screen};
use crate::event::{Event, Outcome, Sink, Stream};

/// The time from one drawing to the next.
const FRAME: Duration = Duration::from_millis(100);

/// More is not kept waiting for the next frame, so that memory stays flat.
const WAITING: usize = 1000;

/// The length of the bar.
const BAR: usize = 24;

/// Terminals show what is written between these at once, or ignore them.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

/// Columns and rows where the terminal does not tell.
const USUAL: (u16, u16) = (80, 24);

/// Draws a run.
pub(super) struct Live {
    options: Arc<Options>,
    outlet: SharedOutlet,
    plain: Plain,
    view: RunView,
    /// What is on the screen, from the first command on.
    bar: Option<ProgressBar>,
    waiting: Vec<Event>,
    /// The step that has the terminal: nothing is written meanwhile.
    lent_to: Option<String>,
    drawn: Duration,
}

impl Sink for Live {
    fn take(&mut self, event: &Event) {
        let now = (self.options.clock)();
        self.view.fold(event, now);
        match event {
            Event::RunFinished(_) => self.end(event),
            Event::StepStarted(step) if step.interactive => {
                self.lent_to = Some(step.step.clone());
                self.end(event);
            }
            Event::StepFinished(step) if self.lent_to.as_ref() == Some(&step.step) => {
                self.lent_to = None;
                self.end(event);
            }
            _ if self.lent_to.is_some() => self.waiting.push(event.clone()),
            Event::StepStarted(_) | Event::StepWaiting(_) if self.bar.is_none() => {
                self.begin(event, now);
            }
            _ if self.bar.is_none() => self.plain.take(event),
            _ => {
                self.waiting.push(event.clone());
                self.frame_if_due(now);
            }
        }
    }

    fn tick(&mut self) {
        if self.bar.is_some() {
            self.frame_if_due((self.options.clock)());
        }
    }
}

impl Live {
    pub(super) fn new(options: Arc<Options>, outlet: SharedOutlet) -> Self {
        let plain = Plain::new(options.clone(), outlet.clone());
        let view = RunView::default();
        Self {
            options,
            outlet,
            plain,
            view,
            bar: None,
            waiting: Vec::new(),
            lent_to: None,
            drawn: Duration::ZERO,
        }
    }

    fn begin(&mut self, event: &Event, now: Duration) {
        let device = Device {
            screen: self.options.screen.clone(),
            outlet: self.outlet.clone(),
        };
        let bar =
            ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(device)));
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        self.bar = Some(bar);
        self.plain.tell(event);
        // The first picture comes a frame later: short runs do not flicker.
        self.drawn = now;
    }

    fn frame_if_due(&mut self, now: Duration) {
        if now.saturating_sub(self.drawn) >= FRAME || self.waiting.len() >= WAITING {
            self.frame(now);
        }
    }

    fn frame(&mut self, now: Duration) {
        let Some(bar) = &self.bar else { return };
        self.outlet.lock().say(BEGIN_UPDATE);
        let loud = self.waiting.iter().any(|event| self.plain.speaks_of(event));
        let (plain, waiting) = (&mut self.plain, &mut self.waiting);
        let mut tell = || waiting.drain(..).for_each(|event| plain.tell(&event));
        if loud {
            bar.suspend(tell);
        } else {
            tell();
        }
        let (columns, rows) = size(&self.options.screen);
        let paint = Paint {
            color: self.options.color,
        };
        bar.set_message(
            Frame {
                view: &self.view,
                now,
                columns: columns.into(),
                paint,
            }
            .draw(rows.into()),
        );
        let mut outlet = self.outlet.lock();
        outlet.say(END_UPDATE);
        outlet.flush();
        self.drawn = now;
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Tells all there is to tell; the view comes back with the next command.
    fn end(&mut self, event: &Event) {
        self.clear();
        self.waiting
            .drain(..)
            .for_each(|event| self.plain.tell(&event));
        self.plain.take(event);
    }
}

impl Drop for Live {
    /// Leaves nothing on the screen, whatever ended the run.
    fn drop(&mut self) {
        self.clear();
        self.waiting
            .drain(..)
            .for_each(|event| self.plain.tell(&event));
        self.outlet.lock().flush();
    }
}

/// The size of the terminal, which may not know it itself.
fn size(screen: &Screen) -> (u16, u16) {
    match screen() {
        (0, _) | (_, 0) => USUAL,
        size => size,
    }
}

/// One picture of a run.
struct Frame<'a> {
    view: &'a RunView,
    now: Duration,
    columns: usize,
    paint: Paint,
}

impl Frame<'_> {
    /// As many running steps as fit, and the bar.
    fn draw(&self, rows: usize) -> String {
        let running = &self.view.running;
        // The bar, a line for what does not fit, and one of the lines above.
        let room = rows.saturating_sub(3).max(1);
        let shown = &running[..running.len().min(room)];
        let names = shown
            .iter()
            .map(|step| step.step.chars().count())
            .max()
            .unwrap_or(0);
        let names = names.min(self.columns.saturating_sub(24));
        let mut lines: Vec<String> = shown.iter().map(|step| self.running(step, names)).collect();
        if shown.len() < running.len() {
            lines.push(
                self.paint
                    .dim(&format!("  +{} more", running.len() - shown.len())),
            );
        }
        lines.push(self.bar());
        lines.join("\n")
    }

    fn running(&self, step: &Running, names: usize) -> String {
        let elapsed = human(self.now.saturating_sub(step.started));
        let of = step
            .expected
            .map(|expected| format!(" of ~{}", human(expected)));
        let attempt = step
            .attempt
            .map(|(attempt, of)| format!(", attempt {attempt} of {of}"));
        let elsewhere = step
            .elsewhere
            .map(|pid| format!(", {}", lines::waiting_for(pid)));
        let more = [of, attempt, elsewhere]
            .map(Option::unwrap_or_default)
            .concat();
        let name = format!("{:names$}", cut(&step.step, names));
        format!(
            "  {}  {elapsed}{}",
            self.paint.name(&name),
            self.paint.dim(&more)
        )
    }

    fn bar(&self) -> String {
        let (done, total) = (self.view.done(), self.view.total.max(self.view.done()));
        let width = BAR.min(self.columns / 4);
        let filled = (width * done).checked_div(total).unwrap_or(0);
        let rest = format!(" {done}/{total}{}{}", self.counts(), self.left());
        let rest = cut(&rest, self.columns.saturating_sub(width + 3));
        let bar = self.paint.good(&BAR_DONE.repeat(filled));
        format!(
            "  {bar}{}{rest}",
            self.paint.dim(&BAR_REST.repeat(width - filled))
        )
    }

    fn counts(&self) -> String {
        let count = |outcome| (self.view.counts.of(outcome), outcome);
        Outcome::ALL
            .into_iter()
            .map(count)
            .filter(|(count, _)| *count > 0)
            .map(|(count, outcome)| format!(", {count} {}", outcome.words()))
            .collect()
    }

    fn left(&self) -> String {
        match self.view.estimate(self.now) {
            Some(left) if left >= Duration::from_secs(1) => format!(", ~{} left", human(left)),
            _ => String::new(),
        }
    }
}

/// The terminal as indicatif sees it: the outlet, which others write to as well.
struct Device {
    screen: Screen,
    outlet: SharedOutlet,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device")
    }
}

impl Device {
    fn write(&self, text: &str) -> io::Result<()> {
        self.outlet
            .lock()
            .to(Stream::Stderr)
            .write_all(text.as_bytes())
    }

    fn go(&self, count: usize, direction: char) -> io::Result<()> {
        // Zero would be taken for one.
        if count == 0 {
            Ok(())
        } else {
            self.write(&format!("\x1b[{count}{direction}"))
        }
    }
}

impl TermLike for Device {
    fn width(&self) -> u16 {
        size(&self.screen).0
    }

    fn height(&self) -> u16 {
        size(&self.screen).1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.write(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write("\r\x1b[2K")
    }

    /// A frame is flushed as a whole.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::Frame;
    use crate::event::{Event, Outcome, RunOutcome, Sink};
    use crate::report::style::Paint;
    use crate::report::testing::{
        Logs, Page, end_of, executed, finished, run, screen_of, started, waiting,
    };
    use crate::report::view::RunView;
    use crate::report::{Options, sinks};

    const SIZE: (u16, u16) = (40, 12);

    /// A live view whose clock and terminal the test holds.
    struct Stage {
        page: Page,
        clock: Arc<AtomicU64>,
        sink: Box<dyn Sink>,
    }

    impl Stage {
        fn new() -> Self {
            let (page, clock) = (Page::default(), Arc::new(AtomicU64::new(0)));
            let time = clock.clone();
            let options = Options {
                terminal: true,
                stdout_terminal: true,
                screen: Arc::new(|| SIZE),
                clock: Arc::new(move || Duration::from_millis(time.load(Ordering::Relaxed))),
                ..Options::default()
            };
            let mut sinks = sinks(options, Box::new(page.clone()), Box::new(page.clone()));
            Self {
                page,
                clock,
                sink: sinks.remove(0),
            }
        }

        fn take(&mut self, events: &[Event]) {
            events.iter().for_each(|event| self.sink.take(event));
        }

        fn tick(&mut self, ms: u64) {
            self.clock.fetch_add(ms, Ordering::Relaxed);
            self.sink.tick();
        }

        fn screen(&self) -> String {
            screen_of(&self.page.text(), SIZE.0.into())
        }
    }

    #[test]
    fn what_runs_elsewhere_is_waited_for() {
        let mut stage = Stage::new();
        stage.take(&[run(2, 2), waiting("a:x", Some(7)), waiting("a:y", None)]);
        stage.tick(1200);
        insta::assert_snapshot!(stage.screen(), @r"
          a:x  1.2s, waiting for process 7
          a:y  1.2s, waiting for an equal step
          ┄┄┄┄┄┄┄┄┄┄ 0/2
        ");
        stage.take(&[finished("a:x", Outcome::FromCache), started("a:y", None)]);
        stage.tick(500);
        insta::assert_snapshot!(stage.screen(), @r"
          a:y  0.5s
          ━━━━━┄┄┄┄┄ 1/2, 1 from cache
        ");
    }

    #[test]
    fn what_runs_is_below_and_what_ended_scrolls_above() {
        let logs = Logs::new();
        let log = logs.write("log", &["compiled\n", "!warning\n"]);
        let mut stage = Stage::new();
        stage.take(&[
            run(4, 2),
            started("api:build", Some(9000)),
            started("web:bundle", None),
        ]);
        stage.tick(1200);
        insta::assert_snapshot!(stage.screen(), @r"
          api:build   1.2s of ~9.0s
          web:bundle  1.2s
          ┄┄┄┄┄┄┄┄┄┄ 0/4
        ");
        stage.take(&[
            executed("web:bundle", &log),
            finished("a:x", Outcome::UpToDate),
        ]);
        stage.tick(500);
        insta::assert_snapshot!(stage.screen(), @r"
        ✓ web:bundle in 1.2s
        compiled
        warning
          api:build  1.7s of ~9.0s
          ━━━━━┄┄┄┄┄ 2/4, 1 executed, 1 up to …
        ");
        let events = [executed("api:build", &log)];
        stage.take(&events);
        stage.take(&[end_of(&events, RunOutcome::Ok)]);
        insta::assert_snapshot!(stage.screen(), @r"
        ✓ web:bundle in 1.2s
        compiled
        warning
        ✓ api:build in 1.2s
        compiled
        warning
        1 executed in 4.6s
        ");
    }

    #[test]
    fn a_run_with_nothing_to_do_draws_nothing() {
        let mut stage = Stage::new();
        let events: Vec<Event> = (0..50)
            .map(|at| finished(&format!("a:{at}"), Outcome::UpToDate))
            .collect();
        stage.take(&events);
        stage.tick(1000);
        stage.take(&[end_of(&events, RunOutcome::Ok)]);
        assert_eq!(stage.page.text(), "50 up to date in 4.6s\n");
    }

    #[test]
    fn a_run_that_breaks_off_leaves_nothing_on_the_screen() {
        let mut stage = Stage::new();
        stage.take(&[run(1, 1), started("a:x", None)]);
        stage.tick(1000);
        assert_ne!(stage.screen(), "");
        let Stage { page, sink, .. } = stage;
        drop(sink);
        assert_eq!(screen_of(&page.text(), SIZE.0.into()), "");
    }

    #[test]
    fn there_are_no_more_than_ten_drawings_a_second() {
        let mut stage = Stage::new();
        stage.take(&[run(2000, 1), started("a:slow", None)]);
        for at in 0..1000 {
            stage.take(&[finished(&format!("a:{at}"), Outcome::Executed)]);
            stage.tick(1);
        }
        let drawings = stage.page.text().matches(super::BEGIN_UPDATE).count();
        assert_eq!(drawings, 10);
        assert_eq!(
            stage
                .screen()
                .lines()
                .filter(|line| line.starts_with('✓'))
                .count(),
            1000
        );
    }

    #[test]
    fn many_running_steps_fit_the_screen() {
        let mut view = RunView {
            total: 40,
            ..RunView::default()
        };
        for at in 0..20 {
            view.fold(
                &started(&format!("pkg{at}:a-step-with-quite-a-name"), None),
                Duration::ZERO,
            );
        }
        let now = Duration::from_secs(63);
        let frame = Frame {
            view: &view,
            now,
            columns: 40,
            paint: Paint::default(),
        };
        insta::assert_snapshot!(frame.draw(6), @r"
          pkg0:a-step-wit…  1m 03s
          pkg1:a-step-wit…  1m 03s
          pkg2:a-step-wit…  1m 03s
          +17 more
          ┄┄┄┄┄┄┄┄┄┄ 0/40
        ");
        for (columns, rows) in [(0, 0), (1, 1), (10, 2)] {
            Frame {
                view: &view,
                now,
                columns,
                paint: Paint::default(),
            }
            .draw(rows);
        }
    }
}
