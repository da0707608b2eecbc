//! What the torture stories (`stories/torture/`) cannot tell: things that happen while a run goes on.
//! `torture.md` lists every torment and the test that holds it.

use std::collections::BTreeSet;
use std::process::Child;

use crate::support::{Sandbox, repository};

/// A step that says that it runs, and goes on when it is told to.
const WAITING: &str = "steps:\n  wait: { sources: [in.txt], outputs: [out], run: 'cat in.txt > out; echo > started; cat go' }\n";

/// Waits for a run; fails if it was no success.
fn good(run: Child) -> String {
    let output = run.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}");
    words
}

/// Plays `edits` in a shell while the step of [`WAITING`] runs; what the run says.
fn while_it_runs(sandbox: &Sandbox, edits: &str) -> String {
    let run = sandbox.start(&["run", "wait"]);
    let line = format!("timeout 60 cat started && {edits} && echo > go");
    let _ = sandbox.shell(&line).exits(0);
    good(run)
}

#[test]
fn an_edit_that_is_taken_back_while_the_step_runs_is_seen() {
    let edits = [
        "echo other > in.txt && echo text > in.txt",
        "touch -r in.txt ../s && echo othr > in.txt && echo text > in.txt && touch -r ../s in.txt",
        "cp -p in.txt ../old && echo other > in.txt && mv ../old in.txt",
    ];
    for edit in edits {
        let sandbox = Sandbox::with(WAITING);
        sandbox.write("in.txt", "text\n");
        let _ = sandbox.shell("mkfifo started go").exits(0);
        let words = while_it_runs(&sandbox, edit);
        assert!(words.contains("in.txt changed while it ran"), "{words}");
        // The command may have read the other text: nothing of it is believed later.
        let _ = sandbox.pipe(&["run", "-q", "wait"]).exits(1);
        let _ = sandbox.shell("rm -r .pipe out; pipe run -q wait").exits(1);
    }
}

#[test]
fn outputs_and_what_is_no_source_may_change_while_the_step_runs() {
    let sandbox = Sandbox::with(WAITING);
    sandbox.write("in.txt", "text\n");
    let _ = sandbox.shell("mkfifo started go").exits(0);
    let words = while_it_runs(&sandbox, "echo x > elsewhere && touch out");
    assert!(!words.contains("changed"), "{words}");
    let _ = sandbox.pipe(&["run", "-q", "wait"]).exits(0);
}

/// Steps that leave a line behind each time they run.
const COUNTED: &str = "
steps:
  a: { sources: [in.txt], outputs: [a], run: 'echo a >> ../ran; cat in.txt > a' }
  b: { needs: [a], matrix: { n: [1, 2, 3] }, sources: [], outputs: ['b${{ matrix.n }}'], run: 'echo b >> ../ran; cat a > b${{ matrix.n }}' }
";

#[test]
fn of_many_runs_at_once_one_does_the_work() {
    let sandbox = Sandbox::with(COUNTED);
    sandbox.write("in.txt", "text\n");
    let runs: Vec<Child> = (0..12).map(|_| sandbox.start(&["run", "b"])).collect();
    for run in runs {
        good(run);
    }
    let ran = sandbox.shell("sort ../ran | uniq -c | tr -s ' '; cat a b1 b2 b3 | sort -u");
    assert_eq!(ran.stdout, " 1 a\n 3 b\ntext\n");
}

#[test]
fn workspaces_that_share_a_store_are_in_nobodys_way() {
    let sandbox = Sandbox::with(COUNTED);
    sandbox.write("in.txt", "text\n");
    let line = "for n in 1 2 3 4 5 6; do cp -R . ../copy$n; done
        for n in 1 2 3 4 5 6; do (cd ../copy$n && pipe run b || echo bad >> ../bad) & done; wait
        cat ../copy*/b? | sort | uniq -c | tr -s ' '; test -e ../bad";
    let output = sandbox.shell(&format!("({line}) 2>/dev/null")).exits(1);
    assert_eq!(output.stdout, " 18 text\n");
}

#[test]
fn a_process_that_stays_behind_holds_no_lock() {
    let sandbox = Sandbox::with(
        "steps:\n  start: { allow_background: true, run: 'timeout 60 cat end >/dev/null 2>&1 & echo $! > pid' }\n  other: { run: 'true' }\n",
    );
    let _ = sandbox.shell("mkfifo end && pipe run start").exits(0);
    let _ = sandbox
        .shell("kill -0 $(cat pid) && pipe run --no-wait other; code=$?; echo > end; exit $code")
        .exits(0);
}

#[test]
fn folders_and_files_that_come_and_go_are_no_trouble() {
    let sandbox = Sandbox::with(
        "steps:\n  list: { sources: ['src/**'], outputs: [out], run: 'echo x > out' }\n",
    );
    sandbox.write("src/stays", "text\n");
    sandbox.write("src/large", vec![b'x'; 4 << 20]);
    let writer = "while test ! -e ../end; do mkdir -p src/d/e; : > src/d/e/x; rm -r src/d; echo x >> src/large; done & ";
    let line = format!(
        "{writer} for n in 1 2 3 4 5 6 7 8 9 10; do timeout 60 pipe run list >> ../said 2>&1; echo $?; done; : > ../end; wait"
    );
    let output = sandbox.shell(&line);
    // Either it went well, or the file that did not come to rest is named.
    let codes: BTreeSet<&str> = output.stdout.lines().collect();
    assert!(codes.is_subset(&BTreeSet::from(["0", "1"])), "{output:?}");
    let said =
        sandbox.shell("grep '✗' ../said | grep -v 'is being written'; grep panicked ../said");
    assert_eq!(said.stdout, "");
    let _ = sandbox.shell("pipe run list; pipe run -q list").exits(0);
}

/// Each torment of the list has a test, and the tests that it names are there.
#[test]
fn the_list_of_torments_names_tests() {
    let folder = repository().join("tests");
    let list = std::fs::read_to_string(folder.join("torture.md")).unwrap();
    let rows = list.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let names = row
            .rsplit('|')
            .nth(1)
            .unwrap()
            .split('`')
            .skip(1)
            .step_by(2);
        let names: Vec<&str> = names.collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let (file, test) = name.split_once("::").unwrap_or((name, ""));
            let text = [folder.join(file), repository().join(file)];
            let text = text
                .iter()
                .find_map(|path| std::fs::read_to_string(path).ok());
            let text = text.unwrap_or_else(|| panic!("`{file}` is not there"));
            assert!(text.contains(test), "`{name}` is not there");
        }
        count += 1;
    }
    assert!(count > 40, "{count} torments");
}
