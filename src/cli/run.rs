//! `pipe run`: brings targets up to date. Here everything is put together.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{Output, RunArgs};
use super::compiled;
use super::exit::{Exit, refuse};
use super::options::{self, Surroundings};
use super::session::{Planned, Session, tell_refusal};
use super::{output, schema};
use crate::cache::{self, Cache, CacheOptions};
use crate::event::{self, Event, RunFinished, RunOutcome, Sink};
use crate::exec::{self, Cancel, RunOptions};
use crate::load::stamps;
use crate::model::Settings;
use crate::process::OsSpawner;
use crate::report;
use crate::sys::{
    self,
    lock::{Lock, LockError},
};

pub(super) fn run(around: &Surroundings, args: &RunArgs) -> Exit {
    if args.dry_run || args.question {
        return super::plan::ahead(around, args);
    }
    if let Err(message) = options::check_jobs(args) {
        return refuse(&message);
    }
    let ready = match compiled::find(around, args) {
        Some(found) => lock(&found.root, args).map(|lock| Ready {
            around,
            root: found.root,
            settings: found.settings,
            planned: found.planned,
            is_new: false,
            lock: Some(lock),
        }),
        None => plan(around, args),
    };
    let mut ready = match ready {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    let jobs = options::jobs(args, &ready.settings);
    let exit = run_planned(&ready, args, jobs);
    ready.lock = None;
    // The program ends here: giving back thousands of small pieces one by one is in vain.
    std::mem::forget(ready);
    exit
}

/// A plan, and what else of the workspace a run asks for.
struct Ready<'a> {
    around: &'a Surroundings,
    root: PathBuf,
    settings: Settings,
    planned: Planned,
    /// Whether it was made now: a plan of another version of the program is never kept.
    is_new: bool,
    /// One run at a time in a workspace.
    lock: Option<Lock>,
}

impl Ready<'_> {
    fn state_dir(&self) -> PathBuf {
        self.root.join(".pipe")
    }
}

/// Makes the plan from the pipeline files, and keeps it for the next run.
fn plan<'a>(around: &'a Surroundings, args: &RunArgs) -> Result<Ready<'a>, Exit> {
    let started = sys::clock::wall();
    let mut session = Session::open(around)?;
    let planned = session
        .plan(&args.selection, &args.args, args.strict)
        .map_err(|events| invalid(args, &events))?;
    // Whatever is written in `.pipe` is written under the lock.
    let lock = lock(&session.root, args)?;
    compiled::keep(&session, args, &planned, started);
    let ready = Ready {
        around,
        root: session.root.clone(),
        settings: session.loaded.workspace.settings.clone(),
        planned,
        is_new: true,
        lock: Some(lock),
    };
    std::mem::forget(session);
    Ok(ready)
}

/// Everything that is wrong, as reports or as events; nothing ran.
fn invalid(args: &RunArgs, events: &[event::Diagnostic]) -> Exit {
    if args.json {
        let ended = RunFinished {
            outcome: RunOutcome::Invalid,
            ..RunFinished::default()
        };
        let all = events
            .iter()
            .cloned()
            .map(Event::Diagnostic)
            .chain([Event::RunFinished(ended)]);
        for event in all {
            output::out(&format!(
                "{}\n",
                serde_json::to_string(&event).unwrap_or_default()
            ));
        }
    }
    tell_refusal(events);
    Exit::Invalid
}

fn run_planned(ready: &Ready, args: &RunArgs, jobs: usize) -> Exit {
    let planned = &ready.planned;
    let run_id = run_id();
    let cache = match Cache::open(cache_options(ready, args, &run_id), &planned.plan) {
        Ok(cache) => cache,
        Err(error) => return refuse(&error.to_string()),
    };
    let cancel = match Cancel::new().map(Arc::new) {
        Ok(cancel) => cancel,
        Err(error) => return refuse(&error.to_string()),
    };
    let _listener = match cancel.listen() {
        Ok(listener) => listener,
        Err(error) => return refuse(&error.to_string()),
    };
    let mut sinks = sinks(ready, args);
    for warning in &planned.warnings {
        let event = Event::Diagnostic(warning.clone());
        sinks.iter_mut().for_each(|sink| sink.take(&event));
    }
    let options = run_options(ready, args, jobs, run_id);
    let ended = exec::run(
        &planned.plan,
        &cache,
        &OsSpawner,
        &options,
        &mut sinks,
        &cancel,
    );
    drop(sinks);
    cache.leave_store();
    // Not given back piece by piece either.
    std::mem::forget(cache);
    keep_runs(&ready.state_dir().join("runs"));
    schema::provide(&ready.state_dir(), ready.is_new);
    match (cancel.exit_code(), ended.outcome) {
        (Some(code), _) => Exit::Signal(code),
        (None, RunOutcome::Ok) => Exit::Good,
        (None, _) => Exit::Failed,
    }
}

