//! Findings of all phases, drawn for people and told as events. However many there are, and
//! however long the lines: what is told stays readable.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode,
};

use super::options::Surroundings;
use crate::event::{self, Related};
use crate::load::Loaded;
use crate::model::ModelError;
use crate::source::{SourceMap, Span};
use crate::suggest::{is_unseen, printable};

/// So many errors and so many warnings are told.
const MOST: usize = 100;
/// Longer messages lose their middle.
const LONGEST: usize = 1_200;
/// A label is a few words.
const LONGEST_LABEL: usize = 200;
/// One report underlines so many places.
const MOST_LABELS: usize = 12;
/// The code of what says that not all is told.
pub(super) const MORE: &str = "pipe::more";

/// Something to tell, from any phase.
pub(super) type Finding = Box<dyn Diagnostic + Send + Sync>;

/// What is wrong with the files of a workspace, taken out of it.
pub(super) fn of_loading(loaded: &mut Loaded) -> Vec<Finding> {
    fn boxed<T: Diagnostic + Send + Sync + 'static>(all: &mut Vec<T>) -> Vec<Finding> {
        let all = all.drain(..);
        all.map(|finding| Box::new(finding) as Finding).collect()
    }
    let mut findings = boxed(&mut loaded.load);
    findings.extend(boxed(&mut loaded.parse));
    if findings.iter().any(is_error) {
        // Then what is to be done may stand in what could not be read.
        let follows = |error: &ModelError| matches!(error, ModelError::NothingToDo { .. });
        loaded.model.retain(|error| !follows(error));
    }
    findings.extend(boxed(&mut loaded.model));
    findings.extend(boxed(&mut loaded.dialect));
    findings
}

/// Whether nothing may run.
pub(super) fn is_error(finding: &Finding) -> bool {
    finding.severity().unwrap_or(Severity::Error) == Severity::Error
}

/// Findings as an event each, with the report drawn for people. Of very many the first are told, and
/// how many there are.
pub(super) fn events(
    findings: &[Finding],
    sources: &SourceMap,
    around: &Surroundings,
) -> Vec<event::Diagnostic> {
    let mut ordered = ordered(findings);
    let (mut errors, mut warnings) = (0, 0);
    ordered.retain(|finding| {
        let count = match is_error(finding) {
            true => &mut errors,
            false => &mut warnings,
        };
        *count += 1;
        *count <= MOST
    });
    if ordered.is_empty() {
        return Vec::new();
    }
    let seen = seen(sources);
    let told = ordered.into_iter().map(|finding| event::Diagnostic {
        rendered: Some(draw(finding, &seen, around)),
        ..event(finding, sources)
    });
    told.chain(more(errors, warnings)).collect()
}

/// Findings as an event each for a program, however many there are.
pub(super) fn all_events(findings: &[Finding], sources: &SourceMap) -> Vec<event::Diagnostic> {
    let all = ordered(findings).into_iter();
    all.map(|finding| event(finding, sources)).collect()
}

/// Equal findings once. First those that have no place, then in the order of files and lines.
fn ordered(findings: &[Finding]) -> Vec<&Finding> {
    let mut distinct = HashSet::new();
    let mut ordered: Vec<&Finding> = findings
        .iter()
        .filter(|finding| distinct.insert(identity(finding)))
        .collect();
    ordered.sort_by_cached_key(|finding| labels(finding).next().map(|label| label.offset()));
    ordered
}

fn labels(finding: &Finding) -> impl Iterator<Item = LabeledSpan> + '_ {
    finding.labels().into_iter().flatten()
}

/// What says that not all of so many are told.
fn more(errors: usize, warnings: usize) -> Option<event::Diagnostic> {
    let left_out = errors.saturating_sub(MOST) + warnings.saturating_sub(MOST);
    let message = format!(
        "{} in all; {left_out} of them are not shown: `pipe check --json` tells every one",
        counts(errors, warnings)
    );
    (left_out > 0).then(|| event::Diagnostic {
        code: MORE.to_owned(),
        severity: match errors {
            0 => event::Severity::Warning,
            _ => event::Severity::Error,
        },
        rendered: Some(format!("{message}\n")),
        message,
        file: None,
        line: None,
        column: None,
        end_line: None,
        end_column: None,
        help: None,
        related: Vec::new(),
    })
}

