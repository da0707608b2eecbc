//! Which programs the `requires` of steps ask for, and which are there. Starts what prints the
//! version of those of which one is wanted, and nothing else.

use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};

use super::checks::version_in;
use super::decide::Around;
use super::environment::{Caller, environment};
use super::scripts::Surroundings;
use crate::expand::Late;
use crate::plan::{CheckKind, PlanStep};
use crate::process::{Command, Limits, OutputSink, Stream, find_program};

/// A program that steps require.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needed {
    /// Its name.
    pub tool: String,
    /// The version that is wanted.
    pub wanted: Option<String>,
    /// Where it is.
    pub path: Option<PathBuf>,
    /// Its version, where one is wanted.
    pub version: Option<String>,
    /// What is not as it should be, in words.
    pub problem: Option<String>,
    /// The steps that require it.
    pub steps: Vec<String>,
}

/// What `steps` require, sorted; one entry for steps that ask for the same and find the same.
pub fn inventory(steps: &[PlanStep], around: &Around<'_>) -> Vec<Needed> {
    let caller = Caller::new(around.caller_env);
    let mut all: Vec<(Question, Needed)> = Vec::new();
    for step in steps {
        for check in &step.requires {
            let Some(question) = Question::of(step, &check.kind, &caller, around.root) else {
                continue;
            };
            match all.iter_mut().find(|(known, _)| *known == question) {
                Some((_, needed)) if needed.steps.contains(&step.name) => {}
                Some((_, needed)) => needed.steps.push(step.name.clone()),
                None => {
                    let limits = Limits {
                        timeout: Some(check.timeout),
                        grace: step.grace,
                    };
                    let needed = Needed {
                        steps: vec![step.name.clone()],
                        ..question.answer(around, limits)
                    };
                    all.push((question, needed));
                }
            }
        }
    }
    let mut all: Vec<Needed> = all.into_iter().map(|(_, needed)| needed).collect();
    all.sort_by(|one, other| (&one.tool, &one.wanted).cmp(&(&other.tool, &other.wanted)));
    all
}

#[derive(PartialEq, Eq)]
struct Question {
    tool: String,
    wanted: Option<String>,
    /// What prints the version; without a program it is the tool itself.
    command: Command,
}

impl Question {
    fn of(step: &PlanStep, check: &CheckKind, caller: &Caller<'_>, root: &Path) -> Option<Self> {
        let CheckKind::Tool {
            name,
            version,
            command,
        } = check
        else {
            return None;
        };
        // What is known only at the step's turn leads to no program.
        let late = Late::default();
        let around = Surroundings {
            step,
            root,
            variables: environment(step, &late, caller, root, false).unwrap_or_default(),
            late,
            spill: root.join(".pipe/scripts/check"),
        };
        let script = command
            .as_ref()
            .and_then(|command| command.fill(&around.late).ok());
        let by_script = script.and_then(|script| around.command(&script, "tool").ok());
        Some(Self {
            tool: name.clone(),
            wanted: version.clone(),
            command: by_script.unwrap_or_else(|| Command {
                args: vec!["--version".into()],
                ..around.bare()
            }),
        })
    }

    fn answer(&self, around: &Around<'_>, limits: Limits) -> Needed {
        let path = self.command.var("PATH").map(AsRef::as_ref);
        let program = find_program(self.tool.as_ref(), path, &self.command.dir).ok();
        let mut needed = Needed {
            tool: self.tool.clone(),
            wanted: self.wanted.clone(),
            problem: program.is_none().then(|| "not found".to_owned()),
            path: program,
            version: None,
            steps: Vec::new(),
        };
        if let (Some(wanted), Some(program)) = (&self.wanted, &needed.path) {
            let found = self.version(program, around, limits);
            let request = VersionReq::parse(wanted).ok();
            needed.problem = match (&found, request) {
                (Some(found), Some(request)) if request.matches(found) => None,
                (Some(_), _) => Some("another version".to_owned()),
                (None, _) => Some("its version is not known".to_owned()),
            };
            needed.version = found.map(|version| version.to_string());
        }
        needed
    }

    fn version(&self, program: &Path, around: &Around<'_>, limits: Limits) -> Option<Version> {
        let mut command = self.command.clone();
        if command.program.is_empty() {
            command.program = program.into();
        }
        let mut printed = Printed(Vec::new());
        let exit = around
            .spawner
            .run(&command, &mut printed, limits, around.cancel);
        exit.is_success().then(|| version_in(&printed.0)).flatten()
    }
}

struct Printed(Vec<u8>);

impl OutputSink for Printed {
    fn take(&mut self, _: Stream, bytes: &[u8]) {
        const MOST: usize = 64 * 1024;
        let room = MOST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}
