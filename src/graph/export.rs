//! The graph as text for people and other programs.

use serde_json::json;

use super::{EdgeKind, InstanceIx, StepGraph};

/// The forms that a graph can be written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Indented text: what each wanted step needs.
    Tree,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// JSON: `version`, `steps`, `edges`.
    Json,
}

/// Writes the graph.
pub fn export(graph: &StepGraph, format: Format) -> String {
    match format {
        Format::Tree => tree(graph),
        Format::Dot => dot(graph),
        Format::Mermaid => mermaid(graph),
        Format::Json => json_text(graph),
    }
}

/// Levels that are shown by blanks.
const MAX_INDENT: usize = 32;

fn word(kind: &EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Needs(_) => "needs",
        EdgeKind::After => "after",
        EdgeKind::Makes(..) => "source",
    }
}

/// From what is needed to what needs it, in the order of the instances; the first reason of two.
fn edges(graph: &StepGraph) -> impl Iterator<Item = (InstanceIx, InstanceIx, &EdgeKind)> {
    (0..graph.instances.len()).flat_map(|to| {
        let mut edges: Vec<_> = graph
            .dependencies(to)
            .map(|(from, edge)| (from, to, &edge.kind))
            .collect();
        edges.sort_by_key(|(from, _, kind)| (*from, word(kind) != "needs"));
        edges.dedup_by_key(|(from, ..)| *from);
        edges
    })
}

fn tree(graph: &StepGraph) -> String {
    let mut text = String::new();
    let mut seen = vec![false; graph.instances.len()];
    // A stack of its own: chains may be longer than the thread's.
    let mut open: Vec<(InstanceIx, usize)> = graph.wanted.iter().rev().map(|ix| (*ix, 0)).collect();
    while let Some((ix, depth)) = open.pop() {
        let name = &graph.instances[ix].plan.name;
        let mut needed: Vec<InstanceIx> = graph.dependencies(ix).map(|(from, _)| from).collect();
        needed.sort_unstable();
        needed.dedup();
        let again = std::mem::replace(&mut seen[ix], true) && !needed.is_empty();
        // Deep down the number of the level takes the place of blanks.
        let level = match depth > MAX_INDENT {
            true => format!("{:indent$}[{depth}] ", "", indent = MAX_INDENT * 2),
            false => " ".repeat(depth * 2),
        };
        let above = if again { " (above)" } else { "" };
        text.push_str(&format!("{level}{name}{above}\n"));
        if !again {
            open.extend(needed.into_iter().rev().map(|needed| (needed, depth + 1)));
        }
    }
    text
}

fn dot(graph: &StepGraph) -> String {
    let mut text = String::from("digraph pipe {\n  rankdir=LR;\n  node [shape=box];\n");
    for instance in &graph.instances {
        text.push_str(&format!("  {:?};\n", instance.plan.name));
    }
    for (from, to, kind) in edges(graph) {
        let style = if matches!(kind, EdgeKind::After) {
            " [style=dashed]"
        } else {
            ""
        };
        let (from, to) = (
            &graph.instances[from].plan.name,
            &graph.instances[to].plan.name,
        );
        text.push_str(&format!("  {from:?} -> {to:?}{style};\n"));
    }
    text.push_str("}\n");
    text
}

fn mermaid(graph: &StepGraph) -> String {
    let mut text = String::from("flowchart LR\n");
    for (ix, instance) in graph.instances.iter().enumerate() {
        let label = instance.plan.name.replace('"', "#quot;");
        text.push_str(&format!("  s{ix}[\"{label}\"]\n"));
    }
    for (from, to, kind) in edges(graph) {
        let arrow = if matches!(kind, EdgeKind::After) {
            "-.->"
        } else {
            "-->"
        };
        text.push_str(&format!("  s{from} {arrow} s{to}\n"));
    }
    text
}

fn json_text(graph: &StepGraph) -> String {
    let name = |ix: InstanceIx| graph.instances[ix].plan.name.as_str();
    let steps: Vec<_> = graph
        .instances
        .iter()
        .map(|instance| {
            json!({
                "step": instance.plan.name,
                "pipeline": instance.pipeline,
                "profile": instance.plan.profile,
                "group": instance.is_group(),
            })
        })
        .collect();
    let edges: Vec<_> = edges(graph)
        .map(|(from, to, kind)| json!({ "from": name(from), "to": name(to), "kind": word(kind) }))
        .collect();
    format!(
        "{:#}\n",
        json!({ "version": 1, "steps": steps, "edges": edges })
    )
}
