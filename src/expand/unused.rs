//! Texts that no step may use, variables and what targets say of themselves: what can be judged of their
//! expressions without the step that they would be worked out for.

use std::collections::BTreeSet;

use super::circles::circles;
use super::engine;
use super::error::ExpandError;
use super::facts::Facts;
use super::lookup::{GIT, ROOTS};
use super::names::{undeclared, undefined};
use super::scope::{Expanded, Scope};
use super::segments::{Expression, Segment, segments};
use super::uses::{Use, uses};
use crate::model::{Pipeline, Vars, Workspace};
use crate::parse::{Text, ValueDoc};

/// So many mistakes are enough.
const MOST_MISTAKES: usize = 100;

/// What is wrong with variables, used or not, and with descriptions of targets: text that is no
/// expression, names that nobody declares, and variables that need each other. What a step uses is told where it is expanded, too.
pub fn unused(workspace: &Workspace, facts: &Facts) -> Vec<ExpandError> {
    let mut errors = Vec::new();
    let mut everywhere: BTreeSet<&str> = names([&workspace.settings.vars]);
    for pipeline in workspace.pipelines.values() {
        let mut own = names([&workspace.settings.vars, &pipeline.vars]);
        own.extend(names(pipeline.profiles.values().map(|one| &one.vars)));
        for step in pipeline.steps.values() {
            let texts = texts(&step.vars);
            if texts.is_empty() {
                continue;
            }
            let mut declared = own.clone();
            declared.extend(names([&step.vars]));
            let scope = Scope::new(workspace, pipeline, facts, None, None);
            Judge { scope, declared }.all(texts, &mut errors);
        }
        own.extend(names(pipeline.steps.values().map(|step| &step.vars)));
        everywhere.extend(&own);
        let scope = Scope::new(workspace, pipeline, facts, None, None);
        let judge = Judge {
            scope,
            declared: own,
        };
        judge.all(of_pipeline(pipeline), &mut errors);
        let below = [&pipeline.vars, &workspace.settings.vars];
        errors.extend(circles(&below));
        for profile in pipeline.profiles.values() {
            errors.extend(circles(&[&profile.vars, below[0], below[1]]));
        }
    }
    if let Some(pipeline) = workspace.pipelines.values().next() {
        let judge = Judge {
            scope: Scope::new(workspace, pipeline, facts, None, None),
            declared: everywhere,
        };
        judge.all(texts(&workspace.settings.vars), &mut errors);
    }
    errors
}

fn names<'v>(layers: impl IntoIterator<Item = &'v Vars>) -> BTreeSet<&'v str> {
    let keys = layers.into_iter().flat_map(|layer| layer.keys());
    keys.map(String::as_str).collect()
}

/// The texts of a pipeline beside its steps.
fn of_pipeline(pipeline: &Pipeline) -> Vec<&Text> {
    let profiles = pipeline.profiles.values().map(|profile| &profile.vars);
    let vars = profiles.chain([&pipeline.vars]).flat_map(texts);
    let targets = pipeline.targets.values();
    vars.chain(targets.filter_map(|target| target.description.as_ref()))
        .collect()
}

/// The texts with expressions in some variables.
fn texts(vars: &Vars) -> Vec<&Text> {
    vars.values()
        .flat_map(|value| texts_of(&value.value))
        .collect()
}

/// The texts with expressions in a value.
pub(super) fn texts_of(value: &ValueDoc) -> Vec<&Text> {
    fn add<'v>(doc: &'v ValueDoc, to: &mut Vec<&'v Text>) {
        match doc {
            ValueDoc::Text(text) if text.text.contains("${{") => to.push(text),
            ValueDoc::Null(_) | ValueDoc::Text(_) => {}
            ValueDoc::List(items, _) => items.iter().for_each(|item| add(item, to)),
            ValueDoc::Map(entries, _) => entries.iter().for_each(|(_, item)| add(item, to)),
        }
    }
    let mut all = Vec::new();
    add(value, &mut all);
    all
}

/// What is known where a text stands.
struct Judge<'a> {
    scope: Scope<'a>,
    /// The names of all variables that whoever uses it could have.
    declared: BTreeSet<&'a str>,
}

impl Judge<'_> {
    fn all(&self, texts: Vec<&Text>, errors: &mut Vec<ExpandError>) {
        for text in texts {
            if errors.len() > MOST_MISTAKES {
                return;
            }
            let found = segments(text).map(|segments| {
                let expressions = segments.iter().filter_map(|segment| match segment {
                    Segment::Expression(expression) => self.expression(expression).err(),
                    Segment::Text(_) => None,
                });
                expressions.collect::<Vec<_>>()
            });
            errors.extend(found.unwrap_or_else(|error| vec![error]));
        }
    }

    fn expression(&self, expression: &Expression) -> Expanded<()> {
        let declares = |root: &str, name: &str| root == "vars" && self.declared.contains(name);
        let uses = uses(&expression.text, &declares).map_err(|fault| expression.error(fault))?;
        for one in uses.iter().filter(|one| !one.defaulted) {
            self.name(one, expression)?;
        }
        engine::read(&expression.text, &uses).map_err(|fault| expression.error(fault))
    }

    fn name(&self, one: &Use, expression: &Expression) -> Expanded<()> {
        let (name, span) = (one.name(), expression.part(&one.range));
        match (one.root(), one.member()) {
            ("vars", Some(member)) if !self.declared.contains(member) => {
                let known = self.declared.iter().copied();
                Err(undeclared(&name, "vars", member, known, span))
            }
            ("git", Some(member)) if !GIT.contains(&member) => {
                Err(undefined(&name, member, GIT.into_iter(), span))
            }
            ("host" | "step" | "pipeline" | "workspace", Some(_)) => {
                self.scope.lookup(one, expression).map(|_| ())
            }
            (root, _) if !ROOTS.contains(&root) => Err(self.scope.no_such_name(root, one, span)),
            // The step would tell, if there is one.
            _ => Ok(()),
        }
    }
}
