//! The one loop that owns all state of a run. It decides on steps itself (mostly a few stats), and
//! hands those that have to run to threads; those answer by messages. Every event is told here,
//! so that all sinks see the same order.
//!
//! As long as nothing has to run there is one thread: the jobs pool is started for the first step
//! that has to.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};

use super::RunOptions;
use super::environment::Caller;
use super::error::ExecError;
use super::failure::Failure;
use super::messages::{Message, messages};
use super::output::SILENT;
use super::preflight::preflight;
use super::reasons::reasons;
use super::scheduler::{Ending, Scheduler};
use super::tools::Tools;
use super::worker::{Crew, Done, Job, Waits, found, in_full, millis};
use crate::cache::{Cache, Flight, Made, MissReason, Prepared, Seq, Upstream};
use crate::event::{
    self, Counts, Diagnostic, Event, FailureKind, Outcome, Reason, RunFinished, RunOutcome,
    RunStarted, Severity, Sink, StepFinished, StepStarted, StepWaiting,
};
use crate::plan::{Plan, StepIx};
use crate::process::{Cancel, Spawner};
use crate::sys::{clock, fs};

/// Sinks are told so often that time passes.
const TICK: Duration = Duration::from_millis(100);

/// A prepared step that waits longer than this for a slot is looked at again before it starts.
const STALE: Duration = Duration::from_secs(1);

/// See [`super::run`].
pub(super) fn run(
    plan: &Plan,
    cache: &Cache,
    spawner: &dyn Spawner,
    options: &RunOptions,
    sinks: &mut Vec<Box<dyn Sink>>,
    cancel: &Cancel,
) -> RunFinished {
    let (messenger, inbox) = messages();
    let tools = Tools {
        cache,
        spawner,
        cancel,
        root: &options.root,
        caller: Caller::new(&options.caller_env),
        said: Mutex::default(),
    };
    let crew = Crew {
        plan,
        cache,
        spawner,
        options,
        cancel,
        messenger,
        caller: Caller::new(&options.caller_env),
        stamps: OnceLock::new(),
    };
    let mut run = Coordinator {
        plan,
        crew: &crew,
        tools,
        inbox,
        scheduler: Scheduler::new(plan, options.jobs, options.keep_going),
        steps: known(plan),
        sinks,
        counts: Counts::default(),
        allowed: 0,
        start: clock::now(),
        ticked: clock::now(),
    };
    run.drive()
}

/// What is known of a step as the run goes on.
#[derive(Default)]
struct Known {
    /// What it made, once it is there.
    made: Option<Made>,
    /// What was seen of files before this moment does not count for what comes after the step: the
    /// last moment at which it, or an executed step that it needs, may have changed something.
    until: Seq,
    /// How long it took the last time.
    expected: Option<Duration>,
    /// What is to run, and why.
    pending: Option<Box<Pending>>,
    /// Why it runs.
    why: Vec<Reason>,
    /// Its slot.
    slot: usize,
    /// The failed step that it is blocked by, or itself.
    root_cause: Option<StepIx>,
    /// Whether another step is the same and ends as it does; then its end, once it is told.
    twin: bool,
    told: Option<Box<StepFinished>>,
}

fn known(plan: &Plan) -> Vec<Known> {
    let mut steps: Vec<Known> = plan.steps.iter().map(|_| Known::default()).collect();
    for same_as in plan.steps.iter().filter_map(|step| step.same_as) {
        steps[same_as].twin = true;
    }
    steps
}

/// A step that was decided on and waits for a slot.
struct Pending {
    prepared: Prepared,
    since: Seq,
    decided: Instant,
    /// The right to run it alone, where that was waited for.
    flight: Option<Flight>,
}

struct Coordinator<'a> {
    plan: &'a Plan,
    crew: &'a Crew<'a>,
    tools: Tools<'a>,
    inbox: Receiver<Message>,
    scheduler: Scheduler,
    steps: Vec<Known>,
    sinks: &'a mut Vec<Box<dyn Sink>>,
    counts: Counts,
    /// How many of the failed steps may fail.
    allowed: usize,
    start: Instant,
    ticked: Instant,
}

