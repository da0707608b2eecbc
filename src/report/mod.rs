//! What people and programs are shown of a run.
//!
//! Everything here is a [`Sink`] that is told the events of a run in one order:
//!
//! ```text
//! events ┬─→ jsonl                       a line of JSON each, on standard output
//!        └─→ plain ←─ live               text; live draws a progress view around it
//!              │  └── lines, failure     the words (pure)
//!              └───── log, clean, route  what steps printed, cleaned, to its stream
//! view: the one fold of events that all who draw share (pure)
//! ```
//!
//! `pipe`'s own words go to standard error; what steps print goes to the stream they printed it to.
//! The room never looks at the environment, the terminal or the clock: [`Options`] says it all,
//! and writers are handed in. No sink can fail or stop a run: a writer that fails falls silent.

mod base64;
mod clean;
mod duration;
mod failure;
mod github;
mod jsonl;
mod lines;
mod live;
mod log;
mod outlet;
mod plain;
mod route;
mod stream;
mod style;
#[cfg(test)]
mod testing;
pub mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use duration::{human, human_ms};
pub use log::{Tail, copy_log, streams_path, tail};
pub use outlet::Writer;

use crate::event::Sink;
use jsonl::Jsonl;
use live::Live;
use outlet::{Outlet, SharedOutlet};
use plain::Plain;

/// How the output of steps is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OutputMode {
    /// What suits the place; at the moment as `Group`.
    #[default]
    Auto,
    /// As one block when the step ends.
    Group,
    /// While it comes, every line with the step's name in front.
    Stream,
    /// Only of steps that failed.
    Errors,
    /// Not at all.
    None,
}

/// Tells how much time has passed since some fixed moment.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Tells columns and rows of the terminal at standard error.
pub type Screen = Arc<dyn Fn() -> (u16, u16) + Send + Sync>;

/// How a run is shown; all questions to the outside are answered already.
#[derive(Clone)]
pub struct Options {
    /// How the output of steps is shown.
    pub output: OutputMode,
    /// Also tell of steps that did not run, and why the others did.
    pub verbose: bool,
    /// Say nothing unless something fails.
    pub silent: bool,
    /// Events on standard output instead of text.
    pub json: bool,
    /// Show the stored output of steps that did not run.
    pub replay: bool,
    /// Standard error takes colours.
    pub color: bool,
    /// Standard error is a terminal that can move its cursor.
    pub terminal: bool,
    /// Standard output takes colours.
    pub stdout_color: bool,
    /// Standard output is a terminal.
    pub stdout_terminal: bool,
    /// The log viewer of GitHub Actions reads along.
    pub github: bool,
    /// The size of the terminal; it may change.
    pub screen: Screen,
    /// The clock for elapsed times.
    pub clock: Clock,
    /// The folder that the folders of steps are relative to.
    pub workspace_root: PathBuf,
    /// The steps (as events name them) that were named on the command line: those that write to
    /// standard output in a silent run.
    pub to_stdout: BTreeSet<String>,
}

impl Default for Options {
    /// Plain text, a clock that stands still.
    fn default() -> Self {
        Self {
            output: OutputMode::Auto,
            verbose: false,
            silent: false,
            json: false,
            replay: false,
            color: false,
            terminal: false,
            stdout_color: false,
            stdout_terminal: false,
            github: false,
            screen: Arc::new(|| (80, 24)),
            clock: Arc::new(Duration::default),
            workspace_root: PathBuf::new(),
            to_stdout: BTreeSet::new(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("output", &self.output)
            .field("verbose", &self.verbose)
            .field("silent", &self.silent)
            .field("json", &self.json)
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

/// The sinks that show a run as `options` say, writing to what stands for standard output and
/// standard error.
pub fn sinks(options: Options, out: Writer, err: Writer) -> Vec<Box<dyn Sink>> {
    if !options.json {
        return vec![text(options, Outlet::new(out, err))];
    }
    let json = SharedOutlet::new(Outlet::new(out, Box::new(io::sink())));
    let json = Box::new(Jsonl::new(json, options.output));
    vec![json, text(options, Outlet::new(Box::new(io::sink()), err))]
}

/// A sink that writes everything that a terminal would show to one file, as plain text.
pub fn text_file(options: &Options, file: Writer) -> Box<dyn Sink> {
    let options = Options {
        json: true, // All to one place: that of standard error.
        color: false,
        terminal: false,
        github: false,
        ..options.clone()
    };
    text(options, Outlet::new(Box::new(io::sink()), file))
}

fn text(options: Options, outlet: Outlet) -> Box<dyn Sink> {
    let options = Arc::new(options);
    let outlet = SharedOutlet::new(outlet);
    if is_live(&options) {
        Box::new(Live::new(options, outlet))
    } else {
        Box::new(Plain::new(options, outlet))
    }
}

/// Lines of JSON on the same terminal would run through the view.
fn is_live(options: &Options) -> bool {
    let alone = !(options.json && options.stdout_terminal);
    options.terminal && alone && !options.silent && !options.github
}
