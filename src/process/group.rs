//! A process group: who is in it, what it used, and how to end it. Knows no step and no time.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

/// Those who are ended with a command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group {
    /// The process group that it leads, or led.
    Led(Pid),
    /// The command alone: it is in our own group.
    Alone(Pid),
}

impl Group {
    /// Sends `signal` to all in it. Who is stopped is woken, so that it can follow.
    pub(super) fn send(self, signal: Signal) {
        for signal in [signal, Signal::CONT] {
            // An error says that nobody is there, or that it is not ours any more.
            let _ = match self {
                Self::Led(leader) => kill_process_group(leader, signal),
                Self::Alone(command) => kill_process(command, signal),
            };
        }
    }

    /// The names of the processes in it that have not ended; to be asked when the leader has been
    /// reaped. Those that only wait for a parent to look at them (for ever, in a container whose
    /// first process does not) have ended.
    pub(super) fn left(self) -> Vec<String> {
        let Self::Led(leader) = self else {
            return Vec::new();
        };
        match test_kill_process_group(leader) {
            Err(Errno::SRCH) => Vec::new(),
            _ => proc::living(leader).unwrap_or_else(|| vec!["a process".to_owned()]),
        }
    }
}

/// What the system tells of processes, on Linux.
#[cfg(target_os = "linux")]
pub(super) mod proc {
    use std::io::Read;
    use std::time::Duration;

    use rustix::process::Pid;

    /// The unit of times in `/proc`: `USER_HZ`, which is 100 wherever Rust runs.
    const TICK: Duration = Duration::from_millis(10);

    /// The fields of `/proc/PID/stat` that matter here.
    struct Stat {
        name: String,
        state: u8,
        group: i32,
        ticks: u32,
    }

    impl Stat {
        fn read(pid: &str) -> Option<Self> {
            // The system writes it as a whole: one call gets all of it.
            let mut text = [0; 1024];
            let mut file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
            let count = file.read(&mut text).ok()?;
            Self::parse(&String::from_utf8_lossy(&text[..count]))
        }

        /// `PID (NAME) STATE PPID PGRP ...`, where the name may hold anything.
        fn parse(text: &str) -> Option<Self> {
            let (head, tail) = text.rsplit_once(") ")?;
            let fields: Vec<&str> = tail.split(' ').collect();
            let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
            // User and system time, its own and those of children that it waited for.
            let ticks = (11..15)
                .map(|at| number(at).unwrap_or(0).max(0) as u32)
                .sum();
            Some(Self {
                name: head.split_once('(')?.1.to_owned(),
                state: *fields.first()?.as_bytes().first()?,
                group: number(2)?,
                ticks,
            })
        }
    }

    /// Names of all living processes in `group`; `None` where that cannot be told.
    pub(super) fn living(group: Pid) -> Option<Vec<String>> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let pids = processes
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let stats = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        let stats = stats.filter_map(|pid| Stat::read(&pid));
        let living = stats
            .filter(|stat| stat.group == group.as_raw_pid() && !matches!(stat.state, b'Z' | b'X'));
        Some(living.map(|stat| stat.name).collect())
    }

    /// Processor time of `child`, which has exited and is not reaped yet.
    pub(in super::super) fn cpu(child: Pid) -> Option<Duration> {
        Stat::read(&child.as_raw_pid().to_string()).map(|stat| TICK * stat.ticks)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_may_hold_anything() {
            let stat =
                Stat::parse("7 (a) b (c) Z 1 42 42 0 -1 4 1 2 3 4 10 20 30 40 20 0").unwrap();
            assert_eq!(
                (stat.name.as_str(), stat.state, stat.group, stat.ticks),
                ("a) b (c", b'Z', 42, 100)
            );
        }
    }
}

/// What the system tells of processes elsewhere: nothing without `unsafe`.
#[cfg(not(target_os = "linux"))]
pub(super) mod proc {
    use std::time::Duration;

    use rustix::process::Pid;

    pub(super) fn living(_: Pid) -> Option<Vec<String>> {
        None
    }

    pub(in super::super) fn cpu(_: Pid) -> Option<Duration> {
        None
    }
}
