//! Real processes: one thread for each running command, which waits for its output, its end, its
//! time limit and the end of the run at once, with `poll`.
//!
//! A command leads a process group of its own, has an empty standard input and two pipes (or what
//! [`Streams`] says). When it has ended, what is left of its group is ended with it; a process that has left the group and
//! keeps a pipe open is not waited for. Knows no step.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place where processes are started"
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};

use super::ending::Ending;
use super::group::{Group, proc};
use super::watch::ExitWatch;
use super::{
    Cancel, Command, EndedBy, Exit, Level, Limits, NotStarted, OutputSink, Spawner, Status, Stream,
    Streams, program, pty,
};
use crate::sys::clock;

/// So much is read from a pipe at once ...
const PIECE: usize = 64 * 1024;
/// ... once a command has shown that it prints more than this.
const FIRST_PIECE: usize = 4 * 1024;
/// What is left of a group has so long to end by itself (`tee` in `cmd > >(tee log)`) ...
const PATIENCE: Duration = Duration::from_millis(100);
/// ... then, asked to, so long ...
const MOMENT: Duration = Duration::from_millis(50);
/// ... and after KILL the system has so long to clear it away.
const CLEARING: Duration = Duration::from_millis(30);
/// Nothing tells when a group becomes empty, so it is looked at this often.
const LOOK: Duration = Duration::from_millis(10);

/// Starts commands as children of this process.
#[derive(Clone, Copy, Default, Debug)]
pub struct OsSpawner;

impl Spawner for OsSpawner {
    fn run(
        &self,
        command: &Command,
        sink: &mut dyn OutputSink,
        limits: Limits,
        cancel: &Cancel,
    ) -> Exit {
        let lent = (command.streams == Streams::Inherited).then(|| cancel.lend_interrupts());
        let mut exit = match Running::start(command) {
            Ok(mut running) => running.attend(sink, limits, cancel),
            Err(why) => Exit::not_started(why),
        };
        if exit.status == Status::Signal(Signal::INT.as_raw())
            && let Some(lent) = lent
        {
            lent.pass_on();
            exit.ended_by = Some(EndedBy::Cancel);
        }
        exit
    }
}

/// A command that has been started.
struct Running {
    child: Child,
    pid: Pid,
    group: Group,
    exit: ExitWatch,
    pipes: Vec<(Stream, File)>,
    started: Instant,
    buffer: Vec<u8>,
    /// What it leaves running is left alone.
    background: bool,
}

/// What is waited for beside the output.
#[derive(Clone, Copy)]
struct Waiting {
    exit: bool,
    stop: bool,
    kill: bool,
    until: Option<Instant>,
}

