//! What names mean for one instance: the values of `vars`, `matrix`, `env`, `host` and the others,
//! worked out when they are asked for.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use minijinja::Value;

use super::engine::{self};
use super::error::ExpandError;
use super::facts::Facts;
use super::layers::FileLayer;
use super::names::{
    following, insert, insert_parents, is_whole_name, place, push_text, refuse_outside, root,
    typed_value, undefined,
};
use super::quote::{self, Place};
use super::segments::{Expression, Segment, segments};
use super::shell::{Context, ShellReader};
use super::template::{Piece, Template};
use super::value::Val;
use crate::model::{Pipeline, Step, Vars, Workspace};
use crate::parse::{Text, ValueDoc};
use crate::path::{RelPath, to_text};
use crate::source::Span;

/// Names whose values are known only at a step's turn.
const LATE: [&str; 4] = ["sources", "needs", "stamp", "jobs"];
/// All first parts of names.
const ROOTS: [&str; 15] = [
    "vars",
    "matrix",
    "env",
    "jobs",
    "output",
    "outputs",
    "sources",
    "needs",
    "step",
    "pipeline",
    "workspace",
    "profile",
    "host",
    "git",
    "stamp",
];
const STAMPS: [&str; 6] = ["commit", "short", "branch", "tag", "time", "version"];
const GIT: [&str; 5] = ["commit", "short", "branch", "tag", "dirty"];

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Val,
    /// The name of the text from outside the repository that is in it.
    pub(super) outside: Option<String>,
    /// Whether the command line set it.
    pub(super) typed: bool,
}

impl Known {
    pub(super) fn of(value: Val) -> Self {
        Self {
            value,
            outside: None,
            typed: false,
        }
    }
}

/// What reads the text that an expression stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    /// `pipe`, before anything runs.
    Early,
    /// `pipe`, as a pattern or path: values of path expressions stand for themselves.
    Pattern,
    /// A process' environment or `pipe`, at the step's turn.
    Late,
    /// A script.
    Script(super::resolved::Dialect),
}

/// Where names are looked up.
pub(super) struct Scope<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) pipeline: &'a Pipeline,
    pub(super) facts: &'a Facts,
    pub(super) profile: Option<&'a str>,
    pub(super) step: Option<&'a Step>,
    pub(super) cell: IndexMap<String, Val>,
    /// The name of the text from outside the repository that is in the matrix.
    pub(super) cell_outside: Option<String>,
    /// The step's working folder, once it is known.
    pub(super) step_dir: RelPath,
    /// The declared outputs as paths or patterns, once they are known.
    pub(super) outputs: OnceCell<Vec<Val>>,
    /// Mistakes beside the first of a text.
    pub(super) more: RefCell<Vec<ExpandError>>,
    /// What the dotenv files of the step say.
    pub(super) step_files: FileLayer,
    /// What those of the pipeline say.
    pub(super) pipeline_files: FileLayer,
    resolved: RefCell<HashMap<String, Known>>,
    resolving: RefCell<Vec<String>>,
}

pub(super) type Expanded<T> = Result<T, ExpandError>;

impl<'a> Scope<'a> {
    pub(super) fn new(
        workspace: &'a Workspace,
        pipeline: &'a Pipeline,
        facts: &'a Facts,
        profile: Option<&'a str>,
        step: Option<&'a Step>,
    ) -> Self {
        Self {
            workspace,
            pipeline,
            facts,
            profile,
            step,
            cell: IndexMap::new(),
            cell_outside: None,
            step_dir: pipeline.dir.clone(),
            outputs: OnceCell::new(),
            more: RefCell::default(),
            step_files: FileLayer::new(),
            pipeline_files: FileLayer::new(),
            resolved: RefCell::default(),
            resolving: RefCell::default(),
        }
    }

    /// Text without expressions that are known only later.
    pub(super) fn text(&self, text: &Text) -> Expanded<String> {
        self.early(text, Reader::Early)
    }

    /// A path or pattern; what expressions put in is escaped where it comes from a path.
    pub(super) fn pattern(&self, text: &Text) -> Expanded<String> {
        self.early(text, Reader::Pattern)
    }

