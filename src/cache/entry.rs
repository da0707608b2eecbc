//! What is known of one path: what kind of thing it is, its contents, and how to tell cheaply
//! that it is still the same.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::path::RelPath;

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file; the digest is of its bytes.
    File,
    /// A symbolic link; the digest is of its text (for inputs: of text and content, see `tree`).
    Link,
    /// A folder with nothing in it (only recorded for outputs).
    EmptyFolder,
    /// Nothing: an optional thing that is not there.
    Absent,
}

/// By which a file is known again without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Identity {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime: i128,
    /// Status change time in nanoseconds since the epoch; a program cannot set it.
    pub ctime: i128,
    /// Inode number.
    pub inode: u64,
    /// Device number.
    pub device: u64,
    /// File type and exec bit, as in `st_mode` masked with `0o170100`.
    pub mode: u32,
}

/// A path and what stands there: an input, or a file that a step made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The path in the workspace. A literal source outside of it stands as its absolute path's
    /// bytes with the leading `/` kept.
    pub path: EntryPath,
    /// What stands there.
    pub kind: Kind,
    /// Whether the exec bit of the owner is set.
    pub exec: bool,
    /// Digest of its content; all zero for `Absent` and `EmptyFolder`.
    pub digest: Digest,
    /// Its identity when it was looked at. Not part of any key.
    pub identity: Identity,
}

/// Where an [`Entry`] is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EntryPath {
    /// In the workspace.
    In(RelPath),
    /// Outside: an absolute path.
    Outside(String),
}

impl EntryPath {
    /// The path as shown to people.
    pub fn display(&self) -> String {
        match self {
            Self::In(path) => path.to_string(),
            Self::Outside(path) => path.clone(),
        }
    }
}
