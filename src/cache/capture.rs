//! After a command: is everything there that was declared, and what is it? It is hashed, stored
//! under its key and remembered. Knows no process: how the command ended was decided before.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::aside::Aside;
use super::beneath::Folder;
use super::entry::{Entry, EntryPath, Kind};
use super::made::{Made, Prepared, Ran, own_depfile};
use super::makers::files;
use super::rebuilder::Cache;
use super::result::Origin;
use super::state::{Ended, LastRun, Latest, nanos};
use super::tree::TreeError;
use crate::path::RelPath;
use crate::plan::{CacheMode, Output, OutputKind, PlanStep};
use crate::sys::fs::FsError;

/// Why what a command made is not taken: its step has failed.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Declared outputs are not there.
    #[error("{}", not_made(.0))]
    Missing(Vec<String>),
    /// A folder stands where a file was declared.
    #[error("output `{0}` is a folder; write `{0}/` for all in it")]
    IsFolder(String),
    /// Something else stands where a folder was declared.
    #[error("output `{0}/` is no folder")]
    NoFolder(String),
    /// A link that leads out of the workspace.
    #[error("output `{path}` is a link to `{target}`, which is outside of the workspace")]
    LeadsOut {
        /// The link.
        path: String,
        /// What it says.
        target: String,
    },
    /// A folder on the way to an output is a link that leads out of the workspace.
    #[error("output `{path}`: {error}: {source}", source = error.source)]
    Outside {
        /// The output.
        path: String,
        /// What is in the way.
        error: FsError,
    },
    /// Another step made the same file in this run.
    #[error("output `{path}` was made by `{other}` too: each path has one maker")]
    Twice {
        /// The file.
        path: String,
        /// Who made it first.
        other: String,
    },
    /// It cannot be taken.
    #[error("output {0}")]
    Tree(TreeError),
}

/// That declared outputs were not made.
pub fn not_made(outputs: &[String]) -> String {
    let each = outputs.iter();
    let each: Vec<String> = each
        .map(|output| format!("output `{output}` was not made"))
        .collect();
    each.join(", ")
}

impl Cache {
    /// Takes what the command of `step` made in place of what was set `aside`. With `prepared` the result of a cached step stands
    /// under its key, and is stored if it may be shared; without (or for other steps) it is only
    /// remembered as what is there.
    ///
    /// # Errors
    ///
    /// When a declared output is missing, or is something that cannot be an output. Troubles of the
    /// store are no errors: they are told in [`Made::notes`].
    pub fn capture(
        &self,
        step: &PlanStep,
        prepared: Option<&Prepared>,
        ran: &Ran,
        aside: &mut Aside,
    ) -> Result<Made, CaptureError> {
        let entries = self
            .tree
            .outputs(&step.outputs, ran.since)
            .map_err(CaptureError::Tree)?;
        self.check_outputs(&step.outputs, &entries)?;
        self.makers
            .claim(step, files(&entries))
            .map_err(|(path, other)| CaptureError::Twice {
                path: path.to_string(),
                other,
            })?;
        let prepared = prepared.filter(|_| step.cache.is_cached());
        let origin = self.origin(step, ran);
        let mut notes = Vec::new();
        if let (Some(prepared), CacheMode::Shared) = (prepared, step.cache) {
            notes.extend(self.share(prepared, &entries, ran, &origin));
        }
        if let Err(error) = self.taken(aside, &entries) {
            notes.extend(self.say_once(&error));
        }
        let last = LastRun {
            key: prepared.map(|prepared| prepared.key),
            outputs: entries.clone(),
            made: Some(origin),
            log: Some(ran.log.clone()),
            latest: self.latest(Ended::Executed, ran),
            discovered: ran.discovered.clone(),
            fields: None,
        };
        notes.extend(self.remember(step, prepared, last));
        Ok(Made {
            entries,
            depfile: own_depfile(step),
            key: prepared.map(|prepared| prepared.key),
            log: Some(ran.log.clone()),
            notes,
            duration: ran.duration,
        })
    }

    /// Remembers of `step` what is remembered of `other`, which is equal to it and was run in its
    /// stead. The words to tell it with, should that not be possible.
    pub fn remember_alike(&self, step: &PlanStep, other: &PlanStep) -> Vec<String> {
        let (last, known) = (self.last(&other.identity()), self.last(&step.identity()));
        match last {
            Some(last) if known.as_ref() != Some(&last) => self.remember(step, None, last),
            _ => Vec::new(),
        }
    }

    /// Remembers that the command of `step` failed. What is remembered of its last result stays:
    /// its outputs were put back. The words to tell it with, should that not be possible.
    pub fn failed(&self, step: &PlanStep, ran: &Ran) -> Vec<String> {
        let latest = self.latest(Ended::Failed, ran);
        let last = match self.state.last(&step.identity()) {
            Some(last) => LastRun { latest, ..last },
            None => LastRun {
                key: None,
                outputs: Vec::new(),
                made: None,
                log: None,
                latest,
                discovered: Vec::new(),
                fields: None,
            },
        };
        self.remember(step, None, last)
    }

