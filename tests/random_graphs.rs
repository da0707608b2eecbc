//! Random workspaces, edited and run with real processes, beside the naive oracle in `oracle/`.
//!
//! `SEED=n` plays one sequence again, `SEQUENCES=n` so many of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::oracle::command::{act, script};
use crate::oracle::dice::Dice;
use crate::oracle::disk::read_tree;
use crate::oracle::expected::{Outcome, Outcomes, Run};
use crate::oracle::graph::{Graph, Mode, Out};
use crate::oracle::sequence::{World, hold};
use crate::support::Sandbox;

/// A workspace in which `pipe` runs.
struct Real {
    sandbox: Sandbox,
    root: PathBuf,
    store: PathBuf,
}

impl Real {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let root = sandbox.root();
        let store = root.with_file_name("store");
        Self {
            sandbox,
            root,
            store,
        }
    }
}

impl World for Real {
    fn root(&self) -> &Path {
        &self.root
    }

    fn store(&self) -> &Path {
        &self.store
    }

    fn run(&mut self, graph: &Graph, run: &Run) -> Outcomes {
        self.sandbox.write("pipe.yaml", pipeline(graph));
        let jobs = format!("-j{}", run.jobs);
        let mut words = vec!["run", "--json", &jobs];
        words.extend(run.keep_going.then_some("-k"));
        words.extend(run.force.then_some("-B"));
        words.extend(run.no_store.then_some("--no-cache"));
        words.extend(run.wanted.iter().map(|at| &*graph.steps[*at].name));
        let output = self.sandbox.pipe(&words);
        let events = output
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let finished = events.filter(|event: &Value| event["event"] == "step_finished");
        let outcomes: Outcomes = finished.map(|event| outcome(&event)).collect();
        assert!(!outcomes.is_empty(), "{output:?}\n{}", pipeline(graph));
        outcomes
    }
}

/// A step's name and how it ended.
fn outcome(event: &Value) -> (String, Outcome) {
    let name = event["step"].as_str().unwrap().trim_start_matches("ws:");
    let outcome = match event["outcome"].as_str().unwrap() {
        "executed"
            if event["tainted"]
                .as_array()
                .is_some_and(|files| !files.is_empty()) =>
        {
            Outcome::Tainted
        }
        "executed" => Outcome::Executed,
        "up_to_date" => Outcome::UpToDate,
        "from_cache" => Outcome::FromCache,
        "failed" => Outcome::Failed,
        "blocked" => Outcome::Blocked,
        "cancelled" => Outcome::Cancelled,
        other => panic!("{other}"),
    };
    (name.to_owned(), outcome)
}

/// The graph as a pipeline file.
fn pipeline(graph: &Graph) -> String {
    let mut file = "steps:\n".to_owned();
    for (at, step) in graph.steps.iter().enumerate() {
        let names = |steps: &[usize]| -> Vec<&str> {
            steps.iter().map(|at| &*graph.steps[*at].name).collect()
        };
        let globs = step.globs.iter().map(|folder| format!("{folder}/*.txt"));
        let sources: Vec<String> = globs.chain(step.literals.clone()).collect();
        let mode = match step.mode {
            Mode::Shared => "shared",
            Mode::Local => "local",
            Mode::Off => "off",
        };
        let output = step.out.declared().map(|path| match step.out {
            Out::Optional(_) => json!({ "path": path, "optional": true }),
            _ => json!(path),
        });
        let _ = writeln!(file, "  {}:", step.name);
        let mut line = |key: &str, value: Value| {
            let _ = writeln!(file, "    {key}: {value}");
        };
        line("description", json!(format!("number {}", step.description)));
        line("sources", json!(sources));
        line("outputs", json!(output.into_iter().collect::<Vec<Value>>()));
        line("needs", json!(names(&step.needs)));
        line("after", json!(names(&step.after)));
        let salt = step.salt.as_ref();
        line(
            "cache",
            salt.map_or(json!(mode), |salt| json!({ "mode": mode, "salt": salt })),
        );
        if let Some(env) = &step.env {
            line("env", json!({ "V": env }));
        }
        if step.incremental {
            line("incremental", json!(true));
        }
        file.push_str("    run: |\n");
        for line in script(graph, at).lines() {
            let _ = writeln!(file, "      {line}");
        }
    }
    file
}

#[test]
fn every_run_is_what_the_oracle_says() {
    hold(6, &|| -> Box<dyn World> { Box::new(Real::new()) });
}

/// The oracle's commands are those of the scripts: else it would be an oracle of something else.
#[test]
fn the_oracle_knows_what_the_scripts_do() {
    for seed in 0..8 {
        let (graph, sources) = Graph::random(&mut Dice::new(seed));
        let (one, other) = (Real::new(), Real::new());
        for (path, text) in &sources {
            one.sandbox.write(path, format!("{text}ELO\n"));
            other.sandbox.write(path, format!("{text}ELO\n"));
        }
        for (at, step) in graph.steps.iter().enumerate() {
            let env = step.env.as_deref().unwrap_or_default();
            let folders =
                "mkdir -p out; for d in 0 1 2 3 4 5 6 7; do mkdir -p out/g$d-0 out/g$d-1; done";
            for world in [&one, &other] {
                let _ = world.sandbox.shell(folders).exits(0);
            }
            let _ = one
                .sandbox
                .shell(&format!("V={env}\n{}", script(&graph, at)))
                .exits(0);
            assert!(act(&graph, at, &other.root));
        }
        assert_eq!(read_tree(&one.root), read_tree(&other.root), "seed {seed}");
    }
}
