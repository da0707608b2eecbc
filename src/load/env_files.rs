//! Dotenv files, read when an instance asks for one, each once.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::expand::EnvFile;
use crate::parse::dotenv;
use crate::path::RelPath;
use crate::source::SourceMap;

/// A dotenv file larger than this is none.
const LARGEST: u64 = 1 << 20;

/// The dotenv files of a workspace, as far as they were asked for.
#[derive(Debug)]
pub struct EnvFiles {
    root: PathBuf,
    /// Whether commands are going to see what they say.
    matter: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: HashMap<RelPath, Arc<EnvFile>>,
    /// Texts and paths that [`EnvFiles::hand_over`] has not given away yet.
    sources: SourceMap,
    looked_at: Vec<PathBuf>,
}

impl EnvFiles {
    /// None so far; their places will be behind those of `sources`. Where they do not `matter`, since
    /// no command is going to run, one that is missing or broken may say anything.
    pub fn new(root: &Path, sources: &SourceMap, matter: bool) -> Self {
        Self {
            root: root.to_path_buf(),
            matter,
            inner: Mutex::new(Inner {
                files: HashMap::new(),
                sources: sources.continued(),
                looked_at: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is at `path`.
    pub fn read(&self, path: &RelPath) -> Arc<EnvFile> {
        let mut inner = self.lock();
        if let Some(known) = inner.files.get(path) {
            return Arc::clone(known);
        }
        let file = path.under(&self.root);
        let found = match text(&file) {
            Ok(text) => inner.add(path, text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => EnvFile::Missing,
            Err(error) => EnvFile::Unreadable(error.to_string()),
        };
        let found = Arc::new(match self.matter || is_good(&found) {
            true => found,
            false => EnvFile::Unknown,
        });
        inner.looked_at.push(file);
        inner.files.insert(path.clone(), Arc::clone(&found));
        found
    }

    /// Gives away the texts, for reports, and the paths that were looked at since the last time.
    pub fn hand_over(&self, sources: &mut SourceMap) -> Vec<PathBuf> {
        let mut inner = self.lock();
        sources.take_in(&mut inner.sources);
        std::mem::take(&mut inner.looked_at)
    }
}

impl Inner {
    fn add(&mut self, path: &RelPath, text: String) -> EnvFile {
        match self.sources.add(PathBuf::from(path.to_string()), text) {
            Some(file) => EnvFile::Read {
                dotenv: dotenv(file.text()),
                span: file.span(0..file.text().len()),
            },
            None => EnvFile::Unreadable("there is too much text in the workspace".to_owned()),
        }
    }
}

fn is_good(file: &EnvFile) -> bool {
    match file {
        EnvFile::Read { dotenv, .. } => dotenv.faults.is_empty(),
        EnvFile::Missing | EnvFile::Unreadable(_) | EnvFile::Unknown => false,
    }
}

/// The text of a regular file; anything else is refused before a byte of it is read.
fn text(path: &Path) -> io::Result<String> {
    let facts = std::fs::metadata(path)?;
    if !facts.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if facts.len() > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LARGEST).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}
