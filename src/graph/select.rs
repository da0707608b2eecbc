//! References on the command line to steps: scopes, targets, profiles.

use std::collections::HashSet;

use indexmap::IndexMap;
use miette::{Diagnostic, LabeledSpan};
use thiserror::Error;

use super::cycle::joined;
use crate::model::{Pipeline, Reference, Step, Target, Workspace};
use crate::path::RelPath;
use crate::source::{Span, Spanned};
use crate::suggest::{did_you_mean, listing};

/// Axis values that targets hand to one another.
const MOST_AXES: usize = 64;

/// Where bare names are looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The pipeline of this member folder.
    Member(RelPath),
    /// The pipeline of this file.
    File(RelPath),
    /// All pipelines.
    Workspace,
}

impl Scope {
    /// Whether bare names are looked up in `pipeline`.
    pub fn holds(&self, pipeline: &Pipeline) -> bool {
        match self {
            Self::Workspace => true,
            Self::File(file) => pipeline.file == *file,
            Self::Member(folder) => pipeline.member.as_ref() == Some(folder),
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// References as typed; none means the default target.
    pub references: Vec<String>,
    /// Where bare names are looked up.
    pub scope: Scope,
    /// `-p`: beats the targets' own.
    pub profile: Option<String>,
    /// `--matrix AXIS=VALUE`.
    pub matrix: Vec<(String, String)>,
}

/// A step that was asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Wanted {
    /// The pipeline's name.
    pub pipeline: String,
    /// The step's name.
    pub step: String,
    /// The profile that was asked for.
    pub profile: Option<String>,
    /// Which instances.
    pub cell: Vec<(String, String)>,
    /// Which of these, by `--matrix`.
    pub chosen: Vec<(String, String)>,
    /// Where a target lists it.
    pub span: Option<Span>,
    /// The pipeline of that target: its variables count in the axis values.
    pub lister: Option<String>,
    /// The target that asks for the profile, and where it says so.
    pub asker: Option<Spanned<String>>,
}

/// What can be wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum SelectError {
    /// The command line names something that does not exist.
    ///
    /// A target, step, pipeline, profile, axis or variable; the help names what is close.
    #[error("there is no {what} `{name}`")]
    #[diagnostic(code(pipe::select::unknown))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        #[help]
        help: String,
    },
    /// Nothing was named, and there is no `default` target.
    ///
    /// `pipe run` alone runs the target `default` of the pipelines in scope.
    #[error("nothing to run: there is no `default` target here")]
    #[diagnostic(code(pipe::select::no_default))]
    NoDefault {
        /// What there is.
        #[help]
        help: String,
    },
    /// A word on the command line is no reference.
    ///
    /// It is written as in `needs`.
    #[error("{message}")]
    #[diagnostic(code(pipe::select::bad_reference))]
    Bad {
        /// What is wrong.
        message: String,
        /// What is right.
        #[help]
        help: String,
    },
    /// Targets list each other in a circle.
    ///
    /// Each place is shown.
    #[error("targets that list each other: {circle}")]
    #[diagnostic(
        code(pipe::select::target_circle),
        help("take one of them out of the other's list")
    )]
    Circle {
        /// `a → b → a`.
        circle: String,
        /// Where each lists the next.
        #[label(collection, "listed here")]
        places: Vec<LabeledSpan>,
    },
    /// The command line names a step that is internal.
    ///
    /// `internal: true` is for steps that only other steps use.
    #[error("`{name}` is internal: other steps use it, and it cannot be asked for")]
    #[diagnostic(
        code(pipe::select::internal),
        help("run a step that needs it, or take `internal` away from it")
    )]
    Internal {
        /// The step.
        name: String,
    },
}

/// The steps that `request` asks for, without repetition.
///
/// # Errors
///
/// Everything that is wrong with the request.
pub fn select(workspace: &Workspace, request: &Request) -> Result<Vec<Wanted>, Vec<SelectError>> {
    let mut errors = Vec::new();
    let mut references = Vec::new();
    for text in &request.references {
        match Reference::parse(text) {
            Ok(reference) => references.push(reference),
            Err(error) => errors.push(SelectError::Bad {
                message: error.message,
                help: reference_help(workspace, text),
            }),
        }
    }
    let mut selection = Selection::new(workspace, request, errors);
    selection.check_profile(&references);
    if request.references.is_empty() {
        selection.default_target();
    }
    references
        .iter()
        .for_each(|reference| selection.reference(reference));
    selection.finish()
}

