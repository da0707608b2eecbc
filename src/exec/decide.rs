//! What a run would do, step by step, without doing it: for `plan`, `-n`, `-q` and `why`. Changes
//! nothing on disk, and starts no process but those of `tools`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Mutex;

use super::environment::Caller;
use super::reasons::reasons;
use super::tools::Tools;
use super::worker::in_full;
use crate::cache::{Cache, Made, MissReason, Prepared, Upstream};
use crate::event::Reason;
use crate::plan::{CacheMode, Literal, Plan, PlanStep, StepIx};
use crate::process::{Cancel, Spawner};

/// What a run would do with one step.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// The step.
    pub step: StepIx,
    /// What would be done.
    pub answer: Answer,
    /// Why it would run or be restored; empty where it would not.
    pub why: Vec<Reason>,
    /// Its key in hex, where it is known.
    pub key: Option<String>,
    /// Things to tell: globs that match nothing, secrets that are not set.
    pub warnings: Vec<String>,
}

/// The answers.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Nothing.
    UpToDate,
    /// Its outputs would come from the store.
    Restore,
    /// It would run.
    Run,
    /// It would run unless these steps, which it needs and which would run or be restored, make
    /// the same as before.
    RunUnless(Vec<StepIx>),
    /// Nothing: its `if` is false.
    Skipped,
    /// It would fail before anything runs, for this reason.
    Fail(String),
}

impl Answer {
    /// Whether a run would have nothing to do for the step.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::UpToDate | Self::Skipped)
    }
}

impl Decision {
    fn new(step: StepIx, answer: Answer) -> Self {
        Self {
            step,
            answer,
            why: Vec::new(),
            key: None,
            warnings: Vec::new(),
        }
    }

    fn because(self, why: &[MissReason]) -> Self {
        Self {
            why: reasons(why),
            ..self
        }
    }

    fn of(self, prepared: &Prepared) -> Self {
        Self {
            key: self.key.or_else(|| Some(prepared.key.to_string())),
            warnings: prepared.warnings.clone(),
            ..self
        }
    }
}

/// What is needed to decide without running: what the commands of `tools` print is part of keys, and
/// where it is not remembered they are run.
pub struct Around<'a> {
    /// The workspace root, absolute.
    pub root: &'a Path,
    /// The caller's environment.
    pub caller_env: &'a BTreeMap<OsString, OsString>,
    /// What starts the commands of `tools`.
    pub spawner: &'a dyn Spawner,
    /// Ends them.
    pub cancel: &'a Cancel,
}

/// What the one who asks has in mind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Everything would run.
    pub force: bool,
    /// To be told of results that are good in other workspaces only; to find them takes time.
    pub in_depth: bool,
}

/// What [`super::run`] would do with each step of `plan`, in the plan's order.
pub fn decide(plan: &Plan, cache: &Cache, around: &Around<'_>, asked: Asked) -> Vec<Decision> {
    let tools = Tools {
        cache,
        spawner: around.spawner,
        cancel: around.cancel,
        root: around.root,
        caller: Caller::new(around.caller_env),
        said: Mutex::default(),
    };
    let mut made: Vec<Option<Made>> = Vec::with_capacity(plan.steps.len());
    let mut decisions = Vec::with_capacity(plan.steps.len());
    for (ix, step) in plan.steps.iter().enumerate() {
        let open = inputs(step).filter(|need| made[*need].is_none() && !plan.steps[*need].skip);
        let open: BTreeSet<StepIx> = open.collect();
        let (mut decision, result) = if let Some(other) = step.same_as {
            (same_as(ix, &decisions[other], plan), None)
        } else if step.skip {
            (Decision::new(ix, Answer::Skipped), None)
        } else if open.is_empty() {
            let upstream = inputs(step).filter_map(|need| Some((need, made[need].as_ref()?)));
            decide_one(ix, step, &tools, &Upstream::new(upstream), asked)
        } else {
            (unsure(ix, plan, open, cache, asked.force), None)
        };
        if !decision.answer.is_nothing() {
            decision.warnings.extend(tools.caller.bad_secret(step));
        }
        made.push(result);
        decisions.push(decision);
    }
    decisions
}

