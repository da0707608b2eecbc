//! Checks against real files and scripted commands.

use std::path::Path;
use std::time::Instant;

use super::*;
use crate::exec::fixture;
use crate::expand::{Late, LateTexts};
use crate::process::fake::{Act, FakeSpawner, script_of};

const SECOND: Duration = Duration::from_secs(1);

fn check(kind: CheckKind) -> Check {
    Check {
        kind,
        within: None,
        timeout: 10 * SECOND,
        message: None,
        late: LateTexts::default(),
    }
}

fn path(text: &str) -> RelPath {
    RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
}

fn file(name: &str) -> CheckKind {
    CheckKind::File {
        path: path(name),
        min_size: None,
        max_size: None,
        executable: None,
        matches: None,
    }
}

fn run(script: &str, matches: Option<&str>, not_matches: Option<&str>) -> CheckKind {
    let pattern = |text: Option<&str>| text.map(str::to_owned);
    CheckKind::Run {
        script: Template::text(script),
        matches: pattern(matches),
        not_matches: pattern(not_matches),
    }
}

/// The result of `check` in `root`, where commands do what `play` says.
fn holds(root: &Path, check: Check, play: impl Fn(&Command) -> Act + Sync) -> Result<(), String> {
    let step = fixture::step("s", "");
    let variables = Variables::from([
        ("PATH".into(), root.join("bin").into()),
        ("SET".into(), "".into()),
    ]);
    let around = Surroundings {
        step: &step,
        root,
        late: Late::default(),
        variables,
        spill: root.join("spill"),
    };
    let (spawner, cancel) = (FakeSpawner::new(play), Cancel::new().unwrap());
    let caller = Variables::from([("CALLERS".into(), "x".into())]);
    let checker = Checker {
        around: &around,
        caller: &caller,
        spawner: &spawner,
        cancel: &cancel,
    };
    checker.hold(&[check], &mut Printed(Vec::new()))
}

fn never(_: &Command) -> Act {
    panic!("nothing is run for this check")
}

fn text(result: Result<(), String>) -> String {
    result.expect_err("it does not hold")
}

#[test]
fn files_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    crate::sys::fs::write_atomic(&dir.path().join("a"), b"one two").unwrap();
    let holds = |kind| holds(dir.path(), check(kind), never);
    assert_eq!(holds(file("a")), Ok(()));
    assert_eq!(text(holds(file("b"))), "file `b` does not exist");
    let with = |min, max, executable, matches: Option<&str>| CheckKind::File {
        path: path("a"),
        min_size: min,
        max_size: max,
        executable,
        matches: matches.map(str::to_owned),
    };
    assert_eq!(
        holds(with(Some(7), Some(7), Some(false), Some("e t"))),
        Ok(())
    );
    assert_eq!(
        text(holds(with(Some(8), None, None, None))),
        "file `a` has 7 bytes, at least 8 are wanted"
    );
    assert_eq!(
        text(holds(with(None, Some(6), None, None))),
        "file `a` has 7 bytes, at most 6 are wanted"
    );
    assert_eq!(
        text(holds(with(None, None, Some(true), None))),
        "file `a` is not executable"
    );
    assert_eq!(
        text(holds(with(None, None, None, Some("^two")))),
        "file `a` does not match `^two`"
    );
}

#[test]
fn commands_are_run_in_the_steps_shell() {
    let play = |command: &Command| match script_of(command).as_deref() {
        Some("good") => Act::exit(0).prints(Stream::Stdout, "version 7\n"),
        Some("slow") => Act::exit(0).takes(11 * SECOND),
        _ => Act::exit(3),
    };
    let holds = |kind| holds(Path::new("/"), check(kind), play);
    assert_eq!(holds(run("good", Some("version [0-9]"), Some("8"))), Ok(()));
    assert_eq!(
        text(holds(run("bad", None, None))),
        "`bad` failed: exit code 3"
    );
    assert_eq!(
        text(holds(run("slow", None, None))),
        "`slow` took longer than 10s"
    );
    assert_eq!(
        text(holds(run("good", Some("8"), None))),
        "what `good` printed does not match `8`"
    );
    assert_eq!(
        text(holds(run("good", None, Some("7")))),
        "what `good` printed matches `7`"
    );
}

#[test]
fn the_authors_message_is_said_instead() {
    let check = Check {
        message: Some("install it".to_owned()),
        ..check(file("nope"))
    };
    assert_eq!(text(holds(Path::new("/"), check, never)), "install it");
}

#[test]
fn it_is_tried_again_until_the_time_is_over() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let play = |_: &Command| {
        Act::exit(
            match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 | 1 => 1,
                _ => 0,
            },
        )
    };
    let within = |time| Check {
        within: Some(time),
        ..check(run("up?", None, None))
    };
    assert_eq!(holds(Path::new("/"), within(600 * SECOND), play), Ok(()));
    let start: Instant = clock::now();
    assert!(holds(Path::new("/"), within(PAUSE * 2), |_| Act::exit(1)).is_err());
    assert!(start.elapsed() < 60 * SECOND);
}

#[test]
fn variables_may_be_the_callers_or_the_steps() {
    let set = |name: &str| {
        holds(
            Path::new("/"),
            check(CheckKind::Env {
                name: name.to_owned(),
            }),
            never,
        )
    };
    assert_eq!((set("SET"), set("CALLERS")), (Ok(()), Ok(())));
    assert_eq!(text(set("NOPE")), "the variable `NOPE` is not set");
}

#[test]
fn tools_are_found_and_their_version_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    crate::sys::fs::create_dir_all(&dir.path().join("bin")).unwrap();
    crate::sys::fs::write_atomic(&dir.path().join("bin/go"), b"").unwrap();
    crate::sys::fs::set_mode(&dir.path().join("bin/go"), 0o755).unwrap();
    let tool = |name: &str, version: Option<&str>| {
        let kind = CheckKind::Tool {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            command: None,
        };
        let play = |command: &Command| {
            assert!(command.program.to_string_lossy().ends_with("bin/go"));
            Act::exit(0).prints(Stream::Stderr, "go version go1.22.3 linux\n")
        };
        holds(dir.path(), check(kind), play)
    };
    assert_eq!(
        (tool("go", None), tool("go", Some(">=1.21"))),
        (Ok(()), Ok(()))
    );
    assert_eq!(
        text(tool("go", Some(">=1.23"))),
        "`go` is version 1.22.3, wanted is `>=1.23`"
    );
    assert_eq!(
        text(tool("cc", None)),
        "`cc` was not found on the step's PATH"
    );
}

#[test]
fn versions_are_found_in_what_tools_say() {
    let version = |text: &str| version_in(text.as_bytes()).map(|version| version.to_string());
    assert_eq!(
        version("gcc (Debian 12.2.0-14) 12.2.0").as_deref(),
        Some("12.2.0")
    );
    assert_eq!(version("v18.19").as_deref(), Some("18.19.0"));
    assert_eq!(
        version("less 590 (GNU regular expressions)").as_deref(),
        Some("590.0.0")
    );
    assert_eq!(
        version("cargo 1.95.0-nightly (abc 2026-01-02)").as_deref(),
        Some("1.95.0")
    );
    assert_eq!(version("no number"), None);
}

#[test]
fn ports_are_tried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tcp = |address: &str| {
        holds(
            Path::new("/"),
            check(CheckKind::Tcp {
                address: address.to_owned(),
            }),
            never,
        )
    };
    assert_eq!(tcp(&address), Ok(()));
    drop(listener);
    assert!(text(tcp(&address)).starts_with(&format!("nothing listens at `{address}`: ")));
}
