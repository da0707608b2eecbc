//! What a Go build of a worker reads, where nobody says it: its own sources and its module's.

use std::collections::BTreeSet;

use crate::glob::escape;
use crate::path::RelPath;

/// Files that say what a module is made of.
const MODULE: [&str; 4] = ["go.mod", "go.sum", "go.work", "go.work.sum"];

/// Patterns, relative to the worker's folder or (`//`) to the root, of what a build of the worker
/// in `dir` reads; `None` where it has no Go sources. `files` are the Go files and module files of
/// the workspace, sorted; `workers` are the folders of all workers.
///
/// Beside its own sources these are the packages of its module, since it may import each of them:
/// but those of other workers, and `cmd`, which holds programs.
pub fn go_sources(dir: &RelPath, files: &[RelPath], workers: &[RelPath]) -> Option<Vec<String>> {
    let source = dir.join(b"src");
    let is_source = |file: &&RelPath| is_compiled(file) && file.parent().as_ref() == Some(&source);
    files.iter().find(is_source)?;
    let mut patterns = vec!["src/**/*.go".to_owned()];
    let mut module = None;
    for name in MODULE {
        let found = above(dir)
            .map(|folder| folder.join(name.as_bytes()))
            .find(|path| files.binary_search(path).is_ok());
        if let Some(found) = found {
            patterns.push(seen_from(dir, &found));
            // A `go.work` counts more than a `go.mod`, and comes later.
            module = found.parent().filter(|_| !name.ends_with("sum")).or(module);
        }
    }
    let Some(module) = module else {
        return Some(patterns);
    };
    let is_other = |file: &RelPath| {
        let mut others = workers.iter().filter(|worker| *worker != dir);
        others.any(|worker| file.is_in(worker)) || file.is_in(&module.join(b"cmd"))
    };
    let packages: BTreeSet<String> = files
        .iter()
        .filter(|file| is_compiled(file) && file.is_in(&module))
        .filter(|file| !file.is_in(&source) && !is_other(file))
        .map(|file| package(dir, &module, file))
        .collect();
    patterns.extend(packages);
    Some(patterns)
}

/// Whether a build may look at this file.
fn is_compiled(file: &RelPath) -> bool {
    let name = file.file_name();
    name.ends_with(b".go")
        && !name.ends_with(b"_test.go")
        && !file.parts().any(|part| part == b"testdata")
}

/// The folder and those above it, up to the root.
fn above(dir: &RelPath) -> impl Iterator<Item = RelPath> {
    std::iter::successors(Some(dir.clone()), RelPath::parent)
}

/// The pattern of the packages around `file`: those in the same folder of the module, or of the
/// worker, or beside workers.
fn package(dir: &RelPath, module: &RelPath, file: &RelPath) -> String {
    let beside = dir.parent().filter(|beside| beside.is_in(module));
    let bases = [Some(dir.clone()), beside.filter(|beside| !beside.is_root())];
    let base = bases
        .into_iter()
        .flatten()
        .find(|base| file.is_in(base))
        .unwrap_or_else(|| module.clone());
    let folder = above(file).skip(1).take_while(|path| *path != base).last();
    let (folder, rest) = match &folder {
        Some(folder) => (folder, "**/*.go"),
        None => (&base, "*.go"),
    };
    match seen_from(dir, folder).as_str() {
        "." => rest.to_owned(),
        "//" => format!("//{rest}"),
        folder => format!("{folder}/{rest}"),
    }
}

/// How a worker in `dir` names a path, as a pattern.
fn seen_from(dir: &RelPath, path: &RelPath) -> String {
    if path.is_in(dir) {
        escape(&path.relative_to(dir))
    } else {
        format!("//{}", escape(path.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn sources(files: &[&str], expected: Option<&[&str]>) {
        let mut files: Vec<RelPath> = files.iter().map(|file| path(file)).collect();
        files.sort();
        let workers = [path("workers/api"), path("workers/web")];
        let found = go_sources(&workers[0], &files, &workers);
        let expected: Option<Vec<String>> =
            expected.map(|patterns| patterns.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(found, expected);
    }

    #[test]
    fn without_go_sources_nothing_is_known() {
        sources(
            &["workers/api/main.go", "workers/web/src/main.go", "go.mod"],
            None,
        );
        sources(
            &["workers/api/src/main_test.go", "workers/api/src/deep/a.go"],
            None,
        );
    }

    #[test]
    fn a_worker_may_be_its_own_module() {
        sources(&["workers/api/src/main.go"], Some(&["src/**/*.go"]));
        sources(
            &[
                "go.mod",
                "pkg/a.go",
                "workers/api/go.mod",
                "workers/api/go.sum",
                "workers/api/inner/deep/a.go",
                "workers/api/src/main.go",
                "workers/api/tool.go",
            ],
            Some(&["src/**/*.go", "go.mod", "go.sum", "*.go", "inner/**/*.go"]),
        );
    }

    #[test]
    fn or_part_of_one_above() {
        sources(
            &[
                "cmd/server/main.go",
                "docs/x_test.go",
                "go.mod",
                "go.sum",
                "pkg/[a]/a.go",
                "root.go",
                "testdata/x.go",
                "workers/api/inner/a.go",
                "workers/api/src/deep/a.go",
                "workers/api/src/main.go",
                "workers/shared/log/a.go",
                "workers/web/src/main.go",
            ],
            Some(&[
                "src/**/*.go",
                "//go.mod",
                "//go.sum",
                "//*.go",
                "//pkg/**/*.go",
                "//workers/shared/**/*.go",
                "inner/**/*.go",
            ]),
        );
    }

    #[test]
    fn a_go_work_joins_modules() {
        sources(
            &[
                "go.work",
                "pkg/go.mod",
                "pkg/a.go",
                "workers/api/go.mod",
                "workers/api/src/main.go",
            ],
            Some(&["src/**/*.go", "go.mod", "//go.work", "//pkg/**/*.go"]),
        );
    }
}
