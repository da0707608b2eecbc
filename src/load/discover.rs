//! From a root to all its pipeline files, read and put together. Nothing stops at the first mistake.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::map::Entry;

use super::root::has_pipelines;
use super::templates::{Found, Id, Templates};
use super::{ENDINGS, LoadError, Loaded, foreign, root};
use crate::glob::{GlobError, Ignore, Pattern, Want, list};
use crate::model::{Lowered, ModelError, Place, lower};
use crate::parse::{self, ParseError, PipelineDoc, Text};
use crate::path::{RelPath, to_text};
use crate::source::SourceFile;

/// Where members are looked for when `workspace.members` does not say.
const MEMBERS: [&str; 5] = ["workers/*", "services/*", "apps/*", "packages/*", "libs/*"];
/// A pipeline file larger than this is no pipeline file.
const LARGEST: u64 = 64 << 20;

/// Reads the workspace at `root`. Nothing stops at the first mistake.
pub fn load(root: &Path) -> Loaded {
    let mut loader = Loader::new(root);
    let dialect = (!root::has_own(root)).then(|| foreign::dialect_of(root));
    match dialect.flatten() {
        Some(dialect) => loader.foreign(dialect),
        None => {
            let file = loader.spelling(&RelPath::root(), b"pipe");
            loader.own(file);
        }
    }
    loader.finish()
}

/// Reads the workspace at `root` whose root file is `file`, whatever its name.
pub fn load_file(root: &Path, file: &Path) -> Loaded {
    let mut loader = Loader::new(root);
    loader.own(RelPath::below(root, file));
    loader.finish()
}

/// A file that was read, and what its place says.
pub(super) struct Document {
    pub(super) document: PipelineDoc,
    pub(super) place: Place,
    /// What it extends could not be read.
    pub(super) lacks_base: bool,
}

#[derive(Default)]
pub(super) struct Loader {
    pub(super) root: PathBuf,
    pub(super) loaded: Loaded,
    pub(super) templates: Templates,
    pub(super) documents: Vec<Document>,
    /// Files in the source map.
    files: HashMap<RelPath, Arc<SourceFile>>,
    /// What was said already: a mistake in a template is one, however many extend it.
    said: (HashSet<ParseError>, HashSet<ModelError>),
}

impl Loader {
    pub(super) fn new(root: &Path) -> Self {
        let mut loader = Self {
            root: root.to_path_buf(),
            ..Self::default()
        };
        loader.loaded.workspace.root = root.to_path_buf();
        loader.loaded.looked_at = Some(Vec::new());
        loader
    }

    /// The workspace that the files make.
    pub(super) fn finish(mut self) -> Loaded {
        self.lower_all();
        if !self.loaded.load.is_empty() {
            self.loaded.doubts.everywhere();
        }
        self.loaded
    }

    pub(super) fn root_name(&self) -> String {
        self.root
            .file_name()
            .map_or_else(|| "root".into(), |name| name.to_string_lossy().into_owned())
    }

    /// All pipelines in files of `pipe`'s own, with the root's own in `root_file`.
    fn own(&mut self, root_file: Option<RelPath>) {
        if let Some(file) = root_file {
            self.read(file, self.root_name(), RelPath::root(), None);
        }
        self.pipelines_folder();
        self.members();
        self.check_templates();
    }

    pub(super) fn look_at(&mut self, path: PathBuf) {
        if let Some(paths) = &mut self.loaded.looked_at {
            paths.push(path);
        }
    }

    fn pipelines_folder(&mut self) {
        let folder = RelPath::root().join(b"pipelines");
        self.look_at(folder.under(&self.root));
        let entries = std::fs::read_dir(folder.under(&self.root));
        let stem = |entry: std::fs::DirEntry| {
            let path = entry.path();
            let ending = path.extension()?;
            let known = ENDINGS.iter().any(|known| ending == *known);
            known.then(|| {
                path.file_stem()
                    .map(|stem| stem.as_encoded_bytes().to_vec())
            })?
        };
        let stems: BTreeSet<Vec<u8>> = (entries.into_iter().flatten().flatten())
            .filter_map(stem)
            .collect();
        for stem in stems {
            let Some(file) = self.spelling(&folder, &stem) else {
                continue;
            };
            if stem.starts_with(b"_") {
                self.templates.add_file(file);
            } else {
                self.read(file, to_text(&stem), RelPath::root(), None);
            }
        }
    }

