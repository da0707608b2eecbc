//! Variables that need each other in a circle, whether a step uses them or not.

use std::collections::{HashMap, HashSet};

use super::error::ExpandError;
use super::segments::{Segment, segments};
use super::unused::texts_of;
use super::uses::uses;
use crate::model::Vars;
use crate::source::Span;

/// So many variables are looked at; beyond that, a step that uses one finds its circle.
const MOST: usize = 100_000;

/// Circles among what variables of the first of `layers` need; an earlier layer wins.
pub(super) fn circles(layers: &[&Vars]) -> Vec<ExpandError> {
    let mut errors = Vec::new();
    let mut done = HashSet::new();
    let names = layers.first().into_iter().flat_map(|vars| vars.keys());
    for start in names {
        // What is being worked out, with what it needs yet, and where it stands in that row.
        let mut row = vec![(start.as_str(), needs(layers, start))];
        let mut places = HashMap::from([(start.as_str(), 0)]);
        while let Some((name, open)) = row.last_mut() {
            let name = *name;
            let Some((needed, span)) = open.pop() else {
                done.insert(name);
                places.remove(name);
                row.pop();
                continue;
            };
            if let Some(place) = places.get(needed) {
                let names = row[*place..].iter().map(|(name, _)| *name).chain([needed]);
                let names: Vec<String> = names.map(|name| format!("vars.{name}")).collect();
                let circle = names.join(" → ");
                errors.push(ExpandError::Circle { circle, span });
            } else if done.len() < MOST && !done.contains(needed) {
                places.insert(needed, row.len());
                row.push((needed, needs(layers, needed)));
            }
        }
    }
    errors
}

/// The variables that the value of `name` uses, and where.
fn needs<'a>(layers: &[&'a Vars], name: &str) -> Vec<(&'a str, Span)> {
    let entry = |name: &str| layers.iter().find_map(|vars| vars.get_key_value(name));
    let declares = |root: &str, name: &str| root == "vars" && entry(name).is_some();
    let mut needs = Vec::new();
    let Some((_, value)) = entry(name) else {
        return needs;
    };
    for text in texts_of(&value.value) {
        for segment in segments(text).unwrap_or_default() {
            let Segment::Expression(expression) = segment else {
                continue;
            };
            let uses = uses(&expression.text, &declares).unwrap_or_default();
            let vars = uses.iter().filter(|one| one.root() == "vars");
            needs.extend(vars.filter_map(|one| {
                let (name, _) = entry(one.member()?)?;
                Some((name.as_str(), expression.part(&one.range)))
            }));
        }
    }
    needs
}
