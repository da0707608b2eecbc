//! From the graph to the plan: groups are dissolved, references become places in the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Literal, Plan, PlanStep, StepIx};
use crate::expand::Instance;
use crate::graph::{EdgeKind, InstanceIx, StepGraph};

/// The plan of a graph without circles. `args` (what follows `--`) go to the wanted steps.
pub fn build(mut graph: StepGraph, ignore: Vec<String>, args: &[String]) -> Plan {
    let instances = std::mem::take(&mut graph.instances);
    let mut building = Building {
        places: vec![Place::default(); instances.len()],
        steps: Vec::with_capacity(instances.len()),
    };
    let order = graph.order(instances.len());
    let mut instances: Vec<Option<Instance>> = instances.into_iter().map(Some).collect();
    for ix in order {
        // Each has one place in the order.
        if let Some(instance) = instances[ix].take() {
            building.add(&graph, ix, instance);
        }
    }
    let named: BTreeSet<StepIx> = graph
        .wanted
        .iter()
        .flat_map(|ix| building.places[*ix].needs.iter().copied())
        .collect();
    let mut steps = building.steps;
    for ix in &named {
        steps[*ix].args = args.to_vec();
    }
    Plan {
        steps,
        named: named.into_iter().collect(),
        owned: graph.owned,
        ignore,
    }
}

/// What an instance stands for in the plan.
#[derive(Clone, Default)]
struct Place {
    /// The steps whose outputs it hands on: itself, or what a group needs.
    needs: BTreeSet<StepIx>,
    /// Steps that come before what comes after it, beside `needs`: what a group is after.
    after: BTreeSet<StepIx>,
}

struct Building {
    places: Vec<Place>,
    steps: Vec<PlanStep>,
}

impl Building {
    /// Adds an instance whose dependencies were added before.
    fn add(&mut self, graph: &StepGraph, ix: InstanceIx, instance: Instance) {
        let mut place = Place::default();
        let mut names: BTreeMap<String, BTreeSet<StepIx>> = BTreeMap::new();
        let mut made: Vec<(usize, StepIx)> = Vec::new();
        for (from, edge) in graph.dependencies(ix) {
            let other = &self.places[from];
            match &edge.kind {
                EdgeKind::Needs(known_as) => {
                    place.needs.extend(&other.needs);
                    place.after.extend(&other.after);
                    for name in known_as.iter() {
                        names.entry(name.clone()).or_default().extend(&other.needs);
                    }
                }
                EdgeKind::After => place.after.extend(other.needs.iter().chain(&other.after)),
                EdgeKind::Makes(literal, _) => {
                    place.after.extend(&other.needs);
                    made.extend(other.needs.first().map(|by| (*literal, *by)));
                }
            }
        }
        if instance.is_group() {
            if instance.plan.skip {
                // As any skipped step it hands on nothing, and what it needs comes first all the same.
                place.after.append(&mut place.needs);
            }
            self.places[ix] = place;
            return;
        }
        let same_as = match graph.first[ix] {
            first if first == ix => None,
            first => self.places[first].needs.first().copied(),
        };
        place.after.extend(same_as);
        let step = PlanStep {
            same_as,
            needs: place.needs.iter().copied().collect(),
            after: place.after.difference(&place.needs).copied().collect(),
            need_names: names
                .into_iter()
                .map(|(name, steps)| (name, steps.into_iter().collect()))
                .collect(),
            ..instance.plan
        };
        self.steps.push(with_made(step, &made));
        self.places[ix] = Place {
            needs: BTreeSet::from([same_as.unwrap_or(self.steps.len() - 1)]),
            after: BTreeSet::new(),
        };
    }
}

/// Marks the literal sources that other steps make.
fn with_made(mut step: PlanStep, made: &[(usize, StepIx)]) -> PlanStep {
    if let Some(sources) = &mut step.sources {
        for (index, by) in made {
            if let Literal::File(path) = &sources.literals[*index] {
                sources.literals[*index] = Literal::Made {
                    path: path.clone(),
                    by: *by,
                };
            }
        }
    }
    step
}
