//! `pipe check`: reads everything, expands everything, runs nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use miette::Diagnostic;

use super::args::CheckArgs;
use super::diagnose::{Finding, all_events, is_error};
use super::exit::Exit;
use super::globs::Globs;
use super::options::Surroundings;
use super::output;
use super::session::{Session, plural, tell, tell_refusal};
use crate::event::{self, Event};
use crate::expand::{ExpandError, Facts, unused};
use crate::graph::{
    GraphError, InstanceIx, Linked, Purpose, SelectError, Wanted, every, examine, indirect, link,
    select,
};
use crate::model::Workspace;
use crate::plan::PlanStep;

/// Steps, counted once for each profile.
const MOST_EXAMINED: usize = 500_000;
/// Instances looked at to tell which targets have clashes: what this leaves out, a run still finds.
const MOST_LOOKED_AT: usize = 50_000_000;

pub(super) fn check(around: &Surroundings, args: &CheckArgs) -> Exit {
    let mut session = match Session::open(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let steps = expand_all(&mut session, args.tools);
    let findings = std::mem::take(&mut session.findings);
    let refused = findings.iter().any(is_error) || args.strict && !findings.is_empty();
    match (args.json, refused) {
        (true, _) => print(all_events(&findings, &session.loaded.sources)),
        (false, true) => tell_refusal(&session.events(&findings)),
        (false, false) => tell(&session.events(&findings)),
    }
    if refused {
        return Exit::Invalid;
    }
    if !args.json {
        output::err(&format!("{}\n", summary(&session)));
    }
    match args.tools {
        true => super::inventory::inventory(&session, &steps, args.json),
        false => Exit::Good,
    }
}

fn print(events: Vec<event::Diagnostic>) {
    for event in events {
        let line = serde_json::to_string(&Event::Diagnostic(event)).unwrap_or_default();
        output::out(&format!("{line}\n"));
    }
}

fn summary(session: &Session) -> String {
    let pipelines = &session.loaded.workspace.pipelines;
    let steps: usize = pipelines
        .values()
        .map(|pipeline| pipeline.steps.len())
        .sum();
    format!(
        "{} with {}: all good",
        plural(pipelines.len(), "pipeline"),
        plural(steps, "step")
    )
}

/// Every step under every profile, and every target as it would run. Gives the steps.
fn expand_all(session: &mut Session, gives_steps: bool) -> Vec<PlanStep> {
    let facts = session.facts(Vec::new());
    let mut steps = Vec::new();
    let mut of_targets = of_targets(session);
    let profiles = session.loaded.workspace.profiles();
    let mut examined = 0;
    let mut globs = Globs::default();
    for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
        let request = session.request(Vec::new(), profile);
        let mut wanted = every(&session.loaded.workspace, &request).unwrap_or_else(|errors| {
            session.findings.extend(unread(errors));
            Vec::new()
        });
        examined += wanted.len();
        if examined > MOST_EXAMINED && request.profile.is_some() {
            let message = "there are too many profiles and steps to check all together".to_owned();
            let help = "`pipe plan -p PROFILE` looks at one of them".to_owned();
            let error = SelectError::Bad { message, help };
            session.findings.push(boxed(error));
            break;
        }
        // Targets without profiles want nothing that is not among the steps without one.
        let seen = of_targets.take_if(|wanted| wanted.iter().all(|one| one.profile.is_none()));
        let has_targets = seen.is_some();
        wanted.extend(seen.into_iter().flatten());
        let linked = link(&session.loaded.workspace, &facts, &wanted, Purpose::Survey);
        if has_targets {
            let clashes = clashes_in(session, &linked, &wanted);
            session.findings.extend(clashes);
        }
        let graph = session.take(&facts, linked);
        globs.add(&graph);
        session
            .findings
            .extend(indirect(&graph).into_iter().map(boxed));
        let instances = graph.instances.into_iter().filter(|_| gives_steps);
        steps.extend(instances.map(|instance| instance.plan));
    }
    if let Some(wanted) = of_targets {
        examine_targets(session, &facts, &wanted);
    }
    judge_unused(session, &facts);
    // What is a source depends on all that steps make: where that is in doubt, nothing is said.
    if !session.findings.iter().any(is_error) {
        let ignore = &session.loaded.workspace.settings.ignore;
        let unmatched = globs.unmatched(&session.root, ignore);
        session.findings.extend(unmatched.into_iter().map(boxed));
    }
    // A clash under several profiles and in several targets is one.
    let mut told = HashSet::new();
    session
        .findings
        .retain(|finding| clash(finding).is_none_or(|places| told.insert(places)));
    steps
}