    fn early(&self, text: &Text, reader: Reader) -> Expanded<String> {
        let template = self.template(text, reader)?;
        Ok(template
            .pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Hole { .. } => unreachable!("early texts have no holes"),
            })
            .collect())
    }

    /// Text that may hold expressions; those known only at the step's turn stay as holes.
    pub(super) fn template(&self, text: &Text, reader: Reader) -> Expanded<Template> {
        if !text.text.contains("${{") {
            return Ok(Template::text(text.text.as_str()));
        }
        let segments = segments(text)?;
        let mut shell = ShellReader::new();
        let mut pieces = Vec::new();
        let mut errors = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Text(part) => {
                    shell.read(part);
                    push_text(&mut pieces, part);
                }
                Segment::Expression(expression) => {
                    let context = shell.hole(following(&segments, index));
                    match self.piece(expression, reader, context) {
                        Ok(Piece::Text(part)) => push_text(&mut pieces, &part),
                        Ok(hole) => pieces.push(hole),
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        match errors.is_empty() {
            true => Ok(Template { pieces }),
            false => {
                let first = errors.remove(0);
                self.more.borrow_mut().append(&mut errors);
                Err(first)
            }
        }
    }

    /// A bare expression, as `if` has it.
    pub(super) fn condition(&self, text: &Text) -> Expanded<bool> {
        let expression = super::segments::bare(text)?;
        let (value, _) = self.evaluate(&expression)?;
        match value.kind() {
            minijinja::value::ValueKind::Bool => Ok(value.is_true()),
            _ => Err(ExpandError::value(
                format!("`if` wants true or false, but this is {value:?}"),
                expression.span,
            )),
        }
    }

    /// A YAML value with the expressions in its texts; a text that is one expression keeps the type.
    pub(super) fn value(&self, doc: &ValueDoc) -> Expanded<Known> {
        match doc {
            ValueDoc::Text(text) if text.text.contains("${{") => self.text_value(text),
            ValueDoc::List(items, _) => self.list(items),
            ValueDoc::Map(entries, _) => {
                let mut known = Known::of(Val::Null);
                let mut map = IndexMap::new();
                for (key, item) in entries {
                    let item = self.value(item)?;
                    known.outside = known.outside.or(item.outside);
                    map.insert(key.value.clone(), item.value);
                }
                known.value = Val::Map(map);
                Ok(known)
            }
            plain => Ok(Known::of(Val::of_doc(plain))),
        }
    }

    fn list(&self, items: &[ValueDoc]) -> Expanded<Known> {
        let mut known = Known::of(Val::Null);
        let mut list = Vec::new();
        for item in items {
            let item = self.value(item)?;
            known.outside = known.outside.or(item.outside);
            list.push(item.value);
        }
        known.value = Val::List(list);
        Ok(known)
    }

    pub(super) fn text_value(&self, text: &Text) -> Expanded<Known> {
        let segments = segments(text)?;
        if let [Segment::Expression(expression)] = segments.as_slice() {
            let (value, known) = self.evaluate(expression)?;
            return Ok(Known {
                value: Val::from_engine(&value, &self.pipeline.dir),
                ..known
            });
        }
        let mut out = String::new();
        let mut all = Known::of(Val::Null);
        for segment in &segments {
            match segment {
                Segment::Text(part) => out.push_str(part),
                Segment::Expression(expression) => {
                    let (value, known) = self.evaluate(expression)?;
                    all.outside = all.outside.or(known.outside);
                    let part = quote::put(&value, Place::Text);
                    out.push_str(
                        &part.map_err(|message| ExpandError::value(message, expression.span))?,
                    );
                }
            }
        }
        all.value = Val::Text(out);
        Ok(all)
    }

    /// One expression in a text.
    fn piece(
        &self,
        expression: &Expression,
        reader: Reader,
        context: super::shell::Context,
    ) -> Expanded<Piece> {
        let names = expression.names()?;
        if let Some(name) = names.iter().find(|name| LATE.contains(&root(name))) {
            if matches!(reader, Reader::Early | Reader::Pattern) {
                return Err(ExpandError::TooEarly {
                    name: name.to_string(),
                    span: expression.span_of(name),
                });
            }
            return self.late_piece(expression, &names, reader, context);
        }
        let (value, known) = self.evaluate_for(expression, &names, reader)?;
        let place = place(reader, context, known.typed);
        let text = quote::put(&value, place)
            .map_err(|message| ExpandError::value(message, expression.span))?;
        Ok(Piece::Text(text))
    }

    fn late_piece(
        &self,
        expression: &Expression,
        names: &[Cow<'_, str>],
        reader: Reader,
        context: super::shell::Context,
    ) -> Expanded<Piece> {
        let mut early = BTreeMap::new();
        let mut typed = false;
        for name in names {
            self.check_use(name, reader, expression)?;
            if LATE.contains(&root(name)) {
                self.check_late(name, reader, expression)?;
                continue;
            }
            let known = self.lookup(name, expression)?;
            refuse_outside(&known, reader, expression)?;
            typed |= known.typed;
            insert(&mut early, name, known.value);
        }
        let place = place(reader, context, typed);
        // As words of a shell any list can stand, and most do.
        if place != Place::Posix(Context::Word) && engine::is_late_list(&expression.text) {
            // Whatever is in the list: whether a list can stand here is known now.
            let list = Value::from(vec![Value::from_safe_string("x".to_owned())]);
            quote::put(&list, place)
                .map_err(|message| ExpandError::value(message, expression.span))?;
        }
        Ok(Piece::Hole {
            expression: expression.text.clone(),
            place,
            early,
        })
    }

    /// Whether a late name exists.
    fn check_late(&self, name: &str, reader: Reader, expression: &Expression) -> Expanded<()> {
        let span = || expression.span_of(name);
        let mut parts = name.splitn(3, '.').skip(1);
        match (root(name), parts.next(), parts.next()) {
            ("stamp", Some(stamp), _) if !STAMPS.contains(&stamp) => {
                Err(undefined(name, stamp, STAMPS.into_iter(), span()))
            }
            ("stamp", Some("branch" | "tag"), _) if matches!(reader, Reader::Script(_)) => {
                Err(ExpandError::OutsideText {
                    name: name.to_owned(),
                    span: span(),
                })
            }
            ("needs", Some(need), _) if self.need_names().next().is_none() => {
                let help = format!("the step needs nothing; add `needs: [{need}]`");
                Err(ExpandError::Undefined {
                    name: name.to_owned(),
                    span: span(),
                    help,
                })
            }
            ("needs", Some(need), _) if !self.need_names().any(|known| known == need) => {
                Err(undefined(name, need, self.need_names(), span()))
            }
            ("needs", Some(_), Some(what)) if what != "outputs" => {
                Err(undefined(name, what, ["outputs"].into_iter(), span()))
            }
            _ => Ok(()),
        }
    }

    /// How `needs.X` may be spelled here.
    fn need_names(&self) -> impl Iterator<Item = &str> {
        self.step
            .into_iter()
            .flat_map(|step| &step.needs)
            .map(|need| need.value.name.as_str())
    }

    fn evaluate(&self, expression: &Expression) -> Expanded<(Value, Known)> {
        self.evaluate_for(expression, &expression.names()?, Reader::Early)
    }

    /// The value of an expression of these early names, and where it comes from (its `value` is
    /// unset).
    fn evaluate_for(
        &self,
        expression: &Expression,
        names: &[Cow<'_, str>],
        reader: Reader,
    ) -> Expanded<(Value, Known)> {
        let mut early = BTreeMap::new();
        let mut from = Known::of(Val::Null);
        for name in names {
            self.check_use(name, reader, expression)?;
            if LATE.contains(&root(name)) {
                return Err(ExpandError::TooEarly {
                    span: expression.span_of(name),
                    name: name.to_string(),
                });
            }
            if expression.has_default() && !self.exists(name) {
                insert_parents(&mut early, name);
                continue;
            }
            let known = self.lookup(name, expression)?;
            refuse_outside(&known, reader, expression)?;
            from.typed |= known.typed;
            from.outside = from.outside.or(known.outside);
            if is_whole_name(&expression.text) {
                return Ok((known.value.to_engine(self.dir(reader)), from));
            }
            insert(&mut early, name, known.value);
        }
        let context = early
            .iter()
            .map(|(name, value)| (name.clone(), value.to_engine(self.dir(reader))))
            .collect();
        let value = engine::evaluate(&expression.text, &context)
            .map_err(|fault| expression.error(fault))?;
        Ok((value, from))
    }

    /// What paths are shown relative to.
    fn dir(&self, reader: Reader) -> &RelPath {
        match reader {
            Reader::Early | Reader::Pattern => &self.pipeline.dir,
            Reader::Late | Reader::Script(_) => &self.step_dir,
        }
    }

    /// What a pattern stands for is known only when the step has run.
    fn refuse_pattern(&self, name: &str, reader: Reader, span: Span) -> Expanded<()> {
        let is_pattern = |value: &Val| matches!(value, Val::Text(_));
        let outputs = self.outputs.get().map_or(&[][..], Vec::as_slice);
        let meant = if name == "output" {
            &outputs[..outputs.len().min(1)]
        } else {
            outputs
        };
        match reader {
            Reader::Script(_) if meant.iter().any(is_pattern) => Err(ExpandError::BadKey {
                message: format!(
                    "`{name}` is a pattern here, and a script cannot write to a pattern"
                ),
                span,
                help: Some(
                    "name the file or folder in `outputs`, or write its path in the script"
                        .to_owned(),
                ),
            }),
            _ => Ok(()),
        }
    }

    fn check_use(&self, name: &str, reader: Reader, expression: &Expression) -> Expanded<()> {
        if matches!(name, "output" | "outputs") {
            self.refuse_pattern(name, reader, expression.span_of(name))?;
        }
        if root(name) == "env" && matches!(reader, Reader::Script(_)) {
            let variable = name.split('.').nth(1).unwrap_or("NAME").to_owned();
            return Err(ExpandError::EnvInRun {
                name: variable,
                span: expression.span_of(name),
            });
        }
        Ok(())
    }

    /// Whether a name has a value at all: `default` is the one place where it need not.
    fn exists(&self, name: &str) -> bool {
        let member = name.split('.').nth(1);
        match (root(name), member) {
            ("vars", Some(var)) => self
                .var_layers()
                .iter()
                .any(|layer| layer.contains_key(var)),
            ("matrix", Some(axis)) => self.cell.contains_key(axis),
            ("env", Some(variable)) => self.has_variable(variable),
            (root, _) => ROOTS.contains(&root),
        }
    }

    /// The value of a dotted name.
    fn lookup(&self, name: &str, expression: &Expression) -> Expanded<Known> {
        let span = expression.span_of(name);
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let Some(member) = parts.next() else {
            return self.whole(root, span);
        };
        match root {
            "vars" => self.var(member, name, span),
            "matrix" => self.axis(member, name, span),
            "env" => self.variable(member, name, span),
            "git" if GIT.contains(&member) => Ok(self.git(member)),
            "git" => Err(undefined(name, member, GIT.into_iter(), span)),
            "host" | "step" | "pipeline" | "workspace" => self.fact(root, member, name, span),
            _ => self.whole(root, span),
        }
    }

    /// A name without a dot.
    fn whole(&self, root: &str, span: Span) -> Expanded<Known> {
        let outputs = self.outputs.get().map_or(&[][..], Vec::as_slice);
        match root {
            "profile" => Ok(Known::of(Val::Text(
                self.profile.unwrap_or_default().to_owned(),
            ))),
            "outputs" => Ok(Known::of(Val::List(outputs.to_vec()))),
            "output" => {
                outputs
                    .first()
                    .cloned()
                    .map(Known::of)
                    .ok_or_else(|| ExpandError::Undefined {
                        name: "output".to_owned(),
                        span,
                        help: "the step declares no `outputs`".to_owned(),
                    })
            }
            "matrix" => {
                let outside = self.cell_outside.clone();
                Ok(Known {
                    outside,
                    ..Known::of(Val::Map(self.cell.clone()))
                })
            }
            root if ROOTS.contains(&root) => Err(ExpandError::value(
                format!("`{root}` is no value by itself: write `{root}.NAME`"),
                span,
            )),
            root if self
                .var_layers()
                .iter()
                .any(|layer| layer.contains_key(root)) =>
            {
                let help = format!("variables are written `vars.{root}`");
                Err(ExpandError::Undefined {
                    name: root.to_owned(),
                    span,
                    help,
                })
            }
            root => Err(undefined(root, root, ROOTS.into_iter(), span)),
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
            ("step", "dir") => return Ok(Known::of(Val::Path(self.step_dir.clone()))),
            ("step", _) => &["name", "dir"],
            ("pipeline", "name") => return text(&self.pipeline.name.value),
            ("pipeline", _) => &["name"],
            ("workspace", "root") => {
                return text(&to_text(self.facts.root.as_os_str().as_encoded_bytes()));
            }
            _ => &["root"],
        };
        Err(undefined(name, member, known.iter().copied(), span))
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
            value,
            outside,
            typed: false,
        }
    }

    fn axis(&self, axis: &str, name: &str, span: Span) -> Expanded<Known> {
        match self.cell.get(axis) {
            Some(value) => Ok(Known {
                outside: self.cell_outside.clone(),
                ..Known::of(value.clone())
            }),
            None if self.cell.is_empty() => {
                let help = "this step has no `matrix`".to_owned();
                Err(ExpandError::Undefined {
                    name: name.to_owned(),
                    span,
                    help,
                })
            }
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
            let known = layers
                .iter()
                .flat_map(|layer| layer.keys())
                .map(String::as_str);
            return Err(undefined(name, var, known, span));
        };
        self.once(&format!("vars.{var}"), span, || {
            match self.facts.assignments.get(var) {
                Some(text) => typed_value(text, &declared.value, var, span),
                None => self.value(&declared.value),
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
        resolving.push(name.to_owned());
        Ok(())
    }

    pub(super) fn leave(&self) {
        self.resolving.borrow_mut().pop();
    }
}
