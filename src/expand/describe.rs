//! Texts about steps and targets, for those who look at all of them at once.

use super::facts::Facts;
use super::scope::Scope;
use super::segments::{Expression, Segment, segments};
use crate::model::{Pipeline, Step, Workspace};
use crate::parse::Text;

/// A description of a step or a target of `pipeline` with what is known filled in; what differs from
/// instance to instance stands as its name: `Compile for <os>/<arch>`.
pub fn described(
    workspace: &Workspace,
    pipeline: &Pipeline,
    step: Option<&Step>,
    profile: Option<&str>,
    facts: &Facts,
    text: &Text,
) -> String {
    let scope = Scope::new(workspace, pipeline, facts, profile, step);
    let Ok(segments) = segments(text) else {
        return text.text.clone();
    };
    let part = |segment: &Segment| match segment {
        Segment::Text(text) => text.clone(),
        Segment::Expression(expression) => filled(&scope, expression),
    };
    segments.iter().map(part).collect()
}

fn filled(scope: &Scope, expression: &Expression) -> String {
    let unknown = || format!("<{}>", expression.text);
    let Ok(uses) = scope.uses(expression) else {
        return unknown();
    };
    let axis = |name: String| name.strip_prefix("matrix.").map(str::to_owned);
    let mut axes: Vec<String> = uses.iter().filter_map(|one| axis(one.name())).collect();
    axes.dedup();
    if !axes.is_empty() {
        return format!("<{}>", axes.join(", "));
    }
    if scope.profile.is_none() && uses.iter().any(|one| one.root() == "profile") {
        return "<profile>".to_owned();
    }
    let whole = Text {
        text: format!("${{{{ {} }}}}", expression.text),
        ..Text::default()
    };
    scope.text(&whole).unwrap_or_else(|_| unknown())
}
