//! Who may go next: a pure state machine over the steps of a plan. No threads, no clock, no
//! input and output: time comes in as durations, everything else as calls.
//!
//! Two things are given out here. *Deciding* (is the step up to date?) is cheap and takes no slot;
//! *running* takes slots, and places in pools. The order among steps that could go is the longest
//! remaining path first. What a step takes it takes all at once or not at all, so nothing can
//! deadlock: one that lacks a place in a pool lets others go ahead; one that lacks slots does not,
//! or a step that takes many would never have its turn.
//!
//! After a failure (without keep-going) or a cancel nothing new is given out: a step whose turn
//! would have come is cancelled, one that needs what failed is blocked.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use super::places::{Limits, Slots};
use crate::event::Outcome;
use crate::plan::{Plan, StepIx};

/// Where a step is. It only ever moves down this list, but for one that was waited for elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Something that it needs is not over, and nothing that it needs has failed.
    Waiting,
    /// All that it needs is over and good; nobody has looked at it.
    Ready,
    /// Somebody finds out whether it has to run.
    Deciding,
    /// It has to run; it waits for slots, or for a place in a pool.
    Runnable,
    /// It runs; its slots and places are taken.
    Running,
    /// Somebody else runs the same; its slots and places are free. It becomes runnable again.
    Elsewhere,
    /// It is over, with this outcome, for good.
    Over(Outcome),
}

/// The end of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Which one.
    pub step: StepIx,
    /// How it ended.
    pub outcome: Outcome,
    /// The step whose end brought this one about: what a blocked one needs, what an equal one is
    /// equal to.
    pub because_of: Option<StepIx>,
}

/// Hands out the steps of a plan in an order that the plan allows.
#[derive(Debug)]
pub struct Scheduler {
    states: Vec<State>,
    /// What each step needs or comes after, without doubles.
    needs: Vec<Vec<StepIx>>,
    /// The same the other way round.
    dependants: Vec<Vec<StepIx>>,
    /// How many of its `needs` are not over, for each step.
    open: Vec<usize>,
    /// The longest remaining path from each step on, itself included.
    remaining: Vec<Duration>,
    ready: Queue,
    runnable: Queue,
    slots: Slots,
    limits: Limits,
    /// Steps whose failure fails nothing else.
    allowed: Vec<bool>,
    /// For a step that ends as another one does: which.
    same_as: Vec<Option<StepIx>>,
    /// So many steps may wait for a slot before deciding pauses.
    look_ahead: usize,
    /// How many steps are not over.
    left: usize,
    keep_going: bool,
    /// Nothing new is given out.
    stopping: bool,
    /// Steps one of whose needs is over, to be looked at.
    unsettled: Vec<StepIx>,
    /// Ends that the caller has not been told of.
    news: Vec<Ending>,
}

/// Deciding pauses when there is enough to run: what was found out about a step takes memory, and
/// grows old. A few more than there are slots, so that there is a choice.
const LOOK_AHEAD: usize = 16;

/// Steps, the one with the longest remaining path first, then in the plan's order.
pub(super) type Queue = BinaryHeap<Waiting>;
/// A step in a queue, with the length of its remaining path.
pub(super) type Waiting = (Duration, Reverse<StepIx>);

impl Scheduler {
    /// The steps of `plan`, with `jobs` slots. Until [`Self::weigh`] says more, all steps count as
    /// equally long.
    pub fn new(plan: &Plan, jobs: usize, keep_going: bool) -> Self {
        let needs: Vec<Vec<StepIx>> = plan
            .steps
            .iter()
            .map(|step| union(&step.needs, &step.after))
            .collect();
        let dependants = turned(&needs);
        let mut scheduler = Self {
            states: vec![State::Waiting; needs.len()],
            open: needs.iter().map(Vec::len).collect(),
            remaining: remaining(&needs, &[]),
            ready: Queue::new(),
            runnable: Queue::new(),
            slots: Slots::new(plan, jobs.max(1)),
            limits: Limits::new(plan),
            same_as: plan.steps.iter().map(|step| step.same_as).collect(),
            allowed: plan.steps.iter().map(|step| step.allow_failure).collect(),
            look_ahead: jobs.max(1) + LOOK_AHEAD,
            left: needs.len(),
            keep_going,
            stopping: false,
            unsettled: (0..needs.len()).rev().collect(),
            news: Vec::new(),
            needs,
            dependants,
        };
        scheduler.settle_all();
        scheduler
    }

