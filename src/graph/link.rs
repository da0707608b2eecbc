//! From the wanted steps to the graph of all that they need.

use std::collections::{HashMap, HashSet, VecDeque};

use miette::LabeledSpan;
use petgraph::graph::{DiGraph, NodeIndex};

use super::made::{self, Makers, owned};
use super::select::Wanted;
use super::{Edge, EdgeKind, GraphError, InstanceIx, StepGraph, cycle};
use crate::expand::{ExpandError, Facts, Instance, instances, literal_files};
use crate::expand::{Output, OutputKind};
use crate::model::{Pipeline, Reference, Step, Workspace, display_cell};
use crate::source::{Span, Spanned};
use crate::suggest::did_you_mean;

/// A graph and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Linked {
    /// The graph, without what could not be linked.
    pub graph: StepGraph,
    /// Errors and warnings of expansion.
    pub expand: Vec<ExpandError>,
    /// Errors of linking.
    pub errors: Vec<GraphError>,
}

/// The graph of `wanted` and all that they need.
pub fn link(workspace: &Workspace, facts: &Facts, wanted: &[Wanted]) -> Linked {
    let mut steps = workspace
        .pipelines
        .values()
        .flat_map(|pipeline| pipeline.steps.values());
    let has_files = |pipeline: &Pipeline| !pipeline.env_files.is_empty();
    let wants_made = |step: &Step| made::has_glob_axis(step) || !step.env_files.is_empty();
    if steps.any(wants_made) || workspace.pipelines.values().any(has_files) {
        facts
            .made
            .get_or_init(|| made::before_axes(workspace, facts));
    }
    let mut linker = Linker::new(workspace, facts);
    for wanted in wanted {
        linker.want(wanted);
    }
    while let Some(instance) = linker.queue.pop_front() {
        linker.connect(instance);
    }
    linker.finish()
}

/// A step under a requested profile.
type Key = (usize, usize, Option<String>);

struct Linker<'a> {
    workspace: &'a Workspace,
    facts: &'a Facts,
    pipelines: Vec<&'a Pipeline>,
    /// Which pipelines each one's references lead to, itself included.
    reach: Vec<HashSet<usize>>,
    expanded: HashMap<Key, Vec<InstanceIx>>,
    /// The profile that was asked for, for each instance: it travels along edges.
    requested: Vec<Option<String>>,
    /// Whether something wants the instance; the others of its step are not part of the graph.
    reached: Vec<bool>,
    makers: HashMap<Option<String>, Makers>,
    queue: VecDeque<InstanceIx>,
    instances: Vec<Instance>,
    wanted: Vec<InstanceIx>,
    edges: DiGraph<(), Edge>,
    expand: Vec<ExpandError>,
    errors: Vec<GraphError>,
}

