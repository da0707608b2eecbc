//! Which instances run together, where a graph holds more than one run would.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::{InstanceIx, StepGraph};
use crate::model::Workspace;

/// Instances looked at: what this leaves out, a run still finds.
const MOST_LOOKED_AT: usize = 5_000_000;

/// Which instances run together.
pub(super) enum Together<'g> {
    /// All of the graph.
    All,
    /// What one step needs, directly or not, with all its instances.
    OfSteps(OfSteps<'g>),
}

/// Asks for few instances of many: what needs them is found when it is asked for.
pub(super) struct OfSteps<'g> {
    graph: &'g StepGraph,
    workspace: &'g Workspace,
    known: RefCell<HashMap<InstanceIx, Rc<Steps<'g>>>>,
    /// How many instances were looked at.
    looked_at: Cell<usize>,
}

/// Pipelines and steps.
type Steps<'g> = HashSet<(&'g str, &'g str)>;

impl<'g> Together<'g> {
    pub(super) fn for_steps(graph: &'g StepGraph, workspace: &'g Workspace) -> Self {
        Self::OfSteps(OfSteps {
            graph,
            workspace,
            known: RefCell::default(),
            looked_at: Cell::default(),
        })
    }

    /// Whether a run of some step runs both.
    pub(super) fn run(&self, one: InstanceIx, other: InstanceIx) -> bool {
        match self {
            Self::All => true,
            Self::OfSteps(steps) => !steps.needing(one).is_disjoint(&steps.needing(other)),
        }
    }
}

impl<'g> OfSteps<'g> {
    /// The steps that can be asked for and then run `instance`.
    fn needing(&self, instance: InstanceIx) -> Rc<Steps<'g>> {
        if let Some(known) = self.known.borrow().get(&instance) {
            return Rc::clone(known);
        }
        let mut seen = HashSet::from([instance]);
        let mut open = vec![instance];
        if self.looked_at.get() > MOST_LOOKED_AT {
            open.clear();
        }
        let mut steps = Steps::new();
        while let Some(at) = open.pop() {
            let of = &self.graph.instances[at];
            let step = &self.workspace.pipelines[&of.pipeline].steps[&of.step];
            // Of an internal step runs only what others need.
            if !step.internal {
                steps.insert((&of.pipeline, &of.step));
            }
            let edges = &self.graph.edges;
            let dependents = edges.neighbors_directed(NodeIndex::new(at), Direction::Outgoing);
            let dependents = dependents.map(NodeIndex::index);
            open.extend(dependents.filter(|dependent| seen.insert(*dependent)));
        }
        self.looked_at.set(self.looked_at.get() + seen.len());
        let steps = Rc::new(steps);
        self.known.borrow_mut().insert(instance, Rc::clone(&steps));
        steps
    }
}
