//! What detection may see of a folder: the paths below it, and the texts of manifests.

use std::collections::BTreeMap;

/// Names whose text says something about how to build.
const READ: [&str; 13] = [
    "CMakeLists.txt",
    "Cargo.toml",
    "GNUmakefile",
    "Makefile",
    "makefile",
    "go.mod",
    "package.json",
    "pnpm-workspace.yaml",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "tsconfig.json",
    ".yarnrc.yml",
];

/// Stems of configuration files of web frameworks, whatever language they are in.
const CONFIGS: [&str; 4] = [
    "astro.config.",
    "next.config.",
    "svelte.config.",
    "vite.config.",
];

/// Paths relative to a folder, with the texts of those that [`Files::reads`] names.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, Option<String>>);

impl Files {
    /// Whether the text of this file matters; of all others the path is enough.
    pub fn reads(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_config = CONFIGS.iter().any(|stem| name.starts_with(stem));
        is_config || READ.contains(&name) || name.ends_with(".go")
    }

    /// Adds a file.
    pub fn add(&mut self, path: impl Into<String>, text: Option<String>) {
        self.0.insert(path.into(), text);
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a file of this path.
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The text of a file, where it was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path)?.as_deref()
    }

    /// All paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The files of one folder and below, relative to it; the empty text is the folder itself.
    pub fn below(&self, folder: &str) -> Self {
        if folder.is_empty() {
            return self.clone();
        }
        let below = self.0.iter().filter_map(|(path, text)| {
            let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((rest.to_owned(), text.clone()))
        });
        Self(below.collect())
    }

    /// All but what is in these folders.
    pub(super) fn without<'a>(&self, folders: impl Iterator<Item = &'a str> + Clone) -> Self {
        let is_in = |path: &str, folder: &str| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let rest = self
            .0
            .iter()
            .filter(|(path, _)| !folders.clone().any(|folder| is_in(path, folder)));
        Self(
            rest.map(|(path, text)| (path.clone(), text.clone()))
                .collect(),
        )
    }

    /// The folders directly in this one, sorted.
    pub fn folders(&self) -> Vec<&str> {
        let mut folders: Vec<&str> = self
            .paths()
            .filter_map(|path| path.split_once('/').map(|(folder, _)| folder))
            .collect();
        folders.dedup();
        folders
    }
}