impl<'a> Linker<'a> {
    fn new(workspace: &'a Workspace, facts: &'a Facts) -> Self {
        Self {
            workspace,
            facts,
            pipelines: workspace.pipelines.values().collect(),
            reach: reach(workspace),
            expanded: HashMap::new(),
            requested: Vec::new(),
            reached: Vec::new(),
            makers: HashMap::new(),
            queue: VecDeque::new(),
            instances: Vec::new(),
            wanted: Vec::new(),
            edges: DiGraph::new(),
            expand: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn want(&mut self, wanted: &Wanted) {
        let Some(pipeline) = self.workspace.pipelines.get_index_of(&wanted.pipeline) else {
            return;
        };
        let Some(step) = self.pipelines[pipeline].steps.get_index_of(&wanted.step) else {
            return;
        };
        let all = self.expand(pipeline, step, wanted.profile.as_deref());
        let fitting: Vec<InstanceIx> = all
            .iter()
            .copied()
            .filter(|ix| self.instances[*ix].fits(&wanted.cell))
            .collect();
        if fitting.is_empty() && !all.is_empty() {
            let span = wanted
                .span
                .unwrap_or(self.pipelines[pipeline].steps[step].name.span);
            self.no_instance(&all, &wanted.cell, span);
        }
        for instance in fitting {
            if !self.reached[instance] {
                self.wanted.push(instance);
            }
            self.reach(instance);
        }
    }

    /// The instances of a step where `requested` is asked for; made once.
    fn expand(&mut self, pipeline: usize, step: usize, requested: Option<&str>) -> Vec<InstanceIx> {
        let requested = requested.filter(|profile| {
            self.reach[pipeline]
                .iter()
                .any(|reached| self.pipelines[*reached].profiles.contains_key(*profile))
        });
        let key = (pipeline, step, requested.map(str::to_owned));
        if let Some(known) = self.expanded.get(&key) {
            return known.clone();
        }
        let of = self.pipelines[pipeline];
        let profile = of.effective_profile(requested);
        let made = instances(
            self.workspace,
            of,
            &of.steps[step],
            profile,
            self.facts,
            &mut self.expand,
        );
        let first = self.instances.len();
        for instance in made {
            self.edges.add_node(());
            self.reached.push(false);
            self.requested.push(requested.map(str::to_owned));
            self.instances.push(instance);
        }
        let indices: Vec<InstanceIx> = (first..self.instances.len()).collect();
        self.expanded.insert(key, indices.clone());
        indices
    }

    /// Adds the edges of one instance.
    fn connect(&mut self, instance: InstanceIx) {
        let needs = std::mem::take(&mut self.instances[instance].needs);
        let after = std::mem::take(&mut self.instances[instance].after);
        for reference in &needs {
            let names = names(&reference.value);
            self.refer(instance, reference, &EdgeKind::Needs(names));
        }
        for reference in &after {
            self.refer(instance, reference, &EdgeKind::After);
        }
        self.instances[instance].needs = needs;
        self.instances[instance].after = after;
        self.connect_literals(instance);
    }

    fn refer(&mut self, instance: InstanceIx, reference: &Spanned<Reference>, kind: &EdgeKind) {
        let Some((pipeline, step)) = self.resolve(instance, reference) else {
            return;
        };
        let requested = self.requested[instance].clone();
        let all = self.expand(pipeline, step, requested.as_deref());
        let partners = self.partners(instance, &all, reference);
        if partners.is_empty() && !all.is_empty() {
            self.no_partner(instance, &all, reference);
        }
        for partner in partners {
            self.edge(
                partner,
                instance,
                Edge {
                    kind: kind.clone(),
                    span: reference.span,
                },
            );
        }
    }

    /// Something wants this instance, so its edges are wanted too.
    fn reach(&mut self, instance: InstanceIx) {
        if !std::mem::replace(&mut self.reached[instance], true) {
            self.queue.push_back(instance);
        }
    }

    fn edge(&mut self, from: InstanceIx, to: InstanceIx, edge: Edge) {
        self.reach(from);
        self.edges
            .add_edge(NodeIndex::new(from), NodeIndex::new(to), edge);
    }

    /// Which step a reference in a pipeline file means.
    fn resolve(
        &mut self,
        instance: InstanceIx,
        reference: &Spanned<Reference>,
    ) -> Option<(usize, usize)> {
        let own = &self.instances[instance].pipeline;
        let name = reference.value.pipeline.as_ref().unwrap_or(own);
        match find(self.workspace, name, &reference.value.name) {
            Ok(found) => Some(found),
            Err(make) => {
                let error = make(reference.span);
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
                None
            }
        }
    }

    /// Those of `all` that the instance needs: all that fit the reference and have equal values
    /// on the axes that both share (axes that the reference names are settled by it).
    fn partners(
        &self,
        instance: InstanceIx,
        all: &[InstanceIx],
        reference: &Spanned<Reference>,
    ) -> Vec<InstanceIx> {
        let from = &self.instances[instance];
        let wanted = &reference.value.cell;
        let shared = |other: &Instance| -> Vec<String> {
            let named = |axis: &String| wanted.iter().any(|(key, _)| key == axis);
            from.axes
                .iter()
                .filter(|axis| other.axes.contains(axis) && !named(axis))
                .cloned()
                .collect()
        };
        all.iter()
            .copied()
            .filter(|ix| {
                let other = &self.instances[*ix];
                other.fits(wanted) && shared(other).iter().all(|axis| same(from, other, axis))
            })
            .collect()
    }

    fn no_partner(
        &mut self,
        instance: InstanceIx,
        all: &[InstanceIx],
        reference: &Spanned<Reference>,
    ) {
        let from = &self.instances[instance];
        let other = &self.instances[all[0]];
        let mut wanted = reference.value.cell.clone();
        for axis in from.axes.iter().filter(|axis| other.axes.contains(axis)) {
            if !wanted.iter().any(|(key, _)| key == axis) {
                wanted.push((axis.clone(), from.cell[axis].label()));
            }
        }
        self.no_instance(all, &wanted, reference.span);
    }

    fn no_instance(&mut self, all: &[InstanceIx], wanted: &[(String, String)], span: Span) {
        let names: Vec<&str> = all
            .iter()
            .map(|ix| self.instances[*ix].plan.name.as_str())
            .collect();
        let error = GraphError::NoInstance {
            step: self.instances[all[0]].step.clone(),
            wanted: display_cell(
                wanted
                    .iter()
                    .map(|(axis, value)| (axis.as_str(), value.as_str())),
            ),
            span,
            help: format!(
                "name the instances that are meant; there are {}",
                crate::suggest::listing(&names)
            ),
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// A literal source that another step makes is an edge to that step.
    fn connect_literals(&mut self, instance: InstanceIx) {
        if literal_files(&self.instances[instance]).next().is_none() {
            return;
        }
        let requested = self.requested[instance].clone();
        let (workspace, facts) = (self.workspace, self.facts);
        let makers = self
            .makers
            .entry(requested.clone())
            .or_insert_with(|| Makers::under(workspace, facts, requested.as_deref()));
        let made: Vec<_> = literal_files(&self.instances[instance])
            .filter_map(|(index, path, span)| {
                Some((index, path.clone(), span, makers.of(path)?.clone()))
            })
            .collect();
        for (index, path, span, maker) in made {
            let all = self.expand(maker.pipeline, maker.step, requested.as_deref());
            let by = all
                .into_iter()
                .find(|ix| self.instances[*ix].cell == maker.declared.cell);
            if let Some(by) = by.filter(|by| *by != instance) {
                self.edge(
                    by,
                    instance,
                    Edge {
                        kind: EdgeKind::Makes(index, path),
                        span,
                    },
                );
            }
        }
    }

    fn finish(mut self) -> Linked {
        self.check_targets();
        self.check_unreached();
        let owned = owned(self.workspace, self.facts, |pipeline, step, profile| {
            self.outputs(pipeline, step, profile)
        });
        let graph = self.pruned(owned);
        self.errors.extend(cycle::find(&graph));
        self.errors.extend(clashes(&graph));
        Linked {
            graph,
            expand: self.expand,
            errors: self.errors,
        }
    }

    /// The graph of what something wants: of the other instances of a step nothing is left.
    fn pruned(&mut self, owned: Vec<Output>) -> StepGraph {
        let mut places = vec![0; self.instances.len()];
        let mut instances = Vec::with_capacity(self.instances.len());
        for (ix, instance) in std::mem::take(&mut self.instances).into_iter().enumerate() {
            if self.reached[ix] {
                places[ix] = instances.len();
                instances.push(instance);
            }
        }
        // The library keeps the order of the nodes that stay.
        let kept = |node: NodeIndex, (): &()| self.reached[node.index()].then_some(());
        let edges = std::mem::take(&mut self.edges).filter_map(kept, |_, edge| Some(edge.clone()));
        let wanted = self.wanted.iter().map(|ix| places[*ix]).collect();
        StepGraph {
            instances,
            wanted,
            owned,
            edges,
        }
    }

    /// The outputs of a step that was expanded under this profile.
    fn outputs(&self, pipeline: usize, step: usize, profile: Option<&str>) -> Option<Vec<&Output>> {
        let key = (pipeline, step, profile.map(str::to_owned));
        let instances = self
            .expanded
            .get(&key)?
            .iter()
            .map(|ix| &self.instances[*ix]);
        Some(
            instances
                .flat_map(|instance| &instance.plan.outputs)
                .collect(),
        )
    }

    /// References in targets, also of those that nobody asked for.
    fn check_targets(&mut self) {
        for pipeline in &self.pipelines {
            for reference in pipeline.targets.values().flat_map(|target| &target.steps) {
                let name = reference
                    .value
                    .pipeline
                    .as_ref()
                    .unwrap_or(&pipeline.name.value);
                let target = if reference.value.name.is_empty() {
                    "default"
                } else {
                    &reference.value.name
                };
                let known = |of: &Pipeline| of.targets.contains_key(target);
                if self.workspace.pipelines.get(name).is_some_and(known) {
                    continue;
                }
                if let Err(make) = find(self.workspace, name, target) {
                    self.errors.push(make(reference.span));
                }
            }
        }
    }

    /// References of steps that nobody asked for: a typo is a mistake in any of them.
    fn check_unreached(&mut self) {
        for pipeline in &self.pipelines {
            for reference in pipeline
                .steps
                .values()
                .flat_map(|step| step.needs.iter().chain(&step.after))
            {
                let name = reference
                    .value
                    .pipeline
                    .as_ref()
                    .unwrap_or(&pipeline.name.value);
                if let Err(make) = find(self.workspace, name, &reference.value.name) {
                    let error = make(reference.span);
                    if !self.errors.contains(&error) {
                        self.errors.push(error);
                    }
                }
            }
        }
    }
}

/// The step `name` of `pipeline`, or how to say that there is none.
fn find(
    workspace: &Workspace,
    pipeline: &str,
    name: &str,
) -> Result<(usize, usize), impl FnOnce(Span) -> GraphError + use<>> {
    let (what, missing, help) = match workspace.pipelines.get_full(pipeline) {
        None => (
            "pipeline",
            pipeline,
            did_you_mean(pipeline, workspace.pipelines.keys().map(String::as_str)),
        ),
        Some((pipeline_ix, _, of)) => match of.steps.get_index_of(name) {
            Some(step) => return Ok((pipeline_ix, step)),
            None if of.targets.contains_key(name) => ("target", name, String::new()),
            None => (
                "step",
                name,
                did_you_mean(name, of.steps.keys().map(String::as_str)),
            ),
        },
    };
    let name = missing.to_owned();
    Err(move |span| match what {
        "target" => GraphError::Target { name, span },
        what => GraphError::Unknown {
            what,
            name,
            span,
            help,
        },
    })
}

/// The names by which expressions know a need.
fn names(reference: &Reference) -> Vec<String> {
    match &reference.pipeline {
        None => vec![reference.name.clone()],
        Some(pipeline) => vec![
            format!("{pipeline}:{}", reference.name),
            reference.name.clone(),
        ],
    }
}

fn same(one: &Instance, other: &Instance, axis: &str) -> bool {
    match (one.cell.get(axis), other.cell.get(axis)) {
        (Some(a), Some(b)) => a.label() == b.label(),
        _ => true,
    }
}

/// Which pipelines the references of each lead to.
fn reach(workspace: &Workspace) -> Vec<HashSet<usize>> {
    let direct: Vec<HashSet<usize>> = workspace
        .pipelines
        .values()
        .map(|pipeline| {
            let references = pipeline
                .steps
                .values()
                .flat_map(|step| step.needs.iter().chain(&step.after));
            references
                .filter_map(|reference| {
                    workspace
                        .pipelines
                        .get_index_of(reference.value.pipeline.as_ref()?)
                })
                .collect()
        })
        .collect();
    (0..direct.len())
        .map(|start| {
            let mut reached = HashSet::from([start]);
            let mut open = vec![start];
            while let Some(next) = open.pop() {
                open.extend(
                    direct[next]
                        .iter()
                        .copied()
                        .filter(|other| reached.insert(*other)),
                );
            }
            reached
        })
        .collect()
}

/// Paths that two instances of one run make.
fn clashes(graph: &StepGraph) -> Vec<GraphError> {
    let mut paths: Vec<(&crate::path::RelPath, bool, InstanceIx, Span)> = Vec::new();
    for (ix, instance) in graph.instances.iter().enumerate() {
        for (output, span) in instance.plan.outputs.iter().zip(&instance.output_spans) {
            match &output.kind {
                _ if output.negated => {}
                OutputKind::File(path) => paths.push((path, false, ix, *span)),
                OutputKind::Folder(path) => paths.push((path, true, ix, *span)),
                OutputKind::Glob(_) => {}
            }
        }
    }
    // Part by part: what lies in a folder then follows it.
    paths.sort_by(|a, b| a.0.parts().cmp(b.0.parts()));
    let mut errors = Vec::new();
    let mut around: Vec<(&crate::path::RelPath, bool, InstanceIx, Span)> = Vec::new();
    for this in paths {
        while around.last().is_some_and(|(path, ..)| !this.0.is_in(path)) {
            around.pop();
        }
        let clash = around
            .iter()
            .find(|(path, folder, ix, _)| *ix != this.2 && (*folder || *path == this.0));
        if let Some(other) = clash {
            errors.push(clash_error(
                graph,
                this.0,
                (other.2, other.3),
                (this.2, this.3),
            ));
        }
        around.push(this);
    }
    errors
}

fn clash_error(
    graph: &StepGraph,
    path: &crate::path::RelPath,
    first: (InstanceIx, Span),
    second: (InstanceIx, Span),
) -> GraphError {
    let name = |ix: InstanceIx| graph.instances[ix].plan.identity();
    let mut places = vec![LabeledSpan::new_with_span(
        Some("made here".to_owned()),
        first.1,
    )];
    let help = if first.1 == second.1 {
        "let the path name what tells the instances apart, for example `${{ matrix.os }}`"
    } else {
        places.push(LabeledSpan::new_with_span(
            Some("and here".to_owned()),
            second.1,
        ));
        "each path has one maker: give one of the steps another path"
    };
    GraphError::OutputClash {
        path: path.to_string(),
        first: name(first.0),
        second: name(second.0),
        places,
        help: help.to_owned(),
    }
}
