//! Where no pipeline file is on the way up: the build sections of other systems.
//!
//! Finds and reads their files; what they mean is `dialect`'s.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::discover::{Document, Loader, read_regular};
use super::{LoadError, Loaded};
use crate::dialect::{self, App, Dialect, DialectError, Worker, go_sources};
use crate::glob::{Ignore, Pattern, Want, list};
use crate::init::Files;
use crate::model::Place;
use crate::parse::{AppDoc, Foreign, PipelineDoc, ServerDoc, WorkerDoc};
use crate::path::{RelPath, to_text};
use crate::source::{SourceFile, Span};

/// What all workers of a TQServer have in common.
const SERVER: &str = "config/server.yaml";
/// What one worker says, below its folder. The first that has a build section counts.
const WORKER: [&str; 2] = ["config.yaml", "config/worker.yaml"];
/// What a Go build of a worker may read.
const GO_FILES: &str = "**/{*.go,go.mod,go.sum,go.work,go.work.sum}";

/// The nearest folder going up that another system knows how to build.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| dialect_of(folder).is_some())
        .map(Path::to_path_buf)
}

/// Whose build sections are in a folder.
pub(super) fn dialect_of(folder: &Path) -> Option<Dialect> {
    let known = [Dialect::TqServer, Dialect::App];
    known.into_iter().find(|dialect| is_root(folder, *dialect))
}

/// What another system says about the folders around `folder`, to be written as pipeline files.
#[derive(Debug)]
pub struct Imported {
    /// The folder of the system's root.
    pub root: PathBuf,
    /// Folders below it, and what would be their `pipe.yaml`.
    pub documents: Vec<(RelPath, PipelineDoc)>,
    /// The workspace as it is without them, with all that is wrong.
    pub loaded: Loaded,
}

/// Reads what another system says, also where there are pipeline files; `None` where it says
/// nothing.
pub fn import(folder: &Path, dialect: Dialect) -> Option<Imported> {
    let root = folder.ancestors().find(|folder| is_root(folder, dialect))?;
    let mut loader = Loader::new(root);
    loader.foreign(dialect);
    let documents = loader.documents.iter();
    let documents = documents.map(|read| (read.place.dir.clone(), read.document.clone()));
    Some(Imported {
        root: root.to_path_buf(),
        documents: documents.collect(),
        loaded: loader.finish(),
    })
}

fn is_root(folder: &Path, dialect: Dialect) -> bool {
    match dialect {
        Dialect::TqServer => is_server(folder),
        Dialect::App => is_app(folder),
    }
}

fn is_server(folder: &Path) -> bool {
    let is_worker = |worker: PathBuf| WORKER.iter().any(|file| worker.join(file).is_file());
    let Ok(mut workers) = std::fs::read_dir(folder.join("workers")) else {
        return false;
    };
    folder.join(SERVER).is_file()
        || workers.any(|entry| entry.is_ok_and(|entry| is_worker(entry.path())))
}

/// Whether an `app.json` is about building: others have such files too. It is if it has a build
/// section, or stands beside a package with a script of that name. A broken one that may have such a
/// section counts, so that its fault is told.
fn is_app(folder: &Path) -> bool {
    let read = |name: &str| read_regular(&folder.join(name)).ok();
    let Some(app) = read("app.json") else {
        return false;
    };
    let has_script = || {
        let package = read("package.json")?;
        let package: Value = serde_json::from_slice(&package).ok()?;
        package["scripts"]["build"].as_str().map(str::to_owned)
    };
    match serde_json::from_slice::<Value>(&app) {
        Ok(app) => app.get("build").is_some() || has_script().is_some(),
        Err(_) => String::from_utf8_lossy(&app).contains("\"build\""),
    }
}

fn not_json(source: &SourceFile, error: &serde_json::Error) -> DialectError {
    let lines = source.text().split_inclusive('\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let at = (before + error.column().saturating_sub(1)).min(source.text().len());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    DialectError::Json {
        what: what.to_owned(),
        span: source.span(at..at),
    }
}

impl Loader {
    /// Reads what the other system's files say.
    pub(super) fn foreign(&mut self, dialect: Dialect) {
        // Too much is looked at to be listed.
        self.loaded.looked_at = None;
        match dialect {
            Dialect::TqServer => self.tqserver(),
            Dialect::App => self.app(),
        }
    }