/// What two equal findings have in common.
fn identity(finding: &Finding) -> (String, String, Vec<(usize, usize)>) {
    let code = finding.code().map(|code| code.to_string());
    (
        code.unwrap_or_default(),
        finding.to_string(),
        labels(finding)
            .map(|label| (label.offset(), label.len()))
            .collect(),
    )
}

/// `2 errors, 1 warning`.
fn counts(errors: usize, warnings: usize) -> String {
    let some = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| super::session::plural(count, word));
    some.collect::<Vec<_>>().join(", ")
}

/// `text`, without its middle where it is very long.
fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let head: String = text.chars().take(most * 3 / 4).collect();
    let tail: Vec<char> = text.chars().rev().take(most / 4).collect();
    Cow::Owned(format!(
        "{head} … {}",
        tail.into_iter().rev().collect::<String>()
    ))
}

fn event(finding: &Finding, sources: &SourceMap) -> event::Diagnostic {
    let mut places = labels(finding)
        .take(MOST_LABELS)
        .filter_map(|label| place(&label, sources));
    let first = places.next();
    let at = |get: fn(&Related) -> usize| first.as_ref().map(get);
    event::Diagnostic {
        code: finding
            .code()
            .map(|code| code.to_string())
            .unwrap_or_default(),
        severity: if is_error(finding) {
            event::Severity::Error
        } else {
            event::Severity::Warning
        },
        message: clipped(&finding.to_string(), LONGEST).into_owned(),
        line: at(|place| place.line),
        column: at(|place| place.column),
        end_line: at(|place| place.end_line),
        end_column: at(|place| place.end_column),
        file: first.map(|place| place.file),
        help: finding
            .help()
            .map(|help| clipped(&help.to_string(), LONGEST).into_owned())
            .filter(|help| !help.is_empty()),
        related: places.collect(),
        rendered: None,
    }
}

/// Where a label begins and ends, and what it says.
fn place(label: &LabeledSpan, sources: &SourceMap) -> Option<Related> {
    let end = label.offset() + label.len();
    let start = sources.locate(Span::new(label.offset() as u32, end as u32))?;
    let end = sources.locate(Span::new(end as u32, end as u32))?;
    Some(Related {
        message: label.label().unwrap_or_default().to_owned(),
        file: start.path.display().to_string(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    })
}

/// The report with the places underlined.
fn draw(finding: &Finding, sources: &SourceMap, around: &Surroundings) -> String {
    let theme = if around.color.1 {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(around.width())
        .with_links(false);
    let mut text = String::new();
    match handler.render_report(
        &mut text,
        &Placed {
            finding: finding.as_ref(),
            sources,
        },
    ) {
        Ok(()) => text,
        Err(_) => format!("{finding}\n"),
    }
}

/// A finding together with the texts that its labels are in, without characters that would do
/// something to a terminal.
#[derive(Debug)]
struct Placed<'a> {
    finding: &'a (dyn Diagnostic + Send + Sync),
    sources: &'a SourceMap,
}

impl std::fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&printable(&clipped(&self.finding.to_string(), LONGEST)))
    }
}

impl std::error::Error for Placed<'_> {}

impl Diagnostic for Placed<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.finding.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.finding.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        // Some kinds always have the field; an empty one is no help.
        let help = self.finding.help()?.to_string();
        let help = clipped(&help, LONGEST);
        (!help.is_empty()).then(|| Box::new(printable(&help).into_owned()) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let shown = |label: LabeledSpan| {
            let end = label.offset() + label.len();
            let span = Span::new(label.offset() as u32, end as u32);
            let text = label
                .label()
                .map(|text| printable(&clipped(text, LONGEST_LABEL)).into_owned());
            LabeledSpan::new_with_span(text, self.sources.showable(span))
        };
        Some(Box::new(
            self.finding.labels()?.take(MOST_LABELS).map(shown),
        ))
    }
}

/// The texts as they are drawn: a sign of equal length for each character that cannot be seen.
fn seen(sources: &SourceMap) -> SourceMap {
    let unseen = |character: char| character != '\t' && character != '\r' && is_unseen(character);
    let sign = |character: char| match character.len_utf8() {
        _ if !unseen(character) => character,
        1 => '?',
        2 => '\u{b7}',
        _ => char::REPLACEMENT_CHARACTER,
    };
    sources.shown(
        |path| printable(&path.to_string_lossy()).into_owned().into(),
        |text| match text.contains(unseen) {
            true => text.chars().map(sign).collect::<String>().into(),
            false => Arc::clone(text),
        },
    )
}