/// Mistakes in what no step uses; those in what some step uses have been told.
fn judge_unused(session: &mut Session, facts: &Facts) {
    let place = |finding: &dyn Diagnostic| {
        let label = finding.labels().into_iter().flatten().next();
        label.map(|label| (label.offset(), label.len()))
    };
    let told = session.findings.iter();
    let mut told: HashSet<_> = told.filter_map(|finding| place(&**finding)).collect();
    let mut errors = unused(&session.loaded.workspace, facts);
    let doubts = &session.loaded.doubts;
    let is_lost = |error: &ExpandError| match error {
        ExpandError::Undefined { span, .. } => doubts.hold_at(*span),
        _ => false,
    };
    let mut circles: HashSet<_> = session
        .findings
        .iter()
        .filter_map(|one| circle(&**one))
        .collect();
    errors.retain(|error| {
        !is_lost(error)
            && told.insert(place(error).unwrap_or_default())
            && circle(error).is_none_or(|names| circles.insert(names))
    });
    session.findings.extend(errors.into_iter().map(boxed));
}

/// What needs each other in a circle, wherever that was found.
fn circle(finding: &dyn Diagnostic) -> Option<BTreeSet<String>> {
    let code = finding.code()?.to_string();
    let message = finding.to_string();
    let (_, names) = message
        .split_once(": ")
        .filter(|_| code == "pipe::expand::circle")?;
    Some(names.split(" → ").map(str::to_owned).collect())
}

/// What all targets want, unless there are none or it cannot be told.
fn of_targets(session: &mut Session) -> Option<Vec<Wanted>> {
    let targets = targets(&session.loaded.workspace);
    if targets.is_empty() {
        return None;
    }
    let request = session.request(targets, None);
    match select(&session.loaded.workspace, &request) {
        Ok(wanted) => Some(wanted),
        Err(errors) => {
            session.findings.extend(unread(errors));
            None
        }
    }
}

/// What selecting says, but for references to names that cannot be one: that has been told.
fn unread(errors: Vec<SelectError>) -> impl Iterator<Item = Finding> {
    let read = |error: &SelectError| !matches!(error, SelectError::Bad { .. });
    errors.into_iter().filter(read).map(boxed)
}

fn boxed(error: impl Diagnostic + Send + Sync + 'static) -> Finding {
    Box::new(error)
}

/// What is wrong with targets: circles, what they list, and paths that two steps of one target make.
/// They are looked at together, since there may be very many.
fn examine_targets(session: &mut Session, facts: &Facts, wanted: &[Wanted]) {
    let mut linked = examine(&session.loaded.workspace, facts, wanted);
    let clashes = clashes_in(session, &linked, wanted);
    // What only all targets together are, or make twice, is nobody's mistake.
    linked.errors.retain(|error| {
        !matches!(
            error,
            GraphError::OutputClash { .. } | GraphError::TooMany { .. }
        )
    });
    linked
        .expand
        .retain(|error| !matches!(error, ExpandError::TooMuch { .. }));
    session.take(facts, linked);
    session.findings.extend(clashes);
}

/// Few instances clash at all; of these it is asked which come together in one target.
fn clashes_in(session: &Session, linked: &Linked, wanted: &[Wanted]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !linked.has_clashes() {
        return findings;
    }
    let targets = targets(&session.loaded.workspace);
    let meant: HashMap<&Wanted, &Vec<InstanceIx>> = wanted.iter().zip(&linked.meant).collect();
    let most = MOST_LOOKED_AT / (linked.graph.instances.len() + targets.len());
    for target in targets.into_iter().take(most) {
        let request = session.request(vec![target], None);
        let wanted = select(&session.loaded.workspace, &request).unwrap_or_default();
        let wanted = wanted.iter().filter_map(|wanted| meant.get(wanted));
        let meant = wanted.flat_map(|all| all.iter().copied());
        let reached = linked.graph.reached(meant);
        findings.extend(linked.clashes(reached.into_iter()).into_iter().map(boxed));
    }
    findings
}

fn targets(workspace: &Workspace) -> Vec<String> {
    let pipelines = workspace.pipelines.values();
    let targets = pipelines.flat_map(|pipeline| {
        let targets = pipeline.targets.keys();
        targets.map(|target| format!("{}:{target}", pipeline.name.value))
    });
    targets.collect()
}

/// The places of paths that are made twice.
fn clash(finding: &Finding) -> Option<BTreeSet<(usize, usize)>> {
    let code = finding.code()?.to_string();
    let labels = finding
        .labels()
        .filter(|_| code == "pipe::graph::output_clash")?;
    Some(labels.map(|label| (label.offset(), label.len())).collect())
}
