//! `pipe check`: reads everything, expands everything, runs nothing.

use std::collections::{BTreeSet, HashSet};

use super::args::CheckArgs;
use super::diagnose::{Finding, is_error};
use super::exit::Exit;
use super::options::Surroundings;
use super::output;
use super::session::{Session, plural, tell, tell_refusal};
use crate::event::Event;
use crate::expand::Facts;
use crate::graph::{Purpose, SelectError, StepGraph, Wanted, every, indirect, select};
use crate::model::Workspace;
use crate::plan::PlanStep;

pub(super) fn check(around: &Surroundings, args: &CheckArgs) -> Exit {
    let mut session = match Session::open(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let steps = expand_all(&mut session);
    let findings = std::mem::take(&mut session.findings);
    let events = session.events(&findings);
    if args.json {
        for event in &events {
            let line = serde_json::to_string(&Event::Diagnostic(event.clone())).unwrap_or_default();
            output::out(&format!("{line}\n"));
        }
    }
    let refused = findings.iter().any(is_error) || args.strict && !findings.is_empty();
    match (args.json, refused) {
        (true, _) => {}
        (false, true) => tell_refusal(&events),
        (false, false) => tell(&events),
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
fn expand_all(session: &mut Session) -> Vec<PlanStep> {
    let facts = session.facts(Vec::new());
    let mut steps = Vec::new();
    let profiles = session.loaded.workspace.profiles();
    for profile in std::iter::once(None).chain(profiles.into_iter().map(Some)) {
        let request = session.request(Vec::new(), profile);
        let wanted = every(&session.loaded.workspace, &request);
        let graph = linked(session, &facts, wanted, Purpose::Survey);
        let warnings = indirect(&graph).into_iter();
        session
            .findings
            .extend(warnings.map(|warning| Box::new(warning) as Finding));
        let instances = graph.instances.into_iter();
        steps.extend(instances.map(|instance| instance.plan));
    }
    for target in targets(&session.loaded.workspace) {
        let request = session.request(vec![target], None);
        let wanted = select(&session.loaded.workspace, &request);
        linked(session, &facts, wanted, Purpose::Run { args: false });
    }
    // A clash under several profiles and in several targets is one.
    let mut told = HashSet::new();
    session
        .findings
        .retain(|finding| clash(finding).is_none_or(|places| told.insert(places)));
    steps
}

fn linked(
    session: &mut Session,
    facts: &Facts,
    wanted: Result<Vec<Wanted>, Vec<SelectError>>,
    purpose: Purpose,
) -> StepGraph {
    match wanted {
        Ok(wanted) => session.link(facts, &wanted, purpose),
        Err(errors) => {
            // A reference to a name that cannot be one: that has been told.
            let read = |error: &SelectError| !matches!(error, SelectError::Bad { .. });
            let errors = errors.into_iter().filter(read);
            session
                .findings
                .extend(errors.map(|error| Box::new(error) as Finding));
            StepGraph::default()
        }
    }
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