    fn members(&mut self) {
        let ignore = self.ignore();
        let (patterns, left_out) = self.member_patterns();
        self.loaded.left_out = left_out;
        let mut seen = HashSet::new();
        for pattern in patterns {
            self.look_at(pattern.prefix().under(&self.root));
            let rest = pattern.text().strip_prefix(&pattern.prefix().to_string());
            if rest.is_some_and(|rest| rest.trim_start_matches('/').contains('/')) {
                self.loaded.looked_at = None; // more folders than its first
            }
            let folders = list(
                &self.root,
                std::slice::from_ref(&pattern),
                &ignore,
                Want::FilesAndFolders,
            );
            for folder in self.listed(folders) {
                if self
                    .loaded
                    .left_out
                    .iter()
                    .any(|pattern| pattern.matches(&folder))
                {
                    continue;
                }
                if !seen.insert(folder.clone()) {
                    continue;
                }
                if let Some(file) = self.spelling(&folder, b"pipe") {
                    self.refuse_root(&folder);
                    let name = to_text(folder.file_name());
                    self.read(file, name, folder.clone(), Some(folder));
                }
            }
        }
    }

    /// Whoever stands in a member with pipelines of its own is in another workspace.
    fn refuse_root(&mut self, member: &RelPath) {
        let folder = member.under(&self.root);
        self.look_at(folder.join("pipelines"));
        if has_pipelines(&folder) {
            let folder = member.to_string();
            self.loaded.load.push(LoadError::NestedRoot { folder });
        }
    }

    pub(super) fn listed(
        &mut self,
        result: Result<Vec<RelPath>, crate::glob::WalkError>,
    ) -> Vec<RelPath> {
        result.unwrap_or_else(|error| {
            let path = error.path.display().to_string();
            self.loaded.load.push(LoadError::Unreadable {
                path,
                reason: error.source.to_string(),
            });
            Vec::new()
        })
    }

    /// Where members are, and, with a leading `!`, where none are.
    fn member_patterns(&mut self) -> (Vec<Pattern>, Vec<Pattern>) {
        let written = self.documents.first().and_then(|read| {
            let workspace = read.document.workspace.as_ref()?;
            workspace
                .value
                .members
                .as_ref()
                .map(|members| members.value.0.clone())
        });
        let Some(written) = written else {
            let built_in = MEMBERS
                .iter()
                .filter_map(|text| Pattern::parse(&RelPath::root(), text).ok());
            return (built_in.collect(), Vec::new());
        };
        let (mut patterns, mut left_out) = (Vec::new(), Vec::new());
        for text in written {
            let (kind, pattern) = match text.text.strip_prefix('!') {
                Some(pattern) => (&mut left_out, pattern),
                None => (&mut patterns, text.text.as_str()),
            };
            match Pattern::parse(&RelPath::root(), pattern) {
                Ok(pattern) => kind.push(pattern),
                Err(error) => {
                    let error = bad_pattern(&text, &error);
                    self.loaded.load.push(error);
                }
            }
        }
        (patterns, left_out)
    }

    fn ignore(&mut self) -> Ignore {
        let written = self.documents.first().and_then(|read| {
            let workspace = read.document.workspace.as_ref()?;
            workspace
                .value
                .ignore
                .as_ref()
                .map(|ignore| ignore.value.0.clone())
        });
        let mut kept: Vec<String> = Vec::new();
        for text in written.unwrap_or_default() {
            match Ignore::new(&[&text.text]) {
                Ok(_) => kept.push(text.text),
                Err(error) => {
                    let error = bad_pattern(&text, &error);
                    self.loaded.load.push(error);
                }
            }
        }
        Ignore::new(&kept).unwrap_or_default()
    }

    /// The file `stem.yaml` or `stem.yml`; both are a mistake.
    fn spelling(&mut self, folder: &RelPath, stem: &[u8]) -> Option<RelPath> {
        let names = ENDINGS.map(|ending| folder.join(&[stem, b".", ending.as_bytes()].concat()));
        for path in &names {
            self.look_at(path.under(&self.root));
        }
        let mut there = names
            .into_iter()
            .filter(|path| path.under(&self.root).symlink_metadata().is_ok());
        let first = there.next()?;
        if let Some(second) = there.next() {
            let (first, second) = (first.to_string(), second.to_string());
            self.loaded
                .load
                .push(LoadError::TwoSpellings { first, second });
        }
        Some(first)
    }

