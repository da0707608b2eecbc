//! `tools`: commands whose output is part of a step's key, `{ go: go version }`.
//!
//! What one printed is remembered as long as everything that can change the answer is the same: the
//! command, its folder, the declared variables and `PATH`, the program behind the name, and files
//! that it is given. Where that cannot be told, since the program only finds another one ([`SHIMS`],
//! and every script) or the command is more than one program with plain arguments, it is asked
//! once a run.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::environment::{Caller, Variables, environment};
use super::mask::Forms;
use super::simple::as_exec;
use crate::cache::{Cache, Prepared, Probe, ProbeKey};
use crate::plan::PlanStep;
use crate::process::{Cancel, Command, Limits, OutputSink, Spawner, Status, Stream, find_program};

/// The longest time that a command may take.
const LIMIT: Duration = Duration::from_secs(10);
/// So much of what it prints counts.
const MOST: usize = 64 * 1024;

/// Programs that stand for others, which they find anew each time.
pub const SHIMS: &[&str] = &[
    "asdf",
    "ccache",
    "distcc",
    "icecc",
    "mise",
    "proto",
    "proto-shim",
    "rustup",
    "sccache",
    "snap",
    "volta",
    "volta-shim",
];

/// Redirections that change no file.
const HARMLESS: [&str; 3] = ["2>&1", "2>/dev/null", "</dev/null"];

/// What asks tools, and what they said in this run.
pub(super) struct Tools<'a> {
    pub(super) cache: &'a Cache,
    pub(super) spawner: &'a dyn Spawner,
    pub(super) cancel: &'a Cancel,
    pub(super) root: &'a Path,
    pub(super) caller: Caller<'a>,
    pub(super) said: Mutex<HashMap<Question, Result<String, String>>>,
}

/// By which a question is known again in one run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    command: String,
    dir: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Tools<'_> {
    /// `prepared` with what the step's tools say in its key.
    ///
    /// # Errors
    ///
    /// In words, when one of them says nothing.
    pub(super) fn asked(&self, step: &PlanStep, prepared: Prepared) -> Result<Prepared, String> {
        if step.tools.is_empty() {
            return Ok(prepared);
        }
        let all = environment(step, &prepared.late, &self.caller, self.root, false)
            .map_err(|error| format!("env: {error}"))?;
        let secrets = self.caller.secrets(step);
        let secrets = Forms::of(secrets.map(|(_, value)| value.as_encoded_bytes()));
        let mut printed = BTreeMap::new();
        for (name, command) in &step.tools {
            let question = Question::new(step, command, self.root, &all);
            let said = self.once(question, &all, step.grace);
            let said = said.map_err(|why| format!("tool `{name}`: {}", secrets.mask(&why)))?;
            printed.insert(name.clone(), secrets.mask(&said));
        }
        Ok(prepared.with_tools(&printed))
    }

    fn once(&self, question: Question, all: &Variables, grace: Duration) -> Result<String, String> {
        let lock = || self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = lock().get(&question) {
            return said.clone();
        }
        let key = self.key(&question, all);
        let known = key.and_then(|key| self.cache.probed(key));
        let said = known.map_or_else(|| self.run(&question, all, grace), Ok);
        if let (Some(key), Ok(said)) = (key, &said) {
            self.cache.keep_probe(key, said);
        }
        lock().insert(question, said.clone());
        said
    }

    /// What the answer hangs on, where that can be told.
    fn key(&self, question: &Question, all: &Variables) -> Option<ProbeKey> {
        let files = files(&question.command, all, &question.dir)?;
        let variables = question.variables.iter();
        let variables: Vec<(&OsStr, &OsStr)> = variables
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
            .collect();
        self.cache.probe_key(&Probe {
            command: &question.command,
            dir: &question.dir,
            variables: &variables,
            files: &files,
        })
    }

    /// What the command prints: to standard output or, where that is nothing, to standard error.
    fn run(&self, question: &Question, all: &Variables, grace: Duration) -> Result<String, String> {
        let script = question.command.as_str();
        if let Some(missing) = missing(script, all, &question.dir) {
            return Err(missing);
        }
        let command = Command {
            program: "/bin/sh".into(),
            args: ["-e", "-c", script, "sh"].map(OsString::from).to_vec(),
            env: all.clone().into_iter().collect(),
            dir: question.dir.clone(),
            ..Command::default()
        };
        let limits = Limits {
            timeout: Some(LIMIT),
            grace,
        };
        let mut printed = Printed::default();
        let exit = self
            .spawner
            .run(&command, &mut printed, limits, self.cancel);
        let text = printed.text();
        match exit.status {
            _ if exit.is_success() && text.is_empty() => Err(format!("`{script}` printed nothing")),
            _ if exit.is_success() => Ok(text),
            _ if exit.ended_by.is_some() => Err(format!(
                "`{script}` took longer than {}",
                humantime::format_duration(LIMIT)
            )),
            Status::NotStarted(why) => Err(why.to_string()),
            status => Err(match text.lines().next_back() {
                Some(line) => format!("`{script}` failed: {status}: {line}"),
                None => format!("`{script}` failed: {status}"),
            }),
        }
    }
}

