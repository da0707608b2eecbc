//! `pipe cache verify --rerun`: runs steps a second time and compares what they make. A step that makes
//! something else each time has what its key does not tell: a time, a random number, a file that it
//! reads and does not declare.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::args::{RunArgs, Selection, StoreArgs, VerifyArgs};
use super::clean::lock;
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::output;
use super::run::run;
use super::session::{Session, plural};
use crate::cache::{Cache, Entry, LastRun};
use crate::plan::Plan;

pub(super) fn rerun(around: &Surroundings, args: &VerifyArgs, cache_dir: Option<PathBuf>) -> Exit {
    let mut request = RunArgs {
        selection: Selection {
            words: args.rerun.clone(),
            profile: args.profile.clone(),
            ..Selection::default()
        },
        store: StoreArgs {
            no_cache: false,
            cache_dir,
        },
        ..RunArgs::default()
    };
    // All that they need is made, and they themselves a first time.
    let first = run(around, &request);
    if first != Exit::Good {
        return first;
    }
    let before = match forgotten(around, &request.selection) {
        Ok(before) => before,
        Err(exit) => return exit,
    };
    request.store.no_cache = true;
    let second = run(around, &request);
    if second != Exit::Good {
        return second;
    }
    let after = match look(around, &request.selection) {
        Ok((plan, cache)) => lasts(&plan, &cache),
        Err(exit) => return exit,
    };
    let steps: Vec<Compared> = before
        .iter()
        .map(|(name, before)| Compared::of(name, before, after.get(name)))
        .collect();
    tell(&steps, args.json)
}

/// What is remembered of the steps, by their names.
type Lasts = BTreeMap<String, LastRun>;

fn look(around: &Surroundings, selection: &Selection) -> Result<(Plan, Cache), Exit> {
    Session::survey(around)?.records(selection)
}

fn lasts(plan: &Plan, cache: &Cache) -> Lasts {
    let steps = plan.named.iter().map(|ix| &plan.steps[*ix]);
    let known = steps.filter_map(|step| Some((step.name.clone(), cache.last(&step.identity())?)));
    known.collect()
}

/// What was remembered of the steps, and is not any more.
fn forgotten(around: &Surroundings, selection: &Selection) -> Result<Lasts, Exit> {
    let mut session = Session::survey(around)?;
    let _lock = lock(&session.state_dir())?;
    let (plan, cache) = session.records(selection)?;
    let lasts = lasts(&plan, &cache);
    let forget = || {
        for ix in &plan.named {
            cache.forget(&plan.steps[*ix].identity())?;
        }
        cache.save()
    };
    forget().map_err(|error| refuse(&format!("{error}: {}", error.source)))?;
    Ok(lasts)
}

/// What a step made twice.
struct Compared<'a> {
    step: &'a str,
    /// Whether its command really ran a second time, with the same inputs.
    ran: bool,
    /// Paths, what was there first and what then; `None` for nothing.
    differences: Vec<(String, Option<String>, Option<String>)>,
}

impl<'a> Compared<'a> {
    fn of(step: &'a str, before: &LastRun, after: Option<&LastRun>) -> Self {
        let run = |last: &LastRun| last.made.as_ref().map(|made| made.run.clone());
        let outputs = |last: &LastRun| -> BTreeMap<String, String> {
            let outputs = last.outputs.iter();
            outputs
                .map(|output| (output.path.display(), shown(output)))
                .collect()
        };
        let (old, new) = (outputs(before), after.map(outputs).unwrap_or_default());
        let paths = old
            .keys()
            .chain(new.keys().filter(|path| !old.contains_key(*path)));
        let difference = |path: &String| {
            let (old, new) = (old.get(path).cloned(), new.get(path).cloned());
            (old != new).then(|| (path.clone(), old, new))
        };
        // Somebody may have edited something meanwhile, or another run have come in between.
        let ran = after.is_some_and(|after| run(after) != run(before) && after.key == before.key);
        Self {
            step,
            ran,
            differences: paths.filter_map(difference).filter(|_| ran).collect(),
        }
    }
}

/// What stands at a path, so that equal things read the same.
fn shown(output: &Entry) -> String {
    let exec = if output.exec { ", executable" } else { "" };
    format!("{}{exec}", output.digest.short())
}

fn tell(steps: &[Compared], as_json: bool) -> Exit {
    if as_json {
        output::json(&document(steps));
    } else {
        output::err(&text(steps));
    }
    match steps
        .iter()
        .all(|step| step.ran && step.differences.is_empty())
    {
        true => Exit::Good,
        false => Exit::Failed,
    }
}

fn document(steps: &[Compared]) -> serde_json::Value {
    let outputs = |step: &Compared| -> Vec<serde_json::Value> {
        let differences = step.differences.iter();
        differences
            .map(|(path, first, second)| json!({ "path": path, "first": first, "second": second }))
            .collect()
    };
    let steps: Vec<_> = steps
        .iter()
        .map(|step| json!({ "step": step.step, "ran": step.ran, "differences": outputs(step) }))
        .collect();
    json!({ "version": 1, "steps": steps })
}

fn text(steps: &[Compared]) -> String {
    let mut text = String::new();
    for step in steps {
        if !step.ran {
            text.push_str(&format!(
                "{}: did not run a second time with the same inputs\n",
                step.step
            ));
        }
        for (path, first, second) in &step.differences {
            let of = |one: &Option<String>| one.clone().unwrap_or_else(|| "nothing".to_owned());
            text.push_str(&format!(
                "{}: output `{path}` was {} first, and then {}\n",
                step.step,
                of(first),
                of(second)
            ));
        }
    }
    let differ = steps.iter().filter(|step| !step.differences.is_empty());
    match (differ.count(), text.is_empty()) {
        (_, true) => format!(
            "{} made the same a second time\n",
            plural(steps.len(), "step")
        ),
        (0, false) => text,
        (count, false) => format!(
            "{text}{} not make the same each time: what makes the difference is not in the key, such as a time, a random \
             number, or a file that is read and not declared\n",
            match count {
                1 => "1 step does".to_owned(),
                many => format!("{many} steps do"),
            }
        ),
    }
}
