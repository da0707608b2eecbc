//! Random workspaces beside the naive oracle of `tests/oracle/`: real files, no process. A scripted
//! command does what the oracle says that its script does.
//!
//! `SEED=n` plays one sequence again, `SEQUENCES=n` so many of them.

#[path = "../../../../tests/oracle/mod.rs"]
mod oracle;

use std::path::{Path, PathBuf};

use oracle::command::{act, script};
use oracle::expected::{Outcomes, Run};
use oracle::graph::{Graph, Mode, Out};
use oracle::sequence::{World, hold};

use super::*;
use crate::glob::Pattern;
use crate::plan::{EnvSetting, Output, OutputKind, Owned};

/// A workspace whose commands are played.
struct Scripted {
    place: Workspace,
    store: PathBuf,
    runs: usize,
}

impl Scripted {
    fn new() -> Self {
        let place = Workspace::new(Vec::new());
        let store = place.dir.path().join("store");
        Self {
            place,
            store,
            runs: 0,
        }
    }
}

impl World for Scripted {
    fn root(&self) -> &Path {
        &self.place.options.root
    }

    fn store(&self) -> &Path {
        &self.store
    }

    fn run(&mut self, graph: &Graph, run: &Run) -> Outcomes {
        self.runs += 1;
        self.place.plan = plan(graph, run);
        let root = self.place.options.root.clone();
        let options = &mut self.place.options;
        options.run_id = format!("r{}", self.runs);
        options.run_dir = root.join(".pipe/runs").join(&options.run_id);
        options.jobs = run.jobs;
        options.keep_going = run.keep_going;
        options.force = run.force;
        let store = (!run.no_store).then(|| self.store.clone());
        let cache = self.place.cache_with(store);
        let told = self
            .place
            .run_on(&cache, &Cancel::new().unwrap(), |command| {
                let text = script_of(command).unwrap();
                let mut steps = 0..graph.steps.len();
                let at = steps.find(|at| script(graph, *at) == text).unwrap();
                Act::exit(if act(graph, at, &root) { 0 } else { 3 })
            });
        let finished = told.events.iter().filter_map(|event| match event {
            Event::StepFinished(finished) => Some(finished),
            _ => None,
        });
        finished
            .map(|finished| (finished.step.clone(), outcome(finished)))
            .collect()
    }
}

fn outcome(finished: &StepFinished) -> oracle::expected::Outcome {
    match finished.outcome {
        Outcome::Executed if !finished.tainted.is_empty() => oracle::expected::Outcome::Tainted,
        Outcome::Executed => oracle::expected::Outcome::Executed,
        Outcome::UpToDate => oracle::expected::Outcome::UpToDate,
        Outcome::FromCache => oracle::expected::Outcome::FromCache,
        Outcome::Failed => oracle::expected::Outcome::Failed,
        Outcome::Blocked => oracle::expected::Outcome::Blocked,
        Outcome::Cancelled => oracle::expected::Outcome::Cancelled,
        Outcome::Skipped => unreachable!("no step has an `if`"),
    }
}

/// What the graph's steps that the run wants come to.
fn plan(graph: &Graph, run: &Run) -> Plan {
    let closure = graph.closure(&run.wanted);
    let steps = closure.iter().map(|at| planned(graph, *at, &closure));
    Plan {
        steps: steps.collect(),
        owned: graph.steps.iter().map(owned).collect(),
        ..Plan::default()
    }
}

fn owned(step: &oracle::graph::Step) -> Owned {
    Owned {
        step: step.name.clone(),
        outputs: output(&step.out).into_iter().collect(),
    }
}

fn planned(graph: &Graph, at: usize, closure: &[usize]) -> PlanStep {
    let step = &graph.steps[at];
    let place = |at: &usize| closure.iter().position(|other| other == at).unwrap();
    let literals = step.literals.iter().map(|text| match graph.maker(text) {
        None => Literal::File(path(text)),
        Some(by) => Literal::Made {
            path: path(text),
            by: place(&by),
        },
    });
    let globs = step.globs.iter();
    let sources = Sources {
        patterns: globs
            .map(|folder| pattern(&format!("{folder}/*.txt")))
            .collect(),
        literals: literals.collect(),
        excludes: Vec::new(),
    };
    let set = |value: &String| EnvSetting::Set(Template::text(value));
    let needs: Vec<usize> = step.needs.iter().map(place).collect();
    let before: Vec<usize> = graph.before(at).iter().map(place).collect();
    PlanStep {
        sources: Some(sources),
        outputs: output(&step.out).into_iter().collect(),
        after: before
            .into_iter()
            .filter(|at| !needs.contains(at))
            .collect(),
        needs,
        cache: match step.mode {
            Mode::Shared => CacheMode::Shared,
            Mode::Local => CacheMode::Local,
            Mode::Off => CacheMode::Off,
        },
        env: step
            .env
            .iter()
            .map(|value| ("V".to_owned(), set(value)))
            .collect(),
        salt: step.salt.iter().cloned().collect(),
        incremental: step.incremental,
        ..fixture::step(&step.name, &script(graph, at))
    }
}

fn output(out: &Out) -> Option<Output> {
    let kind = match out {
        Out::File(text) | Out::Optional(text) => OutputKind::File(path(text)),
        Out::Folder(text) => OutputKind::Folder(path(text)),
        Out::Glob(_) => OutputKind::Glob(pattern(&out.declared()?)),
        Out::Nothing => return None,
    };
    Some(Output {
        kind,
        optional: matches!(out, Out::Optional(_)),
        negated: false,
    })
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(&RelPath::root(), text).unwrap()
}

#[test]
fn every_scripted_run_is_what_the_oracle_says() {
    hold(20, &|| -> Box<dyn World> { Box::new(Scripted::new()) });
}
