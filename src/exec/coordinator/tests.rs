//! Whole runs with scripted commands: no process, no time. A script here is words such as
//! `make OUT from IN` (see [`play`]).

mod random;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};

use super::*;
use crate::cache::CacheOptions;
use crate::exec::{Answer, Around, Asked, decide, fixture};
use crate::expand::{LateTexts, Piece, Place, Template};
use crate::path::RelPath;
use crate::plan::{CacheMode, Check, CheckKind, Literal, PlanStep, Sources};
use crate::process::fake::{Act, FakeSpawner, script_of};
use crate::process::{Command, Stream};

/// A workspace with a plan.
struct Workspace {
    dir: tempfile::TempDir,
    plan: Plan,
    options: RunOptions,
    /// How often stamps were asked for.
    stamped: Arc<Mutex<usize>>,
}

/// What a run told.
struct Told {
    events: Vec<Event>,
    finished: RunFinished,
    commands: Vec<Command>,
    peak: usize,
}

#[derive(Clone, Default)]
struct Collect(Arc<Mutex<Vec<Event>>>);

impl Sink for Collect {
    fn take(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Workspace {
    fn new(steps: Vec<PlanStep>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        crate::sys::fs::create_dir_all(&root).unwrap();
        let stamped = Arc::new(Mutex::new(0));
        let asked = Arc::clone(&stamped);
        let options = RunOptions {
            jobs: 2,
            keep_going: false,
            force: false,
            strict: false,
            color: false,
            stream: false,
            terminal: false,
            screen: (80, 24),
            run_id: "r1".to_owned(),
            run_dir: root.join(".pipe/runs/r1"),
            root,
            caller_env: [("PATH".into(), "/bin".into())].into(),
            stamps: Box::new(move || {
                *asked.lock().unwrap() += 1;
                BTreeMap::from([("commit".to_owned(), "c0ffee".to_owned())])
            }),
            targets: vec!["all".to_owned()],
        };
        Self {
            dir,
            plan: Plan {
                steps,
                ..Plan::default()
            },
            options,
            stamped,
        }
    }

    fn write(&self, path: &str, text: &str) {
        crate::sys::fs::write_atomic(&self.options.root.join(path), text.as_bytes()).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.options.root.join(path)).ok()
    }

    fn cache(&self) -> Cache {
        self.cache_with(Some(self.dir.path().join("store")))
    }

    fn cache_with(&self, store: Option<PathBuf>) -> Cache {
        let root = self.options.root.clone();
        let options = CacheOptions {
            state_dir: root.join(".pipe"),
            root,
            store: store.map(Into::into),
            ignore: Vec::new(),
            run: self.options.run_id.clone(),
            read_store: !self.options.force,
        };
        Cache::open(options, &self.plan).unwrap()
    }

    fn run(&self) -> Told {
        self.run_with(&Cancel::new().unwrap(), |command| {
            play(&self.options.root, command)
        })
    }

    fn run_with(&self, cancel: &Cancel, play: impl Fn(&Command) -> Act + Sync) -> Told {
        self.run_on(&self.cache(), cancel, play)
    }

    fn run_on(
        &self,
        cache: &Cache,
        cancel: &Cancel,
        play: impl Fn(&Command) -> Act + Sync,
    ) -> Told {
        let spawner = FakeSpawner::new(play);
        let collect = Collect::default();
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(collect.clone())];
        let finished = run(
            &self.plan,
            cache,
            &spawner,
            &self.options,
            &mut sinks,
            cancel,
        );
        let events = std::mem::take(&mut *collect.0.lock().unwrap());
        Told {
            events,
            finished,
            commands: spawner.played(),
            peak: spawner.peak(),
        }
    }

    fn answers(&self) -> Vec<Answer> {
        let decisions = decide(
            &self.plan,
            &self.cache(),
            &Around {
                root: &self.options.root,
                caller_env: &self.options.caller_env,
                spawner: &FakeSpawner::new(|_| Act::exit(0)),
                cancel: &Cancel::new().unwrap(),
            },
            Asked {
                force: self.options.force,
                in_depth: false,
            },
        );
        decisions
            .into_iter()
            .map(|decision| decision.answer)
            .collect()
    }
}

impl Told {
    fn of(&self, step: &str) -> &StepFinished {
        let finished = self.events.iter().filter_map(|event| match event {
            Event::StepFinished(finished) if finished.step == step => Some(&**finished),
            _ => None,
        });
        let all: Vec<&StepFinished> = finished.collect();
        assert_eq!(all.len(), 1, "{step} has one end");
        all[0]
    }

