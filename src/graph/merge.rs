//! Equal work is done once: which instances are the same in all that counts.
//!
//! Only `shared` instances are merged: running one of the others has a meaning of its own.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{EdgeKind, InstanceIx, StepGraph};
use crate::expand::{CacheMode, EnvSetting, Instance, OutputKind, Piece, PlanStep, Template};
use crate::path::RelPath;

/// For each instance the first one, in the order of running, that is equal to it: mostly itself.
/// With `args` what was asked for gets arguments, which makes it unlike all the rest.
pub(super) fn merge(graph: &StepGraph, args: bool) -> Vec<InstanceIx> {
    let named = named(graph, args);
    let mut first: Vec<InstanceIx> = (0..graph.instances.len()).collect();
    let mut alike: HashMap<u64, Vec<InstanceIx>> = HashMap::new();
    let mut edges: Vec<Vec<Reason<'_>>> = vec![Vec::new(); graph.instances.len()];
    for ix in graph.order(graph.instances.len()) {
        let instance = &graph.instances[ix];
        edges[ix] = reasons(graph, ix, &first);
        if !instance.is_group() && instance.plan.cache != CacheMode::Shared {
            continue;
        }
        let others = alike.entry(likeness(instance, &edges[ix])).or_default();
        let equal = others.iter().find(|other| {
            named[**other] == named[ix]
                && edges[**other] == edges[ix]
                && same_work(&graph.instances[**other].plan, &instance.plan)
        });
        match equal {
            Some(other) => first[ix] = *other,
            None => others.push(ix),
        }
    }
    first
}

/// Which instances get arguments, if there are any: the wanted ones, and what wanted groups need.
fn named(graph: &StepGraph, args: bool) -> Vec<bool> {
    let mut named = vec![false; graph.instances.len()];
    let mut open = match args {
        true => graph.wanted.clone(),
        false => Vec::new(),
    };
    while let Some(ix) = open.pop() {
        if !std::mem::replace(&mut named[ix], true) && graph.instances[ix].is_group() {
            let needs = graph.dependencies(ix);
            let needs = needs.filter(|(_, edge)| matches!(edge.kind, EdgeKind::Needs(_)));
            open.extend(needs.map(|(from, _)| from));
        }
    }
    named
}

/// Why an instance comes after another, which stands for all that are equal to it.
type Reason<'a> = (u8, &'a [String], Option<(usize, &'a RelPath)>, InstanceIx);

fn reasons<'a>(graph: &'a StepGraph, ix: InstanceIx, first: &[InstanceIx]) -> Vec<Reason<'a>> {
    let reason = |(from, edge): (InstanceIx, &'a super::Edge)| match &edge.kind {
        EdgeKind::Needs(names) => (0, &names[..], None, first[from]),
        EdgeKind::After => (1, [].as_slice(), None, first[from]),
        EdgeKind::Makes(literal, path) => (2, [].as_slice(), Some((*literal, path)), first[from]),
    };
    let mut reasons: Vec<Reason<'_>> = graph.dependencies(ix).map(reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// Whether both steps would do the same: all that is in the key, and how it is done.
fn same_work(one: &PlanStep, other: &PlanStep) -> bool {
    macro_rules! same {
        ($($field:ident)*; but not $($ignored:ident)*) => {{
            // A field that is in neither list does not compile.
            let PlanStep { $($field,)* $($ignored: _,)* } = one;
            $(*$field == other.$field)&&*
        }};
    }
    same!(
        scripts shell args dir env path pass_env secrets env_policy sources outputs depfile cache salt timeout grace weight
        limits allow_failure retries on_failure allow_background tty interactive incremental tools requires verify skip;
        but not name profile description needs after need_names same_as hint
    )
}

/// A number that is the same for equal work, and mostly another one otherwise.
fn likeness(instance: &Instance, reasons: &[Reason<'_>]) -> u64 {
    let plan = &instance.plan;
    let mut hasher = DefaultHasher::new();
    reasons.hash(&mut hasher);
    plan.dir.hash(&mut hasher);
    let values = plan.env.iter().filter_map(|(name, setting)| match setting {
        EnvSetting::Set(value) => Some((name, value)),
        EnvSetting::Unset => None,
    });
    for (name, value) in values {
        name.hash(&mut hasher);
        hash_text(value, &mut hasher);
    }
    plan.scripts
        .iter()
        .for_each(|script| hash_text(script, &mut hasher));
    for output in &plan.outputs {
        match &output.kind {
            OutputKind::File(path) | OutputKind::Folder(path) => path.hash(&mut hasher),
            OutputKind::Glob(pattern) => pattern.text().hash(&mut hasher),
        }
    }
    for pattern in plan.sources.iter().flat_map(|sources| &sources.patterns) {
        pattern.text().hash(&mut hasher);
    }
    hasher.finish()
}

fn hash_text(template: &Template, hasher: &mut DefaultHasher) {
    for piece in &template.pieces {
        match piece {
            Piece::Text(text) => text.hash(hasher),
            Piece::Hole { expression, .. } => expression.hash(hasher),
        }
    }
}
