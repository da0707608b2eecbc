//! The parts of an instance, one function a key. Mistakes are collected, and the part is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ExpandError;
use super::instance::Findings;
use super::resolved::{
    Check, CheckKind, CheckPart, DepfileAt, Dialect, LateTexts, Limit, Literal, Output, OutputKind,
    Shell, Sources, cover,
};
use super::scope::{Reader, Scope};
use super::template::Template;
use super::value::Val;
use crate::glob::{GlobError, Pattern};
use crate::model::{self, CheckText, Complaint, OutputText, Reference, Step, Written};
use crate::parse::Text;
use crate::path::{RelPath, to_bytes};
use crate::source::{Span, Spanned};
use crate::suggest::did_you_mean;

/// The limit of one try of a check where nothing else is said.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// The value, or one finding more.
pub(super) fn take<T>(result: Result<T, ExpandError>, errors: &mut Findings) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

pub(super) fn dir(scope: &Scope, step: &Step, errors: &mut Findings) -> RelPath {
    let dir = step
        .dir
        .as_ref()
        .and_then(|text| take(folder(scope, text), errors));
    dir.unwrap_or_else(|| scope.pipeline.dir.clone())
}

/// A path that a text names.
pub(super) fn folder(scope: &Scope, text: &Text) -> Result<RelPath, ExpandError> {
    resolve(scope, &scope.text(text)?, text.span)
}

/// A path as written in this pipeline.
fn resolve(scope: &Scope, path: &str, span: Span) -> Result<RelPath, ExpandError> {
    RelPath::resolve(&scope.pipeline.dir, &to_bytes(path)).map_err(|error| ExpandError::Path {
        path: path.to_owned(),
        reason: error.to_string(),
        span,
    })
}

/// Fills in the expressions in the axis values of a reference at `span`; whether all could be.
pub(super) fn fill_cell(
    scope: &Scope,
    cell: &mut [(String, String)],
    span: Span,
    errors: &mut Findings,
) -> bool {
    let before = errors.len();
    for (_, wanted) in cell.iter_mut().filter(|(_, value)| value.contains("${{")) {
        let text = Text {
            text: wanted.clone(),
            span,
            ..Text::default()
        };
        if let Some(filled) = take(scope.text(&text), errors) {
            *wanted = filled;
        }
    }
    errors.len() == before
}

/// References with the expressions in their axis values filled in.
pub(super) fn references(
    scope: &Scope,
    written: &[Spanned<Reference>],
    errors: &mut Findings,
) -> Vec<Spanned<Reference>> {
    let mut references = written.to_vec();
    for reference in &mut references {
        fill_cell(scope, &mut reference.value.cell, reference.span, errors);
    }
    references
}

pub(super) fn description(scope: &Scope, step: &Step, errors: &mut Findings) -> Option<String> {
    take(scope.text(step.description.as_ref()?), errors)
}

pub(super) fn shell(scope: &Scope, step: &Step, errors: &mut Findings) -> Shell {
    let (first, rest) = match step.shell.split_first() {
        Some((first, rest)) => (Some(first), rest),
        None => (None, &[][..]),
    };
    // Which program it is, the command line may say; not what follows if that may be code.
    let first = first.and_then(|text| take(scope.word(text, Dialect::Other), errors));
    let dialect = dialect(first.as_deref().unwrap_or("sh"));
    let rest = rest
        .iter()
        .filter_map(|text| take(scope.word(text, dialect), errors));
    let rest: Vec<String> = rest.collect();
    let words = first.iter().chain(&rest).map(String::as_str);
    let words: Vec<&str> = words.collect();
    let words: &[&str] = match words.as_slice() {
        [] | ["sh"] => &["/bin/sh", "-e", "-c"],
        ["bash"] => &["bash", "-eo", "pipefail", "-c"],
        ["pwsh"] => &["pwsh", "-NoProfile", "-NonInteractive", "-Command"],
        ["python"] => &["python3", "-c"],
        words => words,
    };
    Shell {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        dialect,
    }
}

/// The language of the scripts that a program takes.
fn dialect(program: &str) -> Dialect {
    let name = program.rsplit('/').next().unwrap_or_default();
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "ksh" | "zsh" | "ash" => Dialect::Posix,
        "python" => Dialect::Python,
        "pwsh" | "powershell" => Dialect::PowerShell,
        _ => Dialect::Other,
    }
}

/// A duration that may be the value of an expression.
pub(super) fn duration(
    scope: &Scope,
    written: Option<&Written<Duration>>,
    errors: &mut Findings,
) -> Option<Duration> {
    take(value(scope, written, model::duration), errors).flatten()
}

