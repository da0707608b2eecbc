//! The way up from a folder to the root of its workspace.

use std::path::{Path, PathBuf};

use super::discover::read_regular;
use super::{ENDINGS, LoadError, foreign};

/// The workspace root for someone who stands in `folder`: the nearest folder going up that has a
/// `pipe.yaml` with a `workspace:` key, or a `pipelines/` folder with a pipeline file; without
/// one, the nearest with any `pipe.yaml`; without any, the nearest that another system builds.
///
/// # Errors
///
/// When there is none of them on the way up.
pub fn find_root(folder: &Path) -> Result<PathBuf, LoadError> {
    let is_root = |folder: &&Path| says_workspace(folder) || has_pipelines(folder);
    let root = folder.ancestors().find(is_root).or_else(|| {
        folder
            .ancestors()
            .find(|folder| pipe_file(folder).is_some())
    });
    root.map(Path::to_path_buf)
        .or_else(|| foreign::find(folder))
        .ok_or_else(|| LoadError::NoWorkspace {
            folder: folder.display().to_string(),
        })
}

/// Whether a folder has pipeline files of our own.
pub fn has_own(folder: &Path) -> bool {
    pipe_file(folder).is_some() || has_pipelines(folder)
}

/// The `pipe.yaml` or `pipe.yml` of a folder. One that cannot be read is one all the same: whoever has
/// it is to be told, not that there is none.
pub fn pipe_file(folder: &Path) -> Option<PathBuf> {
    ENDINGS
        .iter()
        .map(|ending| folder.join(format!("pipe.{ending}")))
        .find(|path| path.symlink_metadata().is_ok())
}

fn says_workspace(folder: &Path) -> bool {
    pipe_file(folder).is_some_and(|file| has_key(&file, &["workspace"]))
}

/// Other tools have folders of this name, so one of its files must look like a pipeline file.
pub(super) fn has_pipelines(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join("pipelines")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        let is_yaml = path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        is_yaml && path.is_file() && has_key(&path, &["steps", "targets", "extends"])
    })
}

/// Whether a line of the file begins with one of these keys. Looks at the text alone, so that a
/// broken file still makes a root, and its fault is told.
fn has_key(path: &Path, keys: &[&str]) -> bool {
    let Ok(bytes) = read_regular(path) else {
        return false;
    };
    let text = String::from_utf8_lossy(&bytes);
    text.trim_start_matches('\u{feff}').lines().any(|line| {
        keys.iter().any(|key| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    })
}

/// The files that [`find_root`] looks for on the way from `folder` up; `None` where it also has to
/// look into files to tell.
pub fn looked_at_for_root(folder: &Path, root: &Path) -> Option<Vec<PathBuf>> {
    // A root that says so itself ends the search; for any other it goes on to the top.
    let ends = says_workspace(root) || has_pipelines(root);
    let above = if ends { root.parent() } else { None };
    let mut paths = Vec::new();
    for folder in folder
        .ancestors()
        .take_while(|folder| Some(*folder) != above)
    {
        paths.extend(ENDINGS.map(|ending| folder.join(format!("pipe.{ending}"))));
        paths.push(folder.join("pipelines"));
        if folder != root && folder.join("pipelines").exists() {
            return None;
        }
    }
    Some(paths)
}
