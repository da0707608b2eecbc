//! Which instances a run is about, and what comes before what.
//!
//! petgraph is used in here only; what others see are [`StepGraph`] and dense indices. This room
//! reads no file and starts nothing.

mod clash;
mod cycle;
mod error;
mod export;
mod groups;
mod indirect;
mod link;
mod made;
mod merge;
mod partners;
mod select;
mod together;

use std::collections::HashSet;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::expand::Instance;
use crate::expand::Owned;
use crate::path::RelPath;
use crate::source::Span;

pub use error::GraphError;
pub use export::{Format, export};
pub use indirect::indirect;
pub use link::{Linked, Purpose, examine, link};
pub use select::{Request, Scope, SelectError, Wanted, every, select};

/// The place of an instance in [`StepGraph::instances`].
pub type InstanceIx = usize;

/// Instances and what they need.
#[derive(Debug, Default)]
pub struct StepGraph {
    /// All instances that the wanted ones need, and these themselves.
    pub instances: Vec<Instance>,
    /// The instances that were asked for.
    pub wanted: Vec<InstanceIx>,
    /// For each instance the first that is equal to it in all that counts: mostly itself.
    pub first: Vec<InstanceIx>,
    /// Everything that any step of the workspace declares as output.
    pub owned: Vec<Owned>,
    /// An edge goes from what is needed to what needs it.
    edges: DiGraph<(), Edge>,
}

/// Why one instance comes before another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge {
    /// What kind of reason.
    pub kind: EdgeKind,
    /// Where it is written.
    pub span: Span,
}

/// The reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EdgeKind {
    /// `needs`: the outputs are inputs. Holds the names by which expressions know it.
    Needs(Arc<[String]>),
    /// `after`: only the order.
    After,
    /// A literal source (the index in the instance's literals) that the other makes.
    Makes(usize, RelPath),
}

impl StepGraph {
    /// What `instance` depends on directly.
    pub fn dependencies(&self, instance: InstanceIx) -> impl Iterator<Item = (InstanceIx, &Edge)> {
        self.edges
            .edges_directed(NodeIndex::new(instance), Direction::Incoming)
            .map(|edge| (edge.source().index(), edge.weight()))
    }

    /// These instances and all that they need, in the order of the graph.
    pub fn reached(&self, from: impl IntoIterator<Item = InstanceIx>) -> Vec<InstanceIx> {
        let mut open: Vec<InstanceIx> = from.into_iter().collect();
        let mut reached: HashSet<InstanceIx> = open.iter().copied().collect();
        while let Some(next) = open.pop() {
            for (needed, _) in self.dependencies(next) {
                if reached.insert(needed) {
                    open.push(needed);
                }
            }
        }
        let mut reached: Vec<InstanceIx> = reached.into_iter().collect();
        reached.sort_unstable();
        reached
    }

    /// All `count` instances, each after what it depends on; ties in the order of the files.
    pub fn order(&self, count: usize) -> Vec<InstanceIx> {
        let mut open: Vec<usize> = (0..count).map(|ix| self.dependencies(ix).count()).collect();
        let mut ready: std::collections::BTreeSet<InstanceIx> =
            (0..count).filter(|ix| open[*ix] == 0).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for edge in self
                .edges
                .edges_directed(NodeIndex::new(next), Direction::Outgoing)
            {
                let dependent = edge.target().index();
                open[dependent] -= 1;
                if open[dependent] == 0 {
                    ready.insert(dependent);
                }
            }
        }
        order
    }
}
