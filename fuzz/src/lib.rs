//! What the targets share: a workspace of one file, read and linked as `pipe check` does it, with
//! facts that never change.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use miette::Diagnostic;
use pipe::expand::{EnvFile, Facts, Spent};
use pipe::graph::{Purpose, Request, Scope, every, link};
use pipe::model::{Place, Workspace, lower};
use pipe::parse::{Base, Inherited, read};
use pipe::path::RelPath;
use pipe::source::SourceMap;

pub mod naive;

/// Reads, expands and links `text` as the file `pipe.yaml`, under its first profiles. Whatever is
/// wrong with it is said of a place inside of it.
pub fn check(text: &str) {
    let mut sources = SourceMap::default();
    let Some(file) = sources.add(PathBuf::from("pipe.yaml"), text) else {
        return;
    };
    let (base, start) = (file.base() as usize, file.span(0..0));
    let parsed = read(&file).finish(Base::None, &mut Inherited::default(), &sources);
    let lowered = lower(&parsed.document, place(start), None);
    all_lie_in(&parsed.errors, base, text);
    all_lie_in(&lowered.errors, base, text);
    let mut workspace = Workspace::default();
    workspace.settings = lowered.settings.unwrap_or_default();
    let name = lowered.pipeline.name.value.clone();
    workspace.pipelines.insert(name, lowered.pipeline);
    let facts = facts();
    let profiles = workspace.profiles();
    for profile in std::iter::once(None).chain(profiles.into_iter().take(3).map(Some)) {
        let request = Request {
            references: Vec::new(),
            scope: Scope::Workspace,
            profile,
            matrix: Vec::new(),
        };
        let wanted = every(&workspace, &request).unwrap_or_default();
        let linked = link(&workspace, &facts, &wanted, Purpose::Survey);
        all_lie_in(&linked.errors, base, text);
        all_lie_in(&linked.expand, base, text);
        if linked.errors.is_empty() && linked.expand.is_empty() {
            let _ = pipe::plan::build(linked.graph, Vec::new(), &[]);
        }
    }
}

fn place(start: pipe::source::Span) -> Place {
    Place {
        file: RelPath::resolve(&RelPath::root(), b"pipe.yaml").unwrap_or_default(),
        name: "ws".to_owned(),
        dir: RelPath::root(),
        member: None,
        start,
        own: None,
        is_root: true,
    }
}

/// Whether every label covers whole characters of `text`, which begins at `base`.
fn all_lie_in<E: Diagnostic>(errors: &[E], base: usize, text: &str) {
    for label in errors.iter().filter_map(Diagnostic::labels).flatten() {
        let start = label.offset().checked_sub(base);
        let covered = start.and_then(|start| text.get(start..start + label.len()));
        assert!(covered.is_some(), "{label:?} of {text:?}");
    }
}

/// `text` as a YAML value in double quotes.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted + "\""
}

fn facts() -> Facts {
    Facts {
        root: PathBuf::from("/ws"),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        cpus: 2,
        env: BTreeMap::from([("CALLER".to_owned(), "it's me".to_owned())]),
        asked: Mutex::default(),
        assignments: BTreeMap::new(),
        git: Box::new(BTreeMap::new),
        made: OnceLock::new(),
        spent: Spent::default(),
        env_file: Box::new(|_| Arc::new(EnvFile::Missing)),
        files: Box::new(|_| {
            let file = |name: &[u8]| RelPath::resolve(&RelPath::root(), name);
            [file(b"src/a.c"), file(b"src/b c.c")]
                .into_iter()
                .flatten()
                .collect()
        }),
    }
}
