//! `pipe graph`: the graph as text.

use super::args::{GraphArgs, GraphFormat};
use super::exit::Exit;
use super::options::Surroundings;
use super::output;
use super::session::{Session, tell};
use crate::graph::{Format, Purpose, export};

pub(super) fn graph(around: &Surroundings, args: &GraphArgs) -> Exit {
    let mut session = match Session::survey(around) {
        Ok(session) => session,
        Err(exit) => return exit,
    };
    let purpose = match args.selection.words.is_empty() && args.selection.profile.is_none() {
        true => Purpose::Survey,
        false => Purpose::Run { args: false },
    };
    let graph = session.graph(&args.selection, purpose);
    let findings = std::mem::take(&mut session.findings);
    tell(&session.events(&findings));
    output::out(&export(
        &graph,
        match args.format {
            GraphFormat::Tree => Format::Tree,
            GraphFormat::Dot => Format::Dot,
            GraphFormat::Mermaid => Format::Mermaid,
            GraphFormat::Json => Format::Json,
        },
    ));
    if findings.iter().any(super::diagnose::is_error) {
        Exit::Invalid
    } else {
        Exit::Good
    }
}
