//! The combinations of a step's matrix. `include` and `exclude` mean what they mean in GitHub
//! Actions (its documentation, "Running variations of jobs in a workflow"):
//!
//! - a combination that has all values of an `exclude` entry is taken away;
//! - an `include` entry is added to every remaining combination of the axes in which it would
//!   overwrite no axis value (values that earlier entries added may be overwritten);
//! - an entry that fits none becomes a combination of its own.

use std::cell::RefCell;
use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};

use super::error::ExpandError;
use super::scope::Scope;
use super::value::Val;
use crate::glob::Pattern;
use crate::model::{Axis, Combination, Matrix, Step, display_cell};
use crate::parse::ValueDoc;
use crate::path::RelPath;
use crate::source::Spanned;
use crate::suggest::did_you_mean;

/// Reads the values of a matrix and remembers whether text from outside the repository is in one.
struct Reading<'a> {
    scope: &'a Scope<'a>,
    outside: RefCell<Option<String>>,
}

impl Reading<'_> {
    fn value(&self, doc: &ValueDoc) -> Result<Val, ExpandError> {
        let known = self.scope.value(doc)?;
        if known.outside.is_some() {
            self.outside.replace(known.outside);
        }
        Ok(known.value)
    }
}

/// One combination.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// The name of the text from outside the repository that is somewhere in the matrix.
    pub(super) outside: Option<String>,
    /// Values of axes, then of include-only keys.
    pub(super) values: IndexMap<String, Val>,
    /// `@os=linux@arch=amd64`: what tells it from the others.
    pub(super) label: String,
}

/// The combinations of `step`'s matrix; one without values where it has none.
pub(super) fn cells(
    step: &Step,
    scope: &Scope,
    warnings: &mut Vec<ExpandError>,
) -> Result<Vec<Cell>, ExpandError> {
    let Some(matrix) = &step.matrix else {
        return Ok(vec![Cell::default()]);
    };
    let reading = Reading {
        scope,
        outside: RefCell::default(),
    };
    let axes = axes(step, matrix, &reading, warnings)?;
    let count = axes.values().try_fold(1_u64, |count, values| {
        count.checked_mul(values.len() as u64)
    });
    let count = count
        .unwrap_or(u64::MAX)
        .saturating_add(matrix.include.len() as u64);
    if count > step.max_instances {
        let span = matrix
            .axes
            .values()
            .next()
            .map_or(step.name.span, |axis| axis.span);
        return Err(ExpandError::TooMany {
            step: step.name.value.clone(),
            count,
            most: step.max_instances,
            span,
        });
    }
    let mut combinations = product(&axes);
    for entry in &matrix.exclude {
        let values = exclude_values(entry, &axes, &reading)?;
        combinations.retain(|combination| {
            !values
                .iter()
                .all(|(key, value)| has(combination, key, value))
        });
    }
    let some = !axes.is_empty() && axes.values().all(|values| !values.is_empty());
    let all = include(combinations, &matrix.include, &axes, &reading)?;
    if let (true, true, Some(entry)) = (some, all.is_empty(), matrix.exclude.last()) {
        return Err(ExpandError::EmptyMatrix {
            step: step.name.value.clone(),
            span: entry.span,
        });
    }
    let mut cells = label(all, &axes);
    fill_gaps(&mut cells, &reading.outside.into_inner());
    Ok(cells)
}

type Axes = IndexMap<String, Vec<Val>>;
type Values = IndexMap<String, Val>;

fn axes(
    step: &Step,
    matrix: &Matrix,
    reading: &Reading,
    warnings: &mut Vec<ExpandError>,
) -> Result<Axes, ExpandError> {
    let mut axes = Axes::new();
    for (name, axis) in &matrix.axes {
        let values = match &axis.value {
            Axis::Values(docs) => listed(docs, reading)?,
            Axis::Glob(glob) => {
                let values = files(glob, reading.scope)?;
                if values.is_empty() {
                    let (axis, step) = (name.clone(), step.name.value.clone());
                    warnings.push(ExpandError::EmptyAxis {
                        axis,
                        step,
                        span: glob.span,
                    });
                }
                values
            }
        };
        axes.insert(name.clone(), values);
    }
    Ok(axes)
}

/// The values as listed; one expression may stand for a whole list.
fn listed(docs: &[ValueDoc], reading: &Reading) -> Result<Vec<Val>, ExpandError> {
    let mut values = Vec::with_capacity(docs.len());
    for doc in docs {
        match (reading.value(doc)?, docs.len()) {
            (Val::List(items), 1) => values.extend(items),
            (value, _) => values.push(value),
        }
    }
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(value.label()));
    Ok(values)
}

