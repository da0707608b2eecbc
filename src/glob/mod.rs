//! The one dialect of patterns: for sources, outputs, members, axes, ignored names.
//!
//! `*`, `?` and classes never match `/`; `**` as a whole part does; `?` is one character; `[a-z]`,
//! `[!a]`, `[^a]`; `{a,b}` are alternatives, written out before anything else as a shell does it;
//! `\` takes the next character as it is; case matters; a leading dot is a character like any
//! other. This room knows nobody but paths; `globset` and `walkdir` are named only here.

mod engine;
mod ignore;
mod pattern;
mod set;
mod syntax;
mod walk;

pub use ignore::{Ignore, TEMP_PREFIX};
pub use pattern::Pattern;
pub use set::PatternSet;
pub use syntax::{GlobError, escape};
pub use walk::{FileKind, Listing, Visitor, WalkError, Want, folder, list, walk};

#[cfg(test)]
mod tests;
