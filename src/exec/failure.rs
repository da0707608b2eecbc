//! How a step's story ends where it does not end well: data for its `step_finished`, no error of
//! `pipe`. Knows no process.

use crate::event::{FailureKind, Outcome, StepFinished};
use crate::plan::PlanStep;
use crate::process::{EndedBy, Exit, Status, signal_name};

/// Why a step failed, or was cancelled.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Failure {
    /// What kind of failure; `None` where the run ended first.
    pub(super) kind: Option<FailureKind>,
    /// What failed, in words.
    pub(super) message: String,
    /// The script that failed, as it was run.
    pub(super) script: Option<String>,
    /// How its process ended.
    pub(super) status: Option<Status>,
}

impl Failure {
    /// A failure without a process.
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind: Some(kind),
            message: message.into(),
            script: None,
            status: None,
        }
    }

    /// The run ended first.
    pub(super) fn cancelled() -> Self {
        Self {
            kind: None,
            message: "the run ended first".to_owned(),
            script: None,
            status: None,
        }
    }

    /// What the end of `script` says; nothing where it went well.
    pub(super) fn of(exit: &Exit, script: &str, step: &PlanStep) -> Result<(), Self> {
        if exit.is_success() {
            return Ok(());
        }
        let (kind, message) = match (exit.ended_by, &exit.status) {
            (Some(EndedBy::Cancel), _) => (None, Self::cancelled().message),
            (Some(EndedBy::Timeout), _) => (Some(FailureKind::Timeout), over_time(step)),
            (None, Status::Signal(9)) => (
                Some(FailureKind::Signal),
                format!("{} (out of memory?)", exit.status),
            ),
            (None, Status::Signal(_)) => (Some(FailureKind::Signal), exit.status.to_string()),
            (None, Status::Code(code)) => (Some(FailureKind::Command), with_meaning(*code)),
            (None, Status::NotStarted(why)) => (Some(FailureKind::Spawn), why.to_string()),
        };
        Err(Self {
            kind,
            message,
            script: Some(script.to_owned()),
            status: Some(exit.status.clone()),
        })
    }

    /// Whether another attempt may end better: the command, what it made or what is verified was
    /// not as wanted.
    pub(super) fn is_flaky(&self) -> bool {
        match self.kind {
            Some(FailureKind::Command | FailureKind::Timeout | FailureKind::Signal) => {
                self.status.is_some()
            }
            Some(FailureKind::Verify | FailureKind::Outputs) => true,
            Some(
                FailureKind::Requires
                | FailureKind::Sources
                | FailureKind::Secrets
                | FailureKind::Tools
                | FailureKind::Spawn,
            )
            | None => false,
        }
    }

    /// The step's `step_finished`.
    pub(super) fn told(self, step: &PlanStep) -> StepFinished {
        let outcome = if self.kind.is_some() {
            Outcome::Failed
        } else {
            Outcome::Cancelled
        };
        let (exit_code, signal) = match self.status {
            Some(Status::Code(code)) => (Some(code), None),
            Some(Status::Signal(number)) => (None, Some(signal_name(number))),
            Some(Status::NotStarted(_)) | None => (None, None),
        };
        StepFinished {
            exit_code,
            signal,
            timed_out: self.kind == Some(FailureKind::Timeout),
            failure: self.kind,
            message: Some(self.message),
            command: self.script,
            dir: Some(step.dir.to_string()),
            hint: step.hint.clone().filter(|_| self.kind.is_some()),
            ..StepFinished::new(&step.name, outcome)
        }
    }
}

fn over_time(step: &PlanStep) -> String {
    match step.timeout {
        Some(limit) => format!(
            "took longer than its `timeout` of {}",
            humantime::format_duration(limit)
        ),
        None => "took too long".to_owned(),
    }
}

/// The codes by which a shell says what happened to the program it was to run.
fn with_meaning(code: i32) -> String {
    match code {
        126 => "exit code 126: a command could not be executed".to_owned(),
        127 => "exit code 127: a command was not found".to_owned(),
        137 => "exit code 137: a process was killed (out of memory?)".to_owned(),
        129..=160 => format!(
            "exit code {code}: a process was ended by {}",
            signal_name(code - 128)
        ),
        _ => format!("exit code {code}"),
    }
}