    /// Takes into account how long steps took the last time. One that is not known counts as the
    /// mean of the others.
    pub fn weigh(&mut self, durations: &[Option<Duration>]) {
        self.remaining = remaining(&self.needs, durations);
        let waiting = self.limits.waiting_mut();
        for queue in [&mut self.ready, &mut self.runnable]
            .into_iter()
            .chain(waiting)
        {
            *queue = queue
                .drain()
                .map(|(_, step)| (self.remaining[step.0], step))
                .collect();
        }
    }

    /// A step to decide on; none when there is enough to run. It has to come back by [`Self::must_run`] or [`Self::finished`].
    pub fn next_to_decide(&mut self) -> Option<StepIx> {
        if self.runnable.len() >= self.look_ahead {
            return None;
        }
        let step = next(&mut self.ready, &self.states, State::Ready)?;
        self.go(step, State::Deciding);
        Some(step)
    }

    /// A step to run, and the first of its slots. It has to come back by [`Self::finished`].
    pub fn next_to_run(&mut self) -> Option<(StepIx, usize)> {
        while self.slots.is_any_free() {
            let step = next(&mut self.runnable, &self.states, State::Runnable)?;
            let entry = (self.remaining[step], Reverse(step));
            if let Some(full) = self.limits.full(step) {
                let others = self.limits.park(entry, full);
                self.runnable.extend(others);
            } else if let Some(slot) = self.slots.take(step) {
                self.go(step, State::Running);
                return Some((step, slot));
            } else {
                self.runnable.push(entry);
                return None;
            }
        }
        None
    }

    /// The step that was being decided on has to run.
    pub fn must_run(&mut self, step: StepIx) -> Vec<Ending> {
        self.go(
            step,
            if self.stopping {
                State::Over(Outcome::Cancelled)
            } else {
                State::Runnable
            },
        );
        self.settle_all();
        std::mem::take(&mut self.news)
    }

    /// The step that was being decided on, or that ran, is over. Gives all ends that follow, its
    /// own first.
    pub fn finished(&mut self, step: StepIx, outcome: Outcome) -> Vec<Ending> {
        self.go(step, State::Over(outcome));
        if outcome == Outcome::Failed && !self.keep_going && !self.allowed[step] {
            self.stop();
        }
        self.settle_all();
        std::mem::take(&mut self.news)
    }

    /// The step that was to run waits for somebody else who runs the same, and takes nothing
    /// meanwhile. It has to come back by [`Self::back`].
    pub fn wait_elsewhere(&mut self, step: StepIx) -> Vec<Ending> {
        self.go(step, State::Elsewhere);
        if self.stopping {
            self.go(step, State::Over(Outcome::Cancelled));
        }
        self.settle_all();
        std::mem::take(&mut self.news)
    }

    /// The step is waited for no longer; says whether it is still to run.
    pub fn back(&mut self, step: StepIx) -> bool {
        let waits = self.states[step] == State::Elsewhere;
        if waits {
            self.go(step, State::Runnable);
        }
        waits
    }

    /// It is known before anything runs that these steps cannot. Gives all ends that follow.
    pub fn cannot_run(&mut self, steps: &[StepIx]) -> Vec<Ending> {
        for step in steps {
            self.go(*step, State::Over(Outcome::Failed));
        }
        if !self.keep_going && !steps.iter().all(|step| self.allowed[*step]) {
            self.stop();
        }
        self.settle_all();
        std::mem::take(&mut self.news)
    }

    /// The run is to end: what has not started is cancelled; what runs has to come back.
    pub fn cancel(&mut self) -> Vec<Ending> {
        self.stop();
        self.settle_all();
        std::mem::take(&mut self.news)
    }

    /// Whether every step is over.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Whether `step` is over.
    pub fn is_over(&self, step: StepIx) -> bool {
        matches!(self.states[step], State::Over(_))
    }

