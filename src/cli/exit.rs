//! Exit codes: a documented part of the interface (docs/running.md).

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{args, output};
use crate::suggest::printable;

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
    match (error.kind(), unknown_option(error)) {
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
            output::out(&text.ansi().to_string());
            Exit::Good
        }
        (_, Some(message)) => {
            output::err(&printable(&message));
            Exit::Invalid
        }
        _ => {
            output::err(&text.ansi().to_string());
            Exit::Invalid
        }
    }
}

/// What to say of an option that does not exist: it is rarely meant for a step, as clap's tip has it.
fn unknown_option(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)
        .filter(|option| error.kind() == ErrorKind::UnknownArgument && option.starts_with('-'))?;
    let usage = text(ContextKind::Usage).unwrap_or_default();
    let command: Vec<&str> = usage
        .trim_start_matches("Usage:")
        .split_whitespace()
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
        .collect();
    let command = command.join(" ");
    let help = match text(ContextKind::SuggestedArg) {
        Some(option) => format!("did you mean `{option}`?"),
        None => format!("`{command} --help` lists its options"),
    };
    Some(format!(
        "error: `{option}` is not an option of `{command}`\n\n  help: {help}\n"
    ))
}

/// `pipe prod`: the command was left out.
pub(super) fn no_command(words: &[String]) -> Exit {
    let (first, all) = (words.first().map_or("", String::as_str), words.join(" "));
    let meant = match args::command_like(first) {
        Some(command) => format!("did you mean `pipe {command}`? "),
        None => String::new(),
    };
    output::err(&printable(&format!(
        "error: `{first}` is not a command of pipe\n\n  help: {meant}`pipe run {all}` runs a target of that name\n"
    )));
    Exit::Invalid
}

/// Something that has no place in a file.
pub(super) fn refuse(message: &str) -> Exit {
    output::err(&format!("error: {}\n", printable(message)));
    Exit::Invalid
}
