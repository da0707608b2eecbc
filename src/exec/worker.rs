//! The story of one step that has to run, from start to end on one thread of the jobs pool:
//! restore it, or run it (see `attempts`), and tell how that ended.
//!
//! A worker owns what it works on and tells the coordinator by messages. It never waits for a
//! rayon operation: a rayon thread that waits takes up other steps meanwhile.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use super::RunOptions;
use super::environment::{Caller, environment};
use super::failure::Failure;
use super::mask::Forms;
use super::messages::Messenger;
use super::output::{Live, StepLog};
use super::scripts::Surroundings;
use crate::cache::{Cache, Elsewhere, Flight, Made, Prepared, Ran, Seq, Turn};
use crate::event::{FailureKind, Outcome, OutputFile, StepFinished};
use crate::expand::Late;
use crate::plan::{Plan, PlanStep, StepIx};
use crate::process::{Cancel, Spawner};
use crate::sys::clock;

/// What all workers of a run share.
pub(super) struct Crew<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cache: &'a Cache,
    pub(super) spawner: &'a dyn Spawner,
    pub(super) options: &'a RunOptions,
    pub(super) cancel: &'a Cancel,
    pub(super) messenger: Messenger,
    pub(super) caller: Caller<'a>,
    /// The values of `stamp.*`, once somebody has asked.
    pub(super) stamps: OnceLock<BTreeMap<String, String>>,
}

/// A step that has to run.
pub(super) struct Job<'a> {
    pub(super) ix: StepIx,
    pub(super) step: &'a PlanStep,
    pub(super) prepared: Prepared,
    /// What was seen of files before this moment does not count.
    pub(super) since: Seq,
    /// The right to run it alone, where that was waited for.
    pub(super) flight: Option<Flight>,
}

/// A job that waits for somebody else who runs the same.
pub(super) struct Waits {
    pub(super) prepared: Prepared,
    pub(super) since: Seq,
    pub(super) elsewhere: Elsewhere,
}

/// The end of a job.
pub(super) struct Done {
    /// What to tell.
    pub(super) finished: StepFinished,
    /// What the step made, where it went well.
    pub(super) made: Option<Made>,
    /// The logical time after which its command has changed nothing any more, if one ran.
    pub(super) ran_until: Option<Seq>,
}

impl Crew<'_> {
    /// Carries `job` to its end, or to where it has to wait, and tells the coordinator.
    pub(super) fn work(&self, mut job: Job<'_>) {
        let flight = job.flight.take();
        let told = catch_unwind(AssertUnwindSafe(|| Story::new(self, &job).tell(flight)));
        match told.unwrap_or_else(|_| Ok(broken(job.step, self.cache))) {
            Ok(done) => self.messenger.done(job.ix, done),
            Err(elsewhere) => self.messenger.waits(
                job.ix,
                Waits {
                    prepared: job.prepared,
                    since: job.since,
                    elsewhere,
                },
            ),
        }
    }

    fn stamps(&self) -> &BTreeMap<String, String> {
        self.stamps.get_or_init(&self.options.stamps)
    }
}

/// A fault in `pipe` itself is a failure of the step, so that the run can still end in order.
fn broken(step: &PlanStep, cache: &Cache) -> Done {
    let failure = Failure::new(
        FailureKind::Spawn,
        "a fault in pipe itself; please report it",
    );
    Done {
        finished: failure.told(step),
        made: None,
        ran_until: Some(cache.tree().advance()),
    }
}

/// One step on its way.
pub(super) struct Story<'a> {
    pub(super) crew: &'a Crew<'a>,
    pub(super) job: &'a Job<'a>,
    started: SystemTime,
    start: Instant,
    pub(super) log: StepLog<'a>,
    /// The attempt that it is at, from 1.
    pub(super) attempt: u64,
    /// How long the scripts of this attempt took.
    pub(super) command_time: Duration,
    pub(super) cpu: Option<Duration>,
    pub(super) max_rss: Option<u64>,
    pub(super) notes: Vec<String>,
    pub(super) tainted: Vec<String>,
}

impl<'a> Story<'a> {
    fn new(crew: &'a Crew<'a>, job: &'a Job<'a>) -> Self {
        let live = crew
            .options
            .stream
            .then(|| Live::new(&job.step.name, &crew.messenger));
        let secrets = crew.caller.secrets(job.step);
        let secrets = Forms::of(secrets.map(|(_, value)| value.as_encoded_bytes()));
        Self {
            crew,
            job,
            started: clock::wall(),
            start: clock::now(),
            log: StepLog::new(
                crew.options.run_dir.join("logs").join(file_name(job)),
                live,
                secrets,
            ),
            attempt: 0,
            command_time: Duration::ZERO,
            cpu: None,
            max_rss: None,
            notes: Vec::new(),
            tainted: Vec::new(),
        }
    }

