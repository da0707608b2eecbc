//! `pipe log`: the last output of a step.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use indexmap::IndexMap;

use super::args::{LogArgs, Selection};
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::session::Session;
use crate::cache::Cache;
use crate::plan::{Plan, PlanStep};
use crate::report::copy_log;

pub(super) fn log(around: &Surroundings, args: &LogArgs) -> Exit {
    let mut session = match Session::survey(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let logs = match logs(&mut session, args) {
        Ok(logs) => logs,
        Err(exit) => return exit,
    };
    if logs.is_empty() {
        return refuse(&format!(
            "there is no log of `{}`: it has not run here, or its log was removed",
            args.reference
        ));
    }
    for (name, found) in &logs {
        let Some((newest, older)) = found.split_last() else {
            continue;
        };
        if logs.len() > 1 || !older.is_empty() {
            super::output::err(&heading(name, newest, older));
        }
        // A reader that goes away early is no fault.
        let _ = copy_log(
            &newest.log,
            &mut std::io::stdout(),
            &mut std::io::stderr(),
            !around.color.0,
        );
    }
    Exit::Good
}

/// A log that is there, and the profile of the run that left it.
struct Found {
    profile: Option<String>,
    when: SystemTime,
    log: PathBuf,
}

/// The logs of each step that is asked for, the newest last. Where neither `-p` nor a target says
/// under which profile, it may be any.
fn logs(session: &mut Session, args: &LogArgs) -> Result<IndexMap<String, Vec<Found>>, Exit> {
    let mut logs: IndexMap<String, Vec<Found>> = IndexMap::new();
    let (plan, cache) = records(session, args, args.profile.clone())?;
    let steps = || plan.named.iter().map(|ix| &plan.steps[*ix]);
    for step in steps() {
        let found = logs.entry(step.name.clone()).or_default();
        found.extend(Found::of(step, &cache));
    }
    if args.profile.is_none() {
        let open = without_profile(steps());
        for profile in session.profiles_in_scope() {
            let (plan, cache) = records(session, args, Some(profile))?;
            let steps = plan.named.iter().map(|ix| &plan.steps[*ix]);
            let under = |step: &&PlanStep| step.profile.is_some() && open.contains(&step.name);
            for step in steps.filter(under) {
                let found = logs.entry(step.name.clone()).or_default();
                found.extend(Found::of(step, &cache));
            }
        }
    }
    for found in logs.values_mut() {
        found.sort_by_key(|found| found.when);
    }
    logs.retain(|_, found| !found.is_empty());
    Ok(logs)
}

fn records(
    session: &mut Session,
    args: &LogArgs,
    profile: Option<String>,
) -> Result<(Plan, Cache), Exit> {
    session.records(&Selection {
        words: vec![args.reference.clone()],
        profile,
        ..Selection::default()
    })
}

impl Found {
    fn of(step: &PlanStep, cache: &Cache) -> Option<Self> {
        let last = cache.last(&step.identity())?;
        let found = Self {
            profile: step.profile.clone(),
            when: last.when(),
            log: last.latest.log.or(last.log)?,
        };
        found.log.exists().then_some(found)
    }
}

/// The names of the steps that are meant under no profile, and not beside themselves under others.
fn without_profile<'a>(steps: impl Iterator<Item = &'a PlanStep> + Clone) -> BTreeSet<String> {
    let under =
        |step: &'a PlanStep, profile: &String| step.name.strip_suffix(&format!(" ({profile})"));
    let others: BTreeSet<&str> = steps
        .clone()
        .filter_map(|step| under(step, step.profile.as_ref()?))
        .collect();
    let open = steps.filter(|step| step.profile.is_none() && !others.contains(&*step.name));
    open.map(|step| step.name.clone()).collect()
}

/// Whose log it is, and how to get those under other profiles.
fn heading(name: &str, newest: &Found, older: &[Found]) -> String {
    let profile = match &newest.profile {
        Some(profile) if !older.is_empty() => format!(" under `{profile}`"),
        _ => String::new(),
    };
    let others = older.iter().filter_map(|found| found.profile.as_ref());
    let others: Vec<String> = others.map(|profile| format!("`-p {profile}`")).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        others => format!(", the newest; see also {}", others.join(", ")),
    };
    format!("── {name}{profile}{others}\n")
}
