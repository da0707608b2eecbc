//! The instances of one step, and those of them that have certain values, found by a table: steps
//! of ten thousand instances may need each other one by one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use super::InstanceIx;
use crate::expand::{Instance, Val};
use crate::model::Reference;
use crate::source::Spanned;

/// A value that an instance must have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Sought {
    pub(super) axis: String,
    /// Whether `label` is the value itself and not how references name it.
    itself: bool,
    pub(super) label: String,
}

impl Sought {
    /// The value that references name so.
    pub(super) fn named(axis: &str, label: &str) -> Self {
        Self {
            axis: axis.to_owned(),
            itself: false,
            label: label.to_owned(),
        }
    }

    /// The value itself: a path is the same one from wherever it is named.
    pub(super) fn value(axis: &str, value: &Val) -> Self {
        Self {
            axis: axis.to_owned(),
            itself: true,
            label: value.label(),
        }
    }
}

/// Axes, and whether it is the values themselves that are asked for.
type Axes = Vec<(String, bool)>;
/// Values of some axes, in an order that is the same for all.
type Labels = Vec<Option<String>>;
/// Instances by their values there.
type Table = HashMap<Labels, Vec<InstanceIx>>;

/// The instances of a step under a profile.
#[derive(Debug)]
pub(super) struct Expanded {
    range: Range<InstanceIx>,
    /// Whether none was left out because of a mistake in it.
    is_whole: bool,
    /// For each set of axes that was asked for.
    tables: Mutex<HashMap<Axes, Table>>,
}

impl Expanded {
    /// The instances at these places; `is_whole` where none was left out because of a mistake in it.
    pub(super) fn new(range: Range<InstanceIx>, is_whole: bool) -> Self {
        Self {
            range,
            is_whole,
            tables: Mutex::default(),
        }
    }

    pub(super) fn range(&self) -> Range<InstanceIx> {
        self.range.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(super) fn first(&self) -> Option<InstanceIx> {
        self.range.clone().next()
    }

    /// Those that have all values of `wanted`. `instances` are those of the whole graph.
    pub(super) fn fitting(&self, wanted: &[Sought], instances: &[Instance]) -> Vec<InstanceIx> {
        if wanted.is_empty() {
            return self.range.clone().collect();
        }
        let mut wanted: Vec<&Sought> = wanted.iter().collect();
        wanted.sort_unstable();
        let axes: Axes = wanted
            .iter()
            .map(|sought| (sought.axis.clone(), sought.itself))
            .collect();
        let labels: Labels = wanted
            .iter()
            .map(|sought| Some(sought.label.clone()))
            .collect();
        let Ok(mut tables) = self.tables.lock() else {
            return Vec::new();
        };
        let table = tables
            .entry(axes)
            .or_insert_with_key(|axes| self.table(axes, instances));
        table.get(&labels).cloned().unwrap_or_default()
    }

    fn table(&self, axes: &Axes, instances: &[Instance]) -> Table {
        let mut table = Table::new();
        for ix in self.range.clone() {
            let label = |(axis, itself): &(String, bool)| match itself {
                true => instances[ix].cell.get(axis).map(Val::label),
                false => instances[ix].labels.get(axis).cloned(),
            };
            let labels = axes.iter().map(label).collect();
            table.entry(labels).or_default().push(ix);
        }
        table
    }
}

/// The values that a reference names.
pub(super) fn named(cell: &[(String, String)]) -> Vec<Sought> {
    cell.iter()
        .map(|(axis, label)| Sought::named(axis, label))
        .collect()
}

/// What a partner must have: what the reference says, and `from`'s values on the axes that both
/// have.
pub(super) fn shared_cell(
    from: &Instance,
    other: &Instance,
    reference: &Spanned<Reference>,
) -> Vec<Sought> {
    let mut wanted = named(&reference.value.cell);
    for axis in from.axes.iter().filter(|axis| other.axes.contains(axis)) {
        let is_named = wanted.iter().any(|sought| sought.axis == *axis);
        let (Some(value), false) = (from.cell.get(axis), is_named) else {
            continue;
        };
        // A file is the same file from wherever it is named.
        let are_paths = matches!(
            (value, other.cell.get(axis)),
            (Val::Path(_), Some(Val::Path(_)))
        );
        let label = from.labels.get(axis).map_or("", String::as_str);
        wanted.push(match are_paths {
            true => Sought::value(axis, value),
            false => Sought::named(axis, label),
        });
    }
    wanted
}
