//! Findings of all phases, drawn for people and told as events.

use std::collections::HashSet;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode,
};

use super::options::Surroundings;
use crate::event::{self, Related};
use crate::load::Loaded;
use crate::source::{SourceMap, Span};
use crate::suggest::{is_unseen, printable};

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
    findings.extend(boxed(&mut loaded.model));
    findings.extend(boxed(&mut loaded.dialect));
    findings
}

/// Whether nothing may run.
pub(super) fn is_error(finding: &Finding) -> bool {
    finding.severity().unwrap_or(Severity::Error) == Severity::Error
}

/// Findings as an event each, with the report drawn for people; equal ones once. First those that
/// have no place, then in the order of files and lines.
pub(super) fn events(
    findings: &[Finding],
    sources: &SourceMap,
    around: &Surroundings,
) -> Vec<event::Diagnostic> {
    let mut ordered: Vec<&Finding> = findings.iter().collect();
    ordered.sort_by_cached_key(|finding| labels(finding).next().map(|label| label.offset()));
    if ordered.is_empty() {
        return Vec::new();
    }
    let (seen, mut told) = (seen(sources), HashSet::new());
    ordered
        .into_iter()
        .map(|finding| event::Diagnostic {
            rendered: Some(draw(finding, &seen, around)),
            ..event(finding, sources)
        })
        .filter(|event| told.insert(event.rendered.clone()))
        .collect()
}

fn labels(finding: &Finding) -> impl Iterator<Item = LabeledSpan> + '_ {
    finding.labels().into_iter().flatten()
}

fn event(finding: &Finding, sources: &SourceMap) -> event::Diagnostic {
    let mut places = labels(finding).filter_map(|label| place(&label, sources));
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
        message: finding.to_string(),
        line: at(|place| place.line),
        column: at(|place| place.column),
        end_line: at(|place| place.end_line),
        end_column: at(|place| place.end_column),
        file: first.map(|place| place.file),
        help: finding
            .help()
            .map(|help| help.to_string())
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
        f.write_str(&printable(&self.finding.to_string()))
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
        (!help.is_empty()).then(|| Box::new(printable(&help).into_owned()) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let shown = |label: LabeledSpan| {
            let text = label.label().map(|text| printable(text).into_owned());
            LabeledSpan::new(text, label.offset(), label.len())
        };
        Some(Box::new(self.finding.labels()?.map(shown)))
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
