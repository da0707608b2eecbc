//! Real processes: what a command gets, how its end is told, and that nothing of it is left.

use std::ffi::OsString;
use std::sync::Arc;

use rustix::process::test_kill_process;

use super::*;
use crate::process::EndedBy;

type Act = Box<dyn FnMut(&[u8])>;

/// Keeps all output, and may act on what comes on standard output.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    errors: Vec<u8>,
    on_output: Option<Act>,
}

impl OutputSink for Kept {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr {
            return self.errors.extend_from_slice(bytes);
        }
        self.bytes.extend_from_slice(bytes);
        if let Some(act) = &mut self.on_output {
            act(bytes);
        }
    }
}

impl Kept {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// The process id that the command printed.
    fn pid(&self) -> Pid {
        Pid::from_raw(self.text().trim().parse().unwrap()).unwrap()
    }
}

/// Keeps the output, and sends a signal at each piece of it.
fn signalling(cancel: &Arc<Cancel>, times: usize) -> Kept {
    let (cancel, mut left) = (Arc::clone(cancel), times);
    let on_output: Act = Box::new(move |_| {
        if left > 0 {
            left -= 1;
            cancel.signal(2);
        }
    });
    Kept {
        on_output: Some(on_output),
        ..Kept::default()
    }
}

fn sh(script: &str) -> Command {
    Command {
        program: "sh".into(),
        args: ["-e", "-c", script].map(OsString::from).to_vec(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        dir: "/".into(),
        background: false,
        streams: Streams::Pipes,
    }
}

fn limits(timeout: Option<u64>, grace: u64) -> Limits {
    Limits {
        timeout: timeout.map(Duration::from_millis),
        grace: Duration::from_millis(grace),
    }
}

fn run(command: &Command, limits: Limits) -> (Exit, Kept) {
    let mut kept = Kept::default();
    let exit = OsSpawner.run(command, &mut kept, limits, &Cancel::new().unwrap());
    (exit, kept)
}

fn why_not(command: &Command) -> NotStarted {
    match run(command, limits(None, 0)).0.status {
        Status::NotStarted(why) => why,
        status => panic!("it was started: {status:?}"),
    }
}

/// Whether the process has ended (or only waits for its new parent to look at it), or does so as
/// soon as a busy machine lets it die.
fn is_gone(pid: Pid) -> bool {
    let has_ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
        test_kill_process(pid).is_err() || stat.unwrap_or_default().contains(") Z ")
    };
    let start = crate::sys::clock::now();
    while !has_ended() {
        if start.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn a_command_gets_what_it_was_given_and_nothing_else() {
    let mut command =
        sh(r#"cat; echo "$1|$X|$(pwd)"; echo oops >&2; env | cut -d= -f1 | sort | tr '\n' ' '"#);
    command.args.extend(["zero".into(), "a b".into()]);
    command.env.push(("X".into(), "y z".into()));
    command.dir = "/usr".into();
    let (exit, kept) = run(&command, limits(None, 0));
    assert!(exit.is_success(), "{exit:?}");
    assert_eq!(kept.text(), "a b|y z|/usr\nPATH PWD X ");
    assert_eq!(kept.errors, b"oops\n");
    assert_eq!(exit.warnings, Vec::<String>::new());
}

#[test]
fn exit_codes_and_signals_are_told() {
    assert_eq!(
        run(&sh("exit 3"), limits(None, 0)).0.status,
        Status::Code(3)
    );
    assert_eq!(
        run(&sh("false; echo on"), limits(None, 0)).0.status,
        Status::Code(1)
    );
    assert_eq!(
        run(&sh("no-such-program"), limits(None, 0)).0.status,
        Status::Code(127)
    );
    let exit = run(&sh("kill -SEGV $$"), limits(None, 0)).0;
    assert_eq!(exit.status.to_string(), "ended by SIGSEGV");
    assert_eq!(exit.ended_by, None);
}

#[test]
fn a_child_that_ignores_term_is_killed_after_the_grace_time() {
    let (exit, kept) = run(
        &sh("trap '' TERM; echo $$; sleep 300 & wait; sleep 300"),
        limits(Some(1000), 200),
    );
    assert_eq!(
        (exit.status, exit.ended_by),
        (Status::Signal(9), Some(EndedBy::Timeout))
    );
    assert!(
        exit.duration >= Duration::from_millis(1200),
        "{:?}",
        exit.duration
    );
    assert!(
        exit.duration < Duration::from_secs(30),
        "{:?}",
        exit.duration
    );
    assert!(is_gone(kept.pid()));
}

#[test]
fn a_child_of_an_obedient_leader_has_the_grace_time_too() {
    let cancel = Arc::new(Cancel::new().unwrap());
    let mut kept = signalling(&cancel, 1);
    let child = "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done";
    let script = format!("trap 'exit 1' TERM; sh -c \"{child}\" & wait");
    let exit = OsSpawner.run(&sh(&script), &mut kept, limits(None, 60_000), &cancel);
    assert_eq!(
        (kept.text(), exit.ended_by),
        ("up\nbye\n", Some(EndedBy::Cancel))
    );
    assert!(
        exit.duration < Duration::from_secs(30),
        "{:?}",
        exit.duration
    );
}

#[test]
fn a_background_process_that_holds_the_pipe_is_ended_and_named() {
    let (exit, kept) = run(&sh("sleep 300 & echo $!"), limits(None, 60_000));
    assert!(exit.is_success());
    assert_eq!(
        exit.warnings,
        ["left `sleep` running in the background; ended with the step"]
    );
    assert!(
        exit.duration < Duration::from_secs(10),
        "{:?}",
        exit.duration
    );
    assert!(is_gone(kept.pid()));
}

#[test]
fn a_background_process_that_ignores_term_is_ended_too() {
    let (exit, kept) = run(
        &sh("trap '' TERM; sleep 300 >/dev/null 2>&1 & echo $!"),
        limits(None, 60_000),
    );
    assert!(exit.is_success());
    assert!(is_gone(kept.pid()));
}

#[test]
fn a_process_that_left_the_group_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = "setsid sh -c 'echo $$; : > left; exec sleep 300' & until [ -e left ]; do :; done";
    let command = Command {
        dir: dir.path().to_path_buf(),
        ..sh(script)
    };
    let (exit, kept) = run(&command, limits(None, 0));
    Group::Led(kept.pid()).send(Signal::KILL);
    assert!(exit.is_success());
    assert_eq!(
        exit.warnings,
        ["a process that left the step's process group keeps its output open"]
    );
    assert!(
        exit.duration < Duration::from_secs(10),
        "{:?}",
        exit.duration
    );
}

#[test]
fn much_output_goes_through_in_small_pieces() {
    struct Counter(u64, usize);
    impl OutputSink for Counter {
        fn take(&mut self, _: Stream, bytes: &[u8]) {
            self.0 += bytes.len() as u64;
            self.1 = self.1.max(bytes.len());
        }
    }
    let mut counter = Counter(0, 0);
    let script = "head -c 10000000 /dev/zero; head -c 5000000 /dev/zero >&2";
    let exit = OsSpawner.run(
        &sh(script),
        &mut counter,
        limits(None, 0),
        &Cancel::new().unwrap(),
    );
    assert!(exit.is_success());
    assert_eq!(counter.0, 15_000_000);
    assert!(counter.1 <= PIECE);
}

#[test]
fn the_first_signal_asks_and_the_second_kills() {
    let cancel = Arc::new(Cancel::new().unwrap());
    let mut kept = signalling(&cancel, 2);
    // It says so when it is asked, which is when the second signal comes.
    let script = "trap 'echo asked' TERM; echo up; while :; do sleep 0.01 || :; done";
    let exit = OsSpawner.run(&sh(script), &mut kept, limits(None, 600_000), &cancel);
    assert_eq!(
        (exit.status, exit.ended_by),
        (Status::Signal(9), Some(EndedBy::Cancel))
    );
    assert_eq!(kept.text(), "up\nasked\n");
}

#[test]
fn what_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().unwrap();
    // Written by another process: a file that a test beside this one still has open is busy.
    let mut write = sh(r"echo x > plain
        printf '#!/bin/sh\r\necho\r\n' > crlf; printf '\0\1' > nothing; chmod +x crlf nothing");
    write.dir = dir.path().to_path_buf();
    run(&write, limits(None, 0));
    let start = |program: &str| {
        let mut command = sh("");
        command.program = program.into();
        command.dir = dir.path().to_path_buf();
        why_not(&command)
    };
    assert_eq!(start("nope"), NotStarted::NotFound("nope".to_owned()));
    assert!(matches!(start("./nope"), NotStarted::NoFile(_)));
    assert!(matches!(start("./plain"), NotStarted::NotExecutable(_)));
    assert!(matches!(start("./nothing"), NotStarted::NotExecutable(_)));
    assert!(
        matches!(start("./crlf"), NotStarted::BadInterpreter { interpreter, .. } if interpreter == "/bin/sh\\r")
    );
    let gone = Command {
        dir: dir.path().join("gone"),
        ..sh("true")
    };
    assert!(matches!(why_not(&gone), NotStarted::NoFolder(_)));
    let mut large = sh("true");
    large
        .env
        .push(("LARGE".into(), "x".repeat(200 * 1024).into()));
    assert_eq!(
        why_not(&large),
        NotStarted::TooLong("the variable `LARGE` is 200 KiB long".to_owned())
    );
}

#[test]
fn programs_are_looked_for_on_the_path_of_the_step() {
    let dir = tempfile::tempdir().unwrap();
    crate::sys::fs::create_dir_all(&dir.path().join("bin")).unwrap();
    let tool = dir.path().join("bin/tool");
    crate::sys::fs::write_atomic(&tool, b"#!/bin/sh\necho mine\n").unwrap();
    crate::sys::fs::set_mode(&tool, 0o755).unwrap();
    let command = Command {
        program: "tool".into(),
        env: vec![("PATH".into(), "bin".into())],
        dir: dir.path().to_path_buf(),
        ..Command::default()
    };
    assert_eq!(run(&command, limits(None, 0)).1.text(), "mine\n");
}

#[test]
#[cfg(target_os = "linux")]
fn processor_time_of_children_is_counted() {
    let (exit, _) = run(
        &sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"),
        limits(None, 0),
    );
    assert!(exit.cpu.is_some_and(|cpu| cpu > Duration::ZERO), "{exit:?}");
}
