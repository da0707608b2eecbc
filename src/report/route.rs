//! Where the two streams of a step go, and what of them may pass.
//!
//! One table of options: silent runs, terminals, colours. It knows no text.

use std::io::Write;
use std::path::Path;

use super::Options;
use super::clean::Fit;
use super::log::{Delivery, Streams, is_binary};
use super::outlet::Outlet;
use crate::event::Stream;

/// The way of one step's output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Route {
    /// Where standard output goes; standard error always goes where it should.
    out: Stream,
    out_fit: Fit,
    err_fit: Fit,
    /// Whether it is for a program to read: nothing may be added to it.
    pub(super) verbatim: bool,
}

impl Route {
    /// The way of `step`; its log, where there is one, tells whether it printed text.
    pub(super) fn of(options: &Options, step: &str, log: Option<&Path>) -> Self {
        let err_fit = if options.color { Fit::Screen } else { Fit::Log };
        let named = options.to_stdout.contains(step);
        if options.json || (options.silent && !named) {
            return Self {
                out: Stream::Stderr,
                out_fit: err_fit,
                err_fit,
                verbatim: false,
            };
        }
        let for_program = options.silent && !options.stdout_terminal;
        let out_fit = match (options.stdout_color, for_program) {
            _ if !options.stdout_terminal && log.is_some_and(is_binary) => Fit::Exact,
            (true, true) => Fit::Exact,
            (false, true) => Fit::Pipe,
            (true, false) => Fit::Screen,
            (false, false) => Fit::Log,
        };
        Self {
            out: Stream::Stdout,
            out_fit,
            err_fit,
            verbatim: for_program,
        }
    }

    /// Where what was printed to `stream` goes, and what of it may pass.
    pub(super) fn side(&self, stream: Stream) -> (Stream, Fit) {
        match stream {
            Stream::Stdout => (self.out, self.out_fit),
            Stream::Stderr => (Stream::Stderr, self.err_fit),
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery::new(self.out_fit, self.err_fit)
    }
}

/// An outlet as a step's streams see it.
pub(super) struct Routed<'a> {
    pub(super) outlet: &'a mut Outlet,
    pub(super) route: Route,
}

impl Streams for Routed<'_> {
    fn to(&mut self, stream: Stream) -> &mut dyn Write {
        self.outlet.to(self.route.side(stream).0)
    }
}

#[cfg(test)]
mod tests {
    use super::Route;
    use crate::event::Stream::{Stderr, Stdout};
    use crate::report::Options;
    use crate::report::clean::Fit;

    fn sides(options: &Options, step: &str) -> [(crate::event::Stream, Fit); 2] {
        let route = Route::of(options, step, None);
        [route.side(Stdout), route.side(Stderr)]
    }

    #[test]
    fn streams_are_kept_apart_and_colours_are_a_matter_of_each() {
        let mut options = Options::default();
        assert_eq!(
            sides(&options, "a:x"),
            [(Stdout, Fit::Log), (Stderr, Fit::Log)]
        );
        options.color = true;
        assert_eq!(
            sides(&options, "a:x"),
            [(Stdout, Fit::Log), (Stderr, Fit::Screen)]
        );
        options.stdout_color = true;
        options.stdout_terminal = true;
        assert_eq!(
            sides(&options, "a:x"),
            [(Stdout, Fit::Screen), (Stderr, Fit::Screen)]
        );
    }

    #[test]
    fn a_silent_run_keeps_standard_output_for_what_was_named() {
        let mut options = Options {
            silent: true,
            ..Options::default()
        };
        options.to_stdout.insert("a:version".into());
        assert_eq!(
            sides(&options, "a:x"),
            [(Stderr, Fit::Log), (Stderr, Fit::Log)]
        );
        assert_eq!(
            sides(&options, "a:version"),
            [(Stdout, Fit::Pipe), (Stderr, Fit::Log)]
        );
        options.stdout_terminal = true;
        assert_eq!(
            sides(&options, "a:version"),
            [(Stdout, Fit::Log), (Stderr, Fit::Log)]
        );
    }

    #[test]
    fn json_has_standard_output_for_itself() {
        let options = Options {
            json: true,
            ..Options::default()
        };
        assert_eq!(sides(&options, "a:x")[0], (Stderr, Fit::Log));
    }
}
