//! What a run should do: the outcome of each step, and the files afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{perform, script};
use super::disk::{Disk, Node, follow};
use super::graph::{Graph, Mode, Out, Step};

/// How a step ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    Executed,
    UpToDate,
    FromCache,
    Failed,
    Blocked,
    Cancelled,
    /// It ran, and a source changed meanwhile.
    Tainted,
}

/// The outcome of each step by its name.
pub(crate) type Outcomes = BTreeMap<String, Outcome>;

/// How the program is asked to run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Steps that are wanted.
    pub(crate) wanted: Vec<usize>,
    pub(crate) jobs: usize,
    pub(crate) keep_going: bool,
    /// Nothing is up to date, nothing is restored.
    pub(crate) force: bool,
    pub(crate) no_store: bool,
}

/// What the program should know of a workspace and of the store.
#[derive(Clone, Default)]
pub(super) struct Expected {
    pub(super) disk: Disk,
    /// The last record of each step, by its name.
    pub(super) last: BTreeMap<String, Last>,
    /// Results by their keys.
    pub(super) store: BTreeMap<String, Disk>,
}

/// What is remembered of a step.
#[derive(Clone)]
pub(super) struct Last {
    key: Option<String>,
    outputs: Disk,
}

/// How what lies on the disk is related to a record.
enum Found {
    Same,
    /// All of it is there, and something else.
    More,
    Other,
}

impl Expected {
    /// Goes through a run; what really came out matters only where it may be several things: after a
    /// failure that ends the run, steps that do not depend on it may have been cancelled.
    pub(super) fn run(&mut self, graph: &Graph, run: &Run, real: &Outcomes) -> Outcomes {
        use Outcome::{Blocked, Cancelled, Failed};
        let mut outcomes = Outcomes::new();
        let closure = graph.closure(&run.wanted);
        let fails = |all: &Outcomes| all.values().any(|outcome| *outcome == Failed);
        let may_cancel = !run.keep_going && fails(real);
        for at in closure {
            let step = &graph.steps[at];
            let before = graph.before(at);
            let before: BTreeSet<Outcome> = before
                .iter()
                .map(|at| outcomes[&graph.steps[*at].name])
                .collect();
            let outcome = if before.contains(&Failed) || before.contains(&Blocked) {
                Blocked
            } else if before.contains(&Cancelled)
                || may_cancel && real.get(&step.name) == Some(&Cancelled)
            {
                Cancelled
            } else {
                self.step(graph, at, run)
            };
            outcomes.insert(step.name.clone(), outcome);
        }
        outcomes
    }

    /// One step whose turn has come.
    fn step(&mut self, graph: &Graph, at: usize, run: &Run) -> Outcome {
        let step = &graph.steps[at];
        let is_there =
            |path: &&String| graph.maker(path).is_some() || follow(&self.disk, path).is_some();
        if !step.literals.iter().all(|path| is_there(&path)) {
            return Outcome::Failed;
        }
        let key = self.key(graph, at);
        if step.mode != Mode::Off && !run.force {
            let last = self
                .last
                .get(&step.name)
                .filter(|last| last.key.as_ref() == Some(&key));
            let last = last.map(|last| (self.found(step, &last.outputs), last.outputs.clone()));
            match last {
                Some((Found::Same, _)) => return Outcome::UpToDate,
                Some((Found::More, outputs)) => {
                    self.place(step, outputs);
                    return Outcome::FromCache;
                }
                _ => {}
            }
            let stored = self.store.get(&key).cloned();
            if let Some(outputs) = stored.filter(|_| step.mode == Mode::Shared && !run.no_store) {
                self.place(step, outputs.clone());
                let key = Some(key);
                self.last.insert(step.name.clone(), Last { key, outputs });
                return Outcome::FromCache;
            }
        }
        self.execute(graph, at, key, run)
    }

    fn execute(&mut self, graph: &Graph, at: usize, key: String, run: &Run) -> Outcome {
        let step = &graph.steps[at];
        let effect = perform(graph, at, &self.disk);
        let is_in_the_way = |path: &String| {
            effect.outputs.contains_key(path) || is_below_any(path, &effect.outputs)
        };
        if effect.fails || self.without(step).iter().any(is_in_the_way) {
            // What lay there comes back, unless the step works on what lies there.
            if step.incremental {
                self.disk.extend(effect.outputs);
                if let Some(last) = self.last.get_mut(&step.name) {
                    last.key = None;
                }
            }
            return Outcome::Failed;
        }
        self.place(step, effect.outputs.clone());
        let is_tainted = step.mode != Mode::Off && !effect.sources.is_empty();
        self.disk.extend(effect.sources);
        let is_kept = step.mode != Mode::Off && !is_tainted;
        if is_kept && step.mode == Mode::Shared && !run.no_store {
            self.store.insert(key.clone(), effect.outputs.clone());
        }
        let last = Last {
            key: is_kept.then_some(key),
            outputs: effect.outputs,
        };
        self.last.insert(step.name.clone(), last);
        if is_tainted {
            Outcome::Tainted
        } else {
            Outcome::Executed
        }
    }