impl<'a> Coordinator<'a> {
    fn drive(&mut self) -> RunFinished {
        self.tell_start();
        while self.hear_cancel() && self.decide_one() {}
        if !self.scheduler.is_done() {
            self.with_threads();
        }
        self.tell_end()
    }

    /// From the first step that has to run on.
    fn with_threads(&mut self) {
        match self.make_ready() {
            Ok(pool) => {
                self.look_ahead();
                pool.in_place_scope_fifo(|scope| self.serve(scope));
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Ends what would fail for want of a program or a variable before anything starts.
    fn look_ahead(&mut self) {
        let mut failures = preflight(self.plan, self.crew);
        failures.retain(|(step, _)| !self.scheduler.is_over(*step));
        let steps: Vec<StepIx> = failures.iter().map(|(step, _)| *step).collect();
        let mut ends = self.scheduler.cannot_run(&steps);
        ends.retain(|end| !steps.contains(&end.step));
        for (step, failure) in failures {
            self.steps[step].pending = None;
            self.end(step, failure.told(&self.plan.steps[step]));
        }
        self.settle(ends);
    }

    fn make_ready(&mut self) -> Result<ThreadPool, ExecError> {
        let run_dir = &self.crew.options.run_dir;
        for folder in ["logs", "scripts"] {
            fs::create_dir_all(&run_dir.join(folder)).map_err(ExecError::RunFolder)?;
        }
        fs::create(&run_dir.join("logs").join(SILENT)).map_err(ExecError::RunFolder)?;
        let jobs = self.crew.options.jobs.clamp(1, self.plan.steps.len());
        let threads = ThreadPoolBuilder::new()
            .num_threads(jobs)
            .thread_name(|slot| format!("job {slot}"));
        threads.build().map_err(|error| ExecError::Threads {
            jobs,
            source: std::io::Error::other(error),
        })
    }

    fn serve<'s>(&mut self, scope: &ScopeFifo<'s>)
    where
        'a: 's,
    {
        self.weigh();
        while !self.scheduler.is_done() {
            self.hear_cancel();
            self.tick();
            // All three in turn: much output must not keep steps from starting.
            if !(self.take_message() | self.dispatch(scope) | self.decide_one()) {
                self.wait();
            }
        }
    }

    /// Nothing can run: what needs to is cancelled, and the run has failed.
    fn give_up(&mut self, error: &ExecError) {
        self.tell_error(error);
        let ends = self.scheduler.cancel();
        self.settle(ends);
    }
}

/// Deciding.
impl Coordinator<'_> {
    /// Decides on one step; false if there is none.
    fn decide_one(&mut self) -> bool {
        let Some(step) = self.scheduler.next_to_decide() else {
            return false;
        };
        if self.plan.steps[step].skip {
            self.finish(
                step,
                StepFinished::new(&self.plan.steps[step].name, Outcome::Skipped),
            );
            return true;
        }
        let since = self.since(step);
        self.steps[step].until = since;
        match self.prepare(step, since) {
            Ok(prepared) => self.decide(step, prepared, since),
            Err(failure) => self.finish(step, failure.told(&self.plan.steps[step])),
        }
        true
    }

    /// What a step sees of files has to be newer than all that was executed for it.
    fn since(&self, step: StepIx) -> Seq {
        self.scheduler
            .needs(step)
            .iter()
            .map(|need| self.steps[*need].until)
            .max()
            .unwrap_or_default()
    }

    fn prepare(&mut self, step: StepIx, since: Seq) -> Result<Prepared, Failure> {
        let made = self
            .scheduler
            .needs(step)
            .iter()
            .filter_map(|need| Some((*need, self.steps[*need].made.as_ref()?)));
        let prepared = self
            .crew
            .cache
            .prepare(&self.plan.steps[step], &Upstream::new(made), since);
        let prepared =
            prepared.map_err(|error| Failure::new(FailureKind::Sources, in_full(&error)))?;
        let asked = self.tools.asked(&self.plan.steps[step], prepared);
        let prepared = asked.map_err(|why| match self.crew.cancel.is_cancelled() {
            true => Failure::cancelled(),
            false => Failure::new(FailureKind::Tools, why),
        })?;
        if self.crew.options.strict && !prepared.warnings.is_empty() {
            return Err(Failure::new(
                FailureKind::Sources,
                prepared.warnings.join("; "),
            ));
        }
        Ok(prepared)
    }

    fn decide(&mut self, step: StepIx, prepared: Prepared, since: Seq) {
        for warning in &prepared.warnings {
            self.warn(
                "pipe::exec::sources",
                format!("{}: {warning}", self.plan.steps[step].name),
            );
        }
        let up_to_date = match self.crew.options.force {
            true => Err(vec![MissReason::Forced]),
            false => self
                .crew
                .cache
                .up_to_date(&self.plan.steps[step], &prepared, since),
        };
        match up_to_date {
            Ok(made) => {
                let finished = found(&self.plan.steps[step], Outcome::UpToDate, &made);
                self.steps[step].made = Some(made);
                self.finish(step, finished);
            }
            Err(why) => {
                self.steps[step].why = reasons(&why);
                self.steps[step].pending = Some(Box::new(Pending {
                    prepared,
                    since,
                    decided: clock::now(),
                    flight: None,
                }));
                let ends = self.scheduler.must_run(step);
                self.settle(ends);
            }
        }
    }
}

/// Running.
impl<'a> Coordinator<'a> {
    /// Hands one step to a thread; false if there is none or no slot is free.
    fn dispatch<'s>(&mut self, scope: &ScopeFifo<'s>) -> bool
    where
        'a: 's,
    {
        let Some((ix, slot)) = self.scheduler.next_to_run() else {
            return false;
        };
        self.steps[ix].slot = slot;
        if self.plan.steps[ix].interactive && !self.crew.options.terminal {
            self.warn(
                "pipe::exec::no_terminal",
                format!(
                    "{} is interactive and there is no terminal for it: it runs with empty standard input",
                    self.plan.steps[ix].name
                ),
            );
        }
        match self.fresh(ix) {
            Ok(Pending {
                prepared,
                since,
                flight,
                ..
            }) => {
                let (crew, step) = (self.crew, &self.plan.steps[ix]);
                scope.spawn_fifo(move |_| {
                    crew.work(Job {
                        ix,
                        step,
                        prepared,
                        since,
                        flight,
                    });
                });
            }
            Err(failure) => self.finish(ix, failure.told(&self.plan.steps[ix])),
        }
        true
    }