/// Takes the workspace's lock; what earlier runs left half-made is removed.
fn lock(root: &Path, args: &RunArgs) -> Result<Lock, Exit> {
    let state = root.join(".pipe");
    cache::make_state_dir(&state).map_err(|error| refused(error.into()))?;
    let path = state.join("lock");
    let lock = match Lock::acquire(&path, false, |_| {}) {
        Err(LockError::Held(Some(holder))) if sys::parent::is_ancestor(holder) => {
            Err(refuse(&format!(
                "called from within a step of the run that is at work here (process {holder}): it would wait for itself"
            )))
        }
        Err(LockError::Held(_)) if !args.no_wait => {
            Lock::acquire(&path, true, waiting).map_err(refused)
        }
        result => result.map_err(refused),
    }?;
    cache::mark_state_dir(&state).map_err(|error| refused(error.into()))?;
    cache::sweep(&state);
    Ok(lock)
}

fn waiting(holder: Option<u32>) {
    let holder = holder.map_or(String::new(), |pid| format!(" (process {pid})"));
    output::err(&format!(
        "waiting for another pipe run in this workspace{holder}\n"
    ));
}

fn refused(error: LockError) -> Exit {
    refuse(&error.to_string())
}

/// The time and the process: sorts by time, and two runs never share it.
fn run_id() -> String {
    let now: String = sys::clock::rfc3339_millis(sys::clock::wall())
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    format!(
        "{}-{}",
        now.trim_end_matches('Z').replace('.', ""),
        std::process::id()
    )
}

fn cache_options(ready: &Ready, args: &RunArgs, run_id: &str) -> CacheOptions {
    let settings = &ready.settings;
    CacheOptions {
        root: ready.root.clone(),
        state_dir: ready.state_dir(),
        store: options::store(ready.around, &args.store, settings, &ready.root),
        ignore: settings.ignore.clone(),
        run: run_id.to_owned(),
        read_store: !args.force,
    }
}

fn sinks(ready: &Ready, args: &RunArgs) -> Vec<Box<dyn Sink>> {
    let plan = &ready.planned.plan;
    let named = plan
        .named
        .iter()
        .map(|ix| plan.steps[*ix].name.clone())
        .collect();
    let options = options::report(ready.around, args, ready.root.clone(), named);
    report::sinks(
        options,
        Box::new(std::io::stdout()),
        Box::new(std::io::stderr()),
    )
}

fn run_options(ready: &Ready, args: &RunArgs, jobs: usize, run_id: String) -> RunOptions {
    let settings = &ready.settings;
    let (root, epoch) = (
        ready.root.clone(),
        ready.around.var("SOURCE_DATE_EPOCH").map(str::to_owned),
    );
    RunOptions {
        jobs,
        keep_going: args.keep_going || settings.keep_going && !args.fail_fast,
        force: args.force,
        strict: args.strict,
        color: ready.around.color.1,
        stream: args.output == Output::Stream,
        // What it prints would run through the events.
        terminal: std::io::stdin().is_terminal() && !args.json,
        screen: options::screen(),
        run_dir: ready.state_dir().join("runs").join(&run_id),
        run_id,
        root: ready.root.clone(),
        caller_env: ready.around.env.clone(),
        stamps: Box::new(move || stamps(&root, epoch.as_deref())),
        targets: ready.planned.targets.clone(),
    }
}

/// The number of runs whose logs are kept.
const KEPT_RUNS: usize = 50;

/// Removes the folders of the oldest runs. What cannot be removed is left to the next run.
fn keep_runs(runs: &Path) {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return;
    };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort_unstable();
    for old in folders.iter().rev().skip(KEPT_RUNS) {
        let _ = sys::fs::remove_dir_all(old);
    }
}
