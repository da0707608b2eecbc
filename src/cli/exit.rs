//! Exit codes: a documented part of the interface (docs/running.md).

use clap::error::ErrorKind;

use super::output;

/// How `pipe` ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: all good.
    Good,
    /// 1: a step failed, or `-q` found work.
    Failed,
    /// 2: the command line or a pipeline file is wrong, or the workspace cannot be used.
    Invalid,
    /// 128 + N: ended by signal N.
    Signal(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Signal(code) => code,
        }
    }
}

/// Shows clap's help, version or complaint.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::out(&text.ansi().to_string());
            Exit::Good
        }
        _ => {
            output::err(&text.ansi().to_string());
            Exit::Invalid
        }
    }
}

/// `pipe prod`: the command was left out.
pub(super) fn no_command(words: &str) -> Exit {
    output::err(&format!(
        "error: `{words}` is not a command of pipe\n\n  help: `pipe run {words}` runs a target of that name\n"
    ));
    Exit::Invalid
}

/// Something that has no place in a file.
pub(super) fn refuse(message: &str) -> Exit {
    output::err(&format!("error: {message}\n"));
    Exit::Invalid
}