impl Running {
    fn start(command: &Command) -> Result<Self, NotStarted> {
        let path = command.var("PATH").map(|path| path.as_os_str());
        let file = program::find(&command.program, path, &command.dir)?;
        let started = clock::now();
        let mut starting = std::process::Command::new(&file);
        starting
            .args(&command.args)
            .env_clear()
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&command.dir);
        let no_terminal = |error: io::Error| NotStarted::Other {
            program: file.display().to_string(),
            reason: format!("no terminal for it: {error}"),
        };
        let terminal = connect(&mut starting, command.streams).map_err(no_terminal)?;
        let mut child = starting
            .spawn()
            .map_err(|error| program::explain(command, &file, &error))?;
        // Our copies of what the command got: its outputs end when it has closed them.
        drop(starting);
        let pid = Pid::from_child(&child);
        let group = match command.streams {
            Streams::Inherited => Group::Alone(pid),
            Streams::Pipes | Streams::Terminal(..) => Group::Led(pid),
        };
        let exit =
            ExitWatch::new(pid).map_err(|error| abandon(&mut child, group, &file, &error))?;
        let pipes = [
            terminal.map(|terminal| (Stream::Stdout, terminal)),
            child
                .stdout
                .take()
                .map(|pipe| (Stream::Stdout, OwnedFd::from(pipe).into())),
            child
                .stderr
                .take()
                .map(|pipe| (Stream::Stderr, OwnedFd::from(pipe).into())),
        ];
        let pipes = pipes.into_iter().flatten().collect();
        Ok(Self {
            child,
            pid,
            group,
            exit,
            pipes,
            started,
            buffer: vec![0; FIRST_PIECE],
            background: command.background,
        })
    }

    fn attend(&mut self, sink: &mut dyn OutputSink, limits: Limits, cancel: &Cancel) -> Exit {
        let mut ending = Ending::new(limits, self.started);
        self.follow(sink, &mut ending, cancel);
        let cpu = proc::cpu(self.pid);
        let status = self.child.wait();
        let mut exit = Exit::new(status.map_or_else(lost, status_of), self.started.elapsed());
        exit.cpu = cpu;
        exit.warnings = self.clear_away(sink, ending, cancel);
        exit.ended_by = ending.by();
        exit.duration = self.started.elapsed();
        exit
    }

    /// Until the command itself has exited.
    fn follow(&mut self, sink: &mut dyn OutputSink, ending: &mut Ending, cancel: &Cancel) {
        loop {
            let waiting = Waiting {
                exit: true,
                stop: ending.hears(Level::Stop),
                kill: ending.hears(Level::Kill),
                until: ending.next(),
            };
            if self.wait(sink, waiting, cancel) {
                return;
            }
            if let Some(signal) = ending.advance(clock::now(), cancel.level()) {
                self.group.send(signal);
            }
        }
    }

    /// Takes what is there of the output, and ends what is left of the group.
    fn clear_away(
        &mut self,
        sink: &mut dyn OutputSink,
        ending: Ending,
        cancel: &Cancel,
    ) -> Vec<String> {
        let now = clock::now();
        if self.background && ending.by().is_none() {
            return self.leave(sink, cancel);
        }
        let left = self.drain(sink, now, now + PATIENCE + MOMENT + CLEARING, cancel);
        if left.is_empty() {
            self.wait_for_pipes(sink, cancel);
            return self.kept_open();
        }
        if ending.by().is_some() {
            self.wait_for_group(sink, ending.next().unwrap_or(now), cancel);
            self.end_group(sink, cancel);
            return Vec::new();
        }
        let left = self.wait_for_group(sink, now + PATIENCE, cancel);
        if left.is_empty() {
            return Vec::new();
        }
        self.group.send(Signal::TERM);
        self.wait_for_group(sink, now + PATIENCE + MOMENT, cancel);
        self.end_group(sink, cancel);
        vec![format!(
            "left {} running in the background; ended with the step",
            names(left)
        )]
    }

    /// Takes what is there of the output now; who goes on printing finds nobody who listens.
    fn leave(&mut self, sink: &mut dyn OutputSink, cancel: &Cancel) -> Vec<String> {
        self.wait_for_pipes(sink, cancel);
        let warning = "what it left running has the step's output still open, and a signal ends it when it \
            prints: send its output to a file (`> server.log 2>&1`)";
        let is_open = !self.pipes.is_empty();
        is_open.then(|| warning.to_owned()).into_iter().collect()
    }

    fn end_group(&mut self, sink: &mut dyn OutputSink, cancel: &Cancel) {
        if !self.group.left().is_empty() {
            self.group.send(Signal::KILL);
            self.wait_for_group(sink, clock::now() + CLEARING, cancel);
        }
    }

    /// A pipe without end although the group is gone: its writer has left the group.
    fn kept_open(&self) -> Vec<String> {
        let warning = "a process that left the step's process group keeps its output open";
        (!self.pipes.is_empty())
            .then(|| warning.to_owned())
            .into_iter()
            .collect()
    }

    /// Until the pipes end, but not long. A pipe may outlive all that could write to it: another
    /// command that is just being started has a copy of it for a moment.
    fn wait_for_pipes(&mut self, sink: &mut dyn OutputSink, cancel: &Cancel) {
        let end = clock::now() + PATIENCE;
        let waiting = Waiting {
            exit: false,
            stop: false,
            kill: true,
            until: Some(end),
        };
        while !self.pipes.is_empty() && clock::now() < end && cancel.level() < Level::Kill {
            self.wait(sink, waiting, cancel);
        }
    }

    /// Until the group is empty or `until`, whatever comes first; a second signal cuts it short.
    /// Gives the names of those who are left.
    fn wait_for_group(
        &mut self,
        sink: &mut dyn OutputSink,
        until: Instant,
        cancel: &Cancel,
    ) -> Vec<String> {
        loop {
            let now = clock::now();
            let left = self.drain(
                sink,
                now + LOOK.min(until.saturating_duration_since(now)),
                until,
                cancel,
            );
            if left.is_empty() || clock::now() >= until || cancel.level() == Level::Kill {
                return left;
            }
        }
    }

    /// Takes output until `pause`, and then all that is there at once, but not longer than `until`.
    fn drain(
        &mut self,
        sink: &mut dyn OutputSink,
        pause: Instant,
        until: Instant,
        cancel: &Cancel,
    ) -> Vec<String> {
        let left = self.group.left();
        // Who is gone cannot write any more: what is in the pipes now is all.
        let pause = if left.is_empty() { clock::now() } else { pause };
        let waiting = Waiting {
            exit: false,
            stop: false,
            kill: !left.is_empty(),
            until: Some(pause),
        };
        while !self.wait(sink, waiting, cancel)
            && clock::now() < until
            && cancel.level() < Level::Kill
        {}
        left
    }

    /// Waits for something to happen and takes the output that came. Says whether there is
    /// nothing more to wait for: the command has exited, or the time was over without output.
    fn wait(&mut self, sink: &mut dyn OutputSink, waiting: Waiting, cancel: &Cancel) -> bool {
        let mut fds: Vec<PollFd<'_>> = self
            .pipes
            .iter()
            .map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN))
            .collect();
        let others = [
            (waiting.exit, self.exit.as_fd()),
            (waiting.stop, cancel.stop_fd()),
            (waiting.kill, cancel.kill_fd()),
        ];
        let others = others.into_iter().filter(|(wanted, _)| *wanted);
        fds.extend(others.map(|(_, fd)| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let time = waiting
            .until
            .map(|until| until.saturating_duration_since(clock::now()));
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let Ok(happened) = poll(&mut fds, time.as_ref()) else {
            return false;
        };
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let exited = waiting.exit && ready[self.pipes.len()];
        self.read(sink, &ready);
        if waiting.exit { exited } else { happened == 0 }
    }

    /// One piece from each pipe that is `ready`; one that has come to its end is closed.
    fn read(&mut self, sink: &mut dyn OutputSink, ready: &[bool]) {
        let mut at = 0;
        let buffer = &mut self.buffer;
        self.pipes.retain_mut(|(stream, pipe)| {
            at += 1;
            !ready[at - 1] || read_piece(pipe, buffer, |bytes| sink.take(*stream, bytes))
        });
    }
}

