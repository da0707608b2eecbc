//! What steps take while they run: job slots, and places in pools. Pure bookkeeping of the scheduler.

use std::collections::{BTreeMap, BTreeSet};

use super::scheduler::{Queue, Waiting};
use crate::plan::{Plan, PlanStep, StepIx};

/// Job slots: which are free, and who has the others.
#[derive(Debug)]
pub(super) struct Slots {
    free: BTreeSet<usize>,
    taken: BTreeMap<StepIx, BTreeSet<usize>>,
    /// How many each step takes: never more than there are.
    weights: Vec<usize>,
}

impl Slots {
    /// `jobs` free slots for the steps of `plan`.
    pub(super) fn new(plan: &Plan, jobs: usize) -> Self {
        let weight = |step: &PlanStep| step.weight.clamp(1, jobs);
        Self {
            free: (0..jobs).collect(),
            taken: BTreeMap::new(),
            weights: plan.steps.iter().map(weight).collect(),
        }
    }

    /// Whether there is a free one.
    pub(super) fn is_any_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Takes all slots that `step` wants, if so many are free; gives the first.
    pub(super) fn take(&mut self, step: StepIx) -> Option<usize> {
        let last = *self.free.iter().nth(self.weights[step] - 1)?;
        let rest = self.free.split_off(&(last + 1));
        let taken = std::mem::replace(&mut self.free, rest);
        let first = taken.first().copied();
        self.taken.insert(step, taken);
        first
    }

    /// Takes back what `step` has.
    pub(super) fn give_back(&mut self, step: StepIx) {
        self.free
            .extend(self.taken.remove(&step).unwrap_or_default());
    }
}

/// Pools, and limits on how many instances of a step run at once.
///
/// Nobody waits for a limit that has a free place: for each place that becomes free one step goes
/// back to the scheduler's queue, and from there, where another limit holds it up, to the waiting
/// line of that one, which lets the next in the first line have its try.
#[derive(Debug)]
pub(super) struct Limits {
    /// Which limits hold for each step.
    of: Vec<Vec<usize>>,
    /// Free places of each limit.
    free: Vec<usize>,
    /// Steps that could run but for a place here.
    waiting: Vec<Queue>,
}

impl Limits {
    /// The limits of the steps of `plan`, all places free.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        let mut free = Vec::new();
        let mut of = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let limits = step.limits.iter().map(|limit| {
                *known.entry(&limit.name).or_insert_with(|| {
                    free.push(limit.places);
                    free.len() - 1
                })
            });
            of.push(limits.collect());
        }
        Self {
            of,
            waiting: free.iter().map(|_| Queue::new()).collect(),
            free,
        }
    }

    /// A limit of `step` that has no free place.
    pub(super) fn full(&self, step: StepIx) -> Option<usize> {
        self.of[step]
            .iter()
            .copied()
            .find(|limit| self.free[*limit] == 0)
    }

    /// Lets a step wait for a place of the limit `full`. Gives those who may try in its stead.
    pub(super) fn park(&mut self, step: Waiting, full: usize) -> Vec<Waiting> {
        self.waiting[full].push(step);
        self.next(step.1.0)
    }

    /// Takes the places that `step` wants; they are free.
    pub(super) fn enter(&mut self, step: StepIx) {
        for limit in &self.of[step] {
            self.free[*limit] -= 1;
        }
    }

    /// Takes back the places of `step`. Gives those who may try now.
    pub(super) fn leave(&mut self, step: StepIx) -> Vec<Waiting> {
        for limit in &self.of[step] {
            self.free[*limit] += 1;
        }
        self.next(step)
    }

    /// The first in line at each limit of `step` that has a free place.
    fn next(&mut self, step: StepIx) -> Vec<Waiting> {
        let (waiting, free) = (&mut self.waiting, &self.free);
        let open = self.of[step].iter().filter(|limit| free[**limit] > 0);
        open.filter_map(|limit| waiting[*limit].pop()).collect()
    }

    /// All waiting lines.
    pub(super) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.waiting.iter_mut()
    }
}
