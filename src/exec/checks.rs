//! Checks: what must hold before a step's command (`requires`) and after it (`verify`).
//!
//! A check is tried; with `within` it is tried again until that time is over. What the command of
//! a failed check printed goes to the step's log; of one that holds nothing is kept. The checks of
//! a step are made at its turn.

use std::fs::File;
use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use regex::bytes::Regex;
use semver::{Version, VersionReq};

use super::environment::Variables;
use super::http::{Proxies, Request};
use super::scripts::Surroundings;
use crate::expand::Template;
use crate::path::RelPath;
use crate::plan::{Check, CheckKind};
use crate::process::{Cancel, Command, Limits, OutputSink, Spawner, Status, Stream, find_program};
use crate::sys::clock;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// So much of what a command prints, or of a file, is looked through.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// Makes the checks of one step.
pub(super) struct Checker<'a> {
    /// The step's folder, environment and shell.
    pub(super) around: &'a Surroundings<'a>,
    /// The caller's environment, for variables that must be set.
    pub(super) caller: &'a Variables,
    /// What starts commands.
    pub(super) spawner: &'a dyn Spawner,
    /// Ends it all.
    pub(super) cancel: &'a Cancel,
}

/// A check does not hold.
pub(super) struct Complaint {
    pub(super) text: String,
    /// What its command printed, or its URL answered.
    pub(super) printed: Vec<u8>,
}

impl From<String> for Complaint {
    fn from(text: String) -> Self {
        Self {
            text,
            printed: Vec::new(),
        }
    }
}

