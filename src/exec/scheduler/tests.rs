//! Properties over random graphs, random endings and random orders, against naive oracles.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::exec::fixture;
use crate::plan::Limit;

/// A random run: who needs whom, who fails, who is up to date, in which order things end.
#[derive(Clone, Debug)]
struct Case {
    needs: Vec<Vec<StepIx>>,
    fails: Vec<bool>,
    may_fail: Vec<bool>,
    weights: Vec<usize>,
    /// Which of the pools each step is in; pool n has n + 1 places.
    pools: Vec<BTreeSet<usize>>,
    current: Vec<bool>,
    order: Vec<prop::sample::Index>,
    jobs: usize,
    keep_going: bool,
    cancel_after: Option<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    (1_usize..25).prop_flat_map(|count| {
        let edges = prop::collection::vec(
            prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            count,
        );
        let needs = edges.prop_map(|edges| {
            let pick = |(step, edges): (usize, &Vec<prop::sample::Index>)| {
                let earlier = edges
                    .iter()
                    .filter(|_| step > 0)
                    .map(|edge| edge.index(step.max(1)));
                earlier.collect::<BTreeSet<_>>().into_iter().collect()
            };
            edges
                .iter()
                .enumerate()
                .map(pick)
                .collect::<Vec<Vec<StepIx>>>()
        });
        let fails = prop::collection::vec(prop::bool::weighted(0.15), count);
        let current = prop::collection::vec(prop::bool::weighted(0.3), count);
        let may_fail = prop::collection::vec(prop::bool::weighted(0.3), count);
        let weights = prop::collection::vec(1_usize..7, count);
        let pools = prop::collection::vec(prop::collection::btree_set(0_usize..3, 0..3), count);
        let order = prop::collection::vec(any::<prop::sample::Index>(), count * 4 + 4);
        let cancel = prop_oneof![3 => Just(None), 1 => (0..count).prop_map(Some)];
        (
            needs,
            (fails, may_fail),
            (weights, pools),
            current,
            order,
            1_usize..5,
            any::<bool>(),
            cancel,
        )
            .prop_map(
                |(
                    needs,
                    (fails, may_fail),
                    (weights, pools),
                    current,
                    order,
                    jobs,
                    keep_going,
                    cancel_after,
                )| Case {
                    needs,
                    fails,
                    may_fail,
                    weights,
                    pools,
                    current,
                    order,
                    jobs,
                    keep_going,
                    cancel_after,
                },
            )
    })
}

/// What came of a run.
struct Played {
    outcomes: Vec<Outcome>,
    /// Whether anything stopped the run before its end.
    stopped: bool,
}

impl Case {
    fn plan(&self) -> Plan {
        let mut plan = fixture::plan(&self.needs);
        for (ix, step) in plan.steps.iter_mut().enumerate() {
            step.allow_failure = self.may_fail[ix];
            step.weight = self.weights[ix];
            let limit = |pool: &usize| Limit {
                name: format!("pool {pool}"),
                places: pool + 1,
            };
            step.limits = self.pools[ix].iter().map(limit).collect();
        }
        plan
    }

    /// Whether these steps may run at once.
    fn assert_fits(&self, running: &[(StepIx, usize)]) {
        let weight: usize = running
            .iter()
            .map(|(step, _)| self.weights[*step].min(self.jobs))
            .sum();
        assert!(weight <= self.jobs, "more slots are taken than there are");
        for pool in 0..3 {
            let inside = running
                .iter()
                .filter(|(step, _)| self.pools[*step].contains(&pool))
                .count();
            assert!(inside <= pool + 1, "pool {pool} is too full");
        }
    }

    /// Whether what needs the step may go on after this outcome.
    fn lets_go_on(&self, step: StepIx, outcome: Outcome) -> bool {
        outcome.is_good() || outcome == Outcome::Failed && self.may_fail[step]
    }
}

