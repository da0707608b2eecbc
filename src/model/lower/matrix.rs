//! A step's matrix.

use indexmap::IndexMap;

use super::Lowering;
use crate::model::ModelError;
use crate::model::name::NameKind;
use crate::model::step::{Axis, Combination, Matrix};
use crate::parse::{AxisDoc, Map, MatrixDoc, ValueDoc};
use crate::source::Spanned;

impl Lowering {
    pub(super) fn matrix(&mut self, doc: &MatrixDoc) -> Matrix {
        let axes = doc.axes.iter().map(|(name, axis)| {
            let name = self.name(&name.value, name.span, NameKind::Axis);
            (
                name.value.clone(),
                Spanned::new(self.axis(&name, &axis.value), name.span),
            )
        });
        let axes: IndexMap<_, _> = axes.collect();
        for entry in &doc.exclude {
            entry
                .value
                .0
                .iter()
                .for_each(|(_, value)| self.axis_value(&value.value));
        }
        // Other keys than axes may have any value here.
        let entries = doc.include.iter().flat_map(|entry| &entry.value.0);
        for (_, value) in entries.filter(|(name, _)| axes.contains_key(&name.value)) {
            self.axis_value(&value.value);
        }
        Matrix {
            axes,
            include: doc.include.iter().map(combination).collect(),
            exclude: doc.exclude.iter().map(combination).collect(),
        }
    }

    fn axis(&mut self, name: &Spanned<String>, doc: &AxisDoc) -> Axis {
        match doc {
            AxisDoc::Glob(text) => Axis::Glob(text.clone()),
            AxisDoc::Values(values) => {
                if values.is_empty() {
                    self.errors.push(ModelError::BadStep {
                        message: format!("the axis `{}` has no value", name.value),
                        span: name.span,
                        help: "a matrix with an empty axis has no instance; give it a value or take the axis away"
                            .to_owned(),
                    });
                }
                values.iter().for_each(|value| self.axis_value(value));
                Axis::Values(values.clone())
            }
        }
    }

    /// Axis values are scalars, or maps with a `name`.
    fn axis_value(&mut self, value: &ValueDoc) {
        let fault = match value {
            ValueDoc::Text(_) => return,
            ValueDoc::Map(entries, _) if entries.iter().any(|(key, _)| key.value == "name") => {
                return;
            }
            ValueDoc::Map(..) => "a map without `name`",
            ValueDoc::List(..) => "a list",
            ValueDoc::Null(_) => "`null`",
        };
        let help = "axis values are texts, or maps with a `name`: `{ name: linux, goos: linux }`";
        self.bad_value(
            format!("{fault} cannot be an axis value"),
            value.span(),
            help,
        );
    }
}

fn combination(doc: &Spanned<Map<ValueDoc>>) -> Combination {
    let values = doc
        .value
        .0
        .iter()
        .map(|(name, value)| (name.clone(), value.value.clone()))
        .collect();
    Combination {
        span: doc.span,
        values,
    }
}
