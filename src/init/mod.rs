//! First pipeline files for what lies in a folder: a listing and the texts of manifests in, texts
//! of files out. Pure: `cli` reads the folder and writes what comes out.
//!
//! Where something cannot be known, the file says in a comment what to look at. What a step reads
//! is told generously: a needless run costs seconds, a result that is out of date costs trust.

mod cmake;
mod document;
mod files;
mod go;
mod make;
mod members;
pub mod node;
mod python;
mod rust;
mod shim;
mod starter;

pub use files::Files;
pub use shim::MAKEFILE;

use document::{Draft, Frame, Workspace, is_folder, render};
use members::Member;

/// A file to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFile {
    /// Relative to the workspace's root.
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
    /// The root's pipeline file, where there is one already.
    pub root_file: Option<RootFile>,
}

/// What a root's pipeline file has, which is not ours to change.
#[derive(Clone, Debug, Default)]
pub struct RootFile {
    /// The pipeline's name.
    pub name: String,
    /// Its steps.
    pub steps: Vec<String>,
}

impl Around {
    /// What references to the root's pipeline begin with.
    fn root_name(&self) -> String {
        let there = self.root_file.as_ref().map(|file| file.name.clone());
        there.unwrap_or_else(|| members::plain_name(&self.name))
    }

    /// The root's step that installs for all, if it has or will have one.
    fn install(&self) -> Option<String> {
        let has_install = |file: &RootFile| file.steps.iter().any(|step| step == node::INSTALL);
        let is_there = self.root_file.as_ref().is_none_or(has_install);
        is_there.then(|| format!("{}:{}", self.root_name(), node::INSTALL))
    }
}

/// The schema's name in `.pipe`: beside what else `pipe` keeps in a workspace, so that an editor
/// finds the one of the program that is used here, without a network.
pub const SCHEMA_NAME: &str = "pipeline.schema.json";

/// The pipeline files for a folder: its own, and those of the workers and services below it.
/// `files` are those of the workspace's root.
pub fn pipelines(files: &Files, around: &Around) -> Vec<NewFile> {
    let members = members::find(files, &around.root_name(), around.install());
    let Some(folder) = &around.member else {
        let of_members = members.iter().map(|member| file(files, around, member));
        return std::iter::once(root_file(files, around, &members))
            .chain(of_members)
            .collect();
    };
    let known = members.into_iter().find(|member| member.folder == *folder);
    let member = known.unwrap_or_else(|| Member {
        folder: folder.clone(),
        name: members::plain_name(&around.name),
        draft: recognise(&files.below(folder)).unwrap_or_else(starter::draft),
    });
    vec![file(files, around, &member)]
}

/// The root's own file.
fn root_file(files: &Files, around: &Around, members: &[Member]) -> NewFile {
    let rest = files.without(members.iter().map(|member| member.folder.as_str()));
    let draft = match members {
        [] => recognise(files).unwrap_or_else(starter::draft),
        members => root(files, &rest, members),
    };
    let mut frame = Frame::of(around.root_name(), &rest, &draft);
    frame
        .left_out
        .extend(members.iter().map(|member| format!("{}/", member.folder)));
    frame.workspace = Some(workspace(&draft, members));
    frame.passes_by_caches = true;
    written("", &draft, &frame)
}

/// A member's file.
fn file(files: &Files, around: &Around, member: &Member) -> NewFile {
    let mut frame = Frame::of(
        member.name.clone(),
        &files.below(&member.folder),
        &member.draft,
    );
    // A root's file that was there before says nothing of what tools keep in this folder.
    frame.passes_by_caches = around.root_file.is_none();
    written(&format!("{}/", member.folder), &member.draft, &frame)
}

/// The file of a folder, which ends with `/` where it is not the root.
fn written(folder: &str, draft: &Draft, frame: &Frame) -> NewFile {
    let up = "../".repeat(folder.matches('/').count());
    NewFile {
        path: format!("{folder}pipe.yaml"),
        text: render(draft, frame, &format!("{up}.pipe/{SCHEMA_NAME}")),
        kind: draft.kind.clone(),
    }
}

/// What the root of several members has to do itself.
fn root(files: &Files, rest: &Files, members: &[Member]) -> Draft {
    let packages: Vec<&str> = members
        .iter()
        .map(|member| member.folder.as_str())
        .filter(|folder| files.has(&format!("{folder}/package.json")))
        .collect();
    // A Makefile beside several members starts them, and is no project.
    let own = match node::is_workspace(files) {
        true => node::workspace(files, &packages),
        false => language(rest),
    };
    own.unwrap_or_else(|| Draft {
        kind: "the root of the workspace".to_owned(),
        ..Draft::default()
    })
}

/// The `workspace` of the root's file.
fn workspace(draft: &Draft, members: &[Member]) -> Workspace {
    let own = draft.caches.iter().map(|cache| format!("//{cache}"));
    let others = members.iter().flat_map(|member| {
        let caches = member.draft.caches.iter();
        caches.map(|cache| format!("//{}/{cache}", member.folder))
    });
    let mut patterns: Vec<String> = members.iter().map(Member::pattern).collect();
    patterns.dedup();
    Workspace {
        members: patterns,
        ignore: own
            .chain(others)
            .filter(|cache| is_folder(cache))
            .map(|cache| cache.trim_end_matches('/').to_owned())
            .collect(),
    }
}

/// The first language that knows the folder. Many projects have a Makefile beside it, for people.
fn recognise(files: &Files) -> Option<Draft> {
    language(files).or_else(|| make::draft(files))
}

fn language(files: &Files) -> Option<Draft> {
    [
        rust::draft,
        go::draft,
        node::draft,
        python::draft,
        cmake::draft,
    ]
    .iter()
    .find_map(|draft| draft(files))
}
