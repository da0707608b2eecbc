//! Is the last run's result still good, and if not, why? Changes nothing.

use std::collections::HashSet;
use std::time::Duration;

use super::action::path_bytes;
use super::diff;
use super::entry::{Entry, EntryPath, Kind};
use super::fields::Listed;
use super::made::{Made, Prepared, own_depfile};
use super::makers::files;
use super::miss::{MissReason, OutputChange};
use super::rebuilder::Cache;
use super::result::Bytes;
use super::state::{Ended, LastRun};
use super::tree::{Seq, TreeError};
use crate::path::RelPath;
use crate::plan::{CacheMode, OutputKind, PlanStep};

/// Why there is no key of the last run.
fn without_key(last: &LastRun) -> MissReason {
    match last.latest.ending {
        _ if last.made.is_some() => MissReason::NotKept,
        Ended::Failed => MissReason::Failed,
        _ => MissReason::NeverRan,
    }
}

impl Cache {
    /// Why `step` runs whatever its inputs turn out to be: nothing is remembered of it here that could
    /// be the same, and there is no store to take it from.
    pub fn must_run(&self, step: &PlanStep) -> Option<MissReason> {
        if step.cache == CacheMode::Shared && self.store.is_some() && self.read_store {
            return None;
        }
        match self.state.last(&step.identity()) {
            Some(last) if last.key.is_some() => None,
            Some(last) => Some(without_key(&last)),
            None => Some(MissReason::NeverRan),
        }
    }

    /// What the last run here made, if that was under the same key and all of it is still there and
    /// nothing else; otherwise why not.
    ///
    /// # Errors
    ///
    /// The reasons; never an empty list.
    pub fn up_to_date(
        &self,
        step: &PlanStep,
        prepared: &Prepared,
        since: Seq,
    ) -> Result<Made, Vec<MissReason>> {
        if let Some(reason) = self.always(step) {
            return Err(vec![reason]);
        }
        let last = self
            .state
            .last(&step.identity())
            .ok_or_else(|| vec![MissReason::NeverRan])?;
        if last.key != Some(prepared.key) {
            return Err(self.key_reasons(&last, prepared));
        }
        let mut damage = self.damage(step, &last, since);
        if damage.is_empty()
            && let Err((path, _)) = self.makers.claim(step, files(&last.outputs))
        {
            // That there are two makers is told when the command has run.
            damage.push(MissReason::Output {
                path: path.to_string(),
                change: OutputChange::Edited,
            });
        }
        match damage.as_slice() {
            [] => Ok(made_before(step, last)),
            _ => Err(damage),
        }
    }

    /// Why the step would run now, with what only `pipe why` looks at: results in the store that
    /// are good in other places only.
    pub fn explain(&self, step: &PlanStep, prepared: &Prepared) -> Vec<MissReason> {
        let mut reasons = self
            .up_to_date(step, prepared, self.tree.now())
            .err()
            .unwrap_or_default();
        if step.cache == CacheMode::Shared && !reasons.is_empty() {
            let bound = self.store.iter().flat_map(|store| {
                let keys = self.candidates(store, step, prepared, self.tree.now());
                keys.flat_map(|candidate| store.results().bound_to(candidate.key))
            });
            let elsewhere = bound.filter(|root| *root != self.root);
            reasons.extend(elsewhere.map(|root| MissReason::Bound { root }));
        }
        reasons
    }

    /// Why the step runs whatever was before.
    fn always(&self, step: &PlanStep) -> Option<MissReason> {
        match step.cache {
            CacheMode::Off => Some(MissReason::Off),
            CacheMode::Undeclared => Some(MissReason::Undeclared),
            CacheMode::Interactive => Some(MissReason::Interactive),
            CacheMode::Secrets => Some(MissReason::Secrets),
            CacheMode::Shared | CacheMode::Local => {
                (!self.read_store).then_some(MissReason::Forced)
            }
        }
    }

    /// What differs between the last key and this one.
    fn key_reasons(&self, last: &LastRun, prepared: &Prepared) -> Vec<MissReason> {
        let Some(key) = last.key else {
            return vec![without_key(last)];
        };
        let listed = last.fields.as_ref().and_then(|at| self.fields.get(at));
        // Every workspace that knows the key has the same field list under it.
        let from_store = || {
            let store = self.store.as_ref()?;
            let record = store.results().peek(key, self.root_bytes()).ok()??;
            let fields = Bytes(store.bytes(&record.fields).ok()?);
            Some(Listed {
                fields,
                made_by: Vec::new(),
            })
        };
        let Some(listed) = listed.or_else(from_store) else {
            return vec![MissReason::Forgotten];
        };
        let maker = |path: &[u8]| {
            let now = prepared
                .upstream
                .iter()
                .find(|(_, entry)| path_bytes(&entry.path) == path);
            now.map(|(step, _)| self.name(*step))
                .or_else(|| listed.maker(path).map(str::to_owned))
        };
        let reasons = diff::reasons(&listed.fields.0, &prepared.fields, &maker);
        if reasons.is_empty() {
            vec![MissReason::Forgotten]
        } else {
            reasons
        }
    }

