//! Rounds of edits and runs. Each round is a row of seeds, so that a round or an edit can be left out
//! and the rest still means something.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::dice::Dice;
use super::disk::{Disk, Node, read_tree};
use super::edits::Scene;
use super::expected::{Outcome, Outcomes, Run, clean_build, owned};
use super::graph::Graph;

/// A workspace folder in which something runs.
pub(crate) trait World {
    /// The workspace folder.
    fn root(&self) -> &Path;
    /// The folder of its store.
    fn store(&self) -> &Path;
    /// Runs the steps; how each ended.
    fn run(&mut self, graph: &Graph, run: &Run) -> Outcomes;
}

/// A graph and rounds, each the seeds of edits and of a run.
#[derive(Clone)]
struct Sequence {
    graph: u64,
    rounds: Vec<(Vec<u64>, u64)>,
}

/// Makes a workspace of its own for each sequence.
type Worlds<'a> = &'a (dyn Fn() -> Box<dyn World> + Sync);

/// Plays so many sequences, or `SEQUENCES` of them, from the seed `FIRST` on; only that of `SEED` where
/// it is set. Panics with a short story if something is not as it should be.
pub(crate) fn hold(usual: u64, worlds: Worlds<'_>) {
    let number = |name| Some(std::env::var(name).ok()?.parse().expect("a number"));
    if let Some(seed) = number("SEED") {
        play(seed, worlds);
        return;
    }
    let next = AtomicU64::new(number("FIRST").unwrap_or(0));
    let end = next.load(Ordering::Relaxed) + number("SEQUENCES").unwrap_or(usual);
    let players = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..players {
            scope.spawn(|| {
                while let Some(seed) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end)
                {
                    play(seed, worlds);
                }
            });
        }
    });
}

/// Plays the sequence of `seed`.
fn play(seed: u64, worlds: Worlds<'_>) {
    let sequence = Sequence::random(seed);
    let Err(first) = sequence.play(worlds) else {
        return;
    };
    let (shortest, story) = sequence.shorten(worlds);
    panic!(
        "seed {seed} ({} rounds, {} in short); `SEED={seed}` plays it again\n{}\nat first: {}",
        sequence.rounds.len(),
        shortest.rounds.len(),
        story.unwrap_or_else(|| "it fails only in full".to_owned()),
        first.lines().last().unwrap_or_default()
    );
}

impl Sequence {
    fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let graph = dice.any();
        let mut round = |most: usize| {
            let edits = (0..dice.below(most)).map(|_| dice.any()).collect();
            (edits, dice.any())
        };
        let mut rounds = vec![round(1)];
        rounds.extend((0..6).map(|_| round(4)));
        Self { graph, rounds }
    }

    /// Leaves out what is not needed for it to fail.
    fn shorten(&self, worlds: Worlds<'_>) -> (Self, Option<String>) {
        let (mut shortest, mut story) = (self.clone(), None);
        for at in (0..self.rounds.len()).rev() {
            let mut tries = vec![None];
            tries.extend((0..self.rounds[at].0.len()).rev().map(Some));
            for edit in tries {
                let mut shorter = shortest.clone();
                match edit {
                    None => drop(shorter.rounds.remove(at)),
                    Some(edit) => drop(shorter.rounds[at].0.remove(edit)),
                }
                if let Err(told) = shorter.play(worlds) {
                    (shortest, story) = (shorter, Some(told));
                    if edit.is_none() {
                        break;
                    }
                }
            }
        }
        (shortest, story)
    }

    fn play(&self, worlds: Worlds<'_>) -> Result<(), String> {
        let mut world = worlds();
        let (graph, sources) = Graph::random(&mut Dice::new(self.graph));
        let (root, store) = (world.root().to_owned(), world.store().to_owned());
        let mut told = String::new();
        for step in &graph.steps {
            let _ = writeln!(told, "{step:?}");
        }
        let _ = writeln!(told, "{sources:?}");
        let mut scene = Scene::new(root, store, graph, sources);
        for (edits, seed) in &self.rounds {
            for edit in edits {
                let done = scene.edit(&mut Dice::new(*edit));
                let _ = writeln!(told, "- {done}");
            }
            let run = Run::random(&scene.graph, &mut Dice::new(*seed));
            let _ = writeln!(told, "{run:?}");
            let real = world.run(&scene.graph, &run);
            let _ = writeln!(told, "{real:?}");
            scene
                .compare(&run, &real)
                .map_err(|what| format!("{told}{what}"))?;
        }
        Ok(())
    }
}

impl Run {
    fn random(graph: &Graph, dice: &mut Dice) -> Self {
        let count = graph.steps.len();
        let some = (0..1 + dice.below(2)).map(|_| dice.below(count)).collect();
        let all = (0..count).collect();
        Self {
            wanted: if dice.chance(70) { all } else { some },
            jobs: 1 + dice.below(4),
            keep_going: dice.chance(60),
            force: dice.chance(5),
            no_store: dice.chance(5),
        }
    }
}

impl Scene {
    /// Whether the run did what it should have done.
    fn compare(&mut self, run: &Run, real: &Outcomes) -> Result<(), String> {
        let expected = self.expected.run(&self.graph, run, real);
        if expected != *real {
            return Err(format!("expected {expected:?}"));
        }
        let found = read_tree(&self.root);
        let differ = difference(&self.expected.disk, &found);
        if !differ.is_empty() {
            return Err(differ);
        }
        self.is_clean(real, &found)?;
        let kept = read_tree(&self.root.join(".pipe/kept"));
        let texts = found
            .values()
            .chain(kept.values())
            .filter_map(|node| match node {
                Node::File { text, .. } => Some(text),
                _ => None,
            });
        let texts: BTreeSet<&String> = texts.collect();
        match self.precious.iter().find(|text| !texts.contains(text)) {
            Some(lost) => Err(format!("lost: {lost}")),
            None => Ok(()),
        }
    }

    /// What went well is what a build from nothing makes.
    fn is_clean(&self, outcomes: &Outcomes, found: &Disk) -> Result<(), String> {
        let mut spoilt = BTreeSet::new();
        let clean = clean_build(&self.graph, found);
        for (at, step) in self.graph.steps.iter().enumerate() {
            let outcome = outcomes.get(&step.name);
            let before = self.graph.before(at);
            if outcome == Some(&Outcome::Tainted) || before.iter().any(|at| spoilt.contains(at)) {
                spoilt.insert(at);
            }
            let is_good = matches!(
                outcome,
                Some(Outcome::Executed | Outcome::UpToDate | Outcome::FromCache)
            );
            if !is_good || spoilt.contains(&at) {
                continue;
            }
            let wanted = clean[at]
                .as_ref()
                .ok_or_else(|| format!("{} cannot go well", step.name))?;
            if owned(step, found) != *wanted {
                return Err(format!("a clean build makes {wanted:?}"));
            }
        }
        Ok(())
    }
}

/// In which files and links two trees differ.
fn difference(expected: &Disk, found: &Disk) -> String {
    let mut told = String::new();
    for path in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let seen = |disk: &Disk| {
            disk.get(path)
                .filter(|node| **node != Node::Folder)
                .cloned()
        };
        let (wanted, there) = (seen(expected), seen(found));
        if wanted != there {
            let _ = writeln!(told, "{path}: expected {wanted:?}, found {there:?}");
        }
    }
    told
}