/// All steps of the workspace, under the profile and with the values that `request` names.
///
/// # Errors
///
/// An axis that no step has.
pub fn every(workspace: &Workspace, request: &Request) -> Result<Vec<Wanted>, Vec<SelectError>> {
    let mut selection = Selection::new(workspace, request, Vec::new());
    for pipeline in workspace.pipelines.values() {
        for step in pipeline.steps.keys() {
            selection.step(Ask::of(pipeline, step, &[]));
        }
    }
    selection.finish()
}

struct Selection<'a> {
    workspace: &'a Workspace,
    request: &'a Request,
    wanted: IndexMap<Wanted, ()>,
    /// Targets that were taken in, with what was asked of them: lists may name one many times.
    seen: HashSet<(String, Cell, Option<&'a str>)>,
    errors: Vec<SelectError>,
}

/// The part of a reference behind the name.
type Cell = Vec<(String, String)>;

/// A name to take in.
#[derive(Clone)]
struct Ask<'a> {
    pipeline: &'a Pipeline,
    name: &'a str,
    cell: Cell,
    /// What outer targets say, and the one that does.
    profile: Option<(&'a Spanned<String>, String)>,
    /// Where a target lists it.
    span: Option<Span>,
    /// The pipeline of that target.
    lister: Option<String>,
}

impl<'a> Ask<'a> {
    fn of(pipeline: &'a Pipeline, name: &'a str, cell: &[(String, String)]) -> Self {
        Self {
            pipeline,
            name,
            cell: cell.to_vec(),
            profile: None,
            span: None,
            lister: None,
        }
    }

    fn full_name(&self) -> String {
        format!("{}:{}", self.pipeline.name.value, self.name)
    }
}

/// `api:` is `api`'s default target.
fn listed_name(reference: &Reference) -> &str {
    match reference.name.as_str() {
        "" => "default",
        name => name,
    }
}

/// A walk through targets that list targets; lists may be deeper than the stack.
enum Visit<'a> {
    Enter(Ask<'a>),
    Leave,
}

impl<'a> Selection<'a> {
    fn new(workspace: &'a Workspace, request: &'a Request, errors: Vec<SelectError>) -> Self {
        Self {
            workspace,
            request,
            wanted: IndexMap::new(),
            seen: HashSet::new(),
            errors,
        }
    }

    fn finish(mut self) -> Result<Vec<Wanted>, Vec<SelectError>> {
        if self.errors.is_empty() {
            self.check_axes();
        }
        match self.errors.is_empty() {
            true => Ok(self.wanted.into_keys().collect()),
            false => Err(self.errors),
        }
    }

