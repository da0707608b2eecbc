//! What there is to know of a run at a moment, folded from its events.
//!
//! Pure: time is handed in, nothing is drawn. All sinks that show a run to people share this one
//! fold, so that they cannot tell different stories. It knows no text, width or colour.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::{
    Counts, Event, Outcome, RunFinished, RunStarted, Severity, StepFinished, StepRetried,
    StepStarted, StepWaiting,
};

/// A step whose command runs, here or elsewhere.
#[derive(Clone, PartialEq, Debug)]
pub struct Running {
    /// The step.
    pub step: String,
    /// When it started, on the clock of those who fold.
    pub started: Duration,
    /// How long it took the last time.
    pub expected: Option<Duration>,
    /// The attempt that runs and how many there may be, from the second on.
    pub attempt: Option<(u64, u64)>,
    /// It runs elsewhere, and is waited for: in which process.
    pub elsewhere: Option<Option<u32>>,
}

/// A step that could not run because of another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// The step.
    pub step: String,
    /// The steps that it needs and that did not succeed: the names in its reasons.
    pub by: Vec<String>,
}

/// Something to tell about a step that did not fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remark {
    /// These sources changed while the step ran, so its result was not kept.
    Tainted(String, Vec<String>),
    /// Files of the step were put right, moved aside or left behind, in words.
    Note(String, String),
}

/// A run as far as its events tell.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RunView {
    /// How many steps the run considers.
    pub total: usize,
    /// Job slots.
    pub jobs: usize,
    /// How many steps had each outcome so far.
    pub counts: Counts,
    /// What runs, the longest-running first.
    pub running: Vec<Running>,
    /// What failed, the root cause first, and what may fail last: blocked steps are no failures, and
    /// of steps that do not depend on each other, the one that failed first comes first.
    pub failures: Vec<StepFinished>,
    /// What is blocked by failures, in the order of events.
    pub blocked: Vec<Blocked>,
    /// What else there is to tell.
    pub remarks: Vec<Remark>,
    /// How many error diagnostics there were.
    pub errors: usize,
    /// The durations of all finished steps together.
    pub spent: Duration,
    /// The end.
    pub ended: Option<RunFinished>,
}

impl RunView {
    /// Takes the next event, which happened at `now`.
    pub fn fold(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Diagnostic(found) => {
                self.errors += usize::from(found.severity == Severity::Error);
            }
            Event::RunStarted(run) => self.begin(run),
            Event::StepWaiting(step) => self.wait(step, now),
            Event::StepStarted(step) => self.start(step, now),
            Event::StepRetried(step) => self.retry(step),
            Event::StepOutput(_) => {}
            Event::StepFinished(step) => self.finish(step),
            Event::RunFinished(run) => self.ended = Some(run.clone()),
        }
    }

    /// How many steps have an outcome.
    pub fn done(&self) -> usize {
        Outcome::ALL
            .into_iter()
            .map(|outcome| self.counts.of(outcome))
            .sum()
    }

    /// How long the rest will take: what is left of the running steps by their last durations, and
    /// the mean of the finished steps for each that is to come. `None` where there is no ground to
    /// guess on.
    pub fn estimate(&self, now: Duration) -> Option<Duration> {
        let left: Option<Vec<Duration>> =
            self.running.iter().map(|step| left_of(step, now)).collect();
        let left = left?;
        let to_come = self.total.saturating_sub(self.done() + self.running.len());
        let mean = match (to_come, self.done()) {
            (0, _) => Duration::ZERO,
            (_, 0) => return None,
            (_, done) => self.spent.div_f64(done as f64),
        };
        let work = left.iter().sum::<Duration>() + mean.mul_f64(to_come as f64);
        let longest = left.iter().max().copied().unwrap_or_default();
        Some(work.div_f64(self.jobs.max(1) as f64).max(longest))
    }

    /// The steps that `failed` blocks, directly or by way of others.
    pub fn blocked_by(&self, failed: &str) -> Vec<&str> {
        let mut reached = BTreeSet::from([failed]);
        let alone = self.failures.iter().filter(|step| !step.allowed).count() == 1;
        loop {
            let before = reached.len();
            for step in &self.blocked {
                let named = step.by.iter().any(|by| reached.contains(by.as_str()));
                if named || (alone && step.by.is_empty()) {
                    reached.insert(&step.step);
                }
            }
            if reached.len() == before {
                break;
            }
        }
        let names = self.blocked.iter().map(|step| step.step.as_str());
        names.filter(|step| reached.contains(step)).collect()
    }

    fn begin(&mut self, run: &RunStarted) {
        self.total = run.instances;
        self.jobs = run.jobs;
    }

    fn wait(&mut self, step: &StepWaiting, now: Duration) {
        self.running.push(Running {
            step: step.step.clone(),
            started: now,
            expected: None,
            attempt: None,
            elsewhere: Some(step.pid),
        });
    }

    fn start(&mut self, step: &StepStarted, now: Duration) {
        self.running.retain(|running| running.step != step.step);
        self.running.push(Running {
            step: step.step.clone(),
            started: now,
            expected: step.expected_ms.map(Duration::from_millis),
            attempt: None,
            elsewhere: None,
        });
    }

    fn retry(&mut self, step: &StepRetried) {
        let mut running = self.running.iter_mut();
        if let Some(running) = running.find(|running| running.step == step.step) {
            running.attempt = Some((step.attempt + 1, step.attempts));
        }
    }

    fn finish(&mut self, step: &StepFinished) {
        self.running.retain(|running| running.step != step.step);
        self.counts.add(step.outcome);
        self.spent += Duration::from_millis(step.duration_ms);
        match step.outcome {
            // What it is equal to is told.
            _ if step.same_as.is_some() => {}
            Outcome::Failed if step.allowed => {
                self.failures.push(step.clone());
            }
            Outcome::Failed => {
                let real = self.failures.partition_point(|failure| !failure.allowed);
                self.failures.insert(real, step.clone());
            }
            Outcome::Blocked => self.blocked.push(blocked(step)),
            _ => {}
        }
        self.remark(step);
    }

    fn remark(&mut self, step: &StepFinished) {
        if !step.tainted.is_empty() {
            self.remarks
                .push(Remark::Tainted(step.step.clone(), step.tainted.clone()));
        }
        let notes = step
            .notes
            .iter()
            .map(|note| Remark::Note(step.step.clone(), note.clone()));
        self.remarks.extend(notes);
    }
}

