//! Finds a circle of steps and draws it with the place of every edge in it.

use std::collections::{HashMap, HashSet, VecDeque};

use miette::LabeledSpan;
use petgraph::algo::{kosaraju_scc, toposort};

use super::{Edge, GraphError, InstanceIx, StepGraph};
use crate::expand::{Instance, literal_files};
use crate::source::Span;

/// So many edges of a circle are shown with their places.
const MOST_EDGES: usize = 20;

/// One shortest circle of each knot of steps that need each other.
pub(super) fn find(graph: &StepGraph) -> Vec<GraphError> {
    if toposort(&graph.edges, None).is_ok() {
        return Vec::new();
    }
    // `kosaraju_scc` is iterative; the other algorithm of the library recurses once a step.
    kosaraju_scc(&graph.edges)
        .into_iter()
        .map(|knot| {
            knot.into_iter()
                .map(|node| node.index())
                .collect::<HashSet<InstanceIx>>()
        })
        .filter_map(|knot| shortest(graph, &knot))
        .map(|circle| draw(graph, &circle))
        .collect()
}

/// Literal sources that the instance itself makes, and where each is written.
pub(super) fn of_one(instance: &Instance) -> Vec<(GraphError, Span)> {
    let outputs = || instance.plan.outputs.iter().zip(&instance.output_spans);
    let circles = literal_files(instance).filter_map(|(_, path, source)| {
        let mut covering = outputs().filter(|(output, _)| output.kind.covers(path));
        let (_, made) = covering.clone().find(|(output, _)| !output.negated)?;
        let label = |text: &str, span| LabeledSpan::new_with_span(Some(text.to_owned()), span);
        let name = &instance.plan.name;
        let error = GraphError::Cycle {
            circle: format!("{name} → {name}"),
            edges: vec![label("read here", source), label("made here", *made)],
        };
        (!covering.any(|(output, _)| output.negated)).then_some((error, source))
    });
    circles.collect()
}

/// The shortest circle through the first instance of the knot; `None` if the knot is no circle.
fn shortest<'g>(
    graph: &'g StepGraph,
    knot: &HashSet<InstanceIx>,
) -> Option<Vec<(InstanceIx, &'g Edge)>> {
    let start = *knot.iter().min()?;
    let mut came: HashMap<InstanceIx, (InstanceIx, &Edge)> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for (needed, edge) in graph
            .dependencies(at)
            .filter(|(needed, _)| knot.contains(needed))
        {
            if needed == start {
                return Some(back(start, at, edge, &came));
            }
            came.entry(needed).or_insert_with(|| {
                open.push_back(needed);
                (at, edge)
            });
        }
    }
    None
}

/// The way from `start` to `last`, and the edge that closes it.
fn back<'g>(
    start: InstanceIx,
    last: InstanceIx,
    closing: &'g Edge,
    came: &HashMap<InstanceIx, (InstanceIx, &'g Edge)>,
) -> Vec<(InstanceIx, &'g Edge)> {
    let mut circle = vec![(last, closing)];
    let mut at = last;
    while at != start {
        let (before, edge) = came[&at];
        circle.push((before, edge));
        at = before;
    }
    circle.reverse();
    circle
}

/// The names with arrows between them; of very many the first and the last.
pub(super) fn joined<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    const ENDS: usize = 10;
    if names.len() <= 2 * ENDS + 1 {
        return names.join(" → ");
    }
    let left_out = names.len() - 2 * ENDS;
    format!(
        "{} → ({left_out} more) → {}",
        names[..ENDS].join(" → "),
        names[names.len() - ENDS..].join(" → ")
    )
}

fn draw(graph: &StepGraph, circle: &[(InstanceIx, &Edge)]) -> GraphError {
    let name = |ix: InstanceIx| graph.instances[ix].plan.name.clone();
    let mut names: Vec<String> = circle.iter().map(|(ix, _)| name(*ix)).collect();
    names.push(name(circle[0].0));
    let edges = circle
        .iter()
        .zip(&names[1..])
        .take(MOST_EDGES)
        .map(|((ix, edge), needed)| {
            LabeledSpan::new_with_span(Some(format!("`{}` needs `{needed}`", name(*ix))), edge.span)
        });
    GraphError::Cycle {
        edges: edges.collect(),
        circle: joined(&names),
    }
}
