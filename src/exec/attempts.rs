//! How a step runs: check what it requires; then, as often as it may be tried, set its old outputs
//! aside, run its scripts, look at what they made, verify, and take the result.

use std::time::Duration;

use super::checks::Checker;
use super::failure::Failure;
use super::scripts::Surroundings;
use super::worker::{Crew, Story, in_full, millis};
use crate::cache::{Aside, DiscoverError, Discovered, Made, Ran, Seq, Tick, not_made};
use crate::event::{FailureKind, StepRetried};
use crate::expand::Template;
use crate::plan::{DepfileAt, Output, OutputKind, Retries};
use crate::process::{Limits, Streams};

/// What is to be undone has at least so long, however short the step's own limit is.
const TO_UNDO: Duration = Duration::from_secs(60);

/// When checks are made.
#[derive(Clone, Copy)]
enum Moment {
    Before,
    After,
}

impl Story<'_> {
    pub(super) fn executed(&mut self) -> Result<(Made, Seq), Failure> {
        if let Some(why) = self.crew.caller.bad_secret(self.job.step) {
            return Err(Failure::new(FailureKind::Secrets, why));
        }
        let around = self.surroundings()?;
        self.check(&around, Moment::Before)?;
        loop {
            self.attempt += 1;
            let aside = self.crew.cache.set_aside(self.job.step);
            let mut aside =
                aside.map_err(|error| Failure::new(FailureKind::Outputs, in_full(&error)))?;
            match self.attempt(&around, &mut aside) {
                Ok(end) => {
                    let notes = self.crew.cache.discard(aside);
                    self.notes.extend(notes);
                    return Ok(end);
                }
                Err(failure) => self.failed(&around, failure, aside)?,
            }
        }
    }

    /// After an attempt that failed; `Ok` if another one is due.
    fn failed(
        &mut self,
        around: &Surroundings<'_>,
        failure: Failure,
        aside: Aside,
    ) -> Result<(), Failure> {
        let may = failure.is_flaky() && self.attempt <= self.job.step.retries.max;
        if !may {
            // Sees what the command left: a journal may be among its outputs.
            self.on_failure(around, &failure);
        }
        match self.crew.cache.put_back(aside) {
            // What the last attempt left is kept; an earlier one's gives way to it.
            Ok(left) if !may => self
                .notes
                .extend(left.map(|left| format!("what it left is in {}", left.display()))),
            Ok(_) => return self.pause(&failure),
            Err(error) => self.notes.push(format!(
                "its earlier outputs were not put back: {}",
                in_full(&error)
            )),
        }
        Err(failure)
    }

    /// Tells of a failed attempt and waits for the next one's time.
    fn pause(&mut self, failure: &Failure) -> Result<(), Failure> {
        let retries = self.job.step.retries;
        let (attempt, attempts) = (self.attempt, retries.max.saturating_add(1));
        let delay = delay(retries, attempt);
        let again = match delay {
            Duration::ZERO => "trying again".to_owned(),
            delay => format!("trying again in {}", humantime::format_duration(delay)),
        };
        let message = self.log.masked(&failure.message);
        self.log.say(&format!(
            "attempt {attempt} of {attempts} failed: {message}; {again}"
        ));
        self.crew.messenger.retried(StepRetried {
            step: self.job.step.name.clone(),
            attempt,
            attempts,
            message,
            delay_ms: millis(delay),
        });
        match self.crew.cancel.wait(delay) {
            true => Err(Failure::cancelled()),
            false => Ok(()),
        }
    }

    /// What its author wants done after the last attempt has failed. A run that is to end starts
    /// nothing new.
    fn on_failure(&mut self, around: &Surroundings<'_>, failure: &Failure) {
        let scripts = &self.job.step.on_failure;
        if scripts.is_empty() || failure.kind.is_none() {
            return;
        }
        let (message, took) = (&failure.message, self.command_time);
        self.log.say(&format!("failed: {message}; now on_failure"));
        let limit = self.job.step.timeout.map(|limit| limit.max(TO_UNDO));
        if let Err(failure) = self.run_all(around, scripts, "on_failure", limit) {
            let message = match (failure.kind, limit) {
                (Some(FailureKind::Timeout), Some(limit)) => {
                    format!("took longer than {}", humantime::format_duration(limit))
                }
                _ => failure.message,
            };
            self.notes
                .push(format!("its `on_failure` failed: {message}"));
        }
        self.command_time = took;
    }

    /// From the scripts to the result.
    fn attempt(
        &mut self,
        around: &Surroundings<'_>,
        aside: &mut Aside,
    ) -> Result<(Made, Seq), Failure> {
        let step = self.job.step;
        let depfile = step.depfile.as_ref();
        let depfile = depfile.map(|depfile| (depfile, self.began()));
        self.run_all(around, &step.scripts, "run", step.timeout)?;
        self.outputs_are_there()?;
        self.nothing_is_lost(aside)?;
        self.check(around, Moment::After)?;
        // The log is part of the result.
        self.notes.extend(self.log.flush());
        let until = self.crew.cache.tree().advance();
        self.capture(aside, depfile, until)
            .map(|made| (made, until))
    }

    /// Runs the scripts of a key in order, under one time limit for all.
    fn run_all(
        &mut self,
        around: &Surroundings<'_>,
        scripts: &[Template],
        key: &str,
        limit: Option<Duration>,
    ) -> Result<(), Failure> {
        self.command_time = Duration::ZERO;
        for (at, script) in scripts.iter().enumerate() {
            let script = script
                .fill(&around.late)
                .map_err(|error| Failure::new(FailureKind::Command, format!("{key}: {error}")))?;
            let limit = limit.map(|limit| limit.saturating_sub(self.command_time));
            self.run_script(around, &script, &format!("{key}{}", at + 1), limit)?;
        }
        Ok(())
    }

    fn run_script(
        &mut self,
        around: &Surroundings<'_>,
        script: &str,
        part: &str,
        timeout: Option<Duration>,
    ) -> Result<(), Failure> {
        if self.crew.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let step = self.job.step;
        let command = around.command(script, part);
        let mut command =
            command.map_err(|error| Failure::new(FailureKind::Spawn, in_full(&error)))?;
        command.streams = self.streams();
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

    fn streams(&self) -> Streams {
        let (columns, rows) = self.crew.options.screen;
        if self.has_terminal() {
            Streams::Inherited
        } else if self.job.step.tty {
            Streams::Terminal(columns, rows)
        } else {
            Streams::Pipes
        }
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
        let is_missing = |output: &Output| match &output.kind {
            OutputKind::File(path) | OutputKind::Folder(path) => !self.stands(path),
            OutputKind::Glob(_) => false,
        };
        // Listing files takes its time, and is done again later: only where there is a mistake.
        let matches_nothing = |output: &Output| match &output.kind {
            OutputKind::File(_) | OutputKind::Folder(_) => false,
            OutputKind::Glob(_) => {
                let tree = self.crew.cache.tree();
                let found = tree.outputs(std::slice::from_ref(output), tree.advance());
                found.is_ok_and(|found| found.is_empty())
            }
        };
        let depfile = self.job.step.depfile.as_ref().map(|depfile| &depfile.path);
        let is_depfile = |output: &Output| matches!(&output.kind, OutputKind::File(path) if Some(path) == depfile);
        let lacks_depfile = depfile.filter(|path| !self.stands(path));
        let outputs = self.job.step.outputs.iter();
        let wanted: Vec<&Output> = outputs
            .filter(|output| !output.optional && !output.negated && !is_depfile(output))
            .collect();
        if lacks_depfile.is_none() && !wanted.iter().any(|output| is_missing(output)) {
            return Ok(());
        }
        let missing = wanted
            .into_iter()
            .filter(|output| is_missing(output) || matches_nothing(output))
            .map(|output| match &output.kind {
                OutputKind::File(path) => path.to_string(),
                OutputKind::Folder(path) => format!("{path}/"),
                OutputKind::Glob(pattern) => pattern.text().to_owned(),
            });
        let missing: Vec<String> = missing.collect();
        let outputs = (!missing.is_empty()).then(|| not_made(&missing));
        let depfile = lacks_depfile.map(|path| format!("depfile `{path}` was not made"));
        let all: Vec<String> = outputs.into_iter().chain(depfile).collect();
        Err(Failure::new(FailureKind::Outputs, all.join(", ")))
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
    fn capture(
        &mut self,
        aside: &mut Aside,
        depfile: Option<(&DepfileAt, Tick)>,
        until: Seq,
    ) -> Result<Made, Failure> {
        let (cache, job) = (self.crew.cache, self.job);
        let discovered = depfile
            .map(|(depfile, began)| self.discover(depfile, &began, until))
            .transpose()?;
        if job.step.cache.is_cached() {
            let mut changed = cache.tainted(&job.prepared);
            changed.extend(discovered.iter().flat_map(|found| found.changed.clone()));
            self.tainted = changed.iter().map(|path| path.display()).collect();
        }
        if self.crew.options.strict && !self.tainted.is_empty() {
            let message = format!("{} changed while it ran", self.tainted.join(", "));
            return Err(Failure::new(FailureKind::Sources, message));
        }
        let prepared = discovered
            .as_ref()
            .map_or(&job.prepared, |found| &found.prepared);
        let ran = Ran {
            discovered: prepared.discovered_paths(),
            ..self.ran(until)
        };
        let prepared = self.tainted.is_empty().then_some(prepared);
        let made = cache.capture(job.step, prepared, &ran, aside);
        made.map_err(|error| Failure::new(FailureKind::Outputs, in_full(&error)))
    }
}

/// The depfile.
impl Story<'_> {
    /// The moment before the command. What a step before this one wrote last may bear the time of the
    /// same tick of the file system's clock: then the next one, so that it does not count as written
    /// while this command ran.
    fn began(&self) -> Tick {
        const TICK: Duration = Duration::from_millis(1);
        const MOST_TICKS: usize = 20;
        let tree = self.crew.cache.tree();
        let first = tree.tick();
        if self.job.since == 0 {
            return first;
        }
        let later = (0..MOST_TICKS).find_map(|_| {
            let next = tree.tick();
            let found = next.is_later_than(&first).then_some(next);
            let is_cancelled = found.is_none() && self.crew.cancel.wait(TICK);
            found.or(is_cancelled.then_some(first))
        });
        later.unwrap_or(first)
    }

    /// What the command has read that nobody declared.
    fn discover(
        &self,
        depfile: &DepfileAt,
        began: &Tick,
        until: Seq,
    ) -> Result<Discovered, Failure> {
        let (Crew { cache, plan, .. }, job) = (self.crew, self.job);
        let found = cache.discover(plan, job.step, depfile, &job.prepared, (began, until));
        found.map_err(|error| {
            let kind = match error {
                DiscoverError::Made { .. } => FailureKind::Sources,
                _ => FailureKind::Outputs,
            };
            Failure::new(
                kind,
                format!("depfile `{}` {}", depfile.path, in_full(&error)),
            )
        })
    }
}

/// The wait after attempt `attempt`.
fn delay(retries: Retries, attempt: u64) -> Duration {
    let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
    let seconds = retries.delay.as_secs_f64() * retries.backoff.powi(exponent);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn sum(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.map_or(other, |one| Some(one + other.unwrap_or_default()))
}
