//! `pipe check --tools`: the programs that `requires` names, found and needed.

use serde_json::json;

use super::exit::{Exit, refuse};
use super::output;
use super::session::Session;
use crate::exec::{Around, Cancel, Needed, inventory as look};
use crate::plan::PlanStep;
use crate::process::OsSpawner;

/// Tells of all of them. Nothing is wrong with the files when one is missing: that is a failure.
pub(super) fn inventory(session: &Session, steps: &[PlanStep], as_json: bool) -> Exit {
    let cancel = match Cancel::new() {
        Ok(cancel) => cancel,
        Err(error) => return refuse(&error.to_string()),
    };
    let around = Around {
        root: &session.root,
        caller_env: &session.around.env,
        spawner: &OsSpawner,
        cancel: &cancel,
    };
    let needed = look(steps, &around);
    if as_json {
        let tools: Vec<_> = needed.iter().map(document).collect();
        output::json(&json!({ "version": 1, "tools": tools }));
    } else {
        output::out(&table(&needed));
    }
    match needed.iter().any(|needed| needed.problem.is_some()) {
        true => Exit::Failed,
        false => Exit::Good,
    }
}

fn document(needed: &Needed) -> serde_json::Value {
    json!({
        "tool": needed.tool,
        "wanted": needed.wanted,
        "path": needed.path.as_ref().map(|path| path.display().to_string()),
        "found": needed.version,
        "problem": needed.problem,
        "steps": needed.steps,
    })
}

/// Name, wanted, found, where, for whom.
fn table(needed: &[Needed]) -> String {
    if needed.is_empty() {
        return "no step requires a tool\n".to_owned();
    }
    let rows: Vec<[String; 4]> = needed.iter().map(row).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let line = |(row, needed): (&[String; 4], &Needed)| {
        let mark = if needed.problem.is_some() {
            "✗"
        } else {
            "✓"
        };
        let [tool, wanted, found, place] = row;
        let [one, two, three] = widths;
        let line = format!("{mark} {tool:<one$}  {wanted:<two$}  {found:<three$}  {place}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().zip(needed).map(line).collect()
}

fn row(needed: &Needed) -> [String; 4] {
    let found = match (&needed.problem, &needed.version) {
        (Some(problem), Some(version)) => format!("{version}: {problem}"),
        (Some(problem), None) => problem.clone(),
        (None, Some(version)) => version.clone(),
        (None, None) => "found".to_owned(),
    };
    let place = match (&needed.path, needed.problem.is_some()) {
        (Some(path), false) => path.display().to_string(),
        (path, _) => {
            let path = path.iter().map(|path| path.display().to_string());
            let steps = format!("needed by {}", needed.steps.join(", "));
            path.chain([steps]).collect::<Vec<_>>().join(", ")
        }
    };
    [
        needed.tool.clone(),
        needed.wanted.clone().unwrap_or_default(),
        found,
        place,
    ]
}
