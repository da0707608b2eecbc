//! Globs of sources that match no file, for `pipe check`: one walk for all of them, nothing read.

use std::path::Path;

use indexmap::IndexSet;

use crate::expand::{ExpandError, Output, OutputKind};
use crate::glob::{Ignore, Pattern, PatternSet, Want, list};
use crate::graph::StepGraph;
use crate::path::RelPath;
use crate::source::Span;

/// So many globs are compared with all outputs, to tell what is wrong with them.
const MOST_COMPARED: usize = 100;

/// The globs of all steps, and what steps make: that is no source.
#[derive(Default)]
pub(super) struct Globs {
    globs: IndexSet<(Pattern, Span)>,
    outputs: IndexSet<Output>,
}

impl Globs {
    /// Takes in the steps of `graph`.
    pub(super) fn add(&mut self, graph: &StepGraph) {
        for instance in &graph.instances {
            let patterns = instance.plan.sources.iter().flat_map(|all| &all.patterns);
            let globs = patterns.zip(&instance.pattern_spans);
            self.globs
                .extend(globs.map(|(pattern, span)| (pattern.clone(), *span)));
            let outputs = instance.plan.outputs.iter();
            self.outputs
                .extend(outputs.filter(|output| !output.negated).cloned());
        }
    }

    /// Those that match no file below `root`. Where a folder cannot be read nothing is known.
    pub(super) fn unmatched(&self, root: &Path, ignore: &[String]) -> Vec<ExpandError> {
        let patterns = self.globs.iter().map(|(pattern, _)| pattern);
        let Ok(ignore) = Ignore::new(ignore) else {
            return Vec::new();
        };
        let Ok(mut sources) = list(root, patterns, &ignore, Want::Files) else {
            return Vec::new();
        };
        let made: PatternSet = self.outputs.iter().collect();
        sources.retain(|file| !made.matches(file));
        let unmatched = self
            .globs
            .iter()
            .filter(|(pattern, _)| !matches_any(pattern, &sources));
        let no_file = |(at, (pattern, span)): (usize, &(Pattern, Span))| ExpandError::NoFile {
            pattern: pattern.text().to_owned(),
            span: *span,
            help: self.help(pattern, at < MOST_COMPARED),
        };
        unmatched.enumerate().map(no_file).collect()
    }

    fn help(&self, pattern: &Pattern, compares: bool) -> String {
        let is_it = |output: &Output| match &output.kind {
            OutputKind::File(path) => pattern.matches(path),
            OutputKind::Folder(path) => pattern.prefix().is_in(path),
            OutputKind::Glob(other) => other.text() == pattern.text(),
        };
        match compares && self.outputs.iter().any(is_it) {
            true => "what a step makes is no source: name that step in `needs`".to_owned(),
            false => "put its spelling right, or take it away".to_owned(),
        }
    }
}

/// Whether one of `files`, which are sorted, matches.
fn matches_any(pattern: &Pattern, files: &[RelPath]) -> bool {
    let prefix = pattern.prefix().as_bytes();
    let from = files.partition_point(|file| file.as_bytes() < prefix);
    let below = files[from..].iter();
    below
        .take_while(|file| file.as_bytes().starts_with(prefix))
        .any(|file| pattern.matches(file))
}
