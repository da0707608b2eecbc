//! What a transcript cannot say: runs that are started and not waited for, signals, events.
//!
//! Nothing here waits by sleeping: steps and tests meet at FIFOs. A reader that would wait for ever
//! is ended by `timeout`.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::Value;

use crate::support::{Output, Sandbox};

/// A step that says that it runs, and goes on when it is told to.
const WAITING: &str = "steps:\n  wait: { run: 'echo $$ > pid; echo > started; cat go' }\n";

/// A workspace whose step `wait` has started, and the run that it belongs to.
fn waiting(pipeline: &str) -> (Sandbox, Child) {
    let sandbox = Sandbox::with(pipeline);
    let _ = sandbox.shell("mkfifo started go").exits(0);
    let run = sandbox.start(&["run", "wait"]);
    let _ = sandbox.shell("timeout 60 cat started").exits(0);
    (sandbox, run)
}

/// Sends a signal.
fn signal(sandbox: &Sandbox, name: &str, run: &Child) {
    let _ = sandbox
        .shell(&format!("kill -{name} {}", run.id()))
        .exits(0);
}

fn finished(run: Child) -> (Option<i32>, String) {
    let output = run.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Whether the step whose pid is in the file `pid` is there.
fn lives(sandbox: &Sandbox) -> bool {
    sandbox.shell("kill -0 $(cat pid) 2>/dev/null").code == Some(0)
}

#[test]
fn one_run_at_a_time() {
    let (sandbox, first) = waiting(WAITING);
    let refused = sandbox.pipe(&["run", "--no-wait", "wait"]).exits(2);
    assert!(
        refused.stderr.contains(&format!("{}", first.id())) || refused.stderr.contains("[PID]"),
        "{refused:?}"
    );
    let mut second = sandbox.start(&["run", "wait"]);
    let mut words = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    words.read_line(&mut line).unwrap();
    assert!(line.contains("waiting for another"), "{line}");
    // Looking is free while somebody runs.
    let _ = sandbox.pipe(&["list"]).exits(0);
    let _ = sandbox.pipe(&["plan", "wait"]).exits(0);
    let _ = sandbox.shell("echo > go").exits(0);
    assert_eq!(finished(first).0, Some(0));
    let _ = sandbox.shell("timeout 60 cat started; echo > go").exits(0);
    assert_eq!(second.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interrupt_ends_the_steps_and_is_told() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (sandbox, run) = waiting(WAITING);
        signal(&sandbox, name, &run);
        let (exit, words) = finished(run);
        assert_eq!(exit, Some(code), "{name}: {words}");
        assert!(words.contains("1 cancelled"), "{words}");
        assert!(!lives(&sandbox), "the step outlived the run");
    }
}

#[test]
fn an_interrupt_ends_the_wait_before_a_retry() {
    let sandbox = Sandbox::with(
        "steps:\n  wait: { run: exit 1, retries: { max: 1, delay: 1h }, on_failure: touch undone }\n",
    );
    let mut run = sandbox.start(&["run", "--json", "wait"]);
    let events = BufReader::new(run.stdout.take().unwrap()).lines();
    for line in events.map(Result::unwrap) {
        if line.contains(r#""event":"step_retried""#) {
            signal(&sandbox, "INT", &run);
        }
    }
    let (exit, words) = finished(run);
    assert_eq!(exit, Some(130), "{words}");
    assert!(words.contains("1 cancelled"), "{words}");
    assert!(!sandbox.has("undone"), "a run that ends starts nothing new");
}

#[test]
fn a_step_that_ignores_the_signal_is_killed() {
    let deaf = "steps:\n  wait: { grace: 50ms, run: 'trap \"\" TERM; echo $$ > pid; echo > started; cat go; cat go' }\n";
    let (sandbox, run) = waiting(deaf);
    signal(&sandbox, "TERM", &run);
    assert_eq!(finished(run).0, Some(143));
    assert!(!lives(&sandbox), "the step outlived the run");
}

#[test]
fn an_interrupted_step_is_not_recorded() {
    let cached = "steps:\n  wait: { sources: [], outputs: [out], run: 'echo > out; echo $$ > pid; echo > started; cat go' }\n";
    let (sandbox, run) = waiting(cached);
    signal(&sandbox, "TERM", &run);
    assert_eq!(finished(run).0, Some(143));
    let _ = sandbox.pipe(&["run", "-q", "wait"]).exits(1);
}

/// A step that hides a process in a session of its own. All its processes hold the FIFO `alive`
/// open; its reader sees the end when they are gone.
const HIDING: &str = "steps:\n  wait: { run: 'exec 3>alive; setsid sh -c \"trap : TERM HUP; sleep 600\" > /dev/null 2>&1 & echo > started; cat go' }\n";

/// Whether all processes of the step of `HIDING` went after `ending` was run.
fn all_go_after(sandbox: &Sandbox, ending: &str) -> bool {
    let line = format!(
        "(timeout 20 cat alive && echo > gone) & timeout 20 cat started && {ending} && wait"
    );
    let _ = sandbox.shell(&line).exits(0);
    sandbox.has("gone")
}

#[test]
#[ignore = "waits for the helper that is parent of all steps"]
fn no_step_outlives_a_killed_run() {
    let sandbox = Sandbox::with(HIDING);
    let _ = sandbox.shell("mkfifo started go alive").exits(0);
    let run = sandbox.start(&["run", "wait"]);
    assert!(all_go_after(&sandbox, &format!("kill -9 {}", run.id())));
    assert_eq!(finished(run).0, None);
}

#[test]
#[ignore = "waits for the helper that is parent of all steps"]
fn no_hidden_process_outlives_its_run() {
    let sandbox = Sandbox::with(HIDING);
    let _ = sandbox.shell("mkfifo started go alive").exits(0);
    let run = sandbox.start(&["run", "wait"]);
    assert!(all_go_after(&sandbox, "echo > go"));
    assert_eq!(finished(run).0, Some(0));
}

#[test]
fn a_timeout_ends_a_step_that_does_not_listen() {
    let sandbox = Sandbox::with(
        "steps:\n  deaf:\n    timeout: 100ms\n    grace: 50ms\n    run: |\n      trap '' TERM\n      echo $$ > pid; echo before\n      \
         while :; do read x < go; done\n",
    );
    let _ = sandbox.shell("mkfifo go").exits(0);
    let done = sandbox.pipe(&["run", "deaf"]).exits(1);
    assert!(
        done.stderr
            .contains("took longer than its `timeout` of 100ms"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("before"), "{}", done.stderr);
    assert!(!lives(&sandbox));
}

#[test]
fn steps_run_at_once_up_to_the_limit() {
    // Each of the two waits for the other: they end only if both run at once.
    let sandbox = Sandbox::with(
        "steps:\n  a: { run: 'echo > one; cat two' }\n  b: { run: 'cat one; echo > two' }\n  both: { needs: [a, b] }\n",
    );
    let _ = sandbox
        .shell("mkfifo one two && timeout 60 pipe run -j2 both")
        .exits(0);
    // A folder can be made once: two at once would fail.
    let sandbox = Sandbox::with(
        "steps:\n  many: { matrix: { n: [1, 2, 3, 4, 5, 6] }, run: 'mkdir taken && : > x && rmdir taken' }\n",
    );
    let _ = sandbox.pipe(&["run", "-j1", "many"]).exits(0);
}

/// Commands that are started at the same moment hold copies of each other's pipes for an instant.
#[test]
fn steps_side_by_side_are_not_blamed_for_each_other() {
    let sandbox = Sandbox::with(
        "steps:\n  many: { matrix: { n: [1, 2, 3, 4, 5, 6, 7, 8] }, run: 'echo ${{ matrix.n }} | cat' }\n  \
         all: { needs: [many], run: 'true' }\n",
    );
    for _ in 0..5 {
        let output = sandbox.pipe(&["run", "all", "-j8"]).exits(0);
        assert!(
            !output.stderr.contains("keeps its output open"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn a_run_leaves_a_step_that_waits_no_key_of_the_past() {
    // The source changes while the step runs: what it made is not kept.
    let sandbox = Sandbox::with(
        "steps:\n  wait: { sources: [in.txt], outputs: [out], run: 'cat in.txt > out; echo > started; cat go' }\n",
    );
    sandbox.write("in.txt", "before\n");
    let _ = sandbox.shell("mkfifo started go").exits(0);
    let run = sandbox.start(&["run", "wait"]);
    let _ = sandbox.shell("timeout 60 cat started").exits(0);
    sandbox.write("in.txt", "after\n");
    let _ = sandbox.shell("echo > go").exits(0);
    let (code, words) = finished(run);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("in.txt changed while it ran"), "{words}");
    sandbox.write("in.txt", "before\n");
    let _ = sandbox.pipe(&["run", "-q", "wait"]).exits(1);
}

const STORY: &str = "
steps:
  make: { sources: [in.txt], outputs: [out/], run: 'mkdir -p out; echo text; echo words >&2; cp in.txt out/' }
  use: { needs: [make], matrix: { n: [1, 2] }, sources: [], outputs: ['u${{ matrix.n }}'], run: 'touch u${{ matrix.n }}' }
  skip: { if: 'false', run: 'echo' }
  bad: { needs: [use], run: 'exit 3' }
  blocked: { needs: [bad], run: 'echo' }
  all: { needs: [blocked, skip] }
";

#[test]
fn events_hold_to_their_schema() {
    let sandbox = Sandbox::with(STORY);
    sandbox.write("in.txt", "a\n");
    let _ = sandbox.shell("pipe schema events > schema.json").exits(0);
    let schema: Value = serde_json::from_str(&sandbox.read("schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for words in [
        &["run", "--json", "all"][..],
        &["run", "--json", "--output", "stream", "-B", "all"],
        &["run", "--json", "use"],
        &["run", "--json", "nope"],
    ] {
        for event in events(&sandbox.pipe(words)) {
            let faults: Vec<String> = schema
                .iter_errors(&event)
                .map(|error| error.to_string())
                .collect();
            assert!(faults.is_empty(), "{words:?}: {event}: {faults:?}");
        }
    }
}

#[test]
fn every_step_ends_once() {
    let sandbox = Sandbox::with(STORY);
    sandbox.write("in.txt", "a\n");
    let events = events(&sandbox.pipe(&["run", "--json", "-k", "all"]).exits(1));
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    assert_eq!(events.last().unwrap()["outcome"], "failed");
    let mut ended: Vec<(String, String)> = events
        .iter()
        .filter(|event| event["event"] == "step_finished")
        .map(|event| (text(&event["step"]), text(&event["outcome"])))
        .collect();
    ended.sort();
    let wanted = [
        ("ws:bad", "failed"),
        ("ws:blocked", "blocked"),
        ("ws:make", "executed"),
        ("ws:skip", "skipped"),
        ("ws:use@n=1", "executed"),
        ("ws:use@n=2", "executed"),
    ];
    assert_eq!(
        ended,
        wanted.map(|(step, outcome)| (step.to_owned(), outcome.to_owned()))
    );
    assert_eq!(events[0]["instances"], wanted.len());
    let failed = events
        .iter()
        .find(|event| event["outcome"] == "failed")
        .unwrap();
    assert_eq!(
        (&failed["exit_code"], &failed["failure"]),
        (&Value::from(3), &Value::from("command"))
    );
    let made = events
        .iter()
        .find(|event| event["step"] == "ws:make" && event["event"] == "step_finished")
        .unwrap();
    assert_eq!(made["outputs"][0]["path"], "out/in.txt");
    assert_eq!(made["outputs"][0]["bytes"], 2);
}

#[test]
fn a_log_that_cannot_be_read_any_more_is_no_fault() {
    let sandbox =
        Sandbox::with("steps:\n  a: { sources: [], outputs: [a], run: 'echo hi; touch a' }\n");
    let _ = sandbox.pipe(&["run", "a"]).exits(0);
    sandbox.remove(".pipe/runs");
    let _ = sandbox.pipe(&["run", "--replay", "a"]).exits(0);
    assert!(sandbox.has("a"));
}

#[test]
fn the_mode_of_a_source_counts() {
    let sandbox =
        Sandbox::with("steps:\n  a: { sources: [tool], outputs: [b], run: 'cp -p tool b' }\n");
    sandbox.write("tool", "#!/bin/sh\n");
    sandbox.mkdir("deep/er");
    let _ = sandbox
        .pipe(&["-C", "deep", "-C", "er", "run", "a"])
        .exits(0);
    let _ = sandbox.pipe(&["run", "-q", "a"]).exits(0);
    sandbox.chmod("tool", 0o755);
    let _ = sandbox.pipe(&["run", "-q", "a"]).exits(1);
    let _ = sandbox.pipe(&["run", "a"]).exits(0);
    let _ = sandbox.shell("rm b && pipe run a && test -x b").exits(0);
}

#[test]
fn a_store_that_cannot_be_written_is_said_and_not_needed() {
    let sandbox = Sandbox::with("steps:\n  a: { sources: [], outputs: [a], run: 'touch a' }\n");
    sandbox.write("file", "in the way");
    let done = sandbox
        .pipe(&["run", "--cache-dir", "file/store", "a"])
        .exits(0);
    assert!(done.stderr.contains("store"), "{}", done.stderr);
}

/// The lines of a `--json` run.
fn events(output: &Output) -> Vec<Value> {
    output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A step that has the terminal, after one that only makes the view appear.
fn on_a_terminal(script: &str, typed: &str) -> Output {
    let pipeline = format!(
        "steps:\n  first: {{ run: echo before }}\n  ask:\n    needs: [first]\n    interactive: true\n    timeout: 60s\n    run: |\n      {script}\n"
    );
    Sandbox::with(&pipeline).terminal("exec pipe run ask", typed)
}

#[test]
fn an_interactive_step_has_the_terminal() {
    let done = on_a_terminal(
        "test -t 0 -a -t 1 -a -t 2; echo ready; read x; echo got $x",
        "you\n",
    )
    .exits(0);
    assert!(done.stdout.contains("got you"), "{done:?}");
    // Nothing is drawn between what it shows.
    let from = done.stdout.find("ready").unwrap();
    let to = done.stdout.find("got you").unwrap();
    assert!(!done.stdout[from..to].contains('\x1b'), "{done:?}");
    assert!(done.stdout[..from].contains("before"), "{done:?}");
    assert!(done.stdout.contains("2 executed"), "{done:?}");
}

#[test]
fn an_interrupt_is_for_who_has_the_terminal() {
    // The line break after ctrl-C is for a shell that hears it just before it begins to read.
    let done = on_a_terminal(
        "trap 'echo caught; exit 0' INT; echo ready; read x",
        "\x03\n",
    )
    .exits(0);
    assert!(
        done.stdout.contains("caught") && done.stdout.contains("2 executed"),
        "{done:?}"
    );
    let done = on_a_terminal("echo ready; read x", "\x03\n").exits(130);
    assert!(done.stdout.contains("1 cancelled"), "{done:?}");
}
