//! A step's turn: its inputs are gathered, its late values filled in, its key computed. What
//! needed steps made is taken from what they told, without a look at the disk. Changes nothing.

use std::collections::BTreeMap;

use super::action::{Action, ActionKey, Printed};
use super::digest::Digest;
use super::encode;
use super::entry::{Entry, EntryPath, Identity, Kind};
use super::made::{Made, PrepareError, Prepared, Upstream};
use super::rebuilder::Cache;
use super::tree::{Seq, SourceSet, TreeError};
use crate::expand::{Late, Piece, Template};
use crate::path::RelPath;
use crate::plan::{Literal, PlanStep, Sources, StepIx};

/// The names that `stamp.` has.
const STAMPS: [&str; 6] = ["commit", "short", "branch", "tag", "time", "version"];

/// Stands for the number of job slots in keys: a number, as expressions may calculate with it.
const JOBS: &str = "1";

impl Cache {
    /// Gathers all that decides on `step`. `upstream` is what the steps that it needs have made;
    /// nothing that was seen before `since` is trusted.
    ///
    /// # Errors
    ///
    /// When a source cannot be taken, or an expression fails.
    pub fn prepare(
        &self,
        step: &PlanStep,
        upstream: &Upstream<'_>,
        since: Seq,
    ) -> Result<Prepared, PrepareError> {
        let SourceSet {
            entries: sources,
            empty_patterns,
        } = match &step.sources {
            Some(sources) => self
                .tree
                .sources(sources, since)
                .map_err(PrepareError::Source)?,
            None => SourceSet::default(),
        };
        let upstream_inputs = self.upstream_inputs(step, upstream, since)?;
        let late = late(step, &sources, upstream);
        let inputs = sources
            .iter()
            .chain(upstream_inputs.iter().map(|(_, entry)| entry))
            .cloned()
            .collect();
        let mut action = Action::of(step, &late, inputs)?;
        action.discovered = self.last_discovered(step, since);
        let fields = action.encode();
        Ok(Prepared {
            key: ActionKey(encode::key(&fields)),
            action,
            late,
            sources,
            warnings: empty_patterns
                .iter()
                .map(|pattern| format!("`{pattern}` matches no file"))
                .collect(),
            upstream: upstream_inputs,
            fields,
        })
    }

    /// The inputs that other steps made: all outputs of needed steps, and those that are named
    /// literally.
    fn upstream_inputs(
        &self,
        step: &PlanStep,
        upstream: &Upstream<'_>,
        since: Seq,
    ) -> Result<Vec<(StepIx, Entry)>, PrepareError> {
        let mut inputs = Vec::new();
        for by in &step.needs {
            let made = upstream.get(*by);
            for entry in made.into_iter().flat_map(Made::handed_on) {
                inputs.push((*by, self.as_input(entry, since)?));
            }
        }
        for (path, by) in made_literals(step) {
            let made = upstream
                .get(by)
                .and_then(|made| made.entries.iter().find(|entry| is_at(entry, path)));
            let entry = match made {
                Some(entry) => self.as_input(entry, since)?,
                None => self.look_input(path, since)?,
            };
            inputs.push((by, entry));
        }
        Ok(inputs)
    }

    /// An output as another step reads it: what a link leads to counts too.
    fn as_input(&self, entry: &Entry, since: Seq) -> Result<Entry, PrepareError> {
        match &entry.path {
            EntryPath::In(path) if entry.kind == Kind::Link => self.look_input(path, since),
            _ => Ok(entry.clone()),
        }
    }

    /// A file as it is read; nothing there, and a link to a folder or to nowhere, are no errors.
    fn look_input(&self, path: &RelPath, since: Seq) -> Result<Entry, PrepareError> {
        let one = Sources {
            literals: vec![Literal::File(path.clone())],
            ..Sources::default()
        };
        let found = match self.tree.sources(&one, since) {
            Ok(set) => set.entries.into_iter().next(),
            Err(
                TreeError::Missing(_)
                | TreeError::Folder(_)
                | TreeError::FolderLink(_)
                | TreeError::BrokenLink(_),
            ) => None,
            Err(error) => return Err(PrepareError::Source(error)),
        };
        if let Some(entry) = found {
            return Ok(entry);
        }
        match self.tree.look(path, since) {
            // A folder where a file was made once.
            Err(TreeError::Folder(at)) => Ok(absent(at)),
            result => result.map_err(PrepareError::Source),
        }
    }
}

impl Prepared {
    /// The same with what the step's tools printed, by their names.
    #[must_use]
    pub fn with_tools(mut self, printed: &BTreeMap<String, String>) -> Self {
        let printed = printed.iter();
        let printed = printed.map(|(name, text)| (name.clone(), Printed::of(text)));
        self.action.tools = printed.collect();
        self.fields = self.action.encode();
        self.key = ActionKey(encode::key(&self.fields));
        self
    }
}

/// The sources that are outputs of other steps, named literally.
fn made_literals(step: &PlanStep) -> impl Iterator<Item = (&RelPath, StepIx)> {
    let literals = step.sources.iter().flat_map(|sources| &sources.literals);
    literals.filter_map(|literal| match literal {
        Literal::Made { path, by } => Some((path, *by)),
        Literal::File(_) | Literal::Outside(_) => None,
    })
}

/// Nothing that can be read.
fn absent(path: EntryPath) -> Entry {
    Entry {
        path,
        kind: Kind::Absent,
        exec: false,
        digest: Digest::default(),
        identity: Identity::default(),
    }
}

fn is_at(entry: &Entry, path: &RelPath) -> bool {
    matches!(&entry.path, EntryPath::In(found) if found == path)
}

/// The values for the step's holes; none are gathered for a step without holes.
fn late(step: &PlanStep, sources: &[Entry], upstream: &Upstream<'_>) -> Late {
    let mut late = Late {
        dir: step.dir.clone(),
        jobs: JOBS.to_owned(),
        ..Late::default()
    };
    if !step.templates().any(has_holes) {
        return late;
    }
    let made = made_literals(step).map(|(path, _)| path.clone());
    late.sources = sources.iter().filter_map(inside).chain(made).collect();
    late.sources.sort_unstable();
    late.sources.dedup();
    late.needs = step
        .need_names
        .iter()
        .map(|(name, by)| (name.clone(), outputs(by, upstream)))
        .collect();
    if step.templates().any(may_use_stamps) {
        late.stamps =
            BTreeMap::from(STAMPS.map(|name| (name.to_owned(), format!("\u{1}stamp.{name}\u{1}"))));
    }
    late
}

fn has_holes(template: &Template) -> bool {
    template
        .pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Hole { .. }))
}

/// Whether the word stands in one of the expressions: cheaper than to read them, and most have none.
fn may_use_stamps(template: &Template) -> bool {
    template.pieces.iter().any(
        |piece| matches!(piece, Piece::Hole { expression, .. } if expression.contains("stamp")),
    )
}

/// The files that these steps made.
fn outputs(by: &[StepIx], upstream: &Upstream<'_>) -> Vec<RelPath> {
    let made = by.iter().filter_map(|by| upstream.get(*by));
    let mut paths: Vec<RelPath> = made
        .flat_map(|made| made.handed_on().filter_map(inside))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The path of a file or link in the workspace.
fn inside(entry: &Entry) -> Option<RelPath> {
    match (&entry.path, entry.kind) {
        (EntryPath::In(path), Kind::File | Kind::Link) => Some(path.clone()),
        _ => None,
    }
}
