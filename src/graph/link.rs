//! From the wanted steps to the graph of all that they need.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexSet;
use petgraph::graph::{DiGraph, NodeIndex};

use super::clash::Askers;
use super::made::{self, Makers, owned};
use super::merge::merge;
use super::partners::{Expanded, Sought, named, shared_cell};
use super::select::Wanted;
use super::together::Together;
use super::{Edge, EdgeKind, GraphError, InstanceIx, StepGraph, clash, cycle, groups};
use crate::expand::{
    ExpandError, Facts, Instance, Output, Owned, instances, listed_cell, literal_files,
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
    /// The instances that each of the wanted steps stands for, in their order.
    pub meant: Vec<Vec<InstanceIx>>,
    /// All instances that are in a clash.
    suspects: HashSet<InstanceIx>,
    askers: Askers,
}

impl Linked {
    /// Whether two instances make one path.
    pub fn has_clashes(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The clashes among these instances alone, which are in order.
    pub fn clashes(&self, among: impl Iterator<Item = InstanceIx>) -> Vec<GraphError> {
        let among: Vec<InstanceIx> = among.filter(|ix| self.suspects.contains(ix)).collect();
        clash::find(&self.graph, &self.askers, Together::All, &among).errors
    }
}

/// All edges of a graph: petgraph's numbers and ours stay small, and so does the memory.
const MAX_EDGES: usize = 2_000_000;
/// Suggestions are looked for among all names, so only for so many mistakes.
const MOST_SUGGESTIONS: usize = 100;

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
    linked(workspace, facts, wanted).finish(purpose, purpose != Purpose::Survey)
}

/// The same for one run that is only looked at: without what all other steps make.
pub fn examine(workspace: &Workspace, facts: &Facts, wanted: &[Wanted]) -> Linked {
    linked(workspace, facts, wanted).finish(Purpose::Run { args: false }, false)
}

fn linked<'a>(workspace: &'a Workspace, facts: &'a Facts, wanted: &[Wanted]) -> Linker<'a> {
    facts.spent.reset();
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
    linker
}

/// Which values of `--matrix` wanted steps have.
#[derive(Default)]
struct Chosen {
    had: HashSet<(String, String)>,
    /// A value, the instances of a step that all lack it, and where the step stands.
    missed: Vec<((String, String), Arc<Expanded>, Span)>,
    /// Steps of which nothing is left.
    emptied: Vec<Emptied>,
}

