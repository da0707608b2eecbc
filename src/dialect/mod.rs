//! Build sections of other systems, read as they are: what they say becomes ordinary pipeline
//! documents, whose texts keep their places in the other system's files.
//!
//! ```text
//! config.yaml, server.yaml ─parse→ WorkerDoc, ServerDoc ─tqserver→ PipelineDoc ─model→ ...
//! app.json                 ─parse→ AppDoc               ─app─────↗      └write→ pipe.yaml
//! ```
//!
//! Pure: `load` finds and reads the files, and says what else lies in the folders. So whoever is
//! told of a mistake later is shown the line that he wrote himself. `docs/dialects.md` is the page
//! for users.

mod app;
mod error;
mod flags;
mod gitignore;
mod go;
mod made;
mod tqserver;
mod write;

pub use app::{App, app};
pub use error::DialectError;
pub use go::go_sources;
pub use tqserver::{Worker, server, worker};
pub use write::write;

/// Another system whose build sections are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Workers in `workers/`, and `config/server.yaml`.
    TqServer,
    /// An app with an `app.json`.
    App,
}
