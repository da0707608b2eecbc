//! A naive oracle for the cache: what steps make, and which of them run, said by plain means.
//!
//! A random workspace is built, edited and run, round after round. After each run the outcome of
//! every step and every file must be what the oracle says, and what went well must be what a build
//! from nothing makes. Nothing here knows the program under test: it gets the graph from the generator, and
//! keeps contents where the program keeps digests. Who plays ([`World`]) starts real processes or
//! scripted ones.
//!
//! - `dice`: random choices of a seed
//! - `graph`: steps as generated
//! - `command`: what a step's command does: as a script, and in plain Rust
//! - `disk`: files, as they should be and as they are
//! - `edits`: what a person, a tool or an accident does between two runs
//! - `expected`: what a run should do
//! - `sequence`: rounds of edits and runs, and how a failing one is made shorter
#![expect(
    clippy::disallowed_methods,
    reason = "what people do to a workspace between two runs is done past the program"
)]

pub(crate) mod command;
pub(crate) mod dice;
pub(crate) mod disk;
mod edits;
pub(crate) mod expected;
pub(crate) mod graph;
pub(crate) mod sequence;
