//! Who makes which path: what any step of the workspace declares, under any profile.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::expand::{Declared, Facts, declared};
use crate::expand::{Output, OutputKind, Owned};
use crate::glob::PatternSet;
use crate::model::{Axis, Pipeline, Step, Workspace};
use crate::path::RelPath;

/// A step and one thing that it declares.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub(super) pipeline: usize,
    pub(super) step: usize,
    pub(super) declared: Declared,
}

/// The makers under one requested profile.
#[derive(Debug, Default)]
pub(super) struct Makers {
    files: HashMap<RelPath, Maker>,
    folders: BTreeMap<RelPath, Maker>,
    /// Globs, by the folder that all their matches are in.
    globs: HashMap<RelPath, Vec<Maker>>,
}

impl Makers {
    /// Everything that is declared where `profile` is asked for.
    pub(super) fn under(workspace: &Workspace, facts: &Facts, profile: Option<&str>) -> Self {
        let mut makers = Self::default();
        for_each_step(workspace, |(pipeline_ix, pipeline), (step_ix, step)| {
            for declared in declared(
                workspace,
                pipeline,
                step,
                pipeline.effective_profile(profile),
                facts,
            ) {
                makers.add(Maker {
                    pipeline: pipeline_ix,
                    step: step_ix,
                    declared,
                });
            }
        });
        makers
    }

    fn add(&mut self, maker: Maker) {
        if maker.declared.output.negated {
            return;
        }
        match &maker.declared.output.kind {
            OutputKind::File(path) => {
                self.files.insert(path.clone(), maker);
            }
            OutputKind::Folder(path) => {
                self.folders.insert(path.clone(), maker);
            }
            OutputKind::Glob(pattern) => {
                let folder = pattern.prefix().clone();
                self.globs.entry(folder).or_default().push(maker);
            }
        }
    }

    /// Who makes `path`: itself, a folder around it, or a glob that it matches.
    pub(super) fn of(&self, path: &RelPath) -> Option<&Maker> {
        let around = || {
            let mut folder = Some(path.clone());
            std::iter::from_fn(move || {
                let this = folder.take()?;
                folder = this.parent();
                Some(this)
            })
        };
        let matches = |maker: &&Maker| matches!(&maker.declared.output.kind, OutputKind::Glob(pattern) if pattern.matches(path));
        self.files
            .get(path)
            .or_else(|| around().find_map(|folder| self.folders.get(&folder)))
            .or_else(|| {
                let near = around().filter_map(|folder| self.globs.get(&folder));
                let fitting = near.flatten().filter(matches);
                fitting.min_by_key(|maker| (maker.pipeline, maker.step))
            })
    }
}

/// Everything that any step declares as output, under each profile of its pipeline and under none.
/// `known` gives the outputs of a step (by the places of pipeline and step, and its profile) where
/// it has been expanded already.
pub(super) fn owned<'k>(
    workspace: &Workspace,
    facts: &Facts,
    known: impl Fn(usize, usize, Option<&str>) -> Option<Vec<&'k Output>>,
) -> Vec<Owned> {
    let mut all: Vec<Owned> = Vec::new();
    for_each_step(workspace, |(pipeline_ix, pipeline), (step_ix, step)| {
        let mut seen = HashSet::new();
        let mut owned = Owned {
            step: format!("{}:{}", pipeline.name.value, step.name.value),
            outputs: Vec::new(),
        };
        let mut add = |output: Output, many: bool| {
            // Under one profile no output stands twice, but profiles often change none.
            if !many || seen.insert(format!("{output:?}")) {
                owned.outputs.push(output);
            }
        };
        let many = !pipeline.profiles.is_empty();
        for profile in
            std::iter::once(None).chain(pipeline.profiles.keys().map(|name| Some(name.as_str())))
        {
            match known(pipeline_ix, step_ix, profile) {
                Some(outputs) => outputs
                    .into_iter()
                    .for_each(|output| add(output.clone(), many)),
                None => declared(workspace, pipeline, step, profile, facts)
                    .into_iter()
                    .for_each(|declared| add(declared.output, many)),
            }
        }
        all.extend((!owned.outputs.is_empty()).then_some(owned));
    });
    all
}

/// What steps make, as far as it can be told before the values of glob axes are known: for these
/// axes, which never take a file that a step makes. Of a step with such an axis, whatever lies in
/// the folder that its output's text begins with.
pub(super) fn before_axes(workspace: &Workspace, facts: &Facts) -> PatternSet {
    let mut made = PatternSet::new();
    for_each_step(workspace, |(_, pipeline), (_, step)| {
        if has_glob_axis(step) {
            let outputs = step.outputs.iter().filter(|output| !output.negated);
            let texts = outputs.map(|output| &output.path).chain(&step.depfile);
            texts
                .filter_map(|path| literal_folder(&pipeline.dir, &path.text))
                .for_each(|folder| made.insert_folder(&folder));
            return;
        }
        for profile in
            std::iter::once(None).chain(pipeline.profiles.keys().map(|name| Some(name.as_str())))
        {
            let declared = declared(workspace, pipeline, step, profile, facts);
            let outputs = declared.iter().map(|declared| &declared.output);
            made.extend(outputs.filter(|output| !output.negated));
        }
    });
    made
}

/// Whether one of the step's axes has its values from the file system.
pub(super) fn has_glob_axis(step: &Step) -> bool {
    let axes = step.matrix.iter().flat_map(|matrix| matrix.axes.values());
    axes.into_iter()
        .any(|axis| matches!(axis.value, Axis::Glob(_)))
}

/// The folder that a text names before its first expression or wildcard; none where that is the
/// pipeline's own.
fn literal_folder(dir: &RelPath, text: &str) -> Option<RelPath> {
    let literal = &text[..text.find(['$', '*', '?', '[', '{']).unwrap_or(text.len())];
    let folder = RelPath::resolve(dir, &literal.as_bytes()[..literal.rfind('/')?]).ok()?;
    (folder != *dir).then_some(folder)
}

fn for_each_step(workspace: &Workspace, mut act: impl FnMut((usize, &Pipeline), (usize, &Step))) {
    for (pipeline_ix, pipeline) in workspace.pipelines.values().enumerate() {
        for (step_ix, step) in pipeline.steps.values().enumerate() {
            act((pipeline_ix, pipeline), (step_ix, step));
        }
    }
}