    fn in_scope(&self) -> impl Iterator<Item = &'a Pipeline> {
        self.workspace
            .pipelines
            .values()
            .filter(|pipeline| self.request.scope.holds(pipeline))
    }

    /// `-p X` that no pipeline in scope has, nor one that is named, is a mistake.
    fn check_profile(&mut self, named: &[Reference]) {
        let Some(profile) = &self.request.profile else {
            return;
        };
        let named = named.iter().filter_map(|reference| {
            let name = reference.pipeline.as_ref()?;
            self.workspace.pipelines.get(name)
        });
        let pipelines = self.in_scope().chain(named);
        let known = pipelines.flat_map(|pipeline| pipeline.profiles.keys());
        let known = unique(known.map(String::as_str));
        if !known.contains(&profile.as_str()) {
            let help = match known.as_slice() {
                [] => format!("declare it in a pipeline file: `profiles: {{ {profile}: {{}} }}`"),
                _ => did_you_mean(profile, known),
            };
            self.unknown("profile", profile, help);
        }
    }

    /// `--matrix AXIS=VALUE` where nothing that was asked for has the axis is a mistake.
    fn check_axes(&mut self) {
        let steps = self.wanted.keys();
        let steps =
            steps.map(|wanted| &self.workspace.pipelines[&wanted.pipeline].steps[&wanted.step]);
        let known = unique(steps.flat_map(axes).map(String::as_str));
        for (axis, _) in &self.request.matrix {
            if !known.contains(&axis.as_str()) {
                let help = match known.as_slice() {
                    [] => "no step that was asked for has a matrix".to_owned(),
                    known => did_you_mean(axis, known.iter().copied()),
                };
                self.unknown("axis", axis, help);
            }
        }
    }

    fn unknown(&mut self, what: &'static str, name: &str, help: String) {
        let name = name.to_owned();
        self.errors.push(SelectError::Unknown { what, name, help });
    }

    fn default_target(&mut self) {
        let has_default = |pipeline: &&Pipeline| pipeline.targets.contains_key("default");
        let defaults: Vec<&Pipeline> = self.in_scope().filter(has_default).collect();
        for pipeline in &defaults {
            self.add(Ask::of(pipeline, "default", &[]));
        }
        if defaults.is_empty() {
            let help = match self.names_in_scope().as_slice() {
                [] => "no pipeline file has a target or step yet".to_owned(),
                names => instead_of_default(names),
            };
            self.errors.push(SelectError::NoDefault { help });
        }
    }

    fn reference(&mut self, reference: &'a Reference) {
        match &reference.pipeline {
            Some(name) => self.qualified(name, reference),
            None => self.bare(reference),
        }
    }

    fn qualified(&mut self, pipeline: &str, reference: &'a Reference) {
        let Some(of) = self.workspace.pipelines.get(pipeline) else {
            let known = self.workspace.pipelines.keys().map(String::as_str);
            return self.unknown("pipeline", pipeline, did_you_mean(pipeline, known));
        };
        let ask = Ask::of(of, listed_name(reference), &reference.cell);
        let full = ask.full_name();
        if is_internal(of, ask.name) {
            self.errors.push(SelectError::Internal { name: full });
        } else if is_name(of, ask.name) {
            self.add(ask);
        } else {
            let known: Vec<&str> = names_of(of).collect();
            let help = match (reference.name.as_str(), known.as_slice()) {
                ("", [_, ..]) => instead_of_default(&known),
                _ => did_you_mean(ask.name, known),
            };
            self.unknown("target or step", &full, help);
        }
    }

    fn bare(&mut self, reference: &'a Reference) {
        let name = reference.name.as_str();
        let having: Vec<&Pipeline> = self.in_scope().filter(|of| is_name(of, name)).collect();
        // An internal step of one pipeline does not stand in the way of another's.
        let open: Vec<&Pipeline> = having
            .iter()
            .copied()
            .filter(|of| !is_internal(of, name))
            .collect();
        match (open.as_slice(), having.first()) {
            ([], Some(of)) => {
                let name = Ask::of(of, name, &[]).full_name();
                self.errors.push(SelectError::Internal { name });
            }
            ([], None) => {
                let help = self.help_for(name);
                self.unknown("target or step", name, help);
            }
            (open, _) => open
                .iter()
                .for_each(|of| self.add(Ask::of(of, name, &reference.cell))),
        }
    }

    fn help_for(&self, name: &str) -> String {
        if let Some(pipeline) = self.workspace.pipelines.get(name) {
            return format!(
                "`{name}` is a pipeline: `pipe run {}:` runs its default target",
                pipeline.name.value
            );
        }
        let elsewhere = self
            .workspace
            .pipelines
            .values()
            .find(|pipeline| names_of(pipeline).any(|n| n == name));
        match elsewhere {
            Some(other) => format!(
                "`{}:{name}` is, outside of this folder's scope",
                other.name.value
            ),
            None => did_you_mean(name, self.names_in_scope()),
        }
    }

    fn names_in_scope(&self) -> Vec<&'a str> {
        unique(self.in_scope().flat_map(names_of))
    }

    /// Takes in a target or step, and all that targets list. Unknown names in targets are found,
    /// with their place, when the workspace is linked.
    fn add(&mut self, ask: Ask<'a>) {
        let mut path: Vec<(String, Option<Span>)> = Vec::new();
        let mut on_path = HashSet::new();
        let mut open = vec![Visit::Enter(ask)];
        while let Some(visit) = open.pop() {
            let Visit::Enter(ask) = visit else {
                path.pop().map(|(name, _)| on_path.remove(&name));
                continue;
            };
            let Some(target) = ask.pipeline.targets.get(ask.name) else {
                self.step(ask);
                continue;
            };
            let full = ask.full_name();
            if on_path.contains(&full) {
                let from = path.iter().position(|(name, _)| *name == full);
                let circle = circle(&path[from.unwrap_or_default()..], ask.span);
                self.errors.push(circle);
                continue;
            }
            if ask.cell.len() > MOST_AXES {
                let message = format!("targets hand more than {MOST_AXES} axis values to `{full}`");
                let help = "a matrix has few axes: take some away".to_owned();
                self.errors.push(SelectError::Bad { message, help });
                continue;
            }
            let profile = ask.profile.as_ref().map(|(name, _)| name.value.as_str());
            if !self.seen.insert((full.clone(), ask.cell.clone(), profile)) {
                continue;
            }
            on_path.insert(full.clone());
            path.push((full, ask.span));
            open.push(Visit::Leave);
            let listed = self.listed(&ask, target);
            open.extend(listed.into_iter().rev().map(Visit::Enter));
        }
    }

    /// What a target lists. Its profile wins over that of the target that lists it.
    fn listed(&self, ask: &Ask<'a>, target: &'a Target) -> Vec<Ask<'a>> {
        let own = target.profile.as_ref();
        let profile = own.map(|profile| (profile, ask.full_name()));
        let profile = profile.or_else(|| ask.profile.clone());
        let items = target.steps.iter().filter_map(|item| {
            let pipeline = match &item.value.pipeline {
                Some(name) => self.workspace.pipelines.get(name)?,
                None => ask.pipeline,
            };
            let mut listed = Ask::of(pipeline, listed_name(&item.value), &item.value.cell);
            listed.cell.extend(ask.cell.iter().cloned());
            listed.profile.clone_from(&profile);
            listed.span = Some(item.span);
            listed.lister = Some(ask.pipeline.name.value.clone());
            Some(listed)
        });
        items.collect()
    }

    fn step(&mut self, ask: Ask<'a>) {
        let Some(step) = ask.pipeline.steps.get(ask.name) else {
            return;
        };
        let (profile, asker) = match (&self.request.profile, ask.profile) {
            (Some(given), _) => (Some(given.clone()), None),
            (None, Some((profile, target))) => (
                Some(profile.value.clone()),
                Some(Spanned::new(target, profile.span)),
            ),
            (None, None) => (None, None),
        };
        let chosen = self.request.matrix.iter();
        let chosen = chosen.filter(|(axis, _)| axes(step).any(|known| known == axis));
        let wanted = Wanted {
            pipeline: ask.pipeline.name.value.clone(),
            step: ask.name.to_owned(),
            profile,
            cell: ask.cell,
            chosen: chosen.cloned().collect(),
            span: ask.span,
            lister: ask.lister,
            asker,
        };
        self.wanted.insert(wanted, ());
    }
}