    fn outcomes(&self, steps: &[&str]) -> Vec<Outcome> {
        steps.iter().map(|step| self.of(step).outcome).collect()
    }
}

/// `make OUT from IN`, `touch FILE TEXT`, `say TEXT`, `fail`, `slow`, `panic`; words after `;`
/// are the next command.
fn play(root: &Path, command: &Command) -> Act {
    let mut act = Act::exit(0);
    let script = script_of(command).unwrap();
    for part in script.split("; ") {
        match part.split(' ').collect::<Vec<_>>()[..] {
            ["make", out, "from", source] => {
                let text = std::fs::read_to_string(root.join(source)).unwrap();
                write(&root.join(out), text.trim());
            }
            ["touch", file, text] => write(&root.join(file), text),
            ["say", text] => act = act.prints(Stream::Stdout, format!("{text}\n")),
            ["fail"] => act.status = crate::process::Status::Code(3),
            ["slow"] => act = act.takes(Duration::from_secs(3600)),
            ["panic"] => panic!("as the test wants"),
            _ => {}
        }
    }
    act
}

fn write(path: &Path, text: &str) {
    crate::sys::fs::write_atomic(path, text.as_bytes()).unwrap();
}

fn path(text: &str) -> RelPath {
    RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
}

/// A shared step that makes `out` from `source`.
fn make(out: &str, source: &str, needs: &[StepIx]) -> PlanStep {
    let mut step = fixture::step(out, &format!("make {out} from {source}"));
    step.cache = CacheMode::Shared;
    step.outputs = vec![fixture::file(out)];
    step.needs = needs.to_vec();
    let literals = if needs.is_empty() {
        vec![Literal::File(path(source))]
    } else {
        Vec::new()
    };
    step.sources = Some(Sources {
        literals,
        ..Sources::default()
    });
    step
}

/// A step that always runs.
fn always(name: &str, script: &str, needs: &[StepIx]) -> PlanStep {
    PlanStep {
        needs: needs.to_vec(),
        ..fixture::step(name, script)
    }
}

/// `src` → `a` → `b`.
fn chain() -> Workspace {
    let place = Workspace::new(vec![make("a", "src", &[]), make("b", "a", &[0])]);
    place.write("src", "one");
    place
}

#[test]
fn a_second_run_runs_nothing_and_starts_no_thread() {
    let place = chain();
    let first = place.run();
    assert_eq!(first.outcomes(&["a", "b"]), [Outcome::Executed; 2]);
    assert_eq!(
        (place.read("b").as_deref(), first.finished.outcome),
        (Some("one"), RunOutcome::Ok)
    );
    let finished = first.of("b");
    assert_eq!(
        (
            finished.exit_code,
            finished.outputs.len(),
            finished.why.len()
        ),
        (Some(0), 1, 1)
    );
    assert!(
        finished
            .log
            .as_ref()
            .is_some_and(|log| Path::new(log).is_file())
    );
    let second = place.run();
    assert_eq!(second.outcomes(&["a", "b"]), [Outcome::UpToDate; 2]);
    assert!(second.commands.is_empty());
    assert!(
        !second
            .events
            .iter()
            .any(|event| matches!(event, Event::StepStarted(_)))
    );
}

#[test]
fn events_come_in_order() {
    let told = chain().run();
    let word = |event: &Event| match event {
        Event::RunStarted(start) => {
            format!("run {} {:?} {}", start.run, start.targets, start.instances)
        }
        Event::StepStarted(start) => format!("started {} {}", start.step, start.slot),
        Event::StepFinished(finished) => format!("finished {}", finished.step),
        Event::RunFinished(finished) => format!("end {}", finished.counts.executed),
        other => panic!("not expected: {other:?}"),
    };
    let words: Vec<String> = told.events.iter().map(word).collect();
    assert_eq!(
        words,
        [
            "run r1 [\"all\"] 2",
            "started a 0",
            "finished a",
            "started b 0",
            "finished b",
            "end 2"
        ]
    );
}

#[test]
fn an_unchanged_output_stops_the_rebuild() {
    let place = chain();
    place.run();
    place.write("src", "one ");
    assert_eq!(place.answers(), [Answer::Run, Answer::RunUnless(vec![0])]);
    assert_eq!(
        place.run().outcomes(&["a", "b"]),
        [Outcome::Executed, Outcome::UpToDate]
    );
}

