//! What expressions may ask of the world: the host, git, the file system.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use super::EnvFiles;
use crate::expand::{Facts, Spent};
use crate::glob::{Ignore, Want, list};
use crate::model::Settings;
use crate::sys;

/// What expressions may ask of the world. Git and the file system are asked only when one does.
pub fn facts(
    root: &Path,
    settings: &Settings,
    env: &sys::env::Environment,
    assignments: BTreeMap<String, String>,
    env_files: Arc<EnvFiles>,
) -> Facts {
    let ignore = Ignore::new(&settings.ignore).unwrap_or_default();
    let (git_root, files_root) = (root.to_path_buf(), root.to_path_buf());
    let git = OnceLock::new();
    let text = |text: &std::ffi::OsStr| text.to_str().map(str::to_owned);
    Facts {
        root: root.to_path_buf(),
        os: sys::host::os().to_owned(),
        arch: sys::host::arch().to_owned(),
        cpus: sys::host::cpus(),
        env: env
            .iter()
            .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
            .collect(),
        asked: Mutex::default(),
        assignments,
        made: OnceLock::new(),
        env_file: Box::new(move |path| env_files.read(path)),
        spent: Spent::default(),
        git: Box::new(move || git.get_or_init(|| git_facts(&git_root)).clone()),
        files: Box::new(move |pattern| {
            list(
                &files_root,
                std::slice::from_ref(pattern),
                &ignore,
                Want::Files,
            )
            .unwrap_or_default()
        }),
    }
}

/// `git.*`.
fn git_facts(root: &Path) -> BTreeMap<String, String> {
    let git = sys::git::Git::new(root);
    let dirty = git
        .dirty()
        .map_or_else(|| sys::git::UNKNOWN.to_owned(), |dirty| dirty.to_string());
    BTreeMap::from([
        ("commit".to_owned(), git.commit().to_owned()),
        ("short".to_owned(), git.short().to_owned()),
        ("branch".to_owned(), git.branch().to_owned()),
        ("tag".to_owned(), git.tag().to_owned()),
        ("dirty".to_owned(), dirty),
    ])
}

/// `stamp.*`, as of now. `epoch` is `SOURCE_DATE_EPOCH`, where the caller sets it.
pub fn stamps(root: &Path, epoch: Option<&str>) -> BTreeMap<String, String> {
    let git = sys::git::Git::new(root);
    let seconds = epoch
        .and_then(|epoch| epoch.parse().ok())
        .map(std::time::Duration::from_secs);
    let time = seconds.map_or_else(sys::clock::wall, |seconds| {
        std::time::SystemTime::UNIX_EPOCH + seconds
    });
    BTreeMap::from([
        ("commit".to_owned(), git.commit().to_owned()),
        ("short".to_owned(), git.short().to_owned()),
        ("branch".to_owned(), git.branch().to_owned()),
        ("tag".to_owned(), git.tag().to_owned()),
        ("version".to_owned(), git.describe().to_owned()),
        ("time".to_owned(), sys::clock::rfc3339(time)),
    ])
}