/// The names by which values of the step's matrix are chosen.
fn axes(step: &Step) -> impl Iterator<Item = &String> {
    let matrix = step.matrix.iter();
    matrix.flat_map(|matrix| {
        let included = matrix.include.iter().flat_map(|entry| &entry.values);
        matrix
            .axes
            .keys()
            .chain(included.map(|(name, _)| &name.value))
    })
}

/// Targets that list each other, the first by name first: whoever finds the circle says the same.
/// `closing` is where the last lists the first.
fn circle(path: &[(String, Option<Span>)], closing: Option<Span>) -> SelectError {
    let mut names: Vec<&str> = path.iter().map(|(name, _)| name.as_str()).collect();
    let mut spans: Vec<Option<Span>> = path.iter().skip(1).map(|(_, span)| *span).collect();
    spans.push(closing);
    let first = (0..names.len()).min_by_key(|ix| names[*ix]).unwrap_or(0);
    names.rotate_left(first);
    spans.rotate_left(first);
    names.push(names[0]);
    let places = names.windows(2).zip(spans).filter_map(|(pair, span)| {
        let text = format!("`{}` lists `{}`", pair[0], pair[1]);
        Some(LabeledSpan::new_with_span(Some(text), span?))
    });
    SelectError::Circle {
        places: places.collect(),
        circle: joined(&names),
    }
}

/// What to do where there is no default target.
fn instead_of_default(names: &[&str]) -> String {
    let one_of = if names.len() > 1 { "one of " } else { "" };
    format!(
        "name {one_of}{}, or add `targets: {{ default: {} }}`",
        listing(names),
        names[0]
    )
}

/// How a reference is written; `api/build` is one with another sign.
fn reference_help(workspace: &Workspace, text: &str) -> String {
    let meant = text.rsplit_once('/').filter(|(pipeline, name)| {
        let pipeline = workspace.pipelines.get(*pipeline);
        pipeline.is_some_and(|pipeline| is_name(pipeline, name))
    });
    match meant {
        Some((pipeline, name)) => format!("did you mean `{pipeline}:{name}`?"),
        None => "a reference is `pipeline:name@axis=value`, all but the name optional".to_owned(),
    }
}

fn is_name(pipeline: &Pipeline, name: &str) -> bool {
    pipeline.targets.contains_key(name) || pipeline.steps.contains_key(name)
}

fn is_internal(pipeline: &Pipeline, name: &str) -> bool {
    pipeline.steps.get(name).is_some_and(|step| step.internal)
}

/// All that can be typed for a pipeline: its targets, then its steps.
fn names_of(pipeline: &Pipeline) -> impl Iterator<Item = &str> {
    let steps = pipeline
        .steps
        .values()
        .filter(|step| !step.internal)
        .map(|step| step.name.value.as_str());
    pipeline.targets.keys().map(String::as_str).chain(steps)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}