    fn read(&mut self, file: RelPath, name: String, dir: RelPath, member: Option<RelPath>) {
        let Some(source) = self.source_or_say(&file) else {
            return;
        };
        let is_root = file.parent().is_some_and(|folder| folder.is_root());
        let read = parse::read(&source);
        if is_root {
            self.templates.add_named(read.templates());
            self.templates.incomplete = read.loses_names();
        }
        let loses_names = read.loses_names();
        let extends = read.extends();
        let whole = source.span(0..source.text().len());
        let own = extends.as_ref().map(|_| whole);
        let base = self.base_of(Id::File(file.clone()), extends);
        let inherited = &mut self.templates.inherited;
        let parsed = read.finish(base.as_base(), inherited, &self.loaded.sources);
        let lacks_base = matches!(base, Found::Unknown);
        if loses_names || lacks_base || !parsed.whole && parsed.document.steps.is_none() {
            match is_root && loses_names || own.is_some() {
                // Its variables are for all; a template's mistakes may only be this file's.
                true => self.loaded.doubts.everywhere(),
                false => self.loaded.doubts.of_file(whole),
            }
        }
        self.complain(parsed.errors);
        let place = Place {
            file,
            name,
            dir,
            member,
            start: source.span(0..0),
            own,
            is_root,
        };
        self.documents.push(Document {
            document: parsed.document,
            place,
            lacks_base,
        });
    }

    /// The file in the source map; `None` after an error, which is told.
    pub(super) fn source_or_say(&mut self, file: &RelPath) -> Option<Arc<SourceFile>> {
        self.source(file).unwrap_or_else(|reason| {
            let path = file.to_string();
            self.loaded
                .load
                .push(LoadError::Unreadable { path, reason });
            None
        })
    }

    /// Records errors that are new.
    pub(super) fn complain(&mut self, errors: Vec<ParseError>) {
        let new = errors
            .into_iter()
            .filter(|error| self.said.0.insert(error.clone()));
        self.loaded.parse.extend(new);
    }

    /// The file in the source map, or the reason why it cannot be read; `None` after an error that
    /// has a place in it.
    pub(super) fn source(&mut self, file: &RelPath) -> Result<Option<Arc<SourceFile>>, String> {
        if let Some(source) = self.files.get(file) {
            return Ok(Some(Arc::clone(source)));
        }
        let bytes = read_regular(&file.under(&self.root)).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), at)
        });
        let wrong_at = text.as_ref().err().map(|(_, at)| *at);
        let text = text.unwrap_or_else(|(lossy, _)| lossy);
        let source = self
            .loaded
            .sources
            .add(PathBuf::from(file.to_string()), text)
            .ok_or("all pipeline files together are larger than 4 GiB")?;
        if let Some(at) = wrong_at {
            let span = source.span(at..at + '\u{fffd}'.len_utf8());
            self.loaded.load.push(LoadError::NotUtf8 { span });
            return Ok(None);
        }
        self.files.insert(file.clone(), Arc::clone(&source));
        Ok(Some(source))
    }

    fn lower_all(&mut self) {
        let documents = std::mem::take(&mut self.documents);
        let root = documents.iter().find(|read| read.place.is_root);
        let workspace = root.and_then(|read| read.document.workspace.as_ref());
        let defaults = workspace
            .and_then(|workspace| workspace.value.defaults.as_ref())
            .map(|d| d.value.clone());
        for read in documents {
            self.loaded.files.insert(read.place.file.clone());
            let mut lowered = lower(&read.document, read.place, defaults.as_ref());
            if read.lacks_base {
                // The profile, or the `run` of a step, may be in what it extends.
                lowered.errors.retain(|error| {
                    !matches!(
                        error,
                        ModelError::UnknownProfile { .. } | ModelError::BadStep { .. }
                    )
                });
            }
            self.add(lowered);
        }
    }

    fn add(&mut self, lowered: Lowered) {
        let new = lowered
            .errors
            .into_iter()
            .filter(|error| self.said.1.insert(error.clone()));
        self.loaded.model.extend(new);
        if let Some(settings) = lowered.settings {
            self.loaded.workspace.settings = settings;
        }
        let pipeline = lowered.pipeline;
        match self
            .loaded
            .workspace
            .pipelines
            .entry(pipeline.name.value.clone())
        {
            Entry::Vacant(place) => {
                place.insert(pipeline);
            }
            Entry::Occupied(other) => self.loaded.model.push(ModelError::DuplicatePipeline {
                name: pipeline.name.value,
                first: other.get().name.span,
                second: pipeline.name.span,
            }),
        }
    }
}

/// Reads a regular file; anything else is refused before a byte of it is read.
pub(super) fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    if meta.len() > LARGEST {
        return Err(std::io::Error::other("it is larger than 64 MiB"));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    std::fs::File::open(path)?
        .take(LARGEST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A pattern of the workspace that cannot be read.
fn bad_pattern(text: &Text, error: &GlobError) -> LoadError {
    LoadError::BadPattern {
        message: format!("`{}`: {}", text.text, error.message),
        span: text.span,
        help: error.help.clone(),
    }
}
