//! A Makefile that nothing else explains.

use super::document::{Draft, Step, Target};
use super::files::Files;

const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// A Makefile knows itself what is out of date, so its step always runs.
pub(super) fn draft(files: &Files) -> Option<Draft> {
    let text = MAKEFILES.iter().find_map(|name| files.text(name))?;
    let has_goal = |goal: &str| {
        text.lines().any(|line| {
            line.strip_prefix(goal)
                .is_some_and(|rest| rest.trim_start().starts_with(':') && !rest.contains(":="))
        })
    };
    let mut steps = vec![
        Step::new("build", "What make builds")
            .note(
                "make decides what is to be done, so this step always runs. Say what it reads and makes, and\n\
                 it runs only when that changed:\n\
                 sources: [\"src/**\", \"include/**\", Makefile]\n\
                 outputs: [bin/app]",
            )
            .run(&["make -j${{ jobs }}"]),
    ];
    for goal in ["test", "check"] {
        if has_goal(goal) {
            steps.push(
                Step::new("test", "Tests")
                    .list("after", &["build"])
                    .run(&[format!("make {goal}")]),
            );
            break;
        }
    }
    Some(Draft {
        kind: "a Makefile".to_owned(),
        dev: Target {
            steps: steps.iter().map(|step| step.name).collect(),
            profile: None,
            description: "what make builds",
        },
        steps,
        ..Draft::default()
    })
}
