//! How a command ended. Plain data; knows no process.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The end of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// What the operating system says.
    pub status: Status,
    /// Who ended it, where it did not end by itself.
    pub ended_by: Option<EndedBy>,
    /// From start to end.
    pub duration: Duration,
    /// User and system time of it and of those of its children that it waited for; `None` where
    /// the system does not tell.
    pub cpu: Option<Duration>,
    /// Peak resident memory in bytes; `None` where the system does not tell.
    pub max_rss: Option<u64>,
    /// What a person should know: processes that it left behind.
    pub warnings: Vec<String>,
}

/// What the operating system says of an ended command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It could not be started.
    NotStarted(NotStarted),
}

/// Who ended a command that did not end by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndedBy {
    /// Its time limit.
    Timeout,
    /// The end of the whole run.
    Cancel,
}

/// Why a command could not be started.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotStarted {
    /// There is no such program.
    #[error("`{0}` was not found on the step's PATH")]
    NotFound(String),
    /// There is no such file.
    #[error("`{0}` does not exist")]
    NoFile(String),
    /// It is there, but is no program.
    #[error("`{}` is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// It is a script whose first line names a program that is not there.
    #[error("`{}` wants the interpreter `{interpreter}`, which does not exist{}", script.display(), carriage_return(interpreter))]
    BadInterpreter {
        /// The script.
        script: PathBuf,
        /// What its first line names, with control characters escaped.
        interpreter: String,
    },
    /// The working folder is not there.
    #[error("the folder `{}` does not exist", .0.display())]
    NoFolder(PathBuf),
    /// Arguments and environment are more than the system takes.
    #[error("the argument list is too long: {0}")]
    TooLong(String),
    /// All else.
    #[error("`{program}` could not be started: {reason}")]
    Other {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
}

fn carriage_return(interpreter: &str) -> &'static str {
    if interpreter.ends_with("\\r") {
        " (the file has Windows line endings)"
    } else {
        ""
    }
}

impl Exit {
    /// A command that ended by itself after `duration`, of which nothing else is known.
    pub fn new(status: Status, duration: Duration) -> Self {
        Self {
            status,
            ended_by: None,
            duration,
            cpu: None,
            max_rss: None,
            warnings: Vec::new(),
        }
    }

    /// A command that never ran.
    pub fn not_started(why: NotStarted) -> Self {
        Self::new(Status::NotStarted(why), Duration::ZERO)
    }

    /// Whether it exited with code 0, by itself.
    pub fn is_success(&self) -> bool {
        self.status == Status::Code(0) && self.ended_by.is_none()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "ended by {}", signal_name(*number)),
            Self::NotStarted(why) => why.fmt(f),
        }
    }
}

/// The name of a signal (`SIGKILL`), or its number where it has no name of its own.
pub fn signal_name(number: i32) -> String {
    use rustix::process::Signal;
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names
        .iter()
        .find(|(signal, _)| signal.as_raw() == number)
        .map_or_else(
            || format!("signal {number}"),
            |(_, name)| (*name).to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_know() {
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(63), "signal 63");
        assert_eq!(Status::Signal(15).to_string(), "ended by SIGTERM");
    }

    #[test]
    fn windows_line_endings_are_named() {
        let script = PathBuf::from("x.sh");
        let why = NotStarted::BadInterpreter {
            script,
            interpreter: "/bin/sh\\r".to_owned(),
        };
        assert!(why.to_string().contains("Windows line endings"), "{why}");
    }
}
