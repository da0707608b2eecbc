//! From the wanted steps to the graph of all that they need.

use std::collections::{HashMap, HashSet, VecDeque};

use indexmap::IndexSet;
use petgraph::graph::{DiGraph, NodeIndex};

use super::clash::Askers;
use super::made::{self, Makers, owned};
use super::merge::merge;
use super::select::Wanted;
use super::together::Together;
use super::{Edge, EdgeKind, GraphError, InstanceIx, StepGraph, clash, cycle};
use crate::expand::{
    ExpandError, Facts, Instance, Output, Val, instances, listed_cell, literal_files,
};
use crate::model::{Pipeline, Reference, Step, Workspace, display_cell};
use crate::source::{Span, Spanned};
use crate::suggest::{did_you_mean, listing};

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

/// What a graph is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// One run of all that is wanted.
    Run {
        /// Whether the wanted steps get arguments.
        args: bool,
    },
    /// A look at steps that need not run together.
    Survey,
}

/// The graph of `wanted` and all that they need.
pub fn link(workspace: &Workspace, facts: &Facts, wanted: &[Wanted], purpose: Purpose) -> Linked {
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
    linker.check_chosen();
    while let Some(instance) = linker.queue.pop_front() {
        linker.connect(instance);
    }
    linker.finish(purpose)
}

/// Which values of `--matrix` wanted steps have.
#[derive(Default)]
struct Chosen {
    had: HashSet<(String, String)>,
    /// A value, the instances of a step that all lack it, and where the step stands.
    missed: Vec<((String, String), Vec<InstanceIx>, Span)>,
    /// Steps of which nothing is left.
    emptied: Vec<Emptied>,
}