#[test]
fn a_lost_output_comes_from_the_store() {
    let place = chain();
    place.run();
    crate::sys::fs::remove_file(&place.options.root.join("a")).unwrap();
    assert_eq!(place.answers(), [Answer::Restore, Answer::UpToDate]);
    let told = place.run();
    assert_eq!(
        told.outcomes(&["a", "b"]),
        [Outcome::FromCache, Outcome::UpToDate]
    );
    assert_eq!(
        (place.read("a").as_deref(), told.commands.len()),
        (Some("one"), 0)
    );
    assert!(
        !told
            .events
            .iter()
            .any(|event| matches!(event, Event::StepStarted(_)))
    );
}

#[test]
fn force_runs_everything() {
    let mut place = chain();
    place.run();
    place.options.force = true;
    assert_eq!(place.answers(), [Answer::Run, Answer::Run]);
    let told = place.run();
    assert_eq!(told.outcomes(&["a", "b"]), [Outcome::Executed; 2]);
    assert_eq!(told.of("a").why[0].kind, "forced");
}

#[test]
fn a_failure_blocks_what_needs_it_and_cancels_the_rest() {
    use Outcome::{Blocked, Cancelled, Executed, Failed};
    let steps = vec![
        always("bad", "fail", &[]),
        always("after", "x", &[0]),
        always("far", "x", &[1]),
        always("free", "x", &[]),
    ];
    let mut place = Workspace::new(steps);
    place.options.jobs = 1;
    place.plan.steps[0].hint = Some("look there".to_owned());
    let told = place.run();
    let names = ["bad", "after", "far", "free"];
    assert_eq!(told.outcomes(&names), [Failed, Blocked, Blocked, Cancelled]);
    assert_eq!(told.finished.outcome, RunOutcome::Failed);
    let bad = told.of("bad");
    assert_eq!(
        (bad.exit_code, bad.failure, bad.message.as_deref()),
        (Some(3), Some(FailureKind::Command), Some("exit code 3"))
    );
    assert_eq!(
        (
            bad.command.as_deref(),
            bad.dir.as_deref(),
            bad.hint.as_deref()
        ),
        (Some("fail"), Some("."), Some("look there"))
    );
    assert_eq!(told.of("far").message.as_deref(), Some("`bad` failed"));
    place.options.keep_going = true;
    assert_eq!(
        place.run().outcomes(&names),
        [Failed, Blocked, Blocked, Executed]
    );
}

#[test]
fn scripts_run_in_order_and_stop_at_the_first_that_fails() {
    let mut place = Workspace::new(vec![always("s", "one", &[])]);
    place.plan.steps[0].scripts = ["say one", "say two; fail", "say three"]
        .map(Template::text)
        .to_vec();
    let told = place.run();
    assert_eq!(told.commands.len(), 2);
    let log = std::fs::read_to_string(told.of("s").log.as_ref().unwrap()).unwrap();
    assert_eq!(
        (log.as_str(), told.of("s").command.as_deref()),
        ("one\ntwo\n", Some("say two; fail"))
    );
}

#[test]
fn a_missing_output_is_a_failure_and_the_old_ones_come_back() {
    let mut place = chain();
    place.run();
    place.plan.steps[0].scripts = vec![Template::text("say nothing")];
    let told = place.run();
    let end = told.of("a");
    assert_eq!(
        (end.outcome, end.failure),
        (Outcome::Failed, Some(FailureKind::Outputs))
    );
    assert_eq!(end.message.as_deref(), Some("output `a` was not made"));
    assert_eq!(place.read("a").as_deref(), Some("one"));
}

#[test]
fn a_missing_source_fails_the_step_at_its_turn() {
    let place = Workspace::new(vec![make("a", "src", &[])]);
    assert!(
        matches!(&place.answers()[0], Answer::Fail(reason) if reason.contains("`src` does not exist"))
    );
    let told = place.run();
    assert_eq!(
        (told.of("a").outcome, told.of("a").failure),
        (Outcome::Failed, Some(FailureKind::Sources))
    );
    assert!(told.commands.is_empty());
}

#[test]
fn a_source_that_changes_meanwhile_taints_the_result() {
    let mut place = chain();
    place.plan.steps[0].scripts = vec![Template::text("make a from src; touch src two")];
    let told = place.run();
    assert_eq!(told.outcomes(&["a", "b"]), [Outcome::Executed; 2]);
    assert_eq!(told.of("a").tainted, ["src"]);
    place.write("src", "three");
    place.options.strict = true;
    let told = place.run();
    assert_eq!(
        (told.of("a").outcome, told.of("b").outcome),
        (Outcome::Failed, Outcome::Blocked)
    );
}