impl Checker<'_> {
    /// Whether all of `checks` hold, in order; else all that do not, in words. After the first of
    /// them nothing is waited for any more, so what may take its time is not tried.
    pub(super) fn hold(&self, checks: &[Check], log: &mut dyn OutputSink) -> Result<(), String> {
        let mut complaints: Vec<String> = Vec::new();
        for check in checks {
            if !complaints.is_empty() && (check.within.is_some() || self.cancel.is_cancelled()) {
                continue;
            }
            let filled = check.filled(&self.around.late);
            let held = match &filled {
                Ok(check) => self.within(check),
                Err(error) => Err(error.to_string().into()),
            };
            if let Err(complaint) = held {
                log.take(Stream::Stderr, &complaint.printed);
                let message = filled.ok().and_then(|check| check.message);
                complaints.push(message.unwrap_or(complaint.text));
            }
        }
        match complaints.is_empty() {
            true => Ok(()),
            false => Err(complaints.join("; ")),
        }
    }

    fn within(&self, check: &Check) -> Result<(), Complaint> {
        let end = check
            .within
            .and_then(|within| clock::now().checked_add(within));
        loop {
            let result = self.once(check);
            let is_over = end.is_none_or(|end| clock::now() + PAUSE > end);
            if result.is_ok() || is_over || self.cancel.wait(PAUSE) {
                return result;
            }
        }
    }

    fn once(&self, check: &Check) -> Result<(), Complaint> {
        match &check.kind {
            CheckKind::File {
                path,
                min_size,
                max_size,
                executable,
                matches,
            } => {
                let file = self.file(path)?;
                size(path, file.len(), *min_size, *max_size)?;
                mode(path, file.permissions().mode() & 0o111 != 0, *executable)?;
                matches
                    .as_ref()
                    .map_or(Ok(()), |pattern| self.file_matches(path, pattern))
            }
            CheckKind::Run {
                script,
                matches,
                not_matches,
            } => {
                let script = script
                    .fill(&self.around.late)
                    .map_err(|error| error.to_string())?;
                let command = self.script(&script)?;
                let printed = self.run(&command, check, &format!("`{}`", first_line(&script)))?;
                printed_matches(&script, printed, matches.as_deref(), not_matches.as_deref())
            }
            CheckKind::Env { name } => self.variable(name),
            CheckKind::Tool {
                name,
                version,
                command,
            } => self.tool(name, version.as_deref(), command.as_ref(), check),
            CheckKind::Tcp { address } => {
                let (address, timeout) = (address.clone(), check.timeout);
                self.apart(move || listens(&address, timeout))?
            }
            CheckKind::Http {
                url,
                status,
                matches,
            } => {
                let request = Request {
                    url: url.clone(),
                    proxies: Proxies::of(&self.around.variables),
                    timeout: check.timeout,
                    status: status.clone(),
                    wants_body: matches.is_some(),
                };
                let answer = self.apart(move || request.get())??;
                answer_matches(url, answer, matches.as_deref())
            }
        }
    }

    fn file(&self, path: &RelPath) -> Result<std::fs::Metadata, Complaint> {
        let found = std::fs::metadata(path.under(self.around.root));
        found.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("file `{path}` does not exist").into(),
            _ => format!("file `{path}`: {error}").into(),
        })
    }

    fn file_matches(&self, path: &RelPath, pattern: &str) -> Result<(), Complaint> {
        let mut text = Vec::new();
        if !self.file(path)?.is_file() {
            return Err(format!("`{path}` is no regular file").into());
        }
        let file = File::open(path.under(self.around.root));
        let read = file.and_then(|file| file.take(MOST as u64).read_to_end(&mut text));
        read.map_err(|error| format!("file `{path}`: {error}"))?;
        match regex(pattern)?.is_match(without_line_end(&text)) {
            true => Ok(()),
            false => Err(format!("file `{path}` does not match `{pattern}`").into()),
        }
    }

    fn variable(&self, name: &str) -> Result<(), Complaint> {
        let is_set = |variables: &Variables| variables.contains_key(std::ffi::OsStr::new(name));
        match is_set(&self.around.variables) || is_set(self.caller) {
            true => Ok(()),
            false => Err(format!("the variable `{name}` is not set").into()),
        }
    }

    /// Does what cannot be interrupted on a thread of its own: the end of the run does not wait.
    fn apart<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Complaint> {
        let (sender, receiver) = channel();
        std::thread::Builder::new()
            .name("check".to_owned())
            .spawn(move || sender.send(ask()))
            .map_err(|error| format!("no thread for the check: {error}"))?;
        loop {
            match receiver.recv_timeout(PAUSE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !self.cancel.is_cancelled() => {}
                Err(_) => return Err("nobody waited for its answer".to_owned().into()),
            }
        }
    }

    fn tool(
        &self,
        name: &str,
        wanted: Option<&str>,
        by: Option<&Template>,
        check: &Check,
    ) -> Result<(), Complaint> {
        let mut command = self.around.bare();
        let found = find_program(
            name.as_ref(),
            command.var("PATH").map(AsRef::as_ref),
            &command.dir,
        );
        let program = found.map_err(|why| why.to_string())?;
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let request =
            VersionReq::parse(wanted).map_err(|error| format!("version `{wanted}`: {error}"))?;
        command.program = program.into_os_string();
        command.args = vec!["--version".into()];
        let mut asked = format!("{name} --version");
        if let Some(by) = by {
            asked = by
                .fill(&self.around.late)
                .map_err(|error| error.to_string())?;
            command = self.script(&asked)?;
            asked = first_line(&asked).to_owned();
        }
        let printed = self.run(&command, check, &format!("`{asked}`"))?;
        match version_in(&printed) {
            Some(version) if request.matches(&version) => Ok(()),
            Some(version) => {
                Err(format!("`{name}` is version {version}, wanted is `{wanted}`").into())
            }
            None => Err(Complaint {
                text: format!("`{asked}` names no version"),
                printed,
            }),
        }
    }

    fn script(&self, script: &str) -> Result<Command, Complaint> {
        let command = self.around.command(script, "check");
        command.map_err(|error| error.to_string().into())
    }

    /// What a command that exits 0 printed.
    fn run(&self, command: &Command, check: &Check, name: &str) -> Result<Vec<u8>, Complaint> {
        let mut printed = Printed(Vec::new());
        let limits = Limits {
            timeout: Some(check.timeout),
            grace: self.around.step.grace,
        };
        let exit = self.spawner.run(command, &mut printed, limits, self.cancel);
        let text = match exit.status {
            _ if exit.is_success() => return Ok(printed.0),
            _ if exit.ended_by.is_some() => format!(
                "{name} took longer than {}",
                humantime::format_duration(check.timeout)
            ),
            Status::NotStarted(why) => why.to_string(),
            status => format!("{name} failed: {status}"),
        };
        Err(Complaint {
            text,
            printed: printed.0,
        })
    }
}

