//! `pipe check`: reads everything, expands everything, runs nothing.

use super::args::CheckArgs;
use super::diagnose::{Finding, is_error};
use super::exit::Exit;
use super::options::Surroundings;
use super::output;
use super::session::{Session, plural, tell, tell_refusal};
use crate::event::Event;
use crate::graph::{SelectError, indirect, select};
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
    for profile in std::iter::once(None).chain(profiles.iter().map(|name| Some(name.as_str()))) {
        let wanted = session.everything(profile);
        let before = session.findings.len();
        let graph = session.link(&facts, &wanted);
        // Steps that never run together may make the same path.
        let mut index = 0;
        session.findings.retain(|finding| {
            index += 1;
            index <= before
                || finding
                    .code()
                    .is_none_or(|code| code.to_string() != "pipe::graph::output_clash")
        });
        let warnings = indirect(&graph).into_iter();
        session
            .findings
            .extend(warnings.map(|warning| Box::new(warning) as Finding));
        let instances = graph.instances.into_iter();
        steps.extend(instances.map(|instance| instance.plan));
    }
    clashes(session, &facts);
    steps
}

/// Paths that two steps of one target make.
fn clashes(session: &mut Session, facts: &crate::expand::Facts) {
    let targets: Vec<String> = session
        .loaded
        .workspace
        .pipelines
        .values()
        .flat_map(|pipeline| {
            pipeline
                .targets
                .keys()
                .map(|target| format!("{}:{target}", pipeline.name.value))
        })
        .collect();
    for target in targets {
        let request = session.request(vec![target], None);
        match select(&session.loaded.workspace, &request) {
            // What was found before is told once.
            Ok(wanted) => drop(session.link(facts, &wanted)),
            Err(errors) => {
                // A reference to a name that cannot be one: that has been told.
                let read = |error: &SelectError| !matches!(error, SelectError::Bad { .. });
                let errors = errors.into_iter().filter(read);
                session
                    .findings
                    .extend(errors.map(|error| Box::new(error) as Finding));
            }
        }
    }
}
