//! Words of `pipe` itself that belong to no run: the two streams, colours stripped where there is
//! no terminal. A closed stream ends nothing.

use std::io::Write;

/// Writes to standard output.
pub(super) fn out(text: &str) {
    let _ = write!(anstream::stdout().lock(), "{text}");
}

/// Writes to standard error.
pub(super) fn err(text: &str) {
    let _ = write!(anstream::stderr().lock(), "{text}");
}

/// One JSON document on standard output.
pub(super) fn json(value: &serde_json::Value) {
    out(&format!("{value:#}\n"));
}