#[test]
fn a_time_limit_is_told() {
    let mut place = Workspace::new(vec![always("s", "slow", &[])]);
    place.plan.steps[0].timeout = Some(Duration::from_secs(60));
    let told = place.run();
    let end = told.of("s");
    assert_eq!(
        (end.timed_out, end.failure, end.signal.as_deref()),
        (true, Some(FailureKind::Timeout), Some("SIGTERM"))
    );
    assert_eq!(
        end.message.as_deref(),
        Some("took longer than its `timeout` of 1m")
    );
}

#[test]
fn checks_are_made_before_and_after() {
    let check = |script: &str| Check {
        kind: CheckKind::Run {
            script: Template::text(script),
            matches: None,
            not_matches: None,
        },
        within: None,
        timeout: Duration::from_secs(1),
        message: None,
        late: LateTexts::default(),
    };
    let mut place = chain();
    place.plan.steps[0].verify = vec![check("say no; fail")];
    let end = place.run();
    let end = end.of("a");
    assert_eq!(
        (end.outcome, end.failure),
        (Outcome::Failed, Some(FailureKind::Verify))
    );
    assert_eq!(
        std::fs::read_to_string(end.log.as_ref().unwrap()).unwrap(),
        "no\n"
    );
    place.plan.steps[0].requires = vec![check("fail")];
    let told = place.run();
    assert_eq!(
        (told.of("a").failure, told.commands.len()),
        (Some(FailureKind::Requires), 1)
    );
}

#[test]
fn a_signal_cancels_what_has_not_ended() {
    let place = Workspace::new(vec![always("a", "x", &[]), always("b", "x", &[0])]);
    let cancel = Cancel::new().unwrap();
    let told = place.run_with(&cancel, |_| {
        cancel.signal(2);
        Act::exit(0)
    });
    assert_eq!(told.outcomes(&["a", "b"]), [Outcome::Cancelled; 2]);
    assert_eq!(
        (told.finished.outcome, cancel.exit_code()),
        (RunOutcome::Cancelled, Some(130))
    );
    let told = place.run_with(&cancel, |_| panic!("nothing starts"));
    assert_eq!(told.finished.counts.cancelled, 2);
}

#[test]
fn as_many_run_at_once_as_there_are_slots() {
    let mut place = Workspace::new(
        (0..6)
            .map(|at| always(&format!("s{at}"), "x", &[]))
            .collect(),
    );
    place.options.jobs = 3;
    // Each waits until three are there; so fewer than three would wait for ever.
    let barrier = Barrier::new(3);
    let told = place.run_with(&Cancel::new().unwrap(), |_| {
        barrier.wait();
        Act::exit(0)
    });
    assert_eq!((told.finished.counts.executed, told.peak), (6, 3));
}

#[test]
fn a_skipped_step_lets_go_on_what_needs_it() {
    let mut place = Workspace::new(vec![always("a", "x", &[]), always("b", "x", &[0])]);
    place.plan.steps[0].skip = true;
    assert_eq!(place.answers(), [Answer::Skipped, Answer::Run]);
    assert_eq!(
        place.run().outcomes(&["a", "b"]),
        [Outcome::Skipped, Outcome::Executed]
    );
}

#[test]
fn a_fault_of_ours_ends_the_step_and_not_the_run() {
    let told = Workspace::new(vec![always("a", "panic", &[]), always("b", "x", &[0])]).run();
    assert_eq!(
        told.outcomes(&["a", "b"]),
        [Outcome::Failed, Outcome::Blocked]
    );
}

#[test]
fn output_is_told_as_it_comes() {
    let mut place = Workspace::new(vec![always("a", "say one; say two", &[])]);
    place.options.stream = true;
    let told = place.run();
    let text = |event: &Event| match event {
        Event::StepOutput(output) => Some(output.text.clone()),
        _ => None,
    };
    assert_eq!(
        told.events.iter().filter_map(text).collect::<Vec<_>>(),
        ["one\n", "two\n"]
    );
    assert!(matches!(
        told.events[told.events.len() - 2],
        Event::StepFinished(_)
    ));
}

#[test]
fn stamps_are_asked_for_once_and_only_if_used() {
    let hole = Piece::Hole {
        expression: "stamp.commit".to_owned(),
        place: Place::Text,
        early: BTreeMap::new(),
    };
    let stamped = Template {
        pieces: vec![Piece::Text("say ".to_owned()), hole],
    };
    let mut place = Workspace::new(vec![
        always("a", "x", &[]),
        always("b", "x", &[]),
        always("c", "x", &[]),
    ]);
    place.run();
    assert_eq!(*place.stamped.lock().unwrap(), 0);
    place.plan.steps[0].scripts = vec![stamped.clone()];
    place.plan.steps[1].scripts = vec![stamped];
    let told = place.run();
    assert_eq!(*place.stamped.lock().unwrap(), 1);
    let scripts: Vec<String> = told.commands.iter().filter_map(script_of).collect();
    assert_eq!(
        scripts
            .iter()
            .filter(|script| *script == "say c0ffee")
            .count(),
        2
    );
}