    fn tqserver(&mut self) {
        let server_file = RelPath::root().join(SERVER.as_bytes());
        let server = self.read_as::<ServerDoc>(&server_file);
        let workers = self.workers();
        let go_files = Pattern::parse(&RelPath::root(), GO_FILES).into_iter();
        let go_files = list(
            &self.root,
            &go_files.collect::<Vec<_>>(),
            &Ignore::default(),
            Want::Files,
        );
        let go_files = self.listed(go_files);
        let (server, place) = server.unwrap_or_default();
        let name = self.root_name();
        let is_taken = workers.iter().any(|dir| dir.file_name() == name.as_bytes());
        let name = is_taken.then(|| format!("{name}-server"));
        let document = dialect::server(&server, place, name);
        self.add_document(document, server_file, None, place);
        for dir in &workers {
            self.worker(dir, &server, go_sources(dir, &go_files, &workers));
        }
    }

    /// The folders of workers, sorted.
    fn workers(&mut self) -> Vec<RelPath> {
        let pattern = Pattern::parse(&RelPath::root(), "workers/*").into_iter();
        let folders = list(
            &self.root,
            &pattern.collect::<Vec<_>>(),
            &Ignore::default(),
            Want::FilesAndFolders,
        );
        let mut folders = self.listed(folders);
        folders.retain(|folder| folder.under(&self.root).is_dir());
        folders
    }

    fn worker(&mut self, dir: &RelPath, server: &ServerDoc, go_sources: Option<Vec<String>>) {
        let files = WORKER.map(|file| dir.join(file.as_bytes()));
        let mut read: Vec<(RelPath, WorkerDoc, Span)> = Vec::new();
        for file in files {
            let found = self.read_as::<WorkerDoc>(&file);
            read.extend(found.map(|(doc, place)| (file, doc, place)));
        }
        let with_build: Vec<&RelPath> = read
            .iter()
            .filter(|(_, doc, _)| doc.build.is_some())
            .map(|(file, ..)| file)
            .collect();
        if let [first, second] = with_build[..] {
            let (first, second) = (first.to_string(), second.to_string());
            self.loaded
                .load
                .push(LoadError::TwoSpellings { first, second });
        }
        read.sort_by_key(|(_, doc, _)| doc.build.is_none());
        let Some((file, doc, place)) = read.into_iter().next() else {
            return;
        };
        let worker = Worker {
            dir,
            doc: &doc,
            place,
            go_sources: go_sources.as_deref(),
        };
        let root = self.root.clone();
        let is_file = |path: &RelPath| path.under(&root).is_file();
        let document = dialect::worker(worker, server, is_file, &mut self.loaded.dialect);
        if let Some(document) = document {
            self.add_document(document, file, Some(dir.clone()), place);
        }
    }

    fn app(&mut self) {
        let file = RelPath::root().join(b"app.json");
        let Some(source) = self.source_or_say(&file) else {
            return;
        };
        // YAML would take more than JSON, and answer a slip with advice on YAML.
        if let Err(error) = serde_json::from_str::<Value>(source.text()) {
            self.loaded.dialect.push(not_json(&source, &error));
            return;
        }
        let Some((doc, place)) = self.read_as::<AppDoc>(&file) else {
            return;
        };
        let mut files = Files::default();
        let entries = std::fs::read_dir(&self.root).into_iter().flatten();
        for name in entries.flatten().map(|entry| entry.file_name()) {
            let Some(name) = name.to_str() else { continue };
            let bytes = Files::reads(name).then(|| read_regular(&self.root.join(name)).ok());
            files.add(
                name,
                bytes
                    .flatten()
                    .and_then(|bytes| String::from_utf8(bytes).ok()),
            );
        }
        let gitignore = read_regular(&self.root.join(".gitignore")).unwrap_or_default();
        let app = App {
            doc: &doc,
            files: &files,
            gitignore: &String::from_utf8_lossy(&gitignore),
        };
        self.add_document(dialect::app(app, place), file, None, place);
    }

    /// What can be read of a file, and its start; `None` where there is none.
    fn read_as<D: Foreign>(&mut self, file: &RelPath) -> Option<(D, Span)> {
        if !file.under(&self.root).is_file() {
            return None;
        }
        let source = self.source_or_say(file)?;
        let (doc, errors) = D::parse(&source, &self.loaded.sources);
        self.complain(errors);
        Some((doc, source.span(0..0)))
    }

    fn add_document(
        &mut self,
        document: PipelineDoc,
        file: RelPath,
        member: Option<RelPath>,
        start: Span,
    ) {
        let name = match &member {
            Some(dir) => to_text(dir.file_name()),
            None => self.root_name(),
        };
        let place = Place {
            file,
            name,
            dir: member.clone().unwrap_or_default(),
            is_root: member.is_none(),
            member,
            start,
            own: None,
        };
        self.documents.push(Document {
            document,
            place,
            lacks_base: false,
        });
    }
}
