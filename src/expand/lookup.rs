//! What each name stands for, worked out when it is asked for.

use super::error::ExpandError;
use super::limits::{MAX_CHAIN, weigh};
use super::names::{dotted, field, foreign, no_value_itself, typed_value, undeclared, undefined};
use super::quote::posix_word;
use super::scope::{Expanded, Known, Scope, Typed};
use super::segments::Expression;
use super::uses::Use;
use super::value::Val;
use crate::model::Vars;
use crate::path::to_text;
use crate::source::Span;

/// All first parts of names, but for `trigger`, which no run has yet.
pub(super) const ROOTS: [&str; 16] = [
    "vars",
    "matrix",
    "env",
    "output",
    "outputs",
    "depfile",
    "sources",
    "needs",
    "profile",
    "host",
    "git",
    "stamp",
    "step",
    "pipeline",
    "workspace",
    "jobs",
];
pub(super) const GIT: [&str; 5] = ["commit", "short", "branch", "tag", "dirty"];

impl<'a> Scope<'a> {
    /// Whether the name `root.name` is declared: what has hyphens in it is one name then.
    pub(super) fn declares(&self, root: &str, name: &str) -> bool {
        match root {
            "vars" => self
                .var_layers()
                .iter()
                .any(|layer| layer.contains_key(name)),
            "matrix" => self.cell.contains_key(name),
            "env" => self.has_variable(name),
            "needs" => self.need_names().any(|known| known == name),
            _ => false,
        }
    }

    /// How `needs.X` is spelled here.
    pub(super) fn need_names(&self) -> impl Iterator<Item = &str> {
        let needs = self.step.into_iter().flat_map(|step| &step.needs);
        needs.map(|need| need.value.name.as_str())
    }

    /// Whether `needs.X` is one, by its name or with its pipeline in front.
    pub(super) fn has_need(&self, one: &Use) -> bool {
        let Some(name) = one.member() else {
            return true;
        };
        match name.split_once(':') {
            None => self.declares("needs", name),
            Some((pipeline, name)) => self.needs_of(name).any(|of| of == pipeline),
        }
    }