/// What `read` makes of a text that may be the value of an expression.
fn value<T: Clone>(
    scope: &Scope,
    written: Option<&Written<T>>,
    read: fn(&str) -> Result<T, Complaint>,
) -> Result<Option<T>, ExpandError> {
    let text = match written {
        None => return Ok(None),
        Some(Written::Known(value)) => return Ok(Some(value.clone())),
        Some(Written::Expression(text)) => text,
    };
    let span = text.span;
    let value = read(&scope.text(text)?);
    let value = value.map_err(|Complaint { message, help }| ExpandError::Value {
        message,
        span,
        help: Some(help),
    });
    value.map(Some)
}

/// Texts of a list, filled in.
pub(super) fn texts(scope: &Scope, written: &[Text], errors: &mut Findings) -> Vec<String> {
    let filled = written.iter().map(|text| scope.text(text));
    filled.filter_map(|text| take(text, errors)).collect()
}

pub(super) fn scripts(
    scope: &Scope,
    written: &[Text],
    dialect: Dialect,
    errors: &mut Findings,
) -> Vec<Template> {
    written
        .iter()
        .filter_map(|text| take(scope.template(text, Reader::Script(dialect)), errors))
        .collect()
}

pub(super) fn skip(scope: &Scope, step: &Step, errors: &mut Findings) -> bool {
    let condition = step
        .condition
        .as_ref()
        .and_then(|text| take(scope.condition(text), errors));
    condition == Some(false)
}

/// The pool and the `max_parallel` of a step.
pub(super) fn limits(scope: &Scope, step: &Step, errors: &mut Findings) -> Vec<Limit> {
    let pool = step
        .pool
        .as_ref()
        .and_then(|text| take(pool(scope, text), errors));
    let own = step.max_parallel.map(|max| Limit {
        name: format!("{}:{}", scope.pipeline.name.value, step.name.value),
        places: usize::try_from(max).unwrap_or(usize::MAX),
    });
    pool.into_iter().chain(own).collect()
}

fn pool(scope: &Scope, text: &Text) -> Result<Limit, ExpandError> {
    let name = scope.text(text)?;
    let pools = &scope.workspace.settings.pools;
    match pools.get(&name) {
        // Names of steps have a colon, those of pools none.
        Some(places) => Ok(Limit {
            name: format!("pool {name}"),
            places: *places,
        }),
        None => Err(ExpandError::Pool {
            help: match pools.is_empty() {
                true => format!(
                    "declare it in the root's `pipe.yaml`: `workspace: {{ pools: {{ {name}: 1 }} }}`"
                ),
                false => did_you_mean(&name, pools.keys().map(String::as_str)),
            },
            name,
            span: text.span,
        }),
    }
}

pub(super) fn path(scope: &Scope, step: &Step, errors: &mut Findings) -> Vec<RelPath> {
    step.path
        .iter()
        .filter_map(|text| take(folder(scope, text), errors))
        .collect()
}

/// What the step makes, with the place of each: its outputs, and its depfile where they do not cover
/// it. From here on the scope knows both.
pub(super) fn made(
    scope: &Scope,
    step: &Step,
    errors: &mut Findings,
) -> (Vec<(Output, Span)>, Option<DepfileAt>) {
    let mut made = outputs(scope, step, errors);
    let declared: Vec<Output> = made.iter().map(|(output, _)| output.clone()).collect();
    let _ = scope.outputs.set(output_values(&declared));
    let written = step.depfile.as_ref();
    let Some((path, span)) =
        written.and_then(|text| Some((take(depfile(scope, text, &declared), errors)?, text.span)))
    else {
        return (made, None);
    };
    let _ = scope.depfile.set(path.clone());
    let is_declared = cover(&declared, &path);
    if !is_declared {
        let output = Output {
            kind: OutputKind::File(path.clone()),
            optional: false,
            negated: false,
        };
        made.push((output, span));
    }
    (made, Some(DepfileAt { path, is_declared }))
}

/// The path of the depfile: a file that may be an output, and that `outputs` do not take away.
fn depfile(scope: &Scope, text: &Text, outputs: &[Output]) -> Result<RelPath, ExpandError> {
    let (written, span) = (scope.text(text)?, text.span);
    let path = resolve(scope, &written, span)?;
    check_output(scope, &OutputKind::File(path.clone()), &written, span)?;
    let mut away = outputs.iter().filter(|output| output.negated);
    let reason = if written.ends_with('/') {
        "is a folder; a depfile is one file"
    } else if away.any(|output| output.kind.covers(&path)) {
        "is taken away by a `!` in `outputs`; a depfile is kept with them"
    } else {
        return Ok(path);
    };
    Err(ExpandError::Path {
        path: written,
        reason: reason.to_owned(),
        span,
    })
}

