//! `pipe plan`, `pipe run -n` and `pipe run -q`: what a run would do, and why, without doing it.

use serde_json::json;

use super::args::{RunArgs, Selection, StoreArgs};
use super::exit::{Exit, refuse};
use super::options::{self, Surroundings};
use super::output;
use super::session::{Session, tell};
use crate::cache::{Cache, CacheOptions};
use crate::exec::{Answer, Around, Asked, Cancel, Decision, decide};
use crate::plan::Plan;
use crate::process::OsSpawner;

/// Decisions on the steps of a plan, and what they were taken with.
pub(super) struct Ahead {
    pub(super) plan: Plan,
    pub(super) cache: Cache,
    pub(super) decisions: Vec<Decision>,
}

/// `pipe plan`.
pub(super) fn plan(
    around: &Surroundings,
    selection: &Selection,
    store: &StoreArgs,
    as_json: bool,
) -> Exit {
    match look_ahead(around, selection, store, &[], Asked::default()) {
        Ok(ahead) if as_json => {
            output::json(&document(&ahead));
            Exit::Good
        }
        Ok(ahead) => {
            output::out(&text(&ahead));
            Exit::Good
        }
        Err(exit) => exit,
    }
}

/// `pipe run -n` and `pipe run -q`.
pub(super) fn ahead(around: &Surroundings, args: &RunArgs) -> Exit {
    let asked = Asked {
        force: args.force,
        in_depth: false,
    };
    let ahead = match look_ahead(around, &args.selection, &args.store, &args.args, asked) {
        Ok(ahead) => ahead,
        Err(exit) => return exit,
    };
    if args.dry_run {
        match args.json {
            true => output::json(&document(&ahead)),
            false => output::out(&text(&ahead)),
        }
    }
    match args.question
        && ahead
            .decisions
            .iter()
            .any(|decision| !decision.answer.is_nothing())
    {
        true => Exit::Failed,
        false => Exit::Good,
    }
}

/// Decides on all steps of what was asked for.
///
/// # Errors
///
/// What is wrong is told; the exit is what remains.
pub(super) fn look_ahead(
    around: &Surroundings,
    selection: &Selection,
    store: &StoreArgs,
    args: &[String],
    asked: Asked,
) -> Result<Ahead, Exit> {
    let mut session = Session::open(around)?;
    let planned = session.plan(selection, args, false).map_err(|events| {
        tell(&events);
        Exit::Invalid
    })?;
    tell(&planned.warnings);
    let settings = &session.loaded.workspace.settings;
    let options = CacheOptions {
        root: session.root.clone(),
        state_dir: session.state_dir(),
        store: options::store(around, store, settings, &session.root),
        ignore: settings.ignore.clone(),
        run: String::new(),
        read_store: !asked.force,
    };
    let cache = Cache::open(options, &planned.plan).map_err(|error| refuse(&error.to_string()))?;
    let cancel = Cancel::new().map_err(|error| refuse(&error.to_string()))?;
    let tools = Around {
        root: &session.root,
        caller_env: &around.env,
        spawner: &OsSpawner,
        cancel: &cancel,
    };
    let decisions = decide(&planned.plan, &cache, &tools, asked);
    for decision in &decisions {
        let name = &planned.plan.steps[decision.step].name;
        for warning in &decision.warnings {
            output::err(&format!("warning: {name}: {warning}\n"));
        }
    }
    Ok(Ahead {
        plan: planned.plan,
        cache,
        decisions,
    })
}

/// The answer in words.
fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::UpToDate => "up to date",
        Answer::Restore => "restore",
        Answer::Run => "run",
        Answer::RunUnless(_) => "run unless",
        Answer::Skipped => "skip",
        Answer::Fail(_) => "fail",
    }
}

/// What stands behind a step's name: the first reason, or on whom it depends.
fn because(plan: &Plan, decision: &Decision) -> String {
    match &decision.answer {
        Answer::RunUnless(needs) => {
            let first = &plan.steps[needs[0]].name;
            match needs.len() {
                1 => format!("{first} comes out the same"),
                many => format!("{first} and {} more come out the same", many - 1),
            }
        }
        Answer::Fail(reason) => reason.clone(),
        _ => decision
            .why
            .first()
            .map(|reason| reason.text.clone())
            .unwrap_or_default(),
    }
}

fn text(ahead: &Ahead) -> String {
    let name = |decision: &Decision| ahead.plan.steps[decision.step].name.as_str();
    let width = ahead
        .decisions
        .iter()
        .map(|decision| name(decision).chars().count())
        .max()
        .unwrap_or(0)
        .min(60);
    let mut text = String::new();
    for decision in &ahead.decisions {
        let why = because(&ahead.plan, decision);
        let line = format!(
            "{:<10}  {:<width$}  {why}",
            word(&decision.answer),
            name(decision)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&summary(&ahead.decisions));
    text
}

fn summary(decisions: &[Decision]) -> String {
    let words = ["run", "run unless", "restore", "up to date", "skip", "fail"];
    let counts = words.iter().filter_map(|wanted| {
        let count = decisions
            .iter()
            .filter(|decision| word(&decision.answer) == *wanted)
            .count();
        (count > 0).then(|| format!("{count} {wanted}"))
    });
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() {
        "nothing to do\n".to_owned()
    } else {
        format!("{}\n", counts.join(", "))
    }
}

fn document(ahead: &Ahead) -> serde_json::Value {
    let steps: Vec<_> = ahead
        .decisions
        .iter()
        .map(|decision| as_json(ahead, decision))
        .collect();
    json!({ "version": 1, "steps": steps })
}

/// One decision as JSON.
pub(super) fn as_json(ahead: &Ahead, decision: &Decision) -> serde_json::Value {
    let step = &ahead.plan.steps[decision.step];
    let names = |steps: &[usize]| -> Vec<&str> {
        steps
            .iter()
            .map(|ix| ahead.plan.steps[*ix].name.as_str())
            .collect()
    };
    let unless = match &decision.answer {
        Answer::RunUnless(needs) => names(needs),
        _ => Vec::new(),
    };
    json!({
        "step": step.name,
        "profile": step.profile,
        "answer": word(&decision.answer).replace(' ', "_"),
        "unless": unless,
        "error": match &decision.answer { Answer::Fail(reason) => Some(reason), _ => None },
        "why": decision.why,
        "warnings": decision.warnings,
        "key": decision.key,
        "needs": names(&step.needs),
        "after": names(&step.after),
        "outputs": outputs(step),
    })
}

fn outputs(step: &crate::plan::PlanStep) -> Vec<String> {
    use crate::plan::OutputKind;
    let path = |output: &crate::plan::Output| match &output.kind {
        OutputKind::File(path) => path.to_string(),
        OutputKind::Folder(path) => format!("{path}/"),
        OutputKind::Glob(pattern) => pattern.text().to_owned(),
    };
    step.outputs
        .iter()
        .filter(|output| !output.negated)
        .map(path)
        .collect()
}
