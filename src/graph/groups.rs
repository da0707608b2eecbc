//! What groups stand for: in the plan, who needs a group needs all that the group needs, so a few
//! lines can mean very many edges.

use std::collections::{BTreeSet, HashMap};

use super::{GraphError, InstanceIx, StepGraph};

/// Refuses graphs that have more than `most` edges once their groups are dissolved.
pub(super) fn check(graph: &StepGraph, most: usize) -> Option<GraphError> {
    if !graph.instances.iter().any(|instance| instance.is_group()) {
        return None;
    }
    let mut members: HashMap<InstanceIx, BTreeSet<InstanceIx>> = HashMap::new();
    let mut edges = 0;
    for ix in graph.order(graph.instances.len()) {
        let is_group = graph.instances[ix].is_group();
        let mut handed_on = BTreeSet::new();
        for (needed, edge) in graph.dependencies(ix) {
            let partners = members.get(&needed).map_or(1, BTreeSet::len);
            edges += partners;
            if edges > most {
                let step = graph.instances[ix].plan.name.clone();
                return Some(GraphError::TooMany {
                    step,
                    partners,
                    most,
                    span: edge.span,
                });
            }
            match members.get(&needed) {
                _ if !is_group => {}
                Some(more) => handed_on.extend(more),
                None => {
                    handed_on.insert(needed);
                }
            }
        }
        if is_group {
            members.insert(ix, handed_on);
        }
    }
    None
}