    /// The pipelines whose step `name` is needed.
    pub(super) fn needs_of<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let needs = self.step.into_iter().flat_map(|step| &step.needs);
        let own = self.pipeline.name.value.as_str();
        needs
            .filter(move |need| need.value.name == name)
            .map(move |need| need.value.pipeline.as_deref().unwrap_or(own))
    }

    /// `error` about a name; with the name that was meant, where one with dots in it was written as
    /// several.
    pub(super) fn mind_dots(&self, error: ExpandError, one: &Use) -> ExpandError {
        let found = match (&error, one.root()) {
            (ExpandError::Undefined { name, .. }, _) if *name != one.name() => None,
            (ExpandError::Undefined { .. }, "vars") => {
                let layers = self.var_layers().into_iter();
                dotted(one, layers.flat_map(|vars| vars.keys()).map(String::as_str))
            }
            (ExpandError::Undefined { .. }, "matrix") => {
                dotted(one, self.cell.keys().map(String::as_str))
            }
            (ExpandError::Undefined { .. }, "needs") => dotted(one, self.need_names()),
            _ => None,
        };
        match (error, found) {
            (ExpandError::Undefined { name, span, .. }, Some(help)) => {
                ExpandError::Undefined { name, span, help }
            }
            (error, _) => error,
        }
    }

    /// Whether a name has a value at all.
    fn exists(&self, one: &Use) -> bool {
        match (one.root(), one.member()) {
            (root @ ("vars" | "matrix" | "env"), Some(member)) => self.declares(root, member),
            ("output", None) => self
                .outputs
                .get()
                .is_some_and(|outputs| !outputs.is_empty()),
            ("depfile", None) => self.depfile.get().is_some(),
            (root, _) => ROOTS.contains(&root),
        }
    }

    /// The value of a name; none where a `default` behind it excuses that.
    pub(super) fn lookup(&self, one: &Use, expression: &Expression) -> Expanded<Option<Known>> {
        self.found(one, expression)
            .map_err(|error| self.mind_dots(error, one))
    }

    fn found(&self, one: &Use, expression: &Expression) -> Expanded<Option<Known>> {
        if one.defaulted && !self.exists(one) {
            return Ok(None);
        }
        let (name, span) = (one.name(), expression.part(&one.range));
        let (known, parts) = match (one.root(), one.member()) {
            ("vars", Some(member)) => (self.var(member, &name, span)?, 2),
            ("matrix", Some(member)) => (self.axis(member, &name, span)?, 2),
            ("env", Some(member)) => (self.variable(member, &name, span)?, 2),
            ("git", Some(member)) if GIT.contains(&member) => (self.git(member), 2),
            ("git", Some(member)) => return Err(undefined(&name, member, GIT.into_iter(), span)),
            ("host" | "step" | "pipeline" | "workspace", Some(member)) => {
                (self.fact(one.root(), member, &name, span)?, 2)
            }
            _ => (self.whole(one, span)?, 1),
        };
        let value = field(&known.value, one, parts, span)?;
        Ok(value.map(|value| Known { value, ..known }))
    }

    /// A name without a dot.
    fn whole(&self, one: &Use, span: Span) -> Expanded<Known> {
        let outputs = self.outputs.get().map_or(&[][..], Vec::as_slice);
        match one.root() {
            "profile" => Ok(Known::of(Val::Text(
                self.profile.unwrap_or_default().to_owned(),
            ))),
            "outputs" => Ok(self.step_path(Val::List(outputs.to_vec()))),
            "output" => match outputs.first() {
                Some(first) => Ok(self.step_path(first.clone())),
                None => Err(self.no_output(span)),
            },
            "depfile" => match self.depfile.get() {
                Some(path) => Ok(self.step_path(Val::Path(path.clone()))),
                None => Err(self.no_depfile(span)),
            },
            "matrix" => {
                let values = self.cell.iter();
                let map = values.map(|(name, known)| (name.clone(), known.value.clone()));
                Ok(Known {
                    value: Val::Map(map.collect()),
                    outside: self.cell.values().find_map(|known| known.outside.clone()),
                    typed: self
                        .cell
                        .values()
                        .map(|known| known.typed)
                        .max()
                        .unwrap_or(Typed::Nothing),
                })
            }
            root if ROOTS.contains(&root) => {
                Err(no_value_itself(&format!("{root}.NAME"), one, span))
            }
            root => Err(self.no_such_name(root, one, span)),
        }
    }

    /// A path of the step. As it is it goes into scripts as a word; as a part of a text it does not.
    fn step_path(&self, value: Val) -> Known {
        Known {
            typed: self.typed_paths,
            ..Known::of(value)
        }
    }

    fn no_output(&self, span: Span) -> ExpandError {
        let declares = self.step.is_some_and(|step| !step.outputs.is_empty());
        let help = match declares {
            true => "what `outputs` are is not known before they are read: give both a variable",
            false => "the step declares no `outputs`",
        };
        ExpandError::Undefined {
            name: "output".to_owned(),
            span,
            help: help.to_owned(),
        }
    }

    fn no_depfile(&self, span: Span) -> ExpandError {
        let declares = self.step.is_some_and(|step| step.depfile.is_some());
        let help = match declares {
            true => "it is not known before `outputs` and `depfile` are read: give both a variable",
            false => "the step declares no `depfile`",
        };
        ExpandError::Undefined {
            name: "depfile".to_owned(),
            span,
            help: help.to_owned(),
        }
    }

    pub(super) fn no_such_name(&self, root: &str, one: &Use, span: Span) -> ExpandError {
        let help = match foreign(one) {
            _ if self.declares("vars", root) => format!("variables are written `vars.{root}`"),
            _ if self.declares("matrix", root) => format!("axes are written `matrix.{root}`"),
            Some(help) => help,
            None => return undefined(root, root, ROOTS.into_iter(), span),
        };
        ExpandError::Undefined {
            name: one.name(),
            span,
            help,
        }
    }

    fn fact(&self, root: &str, member: &str, name: &str, span: Span) -> Expanded<Known> {
        let text = |text: &str| Ok(Known::of(Val::Text(text.to_owned())));
        let known: &[&str] = match (root, member) {
            ("host", "os") => return text(&self.facts.os),
            ("host", "arch") => return text(&self.facts.arch),
            ("host", "cpus") => return Ok(Known::of(Val::Int(self.facts.cpus as i64))),
            ("host", _) => &["os", "arch", "cpus"],
            ("step", "name") => return text(self.step.map_or("", |step| &step.name.value)),
            ("step", "dir") => return Ok(self.step_path(Val::Path(self.step_dir.clone()))),
            ("step", _) => &["name", "dir"],
            ("pipeline", "name") => return text(&self.pipeline.name.value),
            ("pipeline", _) => &["name"],
            ("workspace", "root") => return Ok(self.root()),
            _ => &["root"],
        };
        Err(undefined(name, member, known.iter().copied(), span))
    }

    /// The root, which is where a person put it: a text that it is a part of stands in a script as it
    /// is only where no shell minds its characters.
    fn root(&self) -> Known {
        let root = to_text(self.facts.root.as_os_str().as_encoded_bytes());
        let typed = match posix_word(&root) == root {
            true => Typed::Nothing,
            false => Typed::Text,
        };
        Known {
            typed,
            ..Known::of(Val::Absolute(root))
        }
    }

    fn git(&self, member: &str) -> Known {
        let value = (self.facts.git)()
            .get(member)
            .cloned()
            .unwrap_or_else(|| "unknown".to_owned());
        let value = if member == "dirty" {
            Val::Bool(value == "true")
        } else {
            Val::Text(value)
        };
        let outside = matches!(member, "branch" | "tag").then(|| format!("git.{member}"));
        Known {
            outside,
            ..Known::of(value)
        }
    }

    fn axis(&self, axis: &str, name: &str, span: Span) -> Expanded<Known> {
        match self.cell.get(axis) {
            Some(known) => Ok(known.clone()),
            None if self.cell.is_empty() => Err(ExpandError::Undefined {
                name: name.to_owned(),
                span,
                help: "this step has no `matrix`".to_owned(),
            }),
            None => Err(undefined(
                name,
                axis,
                self.cell.keys().map(String::as_str),
                span,
            )),
        }
    }

    /// Layers of variables, the strongest first.
    fn var_layers(&self) -> Vec<&'a Vars> {
        let profile = self
            .profile
            .and_then(|name| self.pipeline.profiles.get(name));
        let mut layers: Vec<&Vars> = Vec::with_capacity(4);
        layers.extend(self.step.map(|step| &step.vars));
        layers.extend(profile.map(|profile| &profile.vars));
        layers.extend([&self.pipeline.vars, &self.workspace.settings.vars]);
        layers
    }

    fn var(&self, var: &str, name: &str, span: Span) -> Expanded<Known> {
        let layers = self.var_layers();
        let Some(declared) = layers.iter().find_map(|layer| layer.get(var)) else {
            let known = layers.iter().flat_map(|layer| layer.keys());
            return Err(undeclared(
                name,
                "vars",
                var,
                known.map(String::as_str),
                span,
            ));
        };
        self.once(&format!("vars.{var}"), span, || {
            let written = self.value(&declared.value);
            match self.facts.assignments.get(var) {
                Some(text) => typed_value(text, &written?.value, var, declared.value.span()),
                None => written,
            }
        })
    }

    /// Works a name out once; one that needs itself is a circle.
    pub(super) fn once(
        &self,
        name: &str,
        span: Span,
        work_out: impl FnOnce() -> Expanded<Known>,
    ) -> Expanded<Known> {
        if let Some(known) = self.resolved.borrow().get(name) {
            return Ok(known.clone());
        }
        self.enter(name, span)?;
        let known = work_out();
        self.leave();
        let known = known?;
        let bytes = weigh(&known.value).map_err(|message| ExpandError::value(message, span))?;
        if !self.facts.spent.text(bytes) {
            return Err(ExpandError::too_much(span));
        }
        self.resolved
            .borrow_mut()
            .insert(name.to_owned(), known.clone());
        Ok(known)
    }

    /// What follows, up to [`Scope::leave`], is for the value of `name`.
    pub(super) fn enter(&self, name: &str, span: Span) -> Expanded<()> {
        let mut resolving = self.resolving.borrow_mut();
        if let Some(at) = resolving.iter().position(|other| other == name) {
            let mut circle = resolving[at..].to_vec();
            circle.push(name.to_owned());
            return Err(ExpandError::Circle {
                circle: circle.join(" → "),
                span,
            });
        }
        if resolving.len() >= MAX_CHAIN {
            return Err(ExpandError::value(
                format!(
                    "more than {MAX_CHAIN} values are worked out for one another: write some of them out"
                ),
                span,
            ));
        }
        resolving.push(name.to_owned());
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.resolving.borrow_mut().pop();
    }
}