fn play(case: &Case) -> Played {
    let plan = case.plan();
    let mut scheduler = Scheduler::new(&plan, case.jobs, case.keep_going);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; case.needs.len()];
    let mut running: Vec<(StepIx, usize)> = Vec::new();
    let mut order = case.order.iter().cycle();
    let mut ended = 0;
    let mut stopped = false;
    while !scheduler.is_done() {
        let mut news = Vec::new();
        if let Some(step) = scheduler.next_to_decide() {
            assert_start(case, &outcomes, step, stopped);
            news = match case.current[step] {
                true => scheduler.finished(step, Outcome::UpToDate),
                false => scheduler.must_run(step),
            };
        } else if let Some((step, slot)) = scheduler.next_to_run() {
            assert_start(case, &outcomes, step, stopped);
            assert!(
                slot < case.jobs && running.iter().all(|(_, taken)| *taken != slot),
                "slots are exclusive"
            );
            running.push((step, slot));
        } else {
            assert!(!running.is_empty(), "the run stands still");
            let at = order.next().unwrap().index(running.len());
            let (step, _) = running.swap_remove(at);
            let failed = case.fails[step];
            stopped |= failed && !case.keep_going && !case.may_fail[step];
            news = scheduler.finished(
                step,
                if failed {
                    Outcome::Failed
                } else {
                    Outcome::Executed
                },
            );
            ended += 1;
        }
        case.assert_fits(&running);
        for Ending {
            step,
            outcome,
            because_of,
        } in news
        {
            assert_eq!(
                outcomes[step].replace(outcome),
                None,
                "one outcome for each step"
            );
            assert_eq!(because_of.is_some(), outcome == Outcome::Blocked);
        }
        if case.cancel_after == Some(ended) && !stopped {
            stopped = true;
            for Ending { step, outcome, .. } in scheduler.cancel() {
                assert_eq!(
                    outcomes[step].replace(outcome),
                    None,
                    "one outcome for each step"
                );
            }
        }
    }
    assert!(running.is_empty());
    Played {
        outcomes: outcomes.into_iter().map(Option::unwrap).collect(),
        stopped,
    }
}

fn assert_start(case: &Case, outcomes: &[Option<Outcome>], step: StepIx, stopped: bool) {
    assert!(!stopped, "nothing starts after the run was stopped");
    assert!(
        case.needs[step]
            .iter()
            .all(|need| outcomes[*need].is_some_and(|outcome| case.lets_go_on(*need, outcome)))
    );
}

/// All that needs one of `roots`, directly or not.
fn downstream(needs: &[Vec<StepIx>], roots: &BTreeSet<StepIx>) -> BTreeSet<StepIx> {
    let mut all = roots.clone();
    for (step, needs) in needs.iter().enumerate() {
        if needs.iter().any(|need| all.contains(need)) {
            all.insert(step);
        }
    }
    &all - roots
}

fn with(outcomes: &[Outcome], wanted: Outcome) -> BTreeSet<StepIx> {
    (0..outcomes.len())
        .filter(|step| outcomes[*step] == wanted)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `play` itself holds the run to: no step starts before what it needs, slots, one outcome each.
    #[test]
    fn blocked_is_exactly_what_is_downstream_of_the_failed(case in case()) {
        let Played { outcomes, stopped } = play(&case);
        let failed = with(&outcomes, Outcome::Failed);
        let blocking = failed.iter().copied().filter(|step| !case.may_fail[*step]).collect();
        let blocked = &downstream(&case.needs, &blocking) - &failed;
        prop_assert_eq!(with(&outcomes, Outcome::Blocked), blocked);
        prop_assert!(stopped || with(&outcomes, Outcome::Cancelled).is_empty());
        let fails_first = |step: &StepIx| case.fails[*step] && !case.current[*step];
        prop_assert!(failed.iter().all(fails_first));
        if !stopped {
            let ended_well = (0..outcomes.len()).filter(|step| outcomes[*step].is_good());
            prop_assert!(!ended_well.into_iter().any(|step| fails_first(&step)));
        }
    }
}

#[test]
fn the_longest_remaining_path_goes_first() {
    // 0 and 1 are free; 2 and 3 come after 1.
    let plan = fixture::plan(&[vec![], vec![], vec![1], vec![2]]);
    let mut scheduler = Scheduler::new(&plan, 1, false);
    assert_eq!(scheduler.next_to_decide(), Some(1));
    let mut scheduler = Scheduler::new(&plan, 1, false);
    let seconds = |time| Some(Duration::from_secs(time));
    scheduler.weigh(&[seconds(60), seconds(1), seconds(1), seconds(1)]);
    assert_eq!(scheduler.next_to_decide(), Some(0));
}