    /// Puts outputs in the place of all that the step owns.
    fn place(&mut self, step: &Step, outputs: Disk) {
        let left = self.without(step);
        let is_in_the_way =
            |path: &String| outputs.contains_key(path) || is_below_any(path, &outputs);
        self.disk
            .retain(|path, _| left.contains(path) && !is_in_the_way(path));
        self.disk.extend(outputs);
    }

    /// What is left when the step's outputs are set aside: not the files that it owns, nor folders in
    /// the place of files that it made.
    fn without(&self, step: &Step) -> BTreeSet<String> {
        let owned = owned(step, &self.disk);
        let last = self.last.get(&step.name);
        let made = last.map(|last| last.outputs.clone()).unwrap_or_default();
        let is_left = |path: &&String| {
            let is_it = |made: &String| *path == made || is_below(path, made);
            let is_made = made.keys().any(|made| step.out.covers(made) && is_it(made));
            !owned.contains_key(*path) && !is_made
        };
        self.disk.keys().filter(is_left).cloned().collect()
    }

    fn found(&self, step: &Step, recorded: &Disk) -> Found {
        let there = owned(step, &self.disk);
        if there == *recorded {
            Found::Same
        } else if recorded
            .iter()
            .all(|(path, node)| there.get(path) == Some(node))
        {
            Found::More
        } else {
            Found::Other
        }
    }

    /// All that may influence the result, with contents in full.
    fn key(&self, graph: &Graph, at: usize) -> String {
        let step = &graph.steps[at];
        let mut inputs = BTreeMap::new();
        let mut add = |path: &String| {
            let node = self.disk.get(path);
            inputs.insert(
                path.clone(),
                node.map(|node| (node, follow(&self.disk, path))),
            );
        };
        let is_source = |path: &&String| {
            let matches = |folder: &&str| path.strip_prefix(folder).is_some_and(is_text_file);
            step.globs.iter().any(matches)
        };
        let sources = self.disk.keys().filter(is_source);
        sources.chain(&step.literals).for_each(&mut add);
        let made = step
            .needs
            .iter()
            .map(|need| owned(&graph.steps[*need], &self.disk));
        let made: Disk = made.flatten().collect();
        made.keys().for_each(&mut add);
        let Step {
            out,
            env,
            salt,
            incremental,
            ..
        } = step;
        format!(
            "{:?}",
            (script(graph, at), out, env, salt, incremental, inputs)
        )
    }
}

/// Whether `path` is in the folder `folder`.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn is_below_any(path: &str, files: &Disk) -> bool {
    files.keys().any(|file| is_below(path, file))
}

/// Whether the rest of a path is that of a source in a folder.
fn is_text_file(rest: &str) -> bool {
    let name = rest.strip_prefix('/');
    name.is_some_and(|name| name.ends_with(".txt") && !name.contains('/'))
}

/// What of the step's outputs is there.
pub(super) fn owned(step: &Step, disk: &Disk) -> Disk {
    let is_glob = matches!(step.out, Out::Glob(_));
    let is_owned =
        |path: &str, node: &Node| step.out.covers(path) && !(is_glob && *node == Node::Folder);
    let owned = disk.iter().filter(|(path, node)| is_owned(path, node));
    owned
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect()
}

/// What each step makes of these sources, built from nothing; `None` where it or something before it
/// fails.
pub(super) fn clean_build(graph: &Graph, disk: &Disk) -> Vec<Option<Disk>> {
    let is_made = |path: &String| graph.steps.iter().any(|step| step.out.covers(path));
    let mut disk: Disk = disk
        .iter()
        .filter(|(path, _)| !is_made(path))
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect();
    let mut made: Vec<Option<Disk>> = Vec::new();
    for at in 0..graph.steps.len() {
        let effect = perform(graph, at, &disk);
        let is_good = !effect.fails && graph.before(at).into_iter().all(|at| made[at].is_some());
        if is_good && graph.steps[at].out != Out::Nothing {
            disk.extend(effect.outputs.clone());
        } else if is_good {
            disk.extend(effect.sources);
        }
        made.push(is_good.then_some(effect.outputs));
    }
    made
}