    /// To the step's end, or to where somebody else has to be waited for.
    fn tell(self, waited: Option<Flight>) -> Result<Done, Elsewhere> {
        let Job {
            step,
            prepared,
            since,
            ..
        } = self.job;
        if self.crew.cancel.is_cancelled() {
            return Ok(Done {
                finished: Failure::cancelled().told(step),
                made: None,
                ran_until: None,
            });
        }
        if let Some(made) = self.restored() {
            return Ok(brought(step, made));
        }
        let cache = self.crew.cache;
        // What is there and cannot be brought is not tried twice.
        let is_there = || cache.stored(step, prepared, *since).is_some();
        let was_there = is_there();
        // Held to the end.
        let _flight = match waited {
            Some(flight) => cache.still_alone(step, prepared, *since, flight),
            None => match cache.turn(step, prepared, *since) {
                Turn::Theirs(elsewhere) => return Err(elsewhere),
                Turn::Ours(flight) => flight,
            },
        };
        // Somebody may have been done between the first look and the turn.
        let is_new = !was_there && is_there();
        if let Some(made) = is_new.then(|| self.restored()).flatten() {
            return Ok(brought(step, made));
        }
        Ok(self.run())
    }

    fn run(mut self) -> Done {
        let told = self.crew.messenger.started(self.job.ix);
        if self.has_terminal() {
            told.wait();
        }
        let result = self.executed();
        self.notes.extend(self.log.flush());
        match result {
            Ok((made, ran_until)) => self.went_well(made, ran_until),
            Err(failure) => self.went_wrong(failure),
        }
    }

    /// Whether the terminal belongs to its scripts while they run.
    pub(super) fn has_terminal(&self) -> bool {
        self.job.step.interactive && self.crew.options.terminal
    }

    fn restored(&self) -> Option<Made> {
        let Job {
            step,
            prepared,
            since,
            ..
        } = self.job;
        let may = !self.crew.options.force;
        may.then(|| self.crew.cache.restore(step, prepared, *since))
            .flatten()
    }

    pub(super) fn surroundings(&self) -> Result<Surroundings<'a>, Failure> {
        let (step, options) = (self.job.step, self.crew.options);
        let late = self.late();
        let variables = environment(step, &late, &self.crew.caller, &options.root, options.color);
        Ok(Surroundings {
            step,
            root: &options.root,
            variables: variables
                .map_err(|error| Failure::new(FailureKind::Command, format!("env: {error}")))?,
            late,
            spill: options.run_dir.join("scripts").join(file_name(self.job)),
        })
    }

    /// The late values with what the key knows only as placeholders.
    fn late(&self) -> Late {
        let mut late = self.job.prepared.late.clone();
        late.jobs = self.crew.options.jobs.to_string();
        if uses_stamps(self.job.step) {
            late.stamps = self.crew.stamps().clone();
        }
        late
    }

    pub(super) fn ran(&self, since: Seq) -> Ran {
        Ran {
            started: self.started,
            duration: self.command_time,
            log: self.log.path(),
            discovered: Vec::new(),
            since,
        }
    }

    fn went_well(self, made: Made, ran_until: Seq) -> Done {
        let mut finished = found(self.job.step, Outcome::Executed, &made);
        finished.exit_code = Some(0);
        Done {
            finished: self.with_figures(finished),
            made: Some(made),
            ran_until: Some(ran_until),
        }
    }

    fn went_wrong(mut self, failure: Failure) -> Done {
        if !self.has_terminal() {
            self.log.make();
        }
        // Also a command that failed may have changed files.
        let until = self.crew.cache.tree().advance();
        if failure.kind.is_some() {
            self.notes
                .extend(self.crew.cache.failed(self.job.step, &self.ran(until)));
        }
        let finished = failure.told(self.job.step);
        Done {
            finished: self.with_figures(finished),
            made: None,
            ran_until: Some(until),
        }
    }

    fn with_figures(self, mut finished: StepFinished) -> StepFinished {
        finished.attempts = self.attempt;
        finished.duration_ms = millis(self.start.elapsed());
        finished.cpu_ms = self.cpu.map(millis);
        finished.max_rss = self.max_rss;
        let prepared = || self.job.prepared.key.to_string();
        finished.key.get_or_insert_with(prepared);
        let log = Some(self.log.path()).filter(|_| self.log.is_made() || !self.has_terminal());
        finished.log = log.map(|log| log.display().to_string());
        finished.tainted = self.tainted;
        finished.notes.extend(self.notes);
        self.log.without_secrets(&mut finished);
        finished
    }
}

/// The end of a step whose result came from the store.
fn brought(step: &PlanStep, made: Made) -> Done {
    Done {
        finished: found(step, Outcome::FromCache, &made),
        made: Some(made),
        ran_until: None,
    }
}

/// The `step_finished` of a step that is there without, or after, running.
pub(super) fn found(step: &PlanStep, outcome: Outcome, made: &Made) -> StepFinished {
    let file = |entry: &crate::cache::Entry| OutputFile {
        path: entry.path.display(),
        bytes: entry.identity.size,
    };
    StepFinished {
        outputs: made.entries.iter().map(file).collect(),
        key: made.key.map(|key| key.0.hex()),
        log: made.log.as_ref().map(|log| log.display().to_string()),
        notes: made.notes.clone(),
        ..StepFinished::new(&step.name, outcome)
    }
}

/// A name for the step's files in the run's folder; the number keeps it apart from others that
/// would read the same.
fn file_name(job: &Job<'_>) -> PathBuf {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '-'
        }
    };
    let name: String = job.step.name.chars().take(80).map(plain).collect();
    format!("{:04}-{name}.log", job.ix).into()
}

fn uses_stamps(step: &PlanStep) -> bool {
    step.templates().any(|template| template.uses("stamp"))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An error and what caused it, in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