#[test]
fn who_waits_for_a_pool_lets_others_go_ahead_and_who_waits_for_slots_does_not() {
    let mut plan = fixture::plan(&vec![vec![]; 4]);
    let pool = || Limit {
        name: "pool".to_owned(),
        places: 1,
    };
    plan.steps[0].limits = vec![pool()];
    plan.steps[1].limits = vec![pool()];
    plan.steps[2].weight = 9;
    let mut scheduler = Scheduler::new(&plan, 2, false);
    while let Some(step) = scheduler.next_to_decide() {
        scheduler.must_run(step);
    }
    assert_eq!(scheduler.next_to_run(), Some((0, 0)));
    // 1 waits for the pool, 2 for all slots, and 3 for 2.
    assert_eq!(scheduler.next_to_run(), None);
    scheduler.finished(0, Outcome::Executed);
    assert_eq!(scheduler.next_to_run(), Some((1, 0)));
    assert_eq!(scheduler.next_to_run(), None);
    scheduler.finished(1, Outcome::Executed);
    assert_eq!(scheduler.next_to_run(), Some((2, 0)));
    assert_eq!(scheduler.next_to_run(), None);
    scheduler.finished(2, Outcome::Executed);
    assert_eq!(scheduler.next_to_run(), Some((3, 0)));
}

#[test]
fn a_step_that_is_the_same_as_another_ends_as_it_does() {
    let mut plan = fixture::plan(&[vec![], vec![], vec![0]]);
    plan.steps[1].after = vec![0];
    plan.steps[1].same_as = Some(0);
    for outcome in [Outcome::Executed, Outcome::Failed, Outcome::Skipped] {
        let mut scheduler = Scheduler::new(&plan, 2, true);
        let first = scheduler.next_to_decide().unwrap();
        assert_eq!((first, scheduler.next_to_decide()), (0, None));
        let ends = scheduler.finished(first, outcome);
        let twin = Ending {
            step: 1,
            outcome,
            because_of: Some(0),
        };
        assert!(ends.contains(&twin));
    }
}

#[test]
fn a_long_chain_is_no_recursion() {
    let needs: Vec<Vec<StepIx>> = (0..200_000_usize)
        .map(|step| step.checked_sub(1).into_iter().collect())
        .collect();
    let mut scheduler = Scheduler::new(&fixture::plan(&needs), 1, true);
    let first = scheduler.next_to_decide().unwrap();
    assert_eq!(scheduler.finished(first, Outcome::Failed).len(), 200_000);
    assert!(scheduler.is_done());
}

#[test]
fn what_needs_a_running_step_that_fails_after_the_stop_is_blocked() {
    // 0 fails first, 1 later; 3 needs both by way of 2; 4 is free and waits for a slot.
    let plan = fixture::plan(&[vec![], vec![], vec![1], vec![0, 2], vec![]]);
    let mut scheduler = Scheduler::new(&plan, 2, false);
    while let Some(step) = scheduler.next_to_decide() {
        assert_eq!(scheduler.must_run(step), []);
    }
    let running = [
        scheduler.next_to_run().unwrap().0,
        scheduler.next_to_run().unwrap().0,
    ];
    assert_eq!(BTreeSet::from(running), BTreeSet::from([0, 1]));
    let ends = scheduler.finished(0, Outcome::Failed);
    let told: BTreeSet<_> = ends
        .iter()
        .map(|end| (end.step, end.outcome.words()))
        .collect();
    assert_eq!(
        told,
        BTreeSet::from([(0, "failed"), (3, "blocked"), (4, "cancelled")])
    );
    let ends = scheduler.finished(1, Outcome::Failed);
    assert_eq!(
        ends[1],
        Ending {
            step: 2,
            outcome: Outcome::Blocked,
            because_of: Some(1)
        }
    );
    assert!(scheduler.is_done());
}
