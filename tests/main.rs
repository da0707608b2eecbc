//! Black-box tests: the program is started as a person starts it, in a folder of its own.
//!
//! | module | holds |
//! |---|---|
//! | `cases` | the transcripts in `diagnostics/`, `plans/` and `stories/` (README.md says how to read them) |
//! | `run` | what a transcript cannot say: two runs at once, signals, streams apart |
//! | `codes` | every error code has a case with marked places and a help; corrected lines; the page of errors |
//! | `concurrency` | several runs at once on one store, and in one workspace |
//! | `environment` | what a cached step sees of the caller, and the page that says so |
//! | `examples` | examples that need only a shell, three runs each |
//! | `hostile` | files made to use up memory, time or the stack |
//! | `kept_plans` | a plan from an earlier run is used only while it is still true |
//! | `pages` | the examples of the documentation pass `pipe check` |
//! | `quoting` | a real shell gets each value as the words that it is |
//! | `random_graphs` | random workspaces, edited and run beside the naive oracle in `oracle/` |
//! | `schema` | the files in `schema/` are those of the program, and hold for every pipeline file |
//! | `mutations` | the schema and the program agree on thousands of changed files |
//! | `torture` | edits, folders and runs that come in between; `torture.md` lists all that is tried |
//! | `architecture` | who may know whom |
#![expect(
    clippy::disallowed_methods,
    reason = "tests stand outside of the house: they start the program and change folders of their own"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod cases;
mod codes;
mod concurrency;
mod environment;
mod examples;
mod hostile;
mod kept_plans;
mod mutations;
mod oracle;
mod pages;
mod quoting;
mod random_graphs;
mod run;
mod schema;
mod support;
mod torture;