fn blocked(step: &StepFinished) -> Blocked {
    let by = step
        .why
        .iter()
        .filter_map(|reason| reason.name.clone())
        .collect();
    Blocked {
        step: step.step.clone(),
        by,
    }
}

fn left_of(step: &Running, now: Duration) -> Option<Duration> {
    Some(
        step.expected?
            .saturating_sub(now.saturating_sub(step.started)),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Remark, RunView};
    use crate::event::{Event, Outcome, StepFinished};
    use crate::report::testing::{blocked, ended, failed, finished, run, started};

    fn folded(events: &[Event]) -> RunView {
        let mut view = RunView::default();
        for (at, event) in events.iter().enumerate() {
            view.fold(event, Duration::from_secs(at as u64));
        }
        view
    }

    #[test]
    fn running_steps_come_and_go() {
        let view = folded(&[run(3, 2), started("a:x", None), started("a:y", Some(9000))]);
        let names: Vec<&str> = view.running.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["a:x", "a:y"]);
        assert_eq!(view.running[1].started, Duration::from_secs(2));
        let mut view = view;
        view.fold(&finished("a:x", Outcome::Executed), Duration::ZERO);
        assert_eq!(
            (view.running.len(), view.done(), view.counts.executed),
            (1, 1, 1)
        );
    }

    #[test]
    fn each_failure_has_what_it_blocks() {
        let view = folded(&[
            failed("a:first"),
            blocked("a:late", "a:mid"),
            blocked("a:mid", "a:first"),
            failed("b:second"),
            blocked("b:x", "b:second"),
        ]);
        let names: Vec<&str> = view
            .failures
            .iter()
            .map(|step| step.step.as_str())
            .collect();
        assert_eq!(names, ["a:first", "b:second"]);
        assert_eq!(view.blocked_by("a:first"), ["a:late", "a:mid"]);
        assert_eq!(view.blocked_by("b:second"), ["b:x"]);
    }

    #[test]
    fn blocked_steps_without_a_reason_belong_to_the_only_failure() {
        let events = [failed("a:x"), finished("a:y", Outcome::Blocked)];
        assert_eq!(folded(&events).blocked_by("a:x"), ["a:y"]);
        let events = [
            failed("a:x"),
            failed("a:z"),
            finished("a:y", Outcome::Blocked),
        ];
        assert!(folded(&events).blocked_by("a:x").is_empty());
    }

    #[test]
    fn the_estimate_needs_ground() {
        let at = |view: &RunView, s| view.estimate(Duration::from_secs(s)).map(|d| d.as_secs());
        assert_eq!(at(&folded(&[run(2, 1), started("a", None)]), 1), None);
        assert_eq!(at(&folded(&[run(2, 1), started("a", Some(5000))]), 1), None);
        assert_eq!(
            at(&folded(&[run(1, 1), started("a", Some(5000))]), 3),
            Some(3)
        );
        // Longer than the last time: soon.
        assert_eq!(
            at(&folded(&[run(1, 1), started("a", Some(5000))]), 30),
            Some(0)
        );
        let done = StepFinished {
            duration_ms: 4000,
            ..StepFinished::new("a", Outcome::Executed)
        };
        let events = [
            run(4, 2),
            Event::StepFinished(done.into()),
            started("b", Some(6000)),
        ];
        // 6 s of `b`, 4 s for each of two more, on two slots.
        assert_eq!(at(&folded(&events), 2), Some(7));
    }

    #[test]
    fn remarks_and_the_end_are_kept() {
        let mut step = StepFinished::new("a:x", Outcome::Executed);
        step.tainted = vec!["src/a.c".into()];
        step.notes = vec!["moved".into()];
        let view = folded(&[Event::StepFinished(step.into()), ended(1200)]);
        let tainted = Remark::Tainted("a:x".into(), vec!["src/a.c".into()]);
        assert_eq!(
            view.remarks,
            [tainted, Remark::Note("a:x".into(), "moved".into())]
        );
        assert_eq!(view.ended.map(|run| run.duration_ms), Some(1200));
    }
}
