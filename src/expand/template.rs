//! Text with holes: what is known when the graph is made is filled in, what is known only at a
//! step's turn stays as a named hole with all that it needs, so that a plan can be stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shell::Context;
use super::value::Val;
use super::{engine, quote, uses};
use crate::path::RelPath;

/// Text with holes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Template {
    /// The pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A part of a [`Template`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// An expression whose value is known only at the step's turn.
    Hole {
        /// The expression without its braces.
        expression: String,
        /// How the value goes in.
        place: quote::Place,
        /// The values, known when the graph was made, that it uses.
        early: BTreeMap<String, Val>,
    },
}

/// What is known only at a step's turn.
#[derive(Clone, Debug, Default)]
pub struct Late {
    /// The step's working folder: paths are given relative to it.
    pub dir: RelPath,
    /// The files that `sources` matched, sorted.
    pub sources: Vec<RelPath>,
    /// Outputs of needed steps, by the names that expressions use.
    pub needs: BTreeMap<String, Vec<RelPath>>,
    /// `stamp.*`, or placeholders where the key is computed.
    pub stamps: BTreeMap<String, String>,
    /// The number of job slots, or a placeholder where the key is computed.
    pub jobs: String,
}

/// Why a hole could not be filled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`${{{{ {expression} }}}}`: {reason}")]
pub struct FillError {
    /// The expression.
    pub expression: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Template {
    /// Text without holes.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Text(text.into())],
        }
    }

    /// The text, where there are no holes.
    pub(super) fn known(&self) -> Option<String> {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Hole { .. } => None,
        };
        self.pieces.iter().map(text).collect()
    }

    /// Whether any hole uses the late name `root` (`sources`, `needs`, `stamp`, `jobs`).
    pub fn uses(&self, root: &str) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Hole { expression, .. } => uses::roots(expression).any(|used| used == root),
        })
    }

    /// What is wrong with its value at a turn.
    pub(super) fn fault(&self, reason: String) -> FillError {
        let expression = self.pieces.iter().find_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Hole { expression, .. } => Some(expression.clone()),
        });
        FillError {
            expression: expression.unwrap_or_default(),
            reason,
        }
    }

    /// The finished text.
    ///
    /// # Errors
    ///
    /// When an expression fails on the values of this turn, or a value cannot stand where it is.
    pub fn fill(&self, late: &Late) -> Result<String, FillError> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Hole {
                    expression,
                    place,
                    early,
                } => {
                    // Most holes are lists of files as words of a shell: these need no engine.
                    if *place == quote::Place::Posix(Context::Word)
                        && let Some(paths) = engine::late_paths(expression, late)
                    {
                        quote::push_paths(&mut text, paths, &late.dir);
                        continue;
                    }
                    let fail = |reason| FillError {
                        expression: expression.clone(),
                        reason,
                    };
                    let value = engine::evaluate_late(expression, early, late).map_err(fail)?;
                    let put = quote::put(&value, *place).map_err(|fault| fault.to_string());
                    text.push_str(&put.map_err(fail)?);
                }
            }
        }
        Ok(text)
    }
}
