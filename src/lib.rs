//! `pipe` runs build pipelines.
//!
//! What happens to a line of YAML until a process runs:
//!
//! ```text
//! files ─load→ text ─parse→ Document (spans) ─model→ Workspace ─expand→ instances ─graph→ StepGraph
//!       ─plan→ Plan ─exec→ (key → hit? restore : run → store) ─events→ sinks
//! ```
//!
//! All to the left of `exec` is pure, data to data ([`load`] reads files). What acts is small and
//! at the edge. `ARCHITECTURE.md` tells who may know whom.

pub mod cache;
pub mod cli;
pub mod dialect;
pub mod event;
pub mod exec;
pub mod expand;
pub mod glob;
pub mod graph;
pub mod init;
pub mod load;
pub mod model;
pub mod parse;
pub mod path;
pub mod plan;
pub mod process;
pub mod report;
pub mod source;
pub mod suggest;
pub mod sys;
