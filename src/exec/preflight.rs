//! What steps ask of the machine before the first of them starts: nobody wants to hear after
//! twenty minutes that the last step lacks a program.
//!
//! Only of steps that may run, and only what cannot change on the way: programs and variables. What
//! does not hold is left to the step's own turn where a step that it needs may provide it.

use super::checks::Checker;
use super::decide::{Answer, Around, Asked, decide};
use super::environment::environment;
use super::failure::Failure;
use super::scripts::Surroundings;
use super::worker::Crew;
use crate::event::FailureKind;
use crate::expand::Late;
use crate::path::RelPath;
use crate::plan::{Check, CheckKind, OutputKind, Plan, PlanStep, StepIx};
use crate::process::{OutputSink, Stream};

/// The steps of `plan` that cannot run, and why not.
pub(super) fn preflight(plan: &Plan, crew: &Crew<'_>) -> Vec<(StepIx, Failure)> {
    let asks = |step: &PlanStep| step.requires.iter().any(is_early);
    if !plan.steps.iter().any(asks) {
        return Vec::new();
    }
    // What tools say now is not what they say at a step's turn: another step may bring them.
    let asked = Asked {
        force: crew.options.force,
        in_depth: false,
    };
    let around = Around {
        root: &crew.options.root,
        caller_env: &crew.options.caller_env,
        spawner: crew.spawner,
        cancel: crew.cancel,
    };
    let decisions = decide(plan, crew.cache, &around, asked);
    let may_run = decisions.iter().filter(|decision| {
        let step = &plan.steps[decision.step];
        asks(step)
            && step.same_as.is_none()
            && matches!(decision.answer, Answer::Run | Answer::RunUnless(_))
    });
    may_run
        .filter_map(|decision| {
            let complaint = complaint(&plan.steps[decision.step], crew)?;
            (!is_provided(plan, decision.step)).then(|| {
                (
                    decision.step,
                    Failure::new(FailureKind::Requires, complaint),
                )
            })
        })
        .collect()
}

/// A check of a program or a variable that nobody waits for.
fn is_early(check: &Check) -> bool {
    let of_machine = matches!(check.kind, CheckKind::Tool { .. } | CheckKind::Env { .. });
    of_machine && check.within.is_none()
}

/// The first early check that does not hold, in words.
fn complaint(step: &PlanStep, crew: &Crew<'_>) -> Option<String> {
    let (late, options) = (Late::default(), crew.options);
    // A variable whose value is not known yet: at the step's turn it is.
    let variables = environment(step, &late, &crew.caller, &options.root, options.color).ok()?;
    let around = Surroundings {
        step,
        root: &options.root,
        variables,
        late,
        spill: options.run_dir.join("scripts").join("preflight"),
    };
    let checker = Checker {
        around: &around,
        caller: &options.caller_env,
        spawner: crew.spawner,
        cancel: crew.cancel,
    };
    let early: Vec<Check> = step
        .requires
        .iter()
        .filter(|check| is_early(check))
        .cloned()
        .collect();
    let result = checker.hold(&early, &mut Unheard);
    result.err().filter(|_| !crew.cancel.is_cancelled())
}

/// Whether a folder of the step's `path` is made by a step that it needs, directly or not.
fn is_provided(plan: &Plan, step: StepIx) -> bool {
    let wanted = &plan.steps[step].path;
    let mut open: Vec<StepIx> = vec![step];
    let mut seen = vec![false; plan.steps.len()];
    while let Some(next) = open.pop() {
        let needs = plan.steps[next].needs.iter().chain(&plan.steps[next].after);
        for need in needs.filter(|need| !std::mem::replace(&mut seen[**need], true)) {
            if wanted
                .iter()
                .any(|folder| makes(&plan.steps[*need], folder))
            {
                return true;
            }
            open.push(*need);
        }
    }
    false
}

fn makes(step: &PlanStep, folder: &RelPath) -> bool {
    step.outputs.iter().any(|output| match &output.kind {
        OutputKind::File(path) => path.is_in(folder),
        OutputKind::Folder(path) => path.is_in(folder) || folder.is_in(path),
        OutputKind::Glob(pattern) => {
            pattern.prefix().is_in(folder) || folder.is_in(pattern.prefix())
        }
    })
}

/// What a program prints when it is asked for its version is nobody's output.
struct Unheard;

impl OutputSink for Unheard {
    fn take(&mut self, _: Stream, _: &[u8]) {}
}