    /// What was found out about a step that is to start now. It may have waited for a slot while
    /// somebody edited its sources; without a second look its result would count as tainted.
    fn fresh(&mut self, step: StepIx) -> Result<Pending, Failure> {
        let fault = || {
            Failure::new(
                FailureKind::Sources,
                "a fault in pipe itself: it was not decided on",
            )
        };
        let pending = *self.steps[step].pending.take().ok_or_else(fault)?;
        if pending.decided.elapsed() < STALE || !self.crew.cache.is_stale(&pending.prepared) {
            return Ok(pending);
        }
        let since = self.crew.cache.tree().advance();
        Ok(Pending {
            prepared: self.prepare(step, since)?,
            since,
            decided: clock::now(),
            flight: pending.flight,
        })
    }

    /// Takes one message; false if there is none.
    fn take_message(&mut self) -> bool {
        self.inbox
            .try_recv()
            .map(|message| self.take(message))
            .is_ok()
    }

    /// Until there is a message or it is time for a tick. The crew holds a sender, so the channel
    /// never closes.
    fn wait(&mut self) {
        let time = TICK.saturating_sub(self.ticked.elapsed());
        match self.inbox.recv_timeout(time) {
            Ok(message) => self.take(message),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Started(step, _telling) => self.tell_started(step),
            Message::Retried(retried) => self.tell(&Event::StepRetried(*retried)),
            Message::Output(output, _permit) => self.tell(&Event::StepOutput(*output)),
            Message::Waits(step, waits) => self.waits(step, *waits),
            Message::Back(step, flight) => self.back(step, flight),
            Message::Done(step, done) => self.done(step, *done),
        }
    }

