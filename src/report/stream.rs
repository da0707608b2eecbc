//! Output while it comes: every line with the name of its step in front.
//!
//! Lines of steps that run at once never mix: a line is written when it is whole. It knows no
//! files; what is not shown live is the matter of others.

use std::collections::HashMap;
use std::io::{self, Write};

use super::Options;
use super::base64;
use super::clean::Cleaner;
use super::outlet::{Outlet, quietly};
use super::route::Route;
use super::style::{Paint, RESET};
use crate::event::{StepOutput, Stream};

/// All steps that print at the moment.
#[derive(Default)]
pub(super) struct Streamer {
    steps: HashMap<String, Printing>,
}

impl Streamer {
    /// Shows a piece of output.
    pub(super) fn take(&mut self, piece: &StepOutput, options: &Options, outlet: &mut Outlet) {
        let exact = piece.base64.as_deref().and_then(base64::decode);
        let bytes = exact.as_deref().unwrap_or(piece.text.as_bytes());
        self.steps
            .entry(piece.step.clone())
            .or_insert_with(|| Printing::new(&piece.step, options))
            .side(piece.stream)
            .push(bytes, outlet);
    }

    /// Shows what is left of a step that ended.
    pub(super) fn finish(&mut self, step: &str, outlet: &mut Outlet) {
        if let Some(mut printing) = self.steps.remove(step) {
            printing.out.finish(outlet);
            printing.err.finish(outlet);
        }
    }
}

/// One step's two streams.
struct Printing {
    out: Side,
    err: Side,
}

impl Printing {
    fn new(step: &str, options: &Options) -> Self {
        let route = Route::of(options, step, None);
        let side = |stream, color, verbatim| {
            let (to, fit) = route.side(stream);
            let prefix = if verbatim {
                String::new()
            } else {
                prefix(step, Paint { color })
            };
            Side {
                to,
                cleaner: Cleaner::new(fit),
                prefix,
                fresh: true,
            }
        };
        Self {
            out: side(
                Stream::Stdout,
                options.color && options.stdout_color,
                route.verbatim,
            ),
            err: side(Stream::Stderr, options.color, false),
        }
    }

    fn side(&mut self, stream: Stream) -> &mut Side {
        match stream {
            Stream::Stdout => &mut self.out,
            Stream::Stderr => &mut self.err,
        }
    }
}

/// A prefix ends the colours of the line before.
fn prefix(step: &str, paint: Paint) -> String {
    let reset = if paint.color { RESET } else { "" };
    format!("{reset}{} ", paint.dim(&format!("{step} |")))
}

/// One stream of one step.
struct Side {
    to: Stream,
    cleaner: Cleaner,
    prefix: String,
    /// The next byte starts a line.
    fresh: bool,
}

impl Side {
    fn push(&mut self, bytes: &[u8], outlet: &mut Outlet) {
        let (cleaner, mut lines) = self.split(outlet);
        quietly(cleaner.push(bytes, &mut lines));
    }

    fn finish(&mut self, outlet: &mut Outlet) {
        let (cleaner, mut lines) = self.split(outlet);
        quietly(cleaner.finish(&mut lines));
    }

    fn split<'a>(&'a mut self, outlet: &'a mut Outlet) -> (&'a mut Cleaner, Prefixed<'a>) {
        let lines = Prefixed {
            outlet,
            to: self.to,
            prefix: &self.prefix,
            fresh: &mut self.fresh,
        };
        (&mut self.cleaner, lines)
    }
}

/// Writes the prefix at the start of every line.
struct Prefixed<'a> {
    outlet: &'a mut Outlet,
    to: Stream,
    prefix: &'a str,
    fresh: &'a mut bool,
}

impl Write for Prefixed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let to = self.outlet.to(self.to);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if *self.fresh && line != RESET.as_bytes() {
                to.write_all(self.prefix.as_bytes())?;
            }
            to.write_all(line)?;
            *self.fresh = line.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
