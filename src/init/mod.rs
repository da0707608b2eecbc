//! First pipeline files for what lies in a folder: a listing and the texts of manifests in, texts
//! of files out. Pure: `cli` reads the folder and writes what comes out.
//!
//! Where something cannot be known, the file says in a comment what to look at. What a step reads
//! is told generously: a needless run costs seconds, a result that is out of date costs trust.

mod document;
mod files;
pub mod node;
mod rust;
mod shim;
mod starter;

pub use files::Files;
pub use shim::MAKEFILE;

use document::{Draft, Frame, Workspace, is_folder, render};

/// A file to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFile {
    /// Relative to the folder that was looked at.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What it is for, for people.
    pub kind: String,
}

/// What surrounds the folder.
#[derive(Clone, Debug)]
pub struct Around {
    /// The folder's name.
    pub name: String,
    /// From the workspace's root to the folder; `None` where the folder is the root itself.
    pub member: Option<String>,
}

/// How the files of this program's own folder are named from `depth` folders below the root.
fn schema(depth: usize) -> String {
    format!("{}.pipe/{SCHEMA_NAME}", "../".repeat(depth))
}

/// The schema's name in `.pipe`: beside what else `pipe` keeps in a workspace, so that an editor
/// finds the one of the program that is used here, without a network.
pub const SCHEMA_NAME: &str = "pipeline.schema.json";

/// The pipeline files for a folder.
pub fn pipelines(files: &Files, around: &Around) -> Vec<NewFile> {
    let draft = recognise(files).unwrap_or_else(starter::draft);
    let depth = around
        .member
        .as_ref()
        .map_or(0, |path| path.split('/').count());
    let ignore = draft.caches.iter().filter(|cache| is_folder(cache));
    let workspace = Workspace {
        members: Vec::new(),
        ignore: ignore
            .map(|cache| format!("//{}", cache.trim_end_matches('/')))
            .collect(),
    };
    let frame = Frame {
        schema: schema(depth),
        name: around.name.clone(),
        workspace: around.member.is_none().then_some(workspace),
        left_out: left_out(files, &draft),
    };
    vec![NewFile {
        path: "pipe.yaml".to_owned(),
        text: render(&draft, &frame),
        kind: draft.kind,
    }]
}

/// The first language that knows the folder.
fn recognise(files: &Files) -> Option<Draft> {
    let known: [fn(&Files) -> Option<Draft>; 1] = [rust::draft];
    known.iter().find_map(|draft| draft(files))
}

/// What lies in a folder for people and their tools alone.
fn left_out(files: &Files, draft: &Draft) -> Vec<String> {
    const FOLDERS: [&str; 3] = [".github/", ".idea/", ".vscode/"];
    let (own, folders) = (
        ["pipe.yaml", ".editorconfig", ".gitattributes"],
        files.folders(),
    );
    let names = own.iter().chain(&draft.left_out).copied();
    let names = names.filter(|name| *name == "pipe.yaml" || files.has(name));
    let folders = FOLDERS
        .into_iter()
        .filter(|name| folders.contains(&name.trim_end_matches('/')));
    names.chain(folders).map(str::to_owned).collect()
}
