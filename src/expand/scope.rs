//! What names mean for one instance: the values of `vars`, `matrix`, `env`, `host` and the others,
//! worked out when they are asked for.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::ValueKind;

use super::code::ScriptReader;
use super::engine;
use super::error::ExpandError;
use super::facts::Facts;
use super::layers::FileLayer;
use super::limits::{MAX_VALUE, piece_weight, too_large, weigh};
use super::names::{
    field, following, misfit, no_value_itself, place, push_text, refuse_outside, undefined,
};
use super::quote::{self, Place};
use super::resolved::Dialect;
use super::segments::{Expression, Segment, segments};
use super::shell::Context;
use super::template::{Piece, Template};
use super::uses::{Use, uses};
use super::value::Val;
use crate::model::{Pipeline, Step, Workspace};
use crate::parse::{Text, ValueDoc};
use crate::path::RelPath;
use crate::source::Span;

/// Names whose values are known only at a step's turn.
const LATE: [&str; 4] = ["sources", "needs", "stamp", "jobs"];
const STAMPS: [&str; 6] = ["commit", "short", "branch", "tag", "time", "version"];

/// What the command line set of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Typed {
    /// Nothing that could do harm in a script.
    Nothing,
    /// Text that is quoted for a shell already.
    Words,
    /// Text as it was typed, at least a part.
    Text,
}

/// After so many mistakes in one text, the rest of it is not looked at.
const MOST_MISTAKES: usize = 100;

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) value: Val,
    /// The name of the text from outside the repository that is in it.
    pub(super) outside: Option<String>,
    /// What the command line set of it.
    pub(super) typed: Typed,
}

impl Known {
    pub(super) fn of(value: Val) -> Self {
        Self {
            value,
            outside: None,
            typed: Typed::Nothing,
        }
    }

    /// The same, with another value made of it.
    fn with(self, value: Val) -> Self {
        Self { value, ..self }
    }
}

/// What reads the text that an expression stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    /// `pipe`, before anything runs.
    Early,
    /// A program that runs scripts of this language, as one of its arguments.
    Word(Dialect),
    /// `pipe`, as a pattern or path: values of path expressions stand for themselves.
    Pattern,
    /// A process' environment or `pipe`, at the step's turn.
    Late,
    /// `pipe`, at the step's turn, in a check.
    Check,
    /// A script.
    Script(Dialect),
    /// A script that runs before what the step reads is known (`requires`).
    Before(Dialect),
}

impl Reader {
    /// The language of the script that it is.
    pub(super) fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Script(dialect) | Self::Before(dialect) => Some(dialect),
            Self::Early | Self::Word(_) | Self::Pattern | Self::Late | Self::Check => None,
        }
    }

    /// Whether it could run what is in a text.
    pub(super) fn runs_text(self) -> bool {
        self.dialect().is_some() || matches!(self, Self::Word(_))
    }

    /// What reads the other texts of a check whose scripts it reads.
    pub(super) fn of_checks(self) -> Self {
        match self.is_late() {
            true => Self::Check,
            false => Self::Early,
        }
    }

    fn is_late(self) -> bool {
        matches!(self, Self::Late | Self::Check | Self::Script(_))
    }
}

