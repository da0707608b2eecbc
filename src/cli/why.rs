//! `pipe why`: why a step would run now, or why it would not.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::args::WhyArgs;
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::output;
use super::plan::{Ahead, as_json, look_ahead};
use crate::cache::LastRun;
use crate::exec::{Answer, Asked, Decision};
use crate::sys::clock::rfc3339;

pub(super) fn why(around: &Surroundings, args: &WhyArgs) -> Exit {
    if args.selection.words.is_empty() {
        return refuse("`pipe why` wants the name of a step, for example `pipe why api:build`");
    }
    let ahead = match look_ahead(
        around,
        &args.selection,
        &args.store,
        &[],
        Asked {
            force: false,
            in_depth: true,
        },
    ) {
        Ok(ahead) => ahead,
        Err(exit) => return exit,
    };
    let named = || ahead.plan.named.iter().map(|ix| &ahead.decisions[*ix]);
    if args.json {
        let steps: Vec<_> = named().map(|decision| document(&ahead, decision)).collect();
        output::json(&json!({ "version": 1, "steps": steps }));
    } else {
        output::out(
            &named()
                .map(|decision| text(&ahead, decision))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    Exit::Good
}

fn document(ahead: &Ahead, decision: &Decision) -> serde_json::Value {
    let mut document = as_json(ahead, decision);
    let last = ahead
        .cache
        .last(&ahead.plan.steps[decision.step].identity());
    document["last"] = last.map_or(serde_json::Value::Null, |last| {
        json!({ "run": last.latest.run, "when": rfc3339(last.when()), "ending": format!("{:?}", last.latest.ending).to_lowercase(), "made": last.made.map(|made| json!({ "run": made.run, "step": made.step, "root": made.root, "when": rfc3339(UNIX_EPOCH + Duration::from_nanos(made.started)) })) })
    });
    document
}

fn text(ahead: &Ahead, decision: &Decision) -> String {
    let step = &ahead.plan.steps[decision.step];
    let mut text = format!("{} {}\n", step.name, verdict(ahead, decision));
    for reason in &decision.why {
        text.push_str(&format!("  {}\n", reason.text));
        for (word, value) in [("was", &reason.old), ("is", &reason.new)] {
            if let Some(value) = value {
                text.push_str(&format!("    {word:<3} {value}\n"));
            }
        }
    }
    if let Some(last) = ahead.cache.last(&step.identity()) {
        let ended = format!("{:?}", last.latest.ending).to_lowercase();
        text.push_str(&format!(
            "  last here: {ended} at {} by run {}\n",
            rfc3339(last.when()),
            last.latest.run
        ));
        text.push_str(&made_elsewhere(&last));
    }
    if let Some(key) = &decision.key {
        text.push_str(&format!("  key: {key}\n"));
    }
    text
}

/// Which run made what came from the store.
fn made_elsewhere(last: &LastRun) -> String {
    let made = last.made.as_ref();
    made.filter(|made| made.run != last.latest.run)
        .map_or_else(String::new, |made| {
            let when = rfc3339(UNIX_EPOCH + Duration::from_nanos(made.started));
            let (run, step, root) = (&made.run, &made.step, &made.root);
            format!("  made: at {when} by run {run} of {step} in {root}\n")
        })
}

fn verdict(ahead: &Ahead, decision: &Decision) -> String {
    match &decision.answer {
        Answer::UpToDate => {
            "is up to date: its key is that of its last run here, and its outputs are intact"
                .to_owned()
        }
        Answer::Restore => "would be restored from the store".to_owned(),
        Answer::Run => "would run".to_owned(),
        Answer::RunUnless(needs) => {
            let names: Vec<&str> = needs
                .iter()
                .map(|ix| ahead.plan.steps[*ix].name.as_str())
                .collect();
            format!(
                "would run unless what it needs comes out the same: {}",
                names.join(", ")
            )
        }
        Answer::Skipped => "is skipped: its `if` is false".to_owned(),
        Answer::Fail(reason) => format!("would fail: {reason}"),
    }
}
