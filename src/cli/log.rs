//! `pipe log`: the last output of a step.

use super::args::{LogArgs, Selection};
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::session::Session;
use crate::report::copy_log;

pub(super) fn log(around: &Surroundings, args: &LogArgs) -> Exit {
    let mut session = match Session::survey(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let selection = Selection {
        words: vec![args.reference.clone()],
        profile: args.profile.clone(),
        ..Selection::default()
    };
    let (plan, cache) = match session.records(&selection) {
        Ok(records) => records,
        Err(exit) => return exit,
    };
    let logs: Vec<_> = plan
        .named
        .iter()
        .filter_map(|ix| {
            let step = &plan.steps[*ix];
            let last = cache.last(&step.identity())?;
            Some((step.name.clone(), last.latest.log.or(last.log)?))
        })
        .filter(|(_, log)| log.exists())
        .collect();
    if logs.is_empty() {
        return refuse(&format!(
            "there is no log of `{}`: it has not run here, or its log was removed",
            args.reference
        ));
    }
    for (name, log) in &logs {
        if logs.len() > 1 {
            super::output::err(&format!("── {name}\n"));
        }
        // A reader that goes away early is no fault.
        let _ = copy_log(
            log,
            &mut std::io::stdout(),
            &mut std::io::stderr(),
            !around.color.0,
        );
    }
    Exit::Good
}
