//! The story of one step that has to run, from start to end on one thread of the jobs pool:
//! restore it; or check what it requires, set its old outputs aside, run its scripts, look at what
//! they made, verify, and take the result.
//!
//! A worker owns what it works on and tells the coordinator by messages. It never waits for a
//! rayon operation: a rayon thread that waits takes up other steps meanwhile.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use super::RunOptions;
use super::checks::Checker;
use super::environment::{Caller, environment};
use super::failure::Failure;
use super::mask::Forms;
use super::messages::Messenger;
use super::output::{Live, StepLog};
use super::scripts::Surroundings;
use crate::cache::{Aside, Cache, Made, Prepared, Ran, Seq};
use crate::event::{FailureKind, Outcome, OutputFile, StepFinished};
use crate::expand::Late;
use crate::plan::{OutputKind, PlanStep, StepIx};
use crate::process::{Cancel, Limits, Spawner};
use crate::sys::clock;

/// What all workers of a run share.
pub(super) struct Crew<'a> {
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
    /// Carries `job` to its end and tells the coordinator.
    pub(super) fn work(&self, job: Job<'_>) {
        let done = catch_unwind(AssertUnwindSafe(|| Story::new(self, &job).tell()));
        let done = done.unwrap_or_else(|_| broken(job.step, self.cache));
        self.messenger.done(job.ix, done);
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
struct Story<'a> {
    crew: &'a Crew<'a>,
    job: &'a Job<'a>,
    started: SystemTime,
    start: Instant,
    log: StepLog<'a>,
    /// How long its scripts took.
    command_time: Duration,
    cpu: Option<Duration>,
    max_rss: Option<u64>,
    notes: Vec<String>,
    tainted: Vec<String>,
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
            command_time: Duration::ZERO,
            cpu: None,
            max_rss: None,
            notes: Vec::new(),
            tainted: Vec::new(),
        }
    }

    fn tell(mut self) -> Done {
        let step = self.job.step;
        if self.crew.cancel.is_cancelled() {
            return Done {
                finished: Failure::cancelled().told(step),
                made: None,
                ran_until: None,
            };
        }
        if let Some(made) = self.restored() {
            return Done {
                finished: found(step, Outcome::FromCache, &made),
                made: Some(made),
                ran_until: None,
            };
        }
        self.crew.messenger.started(self.job.ix);
        let result = self.executed();
        self.notes.extend(self.log.close());
        match result {
            Ok((made, ran_until)) => self.went_well(made, ran_until),
            Err(failure) => self.went_wrong(failure),
        }
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

    fn executed(&mut self) -> Result<(Made, Seq), Failure> {
        let step = self.job.step;
        if let Some(why) = self.crew.caller.bad_secret(step) {
            return Err(Failure::new(FailureKind::Secrets, why));
        }
        let around = self.surroundings()?;
        self.check(&around, Moment::Before)?;
        let aside = self.crew.cache.set_aside(step);
        let aside = aside.map_err(|error| Failure::new(FailureKind::Outputs, in_full(&error)))?;
        match self.attempt(&around, &aside) {
            Ok(end) => {
                self.notes.extend(self.crew.cache.discard(aside, step));
                Ok(end)
            }
            Err(failure) => {
                let note = match self.crew.cache.put_back(aside) {
                    Ok(left) => left.map(|left| format!("what it left is in {}", left.display())),
                    Err(error) => Some(format!(
                        "its earlier outputs were not put back: {}",
                        in_full(&error)
                    )),
                };
                self.notes.extend(note);
                Err(failure)
            }
        }
    }

    fn surroundings(&self) -> Result<Surroundings<'a>, Failure> {
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

    /// From the scripts to the result.
    fn attempt(
        &mut self,
        around: &Surroundings<'_>,
        aside: &Aside,
    ) -> Result<(Made, Seq), Failure> {
        let step = self.job.step;
        for (at, script) in step.scripts.iter().enumerate() {
            let script = script.fill(&around.late);
            let script = script
                .map_err(|error| Failure::new(FailureKind::Command, format!("run: {error}")))?;
            self.run_script(around, &script, at)?;
        }
        self.outputs_are_there()?;
        self.nothing_is_lost(aside)?;
        self.check(around, Moment::After)?;
        // The log is part of the result.
        self.notes.extend(self.log.close());
        let until = self.crew.cache.tree().advance();
        self.capture(until).map(|made| (made, until))
    }

    fn run_script(
        &mut self,
        around: &Surroundings<'_>,
        script: &str,
        at: usize,
    ) -> Result<(), Failure> {
        if self.crew.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let step = self.job.step;
        let command = around.command(script, &(at + 1).to_string());
        let command = command.map_err(|error| Failure::new(FailureKind::Spawn, in_full(&error)))?;
        // One time limit for all scripts of an attempt.
        let timeout = step
            .timeout
            .map(|timeout| timeout.saturating_sub(self.command_time));
        let limits = Limits {
            timeout,
            grace: step.grace,
        };
        let exit = self
            .crew
            .spawner
            .run(&command, &mut self.log, limits, self.crew.cancel);
        self.command_time += exit.duration;
        self.cpu = sum(self.cpu, exit.cpu);
        self.max_rss = self.max_rss.max(exit.max_rss);
        self.notes.extend(exit.warnings.iter().cloned());
        Failure::of(&exit, script, step)
    }

    fn check(&mut self, around: &Surroundings<'_>, moment: Moment) -> Result<(), Failure> {
        let (checks, kind) = match moment {
            Moment::Before => (&around.step.requires, FailureKind::Requires),
            Moment::After => (&around.step.verify, FailureKind::Verify),
        };
        let Crew {
            spawner,
            options,
            cancel,
            ..
        } = *self.crew;
        let checker = Checker {
            around,
            caller: &options.caller_env,
            spawner,
            cancel,
        };
        checker
            .hold(checks, &mut self.log)
            .map_err(|message| match cancel.is_cancelled() {
                true => Failure::cancelled(),
                false => Failure::new(kind, message),
            })
    }

    /// Said before `verify` has its turn: its words on a missing file would hide the cause.
    fn outputs_are_there(&self) -> Result<(), Failure> {
        let wanted = self
            .job
            .step
            .outputs
            .iter()
            .filter(|output| !output.optional && !output.negated);
        let missing = wanted.filter_map(|output| match &output.kind {
            OutputKind::File(path) => {
                (!self.stands(path)).then(|| format!("output `{path}` was not made"))
            }
            OutputKind::Folder(path) => {
                (!self.stands(path)).then(|| format!("output `{path}/` was not made"))
            }
            OutputKind::Glob(_) => None,
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(FailureKind::Outputs, missing.join(", ")))
        }
    }

    /// Committed files that the outputs cover and the command did not make would go with the old
    /// outputs: that is a mistake in the declaration, found before anything is recorded.
    fn nothing_is_lost(&self, aside: &Aside) -> Result<(), Failure> {
        let lost = self.crew.cache.not_made_again(aside);
        let Some(first) = lost.first() else {
            return Ok(());
        };
        let more = match lost.len() {
            1 => String::new(),
            many => format!(" (and {} more)", many - 1),
        };
        let message = format!(
            "`outputs` covers `{first}`{more}, which git tracks and the command did not make: take it away with a `!`, or name less"
        );
        Err(Failure::new(FailureKind::Outputs, message))
    }

    fn stands(&self, path: &crate::path::RelPath) -> bool {
        path.under(&self.crew.options.root)
            .symlink_metadata()
            .is_ok()
    }

    /// A result whose inputs changed meanwhile is handed on but neither stored nor recorded.
    fn capture(&mut self, until: Seq) -> Result<Made, Failure> {
        let (cache, job) = (self.crew.cache, self.job);
        if job.step.cache.is_cached() {
            self.tainted = cache
                .tainted(&job.prepared)
                .iter()
                .map(|path| path.display())
                .collect();
        }
        if self.crew.options.strict && !self.tainted.is_empty() {
            let message = format!("{} changed while it ran", self.tainted.join(", "));
            return Err(Failure::new(FailureKind::Sources, message));
        }
        let prepared = self.tainted.is_empty().then_some(&job.prepared);
        let made = cache.capture(job.step, prepared, &self.ran(until));
        made.map_err(|error| Failure::new(FailureKind::Outputs, in_full(&error)))
    }

    fn ran(&self, since: Seq) -> Ran {
        Ran {
            started: self.started,
            duration: self.command_time,
            log: self.log.path(),
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
        self.log.make();
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
        finished.duration_ms = millis(self.start.elapsed());
        finished.cpu_ms = self.cpu.map(millis);
        finished.max_rss = self.max_rss;
        finished.key = Some(self.job.prepared.key.to_string());
        finished.log = Some(self.log.path().display().to_string());
        finished.tainted = self.tainted;
        finished.notes.extend(self.notes);
        self.log.without_secrets(&mut finished);
        finished
    }
}

/// When checks are made.
#[derive(Clone, Copy)]
enum Moment {
    Before,
    After,
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

fn sum(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.map_or(other, |one| Some(one + other.unwrap_or_default()))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An error and what caused it, in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
