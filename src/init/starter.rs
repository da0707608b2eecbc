//! For a folder in which nothing is recognised: a file to begin with.

use super::document::{Draft, Step, Target};

pub(super) fn draft() -> Draft {
    Draft {
        kind: "nothing that `pipe` knows, so it is a start to build on".to_owned(),
        dev: Target {
            steps: vec!["shout"],
            profile: None,
            description: "what `pipe run` does",
        },
        steps: vec![
            Step::new("hello", "Make a file")
                .note(
                    "A step says what it reads and what it makes. It runs when one of these changed, and is\n\
                     up to date otherwise. Paths are relative to this file; globs may be as in `src/**/*.c`.",
                )
                .list("sources", &["pipe.yaml"])
                .list("outputs", &["out/hello.txt"])
                .run(&["echo hello > ${{ output }}"]),
            Step::new("shout", "Make another one out of it")
                .note("`hello` comes first, and what it makes is read here.")
                .list("needs", &["hello"])
                .key("sources", "[]")
                .list("outputs", &["out/shout.txt"])
                .run(&["tr a-z A-Z < ${{ needs.hello.outputs }} > ${{ output }}"]),
        ],
        ..Draft::default()
    }
}
