//! Plan: what a run will consider, in which order, fully resolved.
//!
//! The steps in it are as `expand` resolved them; here they get their edges and their order. A
//! plan knows no file contents, clock or process, and can be stored.

mod build;

use serde::{Deserialize, Serialize};

pub use crate::expand::{
    CacheMode, Check, CheckKind, DepfileAt, Dialect, EnvPolicy, EnvSetting, HANDED_THROUGH, Limit,
    Literal, Output, OutputKind, Owned, PlanStep, Retries, Shell, Sources, StepIx, cover, covers,
};
pub use build::build;

/// The steps of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// All steps that the run considers; each comes after what it needs.
    pub steps: Vec<PlanStep>,
    /// The steps that the command line named, or that the targets it named list.
    pub named: Vec<StepIx>,
    /// Everything that any step of the workspace declares as output: no source glob matches it.
    pub owned: Vec<Owned>,
    /// Names and patterns that globs skip.
    pub ignore: Vec<String>,
}
