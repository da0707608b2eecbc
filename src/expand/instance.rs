//! Instances: a step with its matrix values and its profile filled in.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use indexmap::IndexMap;
use miette::Diagnostic;

use super::error::ExpandError;
use super::facts::Facts;
use super::matrix::{self, Cell};
use super::parts;
use super::resolved::{CacheMode, EnvPolicy, Literal, Output, PlanStep};
use super::scope::{Reader, Scope};
use super::unseen;
use super::value::Val;
use crate::model::{CacheWord, Pipeline, Reference, Step, Workspace};
use crate::path::RelPath;
use crate::source::{Span, Spanned};

/// The time between TERM and KILL where nothing else is said.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// After so many mistakes in one step, its other instances are not looked at.
const MOST_MISTAKES: usize = 100;

/// A step with its matrix values and its profile filled in, before its edges are known.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The pipeline's name.
    pub pipeline: String,
    /// The step's name.
    pub step: String,
    /// Its matrix values.
    pub cell: IndexMap<String, Val>,
    /// How references name these values.
    pub labels: IndexMap<String, String>,
    /// The names of the step's axes.
    pub axes: Vec<String>,
    /// What it needs, as written.
    pub needs: Vec<Spanned<Reference>>,
    /// What must come before, as written.
    pub after: Vec<Spanned<Reference>>,
    /// Where its name stands.
    pub span: Span,
    /// Where each of `plan.outputs` stands.
    pub output_spans: Vec<Span>,
    /// Where each glob of the sources stands.
    pub pattern_spans: Vec<Span>,
    /// Where each literal source stands.
    pub literal_spans: Vec<Span>,
    /// All that the plan needs, but for its edges. A group has no scripts.
    pub plan: PlanStep,
}

impl Instance {
    /// Whether it only groups what it needs.
    pub fn is_group(&self) -> bool {
        self.plan.scripts.is_empty()
    }

    /// Whether it is one of those that the part of a reference behind the name asks for.
    pub fn fits(&self, wanted: &[(String, String)]) -> bool {
        let is_named = |(key, text): &(String, String)| self.labels.get(key) == Some(text);
        wanted.iter().all(is_named)
    }
}

/// What a step declares to make, in one of its instances.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The instance's matrix values.
    pub cell: IndexMap<String, Val>,
    /// What it makes.
    pub output: Output,
    /// Where that is written.
    pub span: Span,
}

/// Errors and warnings found on the way.
pub(super) type Findings = Vec<ExpandError>;

/// The instances of one step under a profile (one that the pipeline has, or none).
///
/// Errors and warnings are added to `findings`; an instance with an error is left out.
pub fn instances(
    workspace: &Workspace,
    pipeline: &Pipeline,
    step: &Step,
    profile: Option<&str>,
    facts: &Facts,
    findings: &mut Vec<ExpandError>,
) -> Vec<Instance> {
    if !facts.spent.is_left() {
        return Vec::new();
    }
    let scope = Scope::new(workspace, pipeline, facts, profile, Some(step));
    let cells = match matrix::cells(step, &scope, findings) {
        Ok(cells) => cells,
        Err(error) => {
            findings.push(error);
            return Vec::new();
        }
    };
    let mut instances = Vec::with_capacity(cells.len());
    let mut told = HashSet::new();
    for cell in cells {
        let mut errors = Vec::new();
        let instance = instance(
            workspace,
            pipeline,
            step,
            profile,
            facts,
            &cell,
            &mut errors,
        );
        if errors.iter().all(ExpandError::is_warning) {
            let enough = facts.spent.instance(weight(&instance));
            instances.push(instance);
            if !enough {
                findings.push(ExpandError::too_much(step.name.span));
                return instances;
            }
        }
        for error in &mut errors {
            if let ExpandError::Undefined { span, help, .. } = error {
                pipeline.name_extender(*span, help);
            }
        }
        // A mistake in a step is the same mistake in each of its instances.
        let follows = consequences(step, &errors);
        errors.retain(|error| !follows.contains(error) && !told.contains(error));
        told.extend(errors.iter().cloned());
        findings.append(&mut errors);
        if told.len() > MOST_MISTAKES {
            break;
        }
    }
    instances
}