/// What comes of a step that another one is run for.
fn same_as(ix: StepIx, other: &Decision, plan: &Plan) -> Decision {
    let name = &plan.steps[other.step].name;
    let reason = Reason {
        kind: "same_as".to_owned(),
        name: Some(name.clone()),
        text: format!("the same as `{name}`"),
        ..Reason::default()
    };
    Decision {
        step: ix,
        why: vec![reason],
        warnings: Vec::new(),
        ..other.clone()
    }
}

/// The steps whose outputs are inputs of `step`.
fn inputs(step: &PlanStep) -> impl Iterator<Item = StepIx> {
    let literals = step.sources.iter().flat_map(|sources| &sources.literals);
    let makers = literals.filter_map(|literal| match literal {
        Literal::Made { by, .. } => Some(*by),
        Literal::File(_) | Literal::Outside(_) => None,
    });
    step.needs.iter().copied().chain(makers)
}

/// What comes of a step whose inputs are all known, and what it would have made then, if that is
/// known.
fn decide_one(
    ix: StepIx,
    step: &PlanStep,
    tools: &Tools<'_>,
    upstream: &Upstream<'_>,
    asked: Asked,
) -> (Decision, Option<Made>) {
    let cache = tools.cache;
    let prepared = cache.prepare(step, upstream, 0);
    let prepared = prepared.map_err(|error| in_full(&error));
    let prepared = match prepared.and_then(|prepared| tools.asked(step, prepared)) {
        Ok(prepared) => prepared,
        Err(why) => return (Decision::new(ix, Answer::Fail(why)), None),
    };
    let up_to_date = match asked.force {
        true => Err(vec![MissReason::Forced]),
        false => cache.up_to_date(step, &prepared, 0),
    };
    let (decision, made) = match up_to_date {
        Ok(made) => (Decision::new(ix, Answer::UpToDate), Some(made)),
        Err(why) => {
            let stored = || cache.stored(step, &prepared, 0);
            match (!asked.force).then(stored).flatten() {
                Some(key) => {
                    let decision = Decision::new(ix, Answer::Restore).because(&why);
                    let decision = Decision {
                        key: Some(key.to_string()),
                        ..decision
                    };
                    (decision, remembered(cache, step, &prepared))
                }
                None => {
                    let more = asked.in_depth.then(|| cache.explain(step, &prepared));
                    let why = more.unwrap_or(why);
                    (Decision::new(ix, Answer::Run).because(&why), None)
                }
            }
        }
    };
    (decision.of(&prepared), made)
}

/// What a restore would bring, where the last run here stood under the same key.
fn remembered(cache: &Cache, step: &PlanStep, prepared: &Prepared) -> Option<Made> {
    let last = cache.last(&step.identity())?;
    (last.key == Some(prepared.key)).then(|| Made {
        entries: last.outputs,
        key: last.key,
        ..Made::default()
    })
}

/// A step one of whose inputs is made first. It runs for sure if it always does.
fn unsure(ix: StepIx, plan: &Plan, open: BTreeSet<StepIx>, cache: &Cache, force: bool) -> Decision {
    let first = |need: &StepIx| Reason {
        kind: "dependency".to_owned(),
        name: Some(plan.steps[*need].name.clone()),
        text: format!("`{}` comes first", plan.steps[*need].name),
        ..Reason::default()
    };
    let why = match (force, plan.steps[ix].cache) {
        (true, _) => reasons(&[MissReason::Forced]),
        (_, CacheMode::Off) => reasons(&[MissReason::Off]),
        (_, CacheMode::Undeclared) => reasons(&[MissReason::Undeclared]),
        (_, CacheMode::Interactive) => reasons(&[MissReason::Interactive]),
        (_, CacheMode::Secrets) => reasons(&[MissReason::Secrets]),
        (_, CacheMode::Shared | CacheMode::Local) => {
            let mut why: Vec<Reason> = open.iter().map(first).collect();
            let answer = match cache.must_run(&plan.steps[ix]) {
                Some(reason) => {
                    why.splice(0..0, reasons(&[reason]));
                    Answer::Run
                }
                None => Answer::RunUnless(open.into_iter().collect()),
            };
            return Decision {
                why,
                ..Decision::new(ix, answer)
            };
        }
    };
    Decision {
        why,
        ..Decision::new(ix, Answer::Run)
    }
}
