//! Several `pipe` on one store, or in one workspace, at once.
//!
//! Nothing here waits by sleeping: steps and tests meet at FIFOs, and events tell when a run waits.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;

use crate::support::{PIPE, Sandbox, repository};

/// The workspaces `one` and `two` with the same steps. The command of `wait` says that it runs, and
/// goes on with a word that it is given; `other` can run at any time.
const PIPELINE: &str = r#"
steps:
  wait:
    sources: [pipe.yaml]
    outputs: [out]
    run: |
      echo $$ > ../pid
      echo ran >> ../runs
      echo > ../started
      read word < go
      test "$word" = good
      echo made > out
  other: { run: "true" }
  both: { needs: [wait, other] }
"#;

/// Lets the command in `workspace` go on.
fn go(sandbox: &Sandbox, workspace: &str, word: &str) {
    let line = format!("echo {word} | timeout 60 tee {workspace}/go");
    let _ = sandbox.shell(&line).exits(0);
}

/// Waits until a command says that it runs.
fn started(sandbox: &Sandbox) {
    let _ = sandbox.shell("timeout 60 cat started").exits(0);
}

/// Two workspaces; in `one` the command runs.
fn both() -> (Sandbox, Child) {
    let sandbox = Sandbox::new();
    sandbox.write("one/pipe.yaml", PIPELINE);
    sandbox.write("two/pipe.yaml", PIPELINE);
    let _ = sandbox.shell("mkfifo started one/go two/go").exits(0);
    let first = sandbox.start(&["run", "-C", "one", "wait"]);
    started(&sandbox);
    (sandbox, first)
}

/// A run whose events are read one by one.
struct Run {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Run {
    fn start(sandbox: &Sandbox, words: &[&str]) -> Self {
        let mut child = sandbox.start(words);
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    /// The second workspace's run, once it waits for the first one's.
    fn waiting(sandbox: &Sandbox, first: &Child) -> Self {
        let mut run = Self::start(sandbox, &["run", "-C", "two", "-j1", "--json", "both"]);
        let waits = run.until("step_waiting");
        assert_eq!(waits["pid"], first.id());
        run
    }

    /// The next event of this kind.
    fn until(&mut self, kind: &str) -> Value {
        let mut events = self.events.by_ref().map(Result::unwrap);
        let found = events.find_map(|line| {
            let event: Value = serde_json::from_str(&line).unwrap();
            (event["event"] == kind).then_some(event)
        });
        found.unwrap_or_else(|| panic!("no {kind}"))
    }

    /// The outcome of the step that ends next.
    fn outcome(&mut self) -> (String, String) {
        let event = self.until("step_finished");
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("step"), text("outcome"))
    }

    fn exit(mut self) -> Option<i32> {
        self.events.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

fn outcome(step: &str, outcome: &str) -> (String, String) {
    (step.to_owned(), outcome.to_owned())
}

#[test]
fn the_second_waits_and_restores() {
    let (sandbox, mut first) = both();
    let mut second = Run::waiting(&sandbox, &first);
    // Its only slot is free meanwhile.
    assert_eq!(second.outcome(), outcome("two:other", "executed"));
    go(&sandbox, "one", "good");
    assert_eq!(second.outcome(), outcome("two:wait", "from_cache"));
    assert_eq!(second.exit(), Some(0));
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.read("runs"), "ran\n");
    assert_eq!(sandbox.read("two/out"), "made\n");
}

#[test]
fn where_the_first_fails_the_second_runs() {
    let (sandbox, mut first) = both();
    let mut second = Run::waiting(&sandbox, &first);
    go(&sandbox, "one", "bad");
    assert_eq!(first.wait().unwrap().code(), Some(1));
    started(&sandbox);
    go(&sandbox, "two", "good");
    assert_eq!(second.outcome(), outcome("two:other", "executed"));
    assert_eq!(second.outcome(), outcome("two:wait", "executed"));
    assert_eq!(second.exit(), Some(0));
    assert_eq!(sandbox.read("runs"), "ran\nran\n");
}

#[test]
fn a_killed_one_blocks_nobody() {
    let (sandbox, mut first) = both();
    let second = Run::waiting(&sandbox, &first);
    let kill = format!("kill -9 {} $(cat pid)", first.id());
    let _ = sandbox.shell(&kill).exits(0);
    assert_eq!(first.wait().unwrap().code(), None);
    started(&sandbox);
    go(&sandbox, "two", "good");
    assert_eq!(second.exit(), Some(0));
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (sandbox, mut first) = both();
    let second = Run::waiting(&sandbox, &first);
    let _ = sandbox
        .shell(&format!("kill -INT {}", second.child.id()))
        .exits(0);
    assert_eq!(second.exit(), Some(130));
    go(&sandbox, "one", "good");
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn forced_runs_wait_for_nobody() {
    let (sandbox, mut first) = both();
    let second = Run::start(&sandbox, &["run", "-C", "two", "-B", "--json", "wait"]);
    started(&sandbox);
    go(&sandbox, "one", "good");
    go(&sandbox, "two", "good");
    assert_eq!(second.exit(), Some(0));
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.read("runs"), "ran\nran\n");
}

#[test]
fn equal_steps_of_one_run_wait_for_each_other() {
    // They are not one step: what they may take differs.
    let sandbox = Sandbox::with(
        "steps:\n  a: { sources: [pipe.yaml], cache: shared, timeout: 1m, run: echo ran >> runs }\n  \
         b: { sources: [pipe.yaml], cache: shared, timeout: 2m, run: echo ran >> runs }\n  both: { needs: [a, b] }\n",
    );
    let done = sandbox.pipe(&["run", "-j2", "both"]).exits(0);
    assert!(
        done.stderr.contains("1 executed, 1 from cache"),
        "{}",
        done.stderr
    );
    assert_eq!(sandbox.read("runs"), "ran\n");
}

#[test]
fn a_result_that_is_good_in_one_place_only_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let pipeline = PIPELINE.replace("echo made > out", "pwd > out");
    for workspace in ["one", "two", "three"] {
        sandbox.write(&format!("{workspace}/pipe.yaml"), &pipeline);
    }
    let _ = sandbox
        .shell("mkfifo started one/go two/go three/go")
        .exits(0);
    let start = |workspace| {
        let run = Run::start(&sandbox, &["run", "-C", workspace, "--json", "wait"]);
        started(&sandbox);
        run
    };
    let one = start("one");
    go(&sandbox, "one", "good");
    assert_eq!(one.exit(), Some(0));
    // Both are at it at once.
    let (two, three) = (start("two"), start("three"));
    go(&sandbox, "two", "good");
    go(&sandbox, "three", "good");
    assert_eq!((two.exit(), three.exit()), (Some(0), Some(0)));
}

#[test]
fn twenty_runs_at_once_in_one_workspace() {
    let sandbox = Sandbox::with(
        "steps:\n  many:\n    matrix: { n: [1, 2, 3, 4, 5, 6, 7, 8] }\n    sources: [pipe.yaml]\n    outputs: [\"out-${{ matrix.n }}\"]\n    \
         run: echo ${{ matrix.n }} >> runs; echo ${{ matrix.n }} > out-${{ matrix.n }}\n  all: { needs: [many] }\n",
    );
    let runs: Vec<Child> = (0..20)
        .map(|_| sandbox.start(&["run", "-j2", "all"]))
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    assert_eq!(sandbox.read("runs").lines().count(), 8, "each ran once");
}

#[test]
fn eight_workspaces_and_a_collection_on_one_store() {
    let script = repository().join("tests/faults/shared-store");
    let done = Command::new(script).args([PIPE, "3"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
