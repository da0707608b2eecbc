//! A workspace in a folder of its own, and the program started in it: nothing of the caller's
//! environment but `PATH`, a fixed width, no colour.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use super::text;

/// The program under test.
pub(crate) const PIPE: &str = env!("CARGO_BIN_EXE_pipe");

/// A workspace folder; it and all around it goes when this is dropped.
pub(crate) struct Sandbox {
    folder: TempDir,
    base: PathBuf,
}

impl Sandbox {
    /// An empty workspace folder called `ws`, with a home and a store beside it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        for name in ["ws", "home", "tmp"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        Self { folder, base }
    }

    /// A workspace with one pipeline file, `pipe.yaml`.
    pub(crate) fn with(pipeline: &str) -> Self {
        let sandbox = Self::new();
        sandbox.write("pipe.yaml", pipeline);
        sandbox
    }

    /// The workspace folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("ws")
    }

    /// Writes a file; its folders are made.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.root().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Whether something is at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root().join(path).symlink_metadata().is_ok()
    }

    /// Removes a file, or a folder with all in it.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.root().join(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// Makes a folder and those above it.
    pub(crate) fn mkdir(&self, path: &str) {
        std::fs::create_dir_all(self.root().join(path)).unwrap();
    }

    /// Sets the permissions of a file.
    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        std::fs::set_permissions(
            self.root().join(path),
            std::fs::Permissions::from_mode(mode),
        )
        .unwrap();
    }

    /// Runs `pipe` with these words in the workspace folder.
    pub(crate) fn pipe(&self, words: &[&str]) -> Output {
        let mut command = self.command(Path::new(PIPE));
        let done = command.args(words).output().unwrap();
        self.output(&done.stdout, &done.stderr, done.status)
    }

    /// Starts `pipe` and does not wait; both its streams can be read from the child.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(Path::new(PIPE));
        command
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs a line of shell in the workspace folder on a terminal of its own, which it controls;
    /// `typed` is typed there once the line has written `ready`. What the terminal shows comes as
    /// `stdout`.
    pub(crate) fn terminal(&self, line: &str, typed: &str) -> Output {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        fcntl_setfd(&near, FdFlags::CLOEXEC).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let far = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits() as i32)
            .open(name)
            .unwrap();
        let mut command = self.command(Path::new("setsid"));
        command
            .args(["-c", "-w", "sh", "-c", line])
            .env("TERM", "xterm")
            .stdin(far.try_clone().unwrap())
            .stdout(far.try_clone().unwrap())
            .stderr(far);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut near = File::from(near);
        let (mut shown, mut piece, mut typed) = (Vec::new(), [0; 4096], Some(typed));
        // The end of a terminal is an error.
        while let Ok(count @ 1..) = near.read(&mut piece) {
            shown.extend_from_slice(&piece[..count]);
            if shown.windows(5).any(|window| window == b"ready")
                && let Some(typed) = typed.take()
            {
                near.write_all(typed.as_bytes()).unwrap();
            }
        }
        let status = child.wait().unwrap();
        self.output(&shown, b"", status)
    }

    /// Runs a line of shell in the workspace folder. What it writes to its two streams comes as one
    /// text, in `stdout`, in the order in which it was written.
    pub(crate) fn shell(&self, line: &str) -> Output {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(Path::new("/bin/sh"));
        command
            .args(["-c", line])
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        let status = child.wait().unwrap();
        self.output(&bytes, b"", status)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let bin = Path::new(PIPE).parent().unwrap().display();
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.root())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", format!("{bin}:{path}"))
            .env("HOME", self.base.join("home"))
            .env("TMPDIR", self.base.join("tmp"))
            .env("PIPE_CACHE_DIR", self.base.join("store"))
            .env("GIT_CEILING_DIRECTORIES", &self.base)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("COLUMNS", "100")
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb");
        command
    }

    fn output(&self, stdout: &[u8], stderr: &[u8], status: std::process::ExitStatus) -> Output {
        debug_assert!(self.folder.path().exists());
        Output {
            stdout: text::normal(&String::from_utf8_lossy(stdout), &self.base),
            stderr: text::normal(&String::from_utf8_lossy(stderr), &self.base),
            code: status.code(),
        }
    }
}

/// What a program wrote, without what differs from one run to the next, and how it ended.
#[must_use]
#[derive(Debug)]
pub(crate) struct Output {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Output {
    /// Fails unless the exit code is this one.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }
}
