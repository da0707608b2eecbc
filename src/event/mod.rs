//! The facts of a run, as one typed, versioned stream.
//!
//! Whoever shows something (a terminal, a JSON stream, a trace) is a [`Sink`] that is told these
//! events in one order. Events hold facts only: no colours, no verbosity; no sink can change a
//! run. This room knows nobody. `schema/events.schema.json` is generated from these types.

mod name;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use schema::events_schema;

/// The version of the stream; told in `run_started`. New fields and kinds do not change it.
pub const VERSION: u32 = 1;

/// One fact.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something to tell about the pipeline files, the workspace or the store.
    Diagnostic(Diagnostic),
    /// The run begins.
    RunStarted(RunStarted),
    /// A step waits: another process runs the same command just now. It takes no job slot meanwhile.
    StepWaiting(StepWaiting),
    /// A step's command starts (not told of steps that are up to date or restored).
    StepStarted(StepStarted),
    /// An attempt of a step failed, and it is tried again.
    StepRetried(StepRetried),
    /// A piece of a running step's output (only with `--output stream`).
    StepOutput(StepOutput),
    /// A step's outcome; exactly once for every wanted step.
    StepFinished(Box<StepFinished>),
    /// The run ended; always the last event.
    RunFinished(RunFinished),
}

/// A finding with its place.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// A stable name such as `pipe::parse::unknown_key`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file, relative to the workspace root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The line in which the place ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<usize>,
    /// The column behind the last character of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Further places: where two things clash, the other one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// The whole report as drawn for people, without colours.
    #[serde(skip)]
    pub rendered: Option<String>,
}

/// A further place of a finding.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// The file, relative to the workspace root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line in which the place ends.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing runs.
    #[default]
    Error,
    /// The run goes on.
    Warning,
}

/// The beginning of a run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id, the name of its folder in `.pipe/runs`.
    pub run: String,
    /// What was asked for, as typed.
    pub targets: Vec<String>,
    /// How many step instances the run considers.
    pub instances: usize,
    /// Job slots.
    pub jobs: usize,
}

/// A step's command starts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {
    /// The step.
    #[serde(flatten, with = "name")]
    #[schemars(with = "name::Named")]
    pub step: String,
    /// Why it runs.
    pub why: Vec<Reason>,
    /// The job slot that it takes, from 0.
    pub slot: usize,
    /// How long it took the last time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_ms: Option<u64>,
    /// It has the terminal until it is finished: nobody else writes there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interactive: bool,
}

/// A step waits for another process that runs the same command, to take the result from the store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StepWaiting {
    /// The step.
    #[serde(flatten, with = "name")]
    #[schemars(with = "name::Named")]
    pub step: String,
    /// The other process; absent where it is this one, for an equal step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// An attempt of a step failed, and it is tried again.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StepRetried {
    /// The step.
    #[serde(flatten, with = "name")]
    #[schemars(with = "name::Named")]
    pub step: String,
    /// The attempt that failed, from 1.
    pub attempt: u64,
    /// How many there may be.
    pub attempts: u64,
    /// What failed, in words.
    pub message: String,
    /// The wait before the next attempt.
    pub delay_ms: u64,
}

/// A piece of output.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StepOutput {
    /// The step.
    #[serde(flatten, with = "name")]
    #[schemars(with = "name::Named")]
    pub step: String,
    /// Where the step printed it.
    pub stream: Stream,
    /// The text; bytes that are not UTF-8 stand as U+FFFD.
    pub text: String,
    /// The exact bytes in base64, where `text` is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// One of the two output streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a step ended.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran and succeeded.
    Executed,
    /// Same key as last time, outputs in place and intact.
    UpToDate,
    /// Its outputs were restored from the store.
    FromCache,
    /// It ran and failed, timed out, a check failed, or an output was missing.
    Failed,
    /// Something that it needs failed.
    Blocked,
    /// Its `if` was false.
    Skipped,
    /// The run ended first.
    Cancelled,
}