/// Gives a command its standard streams and its process group; the end of its own terminal that is
/// to be read from, where it has one.
fn connect(starting: &mut std::process::Command, streams: Streams) -> io::Result<Option<File>> {
    let mut captured = |out: Stdio, err: Stdio| {
        starting
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
    };
    match streams {
        Streams::Pipes => captured(Stdio::piped(), Stdio::piped()),
        Streams::Terminal(columns, rows) => {
            let (near, far) = pty::open(columns, rows)?;
            captured(far.try_clone()?.into(), far.into());
            return Ok(Some(near));
        }
        Streams::Inherited => {}
    }
    Ok(None)
}

/// Whether there may be more.
fn read_piece(pipe: &mut File, buffer: &mut Vec<u8>, take: impl FnOnce(&[u8])) -> bool {
    match pipe.read(buffer) {
        Ok(0) => false,
        Ok(count) => {
            take(&buffer[..count]);
            if count == buffer.len() {
                buffer.resize(PIECE, 0);
            }
            true
        }
        Err(error) => error.kind() == io::ErrorKind::Interrupted,
    }
}

/// Ends a child that cannot be watched.
fn abandon(
    child: &mut Child,
    group: Group,
    file: &std::path::Path,
    error: &io::Error,
) -> NotStarted {
    group.send(Signal::KILL);
    // It is gone in any case.
    let _ = child.wait();
    NotStarted::Other {
        program: file.display().to_string(),
        reason: error.to_string(),
    }
}

fn status_of(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Code(code),
        (None, signal) => Status::Signal(signal.unwrap_or_default()),
    }
}

/// Somebody else reaped the child; how it ended nobody knows.
fn lost(error: io::Error) -> Status {
    Status::NotStarted(NotStarted::Other {
        program: "the command".to_owned(),
        reason: error.to_string(),
    })
}

fn names(mut left: Vec<String>) -> String {
    left.sort();
    left.dedup();
    let names: Vec<String> = left.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
