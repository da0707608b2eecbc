//! `pipe init`: reads the folder, lets `init` say what is in it, and writes what is not there yet.

use std::path::{Path, PathBuf};

use super::args::InitArgs;
use super::exit::{Exit, refuse};
use super::options::Surroundings;
use super::{import, output, schema};
use crate::glob::{Ignore, Pattern, Want, list};
use crate::init::{self, Around, Files, NewFile, RootFile};
use crate::load::{find_root, has_own, load};
use crate::path::RelPath;
use crate::sys;

/// A manifest larger than this is none.
const LARGEST: u64 = 1 << 20;
/// Folders that hold what tools made or fetched: nothing in there tells what a folder is.
const PASSED_BY: [&str; 8] = [
    "target",
    "dist",
    "build",
    ".next",
    ".svelte-kit",
    ".astro",
    "vendor",
    "venv",
];

pub(super) fn init(around: &Surroundings, args: &InitArgs) -> Exit {
    match write_all(around, args) {
        Ok(exit) => exit,
        Err(message) => refuse(&message),
    }
}

fn write_all(around: &Surroundings, args: &InitArgs) -> Result<Exit, String> {
    let (place, mut wanted) = match args.from.map(|from| import::files(around, from)) {
        Some(Ok((root, files))) => (Place::root(root), files),
        Some(Err(exit)) => return Ok(exit),
        None => {
            let place = Place::of(&around.folder);
            let wanted = init::pipelines(&files(&place.root)?, &place.around());
            (place, wanted)
        }
    };
    if args.make_shim {
        wanted.push(NewFile {
            path: place.below("Makefile"),
            text: init::MAKEFILE.to_owned(),
            kind: "`make prod` is `pipe run prod`".to_owned(),
        });
    }
    let mut written = 0;
    for file in &wanted {
        written += usize::from(write(&place.root, file)?);
    }
    if written == 0 {
        output::err("error: nothing was written, for all of it is there already\n");
        return Ok(Exit::Invalid);
    }
    schema::keep(&place.root.join(".pipe")).map_err(said)?;
    output::err(&place.closing());
    Ok(Exit::Good)
}

/// Writes a file, or says that it is there: whether it did.
fn write(root: &Path, file: &NewFile) -> Result<bool, String> {
    if let Some(there) = already(root, &file.path) {
        output::err(&format!("kept {there}: it is there already\n"));
        return Ok(false);
    }
    let is_new = sys::fs::write_new(&root.join(&file.path), file.text.as_bytes()).map_err(said)?;
    if is_new {
        output::err(&format!("wrote {}: {}\n", file.path, file.kind));
    }
    Ok(is_new)
}

/// What stands in place of a file: `pipe.yml` is `pipe.yaml` too.
fn already(root: &Path, path: &str) -> Option<String> {
    let other = path.strip_suffix(".yaml").map(|stem| format!("{stem}.yml"));
    std::iter::once(path.to_owned())
        .chain(other)
        .find(|path| root.join(path).symlink_metadata().is_ok())
}

/// Where the folder is.
struct Place {
    folder: PathBuf,
    /// The root of the workspace: the folder itself where there is none above it.
    root: PathBuf,
}

impl Place {
    fn root(root: PathBuf) -> Self {
        Self {
            folder: root.clone(),
            root,
        }
    }

    fn of(folder: &Path) -> Self {
        let above = folder.parent().and_then(|parent| find_root(parent).ok());
        let above = above.filter(|root| has_own(root));
        Self {
            folder: folder.to_owned(),
            root: above.unwrap_or_else(|| folder.to_owned()),
        }
    }

    fn member(&self) -> Option<RelPath> {
        RelPath::below(&self.root, &self.folder).filter(|path| !path.is_root())
    }

    fn around(&self) -> Around {
        Around {
            name: self
                .folder
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            member: self.member().map(|path| path.to_string()),
            root_file: already(&self.root, "pipe.yaml").map(|file| self.root_file(&file)),
        }
    }

    /// A path of the folder, from the root.
    fn below(&self, name: &str) -> String {
        self.member()
            .map_or_else(|| name.to_owned(), |member| format!("{member}/{name}"))
    }

    /// What the root's pipeline file says, as far as it can be read.
    fn root_file(&self, file: &str) -> RootFile {
        let loaded = load(&self.root);
        let mut pipelines = loaded.workspace.pipelines.into_values();
        let pipeline = pipelines.find(|pipeline| pipeline.file.to_string() == file);
        pipeline.map_or_else(RootFile::default, |pipeline| RootFile {
            name: pipeline.name.value,
            steps: pipeline.steps.into_keys().collect(),
        })
    }

    /// What to do next.
    fn closing(&self) -> String {
        let next = "next: `pipe list` says what there is, `pipe run` runs it, `pipe check` after each edit\n";
        let Some(member) = self.member() else {
            return next.to_owned();
        };
        let root = self.root.display();
        let is_known = load(&self.root)
            .workspace
            .pipelines
            .values()
            .any(|pipeline| pipeline.member.as_ref() == Some(&member));
        if find_root(&self.folder).is_ok_and(|root| root != self.root) {
            return format!(
                "{root} is a workspace without a `workspace:` key, so this folder is one of its own: \
                 `workspace: {{}}` in that pipe.yaml makes it a member\n{next}"
            );
        }
        if is_known {
            return format!("{member} is a member of the workspace in {root}\n{next}");
        }
        format!(
            "{member} is no member of the workspace in {root} yet: add `{member}` to `workspace.members` in its pipe.yaml\n{next}"
        )
    }
}

/// All files of the folder, and the texts of those that tell something.
fn files(folder: &Path) -> Result<Files, String> {
    let ignore = Ignore::new(&PASSED_BY).map_err(said)?;
    let all = Pattern::parse(&RelPath::root(), "**").map_err(said)?;
    let mut files = Files::default();
    for path in list(folder, &[all], &ignore, Want::Files).map_err(said)? {
        let Ok(name) = std::str::from_utf8(path.as_bytes()) else {
            continue;
        };
        let text = Files::reads(name)
            .then(|| text(&path.under(folder)))
            .flatten();
        files.add(name, text);
    }
    Ok(files)
}

/// The text of a manifest; one that cannot be read says nothing.
fn text(path: &Path) -> Option<String> {
    let is_small = path
        .metadata()
        .is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
    let bytes = is_small.then(|| sys::fs::read(path).ok()).flatten()?;
    String::from_utf8(bytes).ok()
}

/// An error with what is behind it.
fn said(error: impl std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
