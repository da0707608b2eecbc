//! Commands that name what another step makes without needing that step themselves: the file is no
//! input of theirs, and they would not run again when it changes.
//!
//! Only what can be told from the plan: words of scripts that are literal outputs.

use std::collections::{HashMap, HashSet};

use super::{EdgeKind, GraphError, InstanceIx, StepGraph};
use crate::expand::{Instance, OutputKind, Piece};
use crate::path::{RelPath, to_bytes};

/// A warning for each step that names an output which it reaches only through another step.
pub fn indirect(graph: &StepGraph) -> Vec<GraphError> {
    let makers = makers(graph);
    let mut told = HashSet::new();
    let mut warnings = Vec::new();
    for (ix, instance) in graph.instances.iter().enumerate() {
        for path in named_paths(instance) {
            let around = std::iter::successors(Some(path.clone()), RelPath::parent);
            let maker = around.enumerate().find_map(|(above, folder)| {
                let (by, is_folder) = makers.get(&folder)?;
                (above == 0 || *is_folder).then_some(*by)
            });
            let Some(by) = maker.filter(|by| *by != ix && reaches(graph, ix, *by)) else {
                continue;
            };
            let step = graph.instances[by].step.as_str();
            if told.insert((instance.span, step)) {
                warnings.push(warning(instance, &path, &graph.instances[by]));
            }
        }
    }
    warnings
}

fn warning(instance: &Instance, path: &RelPath, maker: &Instance) -> GraphError {
    let reference = match maker.pipeline == instance.pipeline {
        true => maker.step.clone(),
        false => format!("{}:{}", maker.pipeline, maker.step),
    };
    GraphError::Indirect {
        step: instance.step.clone(),
        path: path.to_string(),
        maker: reference.clone(),
        span: instance.span,
        help: format!("add `{reference}` to the `needs` of `{}`", instance.step),
    }
}

/// Who makes each literal output, and whether that is a folder.
fn makers(graph: &StepGraph) -> HashMap<RelPath, (InstanceIx, bool)> {
    let mut makers = HashMap::new();
    for (ix, instance) in graph.instances.iter().enumerate() {
        for output in instance
            .plan
            .outputs
            .iter()
            .filter(|output| !output.negated)
        {
            match &output.kind {
                OutputKind::File(path) => makers.insert(path.clone(), (ix, false)),
                OutputKind::Folder(path) => makers.insert(path.clone(), (ix, true)),
                OutputKind::Glob(_) => None,
            };
        }
    }
    makers
}

/// The words of an instance's scripts that could be paths, from the root.
fn named_paths(instance: &Instance) -> impl Iterator<Item = RelPath> {
    let pieces = instance
        .plan
        .scripts
        .iter()
        .flat_map(|script| &script.pieces);
    let texts = pieces.filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Hole { .. } => None,
    });
    let between = |c: char| c.is_whitespace() || "\"'`;&|()<>=,:$*?{}[]#".contains(c);
    let words = texts.flat_map(move |text| text.split(between));
    let words = words.filter(|word| !word.is_empty() && !word.starts_with('-'));
    words.filter_map(|word| RelPath::resolve(&instance.plan.dir, &to_bytes(word)).ok())
}

/// Whether `by` comes before `ix`, but neither as one of its needs, nor by a file that it names as
/// its source, nor as something that it only comes after.
fn reaches(graph: &StepGraph, ix: InstanceIx, by: InstanceIx) -> bool {
    let mut direct = HashSet::new();
    let mut open = vec![ix];
    while let Some(at) = open.pop() {
        for (from, edge) in graph.dependencies(at) {
            // A group hands on what it needs, but not what it is after.
            let is_group = graph.instances[from].is_group();
            let counts = at == ix || matches!(edge.kind, EdgeKind::Needs(_));
            if counts && direct.insert(from) && is_group {
                open.push(from);
            }
        }
    }
    if direct.contains(&by) {
        return false;
    }
    let mut seen: HashSet<InstanceIx> = HashSet::new();
    let mut open = vec![ix];
    while let Some(at) = open.pop() {
        let before = graph.dependencies(at).map(|(from, _)| from);
        open.extend(before.filter(|from| seen.insert(*from)));
    }
    seen.contains(&by)
}
