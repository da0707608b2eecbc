//! Where the caller stands: which workspace is meant, and what bare names mean in it.

use std::path::{Path, PathBuf};

use super::options::Surroundings;
use crate::graph::Scope;
use crate::load::{LoadError, Loaded, find_root, load, load_file, pipe_file};
use crate::path::RelPath;

/// A workspace, and what is in scope from where the caller stands.
pub(super) struct Standing {
    pub(super) root: PathBuf,
    pub(super) loaded: Loaded,
    pub(super) scope: Scope,
}

/// Finds and loads the workspace that is meant.
///
/// # Errors
///
/// When there is none.
pub(super) fn find(around: &Surroundings) -> Result<Standing, LoadError> {
    match &around.file {
        Some(file) => Ok(of_file(around.start(), file)),
        None => of_folder(&around.folder),
    }
}

fn of_folder(folder: &Path) -> Result<Standing, LoadError> {
    let root = find_root(folder)?;
    let mut loaded = load(&root);
    let scope = member(&root, folder, &loaded).map_or(Scope::Workspace, Scope::Member);
    let stranger = stranger(&root, folder, &loaded);
    loaded.load.extend(stranger);
    Ok(Standing {
        root,
        loaded,
        scope,
    })
}

/// `-f FILE`: the pipeline alone where the workspace around it knows the file, or else a workspace
/// of its own.
fn of_file(folder: &Path, file: &Path) -> Standing {
    if let Ok(root) = find_root(folder) {
        let loaded = load(&root);
        if let Some(path) = RelPath::below(&root, file).filter(|path| loaded.files.contains(path)) {
            let scope = Scope::File(path);
            return Standing {
                root,
                loaded,
                scope,
            };
        }
    }
    let mut loaded = load_file(folder, file);
    // Which workspace is meant hangs on all files of the one around it, too.
    loaded.looked_at = None;
    Standing {
        root: folder.to_path_buf(),
        loaded,
        scope: Scope::Workspace,
    }
}

/// The member folder that `folder` is in.
fn member(root: &Path, folder: &Path, loaded: &Loaded) -> Option<RelPath> {
    let folder = RelPath::below(root, folder)?;
    let pipelines = loaded.workspace.pipelines.values();
    pipelines
        .filter_map(|pipeline| pipeline.member.as_ref())
        .filter(|member| folder.is_in(member))
        .max_by_key(|member| member.as_bytes().len())
        .cloned()
}

/// The pipeline file around the caller that the workspace passes by, unless it is told to.
fn stranger(root: &Path, folder: &Path, loaded: &Loaded) -> Option<LoadError> {
    let below = folder.ancestors().take_while(|folder| *folder != root);
    let file = below.filter_map(pipe_file).next()?;
    let path = RelPath::below(root, &file)?;
    let folder = path.parent()?;
    let left_out = loaded
        .left_out
        .iter()
        .any(|pattern| pattern.matches(&folder));
    (!left_out && !loaded.files.contains(&path)).then(|| LoadError::NotAMember {
        file: path.to_string(),
        folder: folder.to_string(),
    })
}