fn outputs(scope: &Scope, step: &Step, errors: &mut Findings) -> Vec<(Output, Span)> {
    step.outputs
        .iter()
        .filter_map(|written| {
            take(output(scope, written), errors).map(|output| (output, written.path.span))
        })
        .collect()
}

fn output(scope: &Scope, written: &OutputText) -> Result<Output, ExpandError> {
    let span = written.path.span;
    let text = scope.pattern(&written.path)?;
    let folder = text.strip_suffix('/');
    let pattern = pattern(scope, folder.unwrap_or(&text), span)?;
    let kind = match (pattern.literal(), folder) {
        (Some(path), Some(_)) => OutputKind::Folder(path),
        (Some(path), None) => OutputKind::File(path),
        (None, None) => OutputKind::Glob(pattern),
        (None, Some(_)) => OutputKind::Glob(self::pattern(scope, &text, span)?),
    };
    check_output(scope, &kind, &text, span)?;
    Ok(Output {
        kind,
        optional: written.optional,
        negated: written.negated,
    })
}

/// Outputs may not be the root, nor what belongs to git or to `pipe`, nor a pipeline file; `~` is
/// nobody's home here.
fn check_output(
    scope: &Scope,
    kind: &OutputKind,
    text: &str,
    span: Span,
) -> Result<(), ExpandError> {
    let path = match kind {
        OutputKind::File(path) | OutputKind::Folder(path) => path.clone(),
        OutputKind::Glob(pattern) => pattern.prefix().clone(),
    };
    let covers = |file: &&RelPath| match kind {
        OutputKind::File(path) => path == *file,
        OutputKind::Folder(_) => true,
        OutputKind::Glob(pattern) => pattern.matches(file),
    };
    let covered = scope.workspace.files_in(&path).find(covers);
    let reason = match (path.parts().next().unwrap_or_default(), kind, covered) {
        (b".git", ..) => "belongs to git".to_owned(),
        (b".pipe", ..) => "belongs to pipe".to_owned(),
        (b"", OutputKind::File(_) | OutputKind::Folder(_), _) => {
            "is the whole workspace".to_owned()
        }
        _ if text == "~" || text.starts_with("~/") => {
            let reason =
                "begins with `~`, which only a shell expands (`./~` is a folder of that name)";
            return Err(ExpandError::Path {
                path: text.to_owned(),
                reason: reason.to_owned(),
                span,
            });
        }
        (_, _, Some(file)) if file.as_bytes() == text.as_bytes() => "is a pipeline file".to_owned(),
        (_, _, Some(file)) => format!("covers the pipeline file `{file}`"),
        _ => return Ok(()),
    };
    Err(ExpandError::NoOutput {
        path: text.to_owned(),
        reason,
        span,
    })
}

fn pattern(scope: &Scope, text: &str, span: Span) -> Result<Pattern, ExpandError> {
    let pattern = Pattern::parse(&scope.pipeline.dir, text)
        .map_err(|error| glob_error(text, &error, span))?;
    match scope.facts.spent.text(pattern.weight()) {
        true => Ok(pattern),
        false => Err(ExpandError::too_much(span)),
    }
}

/// A pattern that cannot be read: where it would lead out, it is the path that is wrong.
pub(super) fn glob_error(text: &str, error: &GlobError, span: Span) -> ExpandError {
    match error.message.as_str() {
        reason @ ("is absolute" | "leaves the workspace") => ExpandError::Path {
            path: text.to_owned(),
            reason: reason.to_owned(),
            span,
        },
        message => ExpandError::Glob {
            message: format!("`{text}`: {message}"),
            span,
            help: Some(error.help.clone()),
        },
    }
}

/// What `outputs` means in expressions.
fn output_values(outputs: &[Output]) -> Vec<Val> {
    let value = |output: &Output| match &output.kind {
        OutputKind::File(path) | OutputKind::Folder(path) => Val::Path(path.clone()),
        OutputKind::Glob(pattern) => Val::Text(pattern.text().to_owned()),
    };
    outputs
        .iter()
        .filter(|output| !output.negated)
        .map(value)
        .collect()
}

/// What the step reads, and the place of each literal.
pub(super) fn sources(
    scope: &Scope,
    step: &Step,
    errors: &mut Findings,
) -> (Option<Sources>, Vec<Span>, Vec<Span>) {
    let Some(written) = &step.sources else {
        return (None, Vec::new(), Vec::new());
    };
    let mut sources = Sources::default();
    let (mut globs, mut spans) = (Vec::new(), Vec::new());
    for text in written {
        if !scope.facts.spent.is_left() {
            break; // which was told
        }
        match take(source(scope, text), errors) {
            Some(Source::Pattern(pattern)) => {
                sources.patterns.push(pattern);
                globs.push(text.span);
            }
            Some(Source::Literal(literal)) => {
                sources.literals.push(literal);
                spans.push(text.span);
            }
            None => {}
        }
    }
    for text in &step.exclude {
        let pattern = scope
            .pattern(text)
            .and_then(|written| pattern(scope, &written, text.span));
        sources.excludes.extend(take(pattern, errors));
    }
    (Some(sources), globs, spans)
}