#[test]
fn a_run_that_cannot_begin_says_so() {
    let mut place = Workspace::new(vec![always("a", "x", &[])]);
    place.write("file", "");
    place.options.run_dir = place.options.root.join("file/r1");
    let told = place.run();
    assert_eq!(
        (told.of("a").outcome, told.finished.outcome),
        (Outcome::Cancelled, RunOutcome::Failed)
    );
    let is_told = |event: &Event| matches!(event, Event::Diagnostic(found) if found.code == "pipe::exec::run_folder");
    assert!(told.events.iter().any(is_told));
}

#[test]
fn real_processes_print_make_and_fail() {
    let mut place = Workspace::new(vec![
        make("d/a", "src", &[]),
        always("b", "echo gone; exit 4", &[0]),
    ]);
    place.write("src", "one");
    place.plan.steps[0].scripts = vec![Template::text(
        "echo out; echo err >&2; cat src > d/a; sleep 300 &",
    )];
    let collect = Collect::default();
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(collect.clone())];
    let cancel = Cancel::new().unwrap();
    let spawner = crate::process::OsSpawner;
    run(
        &place.plan,
        &place.cache(),
        &spawner,
        &place.options,
        &mut sinks,
        &cancel,
    );
    let events = std::mem::take(&mut *collect.0.lock().unwrap());
    let ends: Vec<&StepFinished> = events
        .iter()
        .filter_map(|event| match event {
            Event::StepFinished(finished) => Some(&**finished),
            _ => None,
        })
        .collect();
    assert_eq!(place.read("d/a").as_deref(), Some("one"));
    assert_eq!(ends[0].outcome, Outcome::Executed, "{ends:?}");
    assert!(ends[0].notes[0].starts_with("left `sleep` running"));
    let log = std::fs::read_to_string(ends[0].log.as_ref().unwrap()).unwrap();
    assert!(["out\nerr\n", "err\nout\n"].contains(&&*log), "{log}");
    assert_eq!(
        (ends[1].exit_code, ends[1].failure),
        (Some(4), Some(FailureKind::Command))
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    /// Over random graphs on real threads: each step starts once at most, after all that it needs
    /// has ended well, and ends once.
    #[test]
    fn every_run_is_told_in_order(
        edges in proptest::collection::vec(proptest::collection::vec(0_usize..1000, 0..3), 1..30),
        fails in proptest::collection::vec(proptest::bool::weighted(0.1), 30),
        jobs in 1_usize..5,
        keep_going: bool,
    ) {
        let needs = |step: usize, edges: &[usize]| -> Vec<StepIx> {
            edges.iter().filter(|_| step > 0).map(|edge| edge % step.max(1)).collect()
        };
        let script = |step: usize| if fails[step] { "fail" } else { "say x" };
        let step = |(step, edges): (usize, &Vec<usize>)| always(&format!("s{step}"), script(step), &needs(step, edges));
        let mut place = Workspace::new(edges.iter().enumerate().map(step).collect());
        place.options.jobs = jobs;
        place.options.keep_going = keep_going;
        place.options.stream = true;
        let told = place.run();
        let mut over: BTreeMap<&str, Outcome> = BTreeMap::new();
        let mut running: Vec<&str> = Vec::new();
        for event in &told.events {
            match event {
                Event::StepStarted(start) => {
                    let step = place.plan.steps.iter().find(|step| step.name == start.step).unwrap();
                    let good = |need: &StepIx| over.get(&*place.plan.steps[*need].name).copied().is_some_and(Outcome::is_good);
                    assert!(step.needs.iter().all(good));
                    running.push(&start.step);
                    assert!(running.len() <= jobs && start.slot < jobs);
                }
                Event::StepOutput(output) => assert!(running.contains(&&*output.step)),
                Event::StepFinished(finished) => {
                    running.retain(|step| *step != finished.step);
                    assert_eq!(over.insert(&finished.step, finished.outcome), None);
                }
                _ => {}
            }
        }
        assert_eq!(over.len(), place.plan.steps.len());
        assert!(keep_going || told.peak <= jobs);
    }
}