/// Keeps what a check's command prints, up to a point.
struct Printed(Vec<u8>);

impl OutputSink for Printed {
    fn take(&mut self, _: Stream, bytes: &[u8]) {
        let room = MOST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn size(path: &RelPath, len: u64, min: Option<u64>, max: Option<u64>) -> Result<(), Complaint> {
    match (min, max) {
        (Some(min), _) if len < min => {
            Err(format!("file `{path}` has {len} bytes, at least {min} are wanted").into())
        }
        (_, Some(max)) if len > max => {
            Err(format!("file `{path}` has {len} bytes, at most {max} are wanted").into())
        }
        _ => Ok(()),
    }
}

fn mode(path: &RelPath, is_executable: bool, wanted: Option<bool>) -> Result<(), Complaint> {
    match wanted {
        Some(true) if !is_executable => Err(format!("file `{path}` is not executable").into()),
        Some(false) if is_executable => Err(format!("file `{path}` is executable").into()),
        _ => Ok(()),
    }
}

/// The last line's end is no part of the text that people write patterns for.
fn without_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn printed_matches(
    script: &str,
    printed: Vec<u8>,
    matches: Option<&str>,
    not_matches: Option<&str>,
) -> Result<(), Complaint> {
    for (pattern, wanted) in [(matches, true), (not_matches, false)] {
        let Some(pattern) = pattern else { continue };
        if regex(pattern)?.is_match(without_line_end(&printed)) != wanted {
            let verb = if wanted { "does not match" } else { "matches" };
            let text = format!("what `{}` printed {verb} `{pattern}`", first_line(script));
            return Err(Complaint { text, printed });
        }
    }
    Ok(())
}

fn answer_matches(url: &str, answer: Vec<u8>, pattern: Option<&str>) -> Result<(), Complaint> {
    match pattern {
        Some(pattern) if !regex(pattern)?.is_match(without_line_end(&answer)) => Err(Complaint {
            text: format!("what `{url}` answers does not match `{pattern}`"),
            printed: answer,
        }),
        _ => Ok(()),
    }
}

fn listens(address: &str, timeout: Duration) -> Result<(), Complaint> {
    let addresses = address
        .to_socket_addrs()
        .map_err(|error| match is_address(address) {
            true => format!("`{address}` cannot be found: {error}"),
            false => {
                format!("`{address}` is no address: write `host:port`, such as `localhost:8080`")
            }
        })?;
    let mut error = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(_) => return Ok(()),
            Err(why) => error = Some(why),
        }
    }
    let why = error.map_or_else(|| "no such address".to_owned(), |error| error.to_string());
    Err(format!("nothing listens at `{address}`: {why}").into())
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn regex(pattern: &str) -> Result<Regex, Complaint> {
    Regex::new(pattern)
        .map_err(|error| format!("the regular expression `{pattern}`: {error}").into())
}

/// The first version-like word: `1.2.3`, `v1.2`, and where there is none a number alone. What may
/// follow it (`-rc1`, `-14ubuntu`) is left out, since distributions put all kinds of things there.
pub(super) fn version_in(printed: &[u8]) -> Option<Version> {
    let number = |pattern: &str| {
        let found = Regex::new(pattern).ok()?.captures(printed)?;
        let part = |at: usize| match found.get(at) {
            None => Some(0),
            Some(digits) => std::str::from_utf8(digits.as_bytes()).ok()?.parse().ok(),
        };
        Some(Version::new(part(1)?, part(2)?, part(3)?))
    };
    number(r"(?:^|[^0-9.])([0-9]+)\.([0-9]+)(?:\.([0-9]+))?")
        .or_else(|| number(r"(?:^|[\s(])v?([0-9]+)(?:$|[\s),])"))
}

fn first_line(script: &str) -> &str {
    script.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
