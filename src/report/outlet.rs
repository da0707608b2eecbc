//! Where the room writes: standard output and standard error, whatever stands for them.
//!
//! Both are buffered here and flushed when the other one's turn comes, so that a terminal shows
//! everything in its order. A writer that fails (a closed pipe, a full disk) is not written to any
//! more, and nobody hears of it: a report can never stop or fail a run. What is written, this file
//! does not know.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::Stream;

/// A place to write to, given from outside.
pub type Writer = Box<dyn Write + Send>;

/// How long to wait for a writer that takes nothing at the moment. A step may have set the
/// terminal that it shares with us to non-blocking.
const PATIENCE: Duration = Duration::from_millis(5);

/// The two places to write to.
pub(super) struct Outlet {
    out: BufWriter<Quiet>,
    err: BufWriter<Quiet>,
    last: Stream,
}

impl Outlet {
    pub(super) fn new(out: Writer, err: Writer) -> Self {
        let quiet = |inner| BufWriter::new(Quiet(Some(inner)));
        Self {
            out: quiet(out),
            err: quiet(err),
            last: Stream::Stderr,
        }
    }

    /// The writer of `stream`; what was written to the other one is out by then.
    pub(super) fn to(&mut self, stream: Stream) -> &mut dyn Write {
        if self.last != stream {
            self.flush();
            self.last = stream;
        }
        match stream {
            Stream::Stdout => &mut self.out,
            Stream::Stderr => &mut self.err,
        }
    }

    /// Writes words of `pipe`'s own.
    pub(super) fn say(&mut self, text: &str) {
        quietly(self.to(Stream::Stderr).write_all(text.as_bytes()));
    }

    pub(super) fn flush(&mut self) {
        quietly(self.out.flush());
        quietly(self.err.flush());
    }
}

/// An outlet with several users.
#[derive(Clone)]
pub(super) struct SharedOutlet(Arc<Mutex<Outlet>>);

impl SharedOutlet {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self(Arc::new(Mutex::new(outlet)))
    }

    /// The outlet. A panic elsewhere is no reason to fall silent.
    pub(super) fn lock(&self) -> MutexGuard<'_, Outlet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops an error that is nobody's business.
pub(super) fn quietly<T>(result: io::Result<T>) {
    drop(result);
}

/// A writer that never fails: after the first error it writes nothing.
struct Quiet(Option<Writer>);

impl Quiet {
    #[expect(
        clippy::disallowed_methods,
        reason = "a terminal that takes nothing at the moment cannot be waited for by its writer"
    )]
    fn attempt<T>(
        &mut self,
        none: T,
        mut act: impl FnMut(&mut Writer) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(inner) = self.0.as_mut() else {
            return Ok(none);
        };
        loop {
            match act(inner) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(PATIENCE);
                }
                Err(_) => break,
            }
        }
        self.0 = None;
        Ok(none)
    }
}

impl Write for Quiet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(bytes.len(), |inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), |inner| inner.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};

    use super::Outlet;
    use crate::event::Stream;
    use crate::report::testing::Page;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_closed_stream_is_no_error_and_does_not_silence_the_other() {
        let page = Page::default();
        let mut outlet = Outlet::new(Box::new(Closed), Box::new(page.clone()));
        let large = vec![b'x'; 1 << 20];
        for _ in 0..3 {
            outlet.to(Stream::Stdout).write_all(&large).unwrap();
            outlet.say("still here\n");
        }
        outlet.flush();
        assert_eq!(page.text(), "still here\n".repeat(3));
    }

    #[test]
    fn the_order_between_the_streams_is_kept() {
        let page = Page::default();
        let mut outlet = Outlet::new(Box::new(page.clone()), Box::new(page.clone()));
        outlet.say("1\n");
        outlet.to(Stream::Stdout).write_all(b"2\n").unwrap();
        outlet.say("3\n");
        outlet.flush();
        assert_eq!(page.text(), "1\n2\n3\n");
    }
}
