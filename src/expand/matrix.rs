//! The combinations of a step's matrix. `include` and `exclude` mean what they mean in GitHub
//! Actions (its documentation, "Running variations of jobs in a workflow"):
//!
//! - a combination that has all values of an `exclude` entry is taken away;
//! - an `include` entry is added to every remaining combination of the axes in which it would
//!   overwrite no axis value (values that earlier entries added may be overwritten);
//! - an entry that fits none becomes a combination of its own.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::error::ExpandError;
use super::limits::{MAX_MATRIX, weigh};
use super::scope::{Expanded, Known, Scope};
use super::value::Val;
use crate::glob::Pattern;
use crate::model::{Axis, Combination, MOST_INSTANCES, Matrix, Step, display_cell};
use crate::parse::ValueDoc;
use crate::path::{RelPath, to_text};
use crate::source::{Span, Spanned};
use crate::suggest::did_you_mean;

/// All values of all combinations of one matrix, and those that entries of `include` and `exclude`
/// are about.
const MOST_VALUES: usize = 1_000_000;

/// One combination.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// Values of axes, then of include-only keys.
    pub(super) values: IndexMap<String, Known>,
    /// How each value is named in references.
    pub(super) labels: IndexMap<String, String>,
    /// `@os=linux@arch=amd64`: what tells it from the others.
    pub(super) label: String,
}

impl Cell {
    /// The values alone.
    pub(super) fn plain(&self) -> IndexMap<String, Val> {
        let values = self.values.iter();
        values
            .map(|(key, known)| (key.clone(), known.value.clone()))
            .collect()
    }
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
    let axes = axes(step, matrix, scope, warnings)?;
    let count = axes.values().try_fold(1_u64, |count, values| {
        count.checked_mul(values.len() as u64)
    });
    refuse_many(step, matrix, count.unwrap_or(u64::MAX))?;
    check_sizes(step, &axes, count.unwrap_or(u64::MAX))?;
    let mut product = Product::new(&axes, scope);
    for entry in &matrix.exclude {
        let values = exclude_values(entry, &axes, scope)?;
        for ix in product.fitting(&values) {
            product.combinations[ix] = None;
        }
        product.refuse_much(step)?;
    }
    let some = !product.combinations.is_empty();
    let all = include(product, step, &matrix.include, &axes)?;
    if let (true, true, Some(entry)) = (some, all.is_empty(), matrix.exclude.last()) {
        return Err(ExpandError::EmptyMatrix {
            step: step.name.value.clone(),
            span: entry.span,
        });
    }
    refuse_many(step, matrix, all.len() as u64)?;
    named(all, &axes, scope).ok_or_else(|| ExpandError::too_much(step.name.span))
}

/// Refuses values that are too large for so many combinations.
fn check_sizes(step: &Step, axes: &Axes, count: u64) -> Expanded<()> {
    let (count, mut bytes) = (count as usize, 0_usize);
    for values in axes.values() {
        let mut sum = 0;
        for known in values {
            sum += weigh(&known.value)
                .map_err(|message| ExpandError::value(message, step.name.span))?;
        }
        bytes = bytes.saturating_add((count / values.len().max(1)).saturating_mul(sum));
    }
    match bytes <= MAX_MATRIX {
        true => Ok(()),
        false => Err(ExpandError::too_much(step.name.span)),
    }
}

fn refuse_many(step: &Step, matrix: &Matrix, count: u64) -> Result<(), ExpandError> {
    if count <= step.max_instances {
        return Ok(());
    }
    let mut axes = matrix.axes.values();
    Err(ExpandError::TooMany {
        step: step.name.value.clone(),
        count,
        most: step.max_instances,
        help: match count <= MOST_INSTANCES {
            true => format!("if they are meant, say so: `max_instances: {count}`"),
            false => format!(
                "take values or axes away: even with `max_instances`, a step has at most {MOST_INSTANCES} instances"
            ),
        },
        span: axes.next().map_or(step.name.span, |axis| axis.span),
    })
}

type Axes = IndexMap<String, Vec<Known>>;
type Values = IndexMap<String, Known>;

