//! Scripted commands for tests: no process, no time. What a command would do is a function of the
//! command; how long it took is only said, so a time limit strikes at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Cancel, Command, EndedBy, Exit, Limits, OutputSink, Spawner, Status, Stream};

/// What a scripted command does.
#[derive(Clone, Debug)]
pub struct Act {
    /// What it prints, in order.
    pub output: Vec<(Stream, Vec<u8>)>,
    /// How it ends.
    pub status: Status,
    /// How long it takes on the virtual clock.
    pub duration: Duration,
}

impl Act {
    /// Ends with `code`, at once and silently.
    pub fn exit(code: i32) -> Self {
        Self {
            output: Vec::new(),
            status: Status::Code(code),
            duration: Duration::from_millis(1),
        }
    }

    /// Prints `text` before it ends.
    #[must_use]
    pub fn prints(mut self, stream: Stream, text: impl Into<Vec<u8>>) -> Self {
        self.output.push((stream, text.into()));
        self
    }

    /// Takes this long.
    #[must_use]
    pub fn takes(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }
}

/// Plays commands instead of starting them.
pub struct FakeSpawner<F> {
    play: F,
    played: Mutex<Vec<Command>>,
    running: AtomicUsize,
    peak: AtomicUsize,
}

impl<F: Fn(&Command) -> Act + Sync> FakeSpawner<F> {
    /// `play` is asked once for each command, on the command's thread; it may write the files that
    /// the command would make, and it may wait for whatever the test wants.
    pub fn new(play: F) -> Self {
        Self {
            play,
            played: Mutex::default(),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// All commands so far, in the order in which they were started.
    pub fn played(&self) -> Vec<Command> {
        self.played
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The scripts so far, in the order in which they were started, with how often each was.
    pub fn scripts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for script in self.played().iter().filter_map(script_of) {
            *counts.entry(script).or_default() += 1;
        }
        counts
    }

    /// The largest number of commands that ran at the same time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

/// The script of a `sh -e -c SCRIPT NAME` command: the argument after the last option, without the
/// `exec` by which a shell becomes the command.
pub fn script_of(command: &Command) -> Option<String> {
    let script = command
        .args
        .iter()
        .find(|arg| !arg.as_encoded_bytes().starts_with(b"-"))?;
    let script = script.to_string_lossy();
    Some(script.strip_prefix("exec ").unwrap_or(&script).to_owned())
}

impl<F: Fn(&Command) -> Act + Sync> Spawner for FakeSpawner<F> {
    fn run(
        &self,
        command: &Command,
        sink: &mut dyn OutputSink,
        limits: Limits,
        cancel: &Cancel,
    ) -> Exit {
        self.peak.fetch_max(
            self.running.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        self.played
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command.clone());
        let act = (self.play)(command);
        for (stream, bytes) in &act.output {
            sink.take(*stream, bytes);
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        end(act, limits, cancel)
    }
}

fn end(act: Act, limits: Limits, cancel: &Cancel) -> Exit {
    let ended_by = match limits.timeout {
        _ if cancel.is_cancelled() => Some((EndedBy::Cancel, act.duration)),
        Some(timeout) if act.duration > timeout => Some((EndedBy::Timeout, timeout)),
        _ => None,
    };
    match ended_by {
        Some((by, duration)) => Exit {
            ended_by: Some(by),
            ..Exit::new(Status::Signal(TERM), duration)
        },
        None => Exit::new(act.status, act.duration),
    }
}

/// The number of SIGTERM.
const TERM: i32 = rustix::process::Signal::TERM.as_raw();
