//! `pipe list`: targets and steps with their descriptions.

use serde_json::json;

use super::args::ListArgs;
use super::exit::Exit;
use super::options::Surroundings;
use super::output;
use super::session::{Session, tell};
use crate::expand::{Facts, described};
use crate::model::{Pipeline, Step, Target, Workspace};

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
    let listing = Listing {
        workspace: &session.loaded.workspace,
        facts: session.facts(Vec::new()),
    };
    if args.json {
        let pipelines: Vec<_> = pipelines.iter().map(|one| listing.json(one)).collect();
        output::json(&json!({ "version": 1, "root": session.root, "pipelines": pipelines }));
    } else {
        let texts: Vec<_> = pipelines
            .iter()
            .filter_map(|one| listing.text(one))
            .collect();
        if texts.is_empty() && findings.is_empty() {
            output::err("there are no steps and no targets here\n");
        }
        output::out(&texts.join("\n"));
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

struct Listing<'a> {
    workspace: &'a Workspace,
    facts: Facts,
}

impl Listing<'_> {
    fn of_step(&self, pipeline: &Pipeline, step: &Step) -> Option<String> {
        let (workspace, facts) = (self.workspace, &self.facts);
        let text = step.description.as_ref()?;
        Some(described(
            workspace,
            pipeline,
            Some(step),
            None,
            facts,
            text,
        ))
    }

    fn of_target(&self, pipeline: &Pipeline, target: &Target) -> Option<String> {
        let (workspace, facts) = (self.workspace, &self.facts);
        let text = target.description.as_ref()?;
        let profile = target.profile.as_ref().map(|profile| &*profile.value);
        Some(described(workspace, pipeline, None, profile, facts, text))
    }

    /// Nothing where there is nothing to list, as of a root that only joins its members.
    fn text(&self, pipeline: &Pipeline) -> Option<String> {
        let target = |(name, target): (&String, &Target)| {
            let about = self.of_target(pipeline, target);
            let about = about.map_or_else(|| meant(target), |text| one_line(&text));
            (name.clone(), about)
        };
        let step = |step: &Step| {
            let about = self.of_step(pipeline, step).unwrap_or_default();
            (step_name(step), one_line(&about))
        };
        let targets: Vec<_> = pipeline.targets.iter().map(target).collect();
        let steps: Vec<_> = steps(pipeline).map(step).collect();
        let is_something =
            !targets.is_empty() || !steps.is_empty() || pipeline.description.is_some();
        is_something.then(|| as_text(pipeline, targets, steps))
    }

    fn json(&self, pipeline: &Pipeline) -> serde_json::Value {
        let target = |(name, target): (&String, &Target)| {
            json!({
                "name": name,
                "description": self.of_target(pipeline, target),
                "steps": target.steps.iter().map(|step| step.value.to_string()).collect::<Vec<_>>(),
                "profile": target.profile.as_ref().map(|profile| &profile.value),
            })
        };
        let step = |step: &Step| {
            json!({
                "name": step.name.value,
                "description": self.of_step(pipeline, step),
                "axes": step.matrix.iter().flat_map(|matrix| matrix.axes.keys()).collect::<Vec<_>>(),
                "group": step.is_group(),
            })
        };
        json!({
            "name": pipeline.name.value,
            "description": pipeline.description,
            "file": pipeline.file.to_string(),
            "targets": pipeline.targets.iter().map(target).collect::<Vec<_>>(),
            "steps": steps(pipeline).map(step).collect::<Vec<_>>(),
            "profiles": pipeline.profiles.keys().collect::<Vec<_>>(),
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a target stands for.
fn meant(target: &Target) -> String {
    let steps = target.steps.iter().map(|step| step.value.to_string());
    let steps = steps.collect::<Vec<_>>().join(", ");
    match &target.profile {
        Some(profile) => format!("→ {steps} (profile {})", profile.value),
        None => format!("→ {steps}"),
    }
}

type Row = (String, String);

fn as_text(pipeline: &Pipeline, targets: Vec<Row>, steps: Vec<Row>) -> String {
    let bold = anstyle::Style::new().bold();
    let dim = anstyle::Style::new().dimmed();
    let about = pipeline
        .description
        .iter()
        .map(|text| format!("  {dim}{}{dim:#}", one_line(text)));
    let mut text = format!(
        "{bold}{}{bold:#}{}\n",
        pipeline.name.value,
        about.collect::<String>()
    );
    let rows = targets.iter().chain(&steps);
    let width = rows
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
