//! Findings of all phases, drawn for people and told as events.

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode,
};

use super::options::Surroundings;
use crate::event;
use crate::load::Loaded;
use crate::source::{SourceMap, Span};

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

/// Findings as an event each, with the report drawn for people; equal ones once.
pub(super) fn events(
    findings: &[Finding],
    sources: &SourceMap,
    around: &Surroundings,
) -> Vec<event::Diagnostic> {
    let mut events: Vec<event::Diagnostic> = Vec::new();
    for finding in findings {
        let event = event(finding, sources, around);
        if !events.iter().any(|other| other.rendered == event.rendered) {
            events.push(event);
        }
    }
    events
}

fn event(finding: &Finding, sources: &SourceMap, around: &Surroundings) -> event::Diagnostic {
    let first = finding.labels().and_then(|mut labels| labels.next());
    let place = first
        .and_then(|label| sources.locate(Span::new(label.offset() as u32, label.offset() as u32)));
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
        file: place.as_ref().map(|place| place.path.display().to_string()),
        line: place.as_ref().map(|place| place.line),
        column: place.as_ref().map(|place| place.column),
        help: finding
            .help()
            .map(|help| help.to_string())
            .filter(|help| !help.is_empty()),
        rendered: Some(draw(finding, sources, around)),
    }
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

/// A finding together with the texts that its labels are in.
#[derive(Debug)]
struct Placed<'a> {
    finding: &'a (dyn Diagnostic + Send + Sync),
    sources: &'a SourceMap,
}

impl std::fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self.finding, f)
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
        self.finding
            .help()
            .filter(|help| !help.to_string().is_empty())
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.finding.labels()
    }
}