impl Outcome {
    /// All outcomes in the order of the summary.
    pub const ALL: [Self; 7] = [
        Self::Executed,
        Self::FromCache,
        Self::UpToDate,
        Self::Failed,
        Self::Blocked,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// Whether what needs the step may go on.
    pub fn is_good(self) -> bool {
        matches!(
            self,
            Self::Executed | Self::UpToDate | Self::FromCache | Self::Skipped
        )
    }

    /// The outcome in words, as the summary shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::UpToDate => "up to date",
            Self::FromCache => "from cache",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What kind of failure it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The command exited with another code than 0.
    Command,
    /// The time limit was over.
    Timeout,
    /// A signal ended the command.
    Signal,
    /// A check of `requires` did not hold.
    Requires,
    /// A command of `tools` failed, or printed nothing.
    Tools,
    /// A secret is not set, or too short to be masked.
    Secrets,
    /// A check of `verify` did not hold.
    Verify,
    /// A declared output is missing or of the wrong kind.
    Outputs,
    /// A declared source is missing or cannot be read.
    Sources,
    /// The command could not be started.
    Spawn,
}

/// Why a step runs (or ran).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// What changed: `source`, `dependency`, `env`, `command`, `output`, `never_ran`, ...
    pub kind: String,
    /// Its name: a path, a variable, a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The reason as a sentence fragment for people.
    pub text: String,
}

/// A file that a step made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutputFile {
    /// Workspace-relative path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// The end of a step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepFinished {
    /// The step.
    #[serde(flatten, with = "name")]
    #[schemars(with = "name::Named")]
    pub step: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The command's exit code, where it exited.
    pub exit_code: Option<i32>,
    /// The name of the signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Whether the time limit ended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
    /// What kind of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// Whether the step may fail: it changes neither the exit code nor what comes after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allowed: bool,
    /// The step that did the work of this one, which is equal to it in everything that counts; with its
    /// profile behind where one run has it under two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// What failed, in words (`exit code 2`, `output bin/app was not made`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How often its command was tried, 0 where it was not.
    pub attempts: u64,
    /// Real time from start to end, 0 where nothing ran.
    pub duration_ms: u64,
    /// User and system time of the step's processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Peak resident memory of the step's largest process, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rss: Option<u64>,
    /// What it made.
    pub outputs: Vec<OutputFile>,
    /// The action key in hex, where one was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why it ran; empty where it did not.
    pub why: Vec<Reason>,
    /// Absolute path of the log, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The command as it was run, for failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The working folder, workspace-relative, for failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The author's hint, for failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Sources that changed while the step ran: its result was not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tainted: Vec<String>,
    /// Files that were put right, moved aside or left behind, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl StepFinished {
    /// A step that ended with `outcome` and of which nothing else is known.
    pub fn new(step: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            step: step.into(),
            outcome,
            exit_code: None,
            signal: None,
            timed_out: false,
            failure: None,
            allowed: false,
            same_as: None,
            message: None,
            attempts: 0,
            duration_ms: 0,
            cpu_ms: None,
            max_rss: None,
            outputs: Vec::new(),
            key: None,
            why: Vec::new(),
            log: None,
            command: None,
            dir: None,
            hint: None,
            tainted: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Everything that was asked for is there.
    #[default]
    Ok,
    /// A step failed.
    Failed,
    /// A signal ended it.
    Cancelled,
    /// The command line or a pipeline file is wrong; nothing ran.
    Invalid,
}

/// How many steps had each outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of `Outcome`")]
pub struct Counts {
    pub executed: usize,
    pub up_to_date: usize,
    pub from_cache: usize,
    pub failed: usize,
    pub blocked: usize,
    pub skipped: usize,
    pub cancelled: usize,
}

impl Counts {
    /// The count of `outcome`.
    pub fn of(&self, outcome: Outcome) -> usize {
        let mut copy = *self;
        *copy.slot(outcome)
    }

    /// Counts one step more.
    pub fn add(&mut self, outcome: Outcome) {
        *self.slot(outcome) += 1;
    }

    fn slot(&mut self, outcome: Outcome) -> &mut usize {
        match outcome {
            Outcome::Executed => &mut self.executed,
            Outcome::UpToDate => &mut self.up_to_date,
            Outcome::FromCache => &mut self.from_cache,
            Outcome::Failed => &mut self.failed,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Cancelled => &mut self.cancelled,
        }
    }
}

/// The end of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RunFinished {
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many steps had each outcome.
    pub counts: Counts,
    /// How many of the failed steps may fail.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allowed: usize,
    /// How many files of the store were found damaged and moved to quarantine.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: usize,
    /// Real time of the whole run.
    pub duration_ms: u64,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Somebody who listens. A sink that fails must keep that to itself: it can never fail a run.
pub trait Sink: Send {
    /// Takes one event. Events come in one order, the same for every sink.
    fn take(&mut self, event: &Event);

    /// Time has passed without an event (about ten times a second while steps run).
    fn tick(&mut self) {}
}
