//! The wish that a run ends: asked for by a signal, seen by everyone who waits for something.
//!
//! The first signal asks (nothing new starts, TERM goes to what runs, KILL after the grace time),
//! the second one insists (KILL at once). Each of the two is a pipe whose write end is closed at
//! that moment, so that any number of threads can wait for it beside other things with `poll`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::sys::clock;

/// How strongly the end is wished for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Not at all.
    Go,
    /// Nothing new starts; what runs is asked to end and has its grace time.
    Stop,
    /// What runs is ended at once.
    Kill,
}

/// The wish that a run ends, shared by all its threads.
#[derive(Debug)]
pub struct Cancel {
    /// The first signal's number; 0 while there was none.
    number: AtomicI32,
    /// Whether ctrl-C is for a command that has the terminal.
    interrupts: Mutex<Interrupts>,
    stop: Gate,
    kill: Gate,
}

impl Cancel {
    /// No wish so far.
    ///
    /// # Errors
    ///
    /// When the system has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            number: AtomicI32::new(0),
            interrupts: Mutex::new(Interrupts::Ours),
            stop: Gate::new()?,
            kill: Gate::new()?,
        })
    }

    /// Takes signal `number`: the first one asks, a later one insists.
    pub fn signal(&self, number: i32) {
        if number == SIGINT && self.interrupts().are_lent() {
            return;
        }
        let first = self
            .number
            .compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok() {
            self.stop.open();
        } else {
            self.kill.open();
        }
    }

    /// As long as the result lives, INT is no wish that the run ends: a command that has the
    /// terminal gets it too, and does with it what it wants.
    pub(super) fn lend_interrupts(&self) -> LentInterrupts<'_> {
        *self.interrupts() = Interrupts::Lent;
        LentInterrupts(self)
    }

    fn interrupts(&self) -> MutexGuard<'_, Interrupts> {
        self.interrupts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How strongly the end is wished for.
    pub fn level(&self) -> Level {
        match (self.stop.is_open(), self.kill.is_open()) {
            (_, true) => Level::Kill,
            (true, false) => Level::Stop,
            (false, false) => Level::Go,
        }
    }

    /// Whether the run is to end.
    pub fn is_cancelled(&self) -> bool {
        self.number.load(Ordering::SeqCst) != 0
    }

    /// The exit code of a run that a signal ended: 128 and the number of the first one.
    pub fn exit_code(&self) -> Option<u8> {
        let number = self.number.load(Ordering::SeqCst);
        (number != 0).then(|| u8::try_from(128 + number).unwrap_or(u8::MAX))
    }

    /// Waits until the run is to end, at most for `time`; says whether it is to end.
    pub fn wait(&self, time: Duration) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.stop_fd(), PollFlags::IN)];
        let time = time.try_into().ok();
        // An interrupted wait is only a shorter one.
        let _ = rustix::event::poll(&mut fds, time.as_ref());
        self.is_cancelled()
    }

    /// Readable (hung up) from the first signal on.
    pub(super) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.read.as_fd()
    }

    /// Readable (hung up) from the second signal on.
    pub(super) fn kill_fd(&self) -> BorrowedFd<'_> {
        self.kill.read.as_fd()
    }

    /// Takes INT, TERM and HUP from now on until the [`Listener`] is dropped. QUIT is not caught.
    ///
    /// # Errors
    ///
    /// When the system gives no handler or no thread.
    pub fn listen(self: &Arc<Self>) -> io::Result<Listener> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let cancel = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for number in signals.forever() {
                    cancel.signal(number);
                }
            })?;
        Ok(Listener {
            handle,
            thread: Some(thread),
        })
    }
}

/// A signal that came to a command and to us may be seen here when the command has already ended.
const LATE: Duration = Duration::from_millis(500);

/// Who INT is for.
#[derive(Debug)]
enum Interrupts {
    Ours,
    Lent,
    /// They were given back at this moment.
    Back(Instant),
}

impl Interrupts {
    fn are_lent(&self) -> bool {
        match self {
            Self::Ours => false,
            Self::Lent => true,
            Self::Back(since) => since.elapsed() < LATE,
        }
    }
}

/// INT is for somebody else as long as this lives.
pub(super) struct LentInterrupts<'a>(&'a Cancel);

impl LentInterrupts<'_> {
    /// The one who had INT took it as a wish to end: so it is one.
    pub(super) fn pass_on(self) {
        *self.0.interrupts() = Interrupts::Ours;
        self.0.signal(SIGINT);
    }
}

impl Drop for LentInterrupts<'_> {
    fn drop(&mut self) {
        *self.0.interrupts() = Interrupts::Back(clock::now());
    }
}

/// Catches signals for a [`Cancel`] until it is dropped.
#[derive(Debug)]
pub struct Listener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic in there has nothing to tell here.
            let _ = thread.join();
        }
    }
}

/// A thing that is opened once and that `poll` can wait for.
#[derive(Debug)]
struct Gate {
    read: OwnedFd,
    write: Mutex<Option<OwnedFd>>,
}

impl Gate {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self {
            read,
            write: Mutex::new(Some(write)),
        })
    }

    fn open(&self) {
        self.write
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn is_open(&self) -> bool {
        self.write
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_and_the_second_insists() {
        let cancel = Cancel::new().unwrap();
        assert_eq!((cancel.level(), cancel.exit_code()), (Level::Go, None));
        assert!(!cancel.wait(Duration::ZERO));
        cancel.signal(SIGTERM);
        assert_eq!(
            (cancel.level(), cancel.exit_code()),
            (Level::Stop, Some(143))
        );
        assert!(cancel.wait(Duration::from_secs(600)));
        cancel.signal(SIGINT);
        assert_eq!(
            (cancel.level(), cancel.exit_code()),
            (Level::Kill, Some(143))
        );
    }

    #[test]
    fn an_interrupt_may_be_for_somebody_else() {
        let cancel = Cancel::new().unwrap();
        let lent = cancel.lend_interrupts();
        cancel.signal(SIGINT);
        drop(lent);
        // Seen late.
        cancel.signal(SIGINT);
        assert!(!cancel.is_cancelled());
        cancel.lend_interrupts().pass_on();
        assert_eq!(cancel.exit_code(), Some(130));
        let cancel = Cancel::new().unwrap();
        let _lent = cancel.lend_interrupts();
        cancel.signal(SIGTERM);
        assert_eq!(cancel.exit_code(), Some(143));
    }

    #[test]
    fn a_listener_hears_signals() {
        let cancel = Arc::new(Cancel::new().unwrap());
        let listener = cancel.listen().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap();
        assert!(cancel.wait(Duration::from_secs(60)));
        assert_eq!(cancel.exit_code(), Some(129));
        drop(listener);
    }
}
