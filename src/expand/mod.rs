//! Matrix, variables and expressions: a step of a pipeline becomes instances, in which nothing is
//! open but what only the step's turn can tell.
//!
//! This room knows `model`, `glob` and the places of `source`; it reads no file (what comes from
//! outside is a value: [`Facts`]) and starts nothing.

mod caller;
mod circles;
mod code;
mod describe;
mod engine;
mod error;
mod facts;
mod flow;
mod instance;
mod layers;
mod limits;
mod lookup;
mod matrix;
mod mentions;
mod names;
mod parts;
mod quote;
mod resolved;
mod scope;
mod segments;
mod shell;
mod template;
mod tokens;
mod unseen;
mod unused;
mod uses;
mod value;

pub use caller::{HANDED_THROUGH, covers};
pub use describe::described;
pub use error::ExpandError;
pub use facts::{EnvFile, Facts};
pub(crate) use instance::literal_files;
pub use instance::{Declared, Instance, declared, instances, listed_cell};
pub use limits::Spent;
pub use names::refused;
pub use quote::Place;
pub use resolved::{
    CacheMode, Check, CheckKind, CheckPart, DepfileAt, Dialect, EnvPolicy, EnvSetting, LateTexts,
    Limit, Literal, Output, OutputKind, Owned, PlanStep, Retries, Shell, Sources, StepIx, cover,
};
pub use shell::Context;
pub use template::{FillError, Late, Piece, Template};
pub use unused::unused;
pub use value::Val;
