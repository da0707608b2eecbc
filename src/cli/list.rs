//! `pipe list`: targets and steps with their descriptions.

use serde_json::json;

use super::args::ListArgs;
use super::exit::Exit;
use super::options::Surroundings;
use super::output;
use super::session::{Session, tell};
use crate::model::{Pipeline, Step, Target};

pub(super) fn list(around: &Surroundings, args: &ListArgs) -> Exit {
    let mut session = match Session::survey(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let findings = std::mem::take(&mut session.findings);
    tell(&session.events(&findings));
    let in_scope = |pipeline: &&Pipeline| args.all || session.scope.holds(pipeline);
    let pipelines: Vec<&Pipeline> = session
        .loaded
        .workspace
        .pipelines
        .values()
        .filter(in_scope)
        .collect();
    if args.json {
        let pipelines: Vec<_> = pipelines.into_iter().map(as_json).collect();
        output::json(&json!({ "version": 1, "root": session.root, "pipelines": pipelines }));
    } else {
        output::out(
            &pipelines
                .into_iter()
                .map(as_text)
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    // What could be read was listed; that not everything could is the exit code's to say.
    if findings.iter().any(super::diagnose::is_error) {
        Exit::Invalid
    } else {
        Exit::Good
    }
}

fn steps(pipeline: &Pipeline) -> impl Iterator<Item = &Step> {
    pipeline.steps.values().filter(|step| !step.internal)
}

/// A description without expressions; one with them is of an instance, not of the step.
fn description(text: Option<&crate::parse::Text>) -> Option<&str> {
    text.map(|text| text.text.as_str())
}

fn target_description(target: &Target) -> String {
    match description(target.description.as_ref()) {
        Some(text) => text.to_owned(),
        None => {
            let steps: Vec<String> = target
                .steps
                .iter()
                .map(|step| step.value.to_string())
                .collect();
            let profile = target
                .profile
                .iter()
                .map(|profile| format!(" (profile {})", profile.value));
            format!("→ {}{}", steps.join(", "), profile.collect::<String>())
        }
    }
}

fn as_text(pipeline: &Pipeline) -> String {
    let bold = anstyle::Style::new().bold();
    let dim = anstyle::Style::new().dimmed();
    let about = pipeline
        .description
        .iter()
        .map(|text| format!("  {dim}{text}{dim:#}"));
    let mut text = format!(
        "{bold}{}{bold:#}{}\n",
        pipeline.name.value,
        about.collect::<String>()
    );
    let targets: Vec<(String, String)> = pipeline
        .targets
        .iter()
        .map(|(name, target)| (name.clone(), target_description(target)))
        .collect();
    let steps: Vec<(String, String)> = steps(pipeline)
        .map(|step| {
            (
                step_name(step),
                description(step.description.as_ref())
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    let width = targets
        .iter()
        .chain(&steps)
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (title, rows) in [("targets", targets), ("steps", steps)] {
        if !rows.is_empty() {
            text.push_str(&format!("  {dim}{title}{dim:#}\n"));
        }
        for (name, about) in rows {
            text.push_str(format!("    {name:width$}  {about}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// The step with the names of its axes: `build@os@arch`.
fn step_name(step: &Step) -> String {
    let axes = step
        .matrix
        .iter()
        .flat_map(|matrix| matrix.axes.keys())
        .map(|axis| format!("@{axis}"));
    format!("{}{}", step.name.value, axes.collect::<String>())
}

fn as_json(pipeline: &Pipeline) -> serde_json::Value {
    let targets: Vec<_> = pipeline
        .targets
        .iter()
        .map(|(name, target)| {
            json!({
                "name": name,
                "description": description(target.description.as_ref()),
                "steps": target.steps.iter().map(|step| step.value.to_string()).collect::<Vec<_>>(),
                "profile": target.profile.as_ref().map(|profile| &profile.value),
            })
        })
        .collect();
    let steps: Vec<_> = steps(pipeline)
        .map(|step| {
            json!({
                "name": step.name.value,
                "description": description(step.description.as_ref()),
                "axes": step.matrix.iter().flat_map(|matrix| matrix.axes.keys()).collect::<Vec<_>>(),
                "group": step.is_group(),
            })
        })
        .collect();
    json!({
        "name": pipeline.name.value,
        "description": pipeline.description,
        "file": pipeline.file.to_string(),
        "targets": targets,
        "steps": steps,
        "profiles": pipeline.profiles.keys().collect::<Vec<_>>(),
    })
}
