//! For the tests of this room: a page to write to, and short names for events.

#![expect(
    clippy::disallowed_methods,
    reason = "tests make their files themselves"
)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::event::{
    Counts, Event, FailureKind, Outcome, Reason, RunFinished, RunOutcome, RunStarted, StepFinished,
    StepOutput, StepStarted, StepWaiting, Stream, VERSION,
};

/// A writer that keeps what is written.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder of logs that goes away with the test.
pub(super) struct Logs(tempfile::TempDir);

impl Logs {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A log of parts: what starts with `!` was printed to standard error.
    pub(super) fn write(&self, name: &str, parts: &[&str]) -> PathBuf {
        let log = self.path().join(name);
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for part in parts {
            let (stream, text) = part.strip_prefix('!').map_or((0, *part), |text| (1, text));
            bytes.extend_from_slice(text.as_bytes());
            records.push(stream);
            records.extend_from_slice(&(text.len() as u64).to_le_bytes());
        }
        std::fs::write(&log, bytes).unwrap();
        std::fs::write(super::streams_path(&log), records).unwrap();
        log
    }
}

pub(super) fn run(instances: usize, jobs: usize) -> Event {
    Event::RunStarted(RunStarted {
        version: VERSION,
        run: "7".into(),
        targets: vec!["all".into()],
        instances,
        jobs,
    })
}

pub(super) fn started(step: &str, expected_ms: Option<u64>) -> Event {
    Event::StepStarted(StepStarted {
        step: step.into(),
        expected_ms,
        interactive: false,
        ..StepStarted::default()
    })
}

pub(super) fn waiting(step: &str, pid: Option<u32>) -> Event {
    Event::StepWaiting(StepWaiting {
        step: step.into(),
        pid,
    })
}

pub(super) fn output(step: &str, text: &str) -> Event {
    let stream = if text.starts_with('!') {
        Stream::Stderr
    } else {
        Stream::Stdout
    };
    let text = text.trim_start_matches('!').to_owned();
    Event::StepOutput(StepOutput {
        step: step.into(),
        stream,
        text,
        base64: None,
    })
}

pub(super) fn finished(step: &str, outcome: Outcome) -> Event {
    Event::StepFinished(StepFinished::new(step, outcome).into())
}

/// A step that ran for 1.2 s and printed.
pub(super) fn executed(step: &str, log: &Path) -> Event {
    let mut step = StepFinished::new(step, Outcome::Executed);
    step.exit_code = Some(0);
    step.duration_ms = 1200;
    step.log = Some(log.display().to_string());
    Event::StepFinished(step.into())
}

pub(super) fn failed(step: &str) -> Event {
    Event::StepFinished(failure(step).into())
}

pub(super) fn failure(step: &str) -> StepFinished {
    let mut step = StepFinished::new(step, Outcome::Failed);
    step.exit_code = Some(1);
    step.failure = Some(FailureKind::Command);
    step.duration_ms = 3100;
    step
}

pub(super) fn blocked(step: &str, by: &str) -> Event {
    let mut step = StepFinished::new(step, Outcome::Blocked);
    step.why = vec![Reason {
        kind: "blocked".into(),
        name: Some(by.into()),
        text: format!("`{by}` did not succeed"),
        ..Reason::default()
    }];
    Event::StepFinished(step.into())
}

pub(super) fn ended(duration_ms: u64) -> Event {
    Event::RunFinished(RunFinished {
        duration_ms,
        ..RunFinished::default()
    })
}

/// The end of a run that had `events`.
pub(super) fn end_of(events: &[Event], outcome: RunOutcome) -> Event {
    let mut counts = Counts::default();
    for event in events {
        if let Event::StepFinished(step) = event {
            counts.add(step.outcome);
        }
    }
    Event::RunFinished(RunFinished {
        outcome,
        counts,
        allowed: 0,
        damaged: 0,
        duration_ms: 4567,
    })
}

/// What a terminal of `columns` shows after `text`, without blanks at the ends of lines.
pub(super) fn screen_of(text: &str, columns: usize) -> String {
    let mut terminal = Terminal {
        columns,
        ..Terminal::default()
    };
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\x1b' => {
                let mut sequence = String::new();
                while !sequence.ends_with(|last: char| last.is_ascii_alphabetic()) {
                    sequence.extend(chars.next());
                }
                terminal.control(sequence.trim_start_matches('['));
            }
            '\n' => terminal.newline(),
            '\r' => terminal.column = 0,
            char => terminal.print(char),
        }
    }
    let lines = terminal
        .lines
        .iter()
        .map(|line| line.iter().collect::<String>());
    let text: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    text.join("\n").trim_end().to_owned()
}

/// A terminal that knows as much as the live view uses. Its screen has no upper end.
#[derive(Default)]
struct Terminal {
    columns: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    /// May be `columns`: the next character wraps.
    column: usize,
}

impl Terminal {
    fn print(&mut self, char: char) {
        if self.column == self.columns {
            self.newline();
        }
        let (row, column, columns) = (self.row, self.column, self.columns);
        if self.lines.len() <= row {
            self.lines.resize(row + 1, Vec::new());
        }
        self.lines[row].resize(columns, ' ');
        self.lines[row][column] = char;
        self.column += 1;
    }

    fn newline(&mut self) {
        self.row += 1;
        self.column = 0;
    }

    fn control(&mut self, sequence: &str) {
        let (count, last) = sequence.split_at(sequence.len() - 1);
        let count = count.parse().unwrap_or(0);
        match last {
            "A" => self.row = self.row.checked_sub(count).expect("inside of the screen"),
            "B" => self.row += count,
            "K" => {
                if let Some(line) = self.lines.get_mut(self.row) {
                    line.fill(' ');
                }
            }
            "h" | "l" | "m" => {}
            _ => panic!("unknown sequence {sequence}"),
        }
    }
}