fn files(glob: &crate::parse::Text, scope: &Scope) -> Result<Vec<Val>, ExpandError> {
    let text = scope.text(glob)?;
    let pattern = Pattern::parse(&scope.pipeline.dir, &text)
        .map_err(|error| super::parts::glob_error(&text, &error, glob.span))?;
    let is_source = |path: &RelPath| {
        !scope
            .facts
            .made
            .get()
            .is_some_and(|made| made.matches(path))
    };
    let files = (scope.facts.files)(&pattern).into_iter().filter(is_source);
    Ok(files.map(Val::Path).collect())
}

/// All combinations; the first axis changes slowest.
fn product(axes: &Axes) -> Vec<Values> {
    if axes.is_empty() {
        return Vec::new();
    }
    let mut combinations = vec![Values::new()];
    for (name, values) in axes {
        combinations = combinations
            .into_iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.insert(name.clone(), value.clone());
                    longer
                })
            })
            .collect();
    }
    combinations
}

/// Whether the combination has this value; a map may be named by its `name`.
fn has(combination: &Values, key: &str, value: &Val) -> bool {
    combination
        .get(key)
        .is_some_and(|own| own == value || own.label() == value.label())
}

fn entry_values(
    entry: &Combination,
    reading: &Reading,
) -> Result<Vec<(Spanned<String>, Val)>, ExpandError> {
    entry
        .values
        .iter()
        .map(|(name, doc)| Ok((name.clone(), reading.value(doc)?)))
        .collect()
}

fn exclude_values(
    entry: &Combination,
    axes: &Axes,
    reading: &Reading,
) -> Result<Vec<(String, Val)>, ExpandError> {
    let values = entry_values(entry, reading)?;
    for (name, _) in &values {
        if !axes.contains_key(&name.value) {
            let help = did_you_mean(&name.value, axes.keys().map(String::as_str));
            return Err(ExpandError::UnknownAxis {
                name: name.value.clone(),
                span: name.span,
                help,
            });
        }
    }
    Ok(values
        .into_iter()
        .map(|(name, value)| (name.value, value))
        .collect())
}

fn include(
    mut combinations: Vec<Values>,
    entries: &[Combination],
    axes: &Axes,
    reading: &Reading,
) -> Result<Vec<Values>, ExpandError> {
    let original = combinations.len();
    for entry in entries {
        let values = entry_values(entry, reading)?;
        let mut added = false;
        for combination in &mut combinations[..original] {
            let fits = values
                .iter()
                .filter(|(name, _)| axes.contains_key(&name.value))
                .all(|(name, value)| has(combination, &name.value, value));
            if fits {
                added = true;
                for (name, value) in values
                    .iter()
                    .filter(|(name, _)| !axes.contains_key(&name.value))
                {
                    combination.insert(name.value.clone(), value.clone());
                }
            }
        }
        if !added {
            combinations.push(
                values
                    .into_iter()
                    .map(|(name, value)| (name.value, value))
                    .collect(),
            );
        }
    }
    Ok(combinations)
}

/// A key that some combination has is empty text in the others.
fn fill_gaps(cells: &mut [Cell], outside: &Option<String>) {
    let keys: IndexSet<String> = cells
        .iter()
        .flat_map(|cell| cell.values.keys().cloned())
        .collect();
    for cell in cells {
        cell.outside.clone_from(outside);
        for key in &keys {
            cell.values
                .entry(key.clone())
                .or_insert_with(|| Val::Text(String::new()));
        }
    }
}

/// Names each combination by its axes in the order written; include-only keys are shown only
/// where two would have one name.
fn label(combinations: Vec<Values>, axes: &Axes) -> Vec<Cell> {
    let short = |values: &Values| shown(values, |key| axes.contains_key(key));
    let mut counts = std::collections::HashMap::<String, usize>::new();
    for values in &combinations {
        *counts.entry(short(values)).or_default() += 1;
    }
    combinations
        .into_iter()
        .map(|values| {
            let name = short(&values);
            let label = if counts[&name] > 1 {
                shown(&values, |_| true)
            } else {
                name
            };
            Cell {
                values,
                label,
                outside: None,
            }
        })
        .collect()
}

fn shown(values: &Values, wanted: impl Fn(&str) -> bool) -> String {
    let labels: Vec<(&str, String)> = values
        .iter()
        .filter(|(key, _)| wanted(key))
        .map(|(key, value)| (key.as_str(), value.label()))
        .collect();
    display_cell(labels.iter().map(|(key, label)| (*key, label.as_str())))
}

/// Whether the combination is one of those that `wanted` (a part of a reference) names.
pub(super) fn fits(values: &Values, wanted: &[(String, String)]) -> bool {
    wanted
        .iter()
        .all(|(key, text)| values.get(key).is_some_and(|value| value.label() == *text))
}