    /// A thread of its own waits: it ends with the wait or with the program, whichever comes first.
    fn waits(&mut self, step: StepIx, waits: Waits) {
        let Waits {
            prepared,
            since,
            elsewhere,
        } = waits;
        self.tell(&Event::StepWaiting(StepWaiting {
            step: self.plan.steps[step].name.clone(),
            pid: elsewhere.holder(),
        }));
        self.steps[step].pending = Some(Box::new(Pending {
            prepared,
            since,
            // Long ago: what it reads may change while it waits.
            decided: self.start,
            flight: None,
        }));
        let ends = self.scheduler.wait_elsewhere(step);
        self.settle(ends);
        let messenger = self.crew.messenger.clone();
        let thread = std::thread::Builder::new().name("waits".to_owned());
        let waiting = thread.spawn(move || messenger.back(step, elsewhere.wait()));
        if waiting.is_err() {
            self.back(step, None);
        }
    }

    fn back(&mut self, step: StepIx, flight: Option<Flight>) {
        if !self.scheduler.back(step) {
            return;
        }
        if let Some(pending) = &mut self.steps[step].pending {
            pending.flight = flight;
        }
    }

    fn done(&mut self, step: StepIx, done: Done) {
        let Done {
            mut finished,
            made,
            ran_until,
        } = done;
        let known = &mut self.steps[step];
        known.made = made;
        known.until = ran_until.unwrap_or(known.until);
        let why = std::mem::take(&mut known.why);
        if matches!(finished.outcome, Outcome::Executed | Outcome::Failed) {
            finished.why = why;
        }
        self.finish(step, finished);
    }

    /// Brings in how long steps took the last time; nobody needs to know before something runs.
    fn weigh(&mut self) {
        for (step, known) in self.plan.steps.iter().zip(&mut self.steps) {
            known.expected = self
                .crew
                .cache
                .last(&step.identity())
                .and_then(|last| last.duration());
        }
        let expected: Vec<Option<Duration>> =
            self.steps.iter().map(|known| known.expected).collect();
        self.scheduler.weigh(&expected);
    }

    /// Says whether the run goes on.
    fn hear_cancel(&mut self) -> bool {
        if self.crew.cancel.is_cancelled() {
            let ends = self.scheduler.cancel();
            self.settle(ends);
        }
        !self.scheduler.is_done()
    }
}