/// Names that are only undefined because what defines them has a mistake.
fn consequences(step: &Step, errors: &[ExpandError]) -> Vec<ExpandError> {
    let is_at_output = |error: &ExpandError| {
        let places = step.outputs.iter().map(|output| output.path.span);
        let places: Vec<Range<usize>> = places
            .map(|span| span.start as usize..span.end as usize)
            .collect();
        let mut labels = error.labels().into_iter().flatten();
        labels.any(|label| places.iter().any(|place| place.contains(&label.offset())))
    };
    let lost = |key: &str| step.unread.contains(&key);
    let no_outputs = lost("outputs") || errors.iter().any(is_at_output);
    let follows = |error: &&ExpandError| match error {
        ExpandError::Undefined { name, .. } => match name.split(['.', '[']).next() {
            Some("output" | "outputs") => no_outputs && !is_at_output(error),
            Some(key) => lost(key),
            None => false,
        },
        _ => false,
    };
    errors.iter().filter(follows).cloned().collect()
}

/// Fills in the expressions in the axis values of a reference that a target of `pipeline` lists at
/// `span`; whether all could be. Errors are added to `findings`.
pub fn listed_cell(
    workspace: &Workspace,
    pipeline: &Pipeline,
    profile: Option<&str>,
    facts: &Facts,
    (cell, span): (&mut [(String, String)], Span),
    findings: &mut Vec<ExpandError>,
) -> bool {
    let scope = Scope::new(workspace, pipeline, facts, profile, None);
    parts::fill_cell(&scope, cell, span, findings)
}

/// The bytes that an instance takes up, about, without its texts and patterns: these are
/// counted as they are made.
fn weight(instance: &Instance) -> usize {
    const INSTANCE: usize = 1 << 10;
    const ITEM: usize = 64;
    let plan = &instance.plan;
    let literals = plan
        .sources
        .iter()
        .map(|sources| sources.literals.len() + sources.patterns.len() + sources.excludes.len());
    let checks = plan.requires.len() + plan.verify.len();
    let items = plan.outputs.len() + literals.sum::<usize>() + 4 * checks + instance.needs.len();
    INSTANCE
        + ITEM * (items + instance.cell.len() + plan.env.len() + plan.pass_env.len())
        + plan.name.len()
}

/// What a step declares to make, in all of its instances under a profile. Mistakes are left out:
/// they are told where the step is expanded.
pub fn declared(
    workspace: &Workspace,
    pipeline: &Pipeline,
    step: &Step,
    profile: Option<&str>,
    facts: &Facts,
) -> Vec<Declared> {
    if (step.outputs.is_empty() && step.depfile.is_none()) || !facts.spent.is_left() {
        return Vec::new();
    }
    let scope = Scope::new(workspace, pipeline, facts, profile, Some(step));
    let cells = matrix::cells(step, &scope, &mut Vec::new()).unwrap_or_default();
    let mut all = Vec::new();
    for cell in cells {
        let mut scope = Scope::new(workspace, pipeline, facts, profile, Some(step));
        scope.cell.clone_from(&cell.values);
        let (outputs, _) = parts::made(&scope, step, &mut Vec::new());
        all.extend(outputs.into_iter().map(|(output, span)| Declared {
            cell: cell.plain(),
            output,
            span,
        }));
    }
    all
}