fn axes(
    step: &Step,
    matrix: &Matrix,
    scope: &Scope,
    warnings: &mut Vec<ExpandError>,
) -> Result<Axes, ExpandError> {
    let mut axes = Axes::new();
    for (name, axis) in &matrix.axes {
        let values = match &axis.value {
            Axis::Values(docs) => listed(name, docs, scope)?,
            Axis::Glob(glob) => {
                let values = files(glob, scope)?;
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

/// The values as listed; an expression may stand for a list of them. What is wrong with a value as
/// it is written was told when it was read; here it is about those of expressions.
fn listed(axis: &str, docs: &[ValueDoc], scope: &Scope) -> Result<Vec<Known>, ExpandError> {
    let mut values: IndexMap<String, (Known, Span)> = IndexMap::new();
    for doc in docs {
        let known = scope.value(doc)?;
        let items = match (&known.value, doc) {
            (Val::List(items), ValueDoc::Text(_)) => items.clone(),
            (_, ValueDoc::Text(_) | ValueDoc::Map(..)) => vec![known.value.clone()],
            (_, ValueDoc::Null(_) | ValueDoc::List(..)) => continue,
        };
        for value in items {
            let name = axis_name(axis, &value, doc, scope)?;
            let known = Known {
                value,
                ..known.clone()
            };
            let twin = values.get(&name);
            if let Some((_, first)) = twin.filter(|(other, _)| other.value != known.value) {
                return Err(ExpandError::SameName {
                    axis: axis.to_owned(),
                    name,
                    first: Some(*first).filter(|first| *first != doc.span()),
                    second: doc.span(),
                });
            }
            values.insert(name, (known, doc.span()));
        }
    }
    if let (true, Some(doc @ ValueDoc::Text(_))) = (values.is_empty(), docs.first()) {
        return Err(ExpandError::Value {
            message: format!("the axis `{axis}` has no value"),
            span: doc.span(),
            help: Some("a matrix with an empty axis has no instance: give it a value, or take the axis away".to_owned()),
        });
    }
    Ok(values.into_values().map(|(known, _)| known).collect())
}

/// The name of an axis value: only scalars, and maps with a `name`, have one.
fn axis_name(
    axis: &str,
    value: &Val,
    doc: &ValueDoc,
    scope: &Scope,
) -> Result<String, ExpandError> {
    let what = match value {
        // The missing name of a map that is written here was told when it was read.
        Val::Map(_) if matches!(doc, ValueDoc::Map(..)) => return Ok(label(value, scope)),
        Val::Map(map) if !map.contains_key("name") => "a map without `name`",
        Val::Map(_) => return Ok(label(value, scope)),
        Val::List(_) => "a list",
        Val::Null => "null",
        _ => return Ok(label(value, scope)),
    };
    Err(ExpandError::Value {
        message: format!("{what} cannot be a value of the axis `{axis}`"),
        span: doc.span(),
        help: Some(
            "axis values are texts, or maps with a `name`: `{ name: linux, goos: linux }`"
                .to_owned(),
        ),
    })
}

/// How a value is named in references: a path as this pipeline's files would write it.
fn label(value: &Val, scope: &Scope) -> String {
    match value {
        Val::Path(path) => to_text(&path.relative_to(&scope.pipeline.dir)),
        value => value.label(),
    }
}

fn files(glob: &crate::parse::Text, scope: &Scope) -> Result<Vec<Known>, ExpandError> {
    let text = scope.pattern(glob)?;
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
    Ok(files.map(|path| Known::of(Val::Path(path))).collect())
}

/// All combinations of the axes, in which those with certain values are found without a search.
struct Product<'a> {
    scope: &'a Scope<'a>,
    /// The first axis changes slowest; `None` is one that is taken away.
    combinations: Vec<Option<Values>>,
    /// Of each axis, where each value stands, by its name.
    places: Vec<(&'a str, HashMap<String, usize>)>,
    /// So many values of combinations have entries been about.
    looked_at: usize,
}

impl<'a> Product<'a> {
    fn new(axes: &'a Axes, scope: &'a Scope<'a>) -> Self {
        let place = |(place, known): (usize, &Known)| (label(&known.value, scope), place);
        let axis = |(name, values): (&'a String, &'a Vec<Known>)| {
            let places = values.iter().enumerate().map(place);
            (name.as_str(), places.collect())
        };
        let mut combinations: Vec<Values> = match axes.is_empty() {
            true => Vec::new(),
            false => vec![Values::new()],
        };
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
        Self {
            scope,
            combinations: combinations.into_iter().map(Some).collect(),
            places: axes.iter().map(axis).collect(),
            looked_at: 0,
        }
    }

    /// The combinations that have all these values, as far as they are values of axes; a map may be
    /// named by its `name`.
    fn fitting(&mut self, values: &[(Spanned<String>, Known)]) -> Vec<usize> {
        if self.combinations.is_empty() {
            return Vec::new();
        }
        let mut fitting = vec![0];
        for (axis, places) in &self.places {
            let wanted = values.iter().find(|(name, _)| name.value == *axis);
            let chosen = match wanted {
                Some((_, known)) => match places.get(&label(&known.value, self.scope)) {
                    Some(place) => *place..place + 1,
                    None => 0..0,
                },
                None => 0..places.len(),
            };
            let longer = |ix: usize| chosen.clone().map(move |place| ix * places.len() + place);
            fitting = fitting.into_iter().flat_map(longer).collect();
        }
        fitting.retain(|ix| self.combinations[*ix].is_some());
        self.looked_at += fitting.len() * values.len().max(1);
        fitting
    }

    /// Refuses entries that fit too many combinations, all together.
    fn refuse_much(&self, step: &Step) -> Expanded<()> {
        match self.looked_at <= MOST_VALUES {
            true => Ok(()),
            false => Err(ExpandError::too_much(step.name.span)),
        }
    }
}

fn entry_values(
    entry: &Combination,
    axes: &Axes,
    scope: &Scope,
) -> Result<Vec<(Spanned<String>, Known)>, ExpandError> {
    let value = |(name, doc): &(Spanned<String>, ValueDoc)| {
        let known = scope.value(doc)?;
        if let (true, ValueDoc::Text(_)) = (axes.contains_key(&name.value), doc) {
            axis_name(&name.value, &known.value, doc, scope)?;
        }
        Ok((name.clone(), known))
    };
    entry.values.iter().map(value).collect()
}

fn exclude_values(
    entry: &Combination,
    axes: &Axes,
    scope: &Scope,
) -> Result<Vec<(Spanned<String>, Known)>, ExpandError> {
    let values = entry_values(entry, axes, scope)?;
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
    Ok(values)
}

fn include(
    mut product: Product,
    step: &Step,
    entries: &[Combination],
    axes: &Axes,
) -> Result<Vec<Values>, ExpandError> {
    let mut own = Vec::new();
    for entry in entries {
        let values = entry_values(entry, axes, product.scope)?;
        let fitting = product.fitting(&values);
        product.refuse_much(step)?;
        let named = values.into_iter().map(|(name, value)| (name.value, value));
        if fitting.is_empty() {
            own.push(named.collect());
            continue;
        }
        let added: Vec<(String, Known)> =
            named.filter(|(name, _)| !axes.contains_key(name)).collect();
        for combination in fitting {
            let combination = product.combinations[combination].iter_mut();
            combination.for_each(|values| values.extend(added.iter().cloned()));
        }
    }
    let all = product.combinations.into_iter().flatten();
    Ok(all.chain(own).collect())
}

/// Names each combination by its axes in the order written, with include-only keys only where two
/// would have one name. A key that some combination has is empty text in the others. `None` where
/// that makes too many values.
fn named(combinations: Vec<Values>, axes: &Axes, scope: &Scope) -> Option<Vec<Cell>> {
    let keys: IndexSet<String> = combinations
        .iter()
        .flat_map(|values| values.keys().cloned())
        .collect();
    if combinations.len().saturating_mul(keys.len()) > MOST_VALUES {
        return None;
    }
    let short = |labels: &Labels| shown(labels, |key| axes.contains_key(key));
    let mut cells: Vec<Cell> = combinations
        .into_iter()
        .map(|values| {
            let name = |(key, known): (&String, &Known)| (key.clone(), label(&known.value, scope));
            let labels: Labels = values.iter().map(name).collect();
            Cell {
                label: short(&labels),
                labels,
                values,
            }
        })
        .collect();
    let mut counts = HashMap::<String, usize>::new();
    for cell in &cells {
        *counts.entry(cell.label.clone()).or_default() += 1;
    }
    for cell in &mut cells {
        if counts[&cell.label] > 1 {
            cell.label = shown(&cell.labels, |_| true);
        }
        for key in &keys {
            cell.labels.entry(key.clone()).or_default();
            let empty = || Known::of(Val::Text(String::new()));
            cell.values.entry(key.clone()).or_insert_with(empty);
        }
    }
    Some(cells)
}

type Labels = IndexMap<String, String>;

fn shown(labels: &Labels, wanted: impl Fn(&str) -> bool) -> String {
    let labels = labels.iter().filter(|(key, _)| wanted(key));
    display_cell(labels.map(|(key, label)| (key.as_str(), label.as_str())))
}