/// Telling.
impl Coordinator<'_> {
    /// The end of a step that was decided on or ran, and of all that ends with it.
    fn finish(&mut self, step: StepIx, finished: StepFinished) {
        let ends = self.scheduler.finished(step, finished.outcome);
        self.end(step, finished);
        self.settle(ends.into_iter().filter(|end| end.step != step).collect());
    }

    /// The end of one step by its own doing.
    fn end(&mut self, step: StepIx, mut finished: StepFinished) {
        if finished.outcome == Outcome::Failed {
            finished.allowed = self.plan.steps[step].allow_failure;
            self.steps[step].root_cause = Some(step);
        }
        self.count(step, finished);
    }

    /// Ends that nobody else tells: of steps that never had their turn.
    fn settle(&mut self, ends: Vec<Ending>) {
        for Ending {
            step,
            outcome,
            because_of,
        } in ends
        {
            let root_cause = because_of.and_then(|need| self.steps[need].root_cause);
            self.steps[step].root_cause = root_cause;
            self.steps[step].pending = None;
            let mut finished = StepFinished::new(&self.plan.steps[step].name, outcome);
            if let Some(root) = root_cause {
                let name = &self.plan.steps[root].name;
                let text = format!("`{name}` failed");
                finished.why = vec![Reason {
                    kind: "blocked_by".to_owned(),
                    name: Some(name.clone()),
                    text: text.clone(),
                    ..Reason::default()
                }];
                finished.message = Some(text);
            }
            let finished = self.as_its_twin(step).unwrap_or(finished);
            self.count(step, finished);
        }
    }

    /// The end of a step that is the same as another one, which is over.
    fn as_its_twin(&self, step: StepIx) -> Option<StepFinished> {
        let step = &self.plan.steps[step];
        let other = step.same_as?;
        let told = self.steps[other].told.as_deref()?;
        let notes = self
            .crew
            .cache
            .remember_alike(step, &self.plan.steps[other]);
        Some(StepFinished {
            step: step.name.clone(),
            same_as: Some(told.step.clone()),
            notes,
            ..told.clone()
        })
    }

    fn count(&mut self, step: StepIx, finished: StepFinished) {
        self.counts.add(finished.outcome);
        self.allowed += usize::from(finished.allowed);
        let known = &mut self.steps[step];
        known.told = known.twin.then(|| Box::new(finished.clone()));
        self.tell(&Event::StepFinished(Box::new(finished)));
    }

    fn tell_start(&mut self) {
        let options = self.crew.options;
        self.tell(&Event::RunStarted(RunStarted {
            version: event::VERSION,
            run: options.run_id.clone(),
            targets: options.targets.clone(),
            instances: self.plan.steps.len(),
            jobs: options.jobs,
        }));
    }

    fn tell_started(&mut self, step: StepIx) {
        let known = &self.steps[step];
        let event = StepStarted {
            step: self.plan.steps[step].name.clone(),
            why: known.why.clone(),
            slot: known.slot,
            expected_ms: known.expected.map(millis),
            interactive: self.plan.steps[step].interactive && self.crew.options.terminal,
        };
        self.tell(&Event::StepStarted(event));
    }

    fn tell_end(&mut self) -> RunFinished {
        if let Err(error) = self.crew.cache.save() {
            self.tell_error(&ExecError::NotSaved(error));
        }
        for note in self.crew.cache.notes() {
            self.warn("pipe::cache::note", note);
        }
        let outcome = match self.counts {
            _ if self.crew.cancel.is_cancelled() => RunOutcome::Cancelled,
            Counts {
                failed,
                cancelled: 0,
                blocked: 0,
                ..
            } if failed == self.allowed => RunOutcome::Ok,
            _ => RunOutcome::Failed,
        };
        let finished = RunFinished {
            outcome,
            counts: self.counts,
            allowed: self.allowed,
            damaged: self.crew.cache.damaged(),
            duration_ms: millis(self.start.elapsed()),
        };
        self.tell(&Event::RunFinished(finished.clone()));
        finished
    }

    fn tell_error(&mut self, error: &ExecError) {
        let text =
            |part: Option<Box<dyn std::fmt::Display + '_>>| part.map(|part| part.to_string());
        let is_warning = miette::Diagnostic::severity(error) == Some(miette::Severity::Warning);
        self.tell(&Event::Diagnostic(Diagnostic {
            code: text(miette::Diagnostic::code(error)).unwrap_or_default(),
            severity: if is_warning {
                Severity::Warning
            } else {
                Severity::Error
            },
            message: in_full(error),
            help: text(miette::Diagnostic::help(error)),
            ..Diagnostic::default()
        }));
    }

    fn warn(&mut self, code: &str, message: String) {
        let diagnostic = Diagnostic {
            code: code.to_owned(),
            severity: Severity::Warning,
            message,
            ..Default::default()
        };
        self.tell(&Event::Diagnostic(diagnostic));
    }

    fn tell(&mut self, event: &Event) {
        self.sinks.iter_mut().for_each(|sink| sink.take(event));
    }

    fn tick(&mut self) {
        if self.ticked.elapsed() >= TICK {
            self.ticked = clock::now();
            self.sinks.iter_mut().for_each(|sink| sink.tick());
        }
    }
}

#[cfg(test)]
mod tests;