/// A step of which `--matrix` leaves nothing.
struct Emptied {
    all: Vec<InstanceIx>,
    /// All values that are asked for.
    wanted: Vec<(String, String)>,
    /// Whether the values of `--matrix` contradict those that were typed behind the step's name.
    contradicted: bool,
    span: Span,
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
    /// Which target asks for each profile.
    askers: Askers,
    /// Values of `--matrix` that some wanted instance has, and those that a step has not.
    chosen: Chosen,
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
            askers: Askers::new(),
            chosen: Chosen::default(),
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
        if let (Some(profile), Some(asker)) = (&wanted.profile, &wanted.asker) {
            let asker = || (asker.value.clone(), asker.span);
            self.askers.entry(profile.clone()).or_insert_with(asker);
        }
        let all = self.expand(pipeline, step, wanted.profile.as_deref());
        let span = wanted
            .span
            .unwrap_or(self.pipelines[pipeline].steps[step].name.span);
        let Some(cell) = self.wanted_cell(wanted) else {
            return;
        };
        let mut fitting = all.clone();
        fitting.retain(|ix| self.instances[*ix].fits(&cell));
        if fitting.is_empty() && !all.is_empty() {
            self.no_instance(&all, &cell, span);
        }
        for choice in &wanted.chosen {
            let one = std::slice::from_ref(choice);
            if all.iter().any(|ix| self.instances[*ix].fits(one)) {
                self.chosen.had.insert(choice.clone());
            } else if !all.is_empty() {
                let missed = (choice.clone(), all.clone(), span);
                self.chosen.missed.push(missed);
            }
        }
        let fitted = !fitting.is_empty();
        fitting.retain(|ix| chosen(&self.instances[*ix], &wanted.chosen));
        if fitted && fitting.is_empty() {
            self.chosen.emptied.push(Emptied {
                all,
                contradicted: wanted.span.is_none() && !cell.is_empty(),
                wanted: cell.into_iter().chain(wanted.chosen.clone()).collect(),
                span,
            });
        }
        for instance in fitting {
            if !self.reached[instance] {
                self.wanted.push(instance);
            }
            self.reach(instance);
        }
    }

    /// The axis values that are asked for; those in a target's list may hold expressions.
    fn wanted_cell(&mut self, wanted: &Wanted) -> Option<Vec<(String, String)>> {
        let mut cell = wanted.cell.clone();
        let lister = wanted.lister.as_ref();
        let lister = lister.and_then(|name| self.workspace.pipelines.get(name));
        if let (Some(lister), Some(span)) = (lister, wanted.span) {
            let profile = lister.effective_profile(wanted.profile.as_deref());
            let (workspace, facts) = (self.workspace, self.facts);
            let cell = (cell.as_mut_slice(), span);
            if !listed_cell(workspace, lister, profile, facts, cell, &mut self.expand) {
                return None;
            }
        }
        Some(cell)
    }

    /// A value of `--matrix` is wrong only where no wanted step has it, and values that leave
    /// nothing of a step only where they contradict what was typed, or leave nothing at all.
    fn check_chosen(&mut self) {
        let Chosen {
            had,
            mut missed,
            emptied,
        } = std::mem::take(&mut self.chosen);
        missed.retain(|(choice, ..)| !had.contains(choice));
        if missed.is_empty() {
            let nothing = self.wanted.is_empty();
            for step in emptied.iter().filter(|step| nothing || step.contradicted) {
                self.no_instance(&step.all, &step.wanted, step.span);
            }
        }
        for (choice, all, span) in missed {
            self.no_instance(&all, &[choice], span);
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
            let names = names(&reference.value, &self.instances[instance].pipeline);
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
        let found = find(self.workspace, name, &reference.value.name, reference.span);
        found
            .map_err(|error| {
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
            })
            .ok()
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
        let (from, other) = (&self.instances[instance], &self.instances[all[0]]);
        let mut wanted = reference.value.cell.clone();
        let named = wanted.len();
        for axis in from.axes.iter().filter(|axis| other.axes.contains(axis)) {
            if let Some(value) = from.labels.get(axis)
                && !wanted.iter().any(|(key, _)| key == axis)
            {
                wanted.push((axis.clone(), value.clone()));
            }
        }
        let fits = |ix: &&InstanceIx| self.instances[**ix].fits(&reference.value.cell);
        let help = match (wanted.get(named), all.iter().find(fits)) {
            (Some((axis, _)), Some(one)) => format!(
                "both steps have the axis `{axis}`, and equal values are needed; say which instance is meant, for example `{}`",
                self.instances[*one].plan.name
            ),
            _ => self.instead(all, &wanted),
        };
        self.tell_no_instance(all, &wanted, reference.span, help);
    }

    fn no_instance(&mut self, all: &[InstanceIx], wanted: &[(String, String)], span: Span) {
        let help = self.instead(all, wanted);
        self.tell_no_instance(all, wanted, span, help);
    }

    fn tell_no_instance(
        &mut self,
        all: &[InstanceIx],
        wanted: &[(String, String)],
        span: Span,
        help: String,
    ) {
        let pairs = wanted.iter();
        let pairs = pairs.map(|(axis, value)| (axis.as_str(), value.as_str()));
        let error = GraphError::NoInstance {
            step: self.instances[all[0]].step.clone(),
            wanted: display_cell(pairs),
            span,
            help,
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// What to write instead of values that no instance has: a name like the wrong one, if one of
    /// them is wrong alone, or else all instances.
    fn instead(&self, all: &[InstanceIx], wanted: &[(String, String)]) -> String {
        let first = &self.instances[all[0]];
        for (axis, value) in wanted {
            if !first.cell.contains_key(axis) {
                let step = &first.step;
                return match first.cell.is_empty() {
                    true => format!("`{step}` has no matrix: leave `@{axis}={value}` away"),
                    false => format!(
                        "`{axis}` is no axis of `{step}`: {}",
                        did_you_mean(axis, first.cell.keys().map(String::as_str))
                    ),
                };
            }
            let values = all
                .iter()
                .filter_map(|ix| self.instances[*ix].labels.get(axis));
            let values: IndexSet<&str> = values.map(String::as_str).collect();
            if !values.contains(value.as_str()) {
                let help = did_you_mean(value, values);
                return format!("`{axis}` is never `{value}`: {help}");
            }
        }
        let names = all.iter().map(|ix| self.instances[*ix].plan.name.as_str());
        format!(
            "name the instances that are meant; there are {}",
            listing(&names.collect::<Vec<_>>())
        )
    }

    /// A literal source that another step makes is an edge to that step.
    fn connect_literals(&mut self, instance: InstanceIx) {
        if literal_files(&self.instances[instance]).next().is_none() {
            return;
        }
        for error in cycle::of_one(&self.instances[instance]) {
            if !self
                .errors
                .iter()
                .any(|told| cycle::same_places(told, &error))
            {
                self.errors.push(error);
            }
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

    fn finish(mut self, purpose: Purpose) -> Linked {
        self.check_targets();
        self.check_unreached();
        let owned = owned(self.workspace, self.facts, |pipeline, step, profile| {
            self.outputs(pipeline, step, profile)
        });
        let mut graph = self.pruned(owned);
        tell_apart(&mut graph.instances);
        graph.first = merge(&graph, purpose == Purpose::Run { args: true });
        self.errors.extend(cycle::find(&graph));
        let together = match purpose {
            Purpose::Run { .. } => Together::All,
            Purpose::Survey => Together::for_steps(&graph, self.workspace),
        };
        self.errors
            .extend(clash::find(&graph, &self.askers, together));
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
            first: Vec::new(),
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
                let name = reference.value.pipeline.as_ref();
                let name = name.unwrap_or(&pipeline.name.value);
                let listed = match reference.value.name.as_str() {
                    "" => "default",
                    listed => listed,
                };
                match find(self.workspace, name, listed, reference.span) {
                    Ok(_) | Err(GraphError::Target { .. }) => {}
                    Err(error) => self.errors.push(self.in_target(error, name)),
                }
            }
        }
    }

    /// A target may list targets too.
    fn in_target(&self, error: GraphError, pipeline: &str) -> GraphError {
        let of = self.workspace.pipelines.get(pipeline);
        match (error, of) {
            (GraphError::Unknown { name, span, .. }, Some(of)) => GraphError::Unknown {
                what: "step or target",
                help: did_you_mean(
                    &name,
                    of.steps.keys().chain(of.targets.keys()).map(String::as_str),
                ),
                name,
                span,
            },
            (error, _) => error,
        }
    }

    /// References of steps that nobody asked for: a typo is a mistake in any of them.
    fn check_unreached(&mut self) {
        for pipeline in &self.pipelines {
            let steps = pipeline.steps.values();
            for reference in steps.flat_map(|step| step.needs.iter().chain(&step.after)) {
                let name = reference.value.pipeline.as_ref();
                let name = name.unwrap_or(&pipeline.name.value);
                if let Err(error) =
                    find(self.workspace, name, &reference.value.name, reference.span)
                    && !self.errors.contains(&error)
                {
                    self.errors.push(error);
                }
            }
        }
    }
}

/// The step `name` of `pipeline`, or that there is none.
fn find(
    workspace: &Workspace,
    pipeline: &str,
    name: &str,
    span: Span,
) -> Result<(usize, usize), GraphError> {
    let unknown = |what, name: &str, help| GraphError::Unknown {
        what,
        name: name.to_owned(),
        span,
        help,
    };
    let Some((pipeline_ix, _, of)) = workspace.pipelines.get_full(pipeline) else {
        let help = did_you_mean(pipeline, workspace.pipelines.keys().map(String::as_str));
        return Err(unknown("pipeline", pipeline, help));
    };
    if let Some(step) = of.steps.get_index_of(name) {
        return Ok((pipeline_ix, step));
    }
    let steps = of.steps.keys().map(String::as_str);
    if name.is_empty() || of.targets.contains_key(name) {
        let default = if name.is_empty() { "default" } else { name };
        let steps: Vec<&str> = match of.targets.get(default) {
            Some(target) => target
                .steps
                .iter()
                .map(|step| step.value.name.as_str())
                .collect(),
            None => steps.collect(),
        };
        return Err(GraphError::Target {
            name: match name {
                "" => format!("{pipeline}:"),
                name => name.to_owned(),
            },
            span,
            help: match steps.as_slice() {
                [] => format!("name a step of `{pipeline}`"),
                steps => format!("name the steps that are needed: {}", listing(steps)),
            },
        });
    }
    Err(unknown("step", name, did_you_mean(name, steps)))
}

/// Steps that stand in the graph under two profiles get names that say which is which.
fn tell_apart(instances: &mut [Instance]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let profiled = instances.iter().any(|one| one.plan.profile.is_some());
    for instance in instances.iter().filter(|_| profiled) {
        *counts.entry(instance.plan.name.clone()).or_default() += 1;
    }
    for instance in instances {
        if counts
            .get(&instance.plan.name)
            .is_some_and(|count| *count > 1)
        {
            instance.plan.tell_apart();
        }
    }
}

/// The names by which expressions know a need of a step of the pipeline `own`.
fn names(reference: &Reference, own: &str) -> Vec<String> {
    let pipeline = reference.pipeline.as_deref().unwrap_or(own);
    vec![
        format!("{pipeline}:{}", reference.name),
        reference.name.clone(),
    ]
}

/// Whether the instance has one of the values that are chosen of each axis.
fn chosen(instance: &Instance, choices: &[(String, String)]) -> bool {
    choices.iter().all(|(axis, _)| {
        let mut of_axis = choices.iter().filter(|(other, _)| other == axis);
        of_axis.any(|choice| instance.fits(std::slice::from_ref(choice)))
    })
}

fn same(one: &Instance, other: &Instance, axis: &str) -> bool {
    match (one.cell.get(axis), other.cell.get(axis)) {
        // A file is the same file from wherever it is named.
        (Some(Val::Path(a)), Some(Val::Path(b))) => a == b,
        (Some(_), Some(_)) => one.labels.get(axis) == other.labels.get(axis),
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
