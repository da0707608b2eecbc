//! What the program was started with: environment and working folder, read once at the start and
//! handed on as values. Knows nobody.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// The caller's environment.
pub type Environment = BTreeMap<OsString, OsString>;

/// The caller's environment as it is now.
pub fn capture() -> Environment {
    std::env::vars_os().collect()
}

/// The working folder.
pub fn working_folder() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// The program itself.
pub fn program() -> io::Result<PathBuf> {
    std::env::current_exe()
}
