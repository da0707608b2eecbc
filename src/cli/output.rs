//! Words of `pipe` itself that belong to no run: the two streams, colours stripped where there is
//! no terminal. A closed stream ends nothing.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;

/// Whether something could not be written to standard output.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes to standard output.
pub(super) fn out(text: &str) {
    let mut stream = anstream::stdout().lock();
    match write!(stream, "{text}").and_then(|()| stream.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            err(&format!(
                "error: cannot write to standard output: {error}\n"
            ));
            LOST.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// The exit of a command, if all that it had to say was written.
pub(super) fn said(exit: Exit) -> Exit {
    if LOST.load(Ordering::Relaxed) {
        Exit::Invalid
    } else {
        exit
    }
}

/// Writes to standard error.
pub(super) fn err(text: &str) {
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// One JSON document on standard output.
pub(super) fn json(value: &serde_json::Value) {
    out(&format!("{value:#}\n"));
}
