//! Finding a program, and telling well why it could not be started.
//!
//! The program is looked for here and not by the system: so what is searched is the step's own
//! `PATH` and folder, and `std` can use `posix_spawn` (with a bare name and another `PATH` it
//! forks, which takes long in a large process). Knows no process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

use super::{Command, NotStarted};

/// A single argument or variable may be so long (Linux takes 128 KiB): a longer script has to go
/// through a file.
pub const LONGEST_ARGUMENT: usize = 120 * 1024;

/// Where `exec` looks when there is no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file of the program `name`: looked for in the folders of `path`, or, where it holds a
/// `/`, relative to `dir`. Relative folders of `path` are relative to `dir` too.
///
/// # Errors
///
/// When there is none, or only one that is not executable.
pub fn find(name: &OsStr, path: Option<&OsStr>, dir: &Path) -> Result<PathBuf, NotStarted> {
    if name.as_bytes().contains(&b'/') {
        return checked(dir.join(name));
    }
    let mut candidates = std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH)))
        .map(|folder| dir.join(folder).join(name))
        .filter(|file| !name.is_empty() && file.is_file());
    let first = candidates
        .next()
        .ok_or_else(|| NotStarted::NotFound(lossy(name)))?;
    if is_executable(&first) {
        return Ok(first);
    }
    candidates
        .find(|file| is_executable(file))
        .ok_or(NotStarted::NotExecutable(first))
}

fn checked(file: PathBuf) -> Result<PathBuf, NotStarted> {
    if is_executable(&file) && file.is_file() {
        return Ok(file);
    }
    Err(if file.exists() {
        NotStarted::NotExecutable(file)
    } else {
        NotStarted::NoFile(lossy(file.as_os_str()))
    })
}

fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, Access::EXEC_OK).is_ok()
}

/// What `error`, which came from starting `command` as `program`, means.
pub(super) fn explain(command: &Command, program: &Path, error: &io::Error) -> NotStarted {
    if !command.dir.is_dir() {
        return NotStarted::NoFolder(command.dir.clone());
    }
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => missing_interpreter(program),
        Some(Errno::NOEXEC) => Some(NotStarted::NotExecutable(program.to_path_buf())),
        Some(Errno::TOOBIG) => Some(NotStarted::TooLong(longest(command))),
        _ => None,
    }
    .unwrap_or_else(|| NotStarted::Other {
        program: lossy(&command.program),
        reason: error.to_string(),
    })
}

/// The program is there and could not be found all the same: the one in its first line is not.
fn missing_interpreter(script: &Path) -> Option<NotStarted> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?.take(256))
        .read_until(b'\n', &mut line)
        .ok()?;
    let words = line.strip_prefix(b"#!")?.trim_ascii_start();
    // A carriage return belongs to the name for the system, too.
    let end = words
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'\n'))
        .unwrap_or(words.len());
    let interpreter = words[..end].escape_ascii().to_string();
    Some(NotStarted::BadInterpreter {
        script: script.to_path_buf(),
        interpreter,
    })
}

/// Names the longest thing that `command` hands over.
fn longest(command: &Command) -> String {
    let args = command
        .args
        .iter()
        .enumerate()
        .map(|(at, arg)| (arg.len(), format!("argument {}", at + 1)));
    let vars = command
        .env
        .iter()
        .map(|(name, value)| (value.len(), format!("the variable `{}`", lossy(name))));
    match args.chain(vars).max() {
        Some((len, what)) if len > LONGEST_ARGUMENT => format!("{what} is {} KiB long", len / 1024),
        _ => format!("{} KiB in all", total(command) / 1024),
    }
}

fn total(command: &Command) -> usize {
    let vars = command
        .env
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2);
    command
        .args
        .iter()
        .map(|arg: &OsString| arg.len() + 1)
        .chain(vars)
        .sum()
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}
