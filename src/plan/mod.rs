//! Plan: what a run will consider, in which order, fully resolved.

mod build;
mod step;

pub use build::build;
pub use step::{
    CacheMode, Check, CheckKind, Dialect, EnvPolicy, EnvSetting, Literal, Output, OutputKind, Plan,
    PlanStep, Shell, Sources, StepIx,
};