/// A step of which `--matrix` leaves nothing.
struct Emptied {
    all: Arc<Expanded>,
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
    expanded: HashMap<Key, Arc<Expanded>>,
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
    meant: Vec<Vec<InstanceIx>>,
    edges: DiGraph<(), Edge>,
    /// Edges were more than there may be: that was told, and no more are made.
    too_many: bool,
    expand: Vec<ExpandError>,
    errors: Vec<GraphError>,
    /// The errors that may come up again.
    told: HashSet<(Span, String)>,
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
            meant: Vec::new(),
            edges: DiGraph::new(),
            too_many: false,
            expand: Vec::new(),
            errors: Vec::new(),
            told: HashSet::new(),
        }
    }

    fn want(&mut self, wanted: &Wanted) {
        let fitting = self.fitting(wanted).unwrap_or_default();
        for instance in &fitting {
            if !self.reached[*instance] {
                self.wanted.push(*instance);
            }
            self.reach(*instance);
        }
        self.meant.push(fitting);
    }

    /// The instances that are meant.
    fn fitting(&mut self, wanted: &Wanted) -> Option<Vec<InstanceIx>> {
        let pipeline = self.workspace.pipelines.get_index_of(&wanted.pipeline)?;
        let step = self.pipelines[pipeline].steps.get_index_of(&wanted.step)?;
        if let (Some(profile), Some(asker)) = (&wanted.profile, &wanted.asker) {
            let asker = || (asker.value.clone(), asker.span);
            self.askers.entry(profile.clone()).or_insert_with(asker);
        }
        let all = self.expand(pipeline, step, wanted.profile.as_deref());
        let span = wanted
            .span
            .unwrap_or(self.pipelines[pipeline].steps[step].name.span);
        let cell = self.wanted_cell(wanted)?;
        let mut fitting = all.fitting(&named(&cell), &self.instances);
        if fitting.is_empty() && !all.is_empty() {
            self.no_instance(&all, &cell, span);
        }
        for choice in &wanted.chosen {
            let one = std::slice::from_ref(choice);
            if !all.fitting(&named(one), &self.instances).is_empty() {
                self.chosen.had.insert(choice.clone());
            } else if !all.is_empty() {
                let missed = (choice.clone(), Arc::clone(&all), span);
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
        Some(fitting)
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
    fn expand(&mut self, pipeline: usize, step: usize, requested: Option<&str>) -> Arc<Expanded> {
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
        let told = self.expand.len();
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
        let is_whole = self.expand[told..].iter().all(ExpandError::is_warning);
        let all = Arc::new(Expanded::new(first..self.instances.len(), is_whole));
        self.expanded.insert(key, Arc::clone(&all));
        all
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
        if self.edges.edge_count() + partners.len() > MAX_EDGES {
            self.too_many_edges(instance, reference.span, partners.len());
            return;
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

    fn too_many_edges(&mut self, instance: InstanceIx, span: Span, partners: usize) {
        if !std::mem::replace(&mut self.too_many, true) {
            self.errors.push(GraphError::TooMany {
                step: self.instances[instance].plan.name.clone(),
                partners,
                most: MAX_EDGES,
                span,
            });
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
        let own = self
            .workspace
            .pipelines
            .get(&self.instances[instance].pipeline)?;
        self.find_from(own, reference)
    }

    /// The step that a reference in a file of the pipeline `own` means; an error is told.
    fn find_from(&mut self, own: &Pipeline, wanted: &Spanned<Reference>) -> Option<(usize, usize)> {
        let name = wanted.value.pipeline.as_ref();
        let name = name.unwrap_or(&own.name.value);
        let mut found = self.find(name, &wanted.value.name, wanted.span);
        if let Err(GraphError::Unknown { help, .. }) = &mut found {
            own.name_extender(wanted.span, help);
        }
        found.map_err(|error| self.tell(wanted.span, error)).ok()
    }

    fn find(&self, pipeline: &str, name: &str, span: Span) -> Result<(usize, usize), GraphError> {
        let suggests = self.errors.len() < MOST_SUGGESTIONS;
        find(self.workspace, pipeline, name, span, suggests)
    }

    /// Adds an error, once.
    fn tell(&mut self, span: Span, error: GraphError) {
        if self.told.insert((span, error.to_string())) {
            self.errors.push(error);
        }
    }

    /// Those of `all` that the instance needs: all that fit the reference and have equal values
    /// on the axes that both share (axes that the reference names are settled by it).
    fn partners(
        &self,
        instance: InstanceIx,
        all: &Expanded,
        reference: &Spanned<Reference>,
    ) -> Vec<InstanceIx> {
        let Some(other) = all.first() else {
            return Vec::new();
        };
        let (from, other) = (&self.instances[instance], &self.instances[other]);
        let sought = shared_cell(from, other, reference);
        all.fitting(&sought, &self.instances)
    }

    fn no_partner(&mut self, instance: InstanceIx, all: &Expanded, reference: &Spanned<Reference>) {
        let Some(other) = all.first() else { return };
        let (from, other) = (&self.instances[instance], &self.instances[other]);
        let wanted = shared_cell(from, other, reference);
        let wanted: Vec<(String, String)> = wanted
            .into_iter()
            .map(|sought| (sought.axis, sought.label))
            .collect();
        let fitting = all.fitting(&named(&reference.value.cell), &self.instances);
        let help = match (wanted.get(reference.value.cell.len()), fitting.first()) {
            (Some((axis, _)), Some(one)) => format!(
                "both steps have the axis `{axis}`, and equal values are needed; say which instance is meant, for example `{}`",
                self.instances[*one].plan.name
            ),
            _ => self.instead(all, &wanted),
        };
        self.tell_no_instance(all, &wanted, reference.span, help);
    }

    fn no_instance(&mut self, all: &Expanded, wanted: &[(String, String)], span: Span) {
        let help = self.instead(all, wanted);
        self.tell_no_instance(all, wanted, span, help);
    }

    fn tell_no_instance(
        &mut self,
        all: &Expanded,
        wanted: &[(String, String)],
        span: Span,
        help: String,
    ) {
        // The one that is meant may be among those left out.
        if !all.is_whole() {
            return;
        }
        let pairs = wanted.iter();
        let pairs = pairs.map(|(axis, value)| (axis.as_str(), value.as_str()));
        let error = GraphError::NoInstance {
            step: self.instances[all.range().start].step.clone(),
            wanted: display_cell(pairs),
            span,
            help,
        };
        self.tell(span, error);
    }

    /// What to write instead of values that no instance has: a name like the wrong one, if one of
    /// them is wrong alone, or else all instances.
    fn instead(&self, all: &Expanded, wanted: &[(String, String)]) -> String {
        let all = &self.instances[all.range()];
        let [first, ..] = all else {
            return String::new();
        };
        if self.errors.len() >= MOST_SUGGESTIONS {
            return String::new();
        }
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
            let values = all.iter().filter_map(|instance| instance.labels.get(axis));
            let values: IndexSet<&str> = values.map(String::as_str).collect();
            if !values.contains(value.as_str()) {
                let help = did_you_mean(value, values);
                return format!("`{axis}` is never `{value}`: {help}");
            }
        }
        let names = all.iter().map(|instance| instance.plan.name.as_str());
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
        for (error, span) in cycle::of_one(&self.instances[instance]) {
            // All instances of a step are told as one.
            if self.told.insert((span, String::new())) {
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
            let cell = &maker.declared.cell;
            let sought = cell.iter().map(|(axis, value)| Sought::value(axis, value));
            let by = all
                .fitting(&sought.collect::<Vec<_>>(), &self.instances)
                .into_iter()
                .find(|ix| self.instances[*ix].cell == *cell);
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

    fn finish(mut self, purpose: Purpose, to_run: bool) -> Linked {
        self.check_targets();
        self.check_unreached();
        let known = |pipeline, step, profile: Option<&str>| self.outputs(pipeline, step, profile);
        let owned = match to_run {
            true => owned(self.workspace, self.facts, known),
            false => Vec::new(),
        };
        let mut graph = self.pruned(owned);
        tell_apart(&mut graph.instances);
        graph.first = merge(&graph, purpose == Purpose::Run { args: true });
        self.errors.extend(cycle::find(&graph));
        self.errors.extend(groups::check(&graph, MAX_EDGES));
        let all: Vec<InstanceIx> = (0..graph.instances.len()).collect();
        let find = |together| clash::find(&graph, &self.askers, together, &all);
        let mut clashes = find(Together::All);
        if purpose == Purpose::Survey && !clashes.suspects.is_empty() {
            clashes.errors = find(Together::for_steps(&graph, self.workspace)).errors;
        }
        self.errors.extend(clashes.errors);
        Linked {
            graph,
            expand: self.expand,
            errors: self.errors,
            meant: self.meant,
            suspects: clashes.suspects,
            askers: self.askers,
        }
    }

    /// The graph of what something wants: of the other instances of a step nothing is left.
    fn pruned(&mut self, owned: Vec<Owned>) -> StepGraph {
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
        for ix in self.meant.iter_mut().flatten() {
            *ix = places[*ix];
        }
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
        let instances = &self.instances[self.expanded.get(&key)?.range()];
        Some(
            instances
                .iter()
                .flat_map(|instance| &instance.plan.outputs)
                .collect(),
        )
    }

    /// References in targets, also of those that nobody asked for.
    fn check_targets(&mut self) {
        for pipeline in self.pipelines.clone() {
            let lists = pipeline.targets.iter();
            for (target, reference) in
                lists.flat_map(|(name, target)| target.steps.iter().map(move |step| (name, step)))
            {
                let name = reference.value.pipeline.as_ref();
                let name = name.unwrap_or(&pipeline.name.value);
                let listed = match reference.value.name.as_str() {
                    "" => "default",
                    listed => listed,
                };
                match self.find(name, listed, reference.span) {
                    Ok(_) | Err(GraphError::Target { .. }) => {}
                    Err(error) => {
                        let own = Some(target).filter(|_| *name == pipeline.name.value);
                        self.errors.push(self.in_target(error, name, own));
                    }
                }
            }
        }
    }

    /// A target may list targets too, but for itself, `own`.
    fn in_target(&self, error: GraphError, pipeline: &str, own: Option<&String>) -> GraphError {
        let of = self.workspace.pipelines.get(pipeline);
        match (error, of) {
            (error, _) if self.errors.len() >= MOST_SUGGESTIONS => error,
            (GraphError::Unknown { name, span, .. }, Some(of)) => GraphError::Unknown {
                what: "step or target",
                help: {
                    let names = of.steps.keys().chain(of.targets.keys());
                    let others = names.filter(|name| Some(*name) != own);
                    did_you_mean(&name, others.map(String::as_str))
                },
                name,
                span,
            },
            (error, _) => error,
        }
    }

    /// References of steps that nobody asked for: a typo is a mistake in any of them.
    fn check_unreached(&mut self) {
        for pipeline in self.pipelines.clone() {
            let steps = pipeline.steps.values();
            for reference in steps.flat_map(|step| step.needs.iter().chain(&step.after)) {
                self.find_from(pipeline, reference);
            }
        }
    }
}

/// The step `name` of `pipeline`, or that there is none; with what else could be meant if it
/// `suggests`.
fn find(
    workspace: &Workspace,
    pipeline: &str,
    name: &str,
    span: Span,
    suggests: bool,
) -> Result<(usize, usize), GraphError> {
    let unknown = |what, name: &str, help| GraphError::Unknown {
        what,
        name: name.to_owned(),
        span,
        help,
    };
    let suggest = |name: &str, known: &mut dyn Iterator<Item = &str>| match suggests {
        true => did_you_mean(name, known),
        false => String::new(),
    };
    let Some((pipeline_ix, _, of)) = workspace.pipelines.get_full(pipeline) else {
        let mut known = workspace.pipelines.keys().map(String::as_str);
        let help = suggest(pipeline, &mut known);
        return Err(unknown("pipeline", pipeline, help));
    };
    if let Some(step) = of.steps.get_index_of(name) {
        return Ok((pipeline_ix, step));
    }
    let mut steps = of.steps.keys().map(String::as_str);
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
    Err(unknown("step", name, suggest(name, &mut steps)))
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
fn names(reference: &Reference, own: &str) -> Arc<[String]> {
    let pipeline = reference.pipeline.as_deref().unwrap_or(own);
    [
        format!("{pipeline}:{}", reference.name),
        reference.name.clone(),
    ]
    .into()
}

/// Whether the instance has one of the values that are chosen of each axis.
fn chosen(instance: &Instance, choices: &[(String, String)]) -> bool {
    choices.iter().all(|(axis, _)| {
        let mut of_axis = choices.iter().filter(|(other, _)| other == axis);
        of_axis.any(|choice| instance.fits(std::slice::from_ref(choice)))
    })
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