/// Where names are looked up.
pub(super) struct Scope<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) pipeline: &'a Pipeline,
    pub(super) facts: &'a Facts,
    pub(super) profile: Option<&'a str>,
    pub(super) step: Option<&'a Step>,
    /// The values of the instance's matrix.
    pub(super) cell: IndexMap<String, Known>,
    /// The step's working folder, once it is known.
    pub(super) step_dir: RelPath,
    /// What the command line set of that and of the outputs.
    pub(super) typed_paths: Typed,
    /// The declared outputs as paths or patterns, once they are known.
    pub(super) outputs: OnceCell<Vec<Val>>,
    /// The depfile, once it is known.
    pub(super) depfile: OnceCell<RelPath>,
    /// Mistakes beside the first of a text.
    pub(super) more: RefCell<Vec<ExpandError>>,
    /// What the dotenv files of the step say.
    pub(super) step_files: FileLayer,
    /// What those of the pipeline say.
    pub(super) pipeline_files: FileLayer,
    /// Whether a dotenv file may say anything: no variable is missing then.
    pub(super) any_variable: Cell<bool>,
    pub(super) resolved: RefCell<HashMap<String, Known>>,
    pub(super) resolving: RefCell<Vec<String>>,
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
            step_dir: pipeline.dir.clone(),
            typed_paths: Typed::Nothing,
            outputs: OnceCell::new(),
            depfile: OnceCell::new(),
            more: RefCell::default(),
            step_files: FileLayer::new(),
            pipeline_files: FileLayer::new(),
            any_variable: Cell::default(),
            resolved: RefCell::default(),
            resolving: RefCell::default(),
        }
    }

    /// Text without expressions that are known only later.
    pub(super) fn text(&self, text: &Text) -> Expanded<String> {
        self.early(text, Reader::Early)
    }

    /// A word of the command that scripts of `dialect` are given to: they may be code as well.
    pub(super) fn word(&self, text: &Text, dialect: Dialect) -> Expanded<String> {
        self.early(text, Reader::Word(dialect))
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
        if !self.facts.spent.text(text.text.len()) {
            return Err(ExpandError::too_much(text.span));
        }
        if !text.text.contains("${{") {
            return Ok(Template::text(text.text.as_str()));
        }
        let segments = segments(text)?;
        let mut script = ScriptReader::new(reader.dialect());
        let mut pieces = Vec::new();
        let mut errors = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Text(part) => {
                    script.read(part);
                    push_text(&mut pieces, part);
                }
                Segment::Expression(expression) => {
                    let context = script.context(following(&segments, index));
                    match self.piece(expression, reader, context) {
                        Ok((piece, _)) if !self.facts.spent.text(piece_weight(&piece)) => {
                            errors.push(ExpandError::too_much(expression.span));
                            break;
                        }
                        Ok((Piece::Text(part), true)) => {
                            script.read(&part);
                            push_text(&mut pieces, &part);
                            continue;
                        }
                        Ok((Piece::Text(part), false)) => push_text(&mut pieces, &part),
                        Ok((hole, _)) => pieces.push(hole),
                        Err(error) => errors.push(error),
                    }
                    if errors.len() > MOST_MISTAKES {
                        break;
                    }
                    script.skip();
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
        match self.known(&expression)?.value {
            Val::Bool(holds) => Ok(holds),
            value => Err(ExpandError::Value {
                message: format!("`if` wants true or false, but this is `{}`", value.label()),
                span: expression.span,
                help: Some("compare it: `vars.mode == 'fast'`, `vars.n > 0`".to_owned()),
            }),
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
                    known.typed = known.typed.max(item.typed);
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
            known.typed = known.typed.max(item.typed);
            list.push(item.value);
        }
        known.value = Val::List(list);
        Ok(known)
    }

    pub(super) fn text_value(&self, text: &Text) -> Expanded<Known> {
        let segments = segments(text)?;
        if let [Segment::Expression(expression)] = segments.as_slice() {
            return self.known(expression);
        }
        let mut out = String::new();
        let mut all = Known::of(Val::Null);
        for segment in &segments {
            match segment {
                Segment::Text(part) => out.push_str(part),
                Segment::Expression(expression) => {
                    let (value, known) = self.evaluate(expression, Reader::Early)?;
                    all.outside = all.outside.or(known.outside);
                    if known.typed != Typed::Nothing {
                        // Quotes in the text around could undo those of the value.
                        all.typed = Typed::Text;
                    }
                    out.push_str(
                        &quote::put(&value, Place::Text)
                            .map_err(|fault| misfit(&fault, expression))?,
                    );
                }
            }
        }
        all.value = Val::Text(out);
        Ok(all)
    }

    /// What the command line set of texts. Their mistakes are told where they are used.
    pub(super) fn typed<'t>(&self, texts: impl Iterator<Item = &'t Text>) -> Typed {
        if self.facts.assignments.is_empty() {
            return Typed::Nothing;
        }
        let values = texts
            .filter(|text| text.text.contains("${{"))
            .filter_map(|text| self.text_value(text).ok());
        let typed = values.map(|known| known.typed);
        typed.max().unwrap_or(Typed::Nothing)
    }

    pub(super) fn uses<'e>(&self, expression: &'e Expression) -> Expanded<Vec<Use<'e>>> {
        uses(&expression.text, &|root, name| self.declares(root, name))
            .map_err(|fault| expression.error(fault))
    }

    /// One expression in a text, and whether it goes in as it stands.
    fn piece(
        &self,
        expression: &Expression,
        reader: Reader,
        context: Context,
    ) -> Expanded<(Piece, bool)> {
        let uses = self.uses(expression)?;
        if reader.is_late() && uses.iter().any(|one| LATE.contains(&one.root())) {
            return Ok((self.late_piece(expression, &uses, reader, context)?, false));
        }
        let (value, known) = self.evaluate(expression, reader)?;
        let is_code = matches!(reader, Reader::Word(dialect) if dialect != Dialect::Other);
        if is_code && known.typed != Typed::Nothing {
            let (name, span) = (expression.text.clone(), expression.span);
            return Err(ExpandError::OutsideText { name, span });
        }
        let place = place(reader, context, known.typed);
        let text = quote::put(&value, place).map_err(|fault| misfit(&fault, expression))?;
        let is_plain = known.typed == Typed::Nothing && !quote::is_words(&value);
        Ok((Piece::Text(text), is_plain))
    }

    fn late_piece(
        &self,
        expression: &Expression,
        uses: &[Use],
        reader: Reader,
        context: Context,
    ) -> Expanded<Piece> {
        let mut early = BTreeMap::new();
        let mut typed = Typed::Nothing;
        let mut bytes = 0;
        for one in uses {
            self.check_use(one, reader, expression)?;
            if LATE.contains(&one.root()) {
                if one.root() == "stamp" && one.member() == Some("version") {
                    typed = typed.max(one.typed(Typed::Text));
                }
                self.check_late(one, reader, expression)
                    .map_err(|error| self.mind_dots(error, one))?;
            } else if let Some(known) = self.lookup(one, expression)? {
                refuse_outside(&known, one, reader, expression)?;
                typed = typed.max(one.typed(known.typed));
                self.add_up(&mut bytes, &known.value, one, expression)?;
                early.insert(one.name(), known.value);
            }
        }
        let place = place(reader, context, expression.typed(typed, uses));
        let is_list = matches!(uses, [one] if one.range == (0..expression.text.len())
            && matches!(one.root(), "sources" | "needs"));
        // As words of a shell any list can stand, and most do.
        if place != Place::Posix(Context::Word) {
            // Whatever is in it: whether a list can stand here, or a text, is known now.
            let sample = match is_list {
                true => Value::from(vec![Value::from_safe_string("x".to_owned())]),
                false => Value::from("x"),
            };
            quote::put(&sample, place).map_err(|fault| misfit(&fault, expression))?;
        }
        Ok(Piece::Hole {
            expression: expression.text.clone(),
            place,
            early,
        })
    }

    /// Whether a late name exists, and can stand here.
    fn check_late(&self, one: &Use, reader: Reader, expression: &Expression) -> Expanded<()> {
        let span = expression.part(&one.range);
        let unknown = |part: &str, known: &mut dyn Iterator<Item = &str>| {
            Err(undefined(&one.name(), part, known, span))
        };
        let parts: Vec<&str> = one.parts.iter().map(|part| &**part).collect();
        if let ["needs", name, ..] = parts.as_slice() {
            self.refuse_ambiguous(name, span)?;
        }
        match parts.as_slice() {
            ["sources" | "jobs"] | ["needs", _, "outputs"] if self.has_need(one) => Ok(()),
            ["stamp", "branch" | "tag"] if reader.dialect().is_some() && !one.is_compared => {
                let name = one.name();
                Err(ExpandError::OutsideText { name, span })
            }
            ["stamp", stamp] if STAMPS.contains(stamp) => Ok(()),
            ["stamp", stamp] => unknown(stamp, &mut STAMPS.into_iter()),
            ["needs", _, ..] if one.defaulted && !self.has_need(one) => Ok(()),
            ["needs", need, ..] if self.need_names().next().is_none() => {
                let help = format!("the step needs nothing; add `needs: [{need}]`");
                Err(ExpandError::Undefined {
                    name: one.name(),
                    span,
                    help,
                })
            }
            ["needs", need, ..] if !self.has_need(one) => unknown(need, &mut self.need_names()),
            ["needs", _, what, ..] => unknown(what, &mut ["outputs"].into_iter()),
            ["needs", ..] => Err(no_value_itself("needs.STEP.outputs", one, span)),
            ["stamp"] => Err(no_value_itself("stamp.NAME", one, span)),
            _ => field(&Val::Null, one, 1, span).map(|_| ()),
        }
    }

    /// The value of an expression of early names, and where it comes from.
    fn known(&self, expression: &Expression) -> Expanded<Known> {
        let uses = self.uses(expression)?;
        if let [whole] = uses.as_slice()
            && whole.range == (0..expression.text.len())
            && !LATE.contains(&whole.root())
        {
            self.check_use(whole, Reader::Early, expression)?;
            return match self.lookup(whole, expression)? {
                Some(known) => Ok(known),
                None => Ok(Known::of(Val::Null)),
            };
        }
        let (value, known) = self.evaluate(expression, Reader::Early)?;
        Ok(known.with(Val::from_engine(&value, &self.pipeline.dir)))
    }

    /// The same for the engine, with paths as `reader` sees them (the `value` beside it is unset).
    fn evaluate(&self, expression: &Expression, reader: Reader) -> Expanded<(Value, Known)> {
        let uses = self.uses(expression)?;
        let mut values = Vec::with_capacity(uses.len());
        let mut from = Known::of(Val::Null);
        let mut outside = None;
        let mut bytes = 0;
        for one in &uses {
            self.check_use(one, reader, expression)?;
            if LATE.contains(&one.root()) {
                let (name, span) = (one.name(), expression.part(&one.range));
                return Err(ExpandError::TooEarly { name, span });
            }
            let known = self.lookup(one, expression)?;
            if let Some(known) = &known {
                self.add_up(&mut bytes, &known.value, one, expression)?;
                from.typed = from.typed.max(one.typed(known.typed));
                let is_outside = known.outside.is_some() && !one.is_compared;
                outside = outside.or(is_outside.then_some((one, known.clone())));
            }
            values.push(known.map(|known| known.value.to_engine(self.dir(reader), one.role)));
        }
        let mut values = values.into_iter();
        let value = engine::evaluate(&expression.text, &uses, |_| values.next().flatten())
            .map_err(|fault| expression.error(fault))?;
        from.typed = match value.kind() {
            // These carry nobody's text. Text from outside is judged by what the expression could
            // give, so that it is refused for everybody or for nobody.
            ValueKind::Bool | ValueKind::Number => Typed::Nothing,
            _ => expression.typed(from.typed, &uses),
        };
        if let Some((one, known)) = outside {
            refuse_outside(&known, one, reader, expression)?;
            from.outside = known.outside;
        }
        Ok((value, from))
    }

    /// However often an expression uses values: its own is no larger than values may be.
    fn add_up(
        &self,
        bytes: &mut usize,
        value: &Val,
        one: &Use,
        expression: &Expression,
    ) -> Expanded<()> {
        let added = weigh(value).and_then(|more| {
            *bytes += more;
            match *bytes <= MAX_VALUE {
                true => Ok(()),
                false => Err(too_large()),
            }
        });
        added.map_err(|message| ExpandError::value(message, expression.part(&one.range)))
    }

    /// `needs.build` where steps of two pipelines have that name.
    fn refuse_ambiguous(&self, name: &str, span: Span) -> Expanded<()> {
        let mut of: Vec<&str> = self.needs_of(name).collect();
        of.dedup();
        match of.as_slice() {
            [first, second, ..] => Err(ExpandError::Value {
                message: format!("`needs.{name}` could be `{first}:{name}` or `{second}:{name}`"),
                span,
                help: Some(format!(
                    "name the pipeline: `needs[\"{first}:{name}\"].outputs`"
                )),
            }),
            _ => Ok(()),
        }
    }

    /// What paths are shown relative to.
    fn dir(&self, reader: Reader) -> &RelPath {
        match reader {
            Reader::Early | Reader::Word(_) | Reader::Pattern | Reader::Check => &self.pipeline.dir,
            Reader::Late | Reader::Script(_) | Reader::Before(_) => &self.step_dir,
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
        match reader.dialect() {
            Some(_) if meant.iter().any(is_pattern) => Err(ExpandError::BadKey {
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

    fn check_use(&self, one: &Use, reader: Reader, expression: &Expression) -> Expanded<()> {
        let span = || expression.part(&one.range);
        match (one.root(), reader.dialect()) {
            ("trigger", _) if reader.runs_text() && !one.is_compared => {
                Err(ExpandError::OutsideText {
                    name: one.name(),
                    span: span(),
                })
            }
            ("output" | "outputs", _) => self.refuse_pattern(one.root(), reader, span()),
            ("env", Some(_)) => Err(ExpandError::EnvInRun {
                name: one.member().unwrap_or("NAME").to_owned(),
                span: span(),
            }),
            _ => Ok(()),
        }
    }
}
