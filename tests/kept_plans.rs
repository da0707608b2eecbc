//! Plans that are kept from run to run: they must never outlive what they were made of.

use std::os::unix::fs::MetadataExt;

use crate::support::Sandbox;

const ROOT: &str = "workspace: { members: [\"members/*\"] }\ntargets: { default: [api:say] }\n";
const MEMBER: &str =
    "env: { WHO: { from: caller, default: nobody } }\nsteps:\n  say: { run: echo first $WHO }\n";

/// A workspace whose plan has been kept: its files must rest for a moment first, so it is run until then.
fn kept() -> Sandbox {
    let sandbox = Sandbox::with(ROOT);
    sandbox.write("members/api/pipe.yaml", MEMBER);
    kept_when_rested(&sandbox);
    sandbox
}

/// Runs until the plan is kept, or kept anew.
fn kept_when_rested(sandbox: &Sandbox) {
    let _ = sandbox.shell("rm -rf .pipe/plans").exits(0);
    for _ in 0..1000 {
        assert_eq!(said(sandbox, ""), "first nobody");
        if plans(sandbox) == 1 {
            return;
        }
    }
    panic!("no plan was kept");
}

/// What the default target says when it runs with `before` in front of the command.
fn said(sandbox: &Sandbox, before: &str) -> String {
    let output = sandbox.shell(&format!("{before} pipe run -s"));
    format!("{}{}", output.stdout, output.stderr)
        .trim()
        .to_owned()
}

fn plans(sandbox: &Sandbox) -> usize {
    let folder = sandbox.root().join(".pipe/plans");
    folder.read_dir().map_or(0, Iterator::count)
}

/// The plan's file: it is replaced whenever a plan is made, and left alone when one is taken.
fn inode(sandbox: &Sandbox) -> u64 {
    let folder = sandbox.root().join(".pipe/plans");
    let plan = folder.read_dir().unwrap().next().unwrap().unwrap();
    plan.metadata().unwrap().ino()
}

#[test]
fn a_good_plan_is_taken_and_not_made_again() {
    let sandbox = kept();
    let before = inode(&sandbox);
    assert_eq!(said(&sandbox, ""), "first nobody");
    assert_eq!(inode(&sandbox), before);
    // Another value of a variable that a pipeline takes is another plan, made anew.
    assert_eq!(said(&sandbox, "WHO=me"), "first me");
    assert_ne!(inode(&sandbox), before);
}

#[test]
fn an_edited_file_is_seen() {
    let sandbox = kept();
    sandbox.write("members/api/pipe.yaml", MEMBER.replace("first", "other"));
    assert_eq!(said(&sandbox, ""), "other nobody");
    // The same size, and the old time put back: the status change time tells.
    let _ = sandbox.shell("touch -r pipe.yaml stamp").exits(0);
    sandbox.write("members/api/pipe.yaml", MEMBER.replace("first", "again"));
    let _ = sandbox
        .shell("touch -r stamp members/api/pipe.yaml")
        .exits(0);
    assert_eq!(said(&sandbox, ""), "again nobody");
}

#[test]
fn a_new_member_and_a_new_spelling_are_seen() {
    let sandbox = kept();
    sandbox.write("members/web/pipe.yaml", "targets: { default: [gone] }\n");
    assert!(said(&sandbox, "").contains("there is no step or target `gone`"));
    sandbox.remove("members/web/pipe.yaml");
    assert_eq!(said(&sandbox, ""), "first nobody");
    sandbox.write("members/api/pipe.yml", MEMBER);
    assert!(said(&sandbox, "").contains("both"));
}

#[test]
fn a_new_root_in_between_is_seen() {
    let sandbox = kept();
    sandbox.write(
        "pipelines/more.yaml",
        "targets: { default: [gone] }\nsteps: {}\n",
    );
    assert!(said(&sandbox, "").contains("there is no step or target `gone`"));
}

#[test]
fn a_variable_of_the_caller_is_seen() {
    let sandbox = kept();
    assert_eq!(said(&sandbox, "WHO=me"), "first me");
    assert_eq!(said(&sandbox, "WHO=you"), "first you");
    assert_eq!(said(&sandbox, ""), "first nobody");
}

#[test]
fn another_request_is_another_plan() {
    let sandbox = kept();
    let refused = sandbox.shell("pipe run -s api:none").exits(2);
    assert!(
        refused.stdout.contains("there is no target or step"),
        "{refused:?}"
    );
    let _ = sandbox.shell("cd members/api && pipe run -s say").exits(0);
    assert_eq!(said(&sandbox, ""), "first nobody");
}

#[test]
fn damage_is_a_miss() {
    let sandbox = kept();
    let plan = sandbox
        .root()
        .join(".pipe/plans")
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = std::fs::read(&plan).unwrap();
    for length in [0, 5, 20, 60, whole.len() - 1] {
        std::fs::write(&plan, &whole[..length]).unwrap();
        assert_eq!(said(&sandbox, ""), "first nobody", "cut to {length}");
    }
    for place in [0, 13, 50, whole.len() / 2] {
        let mut flipped = whole.clone();
        flipped[place] ^= 1;
        std::fs::write(&plan, &flipped).unwrap();
        assert_eq!(said(&sandbox, ""), "first nobody", "flipped at {place}");
    }
}

#[test]
fn a_dotenv_file_is_seen() {
    let sandbox = Sandbox::with(
        "env_files: [.env, { path: more.env, optional: true }]\ntargets: { default: [say] }\nsteps:\n  say: { run: echo first $WHO }\n",
    );
    sandbox.write(".env", "WHO=nobody\n");
    kept_when_rested(&sandbox);
    sandbox.write(".env", "WHO=me\n");
    assert_eq!(said(&sandbox, ""), "first me");
    sandbox.write(".env", "WHO=nobody\n");
    kept_when_rested(&sandbox);
    sandbox.write("more.env", "WHO=you\n");
    assert_eq!(said(&sandbox, ""), "first you");
    sandbox.remove("more.env");
    sandbox.remove(".env");
    assert!(said(&sandbox, "").contains("`.env` does not exist"));
}

#[test]
fn a_variable_that_is_set_later_is_warned_of() {
    let sandbox = Sandbox::with(
        "targets: { default: [say] }\nsteps:\n  say: { env_policy: strict, run: \"echo first nobody $LOST\" }\n",
    );
    kept_when_rested(&sandbox);
    let before = inode(&sandbox);
    let warns = |lost: &str| {
        let output = sandbox.shell(&format!("LOST={lost} pipe run")).exits(0);
        assert!(
            output.stdout.contains("`$LOST` is set by the caller"),
            "{output:?}"
        );
    };
    warns("1");
    // This plan is kept too, and says it again.
    assert_ne!(inode(&sandbox), before);
    let before = inode(&sandbox);
    warns("2");
    assert_eq!(inode(&sandbox), before);
    let strict = sandbox.shell("LOST=2 pipe run --strict").exits(2);
    assert!(strict.stdout.contains("undeclared_variable"), "{strict:?}");
    assert_eq!(said(&sandbox, ""), "first nobody");
}