enum Source {
    Pattern(Pattern),
    Literal(Literal),
}

fn source(scope: &Scope, text: &Text) -> Result<Source, ExpandError> {
    let written = scope.pattern(text)?;
    if written.starts_with('/') && !written.starts_with("//") {
        let written = scope.text(text)?; // which is no pattern
        if written.contains(['*', '?', '[', '{']) {
            let reason =
                "is absolute, and such a source must be named literally, without wildcards";
            return Err(ExpandError::Path {
                path: written,
                reason: reason.to_owned(),
                span: text.span,
            });
        }
        return Ok(Source::Literal(Literal::Outside(written)));
    }
    let pattern = pattern(scope, &written, text.span)?;
    Ok(match pattern.literal() {
        Some(path) => Source::Literal(Literal::File(path)),
        None => Source::Pattern(pattern),
    })
}

/// The commands of `tools`. They are run by `sh` before the step's turn is over, and so know
/// nothing of what is known only then.
pub(super) fn tools(scope: &Scope, step: &Step, errors: &mut Findings) -> BTreeMap<String, String> {
    let command = |text: &Text| {
        let template = scope.template(text, Reader::Before(Dialect::Posix))?;
        template.known().ok_or_else(|| {
            let message = "what is known only when the step runs cannot stand here".to_owned();
            ExpandError::value(message, text.span)
        })
    };
    let tools = step.tools.iter();
    tools
        .filter_map(|(name, text)| Some((name.clone(), take(command(text), errors)?)))
        .collect()
}

pub(super) fn checks(
    scope: &Scope,
    written: &[CheckText],
    reader: Reader,
    errors: &mut Findings,
) -> Vec<Check> {
    written
        .iter()
        .filter_map(|check| take(one_check(scope, check, reader), errors).flatten())
        .collect()
}

fn one_check(
    scope: &Scope,
    written: &CheckText,
    reader: Reader,
) -> Result<Option<Check>, ExpandError> {
    if let Some(condition) = &written.condition
        && !scope.condition(condition)?
    {
        return Ok(None);
    }
    let mut late = LateTexts {
        dir: scope.pipeline.dir.clone(),
        texts: BTreeMap::new(),
    };
    let mut text = |part: CheckPart, text: &Text| {
        let template = scope.template(text, reader.of_checks())?;
        Ok(template.known().unwrap_or_else(|| {
            late.texts.insert(part, template);
            String::new()
        }))
    };
    let mut part = |part: CheckPart, written: &Option<Text>| {
        written
            .as_ref()
            .map(|written| text(part, written))
            .transpose()
    };
    let matches = part(CheckPart::Matches, &written.matches)?;
    let not_matches = part(CheckPart::NotMatches, &written.not_matches)?;
    let message = part(CheckPart::Message, &written.message)?;
    let subject = &written.subject;
    let kind = match written.kind {
        "file" => CheckKind::File {
            path: match text(CheckPart::Subject, subject)? {
                path if path.is_empty() => scope.pipeline.dir.clone(),
                path => resolve(scope, &path, subject.span)?,
            },
            min_size: value(scope, written.sizes.0.as_ref(), model::size)?,
            max_size: value(scope, written.sizes.1.as_ref(), model::size)?,
            executable: written.executable,
            matches,
        },
        "run" => CheckKind::Run {
            script: scope.template(subject, reader)?,
            matches,
            not_matches,
        },
        "env" => CheckKind::Env {
            name: scope.text(subject)?,
        },
        "tool" => CheckKind::Tool {
            name: scope.text(subject)?,
            version: value(scope, written.version.as_ref(), model::requirement)?,
            command: written
                .command
                .as_ref()
                .map(|text| scope.template(text, reader))
                .transpose()?,
        },
        "http" => CheckKind::Http {
            url: text(CheckPart::Subject, subject)?,
            status: written.status.clone(),
            matches,
        },
        _ => CheckKind::Tcp {
            address: text(CheckPart::Subject, subject)?,
        },
    };
    Ok(Some(Check {
        kind,
        within: value(scope, written.within.as_ref(), model::duration)?,
        timeout: value(scope, written.timeout.as_ref(), model::duration)?.unwrap_or(CHECK_TIMEOUT),
        message,
        late,
    }))
}
