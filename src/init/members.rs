//! Several workers and services in one repository: which folders they are, and what each is.

use std::collections::BTreeSet;

use super::document::Draft;
use super::files::Files;
use super::node::Packages;
use super::{go, language, node, recognise, rust};

/// Where members usually are.
const USUAL: [&str; 5] = ["workers", "services", "apps", "packages", "libs"];

/// A folder with a pipeline of its own.
pub(super) struct Member {
    /// Relative to the root.
    pub(super) folder: String,
    /// The pipeline's name.
    pub(super) name: String,
    pub(super) draft: Draft,
}

impl Member {
    /// How `workspace.members` names it: with its neighbours, where it is in one of the usual places.
    pub(super) fn pattern(&self) -> String {
        let usual = self
            .folder
            .split_once('/')
            .filter(|(above, _)| USUAL.contains(above));
        usual.map_or_else(|| self.folder.clone(), |(above, _)| format!("{above}/*"))
    }
}

/// The members below `files`, whose pipeline is called `root` and may install packages for all.
pub(super) fn find(files: &Files, root: &str, install: Option<String>) -> Vec<Member> {
    let folders = folders(files);
    let names = names(&folders, root);
    let packages =
        node::is_workspace(files).then(|| Packages::of(files, install, &folders, &names));
    let found = folders.iter().zip(&names).filter_map(|(folder, name)| {
        Some(Member {
            draft: draft(files, folder, name, packages.as_ref())?,
            folder: folder.clone(),
            name: name.clone(),
        })
    });
    found.collect()
}

/// Folders that may be members: those in the usual places; where there are none, and the root is
/// nothing itself, all folders directly in it.
fn folders(files: &Files) -> Vec<String> {
    let usual = |above: &&str| {
        let below = files.below(above);
        let folders = below.folders().into_iter();
        folders
            .map(|folder| format!("{above}/{folder}"))
            .collect::<Vec<_>>()
    };
    let mut folders: Vec<String> = USUAL.iter().flat_map(usual).collect();
    let is_known = |folder: &String| recognise(&files.below(folder)).is_some();
    if language(files).is_none() && !folders.iter().any(is_known) && !files.has("go.mod") {
        folders = files.folders().into_iter().map(str::to_owned).collect();
        folders.retain(is_known);
    }
    folders.retain(|folder| {
        folder
            .chars()
            .all(|c| c.is_alphanumeric() || "/_-.".contains(c))
    });
    folders
}

/// What a member is: nothing where the root's own file builds it.
fn draft(
    files: &Files,
    folder: &str,
    name: &str,
    packages: Option<&Packages<'_>>,
) -> Option<Draft> {
    let below = files.below(folder);
    if below.has("Cargo.toml") && rust::is_workspace(files) {
        return None;
    }
    match packages {
        Some(packages) if below.has("package.json") => packages.member(&below),
        _ => recognise(&below).or_else(|| go::member(&below, name, files)),
    }
}

/// A name for each: the folder's own, or its whole path where that is taken.
fn names(folders: &[String], root: &str) -> Vec<String> {
    let mut taken = BTreeSet::from([root.to_owned()]);
    let name = |folder: &String| {
        let short = plain_name(folder.rsplit('/').next().unwrap_or(folder));
        let name = if taken.contains(&short) {
            folder.clone()
        } else {
            short
        };
        taken.insert(name.clone());
        name
    };
    folders.iter().map(name).collect()
}

/// A folder's name as that of a pipeline: letters, digits and `_ - .`.
pub(super) fn plain_name(folder: &str) -> String {
    let fits = |c: char| {
        if c.is_alphanumeric() || "_-.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = folder.chars().map(fits).collect();
    let name = name.trim_start_matches(['-', '.']);
    if name.is_empty() {
        "root".to_owned()
    } else {
        name.to_owned()
    }
}