impl Question {
    fn new(step: &PlanStep, command: &str, root: &Path, all: &Variables) -> Self {
        let declared = step.env.keys().map(String::as_str).chain(["PATH"]);
        let variables = declared.filter_map(|name| all.get_key_value(OsStr::new(name)));
        Self {
            command: command.to_owned(),
            dir: step.dir.under(root),
            variables: variables
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

/// What is said of a program that is not there: better than what a shell says.
fn missing(command: &str, variables: &Variables, dir: &Path) -> Option<String> {
    as_exec(command)?;
    let program = command.split_whitespace().next()?;
    let path = variables.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let found = find_program(program.as_ref(), path, dir);
    found.err().map(|why| why.to_string())
}

/// The program that `command` runs and the files that it is given; `None` where that is not all
/// that the answer hangs on.
fn files(command: &str, variables: &Variables, dir: &Path) -> Option<Vec<PathBuf>> {
    let words = command.split_whitespace();
    let words: Vec<&str> = words.filter(|word| !HARMLESS.contains(word)).collect();
    let is_line = !command.trim().contains('\n');
    (is_line && !words.iter().any(|word| matches!(*word, "<" | ">"))).then_some(())?;
    as_exec(&words.join(" "))?;
    let path = variables.get(OsStr::new("PATH")).map(OsString::as_os_str);
    let named = find_program(words.first()?.as_ref(), path, dir).ok()?;
    let real = named.canonicalize().ok()?;
    if is_shim(&named, &real)? {
        return None;
    }
    let given = words[1..].iter().map(|word| dir.join(word));
    let given = given.filter(|file| file.exists());
    Some([real].into_iter().chain(given).collect())
}

/// Whether the program that is called `named` runs another one, which cannot be seen from here.
fn is_shim(named: &Path, real: &Path) -> Option<bool> {
    let name = real.file_name()?.to_str()?;
    let mut start = [0; 2];
    let is_script = match std::fs::File::open(real).and_then(|mut file| file.read_exact(&mut start))
    {
        Ok(()) => start == *b"#!",
        Err(_) => return None,
    };
    // The tools of rustup are often the same file under other names.
    let same = |other: PathBuf| {
        let (one, other) = (real.metadata().ok()?, other.metadata().ok()?);
        Some(one.ino() == other.ino() && one.dev() == other.dev())
    };
    let of_rustup = named.parent().map(|folder| folder.join("rustup"));
    let of_rustup = of_rustup.and_then(same).unwrap_or(false);
    // There, all that developers have from the system asks which of them is chosen.
    let of_macos = cfg!(target_os = "macos") && real.starts_with("/usr/bin");
    Some(is_script || of_rustup || of_macos || SHIMS.contains(&name))
}

/// Keeps what a command prints, up to a point.
#[derive(Default)]
struct Printed {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Printed {
    fn text(&self) -> String {
        let out = self.out.trim_ascii();
        let bytes = if out.is_empty() {
            self.err.trim_ascii()
        } else {
            out
        };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

impl OutputSink for Printed {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let to = match stream {
            Stream::Stdout => &mut self.out,
            Stream::Stderr => &mut self.err,
        };
        let room = MOST - to.len();
        to.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs::{set_mode, symlink, write_atomic};

    /// A folder with programs: name and content.
    fn programs(programs: &[(&str, &str)]) -> (tempfile::TempDir, Variables) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in programs {
            let path = dir.path().join(name);
            write_atomic(&path, text.as_bytes()).unwrap();
            set_mode(&path, 0o755).unwrap();
        }
        let variables = [("PATH".into(), dir.path().into())].into();
        (dir, variables)
    }

    fn hangs_on(command: &str, dir: &Path, variables: &Variables) -> Option<Vec<String>> {
        let files = files(command, variables, dir)?;
        let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
        Some(files.iter().map(name).collect())
    }

    #[test]
    fn a_program_and_its_files_are_all_that_an_answer_hangs_on() {
        let (dir, variables) = programs(&[("go", "\x7fELF"), ("VERSION", "1")]);
        let hangs_on = |command: &str| hangs_on(command, dir.path(), &variables);
        assert_eq!(hangs_on("go version").unwrap(), ["go"]);
        assert_eq!(hangs_on(" go version 2>&1\n").unwrap(), ["go"]);
        assert_eq!(hangs_on("go -x VERSION").unwrap(), ["go", "VERSION"]);
        for command in [
            "go version | head",
            "go $X",
            "go > x",
            "go\ngo",
            "echo x",
            "X=1 go",
            "none",
            "go *",
        ] {
            assert_eq!(hangs_on(command), None, "{command}");
        }
    }

    #[test]
    fn what_stands_for_another_program_is_known() {
        let (dir, variables) = programs(&[
            ("mise", "\x7fELF"),
            ("npm", "#!/bin/sh\n"),
            ("rustup", "\x7fELF"),
            ("real", "\x7fELF"),
        ]);
        symlink(Path::new("mise"), &dir.path().join("node")).unwrap();
        rustix::fs::link(dir.path().join("rustup"), dir.path().join("cargo")).unwrap();
        symlink(Path::new("real"), &dir.path().join("link")).unwrap();
        for (program, is_known) in [
            ("node", false),
            ("npm", false),
            ("cargo", false),
            ("rustup", false),
            ("link", true),
        ] {
            let known = hangs_on(program, dir.path(), &variables);
            assert_eq!(known.is_some(), is_known, "{program}");
        }
    }
}
