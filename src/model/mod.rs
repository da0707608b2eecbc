//! The validated vocabulary: documents as written become pipelines as meant.
//!
//! Everything here is data. This room knows `parse` (documents) and `source` (places); it reads no
//! file and evaluates no expression: texts with `${{ }}` are carried on as written.

mod error;
mod lower;
mod name;
mod pipeline;
mod quantity;
mod reference;
mod step;

pub use error::{Complaint, ModelError};
pub use lower::{Lowered, Place, lower, of_template};
pub use name::NameKind;
pub use pipeline::{Pipeline, Profile, Settings, Target, Vars, Workspace};
pub use quantity::{duration, limit, requirement, size};
pub use reference::{Reference, ReferenceError, display_cell};
pub use step::{
    Axis, CacheWord, CheckText, Combination, EnvFileText, EnvMap, EnvText, MOST_INSTANCES, Matrix,
    OutputText, Retries, Step, Written,
};