fn instance(
    workspace: &Workspace,
    pipeline: &Pipeline,
    step: &Step,
    profile: Option<&str>,
    facts: &Facts,
    cell: &Cell,
    errors: &mut Findings,
) -> Instance {
    let mut scope = Scope::new(workspace, pipeline, facts, profile, Some(step));
    scope.cell.clone_from(&cell.values);
    let dir = parts::dir(&scope, step, errors);
    scope.step_dir = dir.clone();
    let paths = step.outputs.iter().map(|output| &output.path);
    scope.typed_paths = scope.typed(paths.chain(&step.dir).chain(&step.depfile));
    let (made, depfile) = parts::made(&scope, step, errors);
    let (outputs, output_spans): (Vec<Output>, Vec<Span>) = made.into_iter().unzip();
    let (sources, pattern_spans, literal_spans) = parts::sources(&scope, step, errors);
    let cache = cache_mode(step);
    let shell = parts::shell(&scope, step, errors);
    let plan = PlanStep {
        name: format!("{}:{}{}", pipeline.name.value, step.name.value, cell.label),
        profile: profile.map(str::to_owned),
        description: parts::description(&scope, step, errors),
        scripts: parts::scripts(&scope, &step.run, shell.dialect, errors),
        args: Vec::new(),
        dir,
        env: scope.environment(errors),
        secrets: secrets(step),
        path: parts::path(&scope, step, errors),
        pass_env: parts::texts(&scope, &step.pass_env, errors),
        env_policy: env_policy(step, cache),
        sources,
        outputs,
        depfile,
        needs: Vec::new(),
        after: Vec::new(),
        same_as: None,
        need_names: std::collections::BTreeMap::new(),
        cache,
        salt: workspace
            .settings
            .salt
            .iter()
            .chain(&step.salt)
            .cloned()
            .collect(),
        timeout: parts::duration(&scope, step.timeout.as_ref(), errors),
        grace: parts::duration(&scope, step.grace.as_ref(), errors).unwrap_or(GRACE),
        weight: match step.interactive {
            true => usize::MAX, // it runs alone
            false => usize::try_from(step.weight).unwrap_or(usize::MAX),
        },
        limits: parts::limits(&scope, step, errors),
        allow_failure: step.allow_failure,
        retries: step.retries,
        on_failure: parts::scripts(&scope, &step.on_failure, shell.dialect, errors),
        allow_background: step.allow_background,
        tty: step.tty,
        interactive: step.interactive,
        incremental: step.incremental,
        tools: parts::tools(&scope, step, errors),
        requires: parts::checks(
            &scope,
            &step.requires,
            Reader::Before(shell.dialect),
            errors,
        ),
        verify: parts::checks(&scope, &step.verify, Reader::Script(shell.dialect), errors),
        hint: step
            .hint
            .as_ref()
            .and_then(|hint| parts::take(scope.text(hint), errors)),
        skip: parts::skip(&scope, step, errors),
        shell,
    };
    let needs = parts::references(&scope, &step.needs, errors);
    let after = parts::references(&scope, &step.after, errors);
    unseen::warn(&scope, step, &plan, errors);
    errors.append(&mut scope.more.take());
    Instance {
        pipeline: pipeline.name.value.clone(),
        step: step.name.value.clone(),
        axes: step
            .matrix
            .iter()
            .flat_map(|matrix| matrix.axes.keys().cloned())
            .collect(),
        cell: cell.plain(),
        labels: cell.labels.clone(),
        needs,
        after,
        span: step.name.span,
        output_spans,
        pattern_spans,
        literal_spans,
        plan,
    }
}

/// The names of its secrets, sorted, each once.
fn secrets(step: &Step) -> Vec<String> {
    let names: BTreeSet<&String> = step.secrets.iter().map(|name| &name.value).collect();
    names.into_iter().cloned().collect()
}

/// `cache` as written, or what follows from `secrets`, `sources` and `outputs`.
fn cache_mode(step: &Step) -> CacheMode {
    match (step.cache, &step.sources) {
        _ if step.interactive => CacheMode::Interactive,
        (Some(CacheWord::Off), _) => CacheMode::Off,
        (_, None) => CacheMode::Undeclared,
        (Some(CacheWord::Shared), _) => CacheMode::Shared,
        (Some(CacheWord::Local), _) => CacheMode::Local,
        (None, Some(_)) if !step.secrets.is_empty() => CacheMode::Secrets,
        (None, Some(_)) if step.outputs.is_empty() || step.incremental => CacheMode::Local,
        (None, Some(_)) => CacheMode::Shared,
    }
}

/// A cached step sees only what it declares; any other sees the caller's environment.
fn env_policy(step: &Step, cache: CacheMode) -> EnvPolicy {
    match step.inherits_env.map(|inherits| inherits.value) {
        Some(true) => EnvPolicy::Inherit,
        Some(false) => EnvPolicy::Strict,
        None if cache.is_cached() => EnvPolicy::Strict,
        None => EnvPolicy::Inherit,
    }
}

/// The literal source files of an instance that another step may make, with their places.
pub(crate) fn literal_files(instance: &Instance) -> impl Iterator<Item = (usize, &RelPath, Span)> {
    let literals = instance
        .plan
        .sources
        .iter()
        .flat_map(|sources| &sources.literals);
    literals
        .zip(&instance.literal_spans)
        .enumerate()
        .filter_map(|(index, (literal, span))| match literal {
            Literal::File(path) => Some((index, path, *span)),
            Literal::Outside(_) | Literal::Made { .. } => None,
        })
}
