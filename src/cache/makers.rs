//! Who made which file in this run: what two steps' globs cover may meet in a file that nobody could
//! name before. Only outputs that cover more than their own name are asked about; all others are
//! told apart when the plan is made. Knows no disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::entry::{Entry, EntryPath, Kind};
use crate::path::RelPath;
use crate::plan::{Output, OutputKind, PlanStep};

/// The first maker of each file, by its identity.
#[derive(Debug, Default)]
pub(super) struct Makers(Mutex<HashMap<RelPath, String>>);

impl Makers {
    /// Writes down that `step` made the files at `paths`; where another step made one of them
    /// before, that file and the other step.
    pub(super) fn claim<'p>(
        &self,
        step: &PlanStep,
        paths: impl Iterator<Item = &'p RelPath> + Clone,
    ) -> Result<(), (RelPath, String)> {
        let covers_more = |output: &Output| !matches!(output.kind, OutputKind::File(_));
        if !step.outputs.iter().any(covers_more) {
            return Ok(());
        }
        let identity = step.identity();
        let mut makers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths.clone() {
            if let Some(other) = makers.get(path).filter(|other| **other != identity) {
                return Err((path.clone(), other.clone()));
            }
        }
        makers.extend(paths.map(|path| (path.clone(), identity.clone())));
        Ok(())
    }
}

/// The paths of files and links; empty folders may have many makers.
pub(super) fn files(entries: &[Entry]) -> impl Iterator<Item = &RelPath> + Clone {
    entries.iter().filter_map(|entry| match &entry.path {
        EntryPath::In(path) if entry.kind != Kind::EmptyFolder => Some(path),
        _ => None,
    })
}
