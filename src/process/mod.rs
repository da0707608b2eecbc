//! Starting and ending the processes of steps.
//!
//! A step's command is resolved data ([`Command`]); what starts it is a [`Spawner`], so that the
//! helper that owns all processes, and a scripted fake for tests, fit behind one seam. This room
//! knows only `sys`; it knows no step, no log and no event.

mod cancel;
mod ending;
mod exit;
pub mod fake;
mod group;
mod os;
mod program;
mod pty;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use cancel::{Cancel, Level, Listener};
pub use exit::{EndedBy, Exit, NotStarted, Status, signal_name};
pub use os::OsSpawner;
pub use program::{LONGEST_ARGUMENT, find as find_program};

/// What to start, fully resolved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// The program as it was written: a name to be looked for on the `PATH` of `env`, or a path
    /// relative to `dir`.
    pub program: OsString,
    /// Its arguments, without the program itself.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing else is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Its working folder, absolute.
    pub dir: PathBuf,
    /// Processes that it leaves running are left alone.
    pub background: bool,
    /// Its standard streams.
    pub streams: Streams,
}

/// The standard streams of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Streams {
    /// Empty input, and a pipe for each output.
    #[default]
    Pipes,
    /// Empty input, and one terminal of so many columns and rows for both outputs: what comes from
    /// it counts as standard output.
    Terminal(u16, u16),
    /// Those of this process. The command is in this process's group, so that ctrl-C and ctrl-Z
    /// reach it; nothing is captured.
    Inherited,
}

impl Command {
    /// The value of variable `name` in the command's environment.
    pub fn var(&self, name: &str) -> Option<&OsString> {
        self.env
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

/// How long a command may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// After this time it is ended.
    pub timeout: Option<Duration>,
    /// The time between asking it to end (TERM) and ending it (KILL).
    pub grace: Duration,
}

/// Where a command printed something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Who takes what a command prints, piece by piece as it comes. A sink keeps its own errors: a
/// command is never ended because its output could not be kept.
pub trait OutputSink {
    /// Takes the next bytes of `stream`.
    fn take(&mut self, stream: Stream, bytes: &[u8]);
}

/// Starts commands.
pub trait Spawner: Sync {
    /// Runs `command` to its end on the caller's thread and gives its output to `sink`. When
    /// this returns, nothing of the command's process group is left, [`Command::background`] aside.
    fn run(
        &self,
        command: &Command,
        sink: &mut dyn OutputSink,
        limits: Limits,
        cancel: &Cancel,
    ) -> Exit;
}