    /// What `step` needs or comes after.
    pub fn needs(&self, step: StepIx) -> &[StepIx] {
        &self.needs[step]
    }

    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        for step in 0..self.states.len() {
            if matches!(
                self.states[step],
                State::Ready | State::Runnable | State::Elsewhere
            ) {
                self.go(step, State::Over(Outcome::Cancelled));
            }
        }
    }

    /// A list and no recursion: a chain of steps may be long.
    fn settle_all(&mut self) {
        while let Some(step) = self.unsettled.pop() {
            self.settle(step);
        }
    }

    /// Looks whether a waiting step's turn has come, or never will.
    fn settle(&mut self, step: StepIx) {
        if self.states[step] != State::Waiting {
            return;
        }
        if let Some(other) = self.same_as[step] {
            if let State::Over(outcome) = self.states[other] {
                self.go(step, State::Over(outcome));
            }
            return;
        }
        if self.culprit(step).is_some() {
            self.go(step, State::Over(Outcome::Blocked));
        } else if self.open[step] == 0 {
            let lost = self.stopping || !self.needs[step].iter().all(|need| self.is_good(*need));
            self.go(
                step,
                if lost {
                    State::Over(Outcome::Cancelled)
                } else {
                    State::Ready
                },
            );
        }
    }

    /// The first of what `step` needs that failed, or that something failed for.
    fn culprit(&self, step: StepIx) -> Option<StepIx> {
        let blames = |need: &StepIx| match self.states[*need] {
            State::Over(Outcome::Failed) => !self.allowed[*need],
            State::Over(Outcome::Blocked) => true,
            _ => false,
        };
        self.needs[step].iter().copied().find(blames)
    }

    fn is_good(&self, step: StepIx) -> bool {
        let may_fail = self.allowed[step];
        matches!(self.states[step], State::Over(outcome)
            if outcome.is_good() || outcome == Outcome::Failed && may_fail)
    }

    /// The one way from a state to another.
    fn go(&mut self, step: StepIx, to: State) {
        let from = std::mem::replace(&mut self.states[step], to);
        debug_assert!(
            allowed(from, to),
            "step {step} cannot go from {from:?} to {to:?}"
        );
        if from == State::Running {
            self.slots.give_back(step);
            let next = self.limits.leave(step);
            self.runnable.extend(next);
        }
        match to {
            State::Ready => self.ready.push((self.remaining[step], Reverse(step))),
            State::Runnable => self.runnable.push((self.remaining[step], Reverse(step))),
            State::Running => self.limits.enter(step),
            State::Over(outcome) => self.over(step, outcome),
            State::Waiting | State::Deciding | State::Elsewhere => {}
        }
    }

    fn over(&mut self, step: StepIx, outcome: Outcome) {
        let because_of = match self.same_as[step] {
            None if outcome == Outcome::Blocked => self.culprit(step),
            same_as => same_as,
        };
        self.news.push(Ending {
            step,
            outcome,
            because_of,
        });
        self.left -= 1;
        for dependant in std::mem::take(&mut self.dependants[step]) {
            self.open[dependant] -= 1;
            self.unsettled.push(dependant);
        }
    }
}

fn allowed(from: State, to: State) -> bool {
    use State::{Deciding, Elsewhere, Over, Ready, Runnable, Running, Waiting};
    matches!(
        (from, to),
        (Waiting, Ready | Over(_))
            | (Ready, Deciding | Over(Outcome::Cancelled | Outcome::Failed))
            | (Deciding, Runnable | Over(_))
            | (
                Runnable,
                Running | Over(Outcome::Cancelled | Outcome::Failed)
            )
            | (Running, Elsewhere | Over(_))
            | (Elsewhere, Runnable | Over(Outcome::Cancelled))
    )
}

/// The first of `queue` that is still in `state`.
fn next(queue: &mut Queue, states: &[State], state: State) -> Option<StepIx> {
    std::iter::from_fn(|| queue.pop())
        .map(|(_, Reverse(step))| step)
        .find(|step| states[*step] == state)
}

fn union(one: &[StepIx], other: &[StepIx]) -> Vec<StepIx> {
    let all: BTreeSet<StepIx> = one.iter().chain(other).copied().collect();
    all.into_iter().collect()
}

fn turned(needs: &[Vec<StepIx>]) -> Vec<Vec<StepIx>> {
    let mut dependants = vec![Vec::new(); needs.len()];
    for (step, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| dependants[*need].push(step));
    }
    dependants
}

/// In a plan each step comes after what it needs, so one pass from the end is enough.
fn remaining(needs: &[Vec<StepIx>], durations: &[Option<Duration>]) -> Vec<Duration> {
    let known: Vec<Duration> = durations.iter().flatten().copied().collect();
    let total: Duration = known.iter().sum();
    let mean = u32::try_from(known.len())
        .ok()
        .and_then(|count| total.checked_div(count));
    let mean = mean.unwrap_or(Duration::from_secs(1));
    let mut remaining = vec![Duration::ZERO; needs.len()];
    for step in (0..needs.len()).rev() {
        remaining[step] += durations.get(step).copied().flatten().unwrap_or(mean);
        for need in &needs[step] {
            remaining[*need] = remaining[*need].max(remaining[step]);
        }
    }
    remaining
}

#[cfg(test)]
mod tests;
