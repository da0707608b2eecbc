//! Why `pipe` itself could not do its work. A step that fails is none of these.

use std::io;

use miette::Diagnostic;
use thiserror::Error;

use crate::sys::fs::FsError;

/// Why a run could not be carried through.
#[derive(Debug, Error, Diagnostic)]
pub enum ExecError {
    /// The threads that carry steps cannot be started.
    ///
    /// The system refuses more; fewer job slots need fewer.
    #[error("cannot start {jobs} threads for steps")]
    #[diagnostic(
        code(pipe::exec::threads),
        help("fewer job slots (`-j`) need fewer threads")
    )]
    Threads {
        /// How many.
        jobs: usize,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The folder for logs cannot be made.
    ///
    /// It is `.pipe/runs` in the workspace's root.
    #[error("cannot prepare the run's folder")]
    #[diagnostic(
        code(pipe::exec::run_folder),
        help("logs of steps go there; is the disk full or read-only?")
    )]
    RunFolder(#[source] FsError),
    /// What the run found out could not be written down.
    ///
    /// Its results are right, but the next run will look at everything again.
    #[error("the next run will have to look at everything again")]
    #[diagnostic(code(pipe::exec::not_saved), severity(Warning))]
    NotSaved(#[source] FsError),
}
