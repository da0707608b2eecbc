//! Waiting for the end of a child beside other things: a descriptor that becomes readable when it
//! has exited, and that leaves it to be reaped. Knows no step and no time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// Tells when a child has exited.
#[derive(Debug)]
pub(super) struct ExitWatch {
    fd: OwnedFd,
}

impl ExitWatch {
    /// Watches the child `pid` of this process.
    pub(super) fn new(pid: Pid) -> io::Result<Self> {
        Self::by_descriptor(pid).or_else(|_| Self::by_thread(pid))
    }

    /// A descriptor of the process itself: costs nothing while it runs.
    #[cfg(target_os = "linux")]
    fn by_descriptor(pid: Pid) -> io::Result<Self> {
        let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        Ok(Self { fd })
    }

    #[cfg(not(target_os = "linux"))]
    fn by_descriptor(_: Pid) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A thread that waits, and closes a pipe afterwards: for old kernels and other systems.
    fn by_thread(pid: Pid) -> io::Result<Self> {
        let (fd, write) = pipe_with(PipeFlags::CLOEXEC)?;
        std::thread::Builder::new()
            .name("wait".to_owned())
            .spawn(move || {
                let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while waitid(WaitId::Pid(pid), exited)
                    .is_err_and(|error| error == rustix::io::Errno::INTR)
                {}
                drop(write);
            })?;
        Ok(Self { fd })
    }
}

impl AsFd for ExitWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "this is what is tested")]

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn ends(watch: impl Fn(Pid) -> io::Result<ExitWatch>) {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "exit 7"])
            .spawn()
            .unwrap();
        let watch = watch(Pid::from_child(&child)).unwrap();
        poll(&mut [PollFd::new(&watch, PollFlags::IN)], None).unwrap();
        assert_eq!(
            child.try_wait().unwrap().and_then(|status| status.code()),
            Some(7)
        );
    }

    #[test]
    fn both_ways_see_the_end_and_leave_the_child_to_be_reaped() {
        ends(ExitWatch::new);
        ends(ExitWatch::by_thread);
    }
}