    /// Writes down the last run of a step, with the field list of its key.
    pub(super) fn remember(
        &self,
        step: &PlanStep,
        prepared: Option<&Prepared>,
        mut last: LastRun,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(prepared) = prepared {
            match self.fields.put(&self.listed(prepared)) {
                Ok(at) => last.fields = Some(at),
                Err(error) => notes.extend(self.say_once(&error)),
            }
        }
        if let Err(error) = self.state.put(&step.identity(), &last) {
            notes.extend(self.say_once(&error));
        }
        notes
    }

    fn latest(&self, ending: Ended, ran: &Ran) -> Latest {
        let (started, duration) = (nanos(ran.started), ran.duration.as_nanos() as u64);
        Latest {
            ending,
            run: self.run.clone(),
            started,
            duration,
            log: Some(ran.log.clone()),
        }
    }

    fn origin(&self, step: &PlanStep, ran: &Ran) -> Origin {
        Origin {
            step: step.name.clone(),
            root: self.root.display().to_string(),
            run: self.run.clone(),
            started: nanos(ran.started),
            duration: ran.duration.as_nanos() as u64,
        }
    }

    /// Whether all that is declared was made, as what it was declared.
    fn check_outputs(&self, outputs: &[Output], entries: &[Entry]) -> Result<(), CaptureError> {
        let inside = |entry: &'_ Entry| match &entry.path {
            EntryPath::In(path) => Some((path.clone(), entry.kind)),
            EntryPath::Outside(_) => None,
        };
        let found: HashMap<RelPath, Kind> = entries.iter().filter_map(inside).collect();
        let mut missing = Vec::new();
        for output in outputs.iter().filter(|output| !output.negated) {
            match self.check_output(output, &found) {
                Err(CaptureError::Missing(paths)) => missing.extend(paths),
                other => other?,
            }
        }
        if !missing.is_empty() {
            return Err(CaptureError::Missing(missing));
        }
        let links = found.iter().filter(|(_, kind)| **kind == Kind::Link);
        links
            .map(|(path, _)| path)
            .try_for_each(|path| self.check_link(path))
    }

    fn check_output(
        &self,
        output: &Output,
        found: &HashMap<RelPath, Kind>,
    ) -> Result<(), CaptureError> {
        let missing = |text: String| {
            if output.optional {
                Ok(())
            } else {
                Err(CaptureError::Missing(vec![text]))
            }
        };
        match &output.kind {
            OutputKind::File(path) => {
                self.check_way(path)?;
                match found.get(path) {
                    Some(Kind::File | Kind::Link) => Ok(()),
                    _ if is_folder(&path.under(&self.root)) => {
                        Err(CaptureError::IsFolder(path.to_string()))
                    }
                    _ => missing(path.to_string()),
                }
            }
            OutputKind::Folder(path) => {
                self.check_way(path)?;
                match path.under(&self.root).symlink_metadata() {
                    Ok(facts) if facts.is_dir() => Ok(()),
                    Ok(_) => Err(CaptureError::NoFolder(path.to_string())),
                    Err(_) => missing(format!("{path}/")),
                }
            }
            OutputKind::Glob(pattern) => {
                let is_match = |(path, kind): (&RelPath, &Kind)| {
                    *kind != Kind::EmptyFolder && pattern.matches(path)
                };
                if found.iter().any(is_match) {
                    Ok(())
                } else {
                    missing(pattern.text().to_owned())
                }
            }
        }
    }

    /// Whether the way to an output stays in the workspace.
    fn check_way(&self, path: &RelPath) -> Result<(), CaptureError> {
        match Folder::of_real(&self.root, path) {
            Err(error) if !error.is_not_found() => Err(CaptureError::Outside {
                path: path.to_string(),
                error,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a link stays in the workspace, by what it says and by where it leads.
    fn check_link(&self, path: &RelPath) -> Result<(), CaptureError> {
        let place = path.under(&self.root);
        let Ok(target) = std::fs::read_link(&place) else {
            return Ok(());
        };
        let text = target.as_os_str().as_bytes();
        let says_inside = if target.is_absolute() {
            RelPath::below(&self.root, &target).is_some()
        } else {
            RelPath::resolve(&path.parent().unwrap_or_default(), text).is_ok()
        };
        let leads_out = || match (place.canonicalize(), self.root.canonicalize()) {
            (Ok(end), Ok(root)) => !end.starts_with(root),
            _ => false,
        };
        if says_inside && !leads_out() {
            return Ok(());
        }
        Err(CaptureError::LeadsOut {
            path: path.to_string(),
            target: target.display().to_string(),
        })
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|facts| facts.is_dir())
}
