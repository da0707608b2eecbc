//! Running a plan: from "what will be considered" to facts about what happened.
//!
//! | file | what |
//! |---|---|
//! | `scheduler`, `places` | who may go next: a pure state machine; slots and pools |
//! | `coordinator` | the one loop that owns all state of a run and tells all events |
//! | `worker`, `attempts` | the story of one step that has to run, on a thread of the jobs pool |
//! | `preflight` | what can be found missing before the first step starts |
//! | `environment`, `scripts`, `checks`, `http` | what a step's processes get, and what must hold around them |
//! | `inventory` | which tools the steps of a plan require, and what there is |
//! | `tools` | what tools print, which is part of keys |
//! | `output`, `mask` | what processes print: without secrets to the log, and live to the coordinator |
//! | `decide` | what a run would do, without doing it |
//!
//! A step that fails is an outcome here, never an `Err`. This room knows `plan`, `cache`,
//! `process`, `event` and `sys`; it knows no YAML, no command line and no terminal.

mod attempts;
mod checks;
mod coordinator;
mod decide;
mod environment;
mod error;
mod failure;
#[cfg(test)]
mod fixture;
mod http;
mod inventory;
mod mask;
mod messages;
mod output;
mod places;
mod preflight;
mod reasons;
mod scheduler;
mod scripts;
mod simple;
mod tools;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::cache::Cache;
use crate::event::{RunFinished, Sink};
use crate::plan::Plan;
use crate::process::Spawner;

pub use crate::process::{Cancel, Listener};
pub use decide::{Answer, Around, Asked, Decision, decide};
pub use error::ExecError;
pub use inventory::{Needed, inventory};
pub use scheduler::{Ending, Scheduler};
pub use tools::SHIMS;

/// How to run a plan.
pub struct RunOptions {
    /// Job slots: so many steps run at once.
    pub jobs: usize,
    /// After a failure, go on with all that does not depend on it.
    pub keep_going: bool,
    /// Run everything: nothing is up to date and the store is not read (it is written).
    pub force: bool,
    /// Warnings are errors.
    pub strict: bool,
    /// Steps are told that colours are welcome.
    pub color: bool,
    /// Output is told as it comes, as `step_output` events.
    pub stream: bool,
    /// Interactive steps have the terminal that `pipe` has; without one they run as others do.
    pub terminal: bool,
    /// Columns and rows of the terminals that `tty` steps get.
    pub screen: (u16, u16),
    /// The run's id, the name of its folder in `.pipe/runs`.
    pub run_id: String,
    /// The run's folder: logs and scripts go there. Made when a step really runs.
    pub run_dir: PathBuf,
    /// The workspace root, absolute.
    pub root: PathBuf,
    /// The caller's environment.
    pub caller_env: BTreeMap<OsString, OsString>,
    /// The values of `stamp.*`: asked for at most once, and only if a step that runs uses one.
    pub stamps: Stamps,
    /// What was asked for, as typed; only told in `run_started`.
    pub targets: Vec<String>,
}

/// Where the values of `stamp.*` come from.
pub type Stamps = Box<dyn Fn() -> BTreeMap<String, String> + Send + Sync>;

/// Brings all steps of `plan` up to date, and tells `sinks` what happens: `run_started` first,
/// `step_finished` exactly once for every step, `run_finished` (which is also returned) last.
///
/// Returns when no step's process is left, also after a [`Cancel`]. What a signal means for the
/// exit code is [`Cancel::exit_code`].
pub fn run(
    plan: &Plan,
    cache: &Cache,
    spawner: &dyn Spawner,
    options: &RunOptions,
    sinks: &mut Vec<Box<dyn Sink>>,
    cancel: &Cancel,
) -> RunFinished {
    coordinator::run(plan, cache, spawner, options, sinks, cancel)
}