    /// In which ways the outputs on disk are not what was recorded.
    pub(super) fn damage(&self, step: &PlanStep, last: &LastRun, since: Seq) -> Vec<MissReason> {
        let still = self
            .tree
            .still_all(&last.outputs, since)
            .unwrap_or_default();
        let covered = self.covered(step);
        let here: Option<HashSet<&RelPath>> = match &covered {
            Ok(Some(found)) => Some(found.iter().map(|(path, _)| path).collect()),
            _ => None,
        };
        // What is equal behind a link in the place of a folder is not what was made.
        let is_behind_link = |entry: &Entry| match (&here, &entry.path) {
            (Some(here), EntryPath::In(path)) => entry.kind != Kind::Absent && !here.contains(path),
            _ => false,
        };
        let mut damage = Vec::new();
        for (at, entry) in last.outputs.iter().enumerate() {
            if !still.get(at).copied().unwrap_or(false) || is_behind_link(entry) {
                damage.extend(self.changed_output(entry));
            }
        }
        let extra = |path| MissReason::Output {
            path,
            change: OutputChange::Extra,
        };
        match covered {
            Ok(found) => {
                let found = unrecorded(found.unwrap_or_default(), &last.outputs).into_iter();
                damage.extend(found.map(|(path, _)| extra(path.to_string())));
            }
            Err(error) => damage.push(extra(error.to_string())),
        }
        damage
    }

    fn changed_output(&self, entry: &Entry) -> Option<MissReason> {
        let EntryPath::In(path) = &entry.path else {
            return None;
        };
        let is_there = path.under(&self.root).symlink_metadata().is_ok();
        let change = if is_there {
            OutputChange::Edited
        } else {
            OutputChange::Missing
        };
        Some(MissReason::Output {
            path: path.to_string(),
            change,
        })
    }

    /// What the outputs cover that is not in `entries`.
    pub(super) fn extra(
        &self,
        step: &PlanStep,
        entries: &[Entry],
    ) -> Result<Vec<(RelPath, Kind)>, TreeError> {
        Ok(unrecorded(self.covered(step)?.unwrap_or_default(), entries))
    }

    /// What the outputs cover, links not followed. Outputs that name one file each cover nothing
    /// else, and are not looked at.
    fn covered(&self, step: &PlanStep) -> Result<Option<Vec<(RelPath, Kind)>>, TreeError> {
        let is_one_file = |output: &crate::plan::Output| {
            matches!(output.kind, OutputKind::File(_)) && !output.optional && !output.negated
        };
        if step.outputs.iter().all(is_one_file) {
            return Ok(None);
        }
        self.tree.output_paths(&step.outputs).map(Some)
    }

    /// The step and what each of the steps that it needs has made, to be kept with the key.
    pub(super) fn listed(&self, prepared: &Prepared) -> Listed {
        let mut made_by: Vec<(String, Vec<Bytes>)> = Vec::new();
        for (step, entry) in &prepared.upstream {
            let (name, path) = (self.name(*step), Bytes(path_bytes(&entry.path).to_vec()));
            match made_by.last_mut().filter(|(last, _)| *last == name) {
                Some((_, paths)) => paths.push(path),
                None => made_by.push((name, vec![path])),
            }
        }
        Listed {
            fields: Bytes(prepared.fields.clone()),
            made_by,
        }
    }
}

/// Of these paths, those that are not in `entries`.
fn unrecorded(mut found: Vec<(RelPath, Kind)>, entries: &[Entry]) -> Vec<(RelPath, Kind)> {
    let recorded: HashSet<&[u8]> = entries
        .iter()
        .map(|entry| path_bytes(&entry.path))
        .collect();
    found.retain(|(path, _)| !recorded.contains(path.as_bytes()));
    found
}

/// What a record says that a step made.
pub(super) fn made_before(step: &PlanStep, last: LastRun) -> Made {
    let duration = last.duration().unwrap_or(Duration::ZERO);
    Made {
        entries: last.outputs,
        depfile: own_depfile(step),
        key: last.key,
        log: last.log,
        notes: Vec::new(),
        duration,
    }
}
